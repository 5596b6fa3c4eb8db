"""VPC flow logs, and a metric of rejected connections that originate in the VPC."""

from ipaddress import IPv4Network

from cdktf_cdktf_provider_aws.flow_log import FlowLog
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.vpc import Vpc

from stacks.parts import ports
from stacks.parts.logs import log_group, metric_filter
from stacks.parts.service_roles import service_role
from stacks.statements import allow
from stacks.tier import TierStack

REJECTED_FROM_WITHIN = "RejectedFromWithin"
"""Name of the metric."""


def enable_flow_logs(tier: TierStack, vpc: Vpc, key: KmsKey) -> None:
    """PCI DSS 1.2.7, 10.2.1: log all accepted and rejected connections."""
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
    """Filter pattern for rejected traffic from inside the VPC. Scans from the internet are noise.

    So are the load balancer's responses to clients that connect from a port below 1024, as scanners do: it accepts the
    request, but the network ACL rejects the response, which gets a record of its own.
    https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html
    A task cannot scan from these ports, because it has no capabilities and so cannot bind them.

    Patterns do not support CIDRs, so it matches the first two octets, which are fixed in a VPC of /16 to /18.
    """
    prefix = ".".join(str(vpc.network_address).split(".")[:2])
    requests = " && ".join(f"source_port!={port}" for port in (ports.HTTPS, ports.HTTP))
    return (
        f"[version, account, interface, source={prefix}.*, destination, {requests}, destination_port, protocol, "
        'packets, bytes, start, end, action="REJECT", status]'
    )
