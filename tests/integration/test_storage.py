"""The file system: mount targets, encryption, backup, replication, policy, and access points."""

import json

import pytest

from stacks.network.subnets import SubnetKind
from stacks.settings import Environment
from stacks.storage.stack import ACCESS_POINTS, CLIENT_ACTIONS
from synthesized.policy_statements import as_list
from tests.integration.deployed import DeployedEnvironment, Response, only_one
from tests.integration.expectations import expect, expect_each


@pytest.fixture(scope="session")
def file_system(deployed: DeployedEnvironment) -> Response:
    return only_one("file system", deployed.list_own("efs", "describe_file_systems", "FileSystems", "FileSystemArn"))


@pytest.fixture(scope="session")
def mount_targets(deployed: DeployedEnvironment, file_system: Response) -> list[Response]:
    return deployed.list_all("efs", "describe_mount_targets", "MountTargets", FileSystemId=file_system["FileSystemId"])


@pytest.fixture(scope="session")
def access_points(deployed: DeployedEnvironment, file_system: Response) -> list[Response]:
    return deployed.list_all("efs", "describe_access_points", "AccessPoints", FileSystemId=file_system["FileSystemId"])


@pytest.fixture(scope="session")
def denials(deployed: DeployedEnvironment, file_system: Response) -> list[Response]:
    """Statements of the file system's policy that deny all principals."""
    if deployed.error_code("efs", "describe_file_system_policy", FileSystemId=file_system["FileSystemId"]):
        return []
    policy = deployed.call("efs", "describe_file_system_policy", FileSystemId=file_system["FileSystemId"])["Policy"]
    all_principals = ("*", {"AWS": "*"})
    return [
        one
        for one in json.loads(policy)["Statement"]
        if (one["Effect"], one["Principal"] in all_principals) == ("Deny", True)
    ]


def test_there_is_a_mount_target_in_every_zone(
    file_system: Response,
    mount_targets: list[Response],
    settings: Environment,
    subnets: dict[SubnetKind, dict[str, str]],
):
    zones = sorted(str(subnets["app"].get(target["SubnetId"])) for target in mount_targets)
    expect("zones of mount targets", {file_system["FileSystemArn"]: zones}, sorted(settings.network.zones))


def test_mount_targets_have_their_security_group(
    deployed: DeployedEnvironment, file_system: Response, mount_targets: list[Response], groups: dict[str, str]
):
    parties = {
        f"{file_system['FileSystemArn']} {id}": [
            groups.get(one)
            for one in deployed.list_all(
                "efs", "describe_mount_target_security_groups", "SecurityGroups", MountTargetId=id
            )
        ]
        for id in (target["MountTargetId"] for target in mount_targets)
    }
    expect("security groups", parties, ["files"])


def test_files_are_encrypted_with_their_key(file_system: Response, keys: dict[str, str]):
    encryption = (file_system["Encrypted"], file_system.get("KmsKeyId"))
    expect("is encrypted, key", {file_system["FileSystemArn"]: encryption}, (True, keys["files"]))


def test_files_have_no_automatic_backups(deployed: DeployedEnvironment, file_system: Response):
    """The recovery tier's plan backs them up."""
    policy = deployed.call("efs", "describe_backup_policy", FileSystemId=file_system["FileSystemId"])["BackupPolicy"]
    expect("automatic backups", {file_system["FileSystemArn"]: policy["Status"]}, "DISABLED")


@pytest.fixture(scope="session")
def replicas(deployed: DeployedEnvironment, file_system: Response) -> dict[str, Response]:
    """Replication destinations by Region."""
    operation = ("efs", "describe_replication_configurations")
    if deployed.error_code(*operation, FileSystemId=file_system["FileSystemId"]):
        return {}
    listed = deployed.list_all(*operation, "Replications", FileSystemId=file_system["FileSystemId"])
    return {destination["Region"]: destination for one in listed for destination in one["Destinations"]}


def test_files_are_replicated_to_the_second_region(
    deployed: DeployedEnvironment, file_system: Response, replicas: dict[str, Response]
):
    states = {(region, replica["Status"]) for region, replica in replicas.items()}
    wanted = {(region, "ENABLED") for region in deployed.by_region if region != deployed.region}
    expect("replicas", {file_system["FileSystemArn"]: states}, wanted)


def test_replica_is_encrypted_with_its_key(
    deployed: DeployedEnvironment, replicas: dict[str, Response], second_keys: dict[str, str]
):
    used: dict[str, tuple[bool, str]] = {}
    for region, replica in replicas.items():
        regional = deployed.by_region[region]
        (one,) = regional.list_all("efs", "describe_file_systems", "FileSystems", FileSystemId=replica["FileSystemId"])
        used[one["FileSystemArn"]] = (one["Encrypted"], one.get("KmsKeyId"))
    expect_each("is encrypted, key", used, dict.fromkeys(used, (True, second_keys.get("files-replica"))))


def test_files_are_protected_from_replication_overwrite(file_system: Response):
    protection = file_system["FileSystemProtection"]["ReplicationOverwriteProtection"]
    expect("replication overwrite protection", {file_system["FileSystemArn"]: protection}, "ENABLED")


def test_file_system_policy_requires_tls(file_system: Response, denials: list[Response]):
    without_tls = {"Bool": {"aws:SecureTransport": "false"}}
    denied = [one["Action"] for one in denials if one.get("Condition") == without_tls]
    expect("denied without TLS", {file_system["FileSystemArn"]: denied}, ["elasticfilesystem:*"])


def test_file_system_policy_requires_access_points(
    file_system: Response, access_points: list[Response], denials: list[Response]
):
    denied = {
        (action, arn)
        for one in denials
        for arn in as_list(one.get("Condition", {}).get("ArnNotEquals", {}).get("elasticfilesystem:AccessPointArn", []))
        for action in as_list(one["Action"])
    }
    points = {point["AccessPointArn"] for point in access_points}
    wanted = {(action, arn) for action in CLIENT_ACTIONS for arn in points}
    expect("denied without the access points", {file_system["FileSystemArn"]: denied}, wanted)


def test_access_points_have_their_own_user_and_root_directory(file_system: Response, access_points: list[Response]):
    identities = {(one["PosixUser"]["Uid"], one["RootDirectory"]["Path"]) for one in access_points}
    wanted = {(use.uid, f"/{use.name}") for use in ACCESS_POINTS}
    expect("user and root of access points", {file_system["FileSystemArn"]: identities}, wanted)
