"""AWS Backup: vaults, plans, selections, restore testing, and opt-ins."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from tests.local_aws.conftest import ACCOUNT

SECOND_REGION = "us-east-2"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/backup"
POLICY = json.dumps({"Version": "2012-10-17", "Statement": []})


@pytest.fixture(scope="module")
def backup(aws: LocalAws) -> Any:
    return aws.client("backup")


@pytest.fixture
def vault(backup: Any) -> str:
    name = f"vault-{uuid4()}"
    backup.create_backup_vault(BackupVaultName=name, BackupVaultTags={"Owner": "us"})
    return name


def rule(vault: str, days: int = 35) -> dict[str, Any]:
    return {"RuleName": "daily", "TargetBackupVaultName": vault, "Lifecycle": {"DeleteAfterDays": days}}


@pytest.fixture
def plan(backup: Any, vault: str) -> str:
    content = {"BackupPlanName": vault, "Rules": [rule(vault)]}
    return backup.create_backup_plan(BackupPlan=content, BackupPlanTags={"Owner": "us"})["BackupPlanId"]


@pytest.fixture
def testing_plan(backup: Any, vault: str) -> str:
    name = f"restores_{uuid4().hex}"
    backup.create_restore_testing_plan(
        RestoreTestingPlan={
            "RestoreTestingPlanName": name,
            "ScheduleExpression": "cron(0 12 2 * ? *)",
            "RecoveryPointSelection": recovery_point_selection(backup, vault),
        },
        Tags={"Owner": "us"},
    )
    return name


def recovery_point_selection(backup: Any, vault: str) -> dict[str, Any]:
    arn = backup.describe_backup_vault(BackupVaultName=vault)["BackupVaultArn"]
    return {"Algorithm": "LATEST_WITHIN_WINDOW", "IncludeVaults": [arn], "RecoveryPointTypes": ["SNAPSHOT"]}


def test_a_governance_lock_can_be_removed(backup: Any, vault: str):
    backup.put_backup_vault_lock_configuration(BackupVaultName=vault, MinRetentionDays=7, MaxRetentionDays=120)
    locked = backup.describe_backup_vault(BackupVaultName=vault)
    assert (locked["Locked"], locked["MinRetentionDays"], locked["MaxRetentionDays"]) == (True, 7, 120)
    # Governance mode: only a compliance lock has a date.
    assert "LockDate" not in locked
    backup.delete_backup_vault_lock_configuration(BackupVaultName=vault)
    assert backup.describe_backup_vault(BackupVaultName=vault)["Locked"] is False


def test_a_compliance_lock_has_a_date(backup: Any, vault: str):
    backup.put_backup_vault_lock_configuration(BackupVaultName=vault, MinRetentionDays=7, ChangeableForDays=3)
    assert backup.describe_backup_vault(BackupVaultName=vault)["LockDate"]


def test_a_vault_policy_can_be_put_read_and_deleted(backup: Any, vault: str):
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        backup.get_backup_vault_access_policy(BackupVaultName=vault)
    backup.put_backup_vault_access_policy(BackupVaultName=vault, Policy=POLICY)
    response = backup.get_backup_vault_access_policy(BackupVaultName=vault)
    assert (response["BackupVaultName"], response["Policy"]) == (vault, POLICY)
    backup.delete_backup_vault_access_policy(BackupVaultName=vault)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        backup.get_backup_vault_access_policy(BackupVaultName=vault)


def test_a_vault_keeps_its_key(backup: Any):
    name, key = f"vault-{uuid4()}", f"arn:aws:kms:us-west-1:{ACCOUNT}:key/backup"
    backup.create_backup_vault(BackupVaultName=name, EncryptionKeyArn=key)
    assert backup.describe_backup_vault(BackupVaultName=name)["EncryptionKeyArn"] == key


def test_vaults_are_regional(aws: LocalAws, backup: Any, vault: str):
    there = aws.client("backup", SECOND_REGION)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        there.describe_backup_vault(BackupVaultName=vault)
    there.create_backup_vault(BackupVaultName=vault)
    there.put_backup_vault_lock_configuration(BackupVaultName=vault, MinRetentionDays=7)
    assert f":{SECOND_REGION}:" in there.describe_backup_vault(BackupVaultName=vault)["BackupVaultArn"]
    assert backup.describe_backup_vault(BackupVaultName=vault)["Locked"] is False


def test_an_empty_vault_is_deleted_with_its_tags(aws: LocalAws, backup: Any, vault: str):
    arn = backup.describe_backup_vault(BackupVaultName=vault)["BackupVaultArn"]
    assert backup.list_tags(ResourceArn=arn)["Tags"] == {"Owner": "us"}
    assert backup.list_recovery_points_by_backup_vault(BackupVaultName=vault)["RecoveryPoints"] == []
    model = aws.backend("backup").vaults[vault]
    model.num_of_recovery_points = 1
    with pytest.raises(ClientError, match="InvalidRequestException"):
        backup.delete_backup_vault(BackupVaultName=vault)
    model.num_of_recovery_points = 0
    backup.delete_backup_vault(BackupVaultName=vault)
    assert backup.list_tags(ResourceArn=arn)["Tags"] == {}


def test_a_plan_can_be_tagged_and_untagged(backup: Any, plan: str):
    arn = backup.get_backup_plan(BackupPlanId=plan)["BackupPlanArn"]
    backup.tag_resource(ResourceArn=arn, Tags={"Team": "recovery"})
    backup.untag_resource(ResourceArn=arn, TagKeyList=["Owner"])
    assert backup.list_tags(ResourceArn=arn)["Tags"] == {"Team": "recovery"}


def test_tagged_resources_are_found(aws: LocalAws, backup: Any, vault: str, plan: str, testing_plan: str):
    tested = backup.get_restore_testing_plan(RestoreTestingPlanName=testing_plan)["RestoreTestingPlan"]
    pages = aws.client("resourcegroupstaggingapi").get_paginator("get_resources").paginate()
    found = {entry["ResourceARN"] for page in pages for entry in page["ResourceTagMappingList"]}
    assert found >= {
        backup.describe_backup_vault(BackupVaultName=vault)["BackupVaultArn"],
        backup.get_backup_plan(BackupPlanId=plan)["BackupPlanArn"],
        tested["RestoreTestingPlanArn"],
    }


def test_updating_a_plan_creates_a_version(backup: Any, vault: str, plan: str):
    before = backup.get_backup_plan(BackupPlanId=plan)
    changed = {"BackupPlanName": vault, "Rules": [rule(vault, days=36)]}
    assert backup.update_backup_plan(BackupPlanId=plan, BackupPlan=changed)["BackupPlanId"] == plan
    after = backup.get_backup_plan(BackupPlanId=plan)
    assert after["BackupPlan"]["Rules"][0]["Lifecycle"] == {"DeleteAfterDays": 36}
    assert after["BackupPlanArn"] == before["BackupPlanArn"]
    assert after["VersionId"] != before["VersionId"]


def test_a_plan_requires_its_vault(backup: Any, plan: str):
    content = {"BackupPlanName": "nowhere", "Rules": [rule("nowhere")]}
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        backup.create_backup_plan(BackupPlan=content)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        backup.update_backup_plan(BackupPlanId=plan, BackupPlan=content)


def test_a_plan_with_selections_cannot_be_deleted(backup: Any, vault: str, plan: str):
    selected = {"SelectionName": "files", "IamRoleArn": ROLE, "Resources": ["arn:aws:elasticfilesystem:::x"]}
    id = backup.create_backup_selection(BackupPlanId=plan, BackupSelection=selected)["SelectionId"]
    (listed,) = backup.list_backup_selections(BackupPlanId=plan)["BackupSelectionsList"]
    assert (listed["SelectionId"], listed["SelectionName"], listed["IamRoleArn"]) == (id, "files", ROLE)
    with pytest.raises(ClientError, match="InvalidRequestException"):
        backup.delete_backup_plan(BackupPlanId=plan)
    backup.delete_backup_selection(BackupPlanId=plan, SelectionId=id)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        backup.get_backup_selection(BackupPlanId=plan, SelectionId=id)
    backup.delete_backup_plan(BackupPlanId=plan)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        backup.create_backup_selection(BackupPlanId=plan, BackupSelection=selected)
    # The name can be reused.
    assert backup.create_backup_plan(BackupPlan={"BackupPlanName": vault, "Rules": [rule(vault)]})["BackupPlanId"]


def test_a_rule_is_completed(backup: Any, plan: str):
    (described,) = backup.get_backup_plan(BackupPlanId=plan)["BackupPlan"]["Rules"]
    assert (described["StartWindowMinutes"], described["CompletionWindowMinutes"]) == (480, 10080)
    assert described["ScheduleExpressionTimezone"] == "Etc/UTC"


def test_a_selection_is_completed(backup: Any, plan: str):
    equal = {"StringEquals": [{"ConditionKey": "aws:ResourceTag/Tier", "ConditionValue": "storage"}]}
    operators = ("StringEquals", "StringLike", "StringNotEquals", "StringNotLike")
    for conditions in ({}, equal):
        sent = {"SelectionName": "files", "IamRoleArn": ROLE, "Resources": ["*"], "Conditions": conditions}
        id = backup.create_backup_selection(BackupPlanId=plan, BackupSelection=sent)["SelectionId"]
        assert backup.get_backup_selection(BackupPlanId=plan, SelectionId=id)["BackupSelection"] == {
            **sent,
            "NotResources": [],
            "ListOfTags": [],
            "Conditions": {operator: conditions.get(operator, []) for operator in operators},
        }


REQUIRED_KEYS = ("RestoreTestingPlanName", "ScheduleExpression", "RecoveryPointSelection")


def test_a_restore_testing_plan_can_be_created_updated_and_deleted(backup: Any, vault: str, testing_plan: str):
    def describe() -> Any:
        return backup.get_restore_testing_plan(RestoreTestingPlanName=testing_plan)["RestoreTestingPlan"]

    assert (describe()["StartWindowHours"], describe()["ScheduleExpressionTimezone"]) == (24, "Etc/UTC")
    selected = describe()["RecoveryPointSelection"]
    assert (selected["SelectionWindowDays"], selected["ExcludeVaults"]) == (30, [])
    listed = backup.list_restore_testing_plans()["RestoreTestingPlans"]
    assert testing_plan in {each["RestoreTestingPlanName"] for each in listed}
    assert backup.list_tags(ResourceArn=describe()["RestoreTestingPlanArn"])["Tags"] == {"Owner": "us"}
    with pytest.raises(ClientError, match="AlreadyExistsException"):
        backup.create_restore_testing_plan(RestoreTestingPlan={key: describe()[key] for key in REQUIRED_KEYS})
    selection = {**recovery_point_selection(backup, vault), "SelectionWindowDays": 3}
    backup.update_restore_testing_plan(
        RestoreTestingPlanName=testing_plan, RestoreTestingPlan={"RecoveryPointSelection": selection}
    )
    backup.update_restore_testing_plan(RestoreTestingPlanName=testing_plan, RestoreTestingPlan={"StartWindowHours": 8})
    assert (describe()["StartWindowHours"], describe()["RecoveryPointSelection"]["SelectionWindowDays"]) == (8, 3)
    backup.delete_restore_testing_plan(RestoreTestingPlanName=testing_plan)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        describe()


def test_a_restore_testing_plan_with_selections_cannot_be_deleted(backup: Any, testing_plan: str):
    selected = {
        "RestoreTestingSelectionName": "files",
        "IamRoleArn": ROLE,
        "ProtectedResourceType": "EFS",
        "ProtectedResourceArns": ["arn:aws:elasticfilesystem:::x"],
        "ValidationWindowHours": 24,
    }
    names = {"RestoreTestingPlanName": testing_plan, "RestoreTestingSelectionName": "files"}
    backup.create_restore_testing_selection(RestoreTestingPlanName=testing_plan, RestoreTestingSelection=selected)
    with pytest.raises(ClientError, match="AlreadyExistsException"):
        backup.create_restore_testing_selection(RestoreTestingPlanName=testing_plan, RestoreTestingSelection=selected)
    backup.update_restore_testing_selection(**names, RestoreTestingSelection={"ValidationWindowHours": 4})
    selection = backup.get_restore_testing_selection(**names)["RestoreTestingSelection"]
    assert selection.items() >= {**selected, "ValidationWindowHours": 4}.items()
    listed = backup.list_restore_testing_selections(RestoreTestingPlanName=testing_plan)["RestoreTestingSelections"]
    assert [each["RestoreTestingSelectionName"] for each in listed] == ["files"]
    with pytest.raises(ClientError, match="InvalidRequestException"):
        backup.delete_restore_testing_plan(RestoreTestingPlanName=testing_plan)
    backup.delete_restore_testing_selection(**names)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        backup.get_restore_testing_selection(**names)


def test_a_restore_testing_selection_is_completed(backup: Any, testing_plan: str):
    equal = {"StringEquals": [{"Key": "aws:ResourceTag/Tier", "Value": "storage"}]}
    for number, conditions in enumerate(({}, equal)):
        names = {"RestoreTestingPlanName": testing_plan, "RestoreTestingSelectionName": f"files_{number}"}
        sent = {
            "RestoreTestingSelectionName": names["RestoreTestingSelectionName"],
            "IamRoleArn": ROLE,
            "ProtectedResourceType": "EFS",
            "ProtectedResourceArns": ["*"],
            "ProtectedResourceConditions": conditions,
            "RestoreMetadataOverrides": {"kmsKeyId": "key"},
        }
        backup.create_restore_testing_selection(RestoreTestingPlanName=testing_plan, RestoreTestingSelection=sent)
        described = backup.get_restore_testing_selection(**names)["RestoreTestingSelection"]
        completed = {"StringEquals": [], "StringNotEquals": [], **conditions}
        assert described.items() >= {**sent, "ProtectedResourceConditions": completed}.items()


def test_a_repeated_request_creates_nothing_and_is_no_error(backup: Any, vault: str):
    name, selected = f"repeated_{uuid4().hex}", recovery_point_selection(backup, vault)
    plan = {
        "RestoreTestingPlanName": name,
        "ScheduleExpression": "cron(0 12 2 * ? *)",
        "RecoveryPointSelection": selected,
    }
    selection = {"RestoreTestingSelectionName": "files", "IamRoleArn": ROLE, "ProtectedResourceType": "EFS"}
    arns = [
        create(CreatorRequestId="one", **request)["RestoreTestingPlanArn"]
        for create, request in (
            (backup.create_restore_testing_plan, {"RestoreTestingPlan": plan}),
            (
                backup.create_restore_testing_selection,
                {"RestoreTestingPlanName": name, "RestoreTestingSelection": selection},
            ),
        )
        for _ in range(2)
    ]
    assert len(set(arns)) == 1
    with pytest.raises(ClientError, match="AlreadyExistsException"):
        backup.create_restore_testing_plan(CreatorRequestId="two", RestoreTestingPlan=plan)
    with pytest.raises(ClientError, match="AlreadyExistsException"):
        backup.create_restore_testing_selection(
            CreatorRequestId="two", RestoreTestingPlanName=name, RestoreTestingSelection=selection
        )


def test_all_resource_types_are_opted_in_by_default(backup: Any):
    def describe() -> Any:
        return backup.describe_region_settings()["ResourceTypeOptInPreference"]

    assert all(describe().values())
    backup.update_region_settings(ResourceTypeOptInPreference={"EFS": False})
    assert [type_ for type_, wanted in describe().items() if not wanted] == ["EFS"]
    backup.update_region_settings(ResourceTypeOptInPreference={"EFS": True})


@pytest.mark.parametrize(
    "action",
    [
        lambda backup: backup.describe_backup_vault(BackupVaultName="nowhere"),
        lambda backup: backup.delete_backup_vault(BackupVaultName="nowhere"),
        lambda backup: backup.put_backup_vault_access_policy(BackupVaultName="nowhere", Policy=POLICY),
        lambda backup: backup.delete_backup_vault_access_policy(BackupVaultName="nowhere"),
        lambda backup: backup.list_recovery_points_by_backup_vault(BackupVaultName="nowhere"),
        lambda backup: backup.list_backup_selections(BackupPlanId="nowhere"),
        lambda backup: backup.delete_backup_plan(BackupPlanId="nowhere"),
        lambda backup: backup.list_restore_testing_selections(RestoreTestingPlanName="nowhere"),
        lambda backup: backup.delete_restore_testing_plan(RestoreTestingPlanName="nowhere"),
    ],
)
def test_actions_on_missing_resources_raise_resource_not_found(backup: Any, action: Callable[[Any], Any]):
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        action(backup)
