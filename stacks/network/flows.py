"""The table of allowed flows, and the security groups and rules that follow from it.

A flow becomes an egress rule at its source and an ingress rule at its target. Everything else is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from cdktf_cdktf_provider_aws.security_group import SecurityGroup
from cdktf_cdktf_provider_aws.vpc import Vpc
from cdktf_cdktf_provider_aws.vpc_endpoint import VpcEndpoint
from cdktf_cdktf_provider_aws.vpc_security_group_egress_rule import VpcSecurityGroupEgressRule
from cdktf_cdktf_provider_aws.vpc_security_group_ingress_rule import VpcSecurityGroupIngressRule

from stacks.parts import ports
from stacks.tier import TierStack

INTERNET = IPv4Network("0.0.0.0/0")
S3 = "s3"
"""S3 in the Region, through the prefix list of its gateway endpoint."""


@dataclass(frozen=True)
class Flow:
    """An allowed TCP connection with its business justification (PCI DSS 1.2.5)."""

    source: str | IPv4Network
    target: str | IPv4Network
    port: int
    reason: str

    @property
    def id(self) -> str:
        """Id of the two rules, without the suffix for the direction."""
        return f"{_slug(self.source)}-to-{_slug(self.target)}-{self.port}"

    @property
    def description(self) -> str:
        """Description of both rules."""
        return f"{self.reason} ({_slug(self.source)} to {_slug(self.target)})"


ALLOWED_FLOWS = (
    Flow(INTERNET, "load_balancer", ports.HTTPS, "customers"),
    Flow(INTERNET, "load_balancer", ports.HTTP, "customers, redirected to HTTPS"),
    Flow("load_balancer", "service", ports.SERVICE, "requests, encrypted to the task"),
    Flow("service", "database", ports.DATABASE, "orders and catalogue"),
    Flow("service", "cache", ports.CACHE, "sessions and cached pages"),
    Flow("service", "files", ports.FILES, "files that outlive a task"),
    Flow("service", "endpoints", ports.HTTPS, "images, logs, metrics and keys"),
    Flow("service", "secrets_endpoint", ports.HTTPS, "the database credential, when a task starts"),
    Flow("service", S3, ports.HTTPS, "layers of images"),
    Flow("rotation", "database", ports.DATABASE, "changes the credential of the application"),
    Flow("rotation", "secrets_endpoint", ports.HTTPS, "reads and writes the credential"),
)
"""All flows within the VPC; `network.egress` in the settings adds destinations outside."""

PURPOSES = {
    "load_balancer": "Load balancer: takes requests of customers from the internet",
    "service": "Tasks of the application",
    "rotation": "The function that rotates the database credential",
    "database": "Aurora PostgreSQL",
    "cache": "ElastiCache",
    "files": "Mount targets of EFS",
    "endpoints": "Interface endpoints of AWS services",
    "secrets_endpoint": "Interface endpoint of Secrets Manager, the only one that the rotation may reach",
}
"""Descriptions of the security groups."""


@dataclass(frozen=True, kw_only=True)
class SecurityGroups:
    """One security group per party."""

    load_balancer: SecurityGroup
    service: SecurityGroup
    rotation: SecurityGroup
    database: SecurityGroup
    cache: SecurityGroup
    files: SecurityGroup
    endpoints: SecurityGroup
    secrets_endpoint: SecurityGroup


def security_groups(tier: TierStack, vpc: Vpc) -> SecurityGroups:
    """Create the security groups without rules; Terraform removes AWS's default rule that allows all egress."""
    return SecurityGroups(**{party: _group(tier, vpc, party) for party in PURPOSES})


def allow_flows(
    tier: TierStack, groups: SecurityGroups, flows: Sequence[Flow], *, gateways: Mapping[str, VpcEndpoint]
) -> None:
    """Create the security group rules of all flows.

    Args:
        gateways: gateway endpoints by the name that flows have for their service.
    """
    for flow in flows:
        if isinstance(flow.source, str):
            VpcSecurityGroupEgressRule(
                tier,
                f"{flow.id}-out",
                security_group_id=getattr(groups, flow.source).id,
                description=flow.description,
                ip_protocol="tcp",
                from_port=flow.port,
                to_port=flow.port,
                cidr_ipv4=str(flow.target) if isinstance(flow.target, IPv4Network) else None,
                prefix_list_id=gateway.prefix_list_id if (gateway := gateways.get(str(flow.target))) else None,
                referenced_security_group_id=_group_id(groups, flow.target),
            )
        if isinstance(flow.target, str) and flow.target not in gateways:
            VpcSecurityGroupIngressRule(
                tier,
                f"{flow.id}-in",
                security_group_id=getattr(groups, flow.target).id,
                description=flow.description,
                ip_protocol="tcp",
                from_port=flow.port,
                to_port=flow.port,
                cidr_ipv4=str(flow.source) if isinstance(flow.source, IPv4Network) else None,
                referenced_security_group_id=_group_id(groups, flow.source),
            )


def _group(tier: TierStack, vpc: Vpc, party: str) -> SecurityGroup:
    name = tier.names.resource_name(_slug(party))
    group = SecurityGroup(
        tier,
        f"group-{_slug(party)}",
        name=name,
        vpc_id=vpc.id,
        description=PURPOSES[party],
        tags={"Name": name},
    )
    tier.export(group, "id")
    return group


def _group_id(groups: SecurityGroups, party: str | IPv4Network) -> str | None:
    return getattr(groups, party).id if isinstance(party, str) and hasattr(groups, party) else None


def _slug(party: str | IPv4Network) -> str:
    if party == INTERNET:
        return "internet"
    return str(party).translate(str.maketrans("_./", "---"))
