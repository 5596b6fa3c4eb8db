"""Helpers to read a synthesized platform in tests."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, cast
from unittest.mock import Mock, patch

import main  # before cdktf, which it sets up
from stacks.names import ACCESS, Names
from stacks.own_tier import OwnTier
from stacks.own_tiers import own_tiers_of
from stacks.tier import TierStack
from synthesized.platform import Body, Platform
from tests.failures import Arguments, Named

# isort: split

TIER_CLASSES = {
    name: class_
    for name, class_ in vars(main).items()
    if isinstance(class_, type) and issubclass(class_, TierStack) and class_ is not OwnTier
}
"""By their names in `main.py`."""


def _dependencies() -> dict[str, frozenset[str]]:
    """The tiers that `main.build` passes to each tier, in build order."""
    dependencies: dict[str, frozenset[str]] = {}

    def record(class_: type[TierStack], *args: Any, **kwargs: Any) -> type[TierStack]:
        dependencies[class_.tier] = frozenset(_tiers_in((*args, *kwargs.values())))
        return class_

    with patch.dict(vars(main), {name: partial(record, class_) for name, class_ in TIER_CLASSES.items()}):
        main.build(Mock(), Mock())
    return dependencies


def _tiers_in(arguments: Iterable[Any]) -> Iterator[str]:
    for value in arguments:
        if isinstance(value, type) and issubclass(value, TierStack):
            yield value.tier
        elif isinstance(value, list | tuple):
            yield from _tiers_in(cast(Iterable[Any], value))


DEPENDENCIES: Mapping[str, Collection[str]] = _dependencies()
"""Tiers that each tier depends on."""
TIERS = tuple(DEPENDENCIES)
"""In dependency order: a tier depends only on earlier ones. The user's own tiers are not among them."""
RUNBOOKS = "https://github.com/acme/platform/blob/main/docs/runbooks"
"""URL of the runbooks in the reference environments."""
SEARCHABLE = tuple(tier for tier in TIERS if tier != ACCESS)
"""Tiers with resources that the Resource Groups Tagging API returns; of IAM it returns few, and only in us-east-1."""
DEFAULT_TAGS = {"Project", "Environment", "Tier", "ManagedBy", "Owner"}


def tiers_with_own(environment: str) -> list[str]:
    """All tiers of one of the user's environments."""
    return [*TIERS, *(tier.tier for tier in own_tiers_of(environment))]


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
    by_name = {resource.name: Arguments.of(resource) for resource in found}
    assert len(by_name) == len(found), f"specify the tier: two tiers have a {type_} of the same name"
    return Named(f"{type_}.", by_name)


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
    by_sid = {each["sid"]: Arguments(address, each, f"statement {each['sid']}") for each in documents[0]["statement"]}
    return Named(f"{address} statement ", by_sid)


def conditions(statement: Body) -> dict[str, list[str]]:
    """Conditions of a statement: values by `<test> <variable>`."""
    return {f"{entry['test']} {entry['variable']}": entry["values"] for entry in statement.get("condition", [])}


def names_of(platform: Platform) -> Names:
    """Names of a platform's environment, from its providers."""
    provider, *second = platform.stacks["foundation"].providers
    second_region = second[0]["region"] if second else None
    account = provider["allowed_account_ids"][0]
    return Names(platform.company, platform.environment, account, provider["region"], second_region)
