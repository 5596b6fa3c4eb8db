"""Mutations for test_recovery.py: vaults, plan, selections, restore tests, events."""

import json
from copy import deepcopy
from typing import Any

from local_aws.server import LocalAws
from tests.changes.mutations import Mutation, Related
from tests.changes.mutations.lookup import key, topic


def vault(aws: LocalAws) -> str:
    """Name of the vault in the first Region."""
    (one,) = aws.client("backup").list_backup_vaults()["BackupVaultList"]
    return one["BackupVaultName"]


def allow_deletion(aws: LocalAws) -> None:
    backup, name = aws.client("backup"), vault(aws)
    policy = json.loads(backup.get_backup_vault_access_policy(BackupVaultName=name)["Policy"])
    policy["Statement"] = [one for one in policy["Statement"] if one["Sid"] != "DenyDeletion"]
    backup.put_backup_vault_access_policy(BackupVaultName=name, Policy=json.dumps(policy))


def plan(aws: LocalAws) -> dict[str, Any]:
    """The plan, from GetBackupPlan."""
    backup = aws.client("backup")
    (one,) = backup.list_backup_plans()["BackupPlansList"]
    return backup.get_backup_plan(BackupPlanId=one["BackupPlanId"])


def copy_vault(aws: LocalAws) -> tuple[str, str]:
    """Region and name of the vault that backups are copied to."""
    arn = plan(aws)["BackupPlan"]["Rules"][0]["CopyActions"][0]["DestinationBackupVaultArn"]
    return arn.split(":")[3], arn.rpartition(":")[2]


def delete_copy_vault(aws: LocalAws) -> None:
    region, name = copy_vault(aws)
    aws.client("backup", region).delete_backup_vault(BackupVaultName=name)


def change_copy_vault_key(aws: LocalAws) -> None:
    region, name = copy_vault(aws)
    aws.backend("backup", region).vaults[name].encryption_key_arn = key(aws, "backup")


def unlock_copy_vault(aws: LocalAws) -> None:
    region, name = copy_vault(aws)
    aws.client("backup", region).delete_backup_vault_lock_configuration(BackupVaultName=name)


def change_rules(change: Any) -> Mutation:
    """Change the rules of the plan."""

    def mutation(aws: LocalAws) -> None:
        current = plan(aws)
        parameters = deepcopy(current["BackupPlan"])
        change(parameters["Rules"])
        for rule in parameters["Rules"]:
            del rule["RuleId"]
        aws.client("backup").update_backup_plan(BackupPlanId=current["BackupPlanId"], BackupPlan=parameters)

    return mutation


def delete_selection_of_files(aws: LocalAws) -> None:
    backup, id = aws.client("backup"), plan(aws)["BackupPlanId"]
    listed = backup.list_backup_selections(BackupPlanId=id)["BackupSelectionsList"]
    (files,) = (one for one in listed if one["SelectionName"] == "files")
    backup.delete_backup_selection(BackupPlanId=id, SelectionId=files["SelectionId"])


def restore_selection(aws: LocalAws) -> dict[str, str]:
    """Names of the restore testing plan and of its selection of files, as parameters."""
    backup = aws.client("backup")
    (one,) = backup.list_restore_testing_plans()["RestoreTestingPlans"]
    plan = {"RestoreTestingPlanName": one["RestoreTestingPlanName"]}
    (name,) = (
        each["RestoreTestingSelectionName"]
        for each in backup.list_restore_testing_selections(**plan)["RestoreTestingSelections"]
        if each["ProtectedResourceType"] == "EFS"
    )
    return {**plan, "RestoreTestingSelectionName": name}


def restore_files_with_defaults(aws: LocalAws) -> None:
    changes: dict[str, Any] = {"RestoreMetadataOverrides": {}}
    aws.client("backup").update_restore_testing_selection(**restore_selection(aws), RestoreTestingSelection=changes)


def use_backup_role_for_restore(aws: LocalAws) -> None:
    backup, id = aws.client("backup"), plan(aws)["BackupPlanId"]
    role = backup.list_backup_selections(BackupPlanId=id)["BackupSelectionsList"][0]["IamRoleArn"]
    backup.update_restore_testing_selection(**restore_selection(aws), RestoreTestingSelection={"IamRoleArn": role})


def watch_all_types_together(aws: LocalAws) -> None:
    """Let an alarm watch all types together."""
    one = next(alarm for alarm in aws.backend("cloudwatch").alarms.values() if alarm.namespace == "AWS/Backup")
    one.dimensions = [dimension for dimension in one.dimensions if dimension.name != "ResourceType"]


def change_copy_rule(aws: LocalAws) -> None:
    """Change the pattern of the rule for failed copies."""
    events = aws.client("events")
    for name in events.list_rule_names_by_target(TargetArn=topic(aws))["RuleNames"]:
        if name.endswith("-copy-failed"):
            pattern = {"source": ["aws.backup"], "detail-type": ["Backup Job State Change"]}
            events.put_rule(Name=name, EventPattern=json.dumps(pattern), State="ENABLED")


MUTATIONS: dict[str, Mutation] = {
    "test_there_is_a_vault_in_each_region": delete_copy_vault,
    "test_backups_are_encrypted_with_their_key": change_copy_vault_key,
    "test_backup_vaults_are_locked": unlock_copy_vault,
    "test_backup_vaults_deny_deletion": allow_deletion,
    "test_database_and_files_are_backed_up": delete_selection_of_files,
    "test_retention_of_backups": change_rules(lambda rules: rules.pop()),
    "test_backups_are_copied_to_the_second_region": change_rules(lambda rules: rules[0].pop("CopyActions")),
    "test_continuous_backup_of_the_database_stays_with_rds": change_rules(
        lambda rules: rules[0].update(EnableContinuousBackup=True)
    ),
    "test_restores_are_tested": lambda aws: aws.client("backup").delete_restore_testing_selection(
        **restore_selection(aws)
    ),
    "test_restores_stay_in_the_network_and_under_the_key_of_files": restore_files_with_defaults,
    "test_backup_and_restore_have_different_roles": use_backup_role_for_restore,
    "test_region_is_opted_in_for_databases_and_files": lambda aws: aws.client("backup").update_region_settings(
        ResourceTypeOptInPreference={"Aurora": False}
    ),
    "test_missing_backups_of_each_type_are_reported": watch_all_types_together,
    "test_failed_backup_jobs_are_reported": change_copy_rule,
}
RELATED: Related = {
    "test_restores_are_tested": {
        "test_recovery.py::test_restores_stay_in_the_network_and_under_the_key_of_files": "one selection is gone",
    },
    "test_there_is_a_vault_in_each_region": {
        "test_recovery.py::test_backups_are_copied_to_the_second_region": "the destination vault does not exist",
    },
}
