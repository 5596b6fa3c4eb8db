"""Target tracking: as many of something as keep a metric at its target."""

from collections.abc import Sequence

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicy,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification,
)
from cdktf_cdktf_provider_aws.appautoscaling_target import AppautoscalingTarget

from stacks.tier import TierStack

PredefinedMetric = AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification

SCALE_OUT_COOLDOWN = 60
"""Seconds: customers wait."""
SCALE_IN_COOLDOWN = 300
"""Seconds: a lull is no reason to start all over."""


def scaling_target(
    tier: TierStack,
    what: str,
    *,
    dimension: str,
    resource_id: str,
    capacity: tuple[int, int],
    depends_on: Sequence[ITerraformDependable],
) -> AppautoscalingTarget:
    """What is scaled, and within which bounds.

    Args:
        what: the construct's id, in the singular.
        dimension: as `rds:cluster:ReadReplicaCount`; it begins with the service's namespace.
        between: the least and the most.
    """
    least, most = capacity
    return AppautoscalingTarget(
        tier,
        f"{what}-target",
        service_namespace=dimension.partition(":")[0],
        scalable_dimension=dimension,
        resource_id=resource_id,
        min_capacity=least,
        max_capacity=most,
        depends_on=list(depends_on),
    )


def track_metric(
    tier: TierStack,
    id: str,
    target: AppautoscalingTarget,
    metric: str,
    *,
    target_value: float,
    resource_label: str | None = None,
) -> None:
    """Keep one of Application Auto Scaling's own metrics at a value.

    Args:
        of: the resource that is measured, where it is not the one that is scaled.
    """
    AppautoscalingPolicy(
        tier,
        id,
        name=tier.names.resource_name(id),
        policy_type="TargetTrackingScaling",
        service_namespace=target.service_namespace,
        scalable_dimension=target.scalable_dimension,
        resource_id=target.resource_id,
        target_tracking_scaling_policy_configuration=AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration(
            predefined_metric_specification=PredefinedMetric(
                predefined_metric_type=metric, resource_label=resource_label
            ),
            target_value=target_value,
            scale_out_cooldown=SCALE_OUT_COOLDOWN,
            scale_in_cooldown=SCALE_IN_COOLDOWN,
        ),
    )
