"""Backups: locked vaults in each Region, a plan for database and files, copies, restore tests, and who is told."""

import json

import pytest

from stacks.recovery.vaults import DELETION
from stacks.settings import Environment
from tests.integration.expectations import Including, expect, expect_each
from tests.integration.found import Answer, Found, the_one

KINDS = {"Backup Job State Change", "Copy Job State Change", "Restore Job State Change", "Region Setting State Change"}
"""Of the events that people are told of."""


@pytest.fixture(scope="session")
def vaults(found: Found) -> dict[str, Answer]:
    """By ARN, of all Regions."""
    return {
        vault["BackupVaultArn"]: there.answer(
            "backup", "describe_backup_vault", BackupVaultName=vault["BackupVaultName"]
        )
        for there in found.everywhere.values()
        for vault in there.own("backup", "list_backup_vaults", "BackupVaultList", "BackupVaultArn")
    }


@pytest.fixture(scope="session")
def plan(found: Found) -> Answer:
    listed = found.own("backup", "list_backup_plans", "BackupPlansList", "BackupPlanArn")
    return found.answer("backup", "get_backup_plan", BackupPlanId=the_one("backup plan", listed)["BackupPlanId"])


@pytest.fixture(scope="session")
def rules(plan: Answer) -> dict[str, Answer]:
    """By name."""
    return {rule["RuleName"]: rule for rule in plan["BackupPlan"]["Rules"]}


@pytest.fixture(scope="session")
def selections(found: Found, plan: Answer) -> list[Answer]:
    id = plan["BackupPlanId"]
    return [
        found.answer("backup", "get_backup_selection", BackupPlanId=id, SelectionId=one["SelectionId"])[
            "BackupSelection"
        ]
        for one in found.every("backup", "list_backup_selections", "BackupSelectionsList", BackupPlanId=id)
    ]


@pytest.fixture(scope="session")
def restore_test(found: Found) -> Answer:
    listed = found.own("backup", "list_restore_testing_plans", "RestoreTestingPlans", "RestoreTestingPlanArn")
    return the_one("restore testing plan", listed)


@pytest.fixture(scope="session")
def restores(found: Found, restore_test: Answer) -> list[Answer]:
    """What is restored as a test."""
    names = {"RestoreTestingPlanName": restore_test["RestoreTestingPlanName"]}
    return [
        found.answer(
            "backup",
            "get_restore_testing_selection",
            **names,
            RestoreTestingSelectionName=one["RestoreTestingSelectionName"],
        )["RestoreTestingSelection"]
        for one in found.every("backup", "list_restore_testing_selections", "RestoreTestingSelections", **names)
    ]


@pytest.fixture(scope="session")
def protected(found: Found, cluster: Answer) -> dict[str, str]:
    """AWS Backup's type of each store, by its ARN."""
    files = the_one("file system", found.own("efs", "describe_file_systems", "FileSystems", "FileSystemArn"))
    return {cluster["DBClusterArn"]: "Aurora", files["FileSystemArn"]: "EFS"}


def region_of(arn: str) -> str:
    return arn.split(":")[3]


def test_there_is_a_vault_in_each_region(found: Found, vaults: dict[str, Answer]):
    expect("Regions of vaults", {"backup vaults": sorted(map(region_of, vaults))}, sorted(found.everywhere))


def test_backups_are_encrypted_with_their_key(
    found: Found, vaults: dict[str, Answer], keys: dict[str, str], second_keys: dict[str, str]
):
    used = {arn: vault["EncryptionKeyArn"] for arn, vault in vaults.items()}
    wanted = {
        arn: keys["backup"] if region_of(arn) == found.region else second_keys.get("backup-copies") for arn in vaults
    }
    expect_each("key", used, wanted)


def test_no_backup_goes_before_its_age(vaults: dict[str, Answer], settings: Environment):
    recovery = settings.recovery
    locks = {
        arn: (vault.get("Locked"), vault.get("MinRetentionDays"), vault.get("MaxRetentionDays"), "LockDate" in vault)
        for arn, vault in vaults.items()
    }
    wanted = (True, recovery.daily_days, recovery.monthly_days, recovery.vault_lock == "compliance")
    expect("is locked, from and to days, for ever", locks, wanted)


def test_nobody_deletes_a_backup(found: Found, vaults: dict[str, Answer]):
    denied: dict[str, set[str]] = {}
    for arn, vault in vaults.items():
        there, name = found.everywhere[region_of(arn)], vault["BackupVaultName"]
        refusal = there.refusal("backup", "get_backup_vault_access_policy", BackupVaultName=name)
        policy = {} if refusal else there.answer("backup", "get_backup_vault_access_policy", BackupVaultName=name)
        denied[arn] = {
            action
            for statement in json.loads(policy.get("Policy", "{}")).get("Statement", [])
            if statement["Effect"] == "Deny"
            for action in statement["Action"]
        }
    expect("its policy denies", denied, Including(DELETION))


def test_database_and_files_are_backed_up(plan: Answer, selections: list[Answer], protected: dict[str, str]):
    selected = {arn for one in selections for arn in one["Resources"]}
    expect("is of", {plan["BackupPlanArn"]: selected}, set(protected))


def test_backups_are_kept_as_the_settings_say(plan: Answer, rules: dict[str, Answer], settings: Environment):
    days = {(name, rule["Lifecycle"]["DeleteAfterDays"]) for name, rule in rules.items()}
    wanted = {("daily", settings.recovery.daily_days), ("monthly", settings.recovery.monthly_days)}
    expect("days that backups are kept", {plan["BackupPlanArn"]: days}, wanted)


def test_backups_are_copied_to_the_second_region(
    found: Found, vaults: dict[str, Answer], plan: Answer, rules: dict[str, Answer]
):
    copies = {
        f"{plan['BackupPlanArn']} {name}": {copy["DestinationBackupVaultArn"] for copy in rule.get("CopyActions", [])}
        for name, rule in rules.items()
    }
    expect("copies to", copies, {arn for arn in vaults if region_of(arn) != found.region})


def test_the_database_keeps_backups_of_its_own(plan: Answer, rules: dict[str, Answer]):
    continuous = {
        f"{plan['BackupPlanArn']} {name}": rule.get("EnableContinuousBackup", False) for name, rule in rules.items()
    }
    expect("takes over the database's continuous backup", continuous, False)


def test_restores_are_tested(restore_test: Answer, restores: list[Answer], protected: dict[str, str]):
    tested = {(arn, one["ProtectedResourceType"]) for one in restores for arn in one["ProtectedResourceArns"]}
    expect("restores", {restore_test["RestoreTestingPlanArn"]: tested}, set(protected.items()))


def test_who_backs_up_does_not_restore(selections: list[Answer], restores: list[Answer]):
    backing_up = {one["IamRoleArn"] for one in selections}
    roles = {f"restores of {one['ProtectedResourceType']}": one["IamRoleArn"] in backing_up for one in restores}
    expect("have the role that backs up", roles, False)


def test_the_region_backs_up_databases_and_files(found: Found):
    opted_in = found.answer("backup", "describe_region_settings")["ResourceTypeOptInPreference"]
    expect("is backed up", {type_: opted_in.get(type_) for type_ in ("Aurora", "EFS")}, True)


def test_failed_jobs_are_told(found: Found, topic: str):
    patterns = [
        json.loads(found.answer("events", "describe_rule", Name=name)["EventPattern"])
        for name in found.every("events", "list_rule_names_by_target", "RuleNames", TargetArn=topic)
    ]
    kinds = {kind for one in patterns if "aws.backup" in one["source"] for kind in one["detail-type"]}
    expect("events of AWS Backup", {topic: kinds}, KINDS)
