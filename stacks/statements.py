"""Policy statements that read as a sentence: allow this, on that, to these, when so.

They are plain data, without cdktf: `stacks.parts.policy_documents` renders them as a data source of a tier, and
`as_document` as the JSON document of AWS's API.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class Principal(NamedTuple):
    """Whom a statement of a resource's policy is about."""

    type: str
    identifiers: Sequence[str]


class Condition(NamedTuple):
    """When a statement applies."""

    test: str
    variable: str
    values: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement of a policy."""

    sid: str
    effect: str
    actions: Sequence[str]
    resources: Sequence[str]
    """Empty in a trust policy, and where `not_resources` are named."""
    not_resources: Sequence[str] = ()
    principal: Principal | None = None
    conditions: Sequence[Condition] = ()


EVERYONE = Principal("*", ["*"])


def service_principal(*names: str) -> Principal:
    """AWS services, by their principals' names."""
    return Principal("Service", names)


def account_principal(identifier: str) -> Principal:
    """An account, which decides by its IAM policies which of its identities that is."""
    return Principal("AWS", [f"arn:aws:iam::{identifier}:root"])


def string_equals(variable: str, *values: str) -> Condition:
    """The variable is one of the values, to the letter."""
    return Condition("StringEquals", variable, values)


def arn_like(variable: str, *patterns: str) -> Condition:
    """The variable is an ARN that matches one of the patterns."""
    return Condition("ArnLike", variable, patterns)


def via_service(service_name: str, region: str) -> Condition:
    """Only as a service of AWS asks for it on the caller's behalf."""
    return string_equals("kms:ViaService", f"{service_name}.{region}.amazonaws.com")


def allow(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    *,
    to: Principal | None = None,
    when: Sequence[Condition] = (),
) -> Statement:
    """A statement that allows; `to` belongs in a resource's policy only."""
    return Statement(sid=sid, effect="Allow", actions=actions, resources=resources, principal=to, conditions=when)


def deny(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    *,
    to: Principal | None = None,
    when: Sequence[Condition] = (),
    not_resources: Sequence[str] = (),
) -> Statement:
    """A statement that denies, whatever else allows; in the place of resources, `but` names those that are left out."""
    return Statement(
        sid=sid,
        effect="Deny",
        actions=actions,
        resources=resources,
        not_resources=not_resources,
        principal=to,
        conditions=when,
    )


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


def as_document(*statements: Statement) -> dict[str, Any]:
    """The statements as the document that AWS's API takes."""
    return {"Version": "2012-10-17", "Statement": [_as_json(statement) for statement in statements]}


def _as_json(statement: Statement) -> dict[str, Any]:
    rendered: dict[str, Any] = {
        "Sid": statement.sid,
        "Effect": statement.effect,
        "Action": list(statement.actions),
    }
    if (principal := statement.principal) is not None:
        rendered["Principal"] = (
            "*" if principal == EVERYONE else {principal.type: _unwrap_single(principal.identifiers)}
        )
    if statement.not_resources:
        rendered["NotResource"] = list(statement.not_resources)
    elif statement.resources:
        rendered["Resource"] = list(statement.resources)
    if statement.conditions:
        tests: dict[str, dict[str, Any]] = {}
        for test, variable, values in statement.conditions:
            tests.setdefault(test, {})[variable] = _unwrap_single(values)
        rendered["Condition"] = tests
    return rendered


def _unwrap_single(values: Sequence[str]) -> str | list[str]:
    """IAM writes a list of one as the one."""
    return values[0] if len(values) == 1 else list(values)
