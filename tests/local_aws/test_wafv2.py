"""WAF: rules and associations of web ACLs."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from tests.local_aws.conftest import ACCOUNT, REGION

VISIBILITY = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "requests"}
RULE = {
    "Name": "flood",
    "Priority": 1,
    "Action": {"Block": {}},
    "Statement": {"RateBasedStatement": {"Limit": 100, "AggregateKeyType": "IP"}},
    "VisibilityConfig": VISIBILITY,
}
BALANCER = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/public/0123456789abcdef"


@pytest.fixture(scope="module")
def wafv2(aws: LocalAws) -> Any:
    return aws.client("wafv2")


def create(wafv2: Any, name: str) -> dict[str, str]:
    return wafv2.create_web_acl(
        Name=name, Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=VISIBILITY, Rules=[RULE]
    )["Summary"]


def named(summary: dict[str, str]) -> dict[str, str]:
    return {"Name": summary["Name"], "Id": summary["Id"], "Scope": "REGIONAL"}


def test_redacted_fields_are_kept(wafv2: Any) -> None:
    fields = [{"SingleHeader": {"Name": name}} for name in ("cookie", "authorization")]
    configuration = {
        "ResourceArn": create(wafv2, "redacting")["ARN"],
        "LogDestinationConfigs": [f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:aws-waf-logs-x"],
        "RedactedFields": fields,
    }
    wafv2.put_logging_configuration(LoggingConfiguration=configuration)
    described = wafv2.get_logging_configuration(ResourceArn=configuration["ResourceArn"])["LoggingConfiguration"]
    assert {key: described[key] for key in configuration} == configuration


def test_all_rules_can_be_changed_and_removed(wafv2: Any) -> None:
    acl = named(create(wafv2, "changing"))

    def update(*rules: Any) -> list[Any]:
        token = wafv2.get_web_acl(**acl)["LockToken"]
        wafv2.update_web_acl(
            **acl, LockToken=token, DefaultAction={"Allow": {}}, VisibilityConfig=VISIBILITY, Rules=list(rules)
        )
        return [rule["Name"] for rule in wafv2.get_web_acl(**acl)["WebACL"]["Rules"]]

    assert update({**RULE, "Name": "other"}) == ["other"]
    assert update() == []


def test_a_resource_has_one_web_acl_which_cannot_be_deleted_while_associated(wafv2: Any) -> None:
    first, second = (create(wafv2, name) for name in ("first", "second"))
    for acl in (first, second):
        wafv2.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=BALANCER)
    assert wafv2.get_web_acl_for_resource(ResourceArn=BALANCER)["WebACL"]["Name"] == "second"
    wafv2.delete_web_acl(**named(first), LockToken=first["LockToken"])
    with pytest.raises(ClientError) as error:
        wafv2.delete_web_acl(**named(second), LockToken=second["LockToken"])
    assert error.value.response["Error"]["Code"] == "WAFAssociatedItemException"
    with pytest.raises(ClientError) as error:
        wafv2.associate_web_acl(WebACLArn=first["ARN"], ResourceArn=BALANCER)
    assert error.value.response["Error"]["Code"] == "WAFNonexistentItemException"
    assert wafv2.get_web_acl_for_resource(ResourceArn=BALANCER)["WebACL"]["Name"] == "second"
    wafv2.disassociate_web_acl(ResourceArn=BALANCER)
    wafv2.delete_web_acl(**named(second), LockToken=second["LockToken"])
    assert "WebACL" not in wafv2.get_web_acl_for_resource(ResourceArn=BALANCER)
