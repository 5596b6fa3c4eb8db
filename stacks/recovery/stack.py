"""Backups that outlive what they are of: their own vault and key, a lock, copies in a second Region, and tests of them.

The database's own backups go back to any second of its last days, and go with the account's Region. These go back
further, and nobody deletes them before their age: the vault is locked, and its policy refuses it. Once a month AWS
Backup restores the latest of each kind, to see that it can.
"""

from dataclasses import dataclass

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


@dataclass(frozen=True)
class BackedUpResource:
    """What is backed up."""

    name: str
    type: str
    """AWS Backup's."""
    arn: str


class RecoveryStack(TierStack):
    """AWS Backup: vaults, locks, plan, selections, copies, restore tests."""

    tier = "recovery"

    def __init__(
        self,
        scope: Construct,
        settings: Environment,
        *,
        foundation: FoundationStack,
        database: DatabaseStack,
        storage: StorageStack,
    ) -> None:
        super().__init__(scope, settings)
        protected = [
            BackedUpResource("database", "Aurora", database.cluster.arn),
            BackedUpResource("files", "EFS", storage.file_system.arn),
        ]
        backup, restores = self._roles()
        vault = locked_vault(self, "vault", self.names.vault, foundation.keys.backup, backup)
        copies = self._copies(foundation, backup)
        self._back_up(protected, self._plan(vault, copies), backup)
        self._test_restores(protected, vault, restores)
        self._watch(foundation)
        notify(self, foundation.alarm_topic, JOB_EVENTS)

    def _roles(self) -> tuple[ServiceRole, ServiceRole]:
        """Apart, so that what writes backups cannot restore one, nor what restores delete one."""

        def role(name: str, policy: str, why: str) -> ServiceRole:
            # AWS's own policies are for all of its services: the boundary leaves of them what these stores need.
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
        keys, there = foundation.second_region_keys, self.second_region
        if keys is None or there is None:
            return None
        return locked_vault(self, "copies", self.names.copy_vault, keys.backup, backup, there)

    def _plan(self, vault: BackupVault, copies: BackupVault | None) -> BackupPlan:
        recovery = self.settings.recovery
        # As soon as the database's and the cache's own backups are made.
        hour, minute = map(int, self.settings.windows.backup.partition("-")[2].split(":"))

        def rule(name: str, days: str, delete_after: int, cold_after: int | None = None) -> BackupPlanRule:
            return BackupPlanRule(
                rule_name=name,
                target_vault_name=vault.name,
                schedule=f"cron({minute} {hour} {days} * ? *)",
                start_window=60,  # minutes
                completion_window=480,  # minutes
                # The database's own goes back to any second, and would be taken over: its retention and its window.
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
                # Of the files alone: AWS Backup passes over the database, which has no cold storage.
                # https://docs.aws.amazon.com/aws-backup/latest/devguide/API_Lifecycle.html
                rule("monthly", "1", recovery.monthly_days, COLD_AFTER_DAYS),
            ],
        )

    def _back_up(self, protected: list[BackedUpResource], plan: BackupPlan, backup: ServiceRole) -> None:
        """By ARN: a tag that is lost or forgotten would lose the backups with it."""
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
            # Letters, digits and underscores alone.
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
                name=each.name,
                restore_testing_plan_name=plan.name,
                protected_resource_type=each.type,
                protected_resource_arns=[each.arn],
                iam_role_arn=restores.role.arn,
                # For whoever wants to look at it; then AWS Backup deletes what it has restored.
                validation_window_hours=24,
                depends_on=[restores.permissions],
            )

    def _watch(self, foundation: FoundationStack) -> None:
        self.alarms = create_alarms(
            self,
            foundation.alarm_topic,
            [
                Alarm(
                    name="no-backup",
                    namespace="AWS/Backup",
                    metric="NumberOfBackupJobsCompleted",
                    dimensions={"BackupVaultName": self.names.vault},
                    statistic="Sum",
                    at="most",
                    threshold=0,
                    unit="backups",
                    period=3600,
                    # A day, and the nine hours in which a backup may start and end.
                    periods=33,
                    missing="breaching",
                    why="a backup that is never begun fails nowhere, and tells nobody",
                )
            ],
        )
