"""Helpers to read a synthesized platform in tests."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from cdktf import Testing

from stacks.names import Names
from synthesized.platform import Body, Platform

TIERS = (
    "foundation",
    "network",
    "database",
    "cache",
    "storage",
    "rotation",
    "service",
    "recovery",
    "audit",
    "observability",
    "access",
)
"""In dependency order: a tier depends only on earlier ones; `access` depends on none."""
_STORES = ("database", "cache", "storage")
DEPENDENCIES: Mapping[str, Collection[str]] = {
    "foundation": (),
    "network": ("foundation",),
    **dict.fromkeys(_STORES, ("foundation", "network")),
    "rotation": ("foundation", "network", "database"),
    "service": ("foundation", "network", *_STORES, "rotation"),
    "recovery": ("foundation", "database", "storage"),
    "audit": ("foundation",),
    "observability": TIERS[:-2],
    "access": (),
}
"""Tiers that each tier depends on."""
RUNBOOKS = "https://github.com/globecart/platform/blob/main/docs/runbooks"
"""URL of the runbooks in the reference environments."""
SEARCHABLE = TIERS[:-1]
"""Tiers with resources that the Resource Groups Tagging API returns; it returns few of IAM, and only in us-east-1."""
DEFAULT_TAGS = {"Project", "Environment", "Tier", "ManagedBy", "Owner"}


def stack_json(platform: Platform, tier: str) -> str:
    """JSON of a stack, for cdktf's matchers."""
    return json.dumps(platform.stacks[tier].document)


def has(platform: Platform, tier: str, type_: str, **properties: Any) -> bool:
    """Whether a tier has a resource with at least these properties, according to cdktf's matcher."""
    return Testing.to_have_resource_with_properties(stack_json(platform, tier), type_, properties)


def bodies(platform: Platform, type_: str, tier: str = "") -> dict[str, Body]:
    """Resources of a type by name, of all tiers or of one."""
    found = [resource for resource in platform.of_type(type_) if tier in {"", resource.tier}]
    by_name = {resource.name: resource.body for resource in found}
    assert len(by_name) == len(found), f"specify the tier: two tiers have a {type_} of the same name"
    return by_name


def only(platform: Platform, type_: str) -> Body:
    """The only resource of a type."""
    (body,) = bodies(platform, type_).values()
    return body


def container(platform: Platform) -> Body:
    """Definition of the task's only container."""
    (definition,) = json.loads(only(platform, "aws_ecs_task_definition")["container_definitions"])
    return definition


def statements(platform: Platform, tier: str, name: str) -> dict[str, Body]:
    """Statements of a policy document by sid."""
    (document,) = (
        resource.body
        for resource in platform.data
        if (resource.tier, resource.type, resource.name) == (tier, "aws_iam_policy_document", name)
    )
    return {statement["sid"]: statement for statement in document["statement"]}


def conditions(statement: Body) -> dict[str, list[str]]:
    """Conditions of a statement: values by `<test> <variable>`."""
    return {f"{entry['test']} {entry['variable']}": entry["values"] for entry in statement.get("condition", [])}


def names_of(platform: Platform) -> Names:
    """Names of a platform's environment, from its providers."""
    provider, *second = platform.stacks["foundation"].providers
    second_region = second[0]["region"] if second else None
    return Names(platform.environment, provider["allowed_account_ids"][0], provider["region"], second_region)
