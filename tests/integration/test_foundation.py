"""Keys, log groups, log buckets, the alarm topic, the image repository: what every tier stands on."""

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
def log_buckets(found: DeployedEnvironment) -> list[str]:
    """The log buckets' names: no tier has others."""
    return [arn.rpartition(":")[2] for arn in found.arns("s3", "")]


@pytest.fixture(scope="session")
def delivery_buckets(found: DeployedEnvironment, log_buckets: list[str]) -> set[str]:
    """Where the access logs of the others are delivered."""
    logging = [found.call("s3", "get_bucket_logging", Bucket=bucket) for bucket in log_buckets]
    return {entry["LoggingEnabled"]["TargetBucket"] for entry in logging if "LoggingEnabled" in entry}


@pytest.fixture(scope="session")
def repository(found: DeployedEnvironment) -> Response:
    def tags(arn: str) -> dict[str, str]:
        return {
            tag["Key"]: tag["Value"] for tag in found.list_all("ecr", "list_tags_for_resource", "tags", resourceArn=arn)
        }

    repositories = found.list_all("ecr", "describe_repositories", "repositories")
    return only_one(
        "image repository", [r for r in repositories if tags(r["repositoryArn"]).items() >= found.expected_tags.items()]
    )


@pytest.fixture(scope="session")
def in_use(
    found: DeployedEnvironment, keys: dict[str, str], second_keys: dict[str, str]
) -> dict[str, DeployedEnvironment]:
    """The keys that have a purpose, with where they are. Those of an environment of before wait for their deletion."""
    of_first = [arn for arn in keys.values() if arn in found.tags]
    return {arn: found.by_region[arn.split(":")[3]] for arn in (*of_first, *second_keys.values())}


def test_every_purpose_has_a_key_of_its_own(keys: dict[str, str]):
    purposes = {arn: {purpose for purpose in keys if keys[purpose] == arn} for arn in keys.values()}
    expect_each("is the key of", purposes, {arn: {purpose} for purpose, arn in keys.items()})
    expect("is a key of this environment", {arn: arn.startswith("arn:") for arn in keys.values()}, True)


def test_keys_can_be_used(in_use: dict[str, DeployedEnvironment]):
    states = {
        arn: there.call("kms", "describe_key", KeyId=arn)["KeyMetadata"]["KeyState"] for arn, there in in_use.items()
    }
    expect("state", states, "Enabled")


def test_keys_are_renewed_within_a_year(in_use: dict[str, DeployedEnvironment]):
    renewed = {arn: there.call("kms", "get_key_rotation_status", KeyId=arn) for arn, there in in_use.items()}
    days = {
        arn: key.get("RotationPeriodInDays", YEAR.days) for arn, key in renewed.items() if key["KeyRotationEnabled"]
    }
    expect("is renewed within a year", {arn: days.get(arn, 0) in range(1, YEAR.days + 1) for arn in renewed}, True)


def test_log_groups_are_encrypted_with_the_key_of_logs(found: DeployedEnvironment, keys: dict[str, str]):
    expect("key", {arn: group.get("kmsKeyId") for arn, group in log_groups(found).items()}, keys["logs"])


def test_log_groups_are_kept_as_the_settings_say(found: DeployedEnvironment, settings: Environment):
    days = {arn: group.get("retentionInDays", "for ever") for arn, group in log_groups(found).items()}
    expect("retention in days", days, settings.log_retention_days)


def log_groups(found: DeployedEnvironment) -> dict[str, Response]:
    groups = found.list_all("logs", "describe_log_groups", "logGroups")
    # With or without the `:*` that log groups' ARNs have in policies.
    return {
        arn: group
        for group in groups
        if (arn := group["arn"].removesuffix(":*")) in found.tags or f"{arn}:*" in found.tags
    }


def test_log_buckets_are_versioned(found: DeployedEnvironment, log_buckets: list[str]):
    versioning = {bucket: found.call("s3", "get_bucket_versioning", Bucket=bucket) for bucket in log_buckets}
    expect("versioning", {arn_of(bucket): answer.get("Status") for bucket, answer in versioning.items()}, "Enabled")


def test_log_buckets_are_closed_to_the_public(found: DeployedEnvironment, log_buckets: list[str]):
    blocked: dict[str, Any] = {}
    for bucket in log_buckets:
        refusal = found.error_code("s3", "get_public_access_block", Bucket=bucket)
        block = {} if refusal else found.call("s3", "get_public_access_block", Bucket=bucket)
        configuration = block.get("PublicAccessBlockConfiguration", {})
        blocked[arn_of(bucket)] = {name for name in PUBLIC_ACCESS if configuration.get(name)}
    expect("refuses", blocked, set(PUBLIC_ACCESS))


def test_log_buckets_are_encrypted_with_the_key_of_logs(
    found: DeployedEnvironment, keys: dict[str, str], log_buckets: list[str], delivery_buckets: set[str]
):
    encryption: dict[str, Any] = {}
    for bucket in log_buckets:
        answer = found.call("s3", "get_bucket_encryption", Bucket=bucket)
        rule = answer["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"]
        encryption[arn_of(bucket)] = (rule["SSEAlgorithm"], rule.get("KMSMasterKeyID"))
    # Load balancers and S3 itself can deliver to no bucket under a key of ours.
    expect_each(
        "encryption",
        encryption,
        {arn_of(b): ("AES256", None) if b in delivery_buckets else ("aws:kms", keys["logs"]) for b in log_buckets},
    )


def test_log_buckets_refuse_plaintext(found: DeployedEnvironment, log_buckets: list[str]):
    denied: dict[str, Any] = {}
    for bucket in log_buckets:
        refusal = found.error_code("s3", "get_bucket_policy", Bucket=bucket)
        policy = {} if refusal else json.loads(found.call("s3", "get_bucket_policy", Bucket=bucket)["Policy"])
        denied[arn_of(bucket)] = any(
            statement["Effect"] == "Deny"
            and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
            and statement["Action"] == "s3:*"
            for statement in policy.get("Statement", [])
        )
    expect("its policy denies what comes without TLS", denied, True)


def test_logs_in_buckets_are_kept_as_the_settings_say(
    found: DeployedEnvironment, settings: Environment, log_buckets: list[str]
):
    days: dict[str, Any] = {}
    for bucket in log_buckets:
        rules = found.list_all("s3", "get_bucket_lifecycle_configuration", "Rules", Bucket=bucket)
        days[arn_of(bucket)] = [
            rule["Expiration"]["Days"] for rule in rules if rule["Status"] == "Enabled" and "Expiration" in rule
        ]
    expect("days until a log is removed", days, [settings.log_retention_days])


def test_the_audit_archive_is_locked(found: DeployedEnvironment, settings: Environment, log_buckets: list[str]):
    locks: dict[str, Any] = {}
    for bucket in log_buckets:
        if not found.error_code("s3", "get_object_lock_configuration", Bucket=bucket):
            answer = found.call("s3", "get_object_lock_configuration", Bucket=bucket)
            retention = answer["ObjectLockConfiguration"].get("Rule", {}).get("DefaultRetention", {})
            locks[arn_of(bucket)] = (retention.get("Mode"), retention.get("Days"))
    expect("lock by default, in days", locks, ("GOVERNANCE", settings.log_retention_days))


def test_messages_of_the_alarm_topic_are_encrypted_with_its_key(
    found: DeployedEnvironment, keys: dict[str, str], topic: str
):
    attributes = found.call("sns", "get_topic_attributes", TopicArn=topic)["Attributes"]
    expect("key", {topic: attributes.get("KmsMasterKeyId") or None}, keys["alarms"])


def test_all_of_the_settings_are_told_of_alarms(found: DeployedEnvironment, settings: Environment, topic: str):
    told = {
        # Who has not confirmed is told nothing.
        (entry["Protocol"], entry["Endpoint"], entry["SubscriptionArn"] != "PendingConfirmation")
        for entry in found.list_all("sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic)
    }
    wanted = {(one.protocol, one.endpoint, True) for one in settings.foundation.alarm_subscriptions}
    expect("confirmed subscriptions", {topic: told}, Superset(wanted))


def test_images_never_change_once_they_are_pushed(repository: Response):
    expect("tags", {repository["repositoryArn"]: repository["imageTagMutability"]}, "IMMUTABLE")


def test_images_are_scanned_when_they_are_pushed(repository: Response):
    scanned = repository.get("imageScanningConfiguration", {}).get("scanOnPush")
    expect("is scanned on push", {repository["repositoryArn"]: scanned}, True)


def test_images_are_encrypted_with_their_key(repository: Response, keys: dict[str, str]):
    key = repository.get("encryptionConfiguration", {}).get("kmsKey")
    expect("key", {repository["repositoryArn"]: key}, keys["images"])


def arn_of(bucket: str) -> str:
    return f"arn:aws:s3:::{bucket}"
