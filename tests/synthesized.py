"""Helpers to read a synthesized platform in tests."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from stacks.names import Names
from synthesized.platform import Body, Platform
from tests.failures import Arguments, Named

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
    """Whether a tier has a resource with at least these properties."""
    return any(
        all(_includes(body.get(name), value) for name, value in properties.items())
        for body in bodies(platform, type_, tier).values()
    )


def _includes(found: Any, wanted: Any) -> bool:
    """Whether a value equals the wanted one; a block may have additional arguments."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_includes(found.get(name), value) for name, value in wanted.items())
    return found == wanted


def bodies(platform: Platform, type_: str, tier: str = "") -> Named:
    """Resources of a type by name, of all tiers or of one."""
    found = [resource for resource in platform.of_type(type_) if tier in {"", resource.tier}]
    named = {resource.name: Arguments.of(resource) for resource in found}
    assert len(named) == len(found), f"specify the tier: two tiers have a {type_} of the same name"
    return Named(f"{type_}.", named)


def only(platform: Platform, type_: str) -> Arguments:
    """The only resource of a type."""
    found = bodies(platform, type_)
    assert len(found) == 1, f"{type_}: one expected, found: {', '.join(found) or 'none'}"
    return next(iter(found.values()))


def container(platform: Platform) -> Arguments:
    """Definition of the task's only container."""
    task = only(platform, "aws_ecs_task_definition")
    (definition,) = json.loads(task["container_definitions"])
    return Arguments(task.address, definition, "container_definitions")


def statements(platform: Platform, tier: str, name: str) -> Named:
    """Statements of a policy document by sid."""
    address = f"data.aws_iam_policy_document.{tier}_{name}"
    documents = [document.body for document in platform.data if document.address == address]
    assert documents, f"{address}: missing"
    named = {each["sid"]: Arguments(address, each, f"statement {each['sid']}") for each in documents[0]["statement"]}
    return Named(f"{address} statement ", named)


def conditions(statement: Body) -> dict[str, list[str]]:
    """Conditions of a statement: values by `<test> <variable>`."""
    return {f"{entry['test']} {entry['variable']}": entry["values"] for entry in statement.get("condition", [])}


def names_of(platform: Platform) -> Names:
    """Names of a platform's environment, from its providers."""
    provider, *second = platform.stacks["foundation"].providers
    second_region = second[0]["region"] if second else None
    return Names(platform.environment, provider["allowed_account_ids"][0], provider["region"], second_region)
