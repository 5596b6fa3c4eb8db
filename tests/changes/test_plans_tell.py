"""What somebody changes behind Terraform's back, a plan shows: each argument, and nothing else.

For every type of resource of which the local AWS was taught something: were it to forget what it is told, this would
find it.
"""

import pytest

from operations.platform import Resource
from operations.rehearsal.local_aws.server import LocalAws
from operations.rehearsal.run import Rehearsal
from tests.changes.copies import Task, in_copies
from tests.changes.tables import CHANGES, arguments_of

Told = set[tuple[str, str]]
"""Address within a stack, and argument."""


@pytest.fixture(scope="module")
def told(rehearsed: Rehearsal, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Told, Told]]:
    """By tier: what was changed, and what a plan shows."""
    tiers = {tier: wanted for tier in rehearsed.platform.stacks if (wanted := _wanted(rehearsed, tier))}
    tasks = {tier: _task(rehearsed, tier, wanted) for tier, wanted in tiers.items()}
    logs = tmp_path_factory.mktemp("copies")
    plans = dict(in_copies(rehearsed.aws, tasks, logs))
    return {
        tier: ({(resource.origin, argument) for resource, argument in wanted}, set(map(tuple, plans[tier])))
        for tier, wanted in tiers.items()
    }


def test_a_plan_shows_each_change(told: dict[str, tuple[Told, Told]]):
    assert {tier: sorted(changed - shown) for tier, (changed, shown) in told.items() if changed - shown} == {}


def test_a_plan_shows_nothing_else(told: dict[str, tuple[Told, Told]]):
    assert {tier: sorted(shown - changed) for tier, (changed, shown) in told.items() if shown - changed} == {}


def test_every_argument_was_changed(rehearsed: Rehearsal, told: dict[str, tuple[Told, Told]]):
    changed = {(address.partition(".")[0], argument) for changed, _ in told.values() for address, argument in changed}
    assert changed == arguments_of(rehearsed.platform) & CHANGES.keys()


def _wanted(rehearsed: Rehearsal, tier: str) -> list[tuple[Resource, str]]:
    """For each argument, the first resource of the platform that sets it and leaves it to Terraform."""
    first: dict[tuple[str, str], Resource] = {}
    for resource in rehearsed.platform.resources:
        ignored = resource.body.get("lifecycle", {}).get("ignore_changes", [])
        # Every resource has the tags of its provider.
        for argument, value in {"tags": {}, **resource.body}.items():
            if value is not None and argument not in ignored and (resource.type, argument) in CHANGES:
                first.setdefault((resource.type, argument), resource)
    return [(resource, argument) for (_, argument), resource in first.items() if resource.tier == tier]


def _task(rehearsed: Rehearsal, tier: str, wanted: list[tuple[Resource, str]]) -> Task:
    stack = rehearsed.platform.stacks[tier]
    arguments = {
        resource.origin: set(resource.body) for resource in rehearsed.platform.resources if resource.tier == tier
    }

    def task(aws: LocalAws) -> list[tuple[str, str]]:
        state = rehearsed.deployment.state(stack)
        for resource, argument in wanted:
            CHANGES[resource.type, argument](aws, state[resource.origin])
        drift = rehearsed.deployment.plan(stack, "-refresh-only")["resource_drift"]
        return [
            (change["address"], "tags" if argument == "tags_all" else argument)
            for change in drift
            for argument in sorted(arguments[change["address"]] - {"tags"} | {"tags_all"})
            if change["change"]["before"].get(argument) != change["change"]["after"].get(argument)
        ]

    return task
