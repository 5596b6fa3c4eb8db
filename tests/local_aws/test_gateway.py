"""The entry of every request: it is logged and counted, and what is not supported is refused by its name."""

from collections.abc import Callable, Generator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError

from local_aws.gateway import THROTTLING_ERRORS
from local_aws.server import LocalAws
from tests.local_aws.conftest import ACCOUNT

# An action that moto lacks, for every protocol that AWS's services speak.
UNKNOWN: dict[str, tuple[str, str, dict[str, Any]]] = {
    "json": ("kms", "connect_custom_key_store", {"CustomKeyStoreId": "a"}),
    "one of several": ("cloudwatch", "list_managed_insight_rules", {"ResourceARN": "a"}),
    "rest-json": ("lambda", "get_runtime_management_config", {"FunctionName": "a"}),
    "rest-xml": ("route53", "list_traffic_policies", {}),
    "query": ("sns", "get_data_protection_policy", {"ResourceArn": "a"}),
    "ec2": ("ec2", "describe_ipam_byoasn", {}),
}
# An action of the same services, and of S3, that moto has.
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
    """HTTP status, code and message of a refusal."""
    with pytest.raises(ClientError) as told:
        call(**arguments)
    response: Any = told.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]


def test_what_terraform_asks_is_told_from_what_others_do(aws: LocalAws):
    calls = aws.gateway.terraform_calls
    before = calls["sns:ListTopics"]
    aws.client("sns").list_topics()
    assert calls["sns:ListTopics"] == before
    terraform = aws.client("sns")
    name = "APN/1.0 HashiCorp/1.0 Terraform/1.11.4 terraform-provider-aws/5.100.0"
    terraform.meta.events.register("before-sign", lambda request, **_: request.headers.add_header("User-Agent", name))
    terraform.list_topics()
    assert calls["sns:ListTopics"] == before + 1


def test_the_account_is_the_environments_whatever_the_access_key(aws: LocalAws):
    assert aws.client("sts").get_caller_identity()["Account"] == ACCOUNT


@pytest.mark.parametrize(
    ("service", "action", "arguments", "noted"),
    [
        ("sts", "get_caller_identity", {}, "sts:GetCallerIdentity"),
        ("kms", "list_keys", {}, "kms:ListKeys"),
        ("efs", "describe_file_systems", {}, "elasticfilesystem:DescribeFileSystems"),
        ("elbv2", "describe_load_balancers", {}, "elasticloadbalancing:DescribeLoadBalancers"),
        ("resourcegroupstaggingapi", "get_tag_keys", {}, "tagging:GetTagKeys"),
        ("s3", "list_buckets", {}, "s3:ListBuckets"),
    ],
)
def test_every_call_is_counted_and_logged_as_aws_names_it(
    aws: LocalAws, service: str, action: str, arguments: dict[str, Any], noted: str
):
    before = aws.gateway.calls[noted]
    getattr(aws.client(service), action)(**arguments)
    assert aws.gateway.calls[noted] == before + 1
    assert last_line(aws) == f"{noted} 200 OK"


def test_what_a_service_refuses_is_logged_with_what_it_says(aws: LocalAws):
    assert refused(aws.client("kms").describe_key, KeyId="alias/nobodys")[1] == "NotFoundException"
    assert last_line(aws).startswith("kms:DescribeKey 400 BAD REQUEST b'")
    assert "alias/nobodys" in last_line(aws)


@pytest.mark.parametrize(("service", "action", "arguments"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_an_action_that_is_not_there_is_named_and_counted_and_not_tried_again(
    aws: LocalAws, unsupported: dict[str, int], service: str, action: str, arguments: dict[str, Any]
):
    client = aws.client(service)
    name = client.meta.method_to_api_mapping[action]
    status, code, message = refused(getattr(client, action), **arguments)
    assert (status, code) == (400, "InvalidAction")
    (call,) = unsupported
    assert call.endswith(f":{name}")
    assert unsupported[call] == 1
    assert message.startswith(f"The local AWS does not know {call}: moto has no such ")
    assert last_line(aws) == f"{call} 400 InvalidAction {message}"


def test_what_breaks_in_moto_is_an_answer_too_with_the_traceback_in_the_log(
    aws: LocalAws, unsupported: dict[str, int], monkeypatch: pytest.MonkeyPatch
):
    def broken(next_token: str | None) -> None:
        del next_token
        raise ZeroDivisionError("by <nothing>")

    monkeypatch.setattr(aws.backend("sns"), "list_topics", broken)
    before = aws.gateway.calls["sns:ListTopics"]
    status, code, message = refused(aws.client("sns").list_topics)
    assert (status, code) == (400, "InvalidAction")
    assert message == "The local AWS does not know sns:ListTopics: moto broke: ZeroDivisionError('by <nothing>')"
    assert unsupported == {"sns:ListTopics": 1}
    assert aws.gateway.calls["sns:ListTopics"] == before + 1
    assert "Traceback" in (aws.folder / "calls.log").read_text()


def test_a_missing_bucket_is_no_gap(aws: LocalAws, unsupported: dict[str, int]):
    assert refused(aws.client("s3").head_bucket, Bucket="nobodys-bucket")[1] == "404"
    assert refused(aws.client("s3").get_bucket_tagging, Bucket="nobodys-bucket")[1] == "NoSuchBucket"
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
    ids=["unsigned", "a service that nobody knows", "a path that nobody knows"],
)
@pytest.mark.usefixtures("unsupported")
def test_what_no_client_of_awss_asks_is_named_as_far_as_it_says(
    aws: LocalAws, headers: dict[str, str], body: bytes | None, named: str
):
    request = Request(f"{aws.endpoint}/nowhere/at/all", headers=headers, data=body)  # noqa: S310 - http
    with pytest.raises(HTTPError) as told, urlopen(request):  # noqa: S310 - http
        pass
    told.value.close()
    assert last_line(aws).startswith(named)


@pytest.mark.usefixtures("faults")
@pytest.mark.parametrize(("service", "action"), KNOWN)
def test_calls_are_throttled_or_fail_in_each_services_protocol(aws: LocalAws, service: str, action: str):
    client = aws.client(service)
    answers = {refused(getattr(client, action))[:2] for _ in range(4)}
    assert answers <= {THROTTLING_ERRORS.get(service, (400, "ThrottlingException")), (500, "InternalFailure")}
    assert sum(aws.gateway.faults.injected.values()) >= 4


def test_without_faults_no_call_fails(aws: LocalAws):
    for _ in range(20):
        aws.client("sts").get_caller_identity()
    assert not aws.gateway.faults.injected


def test_the_share_of_calls_that_fail_can_be_set(aws: LocalAws, faults: None):
    del faults
    aws.gateway.faults.rate = 0.5
    failed = sum(aws.gateway.faults.draw("sts") is not None for _ in range(1000))
    assert 400 < failed < 600
