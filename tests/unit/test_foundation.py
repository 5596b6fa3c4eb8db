"""The foundation tier: keys, log buckets, alarm topic, image repository."""

from fnmatch import fnmatchcase

import pytest

from synthesized.platform import Platform
from tests.conftest import VARIANTS
from tests.synthesized import bodies, conditions, has, only, statements

pytestmark = pytest.mark.tiers("foundation")

PURPOSES = (
    "alarms",
    "backup",
    "backup-copies",
    "database",
    "files",
    "files-replica",
    "images",
    "logs",
    "secrets",
)
LOG_BUCKETS = ("audit", "config", "delivery")
USE = {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:CreateGrant", "kms:*"}


def test_there_is_a_key_for_each_purpose(prod: Platform):
    assert bodies(prod, "aws_kms_key", "foundation").keys() == {f"key-{purpose}" for purpose in PURPOSES}
    assert {alias["name"] for alias in bodies(prod, "aws_kms_alias", "foundation").values()} == {
        f"alias/acme-prod-{purpose}" for purpose in PURPOSES
    }


def test_keys_are_rotated_yearly_and_deleted_after_30_days(prod: Platform):
    for key in bodies(prod, "aws_kms_key").values():
        assert key["enable_key_rotation"] is True
        assert key["rotation_period_in_days"] == 365
        assert key["deletion_window_in_days"] == 30


@pytest.mark.parametrize("purpose", PURPOSES)
def test_key_administrators_cannot_use_keys(prod: Platform, purpose: str):
    policy = statements(prod, "foundation", f"key-{purpose}-policy")
    assert policy["EnableIamPolicies"]["principals"] == [
        {"type": "AWS", "identifiers": ["arn:aws:iam::111122223333:root"]}
    ]
    administration = policy["AdministerWithoutUse"]
    assert administration["principals"][0]["identifiers"] == [
        "arn:aws:iam::111122223333:role/acme-prod-key-administrators"
    ]
    assert not USE & set(administration["actions"])
    assert policy["OnlyServicesMakeGrants"]["effect"] == "Deny"
    assert conditions(policy["OnlyServicesMakeGrants"]) == {
        "BoolIfExists kms:GrantIsForAWSResource": ["false"],
        "Null kms:ViaService": ["true"],
    }


def test_only_the_keys_for_logs_and_alarms_have_service_principals(prod: Platform):
    owners = {"EnableIamPolicies", "AdministerWithoutUse", "OnlyServicesMakeGrants"}
    others = {purpose: statements(prod, "foundation", f"key-{purpose}-policy").keys() - owners for purpose in PURPOSES}
    assert others == {
        **{purpose: set() for purpose in PURPOSES},
        "logs": {"EncryptLogGroups", "EncryptTrail", "EncryptConfigRecords"},
        "alarms": {"PublishEncrypted"},
    }


def test_the_logs_key_is_limited_to_our_log_groups_and_trail(prod: Platform):
    policy = statements(prod, "foundation", "key-logs-policy")
    (patterns,) = conditions(policy["EncryptLogGroups"]).values()
    assert conditions(policy["EncryptLogGroups"]) == {"ArnLike kms:EncryptionContext:aws:logs:arn": patterns}
    # tests/unit/test_names.py checks that they match all log groups.
    own = [pattern for pattern in patterns if not pattern.endswith(":RDSOSMetrics")]
    assert all("prod" in pattern for pattern in own)
    assert not [pattern for pattern in own if fnmatchcase(pattern.replace("prod", "prod-eu"), pattern)]
    assert conditions(policy["EncryptTrail"]) == {
        "StringEquals aws:SourceArn": ["arn:aws:cloudtrail:eu-west-3:111122223333:trail/acme-prod-trail"]
    }
    # CloudTrail needs both if the bucket uses an S3 Bucket Key.
    assert {"kms:GenerateDataKey*", "kms:Decrypt"} <= set(policy["EncryptTrail"]["actions"])
    assert conditions(policy["EncryptConfigRecords"]) == {"StringEquals aws:SourceAccount": ["111122223333"]}


@pytest.mark.parametrize(("name", "algorithm"), [("audit", "aws:kms"), ("config", "aws:kms"), ("delivery", "AES256")])
def test_log_buckets_have_the_encryption_that_their_sources_support(prod: Platform, name: str, algorithm: str):
    (rule,) = bodies(prod, "aws_s3_bucket_server_side_encryption_configuration")[f"{name}-encryption"]["rule"]
    default = rule["apply_server_side_encryption_by_default"]
    assert default["sse_algorithm"] == algorithm
    key = "${aws_kms_key.foundation_key-logs.arn}"
    assert default.get("kms_master_key_id") == (key if algorithm == "aws:kms" else None)


@pytest.mark.parametrize("name", LOG_BUCKETS)
def test_log_buckets_deny_plaintext_other_accounts_and_deletion(prod: Platform, name: str):
    policy = statements(prod, "foundation", f"{name}-access")
    denied = {sid: statement for sid, statement in policy.items() if statement["effect"] == "Deny"}
    assert denied.keys() == {"DenyPlaintext", "DenyOldTls", "DenyOtherAccounts", "DenyDeletion"}
    assert all(statement["principals"] == [{"type": "*", "identifiers": ["*"]}] for statement in denied.values())
    assert conditions(denied["DenyPlaintext"]) == {"Bool aws:SecureTransport": ["false"]}
    assert conditions(denied["DenyOldTls"]) == {"NumericLessThan s3:TlsVersion": ["1.2"]}
    assert conditions(denied["DenyOtherAccounts"]) == {
        "StringNotEquals aws:PrincipalAccount": ["111122223333"],
        "BoolIfExists aws:PrincipalIsAWSService": ["false"],
    }
    assert "condition" not in denied["DenyDeletion"]
    assert {"s3:DeleteObject", "s3:DeleteObjectVersion"} <= set(denied["DenyDeletion"]["actions"])


def test_only_the_log_sources_of_this_account_may_write_to_a_log_bucket(prod: Platform):
    allowed = {
        name: {
            statement["principals"][0]["identifiers"][0]
            for statement in statements(prod, "foundation", f"{name}-access").values()
            if statement["effect"] == "Allow"
        }
        for name in LOG_BUCKETS
    }
    assert allowed == {
        "audit": {"cloudtrail.amazonaws.com"},
        "config": {"config.amazonaws.com"},
        "delivery": {"logdelivery.elasticloadbalancing.amazonaws.com", "logging.s3.amazonaws.com"},
    }
    for name in LOG_BUCKETS:
        for statement in statements(prod, "foundation", f"{name}-access").values():
            if statement["effect"] == "Allow":
                bound = [value for values in conditions(statement).values() for value in values]
                assert any("111122223333" in value for value in bound)


def test_object_lock_of_the_audit_bucket_lasts_for_the_retention(prod: Platform):
    assert has(prod, "foundation", "aws_s3_bucket", bucket="acme-prod-audit-111122223333-eu-west-3")
    assert bodies(prod, "aws_s3_bucket")["audit"]["object_lock_enabled"] is True
    lock = only(prod, "aws_s3_bucket_object_lock_configuration")
    assert lock["rule"]["default_retention"] == {"mode": "GOVERNANCE", "days": 400}


def test_logs_are_kept_for_twelve_months_and_archived_after_three(prod: Platform):
    lifecycles = bodies(prod, "aws_s3_bucket_lifecycle_configuration")
    for name in LOG_BUCKETS:
        lifecycle = lifecycles[f"{name}-lifecycle"]
        (rule,) = lifecycle["rule"]
        assert rule["status"] == "Enabled"
        assert rule["expiration"] == [{"days": 400}]
        # Objects in Glacier Instant Retrieval are readable immediately.
        assert rule["transition"] == [{"days": 90, "storage_class": "GLACIER_IR"}]
        assert rule["abort_incomplete_multipart_upload"] == [{"days_after_initiation": 7}]


def test_logs_with_short_retention_are_not_archived(dev: Platform):
    for lifecycle in bodies(dev, "aws_s3_bucket_lifecycle_configuration").values():
        (rule,) = lifecycle["rule"]
        assert rule["expiration"] == [{"days": 30}]
        assert "transition" not in rule


def test_access_to_log_buckets_is_logged(prod: Platform):
    logging = bodies(prod, "aws_s3_bucket_logging")
    assert logging.keys() == {"audit-logging", "config-logging"}
    for entry in logging.values():
        assert entry["target_bucket"] == "${aws_s3_bucket.foundation_delivery.id}"
        # S3 checks that it may deliver to the bucket.
        assert entry["depends_on"] == ["aws_s3_bucket_policy.foundation_delivery-policy"]


def test_only_without_deletion_protection_is_the_repository_deleted_with_its_images(prod: Platform, dev: Platform):
    for platform, forced in ((prod, False), (dev, True)):
        assert only(platform, "aws_ecr_repository")["force_delete"] is forced


def test_the_topic_is_encrypted_and_has_all_subscriptions(prod: Platform):
    assert only(prod, "aws_sns_topic")["kms_master_key_id"] == "${aws_kms_key.foundation_key-alarms.arn}"
    subscription = only(prod, "aws_sns_topic_subscription")
    assert (subscription["protocol"], subscription["endpoint"]) == ("email", "oncall@acme.example")


def test_a_new_subscription_replaces_no_other(prod: Platform, variants: dict[str, Platform]):
    def subscribed(platform: Platform) -> dict[str, str]:
        return {name: body["endpoint"] for name, body in bodies(platform, "aws_sns_topic_subscription").items()}

    assert subscribed(prod).items() < subscribed(variants["prod"]).items()
    # The new subscription is the first in the list.
    assert VARIANTS["prod"]["foundation"]["alarm_subscriptions"][0]["endpoint"] not in subscribed(prod).values()


def test_publishing_is_limited_to_this_account_where_the_service_supports_it(prod: Platform):
    policy = statements(prod, "foundation", "alarms-access")
    assert conditions(policy["PublishAlarms"]) == {
        "StringEquals aws:SourceAccount": ["111122223333"],
        "ArnLike aws:SourceArn": ["arn:aws:cloudwatch:eu-west-3:111122223333:alarm:acme/prod/*"],
    }
    # The source is the event's resource, which may be a reader that autoscaling has added.
    assert conditions(policy["PublishDatabaseEvents"])["ArnLike aws:SourceArn"] == [
        "arn:aws:rds:eu-west-3:111122223333:*"
    ]
    # EventBridge cannot publish to a topic if the policy of the topic or its key has conditions.
    assert conditions(policy["PublishEvents"]) == {}
    assert conditions(statements(prod, "foundation", "key-alarms-policy")["PublishEncrypted"]) == {}
    assert conditions(policy["DenyPlaintext"]) == {"Bool aws:SecureTransport": ["false"]}
    assert policy["DenyOtherAccounts"]["effect"] == "Deny"


def test_images_are_scanned_encrypted_and_immutable(prod: Platform):
    assert has(
        prod,
        "foundation",
        "aws_ecr_repository",
        name="acme-prod-service",
        image_tag_mutability="IMMUTABLE",
        image_scanning_configuration={"scan_on_push": True},
    )
    assert only(prod, "aws_ecr_repository")["encryption_configuration"] == [
        {"encryption_type": "KMS", "kms_key": "${aws_kms_key.foundation_key-images.arn}"}
    ]
    assert statements(prod, "foundation", "images-access").keys() == {"DenyOtherAccounts"}


def test_only_untagged_images_expire(prod: Platform):
    (document,) = (data.body for data in prod.data if data.type == "aws_ecr_lifecycle_policy_document")
    (rule,) = document["rule"]
    assert rule["selection"] == [
        {"tag_status": "untagged", "count_type": "sinceImagePushed", "count_unit": "days", "count_number": 14}
    ]


def test_log_sources_may_write_only_under_their_own_prefixes(prod: Platform):
    delivered = {
        name: {
            (action, resource.removeprefix(f"arn:aws:s3:::acme-prod-{name}-111122223333-eu-west-3"))
            for statement in statements(prod, "foundation", f"{name}-access").values()
            if statement["effect"] == "Allow"
            for action in statement["actions"]
            for resource in statement["resources"]
        }
        for name in LOG_BUCKETS
    }
    own = "AWSLogs/111122223333"
    assert delivered == {
        "audit": {("s3:GetBucketAcl", ""), ("s3:PutObject", f"/{own}/*")},
        "config": {("s3:GetBucketAcl", ""), ("s3:ListBucket", ""), ("s3:PutObject", f"/{own}/Config/*")},
        "delivery": {
            ("s3:PutObject", f"/alb-access/{own}/*"),
            ("s3:PutObject", f"/alb-connection/{own}/*"),
            ("s3:PutObject", "/s3-access/*"),
        },
    }
    for name, logging in bodies(prod, "aws_s3_bucket_logging").items():
        assert logging["target_prefix"] == f"s3-access/{name.removesuffix('-logging')}/"


def test_only_our_load_balancer_may_deliver_logs(prod: Platform):
    assert conditions(statements(prod, "foundation", "delivery-access")["DeliverLoadBalancerLogs"]) == {
        "ArnLike aws:SourceArn": [
            "arn:aws:elasticloadbalancing:eu-west-3:111122223333:loadbalancer/app/acme-prod-public/*"
        ]
    }


def test_services_have_the_key_permissions_that_they_need(prod: Platform):
    logs = statements(prod, "foundation", "key-logs-policy")
    assert {"kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*"} <= set(logs["EncryptLogGroups"]["actions"])
    assert {"kms:Decrypt", "kms:GenerateDataKey*"} <= set(logs["EncryptConfigRecords"]["actions"])
    alarms = statements(prod, "foundation", "key-alarms-policy")["PublishEncrypted"]
    assert set(alarms["actions"]) == {"kms:Decrypt", "kms:GenerateDataKey*"}
    assert set(alarms["principals"][0]["identifiers"]) == {
        "cloudwatch.amazonaws.com",
        "events.amazonaws.com",
        "events.rds.amazonaws.com",
    }
