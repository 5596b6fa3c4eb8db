"""What load may bring: targets and policies of Application Auto Scaling."""

from collections.abc import Mapping

from tests.integration.deployed import DeployedEnvironment, Response
from tests.integration.expectations import expect


def scaling_targets(found: DeployedEnvironment, dimension: str, resource: str) -> list[Response]:
    """The target of a dimension, as `rds:cluster:ReadReplicaCount`, for a resource; none where load brings nothing."""
    targets = found.list_all(
        "application-autoscaling",
        "describe_scalable_targets",
        "ScalableTargets",
        ServiceNamespace=dimension.partition(":")[0],
    )
    return [one for one in targets if (one["ScalableDimension"], one["ResourceId"]) == (dimension, resource)]


def expect_bounds(targets: list[Response], of: str, least: int, most: int) -> None:
    """It is scaled between these, and scaling is not suspended; not at all, where they are the same."""
    bounds = [
        (one["MinCapacity"], one["MaxCapacity"], {way for way, off in one.get("SuspendedState", {}).items() if off})
        for one in targets
    ]
    expect("least, most, what is suspended", {of: bounds}, [(least, most, set())] if most > least else [])


def expect_policies(found: DeployedEnvironment, targets: list[Response], of: str, metrics: Mapping[str, float]) -> None:
    """It follows these metrics, each at its target, if it is scaled at all."""
    followed: dict[str, float] = {}
    for target in targets:
        policies = found.list_all(
            "application-autoscaling",
            "describe_scaling_policies",
            "ScalingPolicies",
            ServiceNamespace=target["ServiceNamespace"],
            ResourceId=target["ResourceId"],
            ScalableDimension=target["ScalableDimension"],
        )
        tracked = [policy["TargetTrackingScalingPolicyConfiguration"] for policy in policies]
        followed |= {
            one["PredefinedMetricSpecification"]["PredefinedMetricType"]: one["TargetValue"]
            for one in tracked
            if not one.get("DisableScaleIn")
        }
    expect("metrics and their targets", {of: followed}, metrics if targets else {})
