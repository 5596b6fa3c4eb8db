"""Out-of-band changes to Secrets Manager resources, one per argument."""

import json
from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change


def _secret(**parameters: Any) -> Change:
    return lambda aws, state: aws.client("secretsmanager").update_secret(SecretId=state["id"], **parameters)


def _untag(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.client("secretsmanager").untag_resource(SecretId=state["id"], TagKeys=["Project"])


def _another_policy(aws: LocalAws, state: dict[str, Any]) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.client("secretsmanager").put_resource_policy(SecretId=state["id"], ResourcePolicy=policy)


def _another_function(aws: LocalAws, state: dict[str, Any]) -> None:
    # RotateSecret would rotate.
    aws.backend("secretsmanager").secrets[state["id"]].rotation_lambda_arn = f"{state['rotation_lambda_arn']}-another"


def _other_days(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.backend("secretsmanager").secrets[state["id"]].rules.update(AutomaticallyAfterDays=365)


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
    ("aws_secretsmanager_secret", "recovery_window_in_days"): "used by destroy; only in the state",
    ("aws_secretsmanager_secret_policy", "block_public_policy"): "an option of updates; only in the state",
    ("aws_secretsmanager_secret_policy", "secret_arn"): IDENTIFIES,
    ("aws_secretsmanager_secret_rotation", "rotate_immediately"): "an option of updates; only in the state",
    ("aws_secretsmanager_secret_rotation", "secret_id"): IDENTIFIES,
}
