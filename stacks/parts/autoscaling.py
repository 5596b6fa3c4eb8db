"""Application Auto Scaling with target tracking."""

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
"""Seconds. Short, because customers wait."""
SCALE_IN_COOLDOWN = 300
"""Seconds. Long, so that a short lull removes nothing."""


def scaling_target(
    tier: TierStack,
    what: str,
    *,
    dimension: str,
    resource_id: str,
    capacity: tuple[int, int],
    depends_on: Sequence[ITerraformDependable],
) -> AppautoscalingTarget:
    """A scalable target.

    Args:
        what: what is scaled, in the singular: `reader`, `task`.
        dimension: scalable dimension, such as `rds:cluster:ReadReplicaCount`; its first part is the service namespace.
        capacity: minimum and maximum.
    """
    minimum, maximum = capacity
    return AppautoscalingTarget(
        tier,
        f"{what}-target",
        service_namespace=dimension.partition(":")[0],
        scalable_dimension=dimension,
        resource_id=resource_id,
        min_capacity=minimum,
        max_capacity=maximum,
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
    """Add a policy that keeps a predefined metric at a target value.

    Args:
        resource_label: the measured resource, if it is not the scaled one.
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
