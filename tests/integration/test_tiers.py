"""Every tier is deployed, and its resources have their tags."""

import pytest

from stacks.settings import Environment
from tests.integration.deployed import DeployedEnvironment
from tests.integration.expectations import AtLeast, expect
from tests.synthesized import SEARCHABLE


@pytest.mark.parametrize("tier", SEARCHABLE)
def test_tier_is_deployed(deployed: DeployedEnvironment, tier: str):
    count = sum(tags.get("Tier") == tier for tags in deployed.tags.values())
    expect("resources with the tier's tag", {f"Tier = {tier}": count}, AtLeast(1))


def test_resources_have_project_and_owner_tags(deployed: DeployedEnvironment, settings: Environment):
    owners = {arn: (tags.get("Project"), tags.get("Owner")) for arn, tags in deployed.tags.items()}
    expect("tags Project and Owner", owners, (settings.company, settings.owner))
