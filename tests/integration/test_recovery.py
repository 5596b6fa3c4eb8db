"""Backups: locked vaults in each Region, a plan for database and files, copies, restore tests, and who is told."""

import json

import pytest

from stacks.recovery.vaults import DELETION_ACTIONS
from stacks.settings import Environment
from tests.integration.deployed import DeployedEnvironment, Response, only_one
from tests.integration.expectations import Superset, expect, expect_each

KINDS = {"Backup Job State Change", "Copy Job State Change", "Restore Job State Change", "Region Setting State Change"}
"""Of the events that people are told of."""


@pytest.fixture(scope="session")
def vaults(found: DeployedEnvironment) -> dict[str, Response]:
    """By ARN, of all Regions."""
    return {
        vault["BackupVaultArn"]: there.call("backup", "describe_backup_vault", BackupVaultName=vault["BackupVaultName"])
        for there in found.by_region.values()
        for vault in there.list_own("backup", "list_backup_vaults", "BackupVaultList", "BackupVaultArn")
    }


@pytest.fixture(scope="session")
def plan(found: DeployedEnvironment) -> Response:
    listed = found.list_own("backup", "list_backup_plans", "BackupPlansList", "BackupPlanArn")
    return found.call("backup", "get_backup_plan", BackupPlanId=only_one("backup plan", listed)["BackupPlanId"])


@pytest.fixture(scope="session")
def rules(plan: Response) -> dict[str, Response]:
    """By name."""
    return {rule["RuleName"]: rule for rule in plan["BackupPlan"]["Rules"]}


@pytest.fixture(scope="session")
def selections(found: DeployedEnvironment, plan: Response) -> list[Response]:
    id = plan["BackupPlanId"]
    return [
        found.call("backup", "get_backup_selection", BackupPlanId=id, SelectionId=one["SelectionId"])["BackupSelection"]
        for one in found.list_all("backup", "list_backup_selections", "BackupSelectionsList", BackupPlanId=id)
    ]


@pytest.fixture(scope="session")
def restore_test(found: DeployedEnvironment) -> Response:
    listed = found.list_own("backup", "list_restore_testing_plans", "RestoreTestingPlans", "RestoreTestingPlanArn")
    return only_one("restore testing plan", listed)


@pytest.fixture(scope="session")
def restores(found: DeployedEnvironment, restore_test: Response) -> list[Response]:
    """What is restored as a test."""
    names = {"RestoreTestingPlanName": restore_test["RestoreTestingPlanName"]}
    return [
        found.call(
            "backup",
            "get_restore_testing_selection",
            **names,
            RestoreTestingSelectionName=one["RestoreTestingSelectionName"],
        )["RestoreTestingSelection"]
        for one in found.list_all("backup", "list_restore_testing_selections", "RestoreTestingSelections", **names)
    ]


@pytest.fixture(scope="session")
def protected(found: DeployedEnvironment, cluster: Response) -> dict[str, str]:
    """AWS Backup's type of each store, by its ARN."""
    files = only_one("file system", found.list_own("efs", "describe_file_systems", "FileSystems", "FileSystemArn"))
    return {cluster["DBClusterArn"]: "Aurora", files["FileSystemArn"]: "EFS"}


def region_of(arn: str) -> str:
    return arn.split(":")[3]


def test_there_is_a_vault_in_each_region(found: DeployedEnvironment, vaults: dict[str, Response]):
    expect("Regions of vaults", {"backup vaults": sorted(map(region_of, vaults))}, sorted(found.by_region))


def test_backups_are_encrypted_with_their_key(
    found: DeployedEnvironment, vaults: dict[str, Response], keys: dict[str, str], second_keys: dict[str, str]
):
    used = {arn: vault["EncryptionKeyArn"] for arn, vault in vaults.items()}
    wanted = {
        arn: keys["backup"] if region_of(arn) == found.region else second_keys.get("backup-copies") for arn in vaults
    }
    expect_each("key", used, wanted)


def test_no_backup_goes_before_its_age(vaults: dict[str, Response], settings: Environment):
    recovery = settings.recovery
    locks = {
        arn: (vault.get("Locked"), vault.get("MinRetentionDays"), vault.get("MaxRetentionDays"), "LockDate" in vault)
        for arn, vault in vaults.items()
    }
    wanted = (True, recovery.daily_days, recovery.monthly_days, recovery.vault_lock == "compliance")
    expect("is locked, from and to days, for ever", locks, wanted)


def test_nobody_deletes_a_backup(found: DeployedEnvironment, vaults: dict[str, Response]):
    denied: dict[str, set[str]] = {}
    for arn, vault in vaults.items():
        there, name = found.by_region[region_of(arn)], vault["BackupVaultName"]
        refusal = there.error_code("backup", "get_backup_vault_access_policy", BackupVaultName=name)
        policy = {} if refusal else there.call("backup", "get_backup_vault_access_policy", BackupVaultName=name)
        denied[arn] = {
            action
            for statement in json.loads(policy.get("Policy", "{}")).get("Statement", [])
            if statement["Effect"] == "Deny"
            for action in statement["Action"]
        }
    expect("its policy denies", denied, Superset(DELETION_ACTIONS))


def test_database_and_files_are_backed_up(plan: Response, selections: list[Response], protected: dict[str, str]):
    selected = {arn for one in selections for arn in one["Resources"]}
    expect("is of", {plan["BackupPlanArn"]: selected}, set(protected))


def test_backups_are_kept_as_the_settings_say(plan: Response, rules: dict[str, Response], settings: Environment):
    days = {(name, rule["Lifecycle"]["DeleteAfterDays"]) for name, rule in rules.items()}
    wanted = {("daily", settings.recovery.daily_days), ("monthly", settings.recovery.monthly_days)}
    expect("days that backups are kept", {plan["BackupPlanArn"]: days}, wanted)


def test_backups_are_copied_to_the_second_region(
    found: DeployedEnvironment, vaults: dict[str, Response], plan: Response, rules: dict[str, Response]
):
    copies = {
        f"{plan['BackupPlanArn']} {name}": {copy["DestinationBackupVaultArn"] for copy in rule.get("CopyActions", [])}
        for name, rule in rules.items()
    }
    expect("copies to", copies, {arn for arn in vaults if region_of(arn) != found.region})


def test_the_database_keeps_backups_of_its_own(plan: Response, rules: dict[str, Response]):
    continuous = {
        f"{plan['BackupPlanArn']} {name}": rule.get("EnableContinuousBackup", False) for name, rule in rules.items()
    }
    expect("takes over the database's continuous backup", continuous, False)


def test_restores_are_tested(restore_test: Response, restores: list[Response], protected: dict[str, str]):
    tested = {(arn, one["ProtectedResourceType"]) for one in restores for arn in one["ProtectedResourceArns"]}
    expect("restores", {restore_test["RestoreTestingPlanArn"]: tested}, set(protected.items()))


def test_who_backs_up_does_not_restore(selections: list[Response], restores: list[Response]):
    backing_up = {one["IamRoleArn"] for one in selections}
    roles = {f"restores of {one['ProtectedResourceType']}": one["IamRoleArn"] in backing_up for one in restores}
    expect("have the role that backs up", roles, False)


def test_the_region_backs_up_databases_and_files(found: DeployedEnvironment):
    opted_in = found.call("backup", "describe_region_settings")["ResourceTypeOptInPreference"]
    expect("is backed up", {type_: opted_in.get(type_) for type_ in ("Aurora", "EFS")}, True)


def test_failed_jobs_are_told(found: DeployedEnvironment, topic: str):
    patterns = [
        json.loads(found.call("events", "describe_rule", Name=name)["EventPattern"])
        for name in found.list_all("events", "list_rule_names_by_target", "RuleNames", TargetArn=topic)
    ]
    kinds = {kind for one in patterns if "aws.backup" in one["source"] for kind in one["detail-type"]}
    expect("events of AWS Backup", {topic: kinds}, KINDS)
