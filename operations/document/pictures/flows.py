"""Who talks to whom, as pictures show it: what shares its security groups is one node, and each flow has its reason.

Nodes and reasons are read from security groups and their rules, ways from `synthesized.reachability`, which also asks
routes and network ACLs. The two must say the same: neither a rule without a way nor a way without a rule is drawn.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from itertools import product

from synthesized.catalogue.table import IN_VPC
from synthesized.catalogue.vpc import HTTPS
from synthesized.platform import Body, Platform, PlatformError, Resource
from synthesized.reachability import ALL, INTERNET, LAST_PORT, S3, Party, Ports, Reachability, merged, outside

ENDS_OF_A_FLOW = re.compile(r" \(\S+ to \S+\)$")
"""What a rule's description has behind its reason."""
OUTSIDE = "what is outside"


@dataclass(frozen=True)
class Node:
    """What shares its security groups, or one range outside of the VPC."""

    name: str
    """The security group's, or what is outside."""
    parties: tuple[Party, ...]
    members: tuple[Resource, ...] = ()
    """None where it is outside."""

    @property
    def subnets(self) -> list[str]:
        """References to all that it is in, each once."""
        return list(dict.fromkeys(subnet for party in self.parties for subnet in party.subnets))


@dataclass(frozen=True)
class Flow:
    """A way that is open, from a node to another."""

    source: str
    target: str
    ports: tuple[int, int]
    """First and last."""
    why: str
    is_encrypted: bool

    @property
    def port(self) -> str:
        """As people write it."""
        return told((self.ports,))


def told(ports: Ports) -> str:
    """Ranges of ports as people write them."""
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in ports)


@dataclass(frozen=True)
class Flows:
    """All nodes of a platform, by name, and the flows between them."""

    nodes: Mapping[str, Node]
    flows: tuple[Flow, ...]

    def outside(self) -> list[Node]:
        """What is not in the VPC and talks to what is, or the other way round."""
        named = {name for flow in self.flows for name in (flow.source, flow.target)}
        return [node for node in self.nodes.values() if not node.members and node.name in named]


def flows_of(platform: Platform) -> Flows:
    """Read the nodes and flows of a platform.

    Raises:
        PlatformError: a way is open, and no rule says why.
    """
    reachability = Reachability(platform)
    nodes = _nodes(platform, reachability)
    ways = reached(reachability, nodes)
    flows = [flow for flow in _named(platform, nodes) if _is_open(ways, flow)]
    named = _together(nodes, (((flow.source, flow.target), (flow.ports,)) for flow in flows))
    for (source, target), ports in _together(nodes, ways.items()).items():
        if named.get((source, target)) != ports:
            told_of = told(named.get((source, target), ())) or "nothing"
            raise PlatformError(f"{source} reaches {target} on {told(ports)}; rules name {told_of}")
    return Flows(nodes, tuple(dict.fromkeys(flows)))


def reached(reachability: Reachability, nodes: Mapping[str, Node]) -> dict[tuple[str, str], Ports]:
    """The ports that each node reaches of each, where there are any."""
    found: dict[tuple[str, str], Ports] = {}
    for source in nodes.values():
        for target in nodes.values():
            if ports := _ports(reachability, source, target):
                found[source.name, target.name] = ports
    return found


def _together(nodes: Mapping[str, Node], ways: Iterable[tuple[tuple[str, str], Ports]]) -> dict[tuple[str, str], Ports]:
    """All that is outside as one: a range of a rule is a part of the internet, which is reached then."""
    found: dict[tuple[str, str], set[tuple[int, int]]] = {}
    for (source, target), ports in ways:
        ends = (source if nodes[source].members else OUTSIDE, target if nodes[target].members else OUTSIDE)
        found.setdefault(ends, set()).update(ports)
    return {ends: merged(sorted(ports)) for ends, ports in found.items()}


def _ports(reachability: Reachability, source: Node, target: Node) -> Ports:
    pairs = product(_unlike(source), _unlike(target))
    return merged(sorted({each for pair in pairs for each in reachability.ports(*pair, any)}))


def _unlike(node: Node) -> list[Party]:
    """One of all parties that only have other names."""
    return list({replace(party, name=""): party for party in node.parties}.values())


def _is_open(ways: Mapping[tuple[str, str], Ports], flow: Flow) -> bool:
    first, last = flow.ports
    return any(start <= first and last <= end for start, end in ways.get((flow.source, flow.target), ()))


def _nodes(platform: Platform, reachability: Reachability) -> dict[str, Node]:
    resources = {resource.label: resource for resource in platform.resources}
    alike: dict[frozenset[str], list[Party]] = {}
    for party in reachability.parties.values():
        if party.groups:
            alike.setdefault(party.groups, []).append(party)
    nodes = {INTERNET.name: Node(INTERNET.name, (INTERNET,))}
    for groups, parties in alike.items():
        name = " and ".join(sorted(platform.followed(group).name.removeprefix("group-") for group in groups))
        nodes[name] = Node(name, tuple(parties), tuple(resources[party.name] for party in parties))
    ranges = {rule.body["cidr_ipv4"] for rule in _rules(platform) if rule.body.get("cidr_ipv4")}
    return nodes | {
        party.name: Node(party.name, (party,))
        for party in (S3, *map(outside, sorted(ranges)))
        if party.outside != INTERNET.outside or party == S3
    }


def _rules(platform: Platform) -> list[Resource]:
    return platform.of_type("aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule")


def _named(platform: Platform, nodes: Mapping[str, Node]) -> Iterator[Flow]:
    """The flows that rules name, from either end."""
    for rule in _rules(platform):
        for own in _with_group(nodes, rule.body["security_group_id"]):
            for other in _others(nodes, rule.body):
                is_ingress = rule.type.endswith("_ingress_rule")
                source, target = (other, own) if is_ingress else (own, other)
                ports = (0, LAST_PORT) if rule.body["ip_protocol"] in ALL else _range(rule.body)
                why = ENDS_OF_A_FLOW.sub("", rule.body.get("description", ""))
                yield Flow(source.name, target.name, ports, why, _is_encrypted(platform, target, ports))


def _range(rule: Body) -> tuple[int, int]:
    return rule["from_port"], rule["to_port"]


def _with_group(nodes: Mapping[str, Node], group: str | None) -> list[Node]:
    return [node for node in nodes.values() if any(group in party.groups for party in node.parties)]


def _others(nodes: Mapping[str, Node], rule: Body) -> list[Node]:
    if rule.get("prefix_list_id"):
        return [nodes[S3.name]]
    if cidr := rule.get("cidr_ipv4"):
        name = INTERNET.name if IPv4Network(cidr) == INTERNET.outside else cidr
        return [nodes[name]]
    return _with_group(nodes, rule.get("referenced_security_group_id"))


def _is_encrypted(platform: Platform, target: Node, ports: tuple[int, int]) -> bool:
    """Whether a target takes nothing on a port that is not encrypted. What is not the platform's is not known."""
    if target.name == S3.name:
        return ports == (HTTPS, HTTPS)
    return bool(target.members) and all(
        IN_VPC[member.type].refuses_plaintext(platform, member, ports[0]) for member in target.members
    )


def key_of(platform: Platform, member: Resource) -> str | None:
    """The name of the key that what is kept there is encrypted with; None where it keeps nothing."""
    keeper = platform.followed(member.body["file_system_id"]) if member.type == "aws_efs_mount_target" else member
    key = keeper.body.get("kms_key_id")
    return platform.followed(key).name if key else None
