"""What reaches what within a VPC: security groups, network ACLs and routes, as they are at the moment.

A connection must work from each subnet of the source to each subnet of the target, because AWS chooses the addresses.
Gateway endpoints and network ACLs of NAT gateways are not considered.
https://docs.aws.amazon.com/vpc/latest/userguide/infrastructure-security.html
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

HTTPS = 443
EPHEMERAL_PORTS = range(1024, 65536)
"""Ports that answers go to. https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html"""
ANYWHERE = IPv4Network("0.0.0.0/0")


@dataclass(frozen=True)
class Place:
    """Network interfaces in subnets, behind security groups."""

    subnets: Sequence[str]
    groups: Sequence[str]


def reaches(ec2: Any, source: Place, target: Place, port: int) -> bool:
    """Whether TCP connections to a port get through, in either direction.

    Args:
        ec2: moto's backend of EC2, with the VPC of both.
    """
    pairs = [(ec2.get_subnet(start), ec2.get_subnet(end)) for start in source.subnets for end in target.subnets]
    return bool(pairs) and all(
        _groups_allow(ec2, source.groups, "egress", _range(end), target.groups, port)
        and _groups_allow(ec2, target.groups, "ingress", _range(start), source.groups, port)
        # Network ACLs do not filter what stays within a subnet.
        and (start.id == end.id or _acls_allow(ec2, start, _range(start), end, _range(end), port))
        for start, end in pairs
    )


def reached_services(ec2: Any, source: Place) -> Iterator[tuple[str, bool]]:
    """The AWS services that have an endpoint in the VPC, and whether requests get through to it.

    Services are named as endpoints are, such as `secretsmanager`.
    """
    vpc = ec2.get_subnet(source.subnets[0]).vpc_id
    for endpoint in ec2.vpc_end_points.values():
        if endpoint.vpc_id == vpc and endpoint.state == "available" and endpoint.private_dns_enabled:
            there = Place(endpoint.subnet_ids or [], endpoint.security_group_ids)
            yield endpoint.service_name.rpartition(".")[2], reaches(ec2, source, there, HTTPS)


def reaches_internet(ec2: Any, source: Place) -> bool:
    """Whether HTTPS requests to any address on the internet get out through a NAT gateway, and the answers back."""
    return all(_leaves(ec2, source, ec2.get_subnet(subnet)) for subnet in source.subnets)


def _leaves(ec2: Any, source: Place, subnet: Any) -> bool:
    tables = ec2.describe_route_tables(filters={"association.subnet-id": [subnet.id]})
    tables = tables or ec2.describe_route_tables(filters={"vpc-id": [subnet.vpc_id], "association.main": ["true"]})
    return (
        any(
            route.nat_gateway and route.destination_cidr_block == str(ANYWHERE)
            for table in tables
            for route in table.routes
        )
        and _groups_allow(ec2, source.groups, "egress", ANYWHERE, (), HTTPS)
        and _acl_allows(ec2, subnet, ANYWHERE, [HTTPS], outward=True)
        and _acl_allows(ec2, subnet, ANYWHERE, EPHEMERAL_PORTS, outward=False)
    )


def _range(subnet: Any) -> IPv4Network:
    return IPv4Network(subnet.cidr_block)


def _groups_allow(
    ec2: Any, groups: Iterable[str], direction: str, peer: IPv4Network, peer_groups: Iterable[str], port: int
) -> bool:
    rules = [rule for group in groups for rule in getattr(ec2.get_security_group_from_id(group), f"{direction}_rules")]
    return any(
        _has_port(rule.ip_protocol, rule.from_port, rule.to_port, port)
        and (
            rule.source_group.get("GroupId") in peer_groups
            or ("CidrIp" in rule.ip_range and peer.subnet_of(IPv4Network(rule.ip_range["CidrIp"])))
        )
        for rule in rules
    )


def _acls_allow(ec2: Any, start: Any, of: IPv4Network, end: Any, to: IPv4Network, port: int) -> bool:
    return (
        _acl_allows(ec2, start, to, [port], outward=True)
        and _acl_allows(ec2, end, of, [port], outward=False)
        and _acl_allows(ec2, end, of, EPHEMERAL_PORTS, outward=True)
        and _acl_allows(ec2, start, to, EPHEMERAL_PORTS, outward=False)
    )


def _acl_allows(ec2: Any, subnet: Any, peer: IPv4Network, ports: Sequence[int], *, outward: bool) -> bool:
    """Whether the network ACL of a subnet allows all these ports, to or from all addresses of a range."""
    (acl,) = ec2.describe_network_acls(filters={"association.subnet-id": [subnet.id]})
    entries = sorted(
        (entry for entry in acl.network_acl_entries if str(entry.egress).lower() == str(outward).lower()),
        key=lambda entry: int(entry.rule_number),
    )

    def allows(port: int) -> bool:
        for entry in entries:
            if _has_port(entry.protocol, entry.port_range_from, entry.port_range_to, port):
                block = IPv4Network(entry.cidr_block)
                if peer.subnet_of(block):
                    return entry.rule_action == "allow"
                # It decides on a part of the addresses.
                if entry.rule_action == "deny" and peer.overlaps(block):
                    return False
        return False

    bounds = {int(bound) for each in entries for bound in (each.port_range_from, each.port_range_to) if bound}
    return all(allows(port) for port in {ports[0], ports[-1], *bounds, *(bound + 1 for bound in bounds)} & {*ports})


def _has_port(protocol: str | int, first: str | int | None, last: str | int | None, port: int) -> bool:
    if str(protocol) == "-1":
        return True
    return str(protocol) in {"6", "tcp"} and int(first or 0) <= port <= int(last or 0)
