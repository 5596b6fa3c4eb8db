"""What every tier has alike."""

from pathlib import Path

import pytest
from cdktf import Testing

from synthesized.controls.document import values
from synthesized.platform import Platform
from tests.conftest import only_tiers, synthesize_variation
from tests.failures import expect_none
from tests.synthesized import DEFAULT_TAGS, DEPENDENCIES, TIERS, stack_json


@pytest.mark.parametrize("tier", TIERS)
def test_a_tiers_state_is_its_own_encrypted_and_locked(platforms: dict[str, Platform], tier: str):
    for name, platform in platforms.items():
        backend = platform.stacks[tier].backend
        account = platform.stacks[tier].providers[0]["allowed_account_ids"][0]
        assert backend == {
            "bucket": f"globecart-{name}-state-{account}-us-west-1",
            "key": f"{name}/{tier}.tfstate",
            "region": "us-west-1",
            "encrypt": True,
            "kms_key_id": f"arn:aws:kms:us-west-1:{account}:alias/globecart-{name}-state",
            "use_lockfile": True,
        }


@pytest.mark.parametrize("tier", TIERS)
def test_a_tier_deploys_to_its_own_account_alone(prod: Platform, tier: str):
    assert Testing.to_have_provider_with_properties(
        stack_json(prod, tier), "aws", {"region": "us-west-1", "allowed_account_ids": ["111122223333"]}
    )
    accounts = [provider["allowed_account_ids"] for provider in prod.stacks[tier].providers]
    assert accounts == [["111122223333"]] * len(accounts)


@pytest.mark.parametrize("tier", TIERS)
def test_everything_in_a_tier_says_where_it_belongs(prod: Platform, tier: str):
    for provider in prod.stacks[tier].providers:
        (tags,) = (default["tags"] for default in provider["default_tags"])
        assert tags.keys() == DEFAULT_TAGS
        assert tags["Environment"] == "prod"
        assert tags["Tier"] == tier
        assert tags["ManagedBy"] == "cdktf"


def test_terraform_is_new_enough_for_the_lock(prod: Platform):
    assert {stack.document["terraform"]["required_version"] for stack in prod.stacks.values()} == {">= 1.11"}


def test_a_named_output_is_also_offered_to_other_tiers(prod: Platform):
    outputs = prod.stacks["foundation"].document["output"]
    named = outputs["alarm_topic_arn"]
    offered = outputs["cross-stack-output-aws_sns_topicalarmsarn"]
    assert named["description"]
    assert named["value"] == offered["value"] == "${aws_sns_topic.alarms.arn}"


def test_every_named_output_has_a_description(prod: Platform):
    outputs = [
        (stack.name, name, output)
        for stack in prod.stacks.values()
        for name, output in stack.document["output"].items()
        if not name.startswith("cross-stack-output-")
    ]
    assert len(outputs) > 20
    assert not [name for *name, output in outputs if not output.get("description")]


def test_a_tier_knows_those_that_it_is_handed_and_no_others(prod: Platform):
    """Where only some tiers are tested, these are what is synthesized with them."""
    for tier, stack in prod.stacks.items():
        assert {name.removeprefix("prod-") for name in stack.depends_on} <= set(DEPENDENCIES[tier])


def test_a_tier_is_the_same_whoever_uses_it(prod: Platform, tmp_path: Path):
    """So the tiers beneath can be planned as soon as the tier is applied, and a new use needs no second apply."""
    used: set[str] = set()
    # First those that use none, then those that use only these, and so on, each time with no tier that they do not use.
    while users := {tier for tier in set(TIERS) - used if set(DEPENDENCIES[tier]) <= used}:
        used |= users
        if used == set(TIERS):  # with all that they use they are the platform itself
            break
        with only_tiers(users):
            fewer = synthesize_variation(tmp_path / str(len(used)), "prod")
        # Each of them is there with no user.
        assert fewer.stacks.keys() == users.union(*(DEPENDENCIES[tier] for tier in users))
        for tier, stack in fewer.stacks.items():
            assert stack.document["output"].keys() == prod.stacks[tier].document["output"].keys()
            assert stack.document == prod.stacks[tier].document
    assert used == set(TIERS)


# What keeps data; and the argument by which it goes with what it keeps, where it has one.
KEEPERS: dict[str, tuple[str, ...]] = {
    "aws_backup_vault": ("force_destroy",),
    "aws_cloudwatch_log_group": (),
    "aws_efs_file_system": (),
    "aws_elasticache_replication_group": (),
    "aws_kms_key": (),
    "aws_rds_cluster": ("skip_final_snapshot",),
    "aws_rds_cluster_instance": (),
    "aws_s3_bucket": ("force_destroy",),
}


def test_what_keeps_data_cannot_be_destroyed_by_a_plan_where_deletion_protection_is_on(
    platforms: dict[str, Platform],
):
    for name, protected in (("prod", True), ("staging", True), ("dev", False)):
        keepers = platforms[name].of_type(*KEEPERS)
        assert len(keepers) > 10
        expect_none(
            f"{keeper.address}: {path} = {found}, expected: {wanted}"
            for keeper in keepers
            for path, wanted in (
                ("lifecycle.prevent_destroy", protected or None),
                *((argument, not protected) for argument in KEEPERS[keeper.type]),
            )
            for found in values(keeper.body, path)
            if found != wanted
        )
