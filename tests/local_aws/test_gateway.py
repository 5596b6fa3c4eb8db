"""The gateway: calls are logged and counted, unsupported calls are refused, and faults can be injected."""

from collections.abc import Callable, Generator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError

from local_aws.gateway import THROTTLING_ERRORS
from local_aws.server import LocalAws
from tests.local_aws.conftest import ACCOUNT

# An action that moto lacks, for every protocol of AWS services.
UNKNOWN: dict[str, tuple[str, str, dict[str, Any]]] = {
    "json": ("kms", "connect_custom_key_store", {"CustomKeyStoreId": "a"}),
    "one of several": ("cloudwatch", "list_managed_insight_rules", {"ResourceARN": "a"}),
    "rest-json": ("lambda", "get_runtime_management_config", {"FunctionName": "a"}),
    "rest-xml": ("route53", "list_traffic_policies", {}),
    "query": ("sns", "get_data_protection_policy", {"ResourceArn": "a"}),
    "ec2": ("ec2", "describe_ipam_byoasn", {}),
}
# A supported action of the same services, and of S3.
KNOWN = (
    ("kms", "list_keys"),
    ("cloudwatch", "describe_alarms"),
    ("lambda", "list_functions"),
    ("route53", "list_hosted_zones"),
    ("sns", "list_topics"),
    ("ec2", "describe_vpcs"),
    ("s3", "list_buckets"),
)


@pytest.fixture
def faults(aws: LocalAws) -> Generator[None]:
    aws.gateway.faults.rate = 1.0
    yield
    aws.gateway.faults.rate = 0.0
    aws.gateway.faults.injected.clear()


def last_line(aws: LocalAws) -> str:
    return (aws.folder / "calls.log").read_text().splitlines()[-1]


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[int, str, str]:
    """HTTP status, code and message of an error response."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    response: Any = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]


def test_calls_by_terraform_are_counted_separately(aws: LocalAws):
    calls = aws.gateway.terraform_calls
    before = calls["sns:ListTopics"]
    aws.client("sns").list_topics()
    assert calls["sns:ListTopics"] == before
    terraform = aws.client("sns")
    name = "APN/1.0 HashiCorp/1.0 Terraform/1.11.4 terraform-provider-aws/5.100.0"
    terraform.meta.events.register("before-sign", lambda request, **_: request.headers.add_header("User-Agent", name))
    terraform.list_topics()
    assert calls["sns:ListTopics"] == before + 1


def test_the_account_does_not_depend_on_the_access_key(aws: LocalAws):
    assert aws.client("sts").get_caller_identity()["Account"] == ACCOUNT


@pytest.mark.parametrize(
    ("service", "action", "arguments", "logged"),
    [
        ("sts", "get_caller_identity", {}, "sts:GetCallerIdentity"),
        ("kms", "list_keys", {}, "kms:ListKeys"),
        ("efs", "describe_file_systems", {}, "elasticfilesystem:DescribeFileSystems"),
        ("elbv2", "describe_load_balancers", {}, "elasticloadbalancing:DescribeLoadBalancers"),
        ("resourcegroupstaggingapi", "get_tag_keys", {}, "tagging:GetTagKeys"),
        ("s3", "list_buckets", {}, "s3:ListBuckets"),
    ],
)
def test_calls_are_counted_and_logged_by_service_and_operation(
    aws: LocalAws, service: str, action: str, arguments: dict[str, Any], logged: str
):
    before = aws.gateway.calls[logged]
    getattr(aws.client(service), action)(**arguments)
    assert aws.gateway.calls[logged] == before + 1
    assert last_line(aws) == f"{logged} 200 OK"


def test_a_repeated_call_is_logged_with_its_attempt(aws: LocalAws):
    client = aws.client("sts")
    header = "attempt=3; max=25"
    client.meta.events.register("before-send", lambda request, **_: request.headers.update({"amz-sdk-request": header}))
    client.get_caller_identity()
    assert last_line(aws) == "sts:GetCallerIdentity (attempt 3) 200 OK"


def test_an_error_response_is_logged(aws: LocalAws):
    assert refused(aws.client("kms").describe_key, KeyId="alias/missing")[1] == "NotFoundException"
    assert last_line(aws).startswith("kms:DescribeKey 400 BAD REQUEST b'")
    assert "alias/missing" in last_line(aws)


@pytest.mark.parametrize(("service", "action", "arguments"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_an_unsupported_action_is_reported_counted_and_not_retried(
    aws: LocalAws, unsupported: dict[str, int], service: str, action: str, arguments: dict[str, Any]
):
    client = aws.client(service)
    name = client.meta.method_to_api_mapping[action]
    status, code, message = refused(getattr(client, action), **arguments)
    assert (status, code) == (400, "InvalidAction")
    (call,) = unsupported
    assert call.endswith(f":{name}")
    assert unsupported[call] == 1
    reason = message.removeprefix(f"The local AWS does not support {call}: ")
    assert reason.endswith(("has not been implemented", "not implemented", "moto has no such route"))
    assert last_line(aws) == f"{call} 400 InvalidAction {message}"


def test_an_exception_in_moto_is_an_error_response_and_its_traceback_is_logged(
    aws: LocalAws, unsupported: dict[str, int], monkeypatch: pytest.MonkeyPatch
):
    def broken(next_token: str | None) -> None:
        del next_token
        raise ZeroDivisionError("by <nothing>")

    monkeypatch.setattr(aws.backend("sns"), "list_topics", broken)
    before = aws.gateway.calls["sns:ListTopics"]
    status, code, message = refused(aws.client("sns").list_topics)
    assert (status, code) == (400, "InvalidAction")
    assert message == "The local AWS does not support sns:ListTopics: moto raised ZeroDivisionError('by <nothing>')"
    assert unsupported == {"sns:ListTopics": 1}
    assert aws.gateway.calls["sns:ListTopics"] == before + 1
    assert "Traceback" in (aws.folder / "calls.log").read_text()


def test_a_missing_bucket_is_not_an_unsupported_call(aws: LocalAws, unsupported: dict[str, int]):
    assert refused(aws.client("s3").head_bucket, Bucket="missing-bucket")[1] == "404"
    assert refused(aws.client("s3").get_bucket_tagging, Bucket="missing-bucket")[1] == "NoSuchBucket"
    assert not unsupported


@pytest.mark.parametrize(
    ("headers", "body", "named"),
    [
        ({}, None, "unsigned:GET /nowhere/at/all"),
        (
            {"Authorization": "AWS4-HMAC-SHA256 Credential=A/20260101/us-west-1/tea/aws4_request"},
            None,
            "tea:GET /nowhere/at/all",
        ),
        (
            {
                "Authorization": "AWS4-HMAC-SHA256 Credential=A/20260101/us-west-1/lambda/aws4_request",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            b"no=action",
            "lambda:POST /nowhere/at/all",
        ),
    ],
    ids=["unsigned", "unknown service", "unknown path"],
)
@pytest.mark.usefixtures("unsupported")
def test_unknown_requests_are_logged_by_method_and_path(
    aws: LocalAws, headers: dict[str, str], body: bytes | None, named: str
):
    request = Request(f"{aws.endpoint}/nowhere/at/all", headers=headers, data=body)  # noqa: S310 - http
    with pytest.raises(HTTPError) as error, urlopen(request):  # noqa: S310 - http
        pass
    error.value.close()
    assert last_line(aws).startswith(named)


@pytest.mark.usefixtures("faults")
@pytest.mark.parametrize(("service", "action"), KNOWN)
def test_injected_faults_use_the_protocol_of_the_service(aws: LocalAws, service: str, action: str):
    client = aws.client(service)
    responses = {refused(getattr(client, action))[:2] for _ in range(4)}
    assert responses <= {THROTTLING_ERRORS.get(service, (400, "ThrottlingException")), (500, "InternalFailure")}
    assert sum(aws.gateway.faults.injected.values()) >= 4


def test_without_faults_no_call_fails(aws: LocalAws):
    for _ in range(20):
        aws.client("sts").get_caller_identity()
    assert not aws.gateway.faults.injected


def test_the_rate_of_faults_can_be_set(aws: LocalAws, faults: None):
    del faults
    aws.gateway.faults.rate = 0.5
    failed = sum(aws.gateway.faults.draw("sts") is not None for _ in range(1000))
    assert 400 < failed < 600
