"""The platform's IAM roles, read back from what was synthesized: who takes each on, what for, and what it may do.

Statements are as IAM has them (`synthesized.policy_statements`), wherever they come from: a role's own policies, policies that
it shares with others, policies of AWS's own by their ARNs.
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
# What a document of the provider's calls the parts of a statement, and what IAM does.
ELEMENTS = {
    "actions": "Action",
    "not_actions": "NotAction",
    "resources": "Resource",
    "not_resources": "NotResource",
    "principals": "Principal",
    "not_principals": "NotPrincipal",
}
REFERENCE = re.compile(rf"\$\{{({ROLE_TYPE}\.[\w-]+)\.(?:arn|id|name)\}}")
# Merging others into it: nobody here does, and what it says would not be in its own statements.
MERGING_ARGUMENTS = ("source_policy_documents", "override_policy_documents", "source_json", "override_json")


class RoleUse(NamedTuple):
    """Where a resource is given a role."""

    resource: Resource
    argument: str
    """As `target.role_arn`."""


@dataclass(frozen=True)
class Role:
    """A role, and all that is said of it."""

    resource: Resource
    trust: tuple[Statement, ...]
    statements: tuple[Statement, ...]
    """What policies of the platform's own say, denials among it."""
    aws_managed: tuple[str, ...]
    """ARNs of policies of AWS's own."""
    uses: tuple[RoleUse, ...]

    @property
    def address(self) -> str:
        """Within the joined document."""
        return self.resource.address


def roles_of(platform: Platform, tier: str = "") -> list[Role]:
    """All roles of an environment, or of one tier.

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
    """The statements of a policy as a resource is given it: a reference to a document, or its JSON.

    Raises:
        PlatformError: it is neither, or merges others.
    """
    if not policy.startswith("${"):
        return tuple({"Sid": "", **statement} for statement in as_list(json.loads(policy)["Statement"]))
    document = platform.resolve(policy)
    if document.type != "aws_iam_policy_document" or any(document.body.get(part) for part in MERGING_ARGUMENTS):
        raise PlatformError(f"{document.address}: is no policy document that says all by itself")
    return tuple(map(_statement, document.body["statement"]))


def policies_of(platform: Platform) -> Iterator[tuple[Resource, tuple[Statement, ...]]]:
    """Every policy that a resource is given, whatever it calls the argument.

    Raises:
        PlatformError: a policy cannot be read.
    """
    for resource in platform.resources:
        for _, value in _texts(resource.body):
            if value.startswith("${data.aws_iam_policy_document.") or re.match(r'\{.*"Statement"', value, re.DOTALL):
                yield resource, read_statements(platform, value)


def _role(platform: Platform, role: Resource, uses: Iterable[RoleUse]) -> Role:
    own = [entry["policy"] for entry in role.body.get("inline_policy", []) if entry.get("policy")]
    attached = list(role.body.get("managed_policy_arns") or [])
    for part in platform.of_type(*ROLE_POLICY_TYPES):
        names = [part.body.get("role", ""), *(part.body.get("roles") or [])]
        if role.address in map(_leads_to, names):
            own += as_list(part.body.get("policy"))
            attached += as_list(part.body.get("policy_arn"))
    ours = [platform.resolve(arn).body["policy"] for arn in attached if arn.startswith("${")]
    return Role(
        resource=role,
        trust=read_statements(platform, role.body["assume_role_policy"]),
        statements=tuple(statement for policy in [*own, *ours] for statement in read_statements(platform, policy)),
        aws_managed=tuple(arn for arn in attached if not arn.startswith("${")),
        uses=tuple(uses),
    )


def _uses(platform: Platform) -> Mapping[str, Sequence[RoleUse]]:
    """By the role's address; IAM's own resources are parts of a role."""
    found: dict[str, list[RoleUse]] = {}
    for resource in platform.resources:
        if not resource.type.startswith("aws_iam_"):
            for argument, value in _texts(resource.body):
                if address := _leads_to(value):
                    found.setdefault(address, []).append(RoleUse(resource, argument))
    return found


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text within a resource's arguments, with the path of its argument; a list's entries have the list's."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry, path)
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _texts(entry, f"{path}.{key}" if path else key)


def _leads_to(value: str) -> str | None:
    """The address of the role that a text refers to, if it is that and no more."""
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
