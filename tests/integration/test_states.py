"""Terraform's states: one per tier, encrypted, versioned, private, and not locked."""

import json

import pytest

from tests.integration.deployed import DeployedEnvironment, Response, only_one
from tests.integration.expectations import expect
from tests.synthesized import tiers_with_own


@pytest.fixture(scope="session")
def bucket(deployed: DeployedEnvironment) -> str:
    """Name of the state bucket."""
    return only_one("bucket of states", deployed.arns("s3", "", deployed.bootstrapped)).rpartition(":")[2]


@pytest.fixture(scope="session")
def arn(bucket: str) -> str:
    return f"arn:aws:s3:::{bucket}"


@pytest.fixture(scope="session")
def key(deployed: DeployedEnvironment) -> str:
    """ARN of the state key."""
    return only_one("key of states", deployed.arns("kms", "key", deployed.bootstrapped))


@pytest.fixture(scope="session")
def object_keys(deployed: DeployedEnvironment, bucket: str) -> list[str]:
    """Keys of the environment's objects in the bucket."""
    prefix = f"{deployed.settings.name}/"
    return [one["Key"] for one in deployed.list_all("s3", "list_objects_v2", "Contents", Bucket=bucket, Prefix=prefix)]


def test_every_tier_has_a_state(deployed: DeployedEnvironment, arn: str, object_keys: list[str]):
    states = {one for one in object_keys if one.endswith(".tfstate")}
    expect(
        "states",
        {arn: states},
        {f"{deployed.settings.name}/{tier}.tfstate" for tier in tiers_with_own(deployed.settings.name)},
    )


def test_states_are_encrypted_with_their_key(
    deployed: DeployedEnvironment, bucket: str, arn: str, key: str, object_keys: list[str]
):
    encryption: dict[str, object] = {}
    for state in object_keys:
        head = deployed.call("s3", "head_object", Bucket=bucket, Key=state)
        encryption[f"{arn}/{state}"] = (head.get("ServerSideEncryption"), key_of(deployed, head.get("SSEKMSKeyId")))
    expect("encryption", encryption, ("aws:kms", key))


def test_default_encryption_of_the_state_bucket(deployed: DeployedEnvironment, bucket: str, arn: str, key: str):
    response = deployed.call("s3", "get_bucket_encryption", Bucket=bucket)["ServerSideEncryptionConfiguration"]
    default = response["Rules"][0]["ApplyServerSideEncryptionByDefault"]
    encryption = (default["SSEAlgorithm"], key_of(deployed, default.get("KMSMasterKeyID")))
    expect("encryption by default", {arn: encryption}, ("aws:kms", key))


def key_of(deployed: DeployedEnvironment, key_id: str | None) -> str | None:
    """ARN of a key, by its alias or ARN."""
    return deployed.call("kms", "describe_key", KeyId=key_id)["KeyMetadata"]["Arn"] if key_id else None


def test_state_bucket_is_versioned(deployed: DeployedEnvironment, bucket: str, arn: str):
    versioning = deployed.call("s3", "get_bucket_versioning", Bucket=bucket)
    expect("versioning", {arn: versioning.get("Status")}, "Enabled")


def test_state_bucket_blocks_public_access(deployed: DeployedEnvironment, bucket: str, arn: str):
    refusal = deployed.error_code("s3", "get_public_access_block", Bucket=bucket)
    block: Response = {}
    if not refusal:
        response = deployed.call("s3", "get_public_access_block", Bucket=bucket)
        block = response["PublicAccessBlockConfiguration"]
    expect("public access block", {arn: sorted(block.values())}, [True] * 4)


def test_state_bucket_requires_tls(deployed: DeployedEnvironment, bucket: str, arn: str):
    refusal = deployed.error_code("s3", "get_bucket_policy", Bucket=bucket)
    policy = {} if refusal else json.loads(deployed.call("s3", "get_bucket_policy", Bucket=bucket)["Policy"])
    conditions = [one.get("Condition") for one in policy.get("Statement", []) if one["Effect"] == "Deny"]
    expect("denies requests without TLS", {arn: {"Bool": {"aws:SecureTransport": "false"}} in conditions}, True)


def test_no_state_is_locked(arn: str, object_keys: list[str]):
    expect("locks", {arn: [one for one in object_keys if one.endswith(".tflock")]}, [])
