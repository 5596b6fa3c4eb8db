"""IAM roles of the synthesized stacks: trust, permissions, and the resources that use them.

Statements are in IAM's own format (`synthesized.policy_statements`), whether they come from inline policies or from
customer managed policies. AWS managed policies are listed by ARN.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from synthesized.platform import Body, Platform, PlatformError, Resource
from synthesized.policy_statements import Statement, as_list

ROLE_TYPE = "aws_iam_role"
ROLE_POLICY_TYPES = ("aws_iam_role_policy", "aws_iam_role_policy_attachment", "aws_iam_policy_attachment")
# Arguments of `aws_iam_policy_document`, and the elements of a statement that IAM has for them.
ELEMENTS = {
    "actions": "Action",
    "not_actions": "NotAction",
    "resources": "Resource",
    "not_resources": "NotResource",
    "principals": "Principal",
    "not_principals": "NotPrincipal",
}
REFERENCE = re.compile(rf"\$\{{({ROLE_TYPE}\.[\w-]+)\.(?:arn|id|name)\}}")
# Arguments that merge other documents, whose statements would be missing here. No stack uses them.
MERGING_ARGUMENTS = ("source_policy_documents", "override_policy_documents", "source_json", "override_json")


class RoleUse(NamedTuple):
    """An argument that gives a role to a resource."""

    resource: Resource
    argument: str
    """Path of the argument, as in `target.role_arn`."""


@dataclass(frozen=True)
class Role:
    """A role with its policies and uses."""

    resource: Resource
    trust: tuple[Statement, ...]
    statements: tuple[Statement, ...]
    """Statements of inline and customer managed policies, both Allow and Deny."""
    aws_managed: tuple[str, ...]
    """ARNs of AWS managed policies."""
    uses: tuple[RoleUse, ...]

    @property
    def address(self) -> str:
        """Address in the joined document."""
        return self.resource.address


def roles_of(platform: Platform, tier: str = "") -> list[Role]:
    """Roles of an environment, or of one of its tiers.

    Raises:
        PlatformError: a policy cannot be read.
    """
    uses = _uses(platform)
    return [
        _role(platform, resource, uses.get(resource.address, ()))
        for resource in platform.of_type(ROLE_TYPE)
        if tier in {"", resource.tier}
    ]


def read_statements(platform: Platform, policy: str) -> tuple[Statement, ...]:
    """Statements of a policy argument: a reference to an `aws_iam_policy_document`, or JSON.

    Raises:
        PlatformError: it is neither, or the document merges others.
    """
    if not policy.startswith("${"):
        return tuple({"Sid": "", **statement} for statement in as_list(json.loads(policy)["Statement"]))
    document = platform.resolve(policy)
    if document.type != "aws_iam_policy_document" or any(document.body.get(part) for part in MERGING_ARGUMENTS):
        raise PlatformError(f"{document.address}: not a policy document, or one that merges others")
    return tuple(map(_statement, document.body["statement"]))


def policies_of(platform: Platform) -> Iterator[tuple[Resource, tuple[Statement, ...]]]:
    """Every policy of every resource, whatever the argument is called.

    Raises:
        PlatformError: a policy cannot be read.
    """
    for resource in platform.resources:
        for _, value in _strings(resource.body):
            if value.startswith("${data.aws_iam_policy_document.") or re.match(r'\{.*"Statement"', value, re.DOTALL):
                yield resource, read_statements(platform, value)


def role_statements(platform: Platform, role: Resource) -> tuple[Statement, ...]:
    """Statements of a role's inline and customer managed policies, both Allow and Deny.

    Raises:
        PlatformError: a policy cannot be read.
    """
    own, attached = _policies(platform, role)
    customer_managed = [platform.resolve(arn).body["policy"] for arn in attached if arn.startswith("${")]
    return tuple(statement for policy in [*own, *customer_managed] for statement in read_statements(platform, policy))


def _role(platform: Platform, role: Resource, uses: Iterable[RoleUse]) -> Role:
    _, attached = _policies(platform, role)
    return Role(
        resource=role,
        trust=read_statements(platform, role.body["assume_role_policy"]),
        statements=role_statements(platform, role),
        aws_managed=tuple(arn for arn in attached if not arn.startswith("${")),
        uses=tuple(uses),
    )


def _policies(platform: Platform, role: Resource) -> tuple[list[str], list[str]]:
    """Inline policies of a role, and ARNs of those that are attached to it."""
    own = [entry["policy"] for entry in role.body.get("inline_policy", []) if entry.get("policy")]
    attached = list(role.body.get("managed_policy_arns") or [])
    for part in platform.of_type(*ROLE_POLICY_TYPES):
        names = [part.body.get("role", ""), *(part.body.get("roles") or [])]
        if role.address in map(_role_address, names):
            own += as_list(part.body.get("policy"))
            attached += as_list(part.body.get("policy_arn"))
    return own, attached


def _uses(platform: Platform) -> Mapping[str, Sequence[RoleUse]]:
    """By the role's address, without IAM resources: those are parts of the role."""
    found: dict[str, list[RoleUse]] = {}
    for resource in platform.resources:
        if not resource.type.startswith("aws_iam_"):
            for argument, value in _strings(resource.body):
                if address := _role_address(value):
                    found.setdefault(address, []).append(RoleUse(resource, argument))
    return found


def _strings(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Path and value of every string in a resource's arguments; entries of a list have the path of the list."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for entry in value:
            yield from _strings(entry, path)
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _strings(entry, f"{path}.{key}" if path else key)


def _role_address(value: str) -> str | None:
    """Address of the role that a value refers to, if it is exactly one reference."""
    reference = REFERENCE.fullmatch(value)
    return reference[1] if reference else None


def _statement(body: Body) -> Statement:
    statement: Statement = {"Sid": body.get("sid", ""), "Effect": body.get("effect", "Allow")}
    for argument, element in ELEMENTS.items():
        if value := body.get(argument):
            statement[element] = _principal(value) if argument.endswith("principals") else value
    conditions: dict[str, dict[str, list[str]]] = {}
    for entry in body.get("condition", []):
        conditions.setdefault(entry["test"], {}).setdefault(entry["variable"], []).extend(entry["values"])
    return statement | ({"Condition": conditions} if conditions else {})


def _principal(entries: list[Body]) -> str | dict[str, list[str]]:
    principal: dict[str, list[str]] = {}
    for entry in entries:
        principal.setdefault(entry["type"], []).extend(entry["identifiers"])
    return "*" if "*" in principal else principal
