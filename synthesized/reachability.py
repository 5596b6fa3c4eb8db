"""Who can open a connection to whom, on which TCP ports: by security groups, routes and network ACLs, answers included.

A party is what has an address in the VPC; beside them there are the internet and S3. What is in a platform and not
understood here is an error, so that no way is overlooked.
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
"""The first port that a client may choose for itself, or a NAT gateway for it; the last one is the last there is."""
TCP_PROTOCOLS = ("tcp", "6")
ALL_PROTOCOLS = ("-1", "all")
ANYWHERE = IPv4Network("0.0.0.0/0")

Quantifier = Callable[[Iterable[bool]], bool]
"""`any`: is there a way from some address of the one to some of the other? `all`: from each to each?"""
Ports = tuple[tuple[int, int], ...]


class UnsupportedConfigurationError(Exception):
    """Something that could open a way, and that nothing here knows."""


@dataclass(frozen=True)
class Party:
    """What connections come from or lead to."""

    name: str
    groups: frozenset[str] = frozenset()
    subnets: tuple[str, ...] = ()
    is_public: bool = False
    """Whether it has an address that the internet can reach, where its subnet leads there."""
    external_range: IPv4Network | None = None
    """The range that it is, where it is not in the VPC."""


INTERNET = Party("internet", external_range=ANYWHERE)
S3 = Party("S3", external_range=ANYWHERE)
"""Its addresses are in a prefix list of AWS's; any may be among them."""


def external_party(cidr: str) -> Party:
    """A range of the internet."""
    return Party(cidr, external_range=IPv4Network(cidr))


network = cache(IPv4Network)


class Place(NamedTuple):
    """Where one end of a connection is: in a subnet, or outside of all."""

    subnet: str
    address: IPv4Address


@dataclass(frozen=True)
class Subnet:
    """What is said of a subnet elsewhere than in itself."""

    range: IPv4Network
    route_tables: frozenset[str]
    routes: list[Body]
    acl_entries: dict[str, list[Body]]
    """Of its network ACL, by direction, in the order in which they are asked."""


class Hop(NamedTuple):
    """A network ACL that a packet passes: of which subnet, in which direction, from or to where, to which ports."""

    subnet: str
    direction: str
    peer: IPv4Address
    ports: Sequence[int]


@dataclass(frozen=True)
class Reachability:
    """The ways within a platform."""

    platform: Platform
    with_security_groups: bool = True
    """Otherwise as if every security group were open: what is left is what routes and network ACLs hold back."""

    def __post_init__(self) -> None:
        unknown = [
            each.address
            for each in self.platform.resources
            if row_of(each.type).bypasses_network_rules
            # Rules of security groups are resources of their own.
            or (row_of(each.type).traffic is Traffic.SECURITY_GROUP and {"ingress", "egress"} & _given(each.body))
            or re.search(r"'(ipv6_cidr_block|cidr_ipv6|assign_generated_ipv6_cidr_block)': [^N]", str(each.body))
            or (
                each.type.startswith("aws_vpc_security_group")
                and each.body["ip_protocol"] not in (*TCP_PROTOCOLS, *ALL_PROTOCOLS)
            )
            or (each.type == "aws_route" and not {"gateway_id", "nat_gateway_id"} & _given(each.body))
        ]
        if unknown:
            raise UnsupportedConfigurationError(", ".join(unknown))

    @cached_property
    def parties(self) -> dict[str, Party]:
        """All that has an address in the VPC, by its label, and the internet and S3.

        Raises:
            NotUnderstoodError: something has a security group, and nothing here knows where it is.
        """
        found: dict[str, Party] = {party.name: party for party in (INTERNET, S3)}
        for resource in self.platform.resources:
            if in_vpc := IN_VPC.get(resource.type):
                groups, subnets, is_public = in_vpc.placement(self.platform, resource.body)
                if subnets:
                    found[resource.label] = Party(resource.label, frozenset(groups), tuple(subnets), is_public)
            elif "${aws_security_group." in str(resource.body) and row_of(resource.type).traffic is None:
                raise UnsupportedConfigurationError(resource.address)
        return found

    def matrix(self, quantifier: Quantifier, among: Collection[str] = ()) -> dict[tuple[str, str], Ports]:
        """The ports that each party reaches of each other, where there are any, or among some of the parties."""
        parties = [party for name, party in self.parties.items() if not among or name in among]
        return {
            (source.name, target.name): ports
            for source, target in product(parties, repeat=2)
            if source != target and (ports := self.ports(source, target, quantifier))
        }

    def ports(self, source: Party, target: Party, quantifier: Quantifier) -> Ports:
        """The ports of one party that another reaches, as ranges."""
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
            self._groups_admit(source, target, one, other, port)
            and any(
                all(self._acl_admits(hop, all) for hop in there)
                and all(self._acl_admits(hop, quantifier) for hop in back)
                for there, back in self._ways(source, target, one, other, port)
            )
            for one, other in pairs
        )

    def _groups_admit(self, source: Party, target: Party, one: Place, other: Place, port: int) -> bool:
        if not self.with_security_groups:
            return True
        out = source.external_range or any(
            self._is_about(rule, target, other, port) for rule in self._rules("egress", source)
        )
        into = target.external_range or any(
            self._is_about(rule, source, one, port) for rule in self._rules("ingress", target)
        )
        return bool(out and into)

    def _rules(self, direction: str, party: Party) -> Iterator[Body]:
        for rule in self._group_rules[direction]:
            if rule["security_group_id"] in party.groups:
                yield rule

    @staticmethod
    def _is_about(rule: Body, party: Party, place: Place, port: int) -> bool:
        if rule["ip_protocol"] in TCP_PROTOCOLS and not rule["from_port"] <= port <= rule["to_port"]:
            return False
        if rule.get("prefix_list_id"):
            return party == S3
        if rule.get("cidr_ipv4"):
            return place.address in network(rule["cidr_ipv4"])
        return rule.get("referenced_security_group_id") in party.groups

    def _ways(
        self, source: Party, target: Party, one: Place, other: Place, port: int
    ) -> Iterator[tuple[list[Hop], list[Hop]]]:
        """The network ACLs that packets pass on each way there is, and those that the answers pass."""
        asked, answered = [port], self._ports_from(FIRST_EPHEMERAL_PORT)

        def out_of(place: Place, to: Place, ports: Sequence[int]) -> Hop:
            return Hop(place.subnet, "egress", to.address, ports)

        def into(place: Place, of: Place, ports: Sequence[int]) -> Hop:
            return Hop(place.subnet, "ingress", of.address, ports)

        if one.subnet and other.subnet:
            is_filtered = one.subnet != other.subnet  # a network ACL stands between subnets, not within one
            there = [out_of(one, other, asked), into(other, one, asked)] if is_filtered else []
            back = [out_of(other, one, answered), into(one, other, answered)] if is_filtered else []
            yield there, back
        elif other.subnet:
            if source == INTERNET and target.is_public and self._leads_to_internet(other.subnet):
                yield [into(other, one, asked)], [out_of(other, one, answered)]
        elif target == S3:
            if self._leads_to_s3(one.subnet):
                yield [out_of(one, other, asked)], [into(one, other, answered)]
        else:
            if source.is_public and self._leads_to_internet(one.subnet):
                yield [out_of(one, other, asked)], [into(one, other, answered)]
            for subnet in self._nat_subnets(one.subnet, other.address):
                nat = Place(subnet, other.address)
                yield (
                    [out_of(one, other, asked), into(nat, one, asked), out_of(nat, other, asked)],
                    [into(nat, other, answered), out_of(nat, one, answered), into(one, other, answered)],
                )

    def _acl_admits(self, hop: Hop, quantifier: Quantifier) -> bool:
        return quantifier(self._entry_admits(hop, port) for port in hop.ports)

    def _entry_admits(self, hop: Hop, port: int) -> bool:
        for entry in self._subnets[hop.subnet].acl_entries[hop.direction]:
            is_about_port = entry["protocol"] in ALL_PROTOCOLS or (
                entry["protocol"] in TCP_PROTOCOLS and entry["from_port"] <= port <= entry["to_port"]
            )
            if is_about_port and hop.peer in network(entry["cidr_block"]):
                return entry["action"] == "allow"
        return False

    def _leads_to_internet(self, subnet: str) -> bool:
        return any("aws_internet_gateway." in str(route.get("gateway_id")) for route in self._subnets[subnet].routes)

    def _nat_subnets(self, subnet: str, to: IPv4Address) -> Iterator[str]:
        for route in self._subnets[subnet].routes:
            if route.get("nat_gateway_id") and to in network(route["destination_cidr_block"]):
                there = self.platform.resolve(route["nat_gateway_id"]).body["subnet_id"]
                if self._leads_to_internet(there):
                    yield there

    def _leads_to_s3(self, subnet: str) -> bool:
        return any(
            self._subnets[subnet].route_tables & set(endpoint.body.get("route_table_ids") or [])
            for endpoint in self.platform.of_type("aws_vpc_endpoint")
            if endpoint.body["service_name"].endswith(".s3")
        )

    @cached_property
    def _subnets(self) -> dict[str, Subnet]:
        """By what refers to them."""
        return {
            reference: self._subnet(reference, subnet.body)
            for subnet in self.platform.of_type("aws_subnet")
            for reference in [f"${{{subnet.address}.id}}"]
        }

    def _subnet(self, reference: str, body: Body) -> Subnet:
        acls = [acl for acl in self.platform.of_type("aws_network_acl") if reference in acl.body["subnet_ids"]]
        # Without one of its own it has the VPC's.
        (acl,) = acls or self.platform.of_type("aws_default_network_acl")
        associations = [each.body for each in self.platform.of_type("aws_route_table_association")]
        tables = frozenset(each["route_table_id"] for each in associations if each["subnet_id"] == reference)
        return Subnet(
            range=network(body["cidr_block"]),
            route_tables=tables,
            routes=[each.body for each in self.platform.of_type("aws_route") if each.body["route_table_id"] in tables],
            acl_entries={
                way: sorted(acl.body.get(way) or [], key=lambda entry: entry["rule_no"])
                for way in ("ingress", "egress")
            },
        )

    def _places(self, party: Party) -> list[Place]:
        """Every address that some rule treats otherwise than its neighbour, as one of all that are treated alike."""
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
        """The first address of each range that a rule names, and the first behind it."""
        bounds = {each.network_address for each in self._named_ranges}
        return bounds | {each.broadcast_address + 1 for each in self._named_ranges if each != ANYWHERE}

    @cached_property
    def _vpc(self) -> IPv4Network:
        (vpc,) = self.platform.of_type("aws_vpc")
        return IPv4Network(vpc.body["cidr_block"])

    @cached_property
    def _group_rules(self) -> dict[str, list[Body]]:
        return {
            way: [rule.body for rule in self.platform.of_type(f"aws_vpc_security_group_{way}_rule")]
            for way in ("ingress", "egress")
        }

    @cached_property
    def _rules_of_all(self) -> list[Body]:
        entries = [entry for subnet in self._subnets.values() for way in subnet.acl_entries.values() for entry in way]
        return [*self._group_rules["ingress"], *self._group_rules["egress"], *entries]

    @cached_property
    def _named_ranges(self) -> set[IPv4Network]:
        named = {rule.get("cidr_ipv4") or rule.get("cidr_block") for rule in self._rules_of_all} - {None}
        return {self._vpc, *(network(cidr) for cidr in named if cidr)}

    @cached_property
    def _first_ports(self) -> list[int]:
        """Every port that some rule treats otherwise than the one before."""
        bounds = {0, FIRST_EPHEMERAL_PORT}
        for rule in self._rules_of_all:
            if str(rule.get("ip_protocol") or rule.get("protocol")) in TCP_PROTOCOLS:
                bounds |= {rule["from_port"], rule["to_port"] + 1}
        return sorted(bounds - {LAST_PORT + 1})

    def _ports_from(self, first: int) -> list[int]:
        return [port for port in self._first_ports if port >= first]


def merge_ranges(ranges: Iterable[tuple[int, int]]) -> Ports:
    """Ranges in their order as few as there can be: those that overlap or follow each other are one."""
    fewest: list[tuple[int, int]] = []
    for first, last in ranges:
        if fewest and first <= fewest[-1][1] + 1:
            fewest[-1] = (fewest[-1][0], max(last, fewest[-1][1]))
        else:
            fewest.append((first, last))
    return tuple(fewest)


def _given(body: Body) -> set[str]:
    return {argument for argument, value in body.items() if value}
