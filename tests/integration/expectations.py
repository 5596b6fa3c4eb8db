"""Comparison of found and expected values, with failures that name the ARN."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True, eq=False)
class AtLeast:
    """Equal to any number with this lower bound."""

    least: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int | float) and other >= self.least

    def __repr__(self) -> str:
        return f"{self.least:g} or more"


@dataclass(frozen=True, eq=False)
class Superset:
    """Equal to any set that contains these elements."""

    these: frozenset[Any]

    def __init__(self, these: Iterable[Any]) -> None:
        object.__setattr__(self, "these", frozenset(these))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, set | frozenset) and other >= self.these

    def __repr__(self) -> str:
        return f"at least {sorted(self.these)}"


def expect(label: str, found: Mapping[str, Any], expected: Any) -> None:
    """Fail unless there is a value, and all values are as expected. A failure has a line for each other value.

    Args:
        label: what the values are, for the message.
        found: values by ARN.
    """
    if not found:
        pytest.fail(f"{label}: found no resource, expected one or more with {_format(expected)}", pytrace=False)
    expect_each(label, found, dict.fromkeys(found, expected))


def expect_each(label: str, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Fail unless each value is as expected; both are by ARN."""
    wrong = [
        f"{arn}: {label}: {_difference(found.get(arn), expected.get(arn))}"
        for arn in sorted(found.keys() | expected.keys())
        if arn not in expected or arn not in found or expected[arn] != found[arn]
    ]
    if wrong:
        # No traceback: it could show a secret's surroundings.
        pytest.fail("\n".join(wrong), pytrace=False)


def _difference(found: Any, expected: Any) -> str:
    difference = f"found {_format(found)}, expected {_format(expected)}"
    if isinstance(found, set) and isinstance(expected, set):
        difference += f"; unexpected: {_format(found - expected)}; missing: {_format(expected - found)}"
    return difference


def _format(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(repr, value)))}}}"
    return repr(value)
