"""The graph of network flows for pictures. Resources with the same security groups are one node.

Nodes and reasons come from security groups and their rules, open ports from `synthesized.reachability`, which also
evaluates routes and network ACLs. Rules that routes or network ACLs make ineffective are not drawn;
a port that is open without a rule is an error.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from itertools import product

from synthesized.catalogue.table import IN_VPC
from synthesized.catalogue.vpc import HTTPS
from synthesized.platform import Body, Platform, PlatformError, Resource
from synthesized.reachability import (
    ALL_PROTOCOLS,
    GATEWAYS,
    INTERNET,
    LAST_PORT,
    Party,
    Ports,
    Reachability,
    external_party,
    gateway_endpoints,
    merge_ranges,
)

EDGE_SUFFIX = re.compile(r" \(\S+ to \S+\)$")
"""Suffix of a rule's description, after its reason."""
OUTSIDE = "outside the VPC"


@dataclass(frozen=True)
class Node:
    """Resources with the same security groups, or one address range outside the VPC."""

    name: str
    """The security group's name, or the address range."""
    parties: tuple[Party, ...]
    """Its resources, or the address range, as `reachability` sees them."""
    resources: tuple[Resource, ...] = ()
    """In the order of the parties. Empty for an address range outside the VPC."""

    @property
    def subnets(self) -> list[str]:
        """References to its subnets, without duplicates."""
        return list(dict.fromkeys(subnet for party in self.parties for subnet in party.subnets))


@dataclass(frozen=True)
class Edge:
    """Ports that are open from one node to another."""

    source: str
    target: str
    ports: tuple[int, int]
    """First and last port."""
    reason: str
    is_encrypted: bool

    @property
    def ports_text(self) -> str:
        """The ports as text, such as `1024 to 65535`."""
        return format_ports((self.ports,))


def format_ports(ports: Ports) -> str:
    """Port ranges as text, such as `443, 1024 to 65535`."""
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in ports)


@dataclass(frozen=True)
class FlowGraph:
    """The nodes of a platform, by name, and the edges between them."""

    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]

    def outside(self) -> list[Node]:
        """Nodes outside the VPC that have an edge."""
        names_with_edges = {name for edge in self.edges for name in (edge.source, edge.target)}
        return [node for node in self.nodes.values() if not node.resources and node.name in names_with_edges]


def flow_graph(platform: Platform) -> FlowGraph:
    """Read the nodes and edges of a platform.

    Raises:
        PlatformError: a port is reachable without a rule that names it.
    """
    reachability = Reachability(platform)
    nodes = _nodes(platform, reachability)
    reachable = reachable_ports(reachability, nodes)
    edges = [edge for edge in _edges_of_rules(platform, nodes) if _is_open(reachable, edge)]
    ports_of_rules = _merge_outside(nodes, (((edge.source, edge.target), (edge.ports,)) for edge in edges))
    for (source, target), ports in _merge_outside(nodes, reachable.items()).items():
        if ports_of_rules.get((source, target)) != ports:
            of_rules = format_ports(ports_of_rules.get((source, target), ())) or "no port"
            raise PlatformError(
                f"{source} reaches {target} on {format_ports(ports)}, but security group rules allow {of_rules}"
            )
    return FlowGraph(nodes, tuple(dict.fromkeys(edges)))


def reachable_ports(reachability: Reachability, nodes: Mapping[str, Node]) -> dict[tuple[str, str], Ports]:
    """Open ports by source and target, without pairs of nodes that have no open port."""
    found: dict[tuple[str, str], Ports] = {}
    for source in nodes.values():
        for target in nodes.values():
            if ports := _ports(reachability, source, target):
                found[source.name, target.name] = ports
    return found


def _merge_outside(
    nodes: Mapping[str, Node], reachable: Iterable[tuple[tuple[str, str], Ports]]
) -> dict[tuple[str, str], Ports]:
    """Ports by source and target, with all nodes outside the VPC as one.

    What a rule opens for an address range is reachable from or on the internet, too, of which the range is a part.
    """
    found: dict[tuple[str, str], set[tuple[int, int]]] = {}
    for (source, target), ports in reachable:
        ends = (source if nodes[source].resources else OUTSIDE, target if nodes[target].resources else OUTSIDE)
        found.setdefault(ends, set()).update(ports)
    return {ends: merge_ranges(sorted(ports)) for ends, ports in found.items()}


def _ports(reachability: Reachability, source: Node, target: Node) -> Ports:
    pairs = product(_distinct_parties(source), _distinct_parties(target))
    return merge_ranges(sorted({each for pair in pairs for each in reachability.ports(*pair, any)}))


def _distinct_parties(node: Node) -> list[Party]:
    """A node's parties without those that differ from another only in their name."""
    return list({replace(party, name=""): party for party in node.parties}.values())


def _is_open(reachable: Mapping[tuple[str, str], Ports], edge: Edge) -> bool:
    first, last = edge.ports
    return any(start <= first and last <= end for start, end in reachable.get((edge.source, edge.target), ()))


def _nodes(platform: Platform, reachability: Reachability) -> dict[str, Node]:
    resources = {resource.label: resource for resource in platform.resources}
    by_groups: dict[frozenset[str], list[Party]] = {}
    for party in reachability.parties.values():
        if party.groups:
            by_groups.setdefault(party.groups, []).append(party)
    nodes = {INTERNET.name: Node(INTERNET.name, (INTERNET,))}
    for groups, parties in by_groups.items():
        name = " and ".join(sorted(platform.resolve(group).name.removeprefix("group-") for group in groups))
        nodes[name] = Node(name, tuple(parties), tuple(resources[party.name] for party in parties))
    ranges = {rule.body["cidr_ipv4"] for rule in _rules(platform) if rule.body.get("cidr_ipv4")}
    gateways = gateway_endpoints(platform).values()
    # 0.0.0.0/0 is the node of the internet. Services have the same range, but nodes of their own.
    return nodes | {
        party.name: Node(party.name, (party,))
        for party in (*gateways, *map(external_party, sorted(ranges)))
        if party.external_range != INTERNET.external_range or party in gateways
    }


def _rules(platform: Platform) -> list[Resource]:
    return platform.of_type("aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule")


def _edges_of_rules(platform: Platform, nodes: Mapping[str, Node]) -> Iterator[Edge]:
    """An edge for each security group rule: an egress rule of its source, or an ingress rule of its target."""
    for rule in _rules(platform):
        for own in _nodes_with_group(nodes, rule.body["security_group_id"]):
            for other in _peers(platform, nodes, rule.body):
                is_ingress = rule.type.endswith("_ingress_rule")
                source, target = (other, own) if is_ingress else (own, other)
                ports = (0, LAST_PORT) if rule.body["ip_protocol"] in ALL_PROTOCOLS else _range(rule.body)
                why = EDGE_SUFFIX.sub("", rule.body.get("description", ""))
                yield Edge(source.name, target.name, ports, why, _is_encrypted(platform, target, ports))


def _range(rule: Body) -> tuple[int, int]:
    return rule["from_port"], rule["to_port"]


def _nodes_with_group(nodes: Mapping[str, Node], group: str | None) -> list[Node]:
    return [node for node in nodes.values() if any(group in party.groups for party in node.parties)]


def _peers(platform: Platform, nodes: Mapping[str, Node], rule: Body) -> list[Node]:
    if prefixes := rule.get("prefix_list_id"):
        return [nodes[gateway_endpoints(platform)[prefixes].name]]
    if cidr := rule.get("cidr_ipv4"):
        name = INTERNET.name if IPv4Network(cidr) == INTERNET.external_range else cidr
        return [nodes[name]]
    return _nodes_with_group(nodes, rule.get("referenced_security_group_id"))


def _is_encrypted(platform: Platform, target: Node, ports: tuple[int, int]) -> bool:
    """Whether a target accepts only TLS on all these ports.

    Services behind gateway endpoints do on 443. Of other targets outside the platform it is unknown, and so false.
    """
    if target.parties[0] in GATEWAYS.values():
        return ports == (HTTPS, HTTPS)
    first, last = ports
    return bool(target.resources) and all(
        IN_VPC[each.type].refuses_plaintext(platform, each, port)
        for each in target.resources
        for port in range(first, last + 1)
    )


def encryption_key(platform: Platform, resource: Resource) -> str | None:
    """Name of the KMS key in `kms_key_id` of a resource, or of a mount target's file system; None without one."""
    is_mount_target = resource.type == "aws_efs_mount_target"
    encrypted = platform.resolve(resource.body["file_system_id"]) if is_mount_target else resource
    key = encrypted.body.get("kms_key_id")
    return platform.resolve(key).name if key else None
