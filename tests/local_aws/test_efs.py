"""EFS: file systems, policies, access points and replication."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws

NOWHERE = "fs-0123456789abcdef0"
SECOND_REGION = "us-east-2"


@pytest.fixture(scope="module")
def efs(aws: LocalAws) -> Any:
    return aws.client("efs")


@pytest.fixture
def files(efs: Any, request: pytest.FixtureRequest) -> str:
    return efs.create_file_system(CreationToken=request.node.name)["FileSystemId"]


def described(efs: Any, files: str) -> dict[str, Any]:
    return efs.describe_file_systems(FileSystemId=files)["FileSystems"][0]


def test_overwrite_protection_is_enabled_by_default(efs: Any, files: str) -> None:
    assert described(efs, files)["FileSystemProtection"] == {"ReplicationOverwriteProtection": "ENABLED"}
    efs.update_file_system_protection(FileSystemId=files, ReplicationOverwriteProtection="DISABLED")
    assert described(efs, files)["FileSystemProtection"] == {"ReplicationOverwriteProtection": "DISABLED"}
    with pytest.raises(ClientError, match="BadRequest"):
        efs.update_file_system_protection(FileSystemId=files, ReplicationOverwriteProtection="REPLICATING")


def test_throughput_can_be_updated(efs: Any, files: str) -> None:
    description = efs.update_file_system(
        FileSystemId=files, ThroughputMode="provisioned", ProvisionedThroughputInMibps=64.0
    )
    assert (description["ThroughputMode"], description["ProvisionedThroughputInMibps"]) == ("provisioned", 64.0)
    efs.update_file_system(FileSystemId=files, ProvisionedThroughputInMibps=128.0)
    assert described(efs, files)["ProvisionedThroughputInMibps"] == 128.0
    efs.update_file_system(FileSystemId=files, ThroughputMode="provisioned")
    assert described(efs, files)["ProvisionedThroughputInMibps"] == 128.0
    efs.update_file_system(FileSystemId=files, ThroughputMode="elastic")
    assert "ProvisionedThroughputInMibps" not in described(efs, files)


def test_lifecycle_policies_keep_their_order(efs: Any, files: str) -> None:
    policies = [
        {"TransitionToPrimaryStorageClass": "AFTER_1_ACCESS"},
        {"TransitionToArchive": "AFTER_90_DAYS"},
        {"TransitionToIA": "AFTER_30_DAYS"},
    ]
    efs.put_lifecycle_configuration(FileSystemId=files, LifecyclePolicies=policies)
    assert efs.describe_lifecycle_configuration(FileSystemId=files)["LifecyclePolicies"] == policies


def test_a_backup_policy_can_be_put(efs: Any, files: str) -> None:
    with pytest.raises(ClientError, match="PolicyNotFound"):
        efs.describe_backup_policy(FileSystemId=files)
    for status in ("ENABLED", "DISABLED"):
        efs.put_backup_policy(FileSystemId=files, BackupPolicy={"Status": status})
        assert efs.describe_backup_policy(FileSystemId=files)["BackupPolicy"] == {"Status": status}


def test_a_file_system_policy_can_be_deleted(efs: Any, files: str) -> None:
    efs.put_file_system_policy(FileSystemId=files, Policy='{"Statement": []}')
    assert efs.describe_file_system_policy(FileSystemId=files)["Policy"] == '{"Statement": []}'
    efs.delete_file_system_policy(FileSystemId=files)
    with pytest.raises(ClientError, match="PolicyNotFound"):
        efs.describe_file_system_policy(FileSystemId=files)


def test_an_access_point_can_be_tagged_and_deleted(efs: Any, files: str) -> None:
    point = efs.create_access_point(FileSystemId=files, Tags=[{"Key": "Name", "Value": "uploads"}])["AccessPointId"]
    efs.tag_resource(ResourceId=point, Tags=[{"Key": "Owner", "Value": "us"}])
    efs.untag_resource(ResourceId=point, TagKeys=["Name"])
    assert efs.list_tags_for_resource(ResourceId=point)["Tags"] == [{"Key": "Owner", "Value": "us"}]
    efs.delete_access_point(AccessPointId=point)
    for action, arguments in (
        (efs.delete_access_point, {"AccessPointId": point}),
        (efs.list_tags_for_resource, {"ResourceId": point}),
    ):
        with pytest.raises(ClientError, match="AccessPointNotFound"):
            action(**arguments)


def test_an_access_point_keeps_its_user_and_directory(efs: Any, files: str) -> None:
    user = {"Uid": 1001, "Gid": 1001}
    directory = {"Path": "/uploads", "CreationInfo": {"OwnerUid": 1001, "OwnerGid": 1001, "Permissions": "0750"}}
    point = efs.create_access_point(FileSystemId=files, PosixUser=user, RootDirectory=directory)["AccessPointId"]
    (described,) = efs.describe_access_points(AccessPointId=point)["AccessPoints"]
    assert (described["PosixUser"], described["RootDirectory"]) == (user, directory)
    plain = efs.create_access_point(FileSystemId=files)
    assert ("PosixUser" in plain, plain["RootDirectory"]) == (False, {"Path": "/"})


def test_a_mount_target_keeps_its_security_groups(aws: LocalAws, efs: Any, files: str) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.61.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.61.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="files", Description="x", VpcId=vpc)["GroupId"]
    target = efs.create_mount_target(FileSystemId=files, SubnetId=subnet, SecurityGroups=[group])["MountTargetId"]
    (described,) = efs.describe_mount_targets(MountTargetId=target)["MountTargets"]
    assert (described["SubnetId"], described["IpAddress"].rpartition(".")[0]) == (subnet, "10.61.0")
    assert efs.describe_mount_target_security_groups(MountTargetId=target)["SecurityGroups"] == [group]


def test_a_replication_can_be_created_and_deleted(aws: LocalAws, efs: Any, files: str) -> None:
    with pytest.raises(ClientError, match="ReplicationNotFound"):
        efs.describe_replication_configurations(FileSystemId=files)
    key = f"arn:aws:kms:{SECOND_REGION}:{aws.account}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    request = {"SourceFileSystemId": files, "Destinations": [{"Region": SECOND_REGION, "KmsKeyId": key}]}
    (destination,) = efs.create_replication_configuration(**request)["Destinations"]
    assert (destination["Status"], destination["Region"]) == ("ENABLED", SECOND_REGION)
    remote = aws.client("efs", SECOND_REGION)
    replica = described(remote, destination["FileSystemId"])
    assert (replica["Encrypted"], replica["KmsKeyId"]) == (True, key)
    assert replica["FileSystemProtection"] == {"ReplicationOverwriteProtection": "REPLICATING"}
    (description,) = efs.describe_replication_configurations(FileSystemId=files)["Replications"]
    assert remote.describe_replication_configurations()["Replications"] == [description]
    assert description["SourceFileSystemId"] == files
    assert "KmsKeyId" not in description["Destinations"][0]
    for refused, code in (
        (lambda: efs.create_replication_configuration(**request), "ReplicationAlreadyExists"),
        (lambda: efs.delete_file_system(FileSystemId=files), "FileSystemInUse"),
        (lambda: remote.delete_file_system(FileSystemId=destination["FileSystemId"]), "FileSystemInUse"),
        (
            lambda: remote.update_file_system_protection(
                FileSystemId=destination["FileSystemId"], ReplicationOverwriteProtection="DISABLED"
            ),
            "BadRequest.*: The overwrite protection of a replica cannot be changed",
        ),
    ):
        with pytest.raises(ClientError, match=code):
            refused()
    efs.delete_replication_configuration(SourceFileSystemId=files)
    assert efs.describe_replication_configurations()["Replications"] == []
    protection = described(remote, destination["FileSystemId"])["FileSystemProtection"]
    assert protection == {"ReplicationOverwriteProtection": "ENABLED"}
    efs.delete_file_system(FileSystemId=files)


@pytest.mark.usefixtures("unsupported")
def test_replication_to_an_existing_file_system_is_unsupported(efs: Any, files: str) -> None:
    with pytest.raises(ClientError, match=r"InvalidAction.* a destination with FileSystemId is not implemented"):
        efs.create_replication_configuration(
            SourceFileSystemId=files, Destinations=[{"Region": SECOND_REGION, "FileSystemId": NOWHERE}]
        )


@pytest.mark.parametrize(
    "action",
    [
        lambda efs: efs.create_replication_configuration(
            SourceFileSystemId=NOWHERE, Destinations=[{"Region": SECOND_REGION}]
        ),
        lambda efs: efs.delete_replication_configuration(SourceFileSystemId=NOWHERE),
        lambda efs: efs.create_access_point(FileSystemId=NOWHERE),
        lambda efs: efs.delete_file_system_policy(FileSystemId=NOWHERE),
        lambda efs: efs.describe_backup_policy(FileSystemId=NOWHERE),
        lambda efs: efs.describe_file_system_policy(FileSystemId=NOWHERE),
        lambda efs: efs.list_tags_for_resource(ResourceId=NOWHERE),
        lambda efs: efs.put_backup_policy(FileSystemId=NOWHERE, BackupPolicy={"Status": "ENABLED"}),
        lambda efs: efs.put_file_system_policy(FileSystemId=NOWHERE, Policy="{}"),
        lambda efs: efs.update_file_system(FileSystemId=NOWHERE, ThroughputMode="elastic"),
    ],
)
def test_actions_on_missing_file_systems_raise_file_system_not_found(efs: Any, action: Callable[[Any], Any]) -> None:
    with pytest.raises(ClientError, match="FileSystemNotFound"):
        action(efs)
