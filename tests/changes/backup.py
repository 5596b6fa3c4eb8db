"""Out-of-band changes to AWS Backup resources, one per argument."""

import json
from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change


def _region(resource: dict[str, Any]) -> str:
    return (resource.get("arn") or resource["backup_vault_arn"]).split(":")[3]


def _vault(**values: Any) -> Change:
    def change(aws: LocalAws, resource: dict[str, Any]) -> None:
        name = resource.get("backup_vault_name") or resource["name"]
        vars(aws.backend("backup", _region(resource)).vaults[name]).update(values)

    return change


def _add_tag(aws: LocalAws, resource: dict[str, Any]) -> None:
    aws.client("backup", _region(resource)).tag_resource(ResourceArn=resource["arn"], Tags={"Changed": "yes"})


def _allow_all_principals(aws: LocalAws, policy: dict[str, Any]) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "backup:*", "Resource": "*"}
    aws.client("backup", _region(policy)).put_backup_vault_access_policy(
        BackupVaultName=policy["backup_vault_name"],
        Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def _plan(**values: Any) -> Change:
    def change(aws: LocalAws, plan: dict[str, Any]) -> None:
        aws.backend("backup").plans[plan["id"]].backup_plan.update(values)

    return change


def _shorten_retention(aws: LocalAws, plan: dict[str, Any]) -> None:
    aws.backend("backup").plans[plan["id"]].backup_plan["Rules"][0]["Lifecycle"]["DeleteAfterDays"] = 7


def _selection(**values: Any) -> Change:
    def change(aws: LocalAws, selection: dict[str, Any]) -> None:
        aws.backend("backup").selection(selection["plan_id"], selection["id"])["BackupSelection"].update(values)

    return change


def _restore_test(**values: Any) -> Change:
    def change(aws: LocalAws, test: dict[str, Any]) -> None:
        aws.backend("backup").restore_testing_plan(test["name"]).update(values)

    return change


def _extend_selection_window(aws: LocalAws, test: dict[str, Any]) -> None:
    aws.backend("backup").restore_testing_plan(test["name"])["RecoveryPointSelection"]["SelectionWindowDays"] = 14


def _restore_selection(**values: Any) -> Change:
    def change(aws: LocalAws, selection: dict[str, Any]) -> None:
        plan, name = selection["restore_testing_plan_name"], selection["name"]
        aws.backend("backup").restore_testing_selection(plan, name).update(values)

    return change


OTHER_ROLE = "arn:aws:iam::111122223333:role/another"
CHANGES: dict[tuple[str, str], Change] = {
    ("aws_backup_plan", "name"): _plan(BackupPlanName="another"),
    ("aws_backup_plan", "rule"): _shorten_retention,
    ("aws_backup_plan", "tags"): _add_tag,
    ("aws_backup_restore_testing_plan", "recovery_point_selection"): _extend_selection_window,
    ("aws_backup_restore_testing_plan", "schedule_expression"): _restore_test(ScheduleExpression="cron(0 12 3 * ? *)"),
    ("aws_backup_restore_testing_plan", "start_window_hours"): _restore_test(StartWindowHours=2),
    ("aws_backup_restore_testing_plan", "tags"): _add_tag,
    ("aws_backup_restore_testing_selection", "iam_role_arn"): _restore_selection(IamRoleArn=OTHER_ROLE),
    ("aws_backup_restore_testing_selection", "protected_resource_arns"): _restore_selection(
        ProtectedResourceArns=["*"]
    ),
    ("aws_backup_restore_testing_selection", "protected_resource_type"): _restore_selection(
        ProtectedResourceType="RDS"
    ),
    ("aws_backup_restore_testing_selection", "restore_metadata_overrides"): _restore_selection(
        RestoreMetadataOverrides={}
    ),
    ("aws_backup_restore_testing_selection", "validation_window_hours"): _restore_selection(ValidationWindowHours=1),
    ("aws_backup_selection", "iam_role_arn"): _selection(IamRoleArn=OTHER_ROLE),
    ("aws_backup_selection", "name"): _selection(SelectionName="another"),
    ("aws_backup_selection", "resources"): _selection(Resources=["*"]),
    ("aws_backup_vault", "kms_key_arn"): _vault(encryption_key_arn="arn:aws:kms:us-west-1:111122223333:key/another"),
    ("aws_backup_vault", "tags"): _add_tag,
    ("aws_backup_vault_lock_configuration", "max_retention_days"): _vault(max_retention_days=3000),
    ("aws_backup_vault_lock_configuration", "min_retention_days"): _vault(min_retention_days=1),
    ("aws_backup_vault_policy", "policy"): _allow_all_principals,
}
UNREAD: dict[tuple[str, str], str] = {
    ("aws_backup_restore_testing_plan", "name"): IDENTIFIES,
    ("aws_backup_restore_testing_selection", "name"): IDENTIFIES,
    ("aws_backup_restore_testing_selection", "restore_testing_plan_name"): IDENTIFIES,
    ("aws_backup_selection", "plan_id"): IDENTIFIES,
    ("aws_backup_vault", "force_destroy"): "used by destroy; only in the state",
    ("aws_backup_vault", "name"): IDENTIFIES,
    ("aws_backup_vault_lock_configuration", "backup_vault_name"): IDENTIFIES,
    ("aws_backup_vault_policy", "backup_vault_name"): IDENTIFIES,
}
