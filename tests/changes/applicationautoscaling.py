"""Out-of-band changes to Application Auto Scaling resources, one per argument."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change


def _change_target_value(aws: LocalAws, policy: dict[str, Any]) -> None:
    scaling = aws.client("application-autoscaling")
    configuration = scaling.describe_scaling_policies(
        ServiceNamespace=policy["service_namespace"], PolicyNames=[policy["name"]]
    )["ScalingPolicies"][0]["TargetTrackingScalingPolicyConfiguration"]
    scaling.put_scaling_policy(
        PolicyName=policy["name"],
        PolicyType="TargetTrackingScaling",
        ServiceNamespace=policy["service_namespace"],
        ResourceId=policy["resource_id"],
        ScalableDimension=policy["scalable_dimension"],
        TargetTrackingScalingPolicyConfiguration=configuration | {"TargetValue": 11.0},
    )


def _change_policy_type(aws: LocalAws, policy: dict[str, Any]) -> None:
    for each in aws.backend("applicationautoscaling").policies.values():
        if each.policy_arn == policy["arn"]:
            each.policy_type = "StepScaling"


def _change_capacity(capacity: str) -> Change:
    def change(aws: LocalAws, target: dict[str, Any]) -> None:
        name = f"{capacity}_capacity"
        aws.client("application-autoscaling").register_scalable_target(
            ServiceNamespace=target["service_namespace"],
            ResourceId=target["resource_id"],
            ScalableDimension=target["scalable_dimension"],
            **{f"{capacity.title()}Capacity": target[name] + 1},
        )

    return change


def _add_tag(aws: LocalAws, target: dict[str, Any]) -> None:
    aws.client("application-autoscaling").tag_resource(ResourceARN=target["arn"], Tags={"Changed": "yes"})


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_appautoscaling_policy", "target_tracking_scaling_policy_configuration"): _change_target_value,
    ("aws_appautoscaling_policy", "policy_type"): _change_policy_type,
    ("aws_appautoscaling_target", "max_capacity"): _change_capacity("max"),
    ("aws_appautoscaling_target", "min_capacity"): _change_capacity("min"),
    ("aws_appautoscaling_target", "tags"): _add_tag,
}
UNREAD: dict[tuple[str, str], str] = {
    ("aws_appautoscaling_policy", "name"): IDENTIFIES,
    ("aws_appautoscaling_policy", "resource_id"): IDENTIFIES,
    ("aws_appautoscaling_policy", "scalable_dimension"): IDENTIFIES,
    ("aws_appautoscaling_policy", "service_namespace"): IDENTIFIES,
    ("aws_appautoscaling_target", "resource_id"): IDENTIFIES,
    ("aws_appautoscaling_target", "scalable_dimension"): IDENTIFIES,
    ("aws_appautoscaling_target", "service_namespace"): IDENTIFIES,
}
