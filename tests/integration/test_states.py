"""Terraform's states: one a tier, encrypted, every version kept, nobody else's to read, and none of them locked."""

import json

import pytest

from tests.integration.deployed import DeployedEnvironment, Response, only_one
from tests.integration.expectations import expect
from tests.synthesized import TIERS


@pytest.fixture(scope="session")
def bucket(found: DeployedEnvironment) -> str:
    """Name of the bucket that bootstrap made."""
    return only_one("bucket of states", found.arns("s3", "", found.bootstrapped)).rpartition(":")[2]


@pytest.fixture(scope="session")
def arn(bucket: str) -> str:
    return f"arn:aws:s3:::{bucket}"


@pytest.fixture(scope="session")
def key(found: DeployedEnvironment) -> str:
    """ARN of the key that bootstrap made."""
    return only_one("key of states", found.arns("kms", "key", found.bootstrapped))


@pytest.fixture(scope="session")
def objects(found: DeployedEnvironment, bucket: str) -> list[str]:
    """Keys of all that lies in the bucket."""
    prefix = f"{found.settings.name}/"
    return [one["Key"] for one in found.list_all("s3", "list_objects_v2", "Contents", Bucket=bucket, Prefix=prefix)]


def test_every_tier_has_a_state(found: DeployedEnvironment, arn: str, objects: list[str]):
    states = {one for one in objects if one.endswith(".tfstate")}
    expect("states", {arn: states}, {f"{found.settings.name}/{tier}.tfstate" for tier in TIERS})


def test_states_are_encrypted_with_their_key(
    found: DeployedEnvironment, bucket: str, arn: str, key: str, objects: list[str]
):
    encryption: dict[str, object] = {}
    for state in objects:
        head = found.call("s3", "head_object", Bucket=bucket, Key=state)
        encryption[f"{arn}/{state}"] = (head.get("ServerSideEncryption"), key_of(found, head.get("SSEKMSKeyId")))
    expect("encryption", encryption, ("aws:kms", key))


def test_whatever_comes_to_the_states_is_encrypted_with_their_key(
    found: DeployedEnvironment, bucket: str, arn: str, key: str
):
    answer = found.call("s3", "get_bucket_encryption", Bucket=bucket)["ServerSideEncryptionConfiguration"]
    default = answer["Rules"][0]["ApplyServerSideEncryptionByDefault"]
    encryption = (default["SSEAlgorithm"], key_of(found, default.get("KMSMasterKeyID")))
    expect("encryption by default", {arn: encryption}, ("aws:kms", key))


def key_of(found: DeployedEnvironment, named: str | None) -> str | None:
    """ARN of a key that was named by its alias, or by its ARN."""
    return found.call("kms", "describe_key", KeyId=named)["KeyMetadata"]["Arn"] if named else None


def test_every_version_of_a_state_is_kept(found: DeployedEnvironment, bucket: str, arn: str):
    versioning = found.call("s3", "get_bucket_versioning", Bucket=bucket)
    expect("versioning", {arn: versioning.get("Status")}, "Enabled")


def test_states_are_closed_to_the_public(found: DeployedEnvironment, bucket: str, arn: str):
    refusal = found.error_code("s3", "get_public_access_block", Bucket=bucket)
    block: Response = {}
    if not refusal:
        answer = found.call("s3", "get_public_access_block", Bucket=bucket)
        block = answer["PublicAccessBlockConfiguration"]
    expect("refuses public access in four ways", {arn: sorted(block.values())}, [True] * 4)


def test_states_refuse_plaintext(found: DeployedEnvironment, bucket: str, arn: str):
    refusal = found.error_code("s3", "get_bucket_policy", Bucket=bucket)
    policy = {} if refusal else json.loads(found.call("s3", "get_bucket_policy", Bucket=bucket)["Policy"])
    conditions = [one.get("Condition") for one in policy.get("Statement", []) if one["Effect"] == "Deny"]
    expect("denies what comes without TLS", {arn: {"Bool": {"aws:SecureTransport": "false"}} in conditions}, True)


def test_no_state_is_locked(arn: str, objects: list[str]):
    expect("locks", {arn: [one for one in objects if one.endswith(".tflock")]}, [])
