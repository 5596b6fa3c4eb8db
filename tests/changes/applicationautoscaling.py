"""Application Auto Scaling."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import Change


def _tracks_another_value(aws: LocalAws, policy: dict[str, Any]) -> None:
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


def _scales_by_steps(aws: LocalAws, policy: dict[str, Any]) -> None:
    for each in aws.backend("applicationautoscaling").policies.values():
        if each.policy_arn == policy["arn"]:
            each.policy_type = "StepScaling"


def _holds(capacity: str) -> Change:
    def change(aws: LocalAws, target: dict[str, Any]) -> None:
        name = f"{capacity}_capacity"
        aws.client("application-autoscaling").register_scalable_target(
            ServiceNamespace=target["service_namespace"],
            ResourceId=target["resource_id"],
            ScalableDimension=target["scalable_dimension"],
            **{f"{capacity.title()}Capacity": target[name] + 1},
        )

    return change


def _is_tagged(aws: LocalAws, target: dict[str, Any]) -> None:
    aws.client("application-autoscaling").tag_resource(ResourceARN=target["arn"], Tags={"Changed": "yes"})


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_appautoscaling_policy", "target_tracking_scaling_policy_configuration"): _tracks_another_value,
    ("aws_appautoscaling_policy", "policy_type"): _scales_by_steps,
    ("aws_appautoscaling_target", "max_capacity"): _holds("max"),
    ("aws_appautoscaling_target", "min_capacity"): _holds("min"),
    ("aws_appautoscaling_target", "tags"): _is_tagged,
}
_NAMES = "one of the names that the read asks by: another is another thing"
UNREAD: dict[tuple[str, str], str] = {
    ("aws_appautoscaling_policy", "name"): _NAMES,
    ("aws_appautoscaling_policy", "resource_id"): _NAMES,
    ("aws_appautoscaling_policy", "scalable_dimension"): _NAMES,
    ("aws_appautoscaling_policy", "service_namespace"): _NAMES,
    ("aws_appautoscaling_target", "resource_id"): _NAMES,
    ("aws_appautoscaling_target", "scalable_dimension"): _NAMES,
    ("aws_appautoscaling_target", "service_namespace"): _NAMES,
}
