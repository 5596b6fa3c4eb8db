"""What somebody changes behind Terraform's back, a plan shows: each argument, and nothing else.

For every type of resource of which the local AWS was taught something: were it to forget what it is told, this would
find it.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from local_aws.server import LocalAws
from rehearsal.one_environment import Rehearsal
from synthesized.platform import Resource
from tests.changes.copies import Task, in_copies
from tests.changes.tables import CHANGES, COMMON, arguments_of

Places = set[tuple[str, str]]
"""Address within a stack, and argument."""


@dataclass(frozen=True)
class TierPlan:
    """Of one tier."""

    changed: Places
    shown: Places
    """By a plan."""
    refused: dict[str, str]
    """Changes that could not be made, with the reason."""


@pytest.fixture(scope="module")
def told(rehearsed: Rehearsal, tmp_path_factory: pytest.TempPathFactory) -> dict[str, TierPlan]:
    """By tier."""
    tiers = {tier: wanted for tier in rehearsed.platform.stacks if (wanted := _wanted(rehearsed, tier))}
    tasks = {tier: _task(rehearsed, tier, wanted) for tier, wanted in tiers.items()}
    plans = dict(in_copies(rehearsed.aws, tasks, tmp_path_factory.mktemp("copies")))
    return {
        tier: TierPlan(
            {place for resource, argument in wanted for place in _changed(rehearsed, resource, argument)},
            {(address, argument) for address, argument in plans[tier]["shown"]},
            plans[tier]["refused"],
        )
        for tier, wanted in tiers.items()
    }


def test_each_change_can_be_made(told: dict[str, TierPlan]):
    assert {place: why for tier in told.values() for place, why in tier.refused.items()} == {}


def test_a_plan_shows_each_change(told: dict[str, TierPlan]):
    assert sorted(place for tier in told.values() for place in tier.changed - tier.shown) == []


def test_a_plan_shows_nothing_else(told: dict[str, TierPlan]):
    assert sorted(place for tier in told.values() for place in tier.shown - tier.changed) == []


def test_every_argument_was_changed(rehearsed: Rehearsal, told: dict[str, TierPlan]):
    changed = {(address.partition(".")[0], argument) for tier in told.values() for address, argument in tier.changed}
    assert arguments_of(rehearsed.platform) & CHANGES.keys() <= changed


def _wanted(rehearsed: Rehearsal, tier: str) -> list[tuple[Resource, str]]:
    """For each argument, the first resource of the platform that sets it and leaves it to Terraform."""
    first: dict[tuple[str, str], Resource] = {}
    for resource in rehearsed.platform.resources:
        ignored = resource.body.get("lifecycle", {}).get("ignore_changes", [])
        # Every resource has the tags of its provider.
        for argument, value in {"tags": {}, **resource.body}.items():
            if value is not None and argument not in ignored and (resource.type, argument) in CHANGES:
                first.setdefault((resource.type, argument), resource)
    # In the order of the tables, which know what must come before what.
    ordered = [(first[key], key[1]) for key in CHANGES if key in first]
    return [(resource, argument) for resource, argument in ordered if resource.tier == tier]


def _changed(rehearsed: Rehearsal, resource: Resource, argument: str) -> Places:
    if (resource.type, argument) not in COMMON:
        return {(resource.address_in_stack, argument)}
    alike = rehearsed.platform.of_type(resource.type)
    return {(one.address_in_stack, argument) for one in alike if one.tier == resource.tier}


def _task(rehearsed: Rehearsal, tier: str, wanted: list[tuple[Resource, str]]) -> Task:
    stack = rehearsed.platform.stacks[tier]
    arguments = {
        resource.address_in_stack: set(resource.body)
        for resource in rehearsed.platform.resources
        if resource.tier == tier
    }

    def task(aws: LocalAws) -> dict[str, Any]:
        # A state tells some things as they were written, until the next apply: what follows must not be mixed with it.
        rehearsed.deployment.terraform(stack, "apply", "-refresh-only", "-auto-approve", "-input=false")
        state = rehearsed.deployment.state(stack)
        refused: dict[str, str] = {}
        for resource, argument in wanted:
            try:
                CHANGES[resource.type, argument](aws, state[resource.address_in_stack])
            except Exception as error:  # all that cannot be made are told at once
                refused[f"{resource.address_in_stack}.{argument}"] = repr(error)
        drift = rehearsed.deployment.plan(stack, "-refresh-only")["resource_drift"]
        shown = [
            (change["address"], "tags" if argument == "tags_all" else argument)
            for change in drift
            for argument in sorted(arguments[change["address"]] - {"tags"} | {"tags_all"})
            if change["change"]["before"].get(argument) != (change["change"]["after"] or {}).get(argument)
        ]
        return {"shown": shown, "refused": refused}

    return task
