"""Fixtures of the policy suite."""

import sys
from collections.abc import Generator

import pytest

from synthesized.platform import Platform
from tests.conftest import Platforms

MEASURED = "tests/policy/test_controls.py"
"""Tests of the controls, which are all that `make policy` measures."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure tests of the controls only: see tests/measurement.py."""
    trace = sys.gettrace()
    if item.nodeid.startswith("tests/policy/") and not item.nodeid.startswith(MEASURED):
        sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(trace)


@pytest.fixture(scope="session")
def everywhere(shipped: dict[str, Platform], three_zones: Platform, all_variants: Platforms) -> list[Platform]:
    """Each of the project's environments, production in three zones, and reference environments with other settings."""
    return [*shipped.values(), three_zones, *all_variants.values()]
