"""Targets and policies of Application Auto Scaling."""

from collections.abc import Mapping

from tests.integration.deployed import DeployedEnvironment, Response
from tests.integration.expectations import expect


def scaling_targets(deployed: DeployedEnvironment, dimension: str, resource: str) -> list[Response]:
    """Scalable targets of a resource for a dimension, as in `rds:cluster:ReadReplicaCount`."""
    targets = deployed.list_all(
        "application-autoscaling",
        "describe_scalable_targets",
        "ScalableTargets",
        ServiceNamespace=dimension.partition(":")[0],
    )
    return [one for one in targets if (one["ScalableDimension"], one["ResourceId"]) == (dimension, resource)]


def expect_bounds(targets: list[Response], arn: str, least: int, most: int) -> None:
    """The target has these bounds and is not suspended; if they are equal, there is no target."""
    bounds = [
        (
            one["MinCapacity"],
            one["MaxCapacity"],
            {kind for kind, is_suspended in one.get("SuspendedState", {}).items() if is_suspended},
        )
        for one in targets
    ]
    expect("minimum, maximum, suspended scaling", {arn: bounds}, [(least, most, set())] if most > least else [])


def expect_policies(
    deployed: DeployedEnvironment, targets: list[Response], arn: str, metrics: Mapping[str, float]
) -> None:
    """The targets, if there are any, track these metrics with these target values."""
    tracked: dict[str, float] = {}
    for target in targets:
        policies = deployed.list_all(
            "application-autoscaling",
            "describe_scaling_policies",
            "ScalingPolicies",
            ServiceNamespace=target["ServiceNamespace"],
            ResourceId=target["ResourceId"],
            ScalableDimension=target["ScalableDimension"],
        )
        configurations = [policy["TargetTrackingScalingPolicyConfiguration"] for policy in policies]
        tracked |= {
            one["PredefinedMetricSpecification"]["PredefinedMetricType"]: one["TargetValue"]
            for one in configurations
            if not one.get("DisableScaleIn")
        }
    expect("metrics and target values", {arn: tracked}, metrics if targets else {})
