"""A plan shows each argument that was changed behind Terraform's back, and nothing else.

This tests that the local AWS's extensions store and return every argument of their resource types.
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
"""Address in the stack, and argument."""


@dataclass(frozen=True)
class TierPlan:
    """Changes in one tier, and its plan."""

    changed: Places
    shown: Places
    """Changes that the plan shows."""
    refused: dict[str, str]
    """Changes that failed, with the error."""


@pytest.fixture(scope="module")
def tier_plans(rehearsed: Rehearsal, tmp_path_factory: pytest.TempPathFactory) -> dict[str, TierPlan]:
    """Plans after the changes, by tier."""
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


def test_every_change_succeeds(tier_plans: dict[str, TierPlan]):
    assert {place: error for plan in tier_plans.values() for place, error in plan.refused.items()} == {}


def test_plan_shows_every_change(tier_plans: dict[str, TierPlan]):
    assert sorted(place for plan in tier_plans.values() for place in plan.changed - plan.shown) == []


def test_plan_shows_nothing_else(tier_plans: dict[str, TierPlan]):
    assert sorted(place for plan in tier_plans.values() for place in plan.shown - plan.changed) == []


def test_every_argument_was_changed(rehearsed: Rehearsal, tier_plans: dict[str, TierPlan]):
    places = {place for plan in tier_plans.values() for place in plan.changed}
    changed = {(address.partition(".")[0], argument) for address, argument in places}
    assert arguments_of(rehearsed.platform) & CHANGES.keys() <= changed


def _wanted(rehearsed: Rehearsal, tier: str) -> list[tuple[Resource, str]]:
    """Resources and arguments to change in a tier: of the whole platform, the first resource that sets each argument.

    Arguments in `ignore_changes` are left out.
    """
    first: dict[tuple[str, str], Resource] = {}
    for resource in rehearsed.platform.resources:
        ignored = resource.body.get("lifecycle", {}).get("ignore_changes", [])
        # Every resource has the provider's default tags.
        for argument, value in {"tags": {}, **resource.body}.items():
            if value is not None and argument not in ignored and (resource.type, argument) in CHANGES:
                first.setdefault((resource.type, argument), resource)
    # In the order of the tables, in which some changes depend on others.
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
        # Some attributes in the state change at the first refresh after an apply: refresh before the changes.
        rehearsed.deployment.terraform(stack, "apply", "-refresh-only", "-auto-approve", "-input=false")
        state = rehearsed.deployment.state(stack)
        refused: dict[str, str] = {}
        for resource, argument in wanted:
            try:
                CHANGES[resource.type, argument](aws, state[resource.address_in_stack])
            except Exception as error:  # report all failed changes at once
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
