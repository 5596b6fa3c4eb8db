"""EFS of the local AWS."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from operations.rehearsal.local_aws.server import LocalAws

NOWHERE = "fs-0123456789abcdef0"


@pytest.fixture(scope="module")
def efs(aws: LocalAws) -> Any:
    return aws.client("efs")


@pytest.fixture
def files(efs: Any, request: pytest.FixtureRequest) -> str:
    return efs.create_file_system(CreationToken=request.node.name)["FileSystemId"]


def described(efs: Any, files: str) -> dict[str, Any]:
    return efs.describe_file_systems(FileSystemId=files)["FileSystems"][0]


def test_a_file_system_is_protected_until_it_is_told_otherwise(efs: Any, files: str) -> None:
    assert described(efs, files)["FileSystemProtection"] == {"ReplicationOverwriteProtection": "ENABLED"}
    efs.update_file_system_protection(FileSystemId=files, ReplicationOverwriteProtection="DISABLED")
    assert described(efs, files)["FileSystemProtection"] == {"ReplicationOverwriteProtection": "DISABLED"}
    with pytest.raises(ClientError, match="BadRequest"):
        efs.update_file_system_protection(FileSystemId=files, ReplicationOverwriteProtection="REPLICATING")


def test_throughput_can_be_changed(efs: Any, files: str) -> None:
    told = efs.update_file_system(FileSystemId=files, ThroughputMode="provisioned", ProvisionedThroughputInMibps=64.0)
    assert (told["ThroughputMode"], told["ProvisionedThroughputInMibps"]) == ("provisioned", 64.0)
    efs.update_file_system(FileSystemId=files, ProvisionedThroughputInMibps=128.0)
    assert described(efs, files)["ProvisionedThroughputInMibps"] == 128.0
    efs.update_file_system(FileSystemId=files, ThroughputMode="provisioned")
    assert described(efs, files)["ProvisionedThroughputInMibps"] == 128.0
    efs.update_file_system(FileSystemId=files, ThroughputMode="elastic")
    assert "ProvisionedThroughputInMibps" not in described(efs, files)


def test_backups_are_as_told(efs: Any, files: str) -> None:
    with pytest.raises(ClientError, match="PolicyNotFound"):
        efs.describe_backup_policy(FileSystemId=files)
    for status in ("ENABLED", "DISABLED"):
        efs.put_backup_policy(FileSystemId=files, BackupPolicy={"Status": status})
        assert efs.describe_backup_policy(FileSystemId=files)["BackupPolicy"] == {"Status": status}


def test_a_policy_can_be_deleted(efs: Any, files: str) -> None:
    efs.put_file_system_policy(FileSystemId=files, Policy='{"Statement": []}')
    assert efs.describe_file_system_policy(FileSystemId=files)["Policy"] == '{"Statement": []}'
    efs.delete_file_system_policy(FileSystemId=files)
    with pytest.raises(ClientError, match="PolicyNotFound"):
        efs.describe_file_system_policy(FileSystemId=files)


def test_an_access_point_belongs_to_a_file_system_and_goes(efs: Any, files: str) -> None:
    point = efs.create_access_point(FileSystemId=files, Tags=[{"Key": "Name", "Value": "uploads"}])["AccessPointId"]
    efs.tag_resource(ResourceId=point, Tags=[{"Key": "Owner", "Value": "us"}])
    efs.untag_resource(ResourceId=point, TagKeys=["Name"])
    assert efs.list_tags_for_resource(ResourceId=point)["Tags"] == [{"Key": "Owner", "Value": "us"}]
    efs.delete_access_point(AccessPointId=point)
    for action, asked in (
        (efs.delete_access_point, {"AccessPointId": point}),
        (efs.list_tags_for_resource, {"ResourceId": point}),
    ):
        with pytest.raises(ClientError, match="AccessPointNotFound"):
            action(**asked)


@pytest.mark.parametrize(
    "ask",
    [
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
def test_a_file_system_that_is_not_there_is_told(efs: Any, ask: Callable[[Any], Any]) -> None:
    with pytest.raises(ClientError, match="FileSystemNotFound"):
        ask(efs)
