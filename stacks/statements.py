"""IAM policy statements as plain data, without cdktf.

`stacks.parts.policy_documents` renders them as a Terraform data source, `as_document` as the JSON of AWS's API.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class Principal(NamedTuple):
    """The principals of a resource policy's statement."""

    type: str
    identifiers: Sequence[str]


class Condition(NamedTuple):
    """A condition under which a statement applies."""

    test: str
    variable: str
    values: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement of an IAM policy."""

    sid: str
    effect: str
    actions: Sequence[str]
    resources: Sequence[str]
    """Empty in a trust policy, or if `not_resources` is set."""
    not_resources: Sequence[str] = ()
    principal: Principal | None = None
    conditions: Sequence[Condition] = ()


EVERYONE = Principal("*", ["*"])
EVERY_IDENTITY = Principal("AWS", ["*"])
"""The same in the form that EFS returns. The provider takes the two forms for different policies."""


def service_principal(*names: str) -> Principal:
    """AWS services as principals."""
    return Principal("Service", names)


def account_principal(identifier: str) -> Principal:
    """An account; its IAM policies decide which of its identities may act."""
    return Principal("AWS", [f"arn:aws:iam::{identifier}:root"])


def string_equals(variable: str, *values: str) -> Condition:
    """`StringEquals`: the variable equals one of the values."""
    return Condition("StringEquals", variable, values)


def arn_like(variable: str, *patterns: str) -> Condition:
    """`ArnLike`: the variable matches one of the ARN patterns."""
    return Condition("ArnLike", variable, patterns)


def via_service(service_name: str, region: str) -> Condition:
    """`kms:ViaService`: only when an AWS service makes the request on the caller's behalf."""
    return string_equals("kms:ViaService", f"{service_name}.{region}.amazonaws.com")


def of_cluster(arn: str) -> Condition:
    """The secret is the master secret of this RDS cluster, or of none: RDS tags those that it manages.

    https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonRDSServiceRolePolicy.html
    """
    return Condition("StringEqualsIfExists", "aws:ResourceTag/aws:rds:primaryDBClusterArn", [arn])


def allow(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    *,
    to: Principal | None = None,
    when: Sequence[Condition] = (),
) -> Statement:
    """An `Allow` statement. `to` is for resource policies only."""
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
    """A `Deny` statement, on all resources except `not_resources` if these are given."""
    return Statement(
        sid=sid,
        effect="Deny",
        actions=actions,
        resources=resources,
        not_resources=not_resources,
        principal=to,
        conditions=when,
    )


def deny_other_environments(own: Sequence[str], *, except_for: Sequence[str] = ()) -> Statement:
    """Deny everything on resources whose tag `Environment` has another value, for a boundary of an environment's roles.

    Environments can share an account. A name of one, `acme-dev-eu-cache`, may match a pattern of another,
    `acme-dev-*`.
    """
    return deny(
        "NoOtherEnvironments",
        ["*"],
        [] if except_for else ["*"],
        when=[
            Condition("StringNotEquals", "aws:ResourceTag/Environment", own),
            # Without the tag, or for an action that does not support it, the request has no such key.
            Condition("Null", "aws:ResourceTag/Environment", ["false"]),
        ],
        not_resources=except_for,
    )


def deny_plaintext(actions: Sequence[str], resources: Sequence[str], *, to: Principal = EVERYONE) -> Statement:
    """PCI DSS 4.2.1: deny requests without TLS."""
    return deny("DenyPlaintext", actions, resources, to=to, when=[Condition("Bool", "aws:SecureTransport", ["false"])])


def deny_other_accounts(
    own: str, actions: Sequence[str], resources: Sequence[str], *, to: Principal = EVERYONE
) -> Statement:
    """PCI DSS 7.2.5: deny identities of other accounts, except AWS services."""
    return deny(
        "DenyOtherAccounts",
        actions,
        resources,
        to=to,
        when=[
            Condition("StringNotEquals", "aws:PrincipalAccount", [own]),
            # Anonymous requests have no such key.
            Condition("BoolIfExists", "aws:PrincipalIsAWSService", ["false"]),
        ],
    )


def as_document(*statements: Statement) -> dict[str, Any]:
    """The statements as a policy document for AWS's API."""
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
    """IAM returns a list of one value as the value alone."""
    return values[0] if len(values) == 1 else list(values)
