"""Validation with the real provider: of what must be valid, and of what must not."""

from copy import deepcopy
from dataclasses import replace

from operations.validate import validate_stacks
from synthesized.platform import Platform, Stack


def broken(stack: Stack) -> Stack:
    resources = deepcopy(stack.document["resource"])
    resources["aws_sns_topic"]["planted"] = {"no_such_argument": 1}
    return replace(stack, name="prod-broken", document={**stack.document, "resource": resources})


def test_three_zones_validate(three_zones: Platform):
    assert [verdict for verdict in validate_stacks(list(three_zones.stacks.values())) if verdict.problems] == []


def test_what_is_broken_does_not(three_zones: Platform):
    (verdict,) = validate_stacks([broken(three_zones.stacks["foundation"])])
    assert any("no_such_argument" in problem for problem in verdict.problems)
