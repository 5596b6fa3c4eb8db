"""How a test says what it found and what it expected, with the ARN."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True, eq=False)
class AtLeast:
    """Equal to a number that is as large, or larger."""

    least: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int | float) and other >= self.least

    def __repr__(self) -> str:
        return f"{self.least:g} or more"


@dataclass(frozen=True, eq=False)
class Superset:
    """Equal to a set that has these among others."""

    these: frozenset[Any]

    def __init__(self, these: Iterable[Any]) -> None:
        object.__setattr__(self, "these", frozenset(these))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, set | frozenset) and other >= self.these

    def __repr__(self) -> str:
        return f"at least {sorted(self.these)}"


def expect(what: str, found: Mapping[str, Any], expected: Any) -> None:
    """Every one is as expected, and there is one. A failure has a line for each that is not, with its ARN.

    Args:
        found: by ARN.
    """
    if not found:
        pytest.fail(f"{what}: found no resource, expected one or more with {_shown(expected)}", pytrace=False)
    expect_each(what, found, dict.fromkeys(found, expected))


def expect_each(what: str, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """As `expect`, where each is expected to be something else: both by ARN."""
    wrong = [
        f"{arn}: {what}: {_difference(found.get(arn), expected.get(arn))}"
        for arn in sorted(found.keys() | expected.keys())
        if arn not in expected or arn not in found or expected[arn] != found[arn]
    ]
    if wrong:
        # Without a traceback: it would show what lies around a secret.
        pytest.fail("\n".join(wrong), pytrace=False)


def _difference(found: Any, expected: Any) -> str:
    said = f"found {_shown(found)}, expected {_shown(expected)}"
    if isinstance(found, set) and isinstance(expected, set):
        said += f"; too much: {_shown(found - expected)}; missing: {_shown(expected - found)}"
    return said


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(repr, value)))}}}"
    return repr(value)
