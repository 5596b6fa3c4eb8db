"""EFS: backup policy, protection, update of file systems, deletion of their policies; what is missing is told."""

import json
from collections.abc import Mapping
from typing import Any, cast

from moto.efs.exceptions import AccessPointNotFound, BadRequest, FileSystemNotFound
from moto.efs.models import AccessPoint, EFSBackend, FileSystem
from moto.efs.responses import TYPE_RESPONSE, EFSResponse

from operations.rehearsal.local_aws.extension import Extension

JSON: Mapping[str, str | int] = {"Content-Type": "application/json"}


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

    def protect(self, overwriting: str) -> None:
        if overwriting not in {"ENABLED", "DISABLED"}:
            raise BadRequest(f"ReplicationOverwriteProtection: {overwriting}")
        self._overwriting = overwriting

    @property
    def backup_policy(self) -> dict[str, str] | None:
        return self._backups or super().backup_policy

    def back_up(self, policy: dict[str, str]) -> None:
        self._backups = policy

    def change_throughput(self, mode: str | None, mebibytes_a_second: float | None) -> None:
        self.throughput_mode = mode or self.throughput_mode
        if self.throughput_mode != "provisioned":
            self.provisioned_throughput_in_mibps = None
        elif mebibytes_a_second:
            self.provisioned_throughput_in_mibps = mebibytes_a_second


class Backend(EFSBackend):
    """With such file systems; what is missing is told."""

    def create_file_system(self, *args: Any, **asked: Any) -> FileSystem:
        file_system = super().create_file_system(*args, **asked)
        # moto names its class where it makes one.
        file_system.__class__ = ProtectedFileSystem
        return file_system

    def file_system(self, file_system_id: str) -> ProtectedFileSystem:
        if file_system_id not in self.file_systems_by_id:
            raise FileSystemNotFound(file_system_id)
        return cast(ProtectedFileSystem, self.file_systems_by_id[file_system_id])

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
        self._check(resource_id)
        return super().list_tags_for_resource(resource_id)

    def tag_resource(self, arn: str, tags: dict[str, str]) -> None:
        self._check(arn)
        super().tag_resource(arn, tags)

    def untag_resource(self, arn: str, tag_keys: list[str]) -> None:
        self._check(arn)
        super().untag_resource(arn, tag_keys)

    def _check(self, arn: str) -> None:
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
        return json.dumps(self.file_system.info_json()), {**JSON, "status": 202}

    def update_file_system_protection(self) -> TYPE_RESPONSE:
        self.file_system.protect(self._get_param("ReplicationOverwriteProtection"))
        return json.dumps(self.file_system.protection), {**JSON}

    def put_backup_policy(self) -> TYPE_RESPONSE:
        self.file_system.back_up(self._get_param("BackupPolicy"))
        return json.dumps({"BackupPolicy": self.file_system.backup_policy}), {**JSON}

    def delete_file_system_policy(self) -> TYPE_RESPONSE:
        self.backend.delete_file_system_policy(self._get_param("FileSystemId"))
        return "{}", {**JSON}


EXTENSION = Extension(
    "efs",
    Responses,
    Backend,
    routes=("/2015-02-01/file-systems/<file_system_id>/protection",),
    serves={
        "aws_efs_access_point": "one could be made for no file system",
        "aws_efs_backup_policy": "no action to put one",
        "aws_efs_file_system": "protection, throughput",
        "aws_efs_file_system_policy": "no action to delete one",
    },
)
