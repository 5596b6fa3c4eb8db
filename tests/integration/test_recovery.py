"""Backups: locked vaults in each Region, plan, copies, restore tests, and event notifications."""

import json

import pytest

from stacks.recovery.vaults import DELETION_ACTIONS
from stacks.settings import Environment
from tests.integration.deployed import DeployedEnvironment, Response, only_one
from tests.integration.expectations import Superset, expect, expect_each

KINDS = {"Backup Job State Change", "Copy Job State Change", "Restore Job State Change", "Region Setting State Change"}
"""Types of events that are reported."""


@pytest.fixture(scope="session")
def vaults(deployed: DeployedEnvironment) -> dict[str, Response]:
    """Vaults of all Regions, by ARN."""
    return {
        vault["BackupVaultArn"]: regional.call(
            "backup", "describe_backup_vault", BackupVaultName=vault["BackupVaultName"]
        )
        for regional in deployed.by_region.values()
        for vault in regional.list_own("backup", "list_backup_vaults", "BackupVaultList", "BackupVaultArn")
    }


@pytest.fixture(scope="session")
def plan(deployed: DeployedEnvironment) -> Response:
    listed = deployed.list_own("backup", "list_backup_plans", "BackupPlansList", "BackupPlanArn")
    return deployed.call("backup", "get_backup_plan", BackupPlanId=only_one("backup plan", listed)["BackupPlanId"])


@pytest.fixture(scope="session")
def rules(plan: Response) -> dict[str, Response]:
    """Rules of the plan, by name."""
    return {rule["RuleName"]: rule for rule in plan["BackupPlan"]["Rules"]}


@pytest.fixture(scope="session")
def selections(deployed: DeployedEnvironment, plan: Response) -> list[Response]:
    id = plan["BackupPlanId"]
    return [
        deployed.call("backup", "get_backup_selection", BackupPlanId=id, SelectionId=one["SelectionId"])[
            "BackupSelection"
        ]
        for one in deployed.list_all("backup", "list_backup_selections", "BackupSelectionsList", BackupPlanId=id)
    ]


@pytest.fixture(scope="session")
def restore_testing_plan(deployed: DeployedEnvironment) -> Response:
    listed = deployed.list_own("backup", "list_restore_testing_plans", "RestoreTestingPlans", "RestoreTestingPlanArn")
    return only_one("restore testing plan", listed)


@pytest.fixture(scope="session")
def restore_selections(deployed: DeployedEnvironment, restore_testing_plan: Response) -> list[Response]:
    names = {"RestoreTestingPlanName": restore_testing_plan["RestoreTestingPlanName"]}
    return [
        deployed.call(
            "backup",
            "get_restore_testing_selection",
            **names,
            RestoreTestingSelectionName=one["RestoreTestingSelectionName"],
        )["RestoreTestingSelection"]
        for one in deployed.list_all("backup", "list_restore_testing_selections", "RestoreTestingSelections", **names)
    ]


@pytest.fixture(scope="session")
def protected(deployed: DeployedEnvironment, cluster: Response) -> dict[str, str]:
    """AWS Backup's resource type of each protected resource, by ARN."""
    files = only_one("file system", deployed.list_own("efs", "describe_file_systems", "FileSystems", "FileSystemArn"))
    return {cluster["DBClusterArn"]: "Aurora", files["FileSystemArn"]: "EFS"}


def region_of(arn: str) -> str:
    return arn.split(":")[3]


def test_there_is_a_vault_in_each_region(deployed: DeployedEnvironment, vaults: dict[str, Response]):
    expect("Regions of vaults", {"backup vaults": sorted(map(region_of, vaults))}, sorted(deployed.by_region))


def test_backups_are_encrypted_with_their_key(
    deployed: DeployedEnvironment, vaults: dict[str, Response], keys: dict[str, str], second_keys: dict[str, str]
):
    used = {arn: vault["EncryptionKeyArn"] for arn, vault in vaults.items()}
    wanted = {
        arn: keys["backup"] if region_of(arn) == deployed.region else second_keys.get("backup-copies") for arn in vaults
    }
    expect_each("key", used, wanted)


def test_backup_vaults_are_locked(vaults: dict[str, Response], settings: Environment):
    recovery = settings.recovery
    locks = {
        arn: (vault.get("Locked"), vault.get("MinRetentionDays"), vault.get("MaxRetentionDays"), "LockDate" in vault)
        for arn, vault in vaults.items()
    }
    wanted = (True, recovery.daily_days, recovery.monthly_days, recovery.vault_lock == "compliance")
    expect("is locked, minimum and maximum days, has a lock date", locks, wanted)


def test_backup_vaults_deny_deletion(deployed: DeployedEnvironment, vaults: dict[str, Response]):
    denied: dict[str, set[str]] = {}
    for arn, vault in vaults.items():
        regional, name = deployed.by_region[region_of(arn)], vault["BackupVaultName"]
        refusal = regional.error_code("backup", "get_backup_vault_access_policy", BackupVaultName=name)
        policy = {} if refusal else regional.call("backup", "get_backup_vault_access_policy", BackupVaultName=name)
        denied[arn] = {
            action
            for statement in json.loads(policy.get("Policy", "{}")).get("Statement", [])
            if statement["Effect"] == "Deny"
            for action in statement["Action"]
        }
    expect("denies", denied, Superset(DELETION_ACTIONS))


def test_database_and_files_are_backed_up(plan: Response, selections: list[Response], protected: dict[str, str]):
    selected = {arn for one in selections for arn in one["Resources"]}
    expect("backs up", {plan["BackupPlanArn"]: selected}, set(protected))


def test_retention_of_backups(plan: Response, rules: dict[str, Response], settings: Environment):
    days = {(name, rule["Lifecycle"]["DeleteAfterDays"]) for name, rule in rules.items()}
    wanted = {("daily", settings.recovery.daily_days), ("monthly", settings.recovery.monthly_days)}
    expect("retention in days", {plan["BackupPlanArn"]: days}, wanted)


def test_backups_are_copied_to_the_second_region(
    deployed: DeployedEnvironment, vaults: dict[str, Response], plan: Response, rules: dict[str, Response]
):
    copies = {
        f"{plan['BackupPlanArn']} {name}": {copy["DestinationBackupVaultArn"] for copy in rule.get("CopyActions", [])}
        for name, rule in rules.items()
    }
    expect("copies to", copies, {arn for arn in vaults if region_of(arn) != deployed.region})


def test_continuous_backup_of_the_database_stays_with_rds(plan: Response, rules: dict[str, Response]):
    continuous = {
        f"{plan['BackupPlanArn']} {name}": rule.get("EnableContinuousBackup", False) for name, rule in rules.items()
    }
    expect("has continuous backup", continuous, False)


def test_restores_are_tested(
    restore_testing_plan: Response, restore_selections: list[Response], protected: dict[str, str]
):
    tested = {(arn, one["ProtectedResourceType"]) for one in restore_selections for arn in one["ProtectedResourceArns"]}
    expect("restores", {restore_testing_plan["RestoreTestingPlanArn"]: tested}, set(protected.items()))


def test_restores_stay_in_the_network_and_under_the_key_of_files(
    restore_selections: list[Response], cluster: Response, keys: dict[str, str]
):
    # AWS Backup does not distinguish upper and lower case in the names of metadata.
    overrides = {
        f"restores of {one['ProtectedResourceType']}": {
            (key.lower(), value) for key, value in one["RestoreMetadataOverrides"].items()
        }
        for one in restore_selections
    }
    groups = json.dumps([group["VpcSecurityGroupId"] for group in cluster["VpcSecurityGroups"]])
    network = {("dbsubnetgroupname", cluster["DBSubnetGroup"]), ("vpcsecuritygroupids", groups)}
    wanted = {"restores of Aurora": Superset(network), "restores of EFS": Superset({("kmskeyid", keys["files"])})}
    expect_each("override", overrides, wanted)


def test_backup_and_restore_have_different_roles(selections: list[Response], restore_selections: list[Response]):
    backup_roles = {one["IamRoleArn"] for one in selections}
    roles = {
        f"restores of {one['ProtectedResourceType']}": one["IamRoleArn"] in backup_roles for one in restore_selections
    }
    expect("use a backup role", roles, False)


def test_region_is_opted_in_for_databases_and_files(deployed: DeployedEnvironment):
    opted_in = deployed.call("backup", "describe_region_settings")["ResourceTypeOptInPreference"]
    expect("is opted in", {type_: opted_in.get(type_) for type_ in ("Aurora", "EFS")}, True)


def test_missing_backups_of_each_type_are_reported(deployed: DeployedEnvironment, protected: dict[str, str]):
    alarms = deployed.list_own("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmArn", AlarmTypes=["MetricAlarm"])
    reported = {
        dimension["Value"]
        for one in alarms
        if one.get("Namespace") == "AWS/Backup"
        for dimension in one["Dimensions"]
        if dimension["Name"] == "ResourceType"
    }
    expect("alarms on missing backups of", {"AWS/Backup": reported}, set(protected.values()))


def test_failed_backup_jobs_are_reported(deployed: DeployedEnvironment, topic: str):
    patterns = [
        json.loads(deployed.call("events", "describe_rule", Name=name)["EventPattern"])
        for name in deployed.list_all("events", "list_rule_names_by_target", "RuleNames", TargetArn=topic)
    ]
    kinds = {kind for one in patterns if "aws.backup" in one["source"] for kind in one["detail-type"]}
    expect("events of AWS Backup", {topic: kinds}, KINDS)
