"""The recovery tier: vaults and locks, plan, copies, selections, restore tests, events, alarm."""

import json
from collections.abc import Mapping

import pytest

from stacks.recovery.vaults import COMPLIANCE_WARNING
from synthesized.platform import Body, Platform
from tests.failures import expect_none
from tests.synthesized import bodies, conditions, only, statements

pytestmark = pytest.mark.tiers("recovery")

CLUSTER, FILES = "${aws_rds_cluster.database_cluster.arn}", "${aws_efs_file_system.storage_files.arn}"
SECOND_PROVIDER = "aws.second_region"


def vaults(platform: Platform) -> Mapping[str, Body]:
    return bodies(platform, "aws_backup_vault")


def rules(platform: Platform) -> dict[str, Body]:
    return {rule["rule_name"]: rule for rule in only(platform, "aws_backup_plan")["rule"]}


def test_each_region_has_a_vault_with_a_key_of_that_region(platforms: dict[str, Platform]):
    for name, has_copies in (("prod", True), ("staging", True), ("dev", False)):
        keys = {"vault": "key-backup"} | ({"copies": "key-backup-copies"} if has_copies else {})
        expected = {vault: f"${{aws_kms_key.foundation_{key}.arn}}" for vault, key in keys.items()}
        assert {vault: body["kms_key_arn"] for vault, body in vaults(platforms[name]).items()} == expected
        in_second_region = {
            vault for vault, body in vaults(platforms[name]).items() if body.get("provider") == SECOND_PROVIDER
        }
        assert in_second_region == expected.keys() - {"vault"}


def test_keys_of_the_second_region_are_created_there(prod: Platform, dev: Platform):
    def in_second_region(platform: Platform, type_: str) -> set[str]:
        return {name for name, body in bodies(platform, type_).items() if body.get("provider") == SECOND_PROVIDER}

    assert in_second_region(prod, "aws_kms_key") == {"key-files-replica", "key-backup-copies"}
    assert in_second_region(prod, "aws_kms_alias") == {"alias-files-replica", "alias-backup-copies"}
    assert in_second_region(dev, "aws_kms_key") == in_second_region(dev, "aws_kms_alias") == set()
    _, second = prod.stacks["foundation"].providers
    assert (second["alias"], second["region"]) == ("second_region", "eu-west-2")
    assert second["allowed_account_ids"] == ["111122223333"]


def test_vault_locks_have_the_retention_of_the_plan(platforms: dict[str, Platform]):
    for platform in platforms.values():
        locks = {
            lock["backup_vault_name"]: lock for lock in bodies(platform, "aws_backup_vault_lock_configuration").values()
        }
        expect_none(
            f"{vault.address}: has no aws_backup_vault_lock_configuration"
            for vault in platform.of_type("aws_backup_vault")
            if f"${{{vault.address}.name}}" not in locks
        )
        kept = [rule["lifecycle"]["delete_after"] for rule in rules(platform).values()]
        for lock in locks.values():
            assert (lock["min_retention_days"], lock["max_retention_days"]) == (min(kept), max(kept))
            # The argument would enable compliance mode.
            assert "changeable_for_days" not in lock


def annotations(platform: Platform) -> set[tuple[str, str]]:
    """Messages that the cdktf CLI shows for the tier."""
    stack = platform.stacks["recovery"]
    manifest = json.loads((stack.folder.parents[1] / "manifest.json").read_text(encoding="utf-8"))
    return {(note["level"], note["message"]) for note in manifest["stacks"][stack.name]["annotations"]}


def test_compliance_mode_needs_a_setting_and_shows_a_warning(prod: Platform, variants: dict[str, Platform]):
    locks = bodies(variants["prod"], "aws_backup_vault_lock_configuration").values()
    assert all(lock["changeable_for_days"] == 7 for lock in locks)
    assert annotations(variants["prod"]) == {("@cdktf/warn", COMPLIANCE_WARNING)}
    assert not annotations(prod)


def test_only_aws_backup_may_delete_a_backup(prod: Platform):
    policies = bodies(prod, "aws_backup_vault_policy")
    assert {policy["policy"] for policy in policies.values()} == {
        f"${{data.aws_iam_policy_document.recovery_{vault}-access.json}}" for vault in vaults(prod)
    }
    for vault in vaults(prod):
        access = statements(prod, "recovery", f"{vault}-access")
        assert {statement["effect"] for statement in access.values()} == {"Deny"}
        assert set(access["DenyDeletion"]["actions"]) == {
            "backup:DeleteRecoveryPoint",
            "backup:DisassociateRecoveryPoint",
            "backup:UpdateRecoveryPointLifecycle",
        }
        assert conditions(access["DenyDeletion"]) == {
            "ArnNotLike aws:PrincipalArn": [
                "${aws_iam_role.recovery_backup.arn}",
                "arn:aws:iam::111122223333:role/aws-service-role/backup.amazonaws.com/*",
            ]
        }
        assert access["DenyOtherAccounts"]["actions"] == ["backup:*"]
        assert conditions(access["DenyOtherAccounts"])["StringNotEquals aws:PrincipalAccount"] == ["111122223333"]


def test_daily_and_monthly_backups_are_kept_as_set(platforms: dict[str, Platform]):
    for name, days in {"prod": (35, 365), "staging": (7, 120), "dev": (7, 120)}.items():
        kept = {rule: body["lifecycle"]["delete_after"] for rule, body in rules(platforms[name]).items()}
        assert kept == dict(zip(("daily", "monthly"), days, strict=True))


def test_backups_start_after_the_backup_window_of_database_and_cache(prod: Platform, variants: dict[str, Platform]):
    assert {name: rule["schedule"] for name, rule in rules(prod).items()} == {
        "daily": "cron(0 9 * * ? *)",
        "monthly": "cron(0 9 1 * ? *)",
    }
    # The window is 23:30-00:45.
    assert rules(variants["dev"])["daily"]["schedule"] == "cron(45 0 * * ? *)"


def test_monthly_backups_stay_in_cold_storage_for_the_minimum_time(prod: Platform):
    assert "cold_storage_after" not in rules(prod)["daily"]["lifecycle"]
    monthly = rules(prod)["monthly"]["lifecycle"]
    # AWS Backup's minimum.
    assert monthly["delete_after"] - monthly["cold_storage_after"] >= 90


def test_every_backup_is_copied_with_the_same_retention(prod: Platform, dev: Platform):
    for rule in rules(prod).values():
        (copy,) = rule["copy_action"]
        assert copy["destination_vault_arn"] == "${aws_backup_vault.recovery_copies.arn}"
        assert copy["lifecycle"] == rule["lifecycle"]
    assert not [rule for rule in rules(dev).values() if "copy_action" in rule]


def test_the_database_keeps_its_own_continuous_backup(prod: Platform):
    assert {rule["enable_continuous_backup"] for rule in rules(prod).values()} == {False}
    assert only(prod, "aws_rds_cluster")["backup_retention_period"] == 35


def test_database_and_files_are_selected_by_arn(prod: Platform):
    selections = bodies(prod, "aws_backup_selection").values()
    assert sorted(arn for selection in selections for arn in selection["resources"]) == sorted([CLUSTER, FILES])
    for selection in selections:
        assert selection["plan_id"] == "${aws_backup_plan.recovery_plan.id}"
        assert selection["iam_role_arn"] == "${aws_iam_role.recovery_backup.arn}"
        assert "selection_tag" not in selection
        # AWS Backup rejects a role without permissions.
        assert selection["depends_on"] == ["aws_iam_role_policy_attachment.recovery_backup-policy"]


def test_backups_and_restores_have_separate_roles(prod: Platform):
    policy = "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyFor"
    attached = bodies(prod, "aws_iam_role_policy_attachment", "recovery")
    assert {name: body["policy_arn"] for name, body in attached.items()} == {
        "backup-policy": f"{policy}Backup",
        "restores-policy": f"{policy}Restores",
    }
    for role in ("backup", "restores"):
        (trust,) = statements(prod, "recovery", f"{role}-trust").values()
        assert trust["principals"] == [{"type": "Service", "identifiers": ["backup.amazonaws.com"]}]
        assert conditions(trust) == {"StringEquals aws:SourceAccount": ["111122223333"]}


def test_the_latest_backup_of_each_resource_is_restored_every_month(prod: Platform):
    plan = only(prod, "aws_backup_restore_testing_plan")
    assert plan["name"] == "acme_prod_restores"
    assert plan["schedule_expression"] == "cron(0 12 2 * ? *)"
    assert plan["recovery_point_selection"] == [
        {
            "algorithm": "LATEST_WITHIN_WINDOW",
            "include_vaults": ["${aws_backup_vault.recovery_vault.arn}"],
            "recovery_point_types": ["SNAPSHOT"],
            "selection_window_days": 7,
        }
    ]
    selections = bodies(prod, "aws_backup_restore_testing_selection").values()
    assert {one["protected_resource_type"]: one["protected_resource_arns"] for one in selections} == {
        "Aurora": [CLUSTER],
        "EFS": [FILES],
    }
    assert {one["iam_role_arn"] for one in selections} == {"${aws_iam_role.recovery_restores.arn}"}
    assert {one["validation_window_hours"] for one in selections} == {24}
    assert {one["protected_resource_type"]: one["restore_metadata_overrides"] for one in selections} == {
        "Aurora": {
            "dbSubnetGroupName": only(prod, "aws_db_subnet_group")["name"],
            "vpcSecurityGroupIds": '["${aws_security_group.network_group-database.id}"]',
            "enableIamDatabaseAuthentication": "true",
        },
        "EFS": {"kmsKeyId": "${aws_kms_key.foundation_key-files.arn}"},
    }


def test_a_restore_test_of_another_resource_has_another_name(prod: Platform):
    """The provider does not send changed ARNs, but a new name replaces the selection."""
    selections = bodies(prod, "aws_backup_restore_testing_selection").values()
    assert {one["protected_resource_type"]: one["name"] for one in selections} == {
        "Aurora": f"database_${{substr(sha1({CLUSTER.strip('${}')}), 0, 8)}}",
        "EFS": f"files_${{substr(sha1({FILES.strip('${}')}), 0, 8)}}",
    }


def test_an_alarm_is_raised_after_a_day_without_a_backup_of_each_type(prod: Platform):
    alarms = bodies(prod, "aws_cloudwatch_metric_alarm", "recovery").values()
    vault = vaults(prod)["vault"]["name"]
    types = {one["protected_resource_type"] for one in bodies(prod, "aws_backup_restore_testing_selection").values()}
    assert [alarm["dimensions"] for alarm in alarms] == [
        {"BackupVaultName": vault, "ResourceType": type_} for type_ in sorted(types)
    ]
    (rule,) = (rule for name, rule in rules(prod).items() if name == "daily")
    longest = 24 * 60 + rule["start_window"] + rule["completion_window"]
    for alarm in alarms:
        assert alarm["comparison_operator"] == "LessThanOrEqualToThreshold"
        assert alarm["threshold"] == 0
        # Without backup jobs, there is no data.
        assert alarm["treat_missing_data"] == "breaching"
        assert alarm["period"] * alarm["evaluation_periods"] // 60 >= longest


def test_files_are_backed_up_by_one_plan(platforms: dict[str, Platform]):
    """By the plan, or else by EFS's own. Of two jobs at a time, one expires."""
    for platform in platforms.values():
        selected = {arn for body in bodies(platform, "aws_backup_selection").values() for arn in body["resources"]}
        is_planned = "${aws_efs_file_system.storage_files.arn}" in selected
        status = only(platform, "aws_efs_backup_policy")["backup_policy"]["status"]
        assert (status, is_planned) == ("DISABLED", True)
