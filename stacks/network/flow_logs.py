"""Flow logs of the VPC, and the count of connections that were rejected from within it."""

from ipaddress import IPv4Network

from cdktf_cdktf_provider_aws.flow_log import FlowLog
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.vpc import Vpc

from stacks.parts.logs import log_group, metric_filter
from stacks.parts.service_roles import service_role
from stacks.statements import allow
from stacks.tier import TierStack

REJECTED_FROM_WITHIN = "RejectedFromWithin"
"""Metric of the count."""


def enable_flow_logs(tier: TierStack, vpc: Vpc, key: KmsKey) -> None:
    """PCI DSS 10.2.1, 1.2.7: who talked to whom, and who tried."""
    logs = log_group(tier, "flow-log-group", tier.names.flow_log_group, key=key)
    role, permissions = service_role(
        tier,
        "flow-logs",
        "vpc-flow-logs.amazonaws.com",
        [
            allow(
                "Deliver",
                ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                [logs.arn, f"{logs.arn}:*"],
            ),
            allow("Find", ["logs:DescribeLogGroups"], ["*"]),
        ],
        source_arn=tier.names.arn("ec2", "vpc-flow-log/*"),
        description="Delivers the VPC's flow logs to their log group",
    )
    FlowLog(
        tier,
        "flow-log",
        vpc_id=vpc.id,
        traffic_type="ALL",
        log_destination=logs.arn,
        iam_role_arn=role.arn,
        max_aggregation_interval=60,  # seconds
        depends_on=[permissions],
        tags={"Name": tier.names.resource_name("flow-logs")},
    )
    metric_filter(
        tier,
        "rejected-from-within",
        logs,
        pattern=rejected_traffic_pattern(tier.settings.network.cidr),
        metric=REJECTED_FROM_WITHIN,
    )


def rejected_traffic_pattern(vpc: IPv4Network) -> str:
    """Filter pattern of flow log records whose source lies in the VPC. Scans from the internet are noise.

    A pattern knows no CIDR, so it takes the two octets that a VPC of /16 to /18 shares.
    """
    within = ".".join(str(vpc.network_address).split(".")[:2])
    return (
        f"[version, account, interface, source={within}.*, destination, source_port, destination_port, protocol, "
        'packets, bytes, start, end, action="REJECT", status]'
    )
