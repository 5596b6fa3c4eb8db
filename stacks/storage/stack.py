"""Files that outlive a task: one encrypted EFS file system, reachable from every zone.

Tasks mount it through access points, each with an identity and a root of its own, over TLS, with IAM. Whoever comes any
other way is refused, as root is.
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
from stacks.statements import EVERYONE, Condition, deny, deny_other_accounts, deny_plaintext
from stacks.tier import TierStack

MOUNT_AND_WRITE = ("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite")
CLIENT_ACTIONS = (*MOUNT_AND_WRITE, "elasticfilesystem:ClientRootAccess")


@dataclass(frozen=True)
class AccessPoint:
    """What files are for: a root directory, and the only user who is ever seen in it."""

    name: str
    uid: int
    why: str


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
        self._back_up()
        self._mount_in_every_zone(network.app_subnets, network.security_groups.files)
        self.access_points = {use.name: self._access_point(use) for use in ACCESS_POINTS}
        self._refuse_all_other_ways()
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
            # Nothing may make it the target of a replication, which would empty it; to come back from the second Region
            # is a decision (docs/runbooks/storage.md).
            protection=EfsFileSystemProtection(replication_overwrite="ENABLED"),
            tags={"Name": name},
            lifecycle=self.stateful_lifecycle(),
        )
        self.publish("file_system_id", file_system, "id", "The EFS file system that tasks mount")
        self.export(file_system, "arn")
        return file_system

    def _back_up(self) -> None:
        EfsBackupPolicy(
            self,
            "backup",
            file_system_id=self.file_system.id,
            backup_policy=EfsBackupPolicyBackupPolicy(status="ENABLED"),
        )

    def _mount_in_every_zone(self, subnets: ZonalSubnets, group: SecurityGroup) -> None:
        """In the tasks' own subnets: a mount survives the loss of any other zone."""
        for zone, subnet in subnets.items():
            target = EfsMountTarget(
                self,
                f"mount-{zone[-1]}",
                file_system_id=self.file_system.id,
                subnet_id=subnet.id,
                security_groups=[group.id],
            )
            self.publish(f"mount_target_{zone[-1]}", target, "id", f"Where tasks in {zone} reach the files")

    def _access_point(self, use: AccessPoint) -> EfsAccessPoint:
        """PCI DSS 7.3.1: whatever user a container runs as, its files have this owner, and it sees no others."""
        point = EfsAccessPoint(
            self,
            use.name,
            file_system_id=self.file_system.id,
            posix_user=EfsAccessPointPosixUser(uid=use.uid, gid=use.uid),
            root_directory=EfsAccessPointRootDirectory(
                path=f"/{use.name}",
                creation_info=EfsAccessPointRootDirectoryCreationInfo(
                    owner_uid=use.uid, owner_gid=use.uid, permissions="0750"
                ),
            ),
            tags={"Name": self.names.resource_name(use.name)},
        )
        self.publish(f"{use.name}_access_point_id", point, "id", f"Access point for {use.why}")
        self.export(point, "arn")
        return point

    def _refuse_all_other_ways(self) -> None:
        """It only denies: who may mount is in the IAM policies of those who do."""
        files = [self.file_system.arn]
        EfsFileSystemPolicy(
            self,
            "policy",
            file_system_id=self.file_system.id,
            policy=policy_document(
                self,
                "access",
                deny_plaintext(["elasticfilesystem:*"], files),
                deny("DenyRoot", ["elasticfilesystem:ClientRootAccess"], files, to=EVERYONE),
                deny(
                    "DenyAroundAccessPoints",
                    CLIENT_ACTIONS,
                    files,
                    to=EVERYONE,
                    # Holds for a mount without an access point, too: then there is no such key.
                    when=[
                        Condition(
                            "ArnNotEquals",
                            "elasticfilesystem:AccessPointArn",
                            [point.arn for point in self.access_points.values()],
                        )
                    ],
                ),
                deny_other_accounts(self.settings.account, ["elasticfilesystem:*"], files),
            ),
        )

    def _replica(self, foundation: FoundationStack) -> str | None:
        """Id of the file system that follows this one in the second Region, which EFS makes and only EFS writes to."""
        if (keys := foundation.second_region_keys) is None:
            return None
        replication = EfsReplicationConfiguration(
            self,
            "replication",
            source_file_system_id=self.file_system.id,
            destination=EfsReplicationConfigurationDestination(
                region=self.settings.second_region, kms_key_id=keys.files.arn
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
            unit="percent of the file system's operations",
            period=300,
            periods=3,
            missing="notBreaching",
            why="reads and writes of files begin to wait for one another",
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
                missing="breaching",
                why="with the Region, so much of what was written to files would be lost",
            )
            alarms.append(behind)
        self.alarms = create_alarms(self, foundation.alarm_topic, alarms)
