"""EFS: backup policy, protection, update and replication of file systems; deletion of policies; the missing is told."""

import json
import time
from collections.abc import Mapping
from typing import Any, cast

from moto.efs.exceptions import AccessPointNotFound, BadRequest, EFSError, FileSystemInUse, FileSystemNotFound
from moto.efs.models import AccessPoint, EFSBackend, FileSystem, efs_backends
from moto.efs.responses import TYPE_RESPONSE, EFSResponse

from local_aws.extension import Extension

JSON_HEADERS: Mapping[str, str | int] = {"Content-Type": "application/json"}


class ReplicationAlreadyExists(EFSError):  # noqa: N818 - EFS's own name, as moto has the others
    """A file system has one at a time."""

    code = 409

    def __init__(self, file_system_id: str) -> None:
        super().__init__("ReplicationAlreadyExists", f"File system {file_system_id} has a replication already")


class ReplicationNotFound(EFSError):  # noqa: N818 - as above
    """A file system has none."""

    code = 404

    def __init__(self, file_system_id: str) -> None:
        super().__init__("ReplicationNotFound", f"File system {file_system_id} has no replication")


class ProtectedFileSystem(FileSystem):
    """Protected from being overwritten by a replication until somebody says otherwise, as AWS makes it."""

    # moto describes what does not start with an underscore.
    _overwriting = "ENABLED"
    _backups: dict[str, str] | None = None

    def info_json(self) -> dict[str, Any]:
        return super().info_json() | {"FileSystemProtection": self.protection}

    @property
    def protection(self) -> dict[str, str]:
        return {"ReplicationOverwriteProtection": self._overwriting}

    def set_overwrite_protection(self, overwriting: str) -> None:
        if overwriting not in {"ENABLED", "DISABLED"}:
            raise BadRequest(f"ReplicationOverwriteProtection: {overwriting}")
        if self._overwriting == "REPLICATING":
            raise BadRequest("The file system is a replica")
        self._overwriting = overwriting

    def set_replicating(self, *, following: bool) -> None:
        """Be a replica, which nobody else writes to, or be one no longer."""
        self._overwriting = "REPLICATING" if following else "ENABLED"

    @property
    def backup_policy(self) -> dict[str, str] | None:
        return self._backups or super().backup_policy

    def put_backup_policy(self, policy: dict[str, str]) -> None:
        self._backups = policy

    def change_throughput(self, mode: str | None, mebibytes_a_second: float | None) -> None:
        self.throughput_mode = mode or self.throughput_mode
        if self.throughput_mode != "provisioned":
            self.provisioned_throughput_in_mibps = None
        elif mebibytes_a_second:
            self.provisioned_throughput_in_mibps = mebibytes_a_second


class Backend(EFSBackend):
    """With such file systems; what is missing is told."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.replications: dict[str, dict[str, Any]] = {}
        """By the source's id and by the replica's, each in its Region."""

    def file_system(self, file_system_id: str) -> ProtectedFileSystem:
        if file_system_id not in self.file_systems_by_id:
            raise FileSystemNotFound(file_system_id)
        return cast(ProtectedFileSystem, self.file_systems_by_id[file_system_id])

    def delete_file_system(self, file_system_id: str) -> None:
        if file_system_id in self.replications:
            raise FileSystemInUse("Must delete the replication before deleting the file system.")
        super().delete_file_system(file_system_id)

    def create_replication(self, source_id: str, asked: Mapping[str, str]) -> dict[str, Any]:
        """Make a file system in another Region that follows one of this."""
        source = self.file_system(source_id)
        if source_id in self.replications:
            raise ReplicationAlreadyExists(source_id)
        if asked.keys() - {"Region", "KmsKeyId"}:
            raise NotImplementedError(f"CreateReplicationConfiguration: {', '.join(asked)}")
        there: Any = efs_backends[self.account_id][asked["Region"]]
        replica: ProtectedFileSystem = there.create_file_system(
            creation_token=f"replica-of-{source_id}",
            performance_mode=source.performance_mode,
            encrypted=True,
            kms_key_id=asked.get("KmsKeyId"),
            throughput_mode=source.throughput_mode,
            provisioned_throughput_in_mibps=None,
            availability_zone_name=None,
            backup=True,
            tags=[],
        )
        replica.set_replicating(following=True)
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
                    "Region": asked["Region"],
                    "OwnerId": self.account_id,
                    "LastReplicatedTimestamp": time.time(),
                }
            ],
        }
        self.replications[source_id] = there.replications[replica.file_system_id] = replication
        return replication

    def replication(self, file_system_id: str) -> dict[str, Any]:
        self.file_system(file_system_id)
        if file_system_id not in self.replications:
            raise ReplicationNotFound(file_system_id)
        return self.replications[file_system_id]

    def delete_replication(self, source_id: str) -> None:
        """The replica stays, and is from now on a file system like any other."""
        (destination,) = self.replication(source_id)["Destinations"]
        there = cast(Backend, efs_backends[self.account_id][destination["Region"]])
        there.file_system(destination["FileSystemId"]).set_replicating(following=False)
        del self.replications[source_id], there.replications[destination["FileSystemId"]]

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

    def create_access_point(self, *args: Any, **asked: Any) -> AccessPoint:
        self.file_system(asked["file_system_id"])
        return super().create_access_point(*args, **asked)

    def delete_access_point(self, access_point_id: str) -> None:
        self.describe_access_points(access_point_id, None)
        super().delete_access_point(access_point_id)

    def list_tags_for_resource(self, resource_id: str) -> list[dict[str, str]]:
        self._require(resource_id)
        return super().list_tags_for_resource(resource_id)

    def tag_resource(self, arn: str, tags: dict[str, str]) -> None:
        self._require(arn)
        super().tag_resource(arn, tags)

    def untag_resource(self, arn: str, tag_keys: list[str]) -> None:
        self._require(arn)
        super().untag_resource(arn, tag_keys)

    def _require(self, arn: str) -> None:
        identity = arn.rpartition("/")[2]
        if identity.startswith("fs-"):
            self.file_system(identity)
        elif identity not in self.access_points:
            raise AccessPointNotFound(identity)


class Responses(EFSResponse):
    """With the actions on it."""

    @property
    def backend(self) -> Backend:
        return cast(Backend, self.efs_backend)

    @property
    def file_system(self) -> ProtectedFileSystem:
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
        known = self.backend.replications.values()
        found = [self.backend.replication(file_system)] if file_system else list(known)
        return json.dumps({"Replications": found}), {**JSON_HEADERS}

    def delete_replication_configuration(self) -> TYPE_RESPONSE:
        self.backend.delete_replication(self._get_param("SourceFileSystemId"))
        return "", {**JSON_HEADERS, "status": 204}


EXTENSION = Extension(
    "efs",
    Responses,
    Backend,
    models=(ProtectedFileSystem,),
    routes=(
        "/2015-02-01/file-systems/<file_system_id>/protection",
        "/2015-02-01/file-systems/<file_system_id>/replication-configuration",
        "/2015-02-01/file-systems/replication-configurations",
    ),
    gaps={
        "aws_efs_access_point": "one could be made for no file system",
        "aws_efs_backup_policy": "no action to put one",
        "aws_efs_file_system": "protection, throughput",
        "aws_efs_file_system_policy": "no action to delete one",
        "aws_efs_replication_configuration": "there was none",
    },
)
