"""AWS Backup: vault policies, plan updates, selections, restore testing, and a Region's resource type opt-ins.

It creates no backups, because the local AWS has no data to back up.
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

# Some of the resource types that AWS Backup supports. All are opted in by default.
TYPES = ("Aurora", "DynamoDB", "EBS", "EC2", "EFS", "RDS", "S3")
START_WINDOW_HOURS = 24
"""Default window in which a restore test starts."""
SELECTION_WINDOW_DAYS = 30
"""Default age limit of recovery points for restore tests."""
# What AWS adds to a selection that lacks these keys.
# https://github.com/go-to-k/cdk-real-drift/blob/main/tests/corpus/AWS__Backup__BackupSelection.SelByTags.json
SELECTION_DEFAULTS: Description = {"Resources": [], "NotResources": [], "ListOfTags": []}
CONDITION_DEFAULTS: Description = {"StringEquals": [], "StringLike": [], "StringNotEquals": [], "StringNotLike": []}
# What AWS adds to the conditions of a restore testing selection: restoreTestingSelectionResource.Read in
# https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/backup/restore_testing_selection.go
RESTORE_CONDITION_DEFAULTS: Description = {"StringEquals": [], "StringNotEquals": []}


def not_found(resource: str) -> ApiError:
    """Error for a missing resource."""
    return ApiError("ResourceNotFoundException", f"{resource} does not exist")


def is_repeated(created: Description, request_id: str | None) -> bool:
    """Whether the request that created something is repeated, as SDKs do after a connection broke.

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateRestoreTestingSelection.html
    """
    return bool(request_id) and created["CreatorRequestId"] == request_id


class Backend(BackupBackend):
    """Adds vault policies, selections, restore testing and opt-ins, and errors for missing resources."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.vault_policies: dict[str, str] = {}
        self.selections: dict[str, dict[str, Description]] = {}
        """Selections, by plan ID and selection ID."""
        self.restore_testing_plans: dict[str, Description] = {}
        """Restore testing plans, by name."""
        self.restore_testing_selections: dict[str, dict[str, Description]] = {}
        """Restore testing selections, by plan name and selection name."""
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
        self._check_vaults(backup_plan)
        plan = super().create_backup_plan(backup_plan, backup_plan_tags, creator_request_id)
        self.selections[plan.backup_plan_id] = {}
        return plan

    def update_backup_plan(self, plan_id: str, content: Description) -> Plan:
        plan = self.get_backup_plan(plan_id, None)
        self._check_vaults(content)
        # moto's annotations make the constructor return the base class.
        changed = cast(Plan, Plan(content, plan.creator_request_id, self))
        plan.backup_plan, plan.version_id = changed.backup_plan, changed.version_id
        plan.advanced_backup_settings = changed.advanced_backup_settings
        return plan

    def delete_backup_plan(self, backup_plan_id: str) -> tuple[str, str, float, str]:
        if self.selections_of(backup_plan_id):
            raise ApiError("InvalidRequestException", "Related backup plan selections must be deleted first")
        deleted = super().delete_backup_plan(backup_plan_id)
        # moto keeps deleted plans and refuses to create another of the same name.
        self.tagger.delete_all_tags_for_resource(self.plans.pop(backup_plan_id).backup_plan_arn)
        del self.selections[backup_plan_id]
        return deleted

    def _check_vaults(self, plan: Description) -> None:
        for rule in plan["Rules"]:
            self.vault(rule["TargetBackupVaultName"])

    def selections_of(self, plan_id: str) -> dict[str, Description]:
        if plan_id not in self.selections:
            raise not_found(f"Backup plan {plan_id}")
        return self.selections[plan_id]

    def selection(self, plan_id: str, selection_id: str) -> Description:
        if selection_id not in self.selections_of(plan_id):
            raise not_found(f"Backup selection {selection_id}")
        return self.selections[plan_id][selection_id]

    def restore_testing_plan(self, name: str) -> Description:
        if name not in self.restore_testing_plans:
            raise not_found(f"Restore testing plan {name}")
        return self.restore_testing_plans[name]

    def restore_testing_selection(self, plan_name: str, name: str) -> Description:
        self.restore_testing_plan(plan_name)
        if name not in self.restore_testing_selections[plan_name]:
            raise not_found(f"Restore testing selection {name}")
        return self.restore_testing_selections[plan_name][name]

    def delete_restore_testing_plan(self, name: str) -> None:
        plan = self.restore_testing_plan(name)
        if self.restore_testing_selections[name]:
            raise ApiError("InvalidRequestException", "Related restore testing selections must be deleted first")
        self.tagger.delete_all_tags_for_resource(plan["RestoreTestingPlanArn"])
        del self.restore_testing_plans[name], self.restore_testing_selections[name]

    def iter_tagged_resources(self) -> Iterator[TaggedResource]:
        yield from super().iter_tagged_resources()
        for kind, arns in (
            ("backup-plan", [plan.backup_plan_arn for plan in self.plans.values()]),
            ("restore-testing-plan", [plan["RestoreTestingPlanArn"] for plan in self.restore_testing_plans.values()]),
        ):
            for arn in arns:
                yield TaggedResource(
                    arn=arn, tags=self.tagger.get_tag_dict_for_resource(arn), resource_type=f"backup:{kind}"
                )


class Responses(BackupResponse):
    """Adds the actions that moto lacks."""

    def __init__(self) -> None:
        super().__init__()
        self.automated_parameter_parsing = True

    @property
    def backend(self) -> Backend:
        return cast(Backend, self.backup_backend)

    def list_tags(self) -> ActionResult:  # pyright: ignore[reportIncompatibleMethodOverride] - moto's method returns JSON text
        # moto takes the ARN from the path, where it requires a trailing slash that not every client sends.
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
        plan_id = self._get_param("BackupPlanId")
        id = str(uuid4())
        selection = self._get_param("BackupSelection")
        conditions = {**CONDITION_DEFAULTS, **selection.get("Conditions", {})}
        self.backend.selections_of(plan_id)[id] = {
            "BackupPlanId": plan_id,
            "SelectionId": id,
            "CreationDate": utcnow(),
            "BackupSelection": {**SELECTION_DEFAULTS, **selection, "Conditions": conditions},
        }
        return ActionResult(self.backend.selection(plan_id, id))

    def get_backup_selection(self) -> ActionResult:
        return ActionResult(self.backend.selection(self._get_param("BackupPlanId"), self._get_param("SelectionId")))

    def list_backup_selections(self) -> ActionResult:
        found = self.backend.selections_of(self._get_param("BackupPlanId")).values()
        return ActionResult({"BackupSelectionsList": [each | each["BackupSelection"] for each in found]})

    def delete_backup_selection(self) -> EmptyResult:
        plan_id, id = self._get_param("BackupPlanId"), self._get_param("SelectionId")
        self.backend.selection(plan_id, id)
        del self.backend.selections[plan_id][id]
        return EmptyResult()

    def create_restore_testing_plan(self) -> ActionResult:
        content = self._get_param("RestoreTestingPlan")
        name, request_id = content["RestoreTestingPlanName"], self._get_param("CreatorRequestId")
        if name in self.backend.restore_testing_plans:
            if is_repeated(self.backend.restore_testing_plan(name), request_id):
                return ActionResult(self.backend.restore_testing_plan(name))
            raise ApiError("AlreadyExistsException", f"Restore testing plan {name} already exists")
        scope = f"{self.backend.region_name}:{self.backend.account_id}"
        arn = f"arn:{self.backend.partition}:backup:{scope}:restore-testing-plan:{name}-{uuid4()}"
        defaults = {"ScheduleExpressionTimezone": "Etc/UTC", "StartWindowHours": START_WINDOW_HOURS}
        self.backend.restore_testing_plans[name] = {
            "CreationTime": utcnow(),
            "CreatorRequestId": request_id,
            "RestoreTestingPlanArn": arn,
            **defaults,
            **content,
        }
        self.backend.restore_testing_plans[name]["RecoveryPointSelection"] = self._recovery_point_selection(content)
        self.backend.restore_testing_selections[name] = {}
        self.backend.tag_resource(arn, self._get_param("Tags") or {})
        return ActionResult(self.backend.restore_testing_plans[name])

    def get_restore_testing_plan(self) -> ActionResult:
        return ActionResult(
            {"RestoreTestingPlan": self.backend.restore_testing_plan(self._get_param("RestoreTestingPlanName"))}
        )

    def list_restore_testing_plans(self) -> ActionResult:
        return ActionResult({"RestoreTestingPlans": list(self.backend.restore_testing_plans.values())})

    def update_restore_testing_plan(self) -> ActionResult:
        plan = self.backend.restore_testing_plan(self._get_param("RestoreTestingPlanName"))
        changes = self._get_param("RestoreTestingPlan")
        if "RecoveryPointSelection" in changes:
            changes = {**changes, "RecoveryPointSelection": self._recovery_point_selection(changes)}
        plan.update(changes, LastUpdateTime=utcnow())
        return ActionResult({**plan, "UpdateTime": plan["LastUpdateTime"]})

    def delete_restore_testing_plan(self) -> EmptyResult:
        self.backend.delete_restore_testing_plan(self._get_param("RestoreTestingPlanName"))
        return EmptyResult()

    def create_restore_testing_selection(self) -> ActionResult:
        plan_name, selection = self._get_param("RestoreTestingPlanName"), self._get_param("RestoreTestingSelection")
        plan, name = self.backend.restore_testing_plan(plan_name), selection["RestoreTestingSelectionName"]
        request_id, arn = self._get_param("CreatorRequestId"), {"RestoreTestingPlanArn": plan["RestoreTestingPlanArn"]}
        if name in self.backend.restore_testing_selections[plan_name]:
            existing = self.backend.restore_testing_selection(plan_name, name)
            if is_repeated(existing, request_id):
                return ActionResult({**existing, **arn})
            raise ApiError("AlreadyExistsException", f"Restore testing selection {name} already exists")
        created = {
            "CreationTime": utcnow(),
            "CreatorRequestId": request_id,
            "RestoreTestingPlanName": plan_name,
            "RestoreMetadataOverrides": {},
            **selection,
            "ProtectedResourceConditions": {
                **RESTORE_CONDITION_DEFAULTS,
                **selection.get("ProtectedResourceConditions", {}),
            },
        }
        self.backend.restore_testing_selections[plan_name][name] = created
        return ActionResult({**created, **arn})

    def get_restore_testing_selection(self) -> ActionResult:
        return ActionResult({"RestoreTestingSelection": self._restore_testing_selection()})

    def list_restore_testing_selections(self) -> ActionResult:
        plan_name = self._get_param("RestoreTestingPlanName")
        self.backend.restore_testing_plan(plan_name)
        selections = self.backend.restore_testing_selections[plan_name].values()
        return ActionResult({"RestoreTestingSelections": list(selections)})

    def update_restore_testing_selection(self) -> ActionResult:
        selection = self._restore_testing_selection()
        selection.update(self._get_param("RestoreTestingSelection"))
        plan = self.backend.restore_testing_plan(selection["RestoreTestingPlanName"])
        return ActionResult(
            {**selection, "RestoreTestingPlanArn": plan["RestoreTestingPlanArn"], "UpdateTime": utcnow()}
        )

    def delete_restore_testing_selection(self) -> EmptyResult:
        selection = self._restore_testing_selection()
        plan_name, name = selection["RestoreTestingPlanName"], selection["RestoreTestingSelectionName"]
        del self.backend.restore_testing_selections[plan_name][name]
        return EmptyResult()

    def describe_region_settings(self) -> ActionResult:
        return ActionResult({"ResourceTypeOptInPreference": self.backend.opted_in})

    def update_region_settings(self) -> EmptyResult:
        self.backend.opted_in.update(self._get_param("ResourceTypeOptInPreference") or {})
        return EmptyResult()

    def _restore_testing_selection(self) -> Description:
        return self.backend.restore_testing_selection(
            self._get_param("RestoreTestingPlanName"), self._get_param("RestoreTestingSelectionName")
        )

    @staticmethod
    def _recovery_point_selection(content: Description) -> Description:
        defaults = {"ExcludeVaults": list[str](), "SelectionWindowDays": SELECTION_WINDOW_DAYS}
        return {**defaults, **content["RecoveryPointSelection"]}


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
        "aws_backup_plan": "could not be updated",
        "aws_backup_restore_testing_plan": "was not implemented",
        "aws_backup_restore_testing_selection": "was not implemented",
        "aws_backup_selection": "was not implemented",
        "aws_backup_vault": "lost its tags",
        "aws_backup_vault_lock_configuration": "failed with another error than AWS's if the vault was missing",
        "aws_backup_vault_policy": "was not implemented",
    },
)
