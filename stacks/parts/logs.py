"""CloudWatch log groups, permission to deliver to them, and metric filters."""

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.cloudwatch_log_metric_filter import (
    CloudwatchLogMetricFilter,
    CloudwatchLogMetricFilterMetricTransformation,
)
from cdktf_cdktf_provider_aws.cloudwatch_log_resource_policy import CloudwatchLogResourcePolicy
from cdktf_cdktf_provider_aws.kms_key import KmsKey

from stacks.parts.policy_documents import policy_document
from stacks.statements import allow, arn_like, service_principal, string_equals
from stacks.tier import TierStack


def log_group(tier: TierStack, id: str, name: str, *, key: KmsKey) -> CloudwatchLogGroup:
    """An encrypted log group with the retention of the settings (PCI DSS 10.3, 10.5.1)."""
    return CloudwatchLogGroup(
        tier,
        id,
        name=name,
        kms_key_id=key.arn,
        retention_in_days=tier.settings.log_retention_days,
        # prevent_destroy ends when its code is removed; skip_destroy stays in the state as long as the log group.
        skip_destroy=tier.settings.deletion_protection,
        lifecycle=tier.stateful_lifecycle(),
    )


def allow_log_delivery(tier: TierStack, logs: Sequence[CloudwatchLogGroup]) -> CloudwatchLogResourcePolicy:
    """Allow AWS's log delivery service, which ElastiCache and WAF use, to write to log groups.

    Without it, AWS would create such a policy outside Terraform when logging is enabled.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-CWL.html
    """
    return CloudwatchLogResourcePolicy(
        tier,
        "log-delivery",
        policy_name=tier.names.resource_name(f"{tier.tier}-log-delivery"),
        policy_document=policy_document(
            tier,
            "log-delivery-policy",
            allow(
                "Deliver",
                ["logs:CreateLogStream", "logs:PutLogEvents"],
                [f"{log.arn}:log-stream:*" for log in logs],
                to=service_principal("delivery.logs.amazonaws.com"),
                when=[
                    string_equals("aws:SourceAccount", tier.settings.account),
                    arn_like("aws:SourceArn", tier.names.arn("logs", "*")),
                ],
            ),
        ),
    )


def metric_filter(tier: TierStack, id: str, log: CloudwatchLogGroup, *, pattern: str, metric: str) -> None:
    """Count the log events that match a pattern as a metric in the environment's namespace."""
    CloudwatchLogMetricFilter(
        tier,
        id,
        name=tier.names.resource_name(id),
        log_group_name=log.name,
        pattern=pattern,
        metric_transformation=CloudwatchLogMetricFilterMetricTransformation(
            name=metric, namespace=tier.names.metric_namespace, value="1", default_value="0"
        ),
    )
