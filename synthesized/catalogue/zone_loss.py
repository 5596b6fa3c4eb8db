"""What is left of a platform without one of its zones, and whether that does the work: a rule a resource type.

What is placed in the zone is lost, and what lists its subnets loses them.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import IPv4Network
from math import ceil
from typing import Any, NamedTuple

from synthesized.catalogue.vpc import Alb, Fargate, InVpc, Lambda, minimum_tasks, nodes_per_shard
from synthesized.platform import BARE_ADDRESSES, Body, Platform, Resource

RESERVED_ADDRESSES = 5
"""Of each subnet, by AWS. https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html"""
FAILOVER_TIERS = (0, 1)
"""Promotion tiers that Aurora Serverless v2 keeps as large as the writer: the first to take over bears its load.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.how-it-works.html"""
PLACEMENT_ARGUMENTS = ("nat_gateway_id", "subnet_id")
"""Arguments that name the one thing without which a resource does not exist."""


class ZoneLossResult(NamedTuple):
    """Whether a tier keeps working without a zone."""

    survives: bool
    reason: str
    """What keeps it working, or why it stops."""


@dataclass(frozen=True)
class ZoneOutage:
    """A platform without one of its zones."""

    original: Platform
    lost_zone: str

    @cached_property
    def lost_addresses(self) -> set[str]:
        """Addresses of what was in the zone."""
        gone: set[str] = set()
        while more := {each.address for each in self.original.resources if self._is_in_zone(each.body, gone)} - gone:
            gone |= more
        return gone

    @cached_property
    def remaining(self) -> Platform:
        """What is left of it."""
        kept = (each for each in self.original.resources if each.address not in self.lost_addresses)
        return replace(
            self.original,
            resources=tuple(replace(each, body=_without_references(each.body, self.lost_addresses)) for each in kept),
        )

    def affects(self, resource: Resource) -> bool:
        """Whether a resource, or some of it, goes with the zone: it names the zone, or a subnet there."""
        body = json.dumps({key: value for key, value in resource.body.items() if key not in BARE_ADDRESSES})
        subnets = (address for address in self.lost_addresses if address.startswith("aws_subnet."))
        return (
            resource.address in self.lost_addresses
            or f'"{self.lost_zone}"' in body
            or any(f"{it}." in body for it in subnets)
        )

    @property
    def remaining_zones(self) -> list[str]:
        """The other zones."""
        return [zone for zone in self.original.zones if zone != self.lost_zone]

    def zones_of_subnets(self, references: Sequence[str]) -> list[str]:
        """Zones of subnets, each once."""
        return sorted({self.remaining.resolve(reference).body["availability_zone"] for reference in references})

    def remainder_of(self, resource: Resource) -> Resource:
        """What is left of a resource."""
        (found,) = (each for each in self.remaining.resources if each.address == resource.address)
        return found

    def _is_in_zone(self, body: Body, gone: set[str]) -> bool:
        return body.get("availability_zone") == self.lost_zone or any(
            _address(body.get(argument)) in gone for argument in PLACEMENT_ARGUMENTS
        )


ZoneLossRule = Callable[[ZoneOutage, list[Resource]], ZoneLossResult]
"""Judges a tier's resources of one type, as they were before."""


def internet_egress(left: ZoneOutage, _: list[Resource]) -> ZoneLossResult:
    """Tasks and functions go out by the NAT gateway of their own zone; the load balancer is where the internet is."""
    inside = {
        *_subnets_of(left.remaining, "aws_ecs_service", Fargate()),
        *_subnets_of(left.remaining, "aws_lambda_function", Lambda()),
    }
    needed = [(subnet, _leads_to_own_nat) for subnet in sorted(inside)]
    needed += [(subnet, _leads_to_internet) for subnet in sorted(_subnets_of(left.remaining, "aws_lb", Alb()))]
    lost = [
        left.remaining.resolve(subnet).name
        for subnet, leads_out in needed
        if not any(leads_out(left, subnet, route) for route in _default_routes(left.remaining, subnet))
    ]
    if lost:
        return ZoneLossResult(survives=False, reason=f"no way out of its own: {', '.join(lost)}")
    return ZoneLossResult(survives=True, reason=f"own way out: {', '.join(left.remaining_zones)}")


def _leads_to_own_nat(left: ZoneOutage, subnet: str, route: Body) -> bool:
    if not route.get("nat_gateway_id"):
        return False
    nat = left.remaining.resolve(route["nat_gateway_id"])
    return left.zones_of_subnets([nat.body["subnet_id"]]) == left.zones_of_subnets([subnet])


def _leads_to_internet(left: ZoneOutage, _: str, route: Body) -> bool:
    return bool(route.get("gateway_id")) and left.remaining.resolve(route["gateway_id"]).type == "aws_internet_gateway"


def _default_routes(platform: Platform, subnet: str) -> Iterator[Body]:
    tables = [
        each.body["route_table_id"]
        for each in platform.of_type("aws_route_table_association")
        if each.body["subnet_id"] == subnet
    ]
    for route in platform.of_type("aws_route"):
        if route.body["route_table_id"] in tables and route.body.get("destination_cidr_block") == "0.0.0.0/0":
            yield route.body


def endpoints(left: ZoneOutage, before: list[Resource]) -> ZoneLossResult:
    """Tasks reach AWS's services by an address in their own zone."""
    there = [left.remainder_of(each) for each in before if each.body["vpc_endpoint_type"] == "Interface"]
    lost = [each.name for each in there if left.zones_of_subnets(each.body["subnet_ids"]) != left.remaining_zones]
    if lost:
        return ZoneLossResult(survives=False, reason=f"no address in every other zone: {', '.join(lost)}")
    return ZoneLossResult(survives=True, reason=f"{len(there)} interface endpoints: {', '.join(left.remaining_zones)}")


def database(left: ZoneOutage, clusters: list[Resource]) -> ZoneLossResult:
    """An instance that is as large as the writer can write, in a zone that the cluster has a subnet in."""
    (cluster,) = map(left.remainder_of, clusters)
    group = left.remaining.resolve(cluster.body["db_subnet_group_name"])
    reached = left.zones_of_subnets(group.body["subnet_ids"])
    ready = [
        each.name
        for each in left.remaining.of_type("aws_rds_cluster_instance")
        if _address(each.body["cluster_identifier"]) == cluster.address
        if each.body["availability_zone"] in reached and each.body["promotion_tier"] in FAILOVER_TIERS
    ]
    if not ready:
        return ZoneLossResult(survives=False, reason="no instance that is as large as the writer")
    return ZoneLossResult(survives=True, reason=f"can write: {', '.join(ready)}")


def cache(left: ZoneOutage, groups: list[Resource]) -> ZoneLossResult:
    """ElastiCache spreads the nodes of a shard over the zones as evenly as it can, where Multi-AZ is enabled."""
    (group,) = map(left.remainder_of, groups)
    nodes = nodes_per_shard(group.body)
    (subnets,) = (
        each.body["subnet_ids"]
        for each in left.original.resources
        if each.address == _address(group.body["subnet_group_name"])
    )
    zones = len(subnets) if group.body["multi_az_enabled"] and group.body["automatic_failover_enabled"] else 1
    stay = nodes - ceil(nodes / zones)
    if stay < 1:
        return ZoneLossResult(survives=False, reason="a shard may lose all its nodes")
    return ZoneLossResult(survives=True, reason=f"nodes of each shard: {stay} of {nodes}")


def files(left: ZoneOutage, file_systems: list[Resource]) -> ZoneLossResult:
    """Tasks mount from their own zone, and the files themselves are in all of the Region's."""
    (file_system,) = map(left.remainder_of, file_systems)
    mounts = [
        each.body["subnet_id"]
        for each in left.remaining.of_type("aws_efs_mount_target")
        if _address(each.body["file_system_id"]) == file_system.address
    ]
    lost = sorted({*left.remaining_zones} - {*left.zones_of_subnets(mounts)})
    if file_system.body.get("availability_zone_name"):
        return ZoneLossResult(survives=False, reason="files in one zone")
    if lost:
        return ZoneLossResult(survives=False, reason=f"no mount target: {', '.join(lost)}")
    return ZoneLossResult(survives=True, reason=f"mount targets: {', '.join(left.remaining_zones)}")


def functions(left: ZoneOutage, before: list[Resource]) -> ZoneLossResult:
    """A function runs wherever it has a subnet; one outside of the VPC runs in all of the Region's zones."""
    zones = {
        each.name: left.zones_of_subnets(each.body["vpc_config"]["subnet_ids"])
        for each in map(left.remainder_of, before)
        if each.body.get("vpc_config")
    }
    lost = [name for name, there in zones.items() if not there]
    if lost:
        return ZoneLossResult(survives=False, reason=f"no subnet: {', '.join(lost)}")
    return ZoneLossResult(
        survives=True, reason="; ".join(f"{name}: {', '.join(there)}" for name, there in zones.items())
    )


def load_balancers(left: ZoneOutage, before: list[Resource]) -> ZoneLossResult:
    """It has an address in every other zone, and any of its addresses leads to any task."""
    lost = [
        each.name
        for each in map(left.remainder_of, before)
        if left.zones_of_subnets(each.body["subnets"]) != left.remaining_zones
    ]
    lost += [
        each.name
        for each in left.remaining.of_type("aws_lb_target_group")
        if str(each.body.get("load_balancing_cross_zone_enabled")).lower() == "false"
    ]
    if lost:
        return ZoneLossResult(survives=False, reason=f"not in every other zone: {', '.join(lost)}")
    return ZoneLossResult(survives=True, reason=f"load balancer: {', '.join(left.remaining_zones)}")


def tasks(left: ZoneOutage, services: list[Resource]) -> ZoneLossResult:
    """ECS spreads tasks over the subnets' zones as evenly as it can, and replaces lost ones in the others."""
    (before,) = services
    service = left.remainder_of(before)
    subnets = service.body["network_configuration"]["subnets"]
    least = minimum_tasks(left.remaining, service)
    stay = least - ceil(least / len(before.body["network_configuration"]["subnets"]))
    # Both revisions run while a deployment is under way.
    most = least * service.body["deployment_maximum_percent"] // 100
    room = sum(_addresses(left.remaining, subnet) for subnet in subnets)
    if stay < 1:
        reason = f"all tasks may stop at once ({least} at least run), until ECS replaces them"
        return ZoneLossResult(survives=False, reason=reason)
    if room < most:
        return ZoneLossResult(survives=False, reason=f"addresses for {room} tasks, of {most}")
    there = ", ".join(left.zones_of_subnets(subnets))
    return ZoneLossResult(survives=True, reason=f"tasks at once: {stay} of {least}; room for {least}: {there}")


def _addresses(platform: Platform, subnet: str) -> int:
    """Addresses of a subnet that nothing of the platform's own has."""
    network = IPv4Network(platform.resolve(subnet).body["cidr_block"])
    taken = sum(
        json.dumps(each.body).count(f'"{subnet}"')
        for each in platform.of_type("aws_vpc_endpoint", "aws_efs_mount_target", "aws_lambda_function")
    )
    return network.num_addresses - RESERVED_ADDRESSES - taken


def _subnets_of(platform: Platform, type_: str, in_vpc: InVpc) -> set[str]:
    """Every subnet that resources of a type are in."""
    placements = (in_vpc.placement(platform, each.body) for each in platform.of_type(type_))
    return {subnet for placement in placements for subnet in placement.subnets}


def _address(expression: Any) -> str:
    """What an expression refers to, if it is a reference."""
    return ".".join(str(expression).removeprefix("${").split(".")[:2])


def _without_references(value: Any, gone: set[str]) -> Any:
    """An argument's value whose lists do not hold what is gone."""
    if isinstance(value, dict):
        return {key: _without_references(entry, gone) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_references(entry, gone) for entry in value if _address(entry) not in gone]
    return value
