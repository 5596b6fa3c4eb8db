"""The storage tier: mount targets, access points, policy, replication, backup."""

import pytest

from synthesized.platform import Platform
from tests.synthesized import bodies, conditions, only, statements

pytestmark = pytest.mark.tiers("storage")

FILE_SYSTEM = "aws_efs_file_system.storage_files"
EVERY_IDENTITY = [{"type": "AWS", "identifiers": ["*"]}]


def test_the_file_system_is_regional_and_elastic(prod: Platform):
    files = only(prod, "aws_efs_file_system")
    # The argument would create a One Zone file system.
    assert "availability_zone_name" not in files
    assert files["throughput_mode"] == "elastic"
    assert files["protection"] == {"replication_overwrite": "ENABLED"}


def test_unused_files_move_to_cheaper_storage_and_back(prod: Platform):
    assert only(prod, "aws_efs_file_system")["lifecycle_policy"] == [
        {"transition_to_ia": "AFTER_30_DAYS"},
        {"transition_to_archive": "AFTER_90_DAYS"},
        {"transition_to_primary_storage_class": "AFTER_1_ACCESS"},
    ]


def test_there_is_a_mount_target_in_every_zone(three_zones: Platform):
    mounts = bodies(three_zones, "aws_efs_mount_target").values()
    assert [mount["subnet_id"] for mount in mounts] == [f"${{aws_subnet.network_app-{zone}.id}}" for zone in "abc"]
    for mount in mounts:
        assert mount["file_system_id"] == f"${{{FILE_SYSTEM}.id}}"
        assert mount["security_groups"] == ["${aws_security_group.network_group-files.id}"]


def test_each_access_point_has_its_own_user_and_root_directory(prod: Platform):
    points = bodies(prod, "aws_efs_access_point")
    assert points.keys() == {"uploads", "documents"}
    users = [(point["posix_user"]["uid"], point["posix_user"]["gid"]) for point in points.values()]
    assert len(set(users)) == len(users)
    assert not {0, 1000} & {number for user in users for number in user}
    for name, point in points.items():
        root = point["root_directory"]
        assert root["path"] == f"/{name}"
        owner = root["creation_info"]
        assert (owner["owner_uid"], owner["owner_gid"]) == (point["posix_user"]["uid"], point["posix_user"]["gid"])
        # No access for others.
        assert owner["permissions"] == "0750"


def test_plaintext_and_root_and_other_accounts_are_refused(prod: Platform):
    access = statements(prod, "storage", "access")
    assert all(statement["effect"] == "Deny" for statement in access.values())
    assert all(statement["resources"] == [f"${{{FILE_SYSTEM}.arn}}"] for statement in access.values())
    assert all(statement["principals"] == EVERY_IDENTITY for statement in access.values())
    assert conditions(access["DenyPlaintext"]) == {"Bool aws:SecureTransport": ["false"]}
    assert access["DenyRoot"]["actions"] == ["elasticfilesystem:ClientRootAccess"]
    assert "condition" not in access["DenyRoot"]
    assert conditions(access["DenyOtherAccounts"])["StringNotEquals aws:PrincipalAccount"] == ["111122223333"]


def test_mounts_without_an_access_point_are_denied(prod: Platform):
    around = statements(prod, "storage", "access")["DenyAroundAccessPoints"]
    assert set(around["actions"]) == {
        "elasticfilesystem:ClientMount",
        "elasticfilesystem:ClientWrite",
        "elasticfilesystem:ClientRootAccess",
    }
    # A negated operator also matches requests without the key: mounts without an access point.
    assert conditions(around) == {
        "ArnNotEquals elasticfilesystem:AccessPointArn": [
            "${aws_efs_access_point.storage_uploads.arn}",
            "${aws_efs_access_point.storage_documents.arn}",
        ]
    }
    policy = only(prod, "aws_efs_file_system_policy")
    assert policy["file_system_id"] == f"${{{FILE_SYSTEM}.id}}"
    assert policy["policy"] == "${data.aws_iam_policy_document.storage_access.json}"


def test_files_are_replicated_with_a_key_of_the_second_region(prod: Platform, dev: Platform):
    replication = only(prod, "aws_efs_replication_configuration")
    assert replication["source_file_system_id"] == f"${{{FILE_SYSTEM}.id}}"
    assert replication["destination"] == {
        "region": "eu-west-2",
        "kms_key_id": "${aws_kms_key.foundation_key-files-replica.arn}",
    }
    assert not dev.of_type("aws_efs_replication_configuration")


def test_an_alarm_is_raised_if_replication_falls_behind(prod: Platform, dev: Platform):
    alarm = bodies(prod, "aws_cloudwatch_metric_alarm", "storage")["alarm-replica-behind"]
    replication = "aws_efs_replication_configuration.storage_replication"
    assert alarm["dimensions"] == {
        "FileSystemId": f"${{{FILE_SYSTEM}.id}}",
        "DestinationFileSystemId": f"${{{replication}.destination[0].file_system_id}}",
    }
    assert alarm["treat_missing_data"] == "breaching"
    assert "alarm-replica-behind" not in bodies(dev, "aws_cloudwatch_metric_alarm", "storage")
