"""Fixtures of the policy suite."""

from collections.abc import Generator

import pytest

from synthesized.platform import Platform
from tests.conftest import Platforms
from tests.measurement import unmeasured

MEASURED = "tests/policy/test_controls.py"
"""Tests of the controls, which are all that `make policy` measures."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure tests of the controls only."""
    if item.nodeid.startswith("tests/policy/") and not item.nodeid.startswith(MEASURED):
        with unmeasured():
            return (yield)
    return (yield)


@pytest.fixture(scope="session")
def everywhere(shipped: dict[str, Platform], three_zones: Platform, all_variants: Platforms) -> list[Platform]:
    """Each of the project's environments, production in three zones, and reference environments with other settings."""
    return [*shipped.values(), three_zones, *all_variants.values()]
