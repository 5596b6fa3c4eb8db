"""Traffic that a change allows, from security groups and network ACLs, rule by rule."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from operations.review.differences import Side
from synthesized.catalogue.row import Traffic
from synthesized.catalogue.table import row_of

INTERNET_RANGES = {"0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "::/0", "::/1", "8000::/1", "2000::/3"}
"""The internet, and its halves: two rules for half of it each are a rule for all of it."""
ANY = "-1"
PORTS = (0, 65535)

PEERS = (
    "cidr_ipv4",
    "cidr_ipv6",
    "cidr_block",
    "ipv6_cidr_block",
    "cidr_blocks",
    "ipv6_cidr_blocks",
    "prefix_list_id",
    "prefix_list_ids",
    "referenced_security_group_id",
    "security_groups",
    "source_security_group_id",
)
"""Arguments with the source or destination of a rule."""


@dataclass(frozen=True)
class Opening:
    """Traffic that a rule allows."""

    direction: str
    """`in` or `out`."""
    protocol: str
    first: int
    last: int
    peer: str
    group: str = ""
    """The security group of a standalone rule, if it is known."""

    @property
    def is_internet(self) -> bool:
        """Whether the peer is the entire internet."""
        return self.peer in INTERNET_RANGES

    @property
    def text(self) -> str:
        """The traffic in one line."""
        ports = f"port {self.first}" if self.first == self.last else f"ports {self.first} to {self.last}"
        what = "all traffic" if self.protocol == ANY else f"{self.protocol} {ports}"
        return f"{what} {'from' if self.direction == 'in' else 'to'} {self.peer}"

    def covers(self, other: "Opening") -> bool:
        """Whether it allows all of another's traffic."""
        return (
            self.direction == other.direction
            and (not self.group or not other.group or self.group == other.group)
            and self.protocol in {ANY, other.protocol}
            and (self.protocol == ANY or self.first <= other.first <= other.last <= self.last)
            and _is_within(other.peer, self.peer)
        )


def new_openings(type_: str, before: Side, after: Side) -> list[Opening]:
    """Traffic that a change newly allows."""
    was = list(openings(type_, before))
    return [opening for opening in openings(type_, after) if not any(old.covers(opening) for old in was)]


def removed_denials(type_: str, before: Side, after: Side) -> list[str]:
    """Denials of a network ACL that a change removes."""
    left = list(_denials(type_, after))
    return [denial for denial in _denials(type_, before) if denial not in left]


def openings(type_: str, side: Side) -> Iterator[Opening]:
    """Traffic that one side of a change allows."""
    for direction, rule in _rules(type_, side):
        if _text(rule, "action", "rule_action") != "deny":
            yield from _openings(direction, rule)


def _rules(type_: str, side: Side) -> Iterator[tuple[str, Side]]:
    if side.value is None:
        return
    match row_of(type_).traffic:
        case Traffic.INGRESS_RULE:
            yield "in", side
        case Traffic.EGRESS_RULE:
            yield "out", side
        case Traffic.RULE_WITH_TYPE:
            yield "in" if side.at("type").value == "ingress" else "out", side
        case Traffic.RULE_WITH_EGRESS:
            yield "out" if side.at("egress").value else "in", side
        case Traffic.SECURITY_GROUP | Traffic.NETWORK_ACL:
            for argument, direction in (("ingress", "in"), ("egress", "out")):
                block = side.at(argument)
                for key in block.keys:
                    yield direction, block.at(key)
        case None:
            pass


def _denials(type_: str, side: Side) -> Iterator[str]:
    for direction, rule in _rules(type_, side):
        if _text(rule, "action", "rule_action") == "deny":
            for opening in _openings(direction, rule):
                yield opening.text


def _openings(direction: str, rule: Side) -> Iterator[Opening]:
    protocol = _text(rule, "ip_protocol", "protocol") or ANY
    protocol = {"all": ANY, "6": "tcp", "17": "udp"}.get(protocol.lower(), protocol.lower())
    first, last = (_port(rule.at(name), default) for name, default in zip(("from_port", "to_port"), PORTS, strict=True))
    group = rule.at("security_group_id")
    owner = group.value if isinstance(group.value, str) and not group.is_unknown else ""
    for peer in _peers(rule):
        yield Opening(direction, protocol, *((first, last) if protocol != ANY else PORTS), peer, owner)


def _peers(rule: Side) -> Iterator[str]:
    for name in PEERS:
        peer = rule.at(name)
        if peer.is_sensitive or (peer.is_unknown and not isinstance(peer.value, list)):
            yield peer.text
        elif isinstance(peer.value, list):
            yield from (peer.at(key).text for key in peer.keys)
        elif peer.value:
            yield peer.text
    if rule.at("self").value is True:
        yield "the security group itself"


def _port(side: Side, default: int) -> int:
    value: Any = side.value
    is_port = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if is_port and not side.is_sensitive else default


def _text(rule: Side, *names: str) -> str:
    """The first of some arguments that is set and not sensitive."""
    sides = (rule.at(name) for name in names)
    return next((str(side.value) for side in sides if side.value is not None and not side.is_sensitive), "")


def _is_within(peer: str, other: str) -> bool:
    if peer == other:
        # An unknown or sensitive peer can be anything.
        return not peer.startswith("(")
    try:
        narrow, wide = ip_network(peer, strict=False), ip_network(other, strict=False)
    except ValueError:
        return False
    return narrow.version == wide.version and narrow.subnet_of(wide)  # pyright: ignore[reportArgumentType] - both have the same version
