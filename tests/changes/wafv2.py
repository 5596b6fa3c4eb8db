"""Changes for the local AWS's WAF extension."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change

SEEN = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": "other"}


def _update(**changed: Any) -> Change:
    """Update the web ACL with changed parameters."""

    def change(aws: LocalAws, state: dict[str, Any]) -> None:
        wafv2 = aws.client("wafv2")
        named = {"Name": state["name"], "Id": state["id"], "Scope": state["scope"]}
        answer = wafv2.get_web_acl(**named)
        members = wafv2.meta.service_model.operation_model("UpdateWebACL").input_shape.members
        known = {name: value for name, value in answer["WebACL"].items() if name in members}
        wafv2.update_web_acl(**known | named | {"LockToken": answer["LockToken"]} | changed)

    return change


def _another_web_acl(aws: LocalAws, state: dict[str, Any]) -> None:
    wafv2 = aws.client("wafv2")
    settings = {"Scope": "REGIONAL", "DefaultAction": {"Allow": {}}, "VisibilityConfig": SEEN}
    other = wafv2.create_web_acl(Name="other", **settings)["Summary"]["ARN"]
    wafv2.associate_web_acl(WebACLArn=other, ResourceArn=state["resource_arn"])


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_wafv2_web_acl", "default_action"): _update(DefaultAction={"Block": {}}),
    ("aws_wafv2_web_acl", "description"): _update(Description="changed"),
    ("aws_wafv2_web_acl", "rule"): _update(Rules=[]),
    ("aws_wafv2_web_acl", "visibility_config"): _update(VisibilityConfig=SEEN),
    ("aws_wafv2_web_acl_association", "web_acl_arn"): _another_web_acl,
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_wafv2_web_acl", "name"): IDENTIFIES,
    ("aws_wafv2_web_acl", "scope"): IDENTIFIES,
    ("aws_wafv2_web_acl_association", "resource_arn"): IDENTIFIES,
}
