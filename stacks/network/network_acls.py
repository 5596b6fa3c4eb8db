"""Network ACLs: a second wall around each kind of subnet, should a security group be opened by mistake.

They keep no state, so answers need rules of their own: they go to a port of the asker's choice.
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
    """TCP that may pass between the subnets and a range, to a port or a range of ports."""

    cidr: IPv4Network
    ports: int | tuple[int, int]

    @property
    def port_range(self) -> tuple[int, int]:
        """As AWS takes them."""
        return self.ports if isinstance(self.ports, tuple) else (self.ports, self.ports)


@dataclass(frozen=True)
class AclRules:
    """All that may pass into and out of one kind of subnet. AWS's limit is twenty a direction."""

    ingress: Sequence[AclRule]
    egress: Sequence[AclRule]


def acl_rules(plan: AddressPlan, egress: Sequence[EgressRule]) -> dict[SubnetKind, AclRules]:
    """The rules of a VPC's network ACLs. What tasks reach outside passes NAT in the public subnets."""
    # Last in each list: the others keep their numbers, and no answer is lost while a rule is renumbered.
    other_egress = [rule for rule in egress if rule.port != ports.HTTPS]
    return {
        "public": AclRules(
            ingress=[
                AclRule(INTERNET, ports.HTTPS),  # customers; and tasks, on their way out through NAT
                AclRule(INTERNET, ports.HTTP),  # customers, to be redirected
                AclRule(INTERNET, ports.EPHEMERAL),  # answers to NAT, and of tasks to the load balancer
                *(AclRule(plan.app, rule.port) for rule in other_egress if rule.port < ports.EPHEMERAL[0]),
            ],
            egress=[
                AclRule(INTERNET, ports.HTTPS),  # NAT, for tasks
                AclRule(INTERNET, ports.EPHEMERAL),  # answers to customers and tasks; requests to tasks
                *(AclRule(rule.cidr, rule.port) for rule in other_egress if rule.port < ports.EPHEMERAL[0]),
            ],
        ),
        "app": AclRules(
            ingress=[
                AclRule(plan.public, ports.SERVICE),  # requests, from the load balancer
                AclRule(plan.app, ports.HTTPS),  # interface endpoints
                AclRule(plan.app, ports.FILES),  # mount targets
                AclRule(INTERNET, ports.EPHEMERAL),  # answers from the world, the data subnets, S3
            ],
            egress=[
                AclRule(plan.data, ports.DATABASE),
                AclRule(plan.data, ports.CACHE),
                AclRule(plan.app, ports.FILES),
                AclRule(INTERNET, ports.HTTPS),  # interface endpoints, S3, and the world through NAT
                AclRule(plan.public, ports.EPHEMERAL),  # answers to the load balancer
                AclRule(plan.app, ports.EPHEMERAL),  # answers of endpoints and mount targets
                *(AclRule(rule.cidr, rule.port) for rule in other_egress),
            ],
        ),
        # PCI DSS 1.4.4: what keeps data talks to tasks and to its own kind, never to the world.
        "data": AclRules(
            ingress=[
                AclRule(plan.app, ports.DATABASE),
                AclRule(plan.app, ports.CACHE),
                AclRule(plan.data, ports.ANY),  # cache nodes replicate on ports of AWS's choice
            ],
            egress=[
                AclRule(plan.app, ports.EPHEMERAL),
                AclRule(plan.data, ports.ANY),
            ],
        ),
    }


def network_acl(tier: TierStack, vpc: Vpc, kind: SubnetKind, rules: AclRules, subnets: Sequence[Subnet]) -> None:
    """The network ACL of one kind of subnet."""
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
    # Path MTU discovery: without it, connections hang whose packets are too large for some link on the way.
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
