"""Log groups, made before what writes to them; and what is counted in them."""

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.cloudwatch_log_metric_filter import (
    CloudwatchLogMetricFilter,
    CloudwatchLogMetricFilterMetricTransformation,
)
from cdktf_cdktf_provider_aws.kms_key import KmsKey

from stacks.tier import TierStack


def log_group(tier: TierStack, id: str, name: str, *, key: KmsKey) -> CloudwatchLogGroup:
    """A log group. PCI DSS 10.5.1: its retention comes from the settings; 10.3: its key is the logs' own."""
    return CloudwatchLogGroup(
        tier, id, name=name, kms_key_id=key.arn, retention_in_days=tier.settings.log_retention_days, lifecycle=tier.kept
    )


def count_in_log(tier: TierStack, id: str, log: CloudwatchLogGroup, *, pattern: str, metric: str) -> None:
    """Make a metric, in our own namespace, of the records that match a filter pattern."""
    CloudwatchLogMetricFilter(
        tier,
        id,
        name=tier.names.of_resource(id),
        log_group_name=log.name,
        pattern=pattern,
        metric_transformation=CloudwatchLogMetricFilterMetricTransformation(
            name=metric, namespace=tier.names.metrics, value="1", default_value="0"
        ),
    )
