"""Backups of the database and the files by AWS Backup: locked vaults, copies in a second Region, monthly restore tests.

Aurora's own backups allow a restore to any second, but are lost with the Region. These are kept longer and cannot be
deleted before their retention ends, because the vault is locked and its policy denies it. Once a month, AWS Backup
restores the latest backup of each resource to test it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cdktf import Fn
from cdktf_cdktf_provider_aws.backup_plan import (
    BackupPlan,
    BackupPlanRule,
    BackupPlanRuleCopyAction,
    BackupPlanRuleCopyActionLifecycle,
    BackupPlanRuleLifecycle,
)
from cdktf_cdktf_provider_aws.backup_restore_testing_plan import (
    BackupRestoreTestingPlan,
    BackupRestoreTestingPlanRecoveryPointSelection,
)
from cdktf_cdktf_provider_aws.backup_restore_testing_selection import BackupRestoreTestingSelection
from cdktf_cdktf_provider_aws.backup_selection import BackupSelection
from cdktf_cdktf_provider_aws.backup_vault import BackupVault
from constructs import Construct

from stacks.database.stack import DatabaseStack
from stacks.foundation.stack import FoundationStack
from stacks.network.stack import NetworkStack
from stacks.parts.alarms import Alarm, create_alarms
from stacks.parts.events import notify
from stacks.parts.service_roles import ServiceRole, service_role
from stacks.recovery.events import JOB_EVENTS
from stacks.recovery.vaults import locked_vault
from stacks.settings import Environment
from stacks.settings.recovery import COLD_AFTER_DAYS
from stacks.storage.stack import StorageStack
from stacks.tier import TierStack

AWS_POLICY = "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyFor"
RESOURCE_TYPES = {"database": "Aurora", "files": "EFS"}
"""AWS Backup's resource types of what is backed up."""


@dataclass(frozen=True)
class BackedUpResource:
    """A resource that is backed up."""

    name: str
    arn: str
    test_overrides: Mapping[str, str]
    """Restore metadata of the restore tests: without it, AWS Backup restores into the account's default VPC, with its
    default security group, and encrypts files with AWS's key. A list is JSON.

    https://docs.aws.amazon.com/aws-backup/latest/devguide/restore-testing-inferred-metadata.html
    """

    @property
    def type(self) -> str:
        """Resource type in AWS Backup."""
        return RESOURCE_TYPES[self.name]


class RecoveryStack(TierStack):
    """AWS Backup: vaults, locks, plan, selections, copies, restore tests."""

    tier = "recovery"

    def __init__(
        self,
        scope: Construct,
        settings: Environment,
        *,
        foundation: FoundationStack,
        network: NetworkStack,
        database: DatabaseStack,
        storage: StorageStack,
    ) -> None:
        super().__init__(scope, settings)
        protected = [
            BackedUpResource(
                "database",
                database.cluster.arn,
                {
                    "dbSubnetGroupName": self.names.database,
                    "vpcSecurityGroupIds": f'["{network.security_groups.database.id}"]',
                    "enableIamDatabaseAuthentication": "true",
                },
            ),
            BackedUpResource("files", storage.file_system.arn, {"kmsKeyId": foundation.keys.files.arn}),
        ]
        backup, restores = self._roles()
        vault = locked_vault(self, "vault", self.names.vault, foundation.keys.backup, backup)
        copies = self._copies(foundation, backup)
        self._back_up(protected, self._plan(vault, copies), backup)
        self._test_restores(protected, vault, restores)
        self._watch(foundation, protected)
        notify(self, foundation.alarm_topic, JOB_EVENTS)

    def _roles(self) -> tuple[ServiceRole, ServiceRole]:
        """Separate roles: one cannot restore backups, the other cannot delete them."""

        def role(name: str, policy: str, why: str) -> ServiceRole:
            # The AWS managed policies cover all services; the permissions boundary limits them to these data stores.
            return service_role(
                self,
                name,
                "backup.amazonaws.com",
                f"{AWS_POLICY}{policy}",
                source_arn=None,
                source_account=True,
                description=why,
            )

        return (
            role("backup", "Backup", "Backs up the database and the files, and copies the backups"),
            role("restores", "Restores", "Restores backups to test them"),
        )

    def _copies(self, foundation: FoundationStack, backup: ServiceRole) -> BackupVault | None:
        keys, provider = foundation.second_region_keys, self.second_region
        if keys is None or provider is None:
            return None
        return locked_vault(self, "copies", self.names.copy_vault, keys.backup_copies, backup, provider)

    def _plan(self, vault: BackupVault, copies: BackupVault | None) -> BackupPlan:
        recovery = self.settings.recovery
        # Start at the end of the window for Aurora's and ElastiCache's own backups.
        hour, minute = map(int, self.settings.windows.backup.partition("-")[2].split(":"))

        def rule(name: str, days: str, delete_after: int, cold_after: int | None = None) -> BackupPlanRule:
            return BackupPlanRule(
                rule_name=name,
                target_vault_name=vault.name,
                schedule=f"cron({minute} {hour} {days} * ? *)",
                start_window=60,  # minutes
                completion_window=480,  # minutes
                # AWS Backup would take over Aurora's continuous backup, with its retention and window.
                enable_continuous_backup=False,
                lifecycle=BackupPlanRuleLifecycle(cold_storage_after=cold_after, delete_after=delete_after),
                copy_action=[
                    BackupPlanRuleCopyAction(
                        destination_vault_arn=copies.arn,
                        lifecycle=BackupPlanRuleCopyActionLifecycle(
                            cold_storage_after=cold_after, delete_after=delete_after
                        ),
                    )
                ]
                if copies
                else None,
            )

        return BackupPlan(
            self,
            "plan",
            name=self.names.vault,
            rule=[
                rule("daily", "*", recovery.daily_days),
                # Cold storage applies to the files only; AWS Backup does not support it for Aurora.
                # https://docs.aws.amazon.com/aws-backup/latest/devguide/API_Lifecycle.html
                rule("monthly", "1", recovery.monthly_days, COLD_AFTER_DAYS),
            ],
        )

    def _back_up(self, protected: list[BackedUpResource], plan: BackupPlan, backup: ServiceRole) -> None:
        """Select by ARN: selection by tag would silently stop backups if a tag is missing."""
        for each in protected:
            BackupSelection(
                self,
                f"back-up-{each.name}",
                name=each.name,
                plan_id=plan.id,
                iam_role_arn=backup.role.arn,
                resources=[each.arn],
                depends_on=[backup.permissions],
            )

    def _test_restores(self, protected: list[BackedUpResource], vault: BackupVault, restores: ServiceRole) -> None:
        plan = BackupRestoreTestingPlan(
            self,
            "restore-tests",
            # Only letters, digits and underscores are allowed.
            name=self.names.resource_name("restores").replace("-", "_"),
            schedule_expression="cron(0 12 2 * ? *)",  # the day after the month's backup
            start_window_hours=8,
            recovery_point_selection=[
                BackupRestoreTestingPlanRecoveryPointSelection(
                    algorithm="LATEST_WITHIN_WINDOW",
                    include_vaults=[vault.arn],
                    recovery_point_types=["SNAPSHOT"],
                    selection_window_days=7,
                )
            ],
        )
        for each in protected:
            BackupRestoreTestingSelection(
                self,
                f"restore-{each.name}",
                # A new name replaces the selection, because the provider does not send changed ARNs.
                # https://github.com/hashicorp/terraform-provider-aws/issues/48316
                name=f"{each.name}_{Fn.substr(Fn.sha1(each.arn), 0, 8)}",
                restore_testing_plan_name=plan.name,
                protected_resource_type=each.type,
                protected_resource_arns=[each.arn],
                iam_role_arn=restores.role.arn,
                restore_metadata_overrides=each.test_overrides,
                # Time to inspect the restored resource; then AWS Backup deletes it.
                validation_window_hours=24,
                depends_on=[restores.permissions],
            )

    def _watch(self, foundation: FoundationStack, protected: list[BackedUpResource]) -> None:
        self.alarms = create_alarms(
            self,
            foundation.alarm_topic,
            [
                # One per type: the vault's total would hide that one type has no backups.
                Alarm(
                    name=f"no-backup-{each.name}",
                    runbook="no-backup",
                    namespace="AWS/Backup",
                    metric="NumberOfBackupJobsCompleted",
                    dimensions={"BackupVaultName": self.names.vault, "ResourceType": each.type},
                    statistic="Sum",
                    at="most",
                    threshold=0,
                    unit="backups",
                    period=3600,
                    # A day, plus the nine hours within which a backup starts and completes.
                    periods=33,
                    treat_missing_data="breaching",
                    reason=f"no backup of the {each.name} was completed, and one that never starts sends no event",
                )
                for each in protected
            ],
        )
