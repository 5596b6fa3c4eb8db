"""Properties of all tiers: state, provider, tags, outputs, dependencies."""

from pathlib import Path

import pytest
from cdktf import Testing

from stacks.names import ACCESS
from synthesized.controls.document import values
from synthesized.platform import Platform
from tests.conftest import only_tiers, synthesize_variation
from tests.failures import expect_none
from tests.synthesized import DEFAULT_TAGS, DEPENDENCIES, TIERS, stack_json


@pytest.mark.parametrize("tier", TIERS)
def test_every_tier_has_its_own_encrypted_and_locked_state(platforms: dict[str, Platform], tier: str):
    for name, platform in platforms.items():
        backend = platform.stacks[tier].backend
        account = platform.stacks[tier].providers[0]["allowed_account_ids"][0]
        assert backend == {
            "bucket": f"acme-{name}-state-{account}-eu-west-3",
            "key": f"{name}/{tier}.tfstate",
            "region": "eu-west-3",
            "encrypt": True,
            "kms_key_id": f"arn:aws:kms:eu-west-3:{account}:alias/acme-{name}-state",
            "use_lockfile": True,
        }


@pytest.mark.parametrize("tier", TIERS)
def test_a_tier_may_only_deploy_to_its_account(prod: Platform, tier: str):
    assert Testing.to_have_provider_with_properties(
        stack_json(prod, tier), "aws", {"region": "eu-west-3", "allowed_account_ids": ["111122223333"]}
    )
    accounts = [provider["allowed_account_ids"] for provider in prod.stacks[tier].providers]
    assert accounts == [["111122223333"]] * len(accounts)


@pytest.mark.parametrize("tier", TIERS)
def test_the_default_tags_name_environment_and_tier(prod: Platform, tier: str):
    for provider in prod.stacks[tier].providers:
        (tags,) = (default["tags"] for default in provider["default_tags"])
        assert tags.keys() == DEFAULT_TAGS
        assert tags["Environment"] == "prod"
        assert tags["Tier"] == tier
        assert tags["ManagedBy"] == "cdktf"


def test_the_required_terraform_version_supports_lock_files(prod: Platform):
    assert {stack.document["terraform"]["required_version"] for stack in prod.stacks.values()} == {">= 1.11"}


def test_a_named_output_is_also_exported_to_other_tiers(prod: Platform):
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


def test_a_tier_depends_only_on_the_tiers_that_it_is_built_with(prod: Platform):
    """The tests synthesize these dependencies with a tier."""
    for tier, stack in prod.stacks.items():
        assert {name.removeprefix("prod-") for name in stack.depends_on} <= set(DEPENDENCIES[tier])


def test_no_tier_depends_on_access():
    assert not [tier for tier in TIERS if ACCESS in DEPENDENCIES[tier]]


def test_a_tier_does_not_depend_on_which_tiers_use_it(prod: Platform, tmp_path: Path):
    """So a later tier can be planned as soon as this one is applied, and a new reference needs no second apply."""
    used: set[str] = set()
    # Synthesize tiers without dependencies, then tiers that depend only on these, and so on.
    while users := {tier for tier in set(TIERS) - used if set(DEPENDENCIES[tier]) <= used}:
        used |= users
        if used == set(TIERS):  # this is the whole platform
            break
        with only_tiers(users):
            fewer = synthesize_variation(tmp_path / str(len(used)), "prod")
        # No other tier uses them.
        assert fewer.stacks.keys() == users.union(*(DEPENDENCIES[tier] for tier in users))
        for tier, stack in fewer.stacks.items():
            assert stack.document["output"].keys() == prod.stacks[tier].document["output"].keys()
            assert stack.document == prod.stacks[tier].document
    assert used == set(TIERS)


# Types of data stores, with the arguments that delete their content with them.
DATA_STORES: dict[str, tuple[str, ...]] = {
    "aws_backup_vault": ("force_destroy",),
    "aws_cloudwatch_log_group": (),
    "aws_efs_file_system": (),
    "aws_elasticache_replication_group": (),
    "aws_kms_key": (),
    "aws_rds_cluster": ("skip_final_snapshot",),
    "aws_rds_cluster_instance": (),
    "aws_s3_bucket": ("force_destroy",),
}


def test_deletion_protection_sets_prevent_destroy_on_data_stores(
    platforms: dict[str, Platform],
):
    for name, protected in (("prod", True), ("staging", True), ("dev", False)):
        stores = platforms[name].of_type(*DATA_STORES)
        assert len(stores) > 10
        expect_none(
            f"{store.address}: {path} = {found}, expected: {wanted}"
            for store in stores
            for path, wanted in (
                ("lifecycle.prevent_destroy", protected or None),
                *((argument, not protected) for argument in DATA_STORES[store.type]),
            )
            for found in values(store.body, path)
            if found != wanted
        )
