"""TCP ports on which parties can reach each other, by security groups, routes and network ACLs in both directions.

Parties are the resources with addresses in the VPC, the internet, and services behind gateway endpoints. A
configuration that this model does not support is an error, so that no path is overlooked.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise, product
from typing import NamedTuple

from synthesized.catalogue.row import Traffic
from synthesized.catalogue.table import IN_VPC, row_of
from synthesized.platform import Body, Platform

LAST_PORT = 65535
FIRST_EPHEMERAL_PORT = 1024
"""First port that clients and NAT gateways use as a source port; the last is `LAST_PORT`."""
TCP_PROTOCOLS = ("tcp", "6")
ALL_PROTOCOLS = ("-1", "all")
ANYWHERE = IPv4Network("0.0.0.0/0")

Quantifier = Callable[[Iterable[bool]], bool]
"""`any`: some address of the source reaches some address of the target. `all`: every address reaches every address."""
Ports = tuple[tuple[int, int], ...]


class UnsupportedConfigurationError(Exception):
    """A resource may open a network path that this model does not support."""


@dataclass(frozen=True)
class Party:
    """A source or target of connections."""

    name: str
    groups: frozenset[str] = frozenset()
    subnets: tuple[str, ...] = ()
    is_public: bool = False
    """Whether it has public addresses. They are reachable if its subnets route to an internet gateway."""
    external_range: IPv4Network | None = None
    """Address range of a party outside of the VPC."""


INTERNET = Party("internet", external_range=ANYWHERE)
S3 = Party("S3", external_range=ANYWHERE)
GATEWAYS = {"s3": S3, "dynamodb": Party("DynamoDB", external_range=ANYWHERE)}
"""The services that have gateway endpoints. Their addresses are in AWS-managed prefix lists, which may contain any
address. https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html"""


def external_party(cidr: str) -> Party:
    """A party with a range of internet addresses."""
    return Party(cidr, external_range=IPv4Network(cidr))


network = cache(IPv4Network)


def gateway_endpoints(platform: Platform) -> dict[str, Party]:
    """Services by the expression for the prefix list of their gateway endpoint."""
    return {
        f"${{{endpoint.address}.prefix_list_id}}": GATEWAYS[service]
        for endpoint in platform.of_type("aws_vpc_endpoint")
        if (service := endpoint.body["service_name"].rpartition(".")[2]) in GATEWAYS
    }


class Place(NamedTuple):
    """One end of a connection. The subnet is empty outside of the VPC."""

    subnet: str
    address: IPv4Address


class GroupRule(NamedTuple):
    """A rule of a security group."""

    ports: range
    peers: IPv4Network | Party | str | None
    """A range of addresses, a service behind a gateway endpoint, or another security group. None is nobody."""


class AclEntry(NamedTuple):
    """An entry of a network ACL."""

    ports: range
    peers: IPv4Network
    allows: bool


@dataclass(frozen=True)
class Subnet:
    """A subnet with its routes and its network ACL."""

    range: IPv4Network
    route_tables: frozenset[str]
    routes: list[Body]
    acl_entries: dict[str, list[AclEntry]]
    """Network ACL entries by direction, in evaluation order."""


class Hop(NamedTuple):
    """A network ACL that packets pass: its subnet, the direction, the peer's address, and the destination ports."""

    subnet: str
    direction: str
    peer: IPv4Address
    ports: Sequence[int]


@dataclass(frozen=True)
class Reachability:
    """Reachability between the parties of a platform."""

    platform: Platform
    with_security_groups: bool = True
    """False ignores security groups, to show what routes and network ACLs block by themselves."""

    def __post_init__(self) -> None:
        unsupported = [
            each.address
            for each in self.platform.resources
            if row_of(each.type).bypasses_network_rules
            # Rules of security groups must be separate resources.
            or (row_of(each.type).traffic is Traffic.SECURITY_GROUP and {"ingress", "egress"} & _given(each.body))
            or re.search(r"'(ipv6_cidr_block|cidr_ipv6|assign_generated_ipv6_cidr_block)': [^N]", str(each.body))
            or (
                each.type.startswith("aws_vpc_security_group")
                and each.body["ip_protocol"] not in (*TCP_PROTOCOLS, *ALL_PROTOCOLS)
            )
            or not str(each.body.get("prefix_list_id") or "${aws_vpc_endpoint.").startswith("${aws_vpc_endpoint.")
            or (each.type == "aws_route" and not {"gateway_id", "nat_gateway_id"} & _given(each.body))
        ]
        if unsupported:
            raise UnsupportedConfigurationError(", ".join(unsupported))

    @cached_property
    def parties(self) -> dict[str, Party]:
        """Resources with addresses in the VPC, by label, with the internet and services behind gateway endpoints.

        Raises:
            UnsupportedConfigurationError: a resource has a security group, and the catalogue has no placement for it.
        """
        found: dict[str, Party] = {party.name: party for party in (INTERNET, *self._gateways.values())}
        for resource in self.platform.resources:
            if in_vpc := IN_VPC.get(resource.type):
                groups, subnets, is_public = in_vpc.placement(self.platform, resource.body)
                if subnets:
                    found[resource.label] = Party(resource.label, frozenset(groups), tuple(subnets), is_public)
            elif "${aws_security_group." in str(resource.body) and not (
                row_of(resource.type).traffic or row_of(resource.type).placed_like
            ):
                raise UnsupportedConfigurationError(resource.address)
        return found

    def matrix(self, quantifier: Quantifier, among: Collection[str] = ()) -> dict[tuple[str, str], Ports]:
        """Reachable ports by source and target, for all parties or those named; pairs without any are left out."""
        parties = [party for name, party in self.parties.items() if not among or name in among]
        return {
            (source.name, target.name): ports
            for source, target in product(parties, repeat=2)
            if source != target and (ports := self.ports(source, target, quantifier))
        }

    def ports(self, source: Party, target: Party, quantifier: Quantifier) -> Ports:
        """Ports of the target that the source reaches, as ranges."""
        if source.external_range and target.external_range:
            return ()
        pairs = list(product(self._places(source), self._places(target)))
        reached = (
            (first, after - 1)
            for first, after in pairwise([*self._first_ports, LAST_PORT + 1])
            if pairs and self._reaches(source, target, pairs, first, quantifier)
        )
        return merge_ranges(reached)

    def _reaches(
        self, source: Party, target: Party, pairs: Collection[tuple[Place, Place]], port: int, quantifier: Quantifier
    ) -> bool:
        return quantifier(
            self._groups_allow(source, target, start, end, port)
            and any(
                all(self._acl_allows(hop, all) for hop in forward)
                and all(self._acl_allows(hop, quantifier) for hop in backward)
                for forward, backward in self._paths(source, target, start, end, port)
            )
            for start, end in pairs
        )

    def _groups_allow(self, source: Party, target: Party, start: Place, end: Place, port: int) -> bool:
        if not self.with_security_groups:
            return True
        out = source.external_range or any(
            self._rule_matches(rule, target, end, port) for rule in self._rules("egress", source)
        )
        into = target.external_range or any(
            self._rule_matches(rule, source, start, port) for rule in self._rules("ingress", target)
        )
        return bool(out and into)

    def _rules(self, direction: str, party: Party) -> Iterator[GroupRule]:
        for group in party.groups:
            yield from self._group_rules.get((direction, group), ())

    @staticmethod
    def _rule_matches(rule: GroupRule, party: Party, place: Place, port: int) -> bool:
        if port not in rule.ports:
            return False
        if isinstance(rule.peers, IPv4Network):
            return place.address in rule.peers
        return rule.peers in party.groups if isinstance(rule.peers, str) else party == rule.peers

    def _paths(
        self, source: Party, target: Party, start: Place, end: Place, port: int
    ) -> Iterator[tuple[list[Hop], list[Hop]]]:
        """Network ACLs on each possible path: those that requests pass, and those that responses pass."""
        request, response = [port], self._ports_from(FIRST_EPHEMERAL_PORT)

        def out_of(place: Place, to: Place, ports: Sequence[int]) -> Hop:
            return Hop(place.subnet, "egress", to.address, ports)

        def into(place: Place, of: Place, ports: Sequence[int]) -> Hop:
            return Hop(place.subnet, "ingress", of.address, ports)

        if start.subnet and end.subnet:
            is_filtered = start.subnet != end.subnet  # network ACLs do not filter traffic within a subnet
            forward = [out_of(start, end, request), into(end, start, request)] if is_filtered else []
            backward = [out_of(end, start, response), into(start, end, response)] if is_filtered else []
            yield forward, backward
        elif end.subnet:
            if source == INTERNET and target.is_public and self._routes_to_internet(end.subnet):
                yield [into(end, start, request)], [out_of(end, start, response)]
        elif target in GATEWAYS.values():
            if self._routes_to_gateway(start.subnet, target):
                yield [out_of(start, end, request)], [into(start, end, response)]
        else:
            if source.is_public and self._routes_to_internet(start.subnet):
                yield [out_of(start, end, request)], [into(start, end, response)]
            for subnet in self._nat_subnets(start.subnet, end.address):
                nat = Place(subnet, end.address)
                yield (
                    [out_of(start, end, request), into(nat, start, request), out_of(nat, end, request)],
                    [into(nat, end, response), out_of(nat, start, response), into(start, end, response)],
                )

    def _acl_allows(self, hop: Hop, quantifier: Quantifier) -> bool:
        return quantifier(self._acl_allows_port(hop, port) for port in hop.ports)

    def _acl_allows_port(self, hop: Hop, port: int) -> bool:
        for entry in self._subnets[hop.subnet].acl_entries[hop.direction]:
            if port in entry.ports and hop.peer in entry.peers:
                return entry.allows
        return False

    def _routes_to_internet(self, subnet: str) -> bool:
        return any("aws_internet_gateway." in str(route.get("gateway_id")) for route in self._subnets[subnet].routes)

    def _nat_subnets(self, subnet: str, to: IPv4Address) -> Iterator[str]:
        for route in self._subnets[subnet].routes:
            if route.get("nat_gateway_id") and to in network(route["destination_cidr_block"]):
                nat_subnet = self.platform.resolve(route["nat_gateway_id"]).body["subnet_id"]
                if self._routes_to_internet(nat_subnet):
                    yield nat_subnet

    def _routes_to_gateway(self, subnet: str, service: Party) -> bool:
        return any(
            self._subnets[subnet].route_tables & set(endpoint.body.get("route_table_ids") or [])
            for endpoint in self.platform.of_type("aws_vpc_endpoint")
            if self._gateways.get(f"${{{endpoint.address}.prefix_list_id}}") == service
        )

    @cached_property
    def _gateways(self) -> dict[str, Party]:
        return gateway_endpoints(self.platform)

    @cached_property
    def _subnets(self) -> dict[str, Subnet]:
        """Subnets by the reference that other resources use, as in `${aws_subnet.network_app-a.id}`."""
        return {
            reference: self._subnet(reference, subnet.body)
            for subnet in self.platform.of_type("aws_subnet")
            for reference in [f"${{{subnet.address}.id}}"]
        }

    def _subnet(self, reference: str, body: Body) -> Subnet:
        acls = [acl for acl in self.platform.of_type("aws_network_acl") if reference in acl.body["subnet_ids"]]
        # A subnet without a network ACL has the VPC's default one.
        (acl,) = acls or self.platform.of_type("aws_default_network_acl")
        associations = [each.body for each in self.platform.of_type("aws_route_table_association")]
        tables = frozenset(each["route_table_id"] for each in associations if each["subnet_id"] == reference)
        return Subnet(
            range=network(body["cidr_block"]),
            route_tables=tables,
            routes=[each.body for each in self.platform.of_type("aws_route") if each.body["route_table_id"] in tables],
            acl_entries={
                direction: [
                    AclEntry(ports, network(entry["cidr_block"]), entry["action"] == "allow")
                    for entry in sorted(acl.body.get(direction) or [], key=lambda entry: entry["rule_no"])
                    if (ports := _tcp_ports(entry["protocol"], entry))
                ]
                for direction in ("ingress", "egress")
            },
        )

    def _places(self, party: Party) -> list[Place]:
        """Representative addresses of a party: one for each range that all rules treat alike."""
        if party.external_range:
            return [Place("", address) for address in self._addresses(party.external_range) if address not in self._vpc]
        return [
            Place(subnet, address)
            for subnet in party.subnets
            for address in self._addresses(self._subnets[subnet].range)
        ]

    def _addresses(self, within: IPv4Network) -> list[IPv4Address]:
        return sorted({within.network_address} | {address for address in self._bounds if address in within})

    @cached_property
    def _bounds(self) -> set[IPv4Address]:
        """First address of each range in a rule, and first address after it."""
        bounds = {each.network_address for each in self._named_ranges}
        return bounds | {each.broadcast_address + 1 for each in self._named_ranges if each != ANYWHERE}

    @cached_property
    def _vpc(self) -> IPv4Network:
        (vpc,) = self.platform.of_type("aws_vpc")
        return IPv4Network(vpc.body["cidr_block"])

    @cached_property
    def _group_rules(self) -> dict[tuple[str, str], list[GroupRule]]:
        """Rules by direction and security group."""
        found: dict[tuple[str, str], list[GroupRule]] = {}
        for direction in ("ingress", "egress"):
            for resource in self.platform.of_type(f"aws_vpc_security_group_{direction}_rule"):
                body = resource.body
                cidr, prefixes = body.get("cidr_ipv4"), body.get("prefix_list_id")
                group = str(body.get("referenced_security_group_id"))
                peers = self._gateways.get(prefixes) if prefixes else network(cidr) if cidr else group
                rule = GroupRule(_tcp_ports(body["ip_protocol"], body), peers)
                found.setdefault((direction, body["security_group_id"]), []).append(rule)
        return found

    @cached_property
    def _rules_of_all(self) -> list[GroupRule | AclEntry]:
        return [
            *(rule for rules in self._group_rules.values() for rule in rules),
            *(
                entry
                for subnet in self._subnets.values()
                for entries in subnet.acl_entries.values()
                for entry in entries
            ),
        ]

    @cached_property
    def _named_ranges(self) -> set[IPv4Network]:
        return {self._vpc, *(rule.peers for rule in self._rules_of_all if isinstance(rule.peers, IPv4Network))}

    @cached_property
    def _first_ports(self) -> list[int]:
        """First port of each range that all rules treat alike."""
        bounds = {0, FIRST_EPHEMERAL_PORT}
        for rule in self._rules_of_all:
            bounds |= {rule.ports.start, rule.ports.stop}
        return sorted(bounds - {LAST_PORT + 1})

    def _ports_from(self, first: int) -> list[int]:
        return [port for port in self._first_ports if port >= first]


def merge_ranges(ranges: Iterable[tuple[int, int]]) -> Ports:
    """Sorted ranges with those that overlap or adjoin merged."""
    merged: list[tuple[int, int]] = []
    for first, last in ranges:
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def _tcp_ports(protocol: str, body: Body) -> range:
    """TCP ports that a rule applies to: none if it is of another protocol."""
    if protocol in ALL_PROTOCOLS:
        return range(LAST_PORT + 1)
    return range(body["from_port"], body["to_port"] + 1) if protocol in TCP_PROTOCOLS else range(0)


def _given(body: Body) -> set[str]:
    return {argument for argument, value in body.items() if value}
