"""Resources that all tiers use: keys, log groups, log buckets, the alarm topic, and the image repository."""

import json
from datetime import timedelta
from typing import Any

import pytest

from stacks.settings import Environment
from tests.integration.deployed import DeployedEnvironment, Response, only_one
from tests.integration.expectations import Superset, expect, expect_each

YEAR = timedelta(days=365)
PUBLIC_ACCESS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


@pytest.fixture(scope="session")
def log_buckets(deployed: DeployedEnvironment) -> list[str]:
    """Names of the log buckets: the stacks have no other buckets."""
    return [arn.rpartition(":")[2] for arn in deployed.arns("s3", "")]


@pytest.fixture(scope="session")
def delivery_buckets(deployed: DeployedEnvironment, log_buckets: list[str]) -> set[str]:
    """Names of buckets that access logs are delivered to."""
    logging = [deployed.call("s3", "get_bucket_logging", Bucket=bucket) for bucket in log_buckets]
    return {entry["LoggingEnabled"]["TargetBucket"] for entry in logging if "LoggingEnabled" in entry}


@pytest.fixture(scope="session")
def repository(deployed: DeployedEnvironment) -> Response:
    def tags(arn: str) -> dict[str, str]:
        return {
            tag["Key"]: tag["Value"]
            for tag in deployed.list_all("ecr", "list_tags_for_resource", "tags", resourceArn=arn)
        }

    repositories = deployed.list_all("ecr", "describe_repositories", "repositories")
    return only_one(
        "image repository",
        [r for r in repositories if tags(r["repositoryArn"]).items() >= deployed.expected_tags.items()],
    )


@pytest.fixture(scope="session")
def active_keys(
    deployed: DeployedEnvironment, keys: dict[str, str], second_keys: dict[str, str]
) -> dict[str, DeployedEnvironment]:
    """Region of each key in use. Keys of a destroyed environment may be pending deletion."""
    first_region = [arn for arn in keys.values() if arn in deployed.tags]
    return {arn: deployed.by_region[arn.split(":")[3]] for arn in (*first_region, *second_keys.values())}


def test_every_purpose_has_its_own_key(keys: dict[str, str]):
    purposes = {arn: {purpose for purpose in keys if keys[purpose] == arn} for arn in keys.values()}
    expect_each("is the key of", purposes, {arn: {purpose} for purpose, arn in keys.items()})
    expect("is a key of this environment", {arn: arn.startswith("arn:") for arn in keys.values()}, True)


def test_keys_are_enabled(active_keys: dict[str, DeployedEnvironment]):
    states = {
        arn: regional.call("kms", "describe_key", KeyId=arn)["KeyMetadata"]["KeyState"]
        for arn, regional in active_keys.items()
    }
    expect("state", states, "Enabled")


def test_keys_are_rotated_yearly(active_keys: dict[str, DeployedEnvironment]):
    rotation = {
        arn: regional.call("kms", "get_key_rotation_status", KeyId=arn) for arn, regional in active_keys.items()
    }
    days = {
        arn: key.get("RotationPeriodInDays", YEAR.days) for arn, key in rotation.items() if key["KeyRotationEnabled"]
    }
    expect("is rotated within a year", {arn: days.get(arn, 0) in range(1, YEAR.days + 1) for arn in rotation}, True)


def test_key_policies_deny_requests_without_the_condition_key(active_keys: dict[str, DeployedEnvironment]):
    keys_of_bool = {
        arn: {
            key
            for statement in json.loads(
                regional.call("kms", "get_key_policy", KeyId=arn, PolicyName="default")["Policy"]
            )["Statement"]
            if statement["Effect"] == "Deny"
            for key in statement.get("Condition", {}).get("Bool", {})
        }
        for arn, regional in active_keys.items()
    }
    # A denial with `Bool` does not apply to a request without the key.
    expect("keys that a denial compares by Bool", keys_of_bool, set[str]())


def test_log_groups_are_encrypted_with_the_log_key(deployed: DeployedEnvironment, keys: dict[str, str]):
    expect("key", {arn: group.get("kmsKeyId") for arn, group in log_groups(deployed).items()}, keys["logs"])


def test_retention_of_log_groups(deployed: DeployedEnvironment, settings: Environment):
    days = {arn: group.get("retentionInDays", "for ever") for arn, group in log_groups(deployed).items()}
    expect("retention in days", days, settings.log_retention_days)


def log_groups(deployed: DeployedEnvironment) -> dict[str, Response]:
    groups = deployed.list_all("logs", "describe_log_groups", "logGroups")
    # The Tagging API may return ARNs with the suffix `:*`.
    return {
        arn: group
        for group in groups
        if (arn := group["arn"].removesuffix(":*")) in deployed.tags or f"{arn}:*" in deployed.tags
    }


def test_log_buckets_are_versioned(deployed: DeployedEnvironment, log_buckets: list[str]):
    versioning = {bucket: deployed.call("s3", "get_bucket_versioning", Bucket=bucket) for bucket in log_buckets}
    expect("versioning", {arn_of(bucket): response.get("Status") for bucket, response in versioning.items()}, "Enabled")


def test_log_buckets_block_public_access(deployed: DeployedEnvironment, log_buckets: list[str]):
    blocked: dict[str, Any] = {}
    for bucket in log_buckets:
        refusal = deployed.error_code("s3", "get_public_access_block", Bucket=bucket)
        block = {} if refusal else deployed.call("s3", "get_public_access_block", Bucket=bucket)
        configuration = block.get("PublicAccessBlockConfiguration", {})
        blocked[arn_of(bucket)] = {name for name in PUBLIC_ACCESS if configuration.get(name)}
    expect("blocks", blocked, set(PUBLIC_ACCESS))


def test_log_buckets_are_encrypted_with_the_log_key(
    deployed: DeployedEnvironment, keys: dict[str, str], log_buckets: list[str], delivery_buckets: set[str]
):
    encryption: dict[str, Any] = {}
    for bucket in log_buckets:
        response = deployed.call("s3", "get_bucket_encryption", Bucket=bucket)
        rule = response["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"]
        encryption[arn_of(bucket)] = (rule["SSEAlgorithm"], rule.get("KMSMasterKeyID"))
    # Load balancers and S3 cannot deliver to buckets with customer managed keys.
    expect_each(
        "encryption",
        encryption,
        {arn_of(b): ("AES256", None) if b in delivery_buckets else ("aws:kms", keys["logs"]) for b in log_buckets},
    )


def test_log_buckets_require_tls(deployed: DeployedEnvironment, log_buckets: list[str]):
    denied: dict[str, Any] = {}
    for bucket in log_buckets:
        refusal = deployed.error_code("s3", "get_bucket_policy", Bucket=bucket)
        policy = {} if refusal else json.loads(deployed.call("s3", "get_bucket_policy", Bucket=bucket)["Policy"])
        denied[arn_of(bucket)] = any(
            statement["Effect"] == "Deny"
            and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
            and statement["Action"] == "s3:*"
            for statement in policy.get("Statement", [])
        )
    expect("denies requests without TLS", denied, True)


def test_retention_of_logs_in_buckets(deployed: DeployedEnvironment, settings: Environment, log_buckets: list[str]):
    days: dict[str, Any] = {}
    for bucket in log_buckets:
        rules = deployed.list_all("s3", "get_bucket_lifecycle_configuration", "Rules", Bucket=bucket)
        days[arn_of(bucket)] = [
            rule["Expiration"]["Days"] for rule in rules if rule["Status"] == "Enabled" and "Expiration" in rule
        ]
    expect("days until logs expire", days, [settings.log_retention_days])


def test_audit_archive_has_object_lock(deployed: DeployedEnvironment, settings: Environment, log_buckets: list[str]):
    locks: dict[str, Any] = {}
    for bucket in log_buckets:
        if not deployed.error_code("s3", "get_object_lock_configuration", Bucket=bucket):
            response = deployed.call("s3", "get_object_lock_configuration", Bucket=bucket)
            retention = response["ObjectLockConfiguration"].get("Rule", {}).get("DefaultRetention", {})
            locks[arn_of(bucket)] = (retention.get("Mode"), retention.get("Days"))
    expect("default retention mode and days", locks, ("GOVERNANCE", settings.log_retention_days))


def test_alarm_topic_is_encrypted_with_its_key(deployed: DeployedEnvironment, keys: dict[str, str], topic: str):
    attributes = deployed.call("sns", "get_topic_attributes", TopicArn=topic)["Attributes"]
    expect("key", {topic: attributes.get("KmsMasterKeyId") or None}, keys["alarms"])


def test_alarm_subscriptions_are_confirmed(deployed: DeployedEnvironment, settings: Environment, topic: str):
    subscriptions = {
        # Unconfirmed subscriptions receive no messages.
        (entry["Protocol"], entry["Endpoint"], entry["SubscriptionArn"] != "PendingConfirmation")
        for entry in deployed.list_all("sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic)
    }
    wanted = {(one.protocol, one.endpoint, True) for one in settings.foundation.alarm_subscriptions}
    expect("confirmed subscriptions", {topic: subscriptions}, Superset(wanted))


def test_images_are_immutable(repository: Response):
    expect("tags", {repository["repositoryArn"]: repository["imageTagMutability"]}, "IMMUTABLE")


def test_images_are_scanned_on_push(repository: Response):
    scanned = repository.get("imageScanningConfiguration", {}).get("scanOnPush")
    expect("is scanned on push", {repository["repositoryArn"]: scanned}, True)


def test_images_are_encrypted_with_their_key(repository: Response, keys: dict[str, str]):
    key = repository.get("encryptionConfiguration", {}).get("kmsKey")
    expect("key", {repository["repositoryArn"]: key}, keys["images"])


def arn_of(bucket: str) -> str:
    return f"arn:aws:s3:::{bucket}"
