"""Every tier is there, and whatever it made says whose it is."""

import pytest

from stacks.settings import Environment
from tests.integration.deployed import DeployedEnvironment
from tests.integration.expectations import AtLeast, expect
from tests.synthesized import SEARCHABLE


@pytest.mark.parametrize("tier", SEARCHABLE)
def test_tier_is_deployed(found: DeployedEnvironment, tier: str):
    count = sum(tags.get("Tier") == tier for tags in found.tags.values())
    expect("resources with the tier's tag", {f"Tier = {tier}": count}, AtLeast(1))


def test_everything_says_whose_it_is(found: DeployedEnvironment, settings: Environment):
    owners = {arn: (tags.get("Project"), tags.get("Owner")) for arn, tags in found.tags.items()}
    expect("tags Project and Owner", owners, ("globecart", settings.owner))
