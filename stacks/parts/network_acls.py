"""Network ACLs: a second fence around each kind of subnet, should a security group be opened by mistake.

They keep no state, so answers need rules of their own: they go to a port of the asker's choice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TypeVar

from cdktf_cdktf_provider_aws.network_acl import NetworkAcl, NetworkAclEgress, NetworkAclIngress
from cdktf_cdktf_provider_aws.subnet import Subnet
from cdktf_cdktf_provider_aws.vpc import Vpc

from stacks.parts import ports
from stacks.parts.security_groups import INTERNET
from stacks.parts.subnets import AddressPlan, Kind
from stacks.settings.network import EgressRule
from stacks.tier import TierStack

Entry = TypeVar("Entry", NetworkAclIngress, NetworkAclEgress)


@dataclass(frozen=True)
class Lane:
    """TCP that may pass between the subnets and a range, to a port or a range of ports."""

    range: IPv4Network
    ports: int | tuple[int, int]

    @property
    def first_and_last(self) -> tuple[int, int]:
        """As AWS takes them."""
        return self.ports if isinstance(self.ports, tuple) else (self.ports, self.ports)


@dataclass(frozen=True)
class Fence:
    """All that may pass into and out of one kind of subnet. AWS's limit is twenty lanes a direction."""

    into: Sequence[Lane]
    out_of: Sequence[Lane]


def fences(plan: AddressPlan, egress: Sequence[EgressRule]) -> dict[Kind, Fence]:
    """The fences of a VPC. What tasks reach outside (443, and the settings' egress) passes NAT in the public ones."""
    other_egress = [rule for rule in egress if rule.port != ports.HTTPS]
    return {
        "public": Fence(
            into=[
                Lane(INTERNET, ports.HTTPS),  # customers; and tasks, on their way out through NAT
                Lane(INTERNET, ports.HTTP),  # customers, to be redirected
                Lane(INTERNET, ports.EPHEMERAL),  # answers to NAT, and of tasks to the load balancer
                *(Lane(plan.app, rule.port) for rule in other_egress if rule.port < ports.EPHEMERAL[0]),
            ],
            out_of=[
                Lane(INTERNET, ports.HTTPS),  # NAT, for tasks
                Lane(INTERNET, ports.EPHEMERAL),  # answers to customers and tasks; requests to tasks
                *(Lane(rule.cidr, rule.port) for rule in other_egress if rule.port < ports.EPHEMERAL[0]),
            ],
        ),
        "app": Fence(
            into=[
                Lane(plan.public, ports.SERVICE),  # requests, from the load balancer
                Lane(plan.app, ports.HTTPS),  # interface endpoints
                Lane(plan.app, ports.FILES),  # mount targets
                Lane(INTERNET, ports.EPHEMERAL),  # answers from the world, the data subnets, S3
            ],
            out_of=[
                Lane(plan.data, ports.DATABASE),
                Lane(plan.data, ports.CACHE),
                Lane(plan.app, ports.FILES),
                Lane(INTERNET, ports.HTTPS),  # interface endpoints, S3, and the world through NAT
                *(Lane(rule.cidr, rule.port) for rule in other_egress),
                Lane(plan.public, ports.EPHEMERAL),  # answers to the load balancer
                Lane(plan.app, ports.EPHEMERAL),  # answers of endpoints and mount targets
            ],
        ),
        # PCI DSS 1.4.4: what keeps data talks to tasks and to its own kind, never to the world.
        "data": Fence(
            into=[
                Lane(plan.app, ports.DATABASE),
                Lane(plan.app, ports.CACHE),
                Lane(plan.data, ports.ANY),  # cache nodes replicate on ports of AWS's choice
            ],
            out_of=[
                Lane(plan.app, ports.EPHEMERAL),
                Lane(plan.data, ports.ANY),
            ],
        ),
    }


def put_up(tier: TierStack, vpc: Vpc, kind: Kind, fence: Fence, subnets: Sequence[Subnet]) -> None:
    """Make one fence around its subnets."""
    NetworkAcl(
        tier,
        f"acl-{kind}",
        vpc_id=vpc.id,
        subnet_ids=[subnet.id for subnet in subnets],
        ingress=_entries(NetworkAclIngress, fence.into),
        egress=_entries(NetworkAclEgress, fence.out_of),
        tags={"Name": tier.names.of_resource(kind)},
    )


def _entries(entry: Callable[..., Entry], lanes: Sequence[Lane]) -> list[Entry]:
    return [
        entry(
            rule_no=number,
            action="allow",
            protocol="tcp",
            cidr_block=str(lane.range),
            from_port=lane.first_and_last[0],
            to_port=lane.first_and_last[1],
        )
        for number, lane in enumerate(lanes, start=100)
    ]
