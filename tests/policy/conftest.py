"""Fixtures of the policy suite."""

import pytest

from synthesized.platform import Platform
from tests.conftest import Platforms


@pytest.fixture(scope="session")
def everywhere(shipped: dict[str, Platform], three_zones: Platform, all_variants: Platforms) -> list[Platform]:
    """Each of the project's environments, production in three zones, and reference environments with other settings."""
    return [*shipped.values(), three_zones, *all_variants.values()]
