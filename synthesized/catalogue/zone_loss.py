"""Whether a platform survives the loss of an Availability Zone: one rule per resource type.

Resources in the zone are lost, and other resources lose their subnets there.
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
"""Addresses that AWS reserves in each subnet. https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html"""
FAILOVER_TIERS = (0, 1)
"""Promotion tiers whose readers Aurora Serverless v2 scales with the writer, so that they can take over its load.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.how-it-works.html"""
PLACEMENT_ARGUMENTS = ("nat_gateway_id", "subnet_id")
"""Arguments that place a resource: it is lost together with what they refer to."""


class ZoneLossResult(NamedTuple):
    """Whether a tier keeps working after the loss of a zone."""

    survives: bool
    reason: str
    """What keeps it working, or why it stops."""


@dataclass(frozen=True)
class ZoneOutage:
    """A platform during the loss of one zone."""

    original: Platform
    lost_zone: str

    @cached_property
    def lost_addresses(self) -> set[str]:
        """Addresses of the resources in the zone, and of those placed on them."""
        lost: set[str] = set()
        while more := {each.address for each in self.original.resources if self._is_lost(each.body, lost)} - lost:
            lost |= more
        return lost

    @cached_property
    def remaining(self) -> Platform:
        """The platform without the lost resources and without references to them."""
        kept = (each for each in self.original.resources if each.address not in self.lost_addresses)
        return replace(
            self.original,
            resources=tuple(replace(each, body=_without_references(each.body, self.lost_addresses)) for each in kept),
        )

    def affects(self, resource: Resource) -> bool:
        """Whether a resource is in the zone in whole or in part: it names the zone, or one of its subnets."""
        body = json.dumps({key: value for key, value in resource.body.items() if key not in BARE_ADDRESSES})
        subnets = (address for address in self.lost_addresses if address.startswith("aws_subnet."))
        return (
            resource.address in self.lost_addresses
            or f'"{self.lost_zone}"' in body
            or any(f"{subnet}." in body for subnet in subnets)
        )

    @property
    def remaining_zones(self) -> list[str]:
        """The other zones."""
        return [zone for zone in self.original.zones if zone != self.lost_zone]

    def zones_of_subnets(self, references: Sequence[str]) -> list[str]:
        """Zones of the subnets, sorted, without duplicates."""
        return sorted({self.remaining.resolve(reference).body["availability_zone"] for reference in references})

    def remainder_of(self, resource: Resource) -> Resource:
        """A resource as it is during the outage."""
        (found,) = (each for each in self.remaining.resources if each.address == resource.address)
        return found

    def _is_lost(self, body: Body, lost: set[str]) -> bool:
        return body.get("availability_zone") == self.lost_zone or any(
            _address(body.get(argument)) in lost for argument in PLACEMENT_ARGUMENTS
        )


ZoneLossRule = Callable[[ZoneOutage, list[Resource]], ZoneLossResult]
"""Takes the outage and a tier's resources of one type, as they were before it."""


def internet_egress(outage: ZoneOutage, _: list[Resource]) -> ZoneLossResult:
    """Tasks and functions need a NAT gateway in their own zone; load balancers need an internet gateway."""
    private = {
        *_subnets_of(outage.remaining, "aws_ecs_service", Fargate()),
        *_subnets_of(outage.remaining, "aws_lambda_function", Lambda()),
    }
    needed = [(subnet, _routes_to_zonal_nat) for subnet in sorted(private)]
    needed += [(subnet, _routes_to_internet) for subnet in sorted(_subnets_of(outage.remaining, "aws_lb", Alb()))]
    lost = [
        outage.remaining.resolve(subnet).name
        for subnet, is_internet_route in needed
        if not any(is_internet_route(outage, subnet, route) for route in _default_routes(outage.remaining, subnet))
    ]
    if lost:
        return ZoneLossResult(survives=False, reason=f"no internet route within the zone: {', '.join(lost)}")
    return ZoneLossResult(survives=True, reason=f"internet routes: {', '.join(outage.remaining_zones)}")


def _routes_to_zonal_nat(outage: ZoneOutage, subnet: str, route: Body) -> bool:
    if not route.get("nat_gateway_id"):
        return False
    nat = outage.remaining.resolve(route["nat_gateway_id"])
    return outage.zones_of_subnets([nat.body["subnet_id"]]) == outage.zones_of_subnets([subnet])


def _routes_to_internet(outage: ZoneOutage, _: str, route: Body) -> bool:
    gateway = route.get("gateway_id")
    return bool(gateway) and outage.remaining.resolve(gateway).type == "aws_internet_gateway"


def _default_routes(platform: Platform, subnet: str) -> Iterator[Body]:
    tables = [
        each.body["route_table_id"]
        for each in platform.of_type("aws_route_table_association")
        if each.body["subnet_id"] == subnet
    ]
    for route in platform.of_type("aws_route"):
        if route.body["route_table_id"] in tables and route.body.get("destination_cidr_block") == "0.0.0.0/0":
            yield route.body


def endpoints(outage: ZoneOutage, before: list[Resource]) -> ZoneLossResult:
    """Interface endpoints need an address in every remaining zone."""
    interfaces = [outage.remainder_of(each) for each in before if each.body["vpc_endpoint_type"] == "Interface"]
    zones = outage.remaining_zones
    lost = [each.name for each in interfaces if outage.zones_of_subnets(each.body["subnet_ids"]) != zones]
    if lost:
        return ZoneLossResult(survives=False, reason=f"not in every remaining zone: {', '.join(lost)}")
    return ZoneLossResult(survives=True, reason=f"{len(interfaces)} interface endpoints: {', '.join(zones)}")


def database(outage: ZoneOutage, clusters: list[Resource]) -> ZoneLossResult:
    """An instance can take over as the writer if it scales with the writer and the cluster has a subnet in its zone."""
    (cluster,) = map(outage.remainder_of, clusters)
    group = outage.remaining.resolve(cluster.body["db_subnet_group_name"])
    reached = outage.zones_of_subnets(group.body["subnet_ids"])
    ready = [
        each.name
        for each in outage.remaining.of_type("aws_rds_cluster_instance")
        if _address(each.body["cluster_identifier"]) == cluster.address
        if each.body["availability_zone"] in reached and each.body["promotion_tier"] in FAILOVER_TIERS
    ]
    if not ready:
        return ZoneLossResult(survives=False, reason="no instance with the writer's capacity")
    return ZoneLossResult(survives=True, reason=f"can be the writer: {', '.join(ready)}")


def cache(outage: ZoneOutage, groups: list[Resource]) -> ZoneLossResult:
    """With Multi-AZ, ElastiCache spreads the nodes of a shard evenly over the zones."""
    (group,) = map(outage.remainder_of, groups)
    nodes = nodes_per_shard(group.body)
    (subnets,) = (
        each.body["subnet_ids"]
        for each in outage.original.resources
        if each.address == _address(group.body["subnet_group_name"])
    )
    zones = len(subnets) if group.body["multi_az_enabled"] and group.body["automatic_failover_enabled"] else 1
    stay = nodes - ceil(nodes / zones)
    if stay < 1:
        return ZoneLossResult(survives=False, reason="a shard may lose all its nodes")
    return ZoneLossResult(survives=True, reason=f"nodes per shard: {stay} of {nodes}")


def files(outage: ZoneOutage, file_systems: list[Resource]) -> ZoneLossResult:
    """Tasks mount from their own zone. Regional file systems keep their data in several zones."""
    (file_system,) = map(outage.remainder_of, file_systems)
    mounts = [
        each.body["subnet_id"]
        for each in outage.remaining.of_type("aws_efs_mount_target")
        if _address(each.body["file_system_id"]) == file_system.address
    ]
    lost = sorted({*outage.remaining_zones} - {*outage.zones_of_subnets(mounts)})
    if file_system.body.get("availability_zone_name"):
        return ZoneLossResult(survives=False, reason="One Zone file system")
    if lost:
        return ZoneLossResult(survives=False, reason=f"no mount target: {', '.join(lost)}")
    return ZoneLossResult(survives=True, reason=f"mount targets: {', '.join(outage.remaining_zones)}")


def functions(outage: ZoneOutage, before: list[Resource]) -> ZoneLossResult:
    """A function needs a subnet in a remaining zone; outside of the VPC, it runs in all zones of the Region."""
    zones = {
        each.name: outage.zones_of_subnets(each.body["vpc_config"]["subnet_ids"])
        for each in map(outage.remainder_of, before)
        if each.body.get("vpc_config")
    }
    lost = [name for name, remaining in zones.items() if not remaining]
    if lost:
        return ZoneLossResult(survives=False, reason=f"no subnet: {', '.join(lost)}")
    return ZoneLossResult(
        survives=True, reason="; ".join(f"{name}: {', '.join(remaining)}" for name, remaining in zones.items())
    )


def load_balancers(outage: ZoneOutage, before: list[Resource]) -> ZoneLossResult:
    """A load balancer needs an address in every remaining zone, and cross-zone load balancing."""
    lost = [
        each.name
        for each in map(outage.remainder_of, before)
        if outage.zones_of_subnets(each.body["subnets"]) != outage.remaining_zones
    ]
    lost += [
        each.name
        for each in outage.remaining.of_type("aws_lb_target_group")
        if str(each.body.get("load_balancing_cross_zone_enabled")).lower() == "false"
    ]
    if lost:
        return ZoneLossResult(survives=False, reason=f"not in every remaining zone: {', '.join(lost)}")
    return ZoneLossResult(survives=True, reason=f"load balancer: {', '.join(outage.remaining_zones)}")


def tasks(outage: ZoneOutage, services: list[Resource]) -> ZoneLossResult:
    """ECS spreads tasks evenly over the subnets' zones, and replaces lost tasks in the remaining zones."""
    (before,) = services
    service = outage.remainder_of(before)
    subnets = service.body["network_configuration"]["subnets"]
    least = minimum_tasks(outage.remaining, service)
    stay = least - ceil(least / len(before.body["network_configuration"]["subnets"]))
    # During a deployment, tasks of both revisions run.
    most = least * service.body["deployment_maximum_percent"] // 100
    room = sum(_addresses(outage.remaining, subnet) for subnet in subnets)
    if stay < 1:
        reason = f"all tasks may be lost until ECS replaces them (minimum: {least})"
        return ZoneLossResult(survives=False, reason=reason)
    if room < most:
        return ZoneLossResult(survives=False, reason=f"addresses for {room} of {most} tasks")
    zones = ", ".join(outage.zones_of_subnets(subnets))
    return ZoneLossResult(survives=True, reason=f"tasks: {stay} of {least}; addresses for {least}: {zones}")


def _addresses(platform: Platform, subnet: str) -> int:
    """Addresses of a subnet that are free for tasks."""
    network = IPv4Network(platform.resolve(subnet).body["cidr_block"])
    used = sum(
        json.dumps(each.body).count(f'"{subnet}"')
        for each in platform.of_type("aws_vpc_endpoint", "aws_efs_mount_target", "aws_lambda_function")
    )
    return network.num_addresses - RESERVED_ADDRESSES - used


def _subnets_of(platform: Platform, type_: str, in_vpc: InVpc) -> set[str]:
    """All subnets of the resources of a type."""
    placements = (in_vpc.placement(platform, each.body) for each in platform.of_type(type_))
    return {subnet for placement in placements for subnet in placement.subnets}


def _address(expression: Any) -> str:
    """The address that an expression refers to, if it is a reference."""
    return ".".join(str(expression).removeprefix("${").split(".")[:2])


def _without_references(value: Any, addresses: set[str]) -> Any:
    """An argument's value, with references to the addresses removed from its lists."""
    if isinstance(value, dict):
        return {key: _without_references(entry, addresses) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_references(entry, addresses) for entry in value if _address(entry) not in addresses]
    return value
