"""Requests are held against AWS's models of its services, in each protocol."""

import json
from typing import Any, cast

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.core.request import Request
from moto.core.routing import get_service_router
from werkzeug.test import EnvironBuilder

from local_aws.requests import parse, violations
from local_aws.server import LocalAws


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "code", "message"),
    [
        (
            "kms",
            "enable_key_rotation",
            {"KeyId": "x", "RotationPeriodInDays": 2561},
            "ValidationException",
            "RotationPeriodInDays: 2561 is not 90 to 2560",
        ),
        ("kms", "describe_key", {}, "ValidationException", "KeyId: missing"),
        (
            "guardduty",
            "update_detector",
            {"DetectorId": "x", "Features": [{"Name": "S3_DATA_EVENTS", "Status": "ON"}]},
            "BadRequestException",
            "Features[].Status: 'ON' is none of ENABLED, DISABLED",
        ),
        (
            "secretsmanager",
            "rotate_secret",
            {"SecretId": "x", "RotationRules": {"AutomaticallyAfterDays": 1001}},
            "InvalidParameterException",
            "RotationRules.AutomaticallyAfterDays: 1001 is not 1 to 1000",
        ),
        (
            "cloudwatch",
            "put_composite_alarm",
            {"AlarmName": "x", "AlarmRule": "x" * 10_241},
            "ValidationError",
            "AlarmRule: characters: 10241 is not 1 to 10240",
        ),
        (
            "iam",
            "create_role",
            {"RoleName": "a role", "AssumeRolePolicyDocument": "{}"},
            "ValidationError",
            "RoleName: 'a role' does not match [\\w+=,.@-]+",
        ),
        (
            "lambda",
            "update_function_configuration",
            {"FunctionName": "x", "Environment": {"Variables": {"1": "x"}}},
            "ValidationException",
            "Environment.Variables: key 1: '1' does not match [a-zA-Z]([a-zA-Z0-9_])+",
        ),
        (
            "ec2",
            "create_flow_logs",
            {"ResourceIds": ["vpc-1"], "ResourceType": "Planet"},
            "InvalidParameterValue",
            "ResourceType: 'Planet' is none of ",
        ),
        (
            "sns",
            "tag_resource",
            {"ResourceArn": "arn:aws:sns:us-west-1:123456789012:x", "Tags": [{"Key": "", "Value": "x"}]},
            "InvalidParameterException",
            "Tags[].Key: characters: 0 is not 1 to 128",
        ),
        (
            "route53",
            "list_tags_for_resource",
            {"ResourceType": "planet", "ResourceId": "x"},
            "InvalidInput",
            "ResourceType: 'planet' is none of healthcheck, hostedzone",
        ),
        (
            "s3",
            "put_bucket_versioning",
            {"Bucket": "x", "VersioningConfiguration": {"Status": "Perhaps"}},
            "InvalidArgument",
            "VersioningConfiguration.Status: 'Perhaps' is none of Enabled, Suspended",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and "_" in value else "",
)
def test_what_a_model_does_not_allow_is_refused_with_the_services_code(
    aws: LocalAws, service: str, operation: str, arguments: dict[str, Any], code: str, message: str
):
    client = boto3.client(
        cast(Any, service),
        endpoint_url=aws.endpoint,
        region_name=aws.region,
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="x",
        config=Config(parameter_validation=False, retries={"max_attempts": 1}, proxies={}),
    )
    with pytest.raises(ClientError) as error:
        getattr(client, operation)(**arguments)
    assert error.value.response.get("Error", {}).get("Code") == code
    assert error.value.response.get("Error", {}).get("Message", "").startswith(message)
    found = {each: count for each, count in aws.gateway.invalid.items() if message in each}
    assert list(found.values()) == [1]
    assert f"AWS does not take {next(iter(found))} (1 calls)" in aws.gateway.problems


def wrong(service: str, body: str, **request: Any) -> list[str]:
    environ = EnvironBuilder(method=request.pop("method", "POST"), data=body, **request).get_environ()
    found = Request(environ)
    operation, arguments = get_service_router(service).match(found)
    return violations(parse(operation, found, arguments))


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("Action=DescribeVpcs&Version=2016-11-15&VpcId.1=vpc-1", []),
        ("Action=DescribeVpcs&VpcId.1=vpc-1&Planet=Mars", ["Planet: not a member of DescribeVpcs"]),
    ],
)
def test_members_that_the_query_protocol_does_not_know(body: str, expected: list[str]):
    assert wrong("ec2", body, content_type=FORM) == expected


def test_an_operation_without_members_takes_anything():
    assert wrong("ec2", "Action=DescribeAccountAttributes", content_type=FORM) == []
    target = {"X-Amz-Target": "AWSOrganizationsV20161128.DescribeOrganization"}
    assert wrong("organizations", "{}", headers=target) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"ruleName": "x"}, ["ruleName: not a member of PutRule", "Name: missing"]),
        ({"Name": "x", "Tags": [{"Key": "a", "Value": "b", "Note": "c"}]}, ["Tags[].Note: not a member of PutRule"]),
        ({"Name": "x", "Tags": None}, []),
    ],
)
def test_members_that_json_does_not_know(body: dict[str, Any], expected: list[str]):
    assert wrong("events", json.dumps(body), headers={"X-Amz-Target": "AWSEvents.PutRule"}) == expected


def test_members_of_structures_within_maps():
    headers = {"X-Amz-Target": "DynamoDB_20120810.PutItem"}
    body = {"TableName": "table", "Item": {"id": {"S": "x", "Z": "y"}}}
    assert wrong("dynamodb", json.dumps(body), headers=headers) == ["Item{}.Z: not a member of PutItem"]


def test_documents_have_any_members():
    body = {"messages": [], "additionalModelRequestFields": {"anything": {"at": "all"}}}
    path = "/model/some/converse"
    assert wrong("bedrock-runtime", json.dumps(body), path=path, content_type="application/json") == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/2015-02-01/file-systems?MaxItems=5", []),
        ("/2015-02-01/file-systems?MaxItems=0", ["MaxItems: 0 is not 1 to None"]),
        ("/2015-02-01/file-systems?Planet=Mars", ["Planet: not a member of DescribeFileSystems"]),
    ],
)
def test_members_in_the_query_string(path: str, expected: list[str]):
    assert wrong("efs", "", path=path, method="GET") == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<Status>Enabled</Status>", []),
        ("<Status>Enabled</Status><Planet>Mars</Planet>", ["Planet: not a member of PutBucketVersioning"]),
    ],
)
def test_members_that_xml_does_not_know(body: str, expected: list[str]):
    xml = f'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{body}</VersioningConfiguration>'
    assert wrong("s3", xml, path="/bucket?versioning", method="PUT") == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("<ID>x</ID><Status>Enabled</Status><Filter><Prefix>a</Prefix></Filter>", []),
        ("<ID>x</ID><Filter><Planet>Mars</Planet></Filter>", ["Rule.Filter.Planet: not a member of"]),
    ],
)
def test_flattened_lists_in_xml(rule: str, expected: list[str]):
    xml = f"<LifecycleConfiguration><Rule>{rule}</Rule></LifecycleConfiguration>"
    found = wrong("s3", xml, path="/bucket?lifecycle", method="PUT")
    assert [each for each in found if "missing" not in each] == [
        f"{each} PutBucketLifecycleConfiguration" for each in expected
    ]


def test_lists_in_xml():
    tag = "<Tag><Key>a</Key><Value>b</Value><Note>c</Note></Tag>"
    xml = f"<Tagging><TagSet>{tag}</TagSet></Tagging>"
    assert wrong("s3", xml, path="/bucket?tagging", method="PUT") == ["TagSet.Note: not a member of PutBucketTagging"]
