"""Mutations for test_foundation.py: keys, log groups, log buckets, topic, image repository."""

import json
from typing import Any

from local_aws.server import LocalAws
from tests.changes.mutations import Mutation, Related
from tests.changes.mutations.lookup import bucket, key, tagged, topic


def share_key(aws: LocalAws) -> None:
    kms = aws.client("kms")
    (alias,) = (one["AliasName"] for one in kms.list_aliases(KeyId=key(aws, "backup"))["Aliases"])
    kms.update_alias(AliasName=alias, TargetKeyId=key(aws, "images"))


def compare_by_bool(aws: LocalAws) -> None:
    kms = aws.client("kms")
    policy = {"KeyId": key(aws, "files"), "PolicyName": "default"}
    text = kms.get_key_policy(**policy)["Policy"]
    kms.put_key_policy(**policy, Policy=text.replace("BoolIfExists", "Bool"))


def log_group(aws: LocalAws) -> str:
    """Name of a log group."""
    return tagged(aws, "logs", "log-group", Tier="network")[0].split(":", 6)[6].removesuffix(":*")


def call_on_bucket(action: str, what: str = "config", **parameters: Any) -> Mutation:
    """Call an S3 action on a bucket, by the part of its name that `bucket` takes."""
    return lambda aws: getattr(aws.client("s3"), action)(Bucket=bucket(aws, what), **parameters)


def remove_tls_statement(aws: LocalAws) -> None:
    s3, name = aws.client("s3"), bucket(aws, "config")
    policy = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])
    policy["Statement"] = [one for one in policy["Statement"] if one["Sid"] != "DenyPlaintext"]
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))


def shorten_retention(aws: LocalAws) -> None:
    s3, name = aws.client("s3"), bucket(aws, "config")
    rules = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    rules[0]["Expiration"] = {"Days": 100}
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})


def remove_subscription(aws: LocalAws) -> None:
    sns = aws.client("sns")
    (one,) = sns.list_subscriptions_by_topic(TopicArn=topic(aws))["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])


def repository(aws: LocalAws) -> Any:
    """moto's object of the image repository."""
    (one,) = aws.backend("ecr").repositories.values()
    return one


def change_image_key(aws: LocalAws) -> None:
    repository(aws).encryption_configuration = {"encryptionType": "KMS", "kmsKey": key(aws, "files")}


MUTATIONS: dict[str, Mutation] = {
    "test_every_purpose_has_its_own_key": share_key,
    "test_keys_are_enabled": lambda aws: aws.client("kms").disable_key(KeyId=key(aws, "backup").rpartition("/")[2]),
    "test_keys_are_rotated_yearly": lambda aws: aws.client("kms").disable_key_rotation(KeyId=key(aws, "files")),
    "test_key_policies_deny_requests_without_the_condition_key": compare_by_bool,
    "test_log_groups_are_encrypted_with_the_log_key": lambda aws: aws.client("logs").disassociate_kms_key(
        logGroupName=log_group(aws)
    ),
    "test_retention_of_log_groups": lambda aws: aws.client("logs").put_retention_policy(
        logGroupName=log_group(aws), retentionInDays=7
    ),
    "test_log_buckets_are_versioned": call_on_bucket(
        "put_bucket_versioning", VersioningConfiguration={"Status": "Suspended"}
    ),
    "test_log_buckets_block_public_access": call_on_bucket("delete_public_access_block"),
    "test_log_buckets_are_encrypted_with_the_log_key": call_on_bucket(
        "put_bucket_encryption",
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    ),
    "test_log_buckets_require_tls": remove_tls_statement,
    "test_retention_of_logs_in_buckets": shorten_retention,
    "test_audit_archive_has_object_lock": call_on_bucket(
        "put_object_lock_configuration",
        what="audit",
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
        },
    ),
    "test_alarm_topic_is_encrypted_with_its_key": lambda aws: aws.client("sns").set_topic_attributes(
        TopicArn=topic(aws), AttributeName="KmsMasterKeyId", AttributeValue=key(aws, "logs")
    ),
    "test_alarm_subscriptions_are_confirmed": remove_subscription,
    "test_images_are_immutable": lambda aws: aws.client("ecr").put_image_tag_mutability(
        repositoryName=repository(aws).name, imageTagMutability="MUTABLE"
    ),
    "test_images_are_scanned_on_push": lambda aws: aws.client("ecr").put_image_scanning_configuration(
        repositoryName=repository(aws).name, imageScanningConfiguration={"scanOnPush": False}
    ),
    "test_images_are_encrypted_with_their_key": change_image_key,
}
RELATED: Related = {
    "test_every_purpose_has_its_own_key": {
        "test_recovery.py::test_backups_are_encrypted_with_their_key": "the alias refers to another key",
    },
}
