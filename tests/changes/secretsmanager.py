"""Secrets Manager: what is changed behind Terraform's back."""

import json
from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change


def _secret(**asked: Any) -> Change:
    return lambda aws, it: aws.client("secretsmanager").update_secret(SecretId=it["id"], **asked)


def _untag(aws: LocalAws, it: dict[str, Any]) -> None:
    aws.client("secretsmanager").untag_resource(SecretId=it["id"], TagKeys=["Project"])


def _another_policy(aws: LocalAws, it: dict[str, Any]) -> None:
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
    aws.client("secretsmanager").put_resource_policy(SecretId=it["id"], ResourcePolicy=policy)


def _another_function(aws: LocalAws, it: dict[str, Any]) -> None:
    # RotateSecret would rotate.
    aws.backend("secretsmanager").secrets[it["id"]].rotation_lambda_arn = f"{it['rotation_lambda_arn']}-another"


def _other_days(aws: LocalAws, it: dict[str, Any]) -> None:
    aws.backend("secretsmanager").secrets[it["id"]].rules.update(AutomaticallyAfterDays=365)


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_secretsmanager_secret", "description"): _secret(Description="Another"),
    ("aws_secretsmanager_secret", "kms_key_id"): _secret(KmsKeyId="arn:aws:kms:us-west-1:111122223333:key/another"),
    ("aws_secretsmanager_secret", "tags_all"): _untag,
    ("aws_secretsmanager_secret_policy", "policy"): _another_policy,
    ("aws_secretsmanager_secret_rotation", "rotation_lambda_arn"): _another_function,
    ("aws_secretsmanager_secret_rotation", "rotation_rules"): _other_days,
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_secretsmanager_secret", "name"): IDENTIFIES,
    ("aws_secretsmanager_secret", "recovery_window_in_days"): "is told at its deletion alone",
    ("aws_secretsmanager_secret_policy", "block_public_policy"): "says how the policy is checked when it is written",
    ("aws_secretsmanager_secret_policy", "secret_arn"): IDENTIFIES,
    ("aws_secretsmanager_secret_rotation", "rotate_immediately"): "says when a change of the rotation rotates",
    ("aws_secretsmanager_secret_rotation", "secret_id"): IDENTIFIES,
}
