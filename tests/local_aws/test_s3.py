"""S3: settings of buckets, log delivery, conditional writes, encryption, and unsupported actions."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws

PRECONDITION_FAILED = 412
REGION = {"LocationConstraint": "us-west-1"}
DELIVERY = {
    "Effect": "Allow",
    "Principal": {"Service": "logging.s3.amazonaws.com"},
    "Action": "s3:PutObject",
    "Resource": "arn:aws:s3:::deliveries/s3/*",
}


@pytest.fixture(scope="module")
def s3(aws: LocalAws) -> Any:
    client = aws.client("s3")
    for bucket in ("logged", "deliveries", "locked"):
        client.create_bucket(Bucket=bucket, CreateBucketConfiguration=REGION)
    return client


def test_a_bucket_with_object_lock_is_versioned(s3: Any) -> None:
    s3.create_bucket(Bucket="versioned", CreateBucketConfiguration=REGION, ObjectLockEnabledForBucket=True)
    assert s3.get_bucket_versioning(Bucket="versioned")["Status"] == "Enabled"
    lock = {"ObjectLockEnabled": "Enabled"}
    assert s3.get_object_lock_configuration(Bucket="versioned")["ObjectLockConfiguration"] == lock
    retention = {"Mode": "GOVERNANCE", "Days": 30}
    s3.put_object_lock_configuration(
        Bucket="versioned", ObjectLockConfiguration={**lock, "Rule": {"DefaultRetention": retention}}
    )
    described = s3.get_object_lock_configuration(Bucket="versioned")["ObjectLockConfiguration"]
    assert described["ObjectLockEnabled"] == "Enabled"
    assert described["Rule"]["DefaultRetention"].items() >= retention.items()


def test_lifecycle_rules_are_kept_and_the_minimum_size_is_added(s3: Any) -> None:
    rule = {
        "ID": "age",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"Days": 30},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }
    s3.put_bucket_lifecycle_configuration(Bucket="logged", LifecycleConfiguration={"Rules": [rule]})
    described = s3.get_bucket_lifecycle_configuration(Bucket="logged")
    assert described["Rules"] == [rule]
    assert described["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"


def test_access_settings_of_a_bucket_are_kept(s3: Any) -> None:
    owner = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_bucket_ownership_controls(Bucket="logged", OwnershipControls=owner)
    assert s3.get_bucket_ownership_controls(Bucket="logged")["OwnershipControls"] == owner
    blocked = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    s3.put_public_access_block(Bucket="logged", PublicAccessBlockConfiguration=blocked)
    assert s3.get_public_access_block(Bucket="logged")["PublicAccessBlockConfiguration"] == blocked
    policy = json.dumps({"Version": "2012-10-17", "Statement": [DELIVERY]}, indent=1)
    s3.put_bucket_policy(Bucket="logged", Policy=policy)
    assert json.loads(s3.get_bucket_policy(Bucket="logged")["Policy"]) == json.loads(policy)


@pytest.mark.parametrize(
    ("default", "is_enabled"),
    [
        ({"SSEAlgorithm": "AES256"}, False),
        ({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "arn:aws:kms:us-west-1:123456789012:key/logs"}, True),
    ],
)
def test_an_encryption_rule_has_a_bucket_key_or_not(s3: Any, default: dict[str, str], is_enabled: bool) -> None:
    bucket = default["SSEAlgorithm"].lower().replace(":", "-")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=REGION)
    rules = [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": is_enabled}]
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"] == {"Rules": rules}


def configure_logging(s3: Any, *statements: dict[str, Any], prefix: str = "s3/logged/") -> None:
    s3.put_bucket_policy(
        Bucket="deliveries", Policy=json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    )
    s3.put_bucket_logging(
        Bucket="logged",
        BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": "deliveries", "TargetPrefix": prefix}},
    )


@pytest.mark.parametrize(
    "variant",
    [
        {},
        {"Resource": ["arn:aws:s3:::deliveries/AWSLogs/*", "arn:aws:s3:::deliveries/s3/logged/*"]},
        {"Action": ["s3:GetObject", "s3:Put*"]},
        {"Principal": {"Service": ["delivery.logs.amazonaws.com", "logging.s3.amazonaws.com"]}},
    ],
)
def test_the_bucket_policy_can_allow_log_delivery(s3: Any, variant: dict[str, Any]) -> None:
    deny_all = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    configure_logging(s3, deny_all, DELIVERY | variant)
    logging = s3.get_bucket_logging(Bucket="logged")["LoggingEnabled"]
    assert (logging["TargetBucket"], logging["TargetPrefix"]) == ("deliveries", "s3/logged/")


@pytest.mark.parametrize(
    "variant",
    [
        {"Effect": "Deny"},
        {"Principal": "*"},
        {"Principal": {"AWS": "*"}},
        {"Action": "s3:GetObject"},
        {"Resource": "arn:aws:s3:::deliveries/elsewhere/*"},
    ],
)
def test_other_bucket_policies_do_not_allow_log_delivery(s3: Any, variant: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="InvalidTargetBucketForLogging"):
        configure_logging(s3, DELIVERY | variant)


def test_log_delivery_requires_a_bucket_policy(s3: Any) -> None:
    with pytest.raises(ClientError, match="InvalidTargetBucketForLogging"):
        s3.put_bucket_logging(
            Bucket="logged", BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": "locked", "TargetPrefix": ""}}
        )


def test_only_one_of_concurrent_conditional_writes_succeeds(s3: Any) -> None:
    s3.put_bucket_versioning(Bucket="locked", VersioningConfiguration={"Status": "Enabled"})

    def take(number: int) -> bool:
        try:
            s3.put_object(Bucket="locked", Key="state.tflock", Body=str(number), IfNoneMatch="*")
        except ClientError as error:
            return error.response["ResponseMetadata"]["HTTPStatusCode"] != PRECONDITION_FAILED
        return True

    for _ in range(2):
        with ThreadPoolExecutor(8) as threads:
            assert sum(threads.map(take, range(24))) == 1
        s3.delete_object(Bucket="locked", Key="state.tflock")


def test_objects_are_always_encrypted(s3: Any) -> None:
    s3.create_bucket(Bucket="default", CreateBucketConfiguration=REGION)
    key = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "a-key"}}]}
    assert algorithm(s3, "default") == "AES256"
    s3.put_bucket_encryption(Bucket="default", ServerSideEncryptionConfiguration=key)
    assert algorithm(s3, "default") == "aws:kms"
    s3.delete_bucket_encryption(Bucket="default")
    assert algorithm(s3, "default") == "AES256"
    s3.put_object(Bucket="default", Key="object", Body=b"")
    assert s3.head_object(Bucket="default", Key="object")["ServerSideEncryption"] == "AES256"


def algorithm(s3: Any, bucket: str) -> str:
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    return rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]


def test_the_kms_key_of_an_object_is_its_arn(aws: LocalAws, s3: Any) -> None:
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName="alias/state", TargetKeyId=key["KeyId"])
    alias = key["Arn"].replace(f"key/{key['KeyId']}", "alias/state")
    for name in (alias, "alias/state", key["Arn"], key["KeyId"]):
        s3.put_object(Bucket="locked", Key="state", Body=b"", ServerSideEncryption="aws:kms", SSEKMSKeyId=name)
        assert s3.head_object(Bucket="locked", Key="state")["SSEKMSKeyId"] == key["Arn"]
    for name in ("alias/nowhere", "nowhere"):
        with pytest.raises(ClientError, match=r"KMS\.NotFoundException"):
            s3.put_object(Bucket="locked", Key="state", Body=b"", ServerSideEncryption="aws:kms", SSEKMSKeyId=name)


def test_the_bucket_owner_pays_for_requests(aws: LocalAws):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="owner-pays", CreateBucketConfiguration={"LocationConstraint": aws.region})
    assert s3.get_bucket_request_payment(Bucket="owner-pays")["Payer"] == "BucketOwner"
    assert s3.list_objects(Bucket="owner-pays", Prefix="a").get("Contents", []) == []


def test_an_unsupported_action_on_a_bucket_does_not_list_its_objects(aws: LocalAws):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="analyzed", CreateBucketConfiguration={"LocationConstraint": aws.region})
    with pytest.raises(ClientError, match=r"InvalidAction.*s3:ListBucketAnalyticsConfigurations"):
        s3.list_bucket_analytics_configurations(Bucket="analyzed")
    assert aws.gateway.unsupported.pop("s3:ListBucketAnalyticsConfigurations")
