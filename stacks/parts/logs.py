"""Log groups, made before what writes to them; and what is counted in them."""

from ipaddress import IPv4Network

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
        tier,
        id,
        name=name,
        kms_key_id=key.arn,
        retention_in_days=tier.settings.log_retention_days,
        # prevent_destroy goes with the code that asks for it; this stays in the state until the group itself goes.
        skip_destroy=tier.settings.deletion_protection,
        lifecycle=tier.kept,
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


def rejected_from(vpc: IPv4Network) -> str:
    """Filter pattern of flow log records whose source lies in the VPC. Scans from the internet are noise.

    A pattern knows no CIDR, so it takes the two octets that a VPC of /16 to /18 shares.
    """
    within = ".".join(str(vpc.network_address).split(".")[:2])
    return (
        f"[version, account, interface, source={within}.*, destination, source_port, destination_port, protocol, "
        'packets, bytes, start, end, action="REJECT", status]'
    )
