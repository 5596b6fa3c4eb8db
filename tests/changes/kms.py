"""KMS."""

import json
from typing import Any

from local_aws.server import LocalAws
from tests.changes import Change


def _has_another_description(aws: LocalAws, key: dict[str, Any]) -> None:
    aws.client("kms").update_key_description(KeyId=key["key_id"], Description="Another")


def _has_another_policy(aws: LocalAws, key: dict[str, Any]) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
    aws.client("kms").put_key_policy(
        KeyId=key["key_id"],
        PolicyName="default",
        Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def _rotates_more_often(aws: LocalAws, key: dict[str, Any]) -> None:
    aws.client("kms").enable_key_rotation(KeyId=key["key_id"], RotationPeriodInDays=91)


def _does_not_rotate(aws: LocalAws, key: dict[str, Any]) -> None:
    aws.client("kms").disable_key_rotation(KeyId=key["key_id"])


def _is_tagged(aws: LocalAws, key: dict[str, Any]) -> None:
    aws.client("kms").tag_resource(KeyId=key["key_id"], Tags=[{"TagKey": "Changed", "TagValue": "yes"}])


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_kms_key", "description"): _has_another_description,
    ("aws_kms_key", "policy"): _has_another_policy,
    ("aws_kms_key", "rotation_period_in_days"): _rotates_more_often,
    ("aws_kms_key", "tags"): _is_tagged,
    ("aws_kms_key", "enable_key_rotation"): _does_not_rotate,
}
UNREAD: dict[tuple[str, str], str] = {
    ("aws_kms_key", "deletion_window_in_days"): "sent at deletion, kept in the state alone",
}
