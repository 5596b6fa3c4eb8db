"""EFS: file system updates, backup policies, overwrite protection, replication, policy deletion, not-found errors."""

import json
import time
from collections.abc import Mapping
from typing import Any, cast

from moto.efs.exceptions import AccessPointNotFound, BadRequest, EFSError, FileSystemInUse, FileSystemNotFound
from moto.efs.models import AccessPoint, EFSBackend, FileSystem, efs_backends
from moto.efs.responses import TYPE_RESPONSE, EFSResponse

from local_aws.extension import Extension

JSON_HEADERS: Mapping[str, str | int] = {"Content-Type": "application/json"}


class ReplicationAlreadyExists(EFSError):  # noqa: N818 - EFS's error name, as in moto
    """The file system is already replicated."""

    code = 409

    def __init__(self, file_system_id: str) -> None:
        super().__init__(
            "ReplicationAlreadyExists", f"File system {file_system_id} already has a replication configuration"
        )


class ReplicationNotFound(EFSError):  # noqa: N818 - as above
    """The file system is not replicated."""

    code = 404

    def __init__(self, file_system_id: str) -> None:
        super().__init__("ReplicationNotFound", f"File system {file_system_id} has no replication configuration")


class ExtendedFileSystem(FileSystem):
    """Adds replication overwrite protection, on by default as in AWS, backup policies and throughput updates."""

    # Private: moto's descriptions contain every attribute whose name has no leading underscore.
    _overwrite_protection = "ENABLED"
    _backups: dict[str, str] | None = None

    def info_json(self) -> dict[str, Any]:
        return super().info_json() | {"FileSystemProtection": self.protection}

    @property
    def protection(self) -> dict[str, str]:
        return {"ReplicationOverwriteProtection": self._overwrite_protection}

    def set_overwrite_protection(self, protection: str) -> None:
        if "REPLICATING" in (protection, self._overwrite_protection):
            raise BadRequest("The overwrite protection of a replica cannot be changed")
        self._overwrite_protection = protection

    def become_replica(self) -> None:
        """Become a replica, which is read-only."""
        self._overwrite_protection = "REPLICATING"

    def become_independent(self) -> None:
        """Stop being a replica."""
        self._overwrite_protection = "ENABLED"

    @property
    def backup_policy(self) -> dict[str, str] | None:
        return self._backups or super().backup_policy

    def put_backup_policy(self, policy: dict[str, str]) -> None:
        self._backups = policy

    def change_throughput(self, mode: str | None, mibps: float | None) -> None:
        self.throughput_mode = mode or self.throughput_mode
        if self.throughput_mode != "provisioned":
            self.provisioned_throughput_in_mibps = None
        elif mibps:
            self.provisioned_throughput_in_mibps = mibps


class Backend(EFSBackend):
    """Adds replications, and errors for missing file systems."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.replications: dict[str, dict[str, Any]] = {}
        """Replications, by ID of the source or replica in this Region."""

    def file_system(self, file_system_id: str) -> ExtendedFileSystem:
        if file_system_id not in self.file_systems_by_id:
            raise FileSystemNotFound(file_system_id)
        return cast(ExtendedFileSystem, self.file_systems_by_id[file_system_id])

    def delete_file_system(self, file_system_id: str) -> None:
        if file_system_id in self.replications:
            raise FileSystemInUse("Delete the replication configuration before the file system.")
        super().delete_file_system(file_system_id)

    def create_replication(self, source_id: str, destination: Mapping[str, str]) -> dict[str, Any]:
        """Create a replica in another Region."""
        source = self.file_system(source_id)
        if source_id in self.replications:
            raise ReplicationAlreadyExists(source_id)
        if unknown := destination.keys() - {"Region", "KmsKeyId"}:
            raise NotImplementedError(f"a destination with {', '.join(sorted(unknown))} is not implemented")
        remote: Any = efs_backends[self.account_id][destination["Region"]]
        replica: ExtendedFileSystem = remote.create_file_system(
            creation_token=f"replica-of-{source_id}",
            performance_mode=source.performance_mode,
            encrypted=True,
            kms_key_id=destination.get("KmsKeyId"),
            throughput_mode=source.throughput_mode,
            provisioned_throughput_in_mibps=None,
            availability_zone_name=None,
            backup=True,
            tags=[],
        )
        replica.become_replica()
        replication = {
            "SourceFileSystemId": source_id,
            "SourceFileSystemRegion": self.region_name,
            "SourceFileSystemArn": source.file_system_arn,
            "OriginalSourceFileSystemArn": source.file_system_arn,
            "SourceFileSystemOwnerId": self.account_id,
            "CreationTime": time.time(),
            "Destinations": [
                {
                    "Status": "ENABLED",
                    "FileSystemId": replica.file_system_id,
                    "Region": destination["Region"],
                    "OwnerId": self.account_id,
                    "LastReplicatedTimestamp": time.time(),
                }
            ],
        }
        self.replications[source_id] = remote.replications[replica.file_system_id] = replication
        return replication

    def replication(self, file_system_id: str) -> dict[str, Any]:
        self.file_system(file_system_id)
        if file_system_id not in self.replications:
            raise ReplicationNotFound(file_system_id)
        return self.replications[file_system_id]

    def delete_replication(self, source_id: str) -> None:
        """End a replication. The replica becomes an independent file system."""
        (destination,) = self.replication(source_id)["Destinations"]
        remote = cast(Backend, efs_backends[self.account_id][destination["Region"]])
        remote.file_system(destination["FileSystemId"]).become_independent()
        del self.replications[source_id], remote.replications[destination["FileSystemId"]]

    def describe_backup_policy(self, file_system_id: str) -> dict[str, str]:
        self.file_system(file_system_id)
        return super().describe_backup_policy(file_system_id)

    def put_file_system_policy(
        self, file_system_id: str, policy: str, bypass_policy_lockout_safety_check: bool
    ) -> None:
        self.file_system(file_system_id)
        super().put_file_system_policy(file_system_id, policy, bypass_policy_lockout_safety_check)

    def describe_file_system_policy(self, file_system_id: str) -> str:
        self.file_system(file_system_id)
        return super().describe_file_system_policy(file_system_id)

    def delete_file_system_policy(self, file_system_id: str) -> None:
        self.file_system(file_system_id).file_system_policy = None

    def create_access_point(self, *args: Any, **settings: Any) -> AccessPoint:
        self.file_system(settings["file_system_id"])
        return super().create_access_point(*args, **settings)

    def delete_access_point(self, access_point_id: str) -> None:
        self.describe_access_points(access_point_id, None)
        super().delete_access_point(access_point_id)

    def list_tags_for_resource(self, resource_id: str) -> list[dict[str, str]]:
        self._check_exists(resource_id)
        return super().list_tags_for_resource(resource_id)

    def tag_resource(self, arn: str, tags: dict[str, str]) -> None:
        self._check_exists(arn)
        super().tag_resource(arn, tags)

    def untag_resource(self, arn: str, tag_keys: list[str]) -> None:
        self._check_exists(arn)
        super().untag_resource(arn, tag_keys)

    def _check_exists(self, id_or_arn: str) -> None:
        resource_id = id_or_arn.rpartition("/")[2]
        if resource_id.startswith("fs-"):
            self.file_system(resource_id)
        elif resource_id not in self.access_points:
            raise AccessPointNotFound(resource_id)


class Responses(EFSResponse):
    """Adds the actions that moto lacks."""

    @property
    def backend(self) -> Backend:
        return cast(Backend, self.efs_backend)

    @property
    def file_system(self) -> ExtendedFileSystem:
        return self.backend.file_system(self._get_param("FileSystemId"))

    def update_file_system(self) -> TYPE_RESPONSE:
        throughput = self._get_float_param("ProvisionedThroughputInMibps")
        self.file_system.change_throughput(self._get_param("ThroughputMode"), throughput)
        return json.dumps(self.file_system.info_json()), {**JSON_HEADERS, "status": 202}

    def update_file_system_protection(self) -> TYPE_RESPONSE:
        self.file_system.set_overwrite_protection(self._get_param("ReplicationOverwriteProtection"))
        return json.dumps(self.file_system.protection), {**JSON_HEADERS}

    def put_backup_policy(self) -> TYPE_RESPONSE:
        self.file_system.put_backup_policy(self._get_param("BackupPolicy"))
        return json.dumps({"BackupPolicy": self.file_system.backup_policy}), {**JSON_HEADERS}

    def delete_file_system_policy(self) -> TYPE_RESPONSE:
        self.backend.delete_file_system_policy(self._get_param("FileSystemId"))
        return "{}", {**JSON_HEADERS}

    def create_replication_configuration(self) -> TYPE_RESPONSE:
        (destination,) = self._get_param("Destinations")
        replication = self.backend.create_replication(self._get_param("SourceFileSystemId"), destination)
        return json.dumps(replication), {**JSON_HEADERS}

    def describe_replication_configurations(self) -> TYPE_RESPONSE:
        file_system = self._get_param("FileSystemId")
        replications = [self.backend.replication(file_system)] if file_system else [*self.backend.replications.values()]
        return json.dumps({"Replications": replications}), {**JSON_HEADERS}

    def delete_replication_configuration(self) -> TYPE_RESPONSE:
        self.backend.delete_replication(self._get_param("SourceFileSystemId"))
        return "", {**JSON_HEADERS, "status": 204}


EXTENSION = Extension(
    "efs",
    Responses,
    Backend,
    models=(ExtendedFileSystem,),
    routes=(
        "/2015-02-01/file-systems/<file_system_id>/protection",
        "/2015-02-01/file-systems/<file_system_id>/replication-configuration",
        "/2015-02-01/file-systems/replication-configurations",
    ),
    gaps={
        "aws_efs_access_point": "accepted missing file systems",
        "aws_efs_backup_policy": "lacked PutBackupPolicy",
        "aws_efs_file_system": "lacked overwrite protection, and updates of the throughput",
        "aws_efs_file_system_policy": "could not be deleted",
        "aws_efs_replication_configuration": "was not implemented",
    },
)
