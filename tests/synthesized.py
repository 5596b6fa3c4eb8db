"""How tests look at what was synthesized."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, cast
from unittest.mock import Mock, patch

import main  # before cdktf, which it sets up
from stacks.names import ACCESS, Names
from stacks.tier import TierStack
from synthesized.platform import Body, Platform

# isort: split
from cdktf import Testing

TIER_CLASSES = {
    name: class_ for name, class_ in vars(main).items() if isinstance(class_, type) and issubclass(class_, TierStack)
}
"""By the names that `main.py` knows them by."""


def _uses() -> dict[str, frozenset[str]]:
    """The tiers that `main.build` passes to each, in the order in which it builds them."""
    uses: dict[str, frozenset[str]] = {}

    def built(class_: type[TierStack], *passed: Any, **named: Any) -> type[TierStack]:
        uses[class_.tier] = frozenset(_tiers_in((*passed, *named.values())))
        return class_

    with patch.dict(vars(main), {name: partial(built, class_) for name, class_ in TIER_CLASSES.items()}):
        main.build(Mock(), Mock())
    return uses


def _tiers_in(passed: Iterable[Any]) -> Iterator[str]:
    for value in passed:
        if isinstance(value, type) and issubclass(value, TierStack):
            yield value.tier
        elif isinstance(value, list | tuple):
            yield from _tiers_in(cast(Iterable[Any], value))


DEPENDENCIES: Mapping[str, Collection[str]] = _uses()
"""By tier: the tiers that it is built with."""
TIERS = tuple(DEPENDENCIES)
"""Each after all that it uses."""
RUNBOOKS = "https://github.com/globecart/platform/blob/main/docs/runbooks"
"""Where the reference environments say that they are."""
SEARCHABLE = tuple(tier for tier in TIERS if tier != ACCESS)
"""Those with something that the Resource Groups Tagging API knows; it tells little of IAM's, and that in us-east-1."""
DEFAULT_TAGS = {"Project", "Environment", "Tier", "ManagedBy", "Owner"}


def stack_json(platform: Platform, tier: str) -> str:
    """A tier's JSON, as cdktf's matchers take it."""
    return json.dumps(platform.stacks[tier].document)


def has(platform: Platform, tier: str, type_: str, **properties: Any) -> bool:
    """Whether a tier has a resource with at least these properties, by cdktf's matcher."""
    return Testing.to_have_resource_with_properties(stack_json(platform, tier), type_, properties)


def bodies(platform: Platform, type_: str, tier: str = "") -> dict[str, Body]:
    """The resources of a type by their names within their tier, joined over the tiers, or of one alone."""
    found = [resource for resource in platform.of_type(type_) if tier in {"", resource.tier}]
    named = {resource.name: resource.body for resource in found}
    assert len(named) == len(found), f"name the tier: {type_} has the same name in two"
    return named


def only(platform: Platform, type_: str) -> Body:
    """The one resource of a type."""
    (body,) = bodies(platform, type_).values()
    return body


def container(platform: Platform) -> Body:
    """The definition of the one container that a task has."""
    (definition,) = json.loads(only(platform, "aws_ecs_task_definition")["container_definitions"])
    return definition


def statements(platform: Platform, tier: str, name: str) -> dict[str, Body]:
    """The statements of a policy document, by sid."""
    (document,) = (
        resource.body
        for resource in platform.data
        if (resource.tier, resource.type, resource.name) == (tier, "aws_iam_policy_document", name)
    )
    return {statement["sid"]: statement for statement in document["statement"]}


def conditions(statement: Body) -> dict[str, list[str]]:
    """A statement's conditions: values by `test variable`."""
    return {f"{entry['test']} {entry['variable']}": entry["values"] for entry in statement.get("condition", [])}


def names_of(platform: Platform) -> Names:
    """An environment's names, from what its providers are bound to."""
    provider, *second = platform.stacks["foundation"].providers
    second_region = second[0]["region"] if second else None
    return Names(platform.environment, provider["allowed_account_ids"][0], provider["region"], second_region)
