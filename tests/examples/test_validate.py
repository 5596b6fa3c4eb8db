"""Validation with the real provider: of what must be valid, and of what must not."""

from copy import deepcopy
from dataclasses import replace

from operations.validate import validate_stacks
from synthesized.platform import Platform, Stack
from tests.synthesized import TIERS


def broken(stack: Stack) -> Stack:
    resources = deepcopy(stack.document["resource"])
    resources["aws_sns_topic"]["planted"] = {"no_such_argument": 1}
    return replace(stack, name="prod-broken", document={**stack.document, "resource": resources})


def test_three_zones_validate_and_what_is_broken_does_not(three_zones: Platform):
    verdicts = validate_stacks([*three_zones.stacks.values(), broken(three_zones.stacks["foundation"])])
    problems = {verdict.stack: verdict.problems for verdict in verdicts}
    assert any("no_such_argument" in problem for problem in problems.pop("prod-broken"))
    assert problems == {f"prod-{tier}": () for tier in TIERS}
