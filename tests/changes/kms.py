"""Out-of-band changes to KMS resources, one per argument."""

import json
from typing import Any

from local_aws.server import LocalAws
from tests.changes import Change


def _change_description(aws: LocalAws, key: dict[str, Any]) -> None:
    aws.client("kms").update_key_description(KeyId=key["key_id"], Description="Another")


def _change_policy(aws: LocalAws, key: dict[str, Any]) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
    aws.client("kms").put_key_policy(
        KeyId=key["key_id"],
        PolicyName="default",
        Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def _shorten_rotation_period(aws: LocalAws, key: dict[str, Any]) -> None:
    aws.client("kms").enable_key_rotation(KeyId=key["key_id"], RotationPeriodInDays=91)


def _disable_rotation(aws: LocalAws, key: dict[str, Any]) -> None:
    aws.client("kms").disable_key_rotation(KeyId=key["key_id"])


def _add_tag(aws: LocalAws, key: dict[str, Any]) -> None:
    aws.client("kms").tag_resource(KeyId=key["key_id"], Tags=[{"TagKey": "Changed", "TagValue": "yes"}])


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_kms_key", "description"): _change_description,
    ("aws_kms_key", "policy"): _change_policy,
    ("aws_kms_key", "rotation_period_in_days"): _shorten_rotation_period,
    ("aws_kms_key", "tags"): _add_tag,
    ("aws_kms_key", "enable_key_rotation"): _disable_rotation,
}
UNREAD: dict[tuple[str, str], str] = {
    ("aws_kms_key", "deletion_window_in_days"): "used by destroy; only in the state",
}
