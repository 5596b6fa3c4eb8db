"""Out-of-band changes to EFS resources, one per argument."""

import json
from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change


def _file_system(**values: Any) -> Change:
    def change(aws: LocalAws, file_system: dict[str, Any]) -> None:
        vars(aws.backend("efs").file_systems_by_id[file_system["id"]]).update(values)

    return change


def _access_point(**values: Any) -> Change:
    def change(aws: LocalAws, access_point: dict[str, Any]) -> None:
        vars(aws.backend("efs").access_points[access_point["id"]]).update(values)

    return change


def _add_tag(aws: LocalAws, resource: dict[str, Any]) -> None:
    aws.client("efs").tag_resource(ResourceId=resource["id"], Tags=[{"Key": "Changed", "Value": "yes"}])


def _change_lifecycle(aws: LocalAws, file_system: dict[str, Any]) -> None:
    aws.client("efs").put_lifecycle_configuration(
        FileSystemId=file_system["id"], LifecyclePolicies=[{"TransitionToIA": "AFTER_90_DAYS"}]
    )


def _disable_protection(aws: LocalAws, file_system: dict[str, Any]) -> None:
    aws.client("efs").update_file_system_protection(
        FileSystemId=file_system["id"], ReplicationOverwriteProtection="DISABLED"
    )


def _change_throughput_mode(aws: LocalAws, file_system: dict[str, Any]) -> None:
    aws.client("efs").update_file_system(FileSystemId=file_system["id"], ThroughputMode="bursting")


def _enable_backup(aws: LocalAws, policy: dict[str, Any]) -> None:
    aws.client("efs").put_backup_policy(FileSystemId=policy["file_system_id"], BackupPolicy={"Status": "ENABLED"})


def _change_replica_region(aws: LocalAws, replication: dict[str, Any]) -> None:
    (destination,) = aws.backend("efs").replication(replication["source_file_system_id"])["Destinations"]
    destination["Region"] = "eu-west-1"


def _allow_all_principals(aws: LocalAws, policy: dict[str, Any]) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "elasticfilesystem:*", "Resource": "*"}
    aws.client("efs").put_file_system_policy(
        FileSystemId=policy["file_system_id"],
        Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_efs_access_point", "file_system_id"): _access_point(file_system_id="fs-0123456789abcdef0"),
    ("aws_efs_access_point", "posix_user"): _access_point(posix_user={"Uid": 0, "Gid": 0}),
    ("aws_efs_access_point", "root_directory"): _access_point(root_directory={"Path": "/"}),
    ("aws_efs_access_point", "tags"): _add_tag,
    ("aws_efs_backup_policy", "backup_policy"): _enable_backup,
    ("aws_efs_file_system", "creation_token"): _file_system(creation_token="another"),
    ("aws_efs_file_system", "encrypted"): _file_system(encrypted=False),
    ("aws_efs_file_system", "kms_key_id"): _file_system(kms_key_id="arn:aws:kms:us-west-1:111122223333:key/another"),
    ("aws_efs_file_system", "lifecycle_policy"): _change_lifecycle,
    ("aws_efs_file_system", "performance_mode"): _file_system(performance_mode="maxIO"),
    ("aws_efs_file_system", "protection"): _disable_protection,
    ("aws_efs_file_system", "tags"): _add_tag,
    ("aws_efs_file_system", "throughput_mode"): _change_throughput_mode,
    ("aws_efs_file_system_policy", "policy"): _allow_all_principals,
    ("aws_efs_replication_configuration", "destination"): _change_replica_region,
}
UNREAD: dict[tuple[str, str], str] = {
    ("aws_efs_backup_policy", "file_system_id"): IDENTIFIES,
    ("aws_efs_file_system_policy", "file_system_id"): IDENTIFIES,
    ("aws_efs_replication_configuration", "source_file_system_id"): IDENTIFIES,
}
