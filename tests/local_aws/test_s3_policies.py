"""Evaluation of bucket policies with their conditions, as in IAM."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.iam.access_control import PermissionResult

from local_aws.server import LocalAws
from local_aws.services.s3_policies import condition_keys, evaluate
from tests.local_aws.conftest import ACCOUNT, REGION

OBJECT = "arn:aws:s3:::bucket/key"
KMS = {"x-amz-server-side-encryption": "aws:kms"}


def result_of(
    headers: dict[str, str] | None = None, action: str = "s3:PutObject", **statement: Any
) -> PermissionResult:
    base = {"Effect": "Deny", "Principal": "*", "Action": "s3:Put*", "Resource": "arn:aws:s3:::bucket/*"}
    return evaluate({"Statement": base | statement}, action, OBJECT, condition_keys(headers or {}, ACCOUNT))


@pytest.mark.parametrize(
    ("condition", "applies"),
    [
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"NumericLessThan": {"s3:TlsVersion": "1.2"}}, False),
        ({"StringEquals": {"s3:x-amz-server-side-encryption": ["AES256", "aws:kms"]}}, True),
        ({"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}, False),
        ({"StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "key"}}, True),
        ({"StringEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "key"}}, False),
        ({"StringNotLike": {"s3:x-amz-server-side-encryption": "aws:*"}}, False),
        ({"Null": {"s3:x-amz-server-side-encryption": "false"}}, True),
        ({"Null": {"s3:x-amz-server-side-encryption": "true"}}, False),
        ({"Bool": {"aws:MultiFactorAuthPresent": "false"}}, False),
        ({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}, True),
        ({"BoolIfExists": {"aws:SecureTransport": "false"}}, False),
        ({"StringEquals": {"aws:PrincipalAccount": ACCOUNT}, "Bool": {"aws:SecureTransport": "false"}}, False),
        ({}, True),
    ],
)
def test_a_statement_applies_if_all_its_conditions_match(condition: dict[str, Any], applies: bool):
    assert (result_of(KMS, Condition=condition) is PermissionResult.DENIED) is applies


def test_unsupported_operators_raise_an_error():
    with pytest.raises(NotImplementedError, match="DateLessThan"):
        result_of(Condition={"DateLessThan": {"aws:CurrentTime": "2030-01-01"}})


@pytest.mark.parametrize(
    ("principal", "applies"),
    [
        ("*", True),
        ({"AWS": [f"arn:aws:iam::{ACCOUNT}:root"]}, True),
        ({"AWS": "arn:aws:iam::999999999999:root"}, False),
        ({"Service": "logging.s3.amazonaws.com"}, False),
    ],
)
def test_a_statement_applies_to_its_principals(principal: Any, applies: bool):
    assert (result_of(Principal=principal) is PermissionResult.DENIED) is applies


def test_allowed_and_unmentioned_actions_are_distinguished():
    assert result_of(Effect="Allow") is PermissionResult.PERMITTED
    assert result_of(action="s3:HeadObject") is PermissionResult.NEUTRAL
    assert result_of(action="s3:HeadObject", Action="s3:GetObject") is PermissionResult.DENIED
    assert evaluate({}, "s3:PutObject", OBJECT, {}) is PermissionResult.NEUTRAL


def test_the_server_evaluates_each_write_with_its_headers(aws: LocalAws):
    s3, bucket = aws.client("s3"), {"Bucket": "evaluated-by-conditions"}
    s3.create_bucket(**bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    plaintext = {"Bool": {"aws:SecureTransport": "false"}}
    other = {
        "Null": {"s3:x-amz-server-side-encryption": "false"},
        "StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"},
    }
    statements = [
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::*", "Condition": condition}
        for condition in (plaintext, other)
    ]
    s3.put_bucket_policy(**bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    s3.put_object(**bucket, Key="unnamed", Body=b"1")
    s3.put_object(**bucket, Key="kms", Body=b"1", ServerSideEncryption="aws:kms")
    with pytest.raises(ClientError, match=r"403|AccessDenied|Forbidden"):
        s3.put_object(**bucket, Key="aes", Body=b"1", ServerSideEncryption="AES256")
    assert s3.get_object(**bucket, Key="kms")["Body"].read() == b"1"
    s3.delete_objects(**bucket, Delete={"Objects": [{"Key": "kms"}]})
    assert [entry["Key"] for entry in s3.list_objects_v2(**bucket)["Contents"]] == ["unnamed"]
