"""What load may bring: targets and policies of Application Auto Scaling."""

from tests.integration.expectations import expect
from tests.integration.found import Answer, Found, the_one


def scaling_target(found: Found, dimension: str, resource: str) -> Answer:
    """The target of a dimension, as `rds:cluster:ReadReplicaCount`, for a resource."""
    targets = found.every(
        "application-autoscaling",
        "describe_scalable_targets",
        "ScalableTargets",
        ServiceNamespace=dimension.partition(":")[0],
    )
    return the_one(
        f"scaling target {dimension} of {resource}",
        [one for one in targets if (one["ScalableDimension"], one["ResourceId"]) == (dimension, resource)],
    )


def expect_bounds(target: Answer, least: int, most: int) -> None:
    """It is scaled between these, and scaling is not suspended."""
    suspended = {way for way, is_off in target.get("SuspendedState", {}).items() if is_off}
    bounds = (target["MinCapacity"], target["MaxCapacity"], suspended)
    expect("least, most, what is suspended", {target["ScalableTargetARN"]: bounds}, (least, most, set()))


def expect_policies(found: Found, target: Answer, metrics: dict[str, float]) -> None:
    """It follows these metrics, each at its target."""
    policies = found.every(
        "application-autoscaling",
        "describe_scaling_policies",
        "ScalingPolicies",
        ServiceNamespace=target["ServiceNamespace"],
    )
    tracked = [
        policy["TargetTrackingScalingPolicyConfiguration"]
        for policy in policies
        if (policy["ScalableDimension"], policy["ResourceId"]) == (target["ScalableDimension"], target["ResourceId"])
    ]
    targets = {
        one["PredefinedMetricSpecification"]["PredefinedMetricType"]: one["TargetValue"]
        for one in tracked
        if not one.get("DisableScaleIn")
    }
    expect("metrics and their targets", {target["ScalableTargetARN"]: targets}, metrics)
