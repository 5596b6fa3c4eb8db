"""Network ACLs per kind of subnet: a second line of defense if a security group is opened by mistake.

Network ACLs are stateless, so responses need their own rules, to the client's ephemeral ports.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TypeVar

from cdktf_cdktf_provider_aws.network_acl import NetworkAcl, NetworkAclEgress, NetworkAclIngress
from cdktf_cdktf_provider_aws.subnet import Subnet
from cdktf_cdktf_provider_aws.vpc import Vpc

from stacks.network.flows import INTERNET
from stacks.network.subnets import AddressPlan, SubnetKind
from stacks.parts import ports
from stacks.settings.network import EgressRule
from stacks.tier import TierStack

Entry = TypeVar("Entry", NetworkAclIngress, NetworkAclEgress)


@dataclass(frozen=True)
class AclRule:
    """A rule that allows TCP to or from a range of addresses."""

    cidr: IPv4Network
    ports: int | tuple[int, int]

    @property
    def port_range(self) -> tuple[int, int]:
        """First and last port."""
        return self.ports if isinstance(self.ports, tuple) else (self.ports, self.ports)


@dataclass(frozen=True)
class AclRules:
    """Rules of one network ACL. AWS's limit is 20 per direction."""

    ingress: Sequence[AclRule]
    egress: Sequence[AclRule]


def acl_rules(plan: AddressPlan, egress: Sequence[EgressRule]) -> dict[SubnetKind, AclRules]:
    """Rules of all network ACLs. Egress of tasks passes the NAT gateways in the public subnets."""
    # Last in each list: the other rules keep their numbers, and none is replaced when this changes.
    other_egress = [rule for rule in egress if rule.port != ports.HTTPS]
    return {
        "public": AclRules(
            ingress=[
                AclRule(INTERNET, ports.HTTPS),  # customers; egress of tasks through NAT
                AclRule(INTERNET, ports.HTTP),  # customers, redirected to HTTPS
                AclRule(INTERNET, ports.EPHEMERAL),  # responses to NAT gateways and to the load balancer
                *(AclRule(plan.app, rule.port) for rule in other_egress if rule.port < ports.EPHEMERAL[0]),
            ],
            egress=[
                AclRule(INTERNET, ports.HTTPS),  # NAT gateways, for tasks
                AclRule(INTERNET, ports.EPHEMERAL),  # responses to customers and tasks; requests to tasks
                *(AclRule(rule.cidr, rule.port) for rule in other_egress if rule.port < ports.EPHEMERAL[0]),
            ],
        ),
        "app": AclRules(
            ingress=[
                AclRule(plan.public, ports.SERVICE),  # requests from the load balancer
                AclRule(plan.app, ports.HTTPS),  # interface endpoints
                AclRule(plan.app, ports.FILES),  # mount targets
                AclRule(INTERNET, ports.EPHEMERAL),  # responses from the internet, the data subnets and S3
            ],
            egress=[
                AclRule(plan.data, ports.DATABASE),
                AclRule(plan.data, ports.CACHE),
                AclRule(plan.app, ports.FILES),
                AclRule(INTERNET, ports.HTTPS),  # interface endpoints, S3, and the internet through NAT
                AclRule(plan.public, ports.EPHEMERAL),  # responses to the load balancer
                AclRule(plan.app, ports.EPHEMERAL),  # responses of endpoints and mount targets
                *(AclRule(rule.cidr, rule.port) for rule in other_egress),
            ],
        ),
        # PCI DSS 1.4.4: data stores communicate only with tasks and each other, never with the internet.
        "data": AclRules(
            ingress=[
                AclRule(plan.app, ports.DATABASE),
                AclRule(plan.app, ports.CACHE),
                AclRule(plan.data, ports.ANY),  # cache nodes replicate on ports that AWS chooses
            ],
            egress=[
                AclRule(plan.app, ports.EPHEMERAL),
                AclRule(plan.data, ports.ANY),
            ],
        ),
    }


def network_acl(tier: TierStack, vpc: Vpc, kind: SubnetKind, rules: AclRules, subnets: Sequence[Subnet]) -> None:
    """Create the network ACL of one kind of subnet."""
    NetworkAcl(
        tier,
        f"acl-{kind}",
        vpc_id=vpc.id,
        subnet_ids=[subnet.id for subnet in subnets],
        ingress=_entries(NetworkAclIngress, rules.ingress),
        egress=_entries(NetworkAclEgress, rules.egress),
        tags={"Name": tier.names.resource_name(kind)},
    )


def _entries(entry: Callable[..., Entry], rules: Sequence[AclRule]) -> list[Entry]:
    # Path MTU discovery: without it, connections hang if a link on the path has a smaller MTU.
    too_large = entry(
        rule_no=90,
        action="allow",
        protocol="icmp",
        icmp_type=3,
        icmp_code=4,
        cidr_block=str(INTERNET),
        from_port=0,
        to_port=0,
    )
    return [
        too_large,
        *(
            entry(
                rule_no=number,
                action="allow",
                protocol="tcp",
                cidr_block=str(rule.cidr),
                from_port=rule.port_range[0],
                to_port=rule.port_range[1],
            )
            for number, rule in enumerate(rules, start=100)
        ),
    ]
