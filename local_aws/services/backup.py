"""AWS Backup: vault policies, selections, changed plans, restore tests, and which types a Region backs up.

It makes no backups: nothing here has data that a vault could hold.
"""

from collections.abc import Iterator
from typing import Any, cast
from uuid import uuid4

from moto.backup.models import BackupBackend, Plan, Vault
from moto.backup.responses import BackupResponse
from moto.core.resource_tagging import TaggedResource
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow

from local_aws.extension import ApiError, Extension

Description = dict[str, Any]

# Some of those that AWS backs up; all are, until somebody says otherwise.
TYPES = ("Aurora", "DynamoDB", "EBS", "EC2", "EFS", "RDS", "S3")
START_WINDOW_HOURS = 24
"""In which a restore test starts, where nothing is said."""
SELECTION_WINDOW_DAYS = 30
"""How far back a restore test looks for a recovery point, where nothing is said."""


def not_found(what: str) -> ApiError:
    """There is no such thing."""
    return ApiError("ResourceNotFoundException", f"{what} does not exist")


class Backend(BackupBackend):
    """With all of it; what is missing is told."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.vault_policies: dict[str, str] = {}
        self.selections: dict[str, dict[str, Description]] = {}
        """By plan, and by id."""
        self.restore_tests: dict[str, Description] = {}
        """Plans, by name."""
        self.restore_selections: dict[str, dict[str, Description]] = {}
        """By plan, and by name."""
        self.opted_in = dict.fromkeys(TYPES, True)

    def vault(self, name: str) -> Vault:
        if name not in self.vaults:
            raise not_found(f"Backup vault {name}")
        return self.vaults[name]

    def describe_backup_vault(self, backup_vault_name: str) -> Vault:
        return self.vault(backup_vault_name)

    def delete_backup_vault(self, backup_vault_name: str) -> None:
        vault = self.vault(backup_vault_name)
        if vault.num_of_recovery_points:
            raise ApiError("InvalidRequestException", f"Backup vault {backup_vault_name} has recovery points")
        self.tagger.delete_all_tags_for_resource(vault.backup_vault_arn)
        self.vault_policies.pop(backup_vault_name, None)
        super().delete_backup_vault(backup_vault_name)

    def create_backup_plan(
        self, backup_plan: dict[str, Any], backup_plan_tags: dict[str, str], creator_request_id: str
    ) -> Plan:
        for rule in backup_plan["Rules"]:
            self.vault(rule["TargetBackupVaultName"])
        plan = super().create_backup_plan(backup_plan, backup_plan_tags, creator_request_id)
        self.selections[plan.backup_plan_id] = {}
        return plan

    def update_backup_plan(self, plan_id: str, asked: Description) -> Plan:
        plan = self.get_backup_plan(plan_id, None)
        changed = cast(Plan, Plan(asked, plan.creator_request_id, self))  # moto's classes say they make their base
        plan.backup_plan, plan.version_id = changed.backup_plan, changed.version_id
        plan.advanced_backup_settings = changed.advanced_backup_settings
        return plan

    def delete_backup_plan(self, backup_plan_id: str) -> tuple[str, str, float, str]:
        if self.selections_of(backup_plan_id):
            raise ApiError("InvalidRequestException", "Related backup plan selections must be deleted first")
        deleted = super().delete_backup_plan(backup_plan_id)
        # Its name is free again.
        self.tagger.delete_all_tags_for_resource(self.plans.pop(backup_plan_id).backup_plan_arn)
        return deleted

    def selections_of(self, plan_id: str) -> dict[str, Description]:
        if plan_id not in self.selections:
            raise not_found(f"Backup plan {plan_id}")
        return self.selections[plan_id]

    def selection(self, plan_id: str, selection_id: str) -> Description:
        if selection_id not in self.selections_of(plan_id):
            raise not_found(f"Backup selection {selection_id}")
        return self.selections[plan_id][selection_id]

    def restore_test(self, name: str) -> Description:
        if name not in self.restore_tests:
            raise not_found(f"Restore testing plan {name}")
        return self.restore_tests[name]

    def restore_selection(self, plan: str, name: str) -> Description:
        self.restore_test(plan)
        if name not in self.restore_selections[plan]:
            raise not_found(f"Restore testing selection {name}")
        return self.restore_selections[plan][name]

    def delete_restore_testing_plan(self, name: str) -> None:
        test = self.restore_test(name)
        if self.restore_selections[name]:
            raise ApiError("InvalidRequestException", "Related restore testing selections must be deleted first")
        self.tagger.delete_all_tags_for_resource(test["RestoreTestingPlanArn"])
        del self.restore_tests[name], self.restore_selections[name]

    def iter_tagged_resources(self) -> Iterator[TaggedResource]:
        yield from super().iter_tagged_resources()
        for kind, arns in (
            ("backup-plan", [plan.backup_plan_arn for plan in self.plans.values()]),
            ("restore-testing-plan", [test["RestoreTestingPlanArn"] for test in self.restore_tests.values()]),
        ):
            for arn in arns:
                yield TaggedResource(
                    arn=arn, tags=self.tagger.get_tag_dict_for_resource(arn), resource_type=f"backup:{kind}"
                )


class Responses(BackupResponse):
    """With the actions on it."""

    def __init__(self) -> None:
        super().__init__()
        self.automated_parameter_parsing = True

    @property
    def backend(self) -> Backend:
        return cast(Backend, self.backup_backend)

    def list_tags(self) -> ActionResult:  # pyright: ignore[reportIncompatibleMethodOverride] - moto's is a JSON text
        # moto takes the ARN for what stands before the path's last stroke, which not every client sends.
        return ActionResult({"Tags": self.backend.list_tags(self._get_param("ResourceArn"))})

    def list_recovery_points_by_backup_vault(self) -> ActionResult:
        self.backend.vault(self._get_param("BackupVaultName"))
        return ActionResult({"RecoveryPoints": []})

    def put_backup_vault_access_policy(self) -> EmptyResult:
        name = self._get_param("BackupVaultName")
        self.backend.vault(name)
        self.backend.vault_policies[name] = self._get_param("Policy")
        return EmptyResult()

    def get_backup_vault_access_policy(self) -> ActionResult:
        vault = self.backend.vault(self._get_param("BackupVaultName"))
        name = vault.backup_vault_name
        if name not in self.backend.vault_policies:
            raise not_found(f"A policy of backup vault {name}")
        policy = self.backend.vault_policies[name]
        return ActionResult(
            {"BackupVaultName": name, "BackupVaultArn": vault.backup_vault_arn, "Policy": policy},
        )

    def delete_backup_vault_access_policy(self) -> EmptyResult:
        self.backend.vault(self._get_param("BackupVaultName"))
        self.backend.vault_policies.pop(self._get_param("BackupVaultName"), None)
        return EmptyResult()

    def update_backup_plan(self) -> ActionResult:
        plan = self.backend.update_backup_plan(self._get_param("BackupPlanId"), self._get_param("BackupPlan"))
        return ActionResult(plan.to_dict())

    def create_backup_selection(self) -> ActionResult:
        plan = self._get_param("BackupPlanId")
        id = str(uuid4())
        self.backend.selections_of(plan)[id] = {
            "BackupPlanId": plan,
            "SelectionId": id,
            "CreationDate": utcnow(),
            "BackupSelection": self._get_param("BackupSelection"),
        }
        return ActionResult(self.backend.selection(plan, id))

    def get_backup_selection(self) -> ActionResult:
        return ActionResult(self.backend.selection(self._get_param("BackupPlanId"), self._get_param("SelectionId")))

    def list_backup_selections(self) -> ActionResult:
        found = self.backend.selections_of(self._get_param("BackupPlanId")).values()
        return ActionResult({"BackupSelectionsList": [each | each["BackupSelection"] for each in found]})

    def delete_backup_selection(self) -> EmptyResult:
        plan, id = self._get_param("BackupPlanId"), self._get_param("SelectionId")
        self.backend.selection(plan, id)
        del self.backend.selections[plan][id]
        return EmptyResult()

    def create_restore_testing_plan(self) -> ActionResult:
        asked = self._get_param("RestoreTestingPlan")
        name = asked["RestoreTestingPlanName"]
        if name in self.backend.restore_tests:
            raise ApiError("AlreadyExistsException", f"Restore testing plan {name} is there already")
        here = f"{self.backend.region_name}:{self.backend.account_id}"
        arn = f"arn:{self.backend.partition}:backup:{here}:restore-testing-plan:{name}-{uuid4()}"
        usual = {"ScheduleExpressionTimezone": "Etc/UTC", "StartWindowHours": START_WINDOW_HOURS}
        self.backend.restore_tests[name] = {"CreationTime": utcnow(), "RestoreTestingPlanArn": arn, **usual, **asked}
        self.backend.restore_tests[name]["RecoveryPointSelection"] = self._recovery_point_selection(asked)
        self.backend.restore_selections[name] = {}
        self.backend.tag_resource(arn, self._get_param("Tags") or {})
        return ActionResult(self.backend.restore_tests[name])

    def get_restore_testing_plan(self) -> ActionResult:
        return ActionResult(
            {"RestoreTestingPlan": self.backend.restore_test(self._get_param("RestoreTestingPlanName"))}
        )

    def list_restore_testing_plans(self) -> ActionResult:
        return ActionResult({"RestoreTestingPlans": list(self.backend.restore_tests.values())})

    def update_restore_testing_plan(self) -> ActionResult:
        test = self.backend.restore_test(self._get_param("RestoreTestingPlanName"))
        asked = self._get_param("RestoreTestingPlan")
        if "RecoveryPointSelection" in asked:
            asked = {**asked, "RecoveryPointSelection": self._recovery_point_selection(asked)}
        test.update(asked, LastUpdateTime=utcnow())
        return ActionResult({**test, "UpdateTime": test["LastUpdateTime"]})

    def delete_restore_testing_plan(self) -> EmptyResult:
        self.backend.delete_restore_testing_plan(self._get_param("RestoreTestingPlanName"))
        return EmptyResult()

    def create_restore_testing_selection(self) -> ActionResult:
        plan, asked = self._get_param("RestoreTestingPlanName"), self._get_param("RestoreTestingSelection")
        test, name = self.backend.restore_test(plan), asked["RestoreTestingSelectionName"]
        if name in self.backend.restore_selections[plan]:
            raise ApiError("AlreadyExistsException", f"Restore testing selection {name} is there already")
        made = {"CreationTime": utcnow(), "RestoreTestingPlanName": plan, "RestoreMetadataOverrides": {}, **asked}
        self.backend.restore_selections[plan][name] = made
        return ActionResult({**made, "RestoreTestingPlanArn": test["RestoreTestingPlanArn"]})

    def get_restore_testing_selection(self) -> ActionResult:
        return ActionResult({"RestoreTestingSelection": self._restore_selection()})

    def list_restore_testing_selections(self) -> ActionResult:
        plan = self._get_param("RestoreTestingPlanName")
        self.backend.restore_test(plan)
        return ActionResult({"RestoreTestingSelections": list(self.backend.restore_selections[plan].values())})

    def update_restore_testing_selection(self) -> ActionResult:
        selection = self._restore_selection()
        selection.update(self._get_param("RestoreTestingSelection"))
        test = self.backend.restore_test(selection["RestoreTestingPlanName"])
        return ActionResult(
            {**selection, "RestoreTestingPlanArn": test["RestoreTestingPlanArn"], "UpdateTime": utcnow()}
        )

    def delete_restore_testing_selection(self) -> EmptyResult:
        selection = self._restore_selection()
        plan, name = selection["RestoreTestingPlanName"], selection["RestoreTestingSelectionName"]
        del self.backend.restore_selections[plan][name]
        return EmptyResult()

    def describe_region_settings(self) -> ActionResult:
        return ActionResult({"ResourceTypeOptInPreference": self.backend.opted_in})

    def update_region_settings(self) -> EmptyResult:
        self.backend.opted_in.update(self._get_param("ResourceTypeOptInPreference") or {})
        return EmptyResult()

    def _restore_selection(self) -> Description:
        return self.backend.restore_selection(
            self._get_param("RestoreTestingPlanName"), self._get_param("RestoreTestingSelectionName")
        )

    @staticmethod
    def _recovery_point_selection(asked: Description) -> Description:
        usual = {"ExcludeVaults": list[str](), "SelectionWindowDays": SELECTION_WINDOW_DAYS}
        return {**usual, **asked["RecoveryPointSelection"]}


EXTENSION = Extension(
    "backup",
    Responses,
    Backend,
    routes=(
        "{0}/account-settings$",
        "{0}/backup-vaults/(?P<name>[^/]+)/access-policy$",
        "{0}/backup-vaults/(?P<name>[^/]+)/recovery-points/$",
        "{0}/restore-testing/plans$",
        "{0}/restore-testing/plans/(?P<name>.+)$",
    ),
    gaps={
        "aws_backup_plan": "no action to change one",
        "aws_backup_restore_testing_plan": "there were none",
        "aws_backup_restore_testing_selection": "there were none",
        "aws_backup_selection": "there were none",
        "aws_backup_vault": "its tags were not found",
        "aws_backup_vault_lock_configuration": "a vault that was missing was told otherwise than AWS does",
        "aws_backup_vault_policy": "there were none",
    },
)
