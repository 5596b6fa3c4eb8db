"""Policy statements that read as a sentence: allow this, on that, to these, when so."""

from collections.abc import Sequence
from typing import NamedTuple

from cdktf_cdktf_provider_aws.data_aws_iam_policy_document import (
    DataAwsIamPolicyDocument,
    DataAwsIamPolicyDocumentStatement,
    DataAwsIamPolicyDocumentStatementCondition,
    DataAwsIamPolicyDocumentStatementPrincipals,
)
from constructs import Construct

Statement = DataAwsIamPolicyDocumentStatement


class Principal(NamedTuple):
    """Whom a statement of a resource's policy is about."""

    type: str
    identifiers: Sequence[str]


class Condition(NamedTuple):
    """When a statement applies."""

    test: str
    variable: str
    values: Sequence[str]


EVERYONE = Principal("*", ["*"])


def service(*names: str) -> Principal:
    """AWS services, by their principals' names."""
    return Principal("Service", names)


def account(identifier: str) -> Principal:
    """An account, which decides by its IAM policies which of its identities that is."""
    return Principal("AWS", [f"arn:aws:iam::{identifier}:root"])


def equals(variable: str, *values: str) -> Condition:
    """The variable is one of the values, to the letter."""
    return Condition("StringEquals", variable, values)


def matches_arn(variable: str, *patterns: str) -> Condition:
    """The variable is an ARN that matches one of the patterns."""
    return Condition("ArnLike", variable, patterns)


def via(service_name: str, region: str) -> Condition:
    """Only as a service of AWS asks for it on the caller's behalf."""
    return equals("kms:ViaService", f"{service_name}.{region}.amazonaws.com")


def allow(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    *,
    to: Principal | None = None,
    when: Sequence[Condition] = (),
) -> Statement:
    """A statement that allows; `to` belongs in a resource's policy only."""
    return _statement("Allow", sid, actions, resources, to, when)


def deny(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    *,
    to: Principal | None = None,
    when: Sequence[Condition] = (),
    but: Sequence[str] = (),
) -> Statement:
    """A statement that denies, whatever else allows; in the place of resources, `but` names those that are left out."""
    return _statement("Deny", sid, actions, resources, to, when, but)


def deny_plaintext(actions: Sequence[str], resources: Sequence[str]) -> Statement:
    """PCI DSS 4.2.1: nobody talks to the resource without TLS."""
    return deny(
        "DenyPlaintext", actions, resources, to=EVERYONE, when=[Condition("Bool", "aws:SecureTransport", ["false"])]
    )


def deny_other_accounts(own: str, actions: Sequence[str], resources: Sequence[str]) -> Statement:
    """PCI DSS 7.2.5: no identity of another account, whatever policy comes to allow it; AWS services pass."""
    return deny(
        "DenyOtherAccounts",
        actions,
        resources,
        to=EVERYONE,
        when=[
            Condition("StringNotEquals", "aws:PrincipalAccount", [own]),
            Condition("Bool", "aws:PrincipalIsAWSService", ["false"]),
        ],
    )


def document(scope: Construct, id: str, *statements: Statement) -> str:
    """The statements as a policy document; its JSON, as resources take it."""
    return DataAwsIamPolicyDocument(scope, id, statement=list(statements)).json


def _statement(
    effect: str,
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    to: Principal | None,
    when: Sequence[Condition],
    but: Sequence[str] = (),
) -> Statement:
    return DataAwsIamPolicyDocumentStatement(
        sid=sid,
        effect=effect,
        actions=list(actions),
        resources=None if but else list(resources),
        not_resources=list(but) or None,
        principals=[DataAwsIamPolicyDocumentStatementPrincipals(type=to.type, identifiers=list(to.identifiers))]
        if to
        else None,
        condition=[
            DataAwsIamPolicyDocumentStatementCondition(test=test, variable=variable, values=list(values))
            for test, variable, values in when
        ]
        or None,
    )
