"""Validation with the real provider, of valid and invalid stacks."""

from copy import deepcopy
from dataclasses import replace

from operations.validate import validate_stacks
from synthesized.platform import Platform, Stack


def broken(stack: Stack) -> Stack:
    resources = deepcopy(stack.document["resource"])
    resources["aws_sns_topic"]["planted"] = {"no_such_argument": 1}
    return replace(stack, name="prod-broken", document={**stack.document, "resource": resources})


def test_stacks_in_three_zones_are_valid(three_zones: Platform):
    assert [result for result in validate_stacks(list(three_zones.stacks.values())) if result.problems] == []


def test_an_invalid_stack_is_reported(three_zones: Platform):
    (result,) = validate_stacks([broken(three_zones.stacks["foundation"])])
    assert any("no_such_argument" in problem for problem in result.problems)
