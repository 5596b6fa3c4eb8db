"""What somebody changes behind Terraform's back, a plan shows: each argument, and nothing else.

For every type of resource of which the local AWS was taught something: were it to forget what it is told, this would find
it.
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
def told(deployed: Rehearsal, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Told, Told]]:
    """By tier: what was changed, and what a plan shows."""
    tiers = {tier: wanted for tier in deployed.platform.stacks if (wanted := _wanted(deployed, tier))}
    tasks = {tier: _task(deployed, tier, wanted) for tier, wanted in tiers.items()}
    logs = tmp_path_factory.mktemp("copies")
    plans = dict(in_copies(deployed.aws, tasks, logs))
    return {
        tier: ({(resource.origin, argument) for resource, argument in wanted}, set(map(tuple, plans[tier])))
        for tier, wanted in tiers.items()
    }


def test_a_plan_shows_each_change(told: dict[str, tuple[Told, Told]]):
    assert {tier: sorted(changed - shown) for tier, (changed, shown) in told.items() if changed - shown} == {}


def test_a_plan_shows_nothing_else(told: dict[str, tuple[Told, Told]]):
    assert {tier: sorted(shown - changed) for tier, (changed, shown) in told.items() if shown - changed} == {}


def test_every_argument_was_changed(deployed: Rehearsal, told: dict[str, tuple[Told, Told]]):
    changed = {(address.partition(".")[0], argument) for changed, _ in told.values() for address, argument in changed}
    assert changed == arguments_of(deployed.platform) & CHANGES.keys()


def _wanted(deployed: Rehearsal, tier: str) -> list[tuple[Resource, str]]:
    """For each argument, the first resource of the platform that sets it and leaves it to Terraform."""
    first: dict[tuple[str, str], Resource] = {}
    for resource in deployed.platform.resources:
        ignored = resource.body.get("lifecycle", {}).get("ignore_changes", [])
        for argument, value in resource.body.items():
            if value is not None and argument not in ignored and (resource.type, argument) in CHANGES:
                first.setdefault((resource.type, argument), resource)
    return [(resource, argument) for (_, argument), resource in first.items() if resource.tier == tier]


def _task(deployed: Rehearsal, tier: str, wanted: list[tuple[Resource, str]]) -> Task:
    stack = deployed.platform.stacks[tier]
    arguments = {resource.origin: set(resource.body) for resource in deployed.platform.resources if resource.tier == tier}

    def task(aws: LocalAws) -> list[tuple[str, str]]:
        state = deployed.state(stack)
        for resource, argument in wanted:
            CHANGES[resource.type, argument](aws, state[resource.origin])
        plan = deployed.deployment.plan(stack)
        return [
            (change["address"], argument)
            for change in plan["resource_changes"]
            if change["mode"] == "managed" and change["change"]["actions"] != ["no-op"]
            for argument in sorted(arguments[change["address"]])
            if not change["change"]["after_unknown"].get(argument) is True
            and (change["change"]["before"] or {}).get(argument) != (change["change"]["after"] or {}).get(argument)
        ]

    return task
