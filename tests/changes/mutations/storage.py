"""Mutations for test_storage.py: the file system, its mount targets, policy and access points."""

import json
from typing import Any

from local_aws.server import LocalAws
from tests.changes.mutations import Mutation, Related
from tests.changes.mutations.lookup import key, named


def files(aws: LocalAws) -> str:
    """Id of the file system."""
    (one,) = aws.client("efs").describe_file_systems()["FileSystems"]
    return one["FileSystemId"]


def mount_target(aws: LocalAws) -> str:
    """Id of a mount target."""
    return aws.client("efs").describe_mount_targets(FileSystemId=files(aws))["MountTargets"][0]["MountTargetId"]


def change_security_group(aws: LocalAws) -> None:
    aws.client("efs").modify_mount_target_security_groups(
        MountTargetId=mount_target(aws), SecurityGroups=[named(aws, "sg", "service")]
    )


def change_key(aws: LocalAws) -> None:
    aws.backend("efs").file_systems_by_id[files(aws)].kms_key_id = key(aws, "database")


def change_replica_key(aws: LocalAws) -> None:
    (destination,) = aws.backend("efs").replication(files(aws))["Destinations"]
    backend = aws.backend("efs", destination["Region"])
    backend.file_systems_by_id[destination["FileSystemId"]].kms_key_id = key(aws, "files")


def remove_statement(sid: str) -> Mutation:
    """Remove a statement from the policy."""

    def change(aws: LocalAws) -> None:
        efs, id = aws.client("efs"), files(aws)
        policy: Any = json.loads(efs.describe_file_system_policy(FileSystemId=id)["Policy"])
        policy["Statement"] = [one for one in policy["Statement"] if one["Sid"] != sid]
        efs.put_file_system_policy(FileSystemId=id, Policy=json.dumps(policy))

    return change


def change_access_point_user(aws: LocalAws) -> None:
    point = sorted(aws.backend("efs").access_points.items())[0][1]
    point.posix_user = {"Uid": 0, "Gid": 0}


MUTATIONS: dict[str, Mutation] = {
    "test_there_is_a_mount_target_in_every_zone": lambda aws: aws.client("efs").delete_mount_target(
        MountTargetId=mount_target(aws)
    ),
    "test_mount_targets_have_their_security_group": change_security_group,
    "test_files_are_encrypted_with_their_key": change_key,
    "test_files_have_no_automatic_backups": lambda aws: aws.client("efs").put_backup_policy(
        FileSystemId=files(aws), BackupPolicy={"Status": "ENABLED"}
    ),
    "test_files_are_replicated_to_the_second_region": lambda aws: aws.client("efs").delete_replication_configuration(
        SourceFileSystemId=files(aws)
    ),
    "test_replica_is_encrypted_with_its_key": change_replica_key,
    "test_files_are_protected_from_replication_overwrite": lambda aws: aws.client("efs").update_file_system_protection(
        FileSystemId=files(aws), ReplicationOverwriteProtection="DISABLED"
    ),
    "test_file_system_policy_requires_tls": remove_statement("DenyPlaintext"),
    "test_file_system_policy_requires_access_points": remove_statement("DenyAroundAccessPoints"),
    "test_access_points_have_their_own_user_and_root_directory": change_access_point_user,
}
RELATED: Related = {}
