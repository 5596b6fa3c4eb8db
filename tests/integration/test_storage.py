"""Files: a mount target in every zone, encrypted, backed up, followed by a replica, and no way in but the right one."""

import json

import pytest

from stacks.network.subnets import Kind
from stacks.settings import Environment
from stacks.storage.stack import ALL_OF_A_CLIENT, USES
from synthesized.policies import listed
from tests.integration.expectations import expect, expect_each
from tests.integration.found import Answer, Found, the_one


@pytest.fixture(scope="session")
def files(found: Found) -> Answer:
    return the_one("file system", found.own("efs", "describe_file_systems", "FileSystems", "FileSystemArn"))


@pytest.fixture(scope="session")
def mount_targets(found: Found, files: Answer) -> list[Answer]:
    return found.every("efs", "describe_mount_targets", "MountTargets", FileSystemId=files["FileSystemId"])


@pytest.fixture(scope="session")
def access_points(found: Found, files: Answer) -> list[Answer]:
    return found.every("efs", "describe_access_points", "AccessPoints", FileSystemId=files["FileSystemId"])


@pytest.fixture(scope="session")
def denials(found: Found, files: Answer) -> list[Answer]:
    """What the file system's policy denies everybody."""
    if found.refusal("efs", "describe_file_system_policy", FileSystemId=files["FileSystemId"]):
        return []
    policy = found.answer("efs", "describe_file_system_policy", FileSystemId=files["FileSystemId"])["Policy"]
    everybody = ("*", {"AWS": "*"})
    return [
        one
        for one in json.loads(policy)["Statement"]
        if (one["Effect"], one["Principal"] in everybody) == ("Deny", True)
    ]


def test_there_is_a_mount_target_in_every_zone(
    files: Answer, mount_targets: list[Answer], settings: Environment, subnets: dict[Kind, dict[str, str]]
):
    zones = sorted(str(subnets["app"].get(target["SubnetId"])) for target in mount_targets)
    expect("zones of mount targets", {files["FileSystemArn"]: zones}, sorted(settings.network.zones))


def test_mount_targets_have_their_security_group(
    found: Found, files: Answer, mount_targets: list[Answer], groups: dict[str, str]
):
    parties = {
        f"{files['FileSystemArn']} {id}": [
            groups.get(one)
            for one in found.every("efs", "describe_mount_target_security_groups", "SecurityGroups", MountTargetId=id)
        ]
        for id in (target["MountTargetId"] for target in mount_targets)
    }
    expect("security groups", parties, ["files"])


def test_files_are_encrypted_with_their_key(files: Answer, keys: dict[str, str]):
    encryption = (files["Encrypted"], files.get("KmsKeyId"))
    expect("is encrypted, and its key", {files["FileSystemArn"]: encryption}, (True, keys["files"]))


def test_files_are_backed_up(found: Found, files: Answer):
    policy = found.answer("efs", "describe_backup_policy", FileSystemId=files["FileSystemId"])["BackupPolicy"]
    expect("backups", {files["FileSystemArn"]: policy["Status"]}, "ENABLED")


@pytest.fixture(scope="session")
def replicas(found: Found, files: Answer) -> dict[str, Answer]:
    """Where the files are replicated to, by Region."""
    asked = ("efs", "describe_replication_configurations")
    if found.refusal(*asked, FileSystemId=files["FileSystemId"]):
        return {}
    listed = found.every(*asked, "Replications", FileSystemId=files["FileSystemId"])
    return {destination["Region"]: destination for one in listed for destination in one["Destinations"]}


def test_files_are_followed_by_a_replica_in_the_second_region(found: Found, files: Answer, replicas: dict[str, Answer]):
    states = {(region, replica["Status"]) for region, replica in replicas.items()}
    wanted = {(region, "ENABLED") for region in found.everywhere if region != found.region}
    expect("replicas", {files["FileSystemArn"]: states}, wanted)


def test_the_replica_is_encrypted_with_its_key(found: Found, replicas: dict[str, Answer], second_keys: dict[str, str]):
    used: dict[str, tuple[bool, str]] = {}
    for region, replica in replicas.items():
        there = found.everywhere[region]
        (one,) = there.every("efs", "describe_file_systems", "FileSystems", FileSystemId=replica["FileSystemId"])
        used[one["FileSystemArn"]] = (one["Encrypted"], one.get("KmsKeyId"))
    expect_each("is encrypted, and its key", used, dict.fromkeys(used, (True, second_keys.get("files-replica"))))


def test_no_replication_overwrites_the_files(files: Answer):
    protection = files["FileSystemProtection"]["ReplicationOverwriteProtection"]
    expect("protection from replications", {files["FileSystemArn"]: protection}, "ENABLED")


def test_nobody_mounts_without_tls(files: Answer, denials: list[Answer]):
    without_tls = {"Bool": {"aws:SecureTransport": "false"}}
    denied = [one["Action"] for one in denials if one.get("Condition") == without_tls]
    expect("denied without TLS", {files["FileSystemArn"]: denied}, ["elasticfilesystem:*"])


def test_nobody_mounts_around_the_access_points(files: Answer, access_points: list[Answer], denials: list[Answer]):
    denied = {
        (action, arn)
        for one in denials
        for arn in listed(one.get("Condition", {}).get("ArnNotEquals", {}).get("elasticfilesystem:AccessPointArn", []))
        for action in listed(one["Action"])
    }
    points = {point["AccessPointArn"] for point in access_points}
    wanted = {(action, arn) for action in ALL_OF_A_CLIENT for arn in points}
    expect("denied but through", {files["FileSystemArn"]: denied}, wanted)


def test_access_points_have_an_identity_and_a_root_of_their_own(files: Answer, access_points: list[Answer]):
    identities = {(one["PosixUser"]["Uid"], one["RootDirectory"]["Path"]) for one in access_points}
    wanted = {(use.uid, f"/{use.name}") for use in USES}
    expect("user and root of access points", {files["FileSystemArn"]: identities}, wanted)
