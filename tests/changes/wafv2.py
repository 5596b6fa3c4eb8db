"""Out-of-band changes to WAF resources, one per argument."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change

OTHER_VISIBILITY = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": "other"}


def _update(**changed: Any) -> Change:
    """A change that updates some parameters of the web ACL and keeps the others."""

    def change(aws: LocalAws, state: dict[str, Any]) -> None:
        wafv2 = aws.client("wafv2")
        identifiers = {"Name": state["name"], "Id": state["id"], "Scope": state["scope"]}
        response = wafv2.get_web_acl(**identifiers)
        members = wafv2.meta.service_model.operation_model("UpdateWebACL").input_shape.members
        current = {name: value for name, value in response["WebACL"].items() if name in members}
        wafv2.update_web_acl(**current | identifiers | {"LockToken": response["LockToken"]} | changed)

    return change


def _another_web_acl(aws: LocalAws, state: dict[str, Any]) -> None:
    wafv2 = aws.client("wafv2")
    settings = {"Scope": "REGIONAL", "DefaultAction": {"Allow": {}}, "VisibilityConfig": OTHER_VISIBILITY}
    other = wafv2.create_web_acl(Name="other", **settings)["Summary"]["ARN"]
    wafv2.associate_web_acl(WebACLArn=other, ResourceArn=state["resource_arn"])


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_wafv2_web_acl", "default_action"): _update(DefaultAction={"Block": {}}),
    ("aws_wafv2_web_acl", "description"): _update(Description="changed"),
    ("aws_wafv2_web_acl", "rule"): _update(Rules=[]),
    ("aws_wafv2_web_acl", "visibility_config"): _update(VisibilityConfig=OTHER_VISIBILITY),
    ("aws_wafv2_web_acl_association", "web_acl_arn"): _another_web_acl,
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_wafv2_web_acl", "name"): IDENTIFIES,
    ("aws_wafv2_web_acl", "scope"): IDENTIFIES,
    ("aws_wafv2_web_acl_association", "resource_arn"): IDENTIFIES,
}
