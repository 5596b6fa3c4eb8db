"""Persistent files: one encrypted EFS file system with mount targets in every zone.

Tasks mount it through access points, over TLS and with IAM authorization. Each access point has its own POSIX user and
root directory. Every other way to mount is refused, and so is root access.
"""

from dataclasses import dataclass

from cdktf_cdktf_provider_aws.efs_access_point import (
    EfsAccessPoint,
    EfsAccessPointPosixUser,
    EfsAccessPointRootDirectory,
    EfsAccessPointRootDirectoryCreationInfo,
)
from cdktf_cdktf_provider_aws.efs_backup_policy import EfsBackupPolicy, EfsBackupPolicyBackupPolicy
from cdktf_cdktf_provider_aws.efs_file_system import (
    EfsFileSystem,
    EfsFileSystemLifecyclePolicy,
    EfsFileSystemProtection,
)
from cdktf_cdktf_provider_aws.efs_file_system_policy import EfsFileSystemPolicy
from cdktf_cdktf_provider_aws.efs_mount_target import EfsMountTarget
from cdktf_cdktf_provider_aws.efs_replication_configuration import (
    EfsReplicationConfiguration,
    EfsReplicationConfigurationDestination,
)
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.security_group import SecurityGroup
from constructs import Construct

from stacks.foundation.stack import FoundationStack
from stacks.network.stack import NetworkStack, ZonalSubnets
from stacks.parts.alarms import Alarm, create_alarms
from stacks.parts.policy_documents import policy_document
from stacks.settings import Environment
from stacks.statements import EVERY_IDENTITY, Condition, deny, deny_other_accounts, deny_plaintext
from stacks.tier import TierStack

MOUNT_AND_WRITE = ("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite")
CLIENT_ACTIONS = (*MOUNT_AND_WRITE, "elasticfilesystem:ClientRootAccess")


@dataclass(frozen=True)
class AccessPoint:
    """An EFS access point: the root directory `/<name>`, and the user that owns all files in it."""

    name: str
    uid: int
    purpose: str


ACCESS_POINTS = (
    AccessPoint("uploads", 1001, "what customers and staff upload"),
    AccessPoint("documents", 1002, "invoices and delivery notes, which the shop writes"),
)


class StorageStack(TierStack):
    """EFS for the tasks: file system, a mount target in every zone, access points."""

    tier = "storage"

    def __init__(
        self, scope: Construct, settings: Environment, *, foundation: FoundationStack, network: NetworkStack
    ) -> None:
        super().__init__(scope, settings)
        self.file_system = self._file_system(foundation.keys.files)
        self._leave_backups_to_recovery()
        self._mount_in_every_zone(network.app_subnets, network.security_groups.files)
        self.access_points = {point.name: self._access_point(point) for point in ACCESS_POINTS}
        self._refuse_other_mounts()
        self._watch(foundation, self._replica(foundation))

    def _file_system(self, key: KmsKey) -> EfsFileSystem:
        name = self.names.resource_name("files")
        file_system = EfsFileSystem(
            self,
            "files",
            creation_token=name,
            encrypted=True,
            kms_key_id=key.arn,
            performance_mode="generalPurpose",
            throughput_mode="elastic",
            lifecycle_policy=[
                EfsFileSystemLifecyclePolicy(transition_to_ia="AFTER_30_DAYS"),
                EfsFileSystemLifecyclePolicy(transition_to_archive="AFTER_90_DAYS"),
                EfsFileSystemLifecyclePolicy(transition_to_primary_storage_class="AFTER_1_ACCESS"),
            ],
            # It must not become the destination of a replication, which would overwrite it. Failing back from the
            # second Region is a manual decision (docs/runbooks/storage.md).
            protection=EfsFileSystemProtection(replication_overwrite="ENABLED"),
            tags={"Name": name},
            lifecycle=self.stateful_lifecycle(),
        )
        self.publish("file_system_id", file_system, "id", "The EFS file system that tasks mount")
        self.export(file_system, "arn")
        return file_system

    def _leave_backups_to_recovery(self) -> None:
        """The recovery tier's plan backs the files up, into a locked vault.

        Automatic backups would be a second plan, at 05:00 with 8 hours to start. AWS Backup runs one job of a file
        system at a time, so either may expire. Their vault is not locked, and cannot be deleted.
        https://docs.aws.amazon.com/efs/latest/ug/awsbackup.html
        """
        EfsBackupPolicy(
            self,
            "backup",
            file_system_id=self.file_system.id,
            backup_policy=EfsBackupPolicyBackupPolicy(status="DISABLED"),
        )

    def _mount_in_every_zone(self, subnets: ZonalSubnets, group: SecurityGroup) -> None:
        """Mount targets in the tasks' subnets, so that a task's mount does not depend on another zone."""
        for zone, subnet in subnets.items():
            target = EfsMountTarget(
                self,
                f"mount-{zone[-1]}",
                file_system_id=self.file_system.id,
                subnet_id=subnet.id,
                security_groups=[group.id],
            )
            self.publish(f"mount_target_{zone[-1]}", target, "id", f"Where tasks in {zone} reach the files")

    def _access_point(self, access_point: AccessPoint) -> EfsAccessPoint:
        """PCI DSS 7.3.1: whatever user a container runs as, it acts as this user and sees only this directory."""
        resource = EfsAccessPoint(
            self,
            access_point.name,
            file_system_id=self.file_system.id,
            posix_user=EfsAccessPointPosixUser(uid=access_point.uid, gid=access_point.uid),
            root_directory=EfsAccessPointRootDirectory(
                path=f"/{access_point.name}",
                creation_info=EfsAccessPointRootDirectoryCreationInfo(
                    owner_uid=access_point.uid, owner_gid=access_point.uid, permissions="0750"
                ),
            ),
            tags={"Name": self.names.resource_name(access_point.name)},
        )
        self.publish(f"{access_point.name}_access_point_id", resource, "id", f"Access point for {access_point.purpose}")
        self.export(resource, "arn")
        return resource

    def _refuse_other_mounts(self) -> None:
        """Deny statements only: the roles' IAM policies allow mounting."""
        files = [self.file_system.arn]
        EfsFileSystemPolicy(
            self,
            "policy",
            file_system_id=self.file_system.id,
            policy=policy_document(
                self,
                "access",
                deny_plaintext(["elasticfilesystem:*"], files, to=EVERY_IDENTITY),
                deny("DenyRoot", ["elasticfilesystem:ClientRootAccess"], files, to=EVERY_IDENTITY),
                deny(
                    "DenyAroundAccessPoints",
                    CLIENT_ACTIONS,
                    files,
                    to=EVERY_IDENTITY,
                    # Also applies to mounts without an access point, where the key is absent.
                    when=[
                        Condition(
                            "ArnNotEquals",
                            "elasticfilesystem:AccessPointArn",
                            [point.arn for point in self.access_points.values()],
                        )
                    ],
                ),
                deny_other_accounts(self.settings.account, ["elasticfilesystem:*"], files, to=EVERY_IDENTITY),
            ),
        )

    def _replica(self, foundation: FoundationStack) -> str | None:
        """Replicate to the second Region, and return the id of the replica, which EFS creates as read-only."""
        if (keys := foundation.second_region_keys) is None:
            return None
        replication = EfsReplicationConfiguration(
            self,
            "replication",
            source_file_system_id=self.file_system.id,
            destination=EfsReplicationConfigurationDestination(
                region=self.settings.second_region, kms_key_id=keys.files_replica.arn
            ),
        )
        self.publish("replica_id", replication, "destination.0.file_system_id", "The replica in the second Region")
        return replication.destination.file_system_id

    def _watch(self, foundation: FoundationStack, replica: str | None) -> None:
        io_limit = Alarm(
            name="io-limit",
            namespace="AWS/EFS",
            metric="PercentIOLimit",
            dimensions={"FileSystemId": self.file_system.id},
            statistic="Maximum",
            threshold=90,
            unit="percent of the file system's I/O limit",
            period=300,
            periods=3,
            treat_missing_data="notBreaching",
            reason="reads and writes of files will soon be throttled",
        )
        alarms = [io_limit]
        if replica:
            behind = Alarm(
                name="replica-behind",
                namespace="AWS/EFS",
                metric="TimeSinceLastSync",
                dimensions={"FileSystemId": self.file_system.id, "DestinationFileSystemId": replica},
                statistic="Maximum",
                threshold=3600,  # EFS keeps most replicas within 15 minutes
                unit="seconds",
                period=300,
                periods=3,
                treat_missing_data="breaching",
                reason="if the Region failed, recent changes to files would be lost",
            )
            alarms.append(behind)
        self.alarms = create_alarms(self, foundation.alarm_topic, alarms)
