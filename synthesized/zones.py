"""What stands when a zone is lost: each zone is taken away from the synthesized platform, and each tier is asked.

What is placed in the zone goes, and what lists its subnets loses them. A rule a type of resource then says whether what
is left does the work. What is in a zone and of no rule's type is told, so that a new tier cannot be forgotten.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import IPv4Network
from math import ceil
from typing import Any, NamedTuple

from synthesized.platform import BARE_ADDRESSES, Body, Platform, Resource

RESERVED_ADDRESSES = 5
"""Of each subnet, by AWS. https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html"""
READY_TIERS = (0, 1)
"""Promotion tiers that Aurora Serverless v2 keeps as large as the writer: the first to take over bears its load.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.how-it-works.html"""
PLACED_BY = ("nat_gateway_id", "subnet_id")
"""Arguments that name the one thing without which a resource is not there."""
NO_ZONE = "in no zone"


class Verdict(NamedTuple):
    """Whether a tier does its work, and by what, or why not."""

    stands: bool
    told: str


@dataclass(frozen=True)
class Left:
    """A platform without one of its zones."""

    whole: Platform
    lost: str

    @cached_property
    def gone(self) -> set[str]:
        """Addresses of what was in the zone."""
        gone: set[str] = set()
        while more := {each.address for each in self.whole.resources if self._is_in_zone(each.body, gone)} - gone:
            gone |= more
        return gone

    @cached_property
    def platform(self) -> Platform:
        """What is left of it."""
        kept = (each for each in self.whole.resources if each.address not in self.gone)
        return replace(
            self.whole, resources=tuple(replace(each, body=_without_references(each.body, self.gone)) for each in kept)
        )

    def takes(self, resource: Resource) -> bool:
        """Whether a resource, or some of it, goes with the zone: it names the zone, or a subnet there."""
        told = json.dumps({key: value for key, value in resource.body.items() if key not in BARE_ADDRESSES})
        subnets = (address for address in self.gone if address.startswith("aws_subnet."))
        return resource.address in self.gone or f'"{self.lost}"' in told or any(f"{it}." in told for it in subnets)

    @property
    def zones(self) -> list[str]:
        """The other zones."""
        return [zone for zone in zones_of(self.whole) if zone != self.lost]

    def of_subnets(self, references: Sequence[str]) -> list[str]:
        """Zones of subnets, each once."""
        return sorted({self.platform.followed(reference).body["availability_zone"] for reference in references})

    def _is_in_zone(self, body: Body, gone: set[str]) -> bool:
        return body.get("availability_zone") == self.lost or any(
            _address(body.get(argument)) in gone for argument in PLACED_BY
        )


Rule = Callable[[Left, list[Resource]], Verdict]


def zones_of(platform: Platform) -> list[str]:
    """The zones that an environment is spread over."""
    return sorted({subnet.body["availability_zone"] for subnet in platform.of_type("aws_subnet")})


def verdicts(platform: Platform) -> dict[str, dict[str, Verdict]]:
    """For each tier, and each zone that may be lost, whether the tier stands."""
    without = {zone: Left(platform, zone) for zone in zones_of(platform)}
    return {tier: {zone: _of_tier(left, tier) for zone, left in without.items()} for tier in platform.stacks}


def _of_tier(left: Left, tier: str) -> Verdict:
    found = [
        rule(left, resources)
        for type_, rule in RULES.items()
        if (resources := [each for each in left.whole.of_type(type_) if each.tier == tier])
    ]
    found += [
        Verdict(stands=False, told=f"nobody says what takes the place of {each.address}")
        for each in left.whole.resources
        if each.tier == tier and each.type not in {*RULES, *PARTS} and left.takes(each)
    ]
    lost = [verdict for verdict in found if not verdict.stands]
    return Verdict(not lost, "; ".join(verdict.told for verdict in lost or found) or NO_ZONE)


def _ways_out(left: Left, _: list[Resource]) -> Verdict:
    """Tasks and functions go out by the NAT gateway of their own zone; the load balancer is where the internet is."""
    inside = {*_subnets_of(left.platform, "aws_ecs_service"), *_subnets_of(left.platform, "aws_lambda_function")}
    asked = [(subnet, _leads_to_own_nat) for subnet in sorted(inside)]
    asked += [(subnet, _leads_to_internet) for subnet in sorted(_subnets_of(left.platform, "aws_lb"))]
    lost = [
        left.platform.followed(subnet).name
        for subnet, leads_out in asked
        if not any(leads_out(left, subnet, route) for route in _default_routes(left.platform, subnet))
    ]
    if lost:
        return Verdict(stands=False, told=f"no way out of its own: {', '.join(lost)}")
    return Verdict(stands=True, told=f"own way out: {', '.join(left.zones)}")


def _leads_to_own_nat(left: Left, subnet: str, route: Body) -> bool:
    if not route.get("nat_gateway_id"):
        return False
    nat = left.platform.followed(route["nat_gateway_id"])
    return left.of_subnets([nat.body["subnet_id"]]) == left.of_subnets([subnet])


def _leads_to_internet(left: Left, _: str, route: Body) -> bool:
    return bool(route.get("gateway_id")) and left.platform.followed(route["gateway_id"]).type == "aws_internet_gateway"


def _default_routes(platform: Platform, subnet: str) -> Iterator[Body]:
    tables = [
        each.body["route_table_id"]
        for each in platform.of_type("aws_route_table_association")
        if each.body["subnet_id"] == subnet
    ]
    for route in platform.of_type("aws_route"):
        if route.body["route_table_id"] in tables and route.body.get("destination_cidr_block") == "0.0.0.0/0":
            yield route.body


def _endpoints(left: Left, endpoints: list[Resource]) -> Verdict:
    """Tasks reach AWS's services by an address in their own zone."""
    there = [_now(left, each) for each in endpoints if each.body["vpc_endpoint_type"] == "Interface"]
    lost = [each.name for each in there if left.of_subnets(each.body["subnet_ids"]) != left.zones]
    if lost:
        return Verdict(stands=False, told=f"no address in every other zone: {', '.join(lost)}")
    return Verdict(stands=True, told=f"{len(there)} interface endpoints: {', '.join(left.zones)}")


def _database(left: Left, clusters: list[Resource]) -> Verdict:
    """An instance that is as large as the writer can write, in a zone that the cluster has a subnet in."""
    (cluster,) = (_now(left, each) for each in clusters)
    group = left.platform.followed(cluster.body["db_subnet_group_name"])
    reached = left.of_subnets(group.body["subnet_ids"])
    ready = [
        each.name
        for each in left.platform.of_type("aws_rds_cluster_instance")
        if _address(each.body["cluster_identifier"]) == cluster.address
        if each.body["availability_zone"] in reached and each.body["promotion_tier"] in READY_TIERS
    ]
    if not ready:
        return Verdict(stands=False, told="no instance that is as large as the writer")
    return Verdict(stands=True, told=f"can write: {', '.join(ready)}")


def _cache(left: Left, groups: list[Resource]) -> Verdict:
    """ElastiCache spreads the nodes of a shard over the zones as evenly as it can, where it is told to use several."""
    (group,) = (_now(left, each) for each in groups)
    nodes = 1 + group.body["replicas_per_node_group"]
    (subnets,) = (
        each.body["subnet_ids"]
        for each in left.whole.resources
        if each.address == _address(group.body["subnet_group_name"])
    )
    zones = len(subnets) if group.body["multi_az_enabled"] and group.body["automatic_failover_enabled"] else 1
    stay = nodes - ceil(nodes / zones)
    if stay < 1:
        return Verdict(stands=False, told="a shard may lose all its nodes")
    return Verdict(stands=True, told=f"nodes of each shard: {stay} of {nodes}")


def _files(left: Left, file_systems: list[Resource]) -> Verdict:
    """Tasks mount from their own zone, and the files themselves are in all of the Region's."""
    (file_system,) = (_now(left, each) for each in file_systems)
    mounts = [
        each.body["subnet_id"]
        for each in left.platform.of_type("aws_efs_mount_target")
        if _address(each.body["file_system_id"]) == file_system.address
    ]
    lost = sorted({*left.zones} - {*left.of_subnets(mounts)})
    if file_system.body.get("availability_zone_name"):
        return Verdict(stands=False, told="files in one zone")
    if lost:
        return Verdict(stands=False, told=f"no mount target: {', '.join(lost)}")
    return Verdict(stands=True, told=f"mount targets: {', '.join(left.zones)}")


def _functions(left: Left, functions: list[Resource]) -> Verdict:
    """A function runs wherever it has a subnet; one outside of the VPC runs in all of the Region's zones."""
    zones = {
        each.name: left.of_subnets(each.body["vpc_config"]["subnet_ids"])
        for each in (_now(left, function) for function in functions)
        if each.body.get("vpc_config")
    }
    lost = [name for name, there in zones.items() if not there]
    if lost:
        return Verdict(stands=False, told=f"no subnet: {', '.join(lost)}")
    return Verdict(stands=True, told="; ".join(f"{name}: {', '.join(there)}" for name, there in zones.items()))


def _load_balancers(left: Left, balancers: list[Resource]) -> Verdict:
    """It has an address in every other zone, and any of its addresses leads to any task."""
    lost = [
        each.name
        for each in (_now(left, balancer) for balancer in balancers)
        if left.of_subnets(each.body["subnets"]) != left.zones
    ]
    lost += [
        each.name
        for each in left.platform.of_type("aws_lb_target_group")
        if str(each.body.get("load_balancing_cross_zone_enabled")).lower() == "false"
    ]
    if lost:
        return Verdict(stands=False, told=f"not in every other zone: {', '.join(lost)}")
    return Verdict(stands=True, told=f"load balancer: {', '.join(left.zones)}")


def _tasks(left: Left, services: list[Resource]) -> Verdict:
    """ECS spreads tasks over the subnets' zones as evenly as it can, and replaces those that are gone in the others."""
    (before,) = services
    service = _now(left, before)
    subnets = service.body["network_configuration"]["subnets"]
    least = _least_tasks(left.platform, service)
    stay = least - ceil(least / len(before.body["network_configuration"]["subnets"]))
    # Both revisions run while a deployment is under way.
    most = least * service.body["deployment_maximum_percent"] // 100
    room = sum(_addresses(left.platform, subnet) for subnet in subnets)
    if stay < 1:
        return Verdict(stands=False, told=f"all tasks may stop at once ({least} at least run), until ECS replaces them")
    if room < most:
        return Verdict(stands=False, told=f"addresses for {room} tasks, of {most}")
    there = ", ".join(left.of_subnets(subnets))
    return Verdict(stands=True, told=f"tasks at once: {stay} of {least}; room for {least}: {there}")


def _least_tasks(platform: Platform, service: Resource) -> int:
    targets = [
        each.body["min_capacity"]
        for each in platform.of_type("aws_appautoscaling_target")
        if service.address in str(each.body["resource_id"])
    ]
    return min([*targets, service.body["desired_count"]])


def _addresses(platform: Platform, subnet: str) -> int:
    """Addresses of a subnet that nothing of the platform's own has."""
    network = IPv4Network(platform.followed(subnet).body["cidr_block"])
    taken = sum(
        json.dumps(each.body).count(f'"{subnet}"')
        for each in platform.of_type("aws_vpc_endpoint", "aws_efs_mount_target", "aws_lambda_function")
    )
    return network.num_addresses - RESERVED_ADDRESSES - taken


RULES: dict[str, Rule] = {
    "aws_vpc": _ways_out,
    "aws_vpc_endpoint": _endpoints,
    "aws_rds_cluster": _database,
    "aws_elasticache_replication_group": _cache,
    "aws_efs_file_system": _files,
    "aws_lambda_function": _functions,
    "aws_lb": _load_balancers,
    "aws_ecs_service": _tasks,
}
PARTS = (
    "aws_db_subnet_group",
    "aws_efs_mount_target",
    "aws_elasticache_subnet_group",
    "aws_nat_gateway",
    "aws_network_acl",
    "aws_rds_cluster_instance",
    "aws_route",
    "aws_route_table_association",
    "aws_subnet",
)
"""What may go with a zone, because a rule asks for what takes its place."""


def _now(left: Left, resource: Resource) -> Resource:
    """A resource as it is without the zone."""
    (found,) = (each for each in left.platform.resources if each.address == resource.address)
    return found


def _subnets_of(platform: Platform, type_: str) -> set[str]:
    """Every subnet that resources of a type are in."""
    bodies = [resource.body for resource in platform.of_type(type_)]
    places = [body.get("network_configuration") or body.get("vpc_config") or body for body in bodies]
    return {subnet for place in places for subnet in place.get("subnets") or place.get("subnet_ids") or []}


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
