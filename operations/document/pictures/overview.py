"""Picture of the platform by tier and zone, with its flows: zones are columns, subnets are bands, nodes are bars.

A flow runs from its source's bar through a lane on the right to its target's bar. Resources outside the zones are
listed below, by tier.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from operations.document.pictures.flows import Edge, Node, encryption_key, flow_graph
from operations.document.pictures.svg import LINES, SMALL, Canvas, truncate, wrap
from synthesized.catalogue.table import ALL_ROWS, IN_VPC
from synthesized.platform import Platform, Resource
from synthesized.reachability import GATEWAYS, INTERNET

WIDTH = 840
MARGIN, BAR, BAR_END, FRAME_END = 12, 28, 484, 500
CELLS = 200
"""Left edge of the zones' columns."""
TEXT, LANE, LANE_STEP = 512, 788, 14
SLOT, MIN_BAR, GAP = 24, 36, 6
"""Heights of an arrow's slot, of the smallest bar, and of the gap between bars."""
LINE = 13
"""Height of a line of text."""
COLUMNS = 6
"""Boxes per row."""
INDENT = 8
"""Indentation of continuation lines."""
EGRESS_LABELS = ("internet gateway", "NAT gateway", "no route out")


@dataclass
class Bar:
    """A node's bar, with its texts and the ends of its flows."""

    title: str
    subtitle: str = ""
    key: str | None = None
    cells: Mapping[str, list[str]] = field(default_factory=dict)
    """Lines by zone."""
    incoming: list[Edge] = field(default_factory=list)
    is_source: bool = False
    top: float = 0

    @property
    def height(self) -> float:
        """Height that fits its texts, flows and cells."""
        texts = 1 + bool(self.subtitle) + bool(self.key)
        lines = max(map(len, self.cells.values()), default=0)
        return max(MIN_BAR, texts * LINE + 10, self._slots * SLOT + 6, lines * LINE + 14)

    def slot(self, number: int) -> float:
        """Vertical position of an arrow; its text is above."""
        return self.top + (self.height - self._slots * SLOT) / 2 + number * SLOT + SLOT - 7

    @property
    def _slots(self) -> int:
        return len(self.incoming) + self.is_source


class Band(NamedTuple):
    """The subnets of one kind in all zones."""

    kind: str
    egress: str
    ranges: Mapping[str, str]
    bars: list[Bar]


def picture(platform: Platform) -> str:
    """The picture as SVG.

    Raises:
        PlatformError: a port is reachable without a rule that names it.
    """
    zones = platform.zones
    found = flow_graph(platform)
    bars = {node.name: _bar(platform, node, zones, found.edges) for node in found.nodes.values() if node.resources}
    outside = {node.name: _bar_outside(node, found.edges) for node in found.outside()}
    bands = _bands(platform, zones, found.nodes, bars)
    (vpc,) = platform.of_type("aws_vpc")
    region = _regions(platform)[0]
    title = f"{platform.environment} in {region}: tiers, zones and flows"

    canvas = Canvas(WIDTH)
    canvas.text(MARGIN, 24, title, size=15, bold=True)
    _legend(canvas)
    y: float = 40
    if INTERNET.name in outside:
        y = _draw_bar(canvas, outside[INTERNET.name], y, zones) + 4
    y = _draw_vpc(canvas, vpc, y, zones, bands) + 8
    for name, bar in outside.items():
        if name != INTERNET.name:
            y = _draw_bar(canvas, bar, y, zones)
    _draw_flows(canvas, outside | bars, found.edges)
    y = _draw_rest(canvas, platform, y + 12, shown={_tier_of(node) for node in found.nodes.values() if node.resources})
    return canvas.svg(y + MARGIN, title=title, description=_description(zones, found.edges))


def _description(zones: Sequence[str], flows: Sequence[Edge]) -> str:
    texts = (
        f"{flow.source} to {flow.target} on {flow.ports_text}, "
        f"{'' if flow.is_encrypted else 'not '}encrypted: {flow.reason}."
        for flow in flows
    )
    return f"Zones: {', '.join(zones)}. Flows: {' '.join(texts)}"


def _bands(platform: Platform, zones: Sequence[str], nodes: Mapping[str, Node], bars: Mapping[str, Bar]) -> list[Band]:
    ranges: dict[str, dict[str, str]] = {}
    rank: dict[str, int] = {}
    for subnet in platform.of_type("aws_subnet"):
        kind = _kind(subnet)
        ranges.setdefault(kind, {})[subnet.body["availability_zone"]] = subnet.body["cidr_block"]
        rank[kind] = _egress_rank(platform, subnet)
    there: dict[str, list[Bar]] = {kind: [] for kind in sorted(ranges, key=lambda kind: (rank[kind], kind))}
    for name, bar in sorted(bars.items(), key=lambda named: (not named[1].is_source, -len(named[1].incoming))):
        there[_kind(platform.resolve(nodes[name].subnets[0]))].append(bar)
    nats = platform.of_type("aws_nat_gateway")
    for kind in {_kind(platform.resolve(nat.body["subnet_id"])) for nat in nats}:
        there[kind].append(_bar_of_nats(platform, nats, zones, kind))
    return [Band(kind, EGRESS_LABELS[rank[kind]], ranges[kind], found) for kind, found in there.items()]


def _kind(subnet: Resource) -> str:
    """A subnet's name without its zone's letter."""
    return subnet.name.rpartition("-")[0]


def _egress_rank(platform: Platform, subnet: Resource) -> int:
    tables = {
        each.body["route_table_id"]
        for each in platform.of_type("aws_route_table_association")
        if platform.resolve(each.body["subnet_id"]) == subnet
    }
    routes = [each.body for each in platform.of_type("aws_route") if each.body["route_table_id"] in tables]
    if any(route.get("gateway_id") for route in routes):
        return 0
    return 1 if any(route.get("nat_gateway_id") for route in routes) else 2


def _tier_of(node: Node) -> str:
    return node.resources[0].tier


def _bar(platform: Platform, node: Node, zones: Sequence[str], flows: Sequence[Edge]) -> Bar:
    cells = {zone: _cell(platform, node, zone) for zone in zones}
    room = _cell_width(zones) - 10
    keys = {encryption_key(platform, member) for member in node.resources} - {None}
    return Bar(
        title=node.name.replace("-", " ").capitalize(),
        subtitle=f"{IN_VPC[node.resources[0].type].service}{_waf_suffix(platform, node)}, tier {_tier_of(node)}",
        key=", ".join(sorted(filter(None, keys))) or None,
        cells={zone: wrap(", ".join(items), SMALL, room) for zone, items in cells.items() if items},
        incoming=[flow for flow in flows if flow.target == node.name],
        is_source=any(flow.source == node.name for flow in flows),
    )


def _waf_suffix(platform: Platform, node: Node) -> str:
    guarded = [
        platform.resolve(each.body["resource_arn"]) for each in platform.of_type("aws_wafv2_web_acl_association")
    ]
    return " behind WAF" if all(member in guarded for member in node.resources) else ""


def _bar_outside(node: Node, flows: Sequence[Edge]) -> Bar:
    return Bar(
        title=node.name[0].upper() + node.name[1:],
        subtitle="by its gateway endpoint" if node.parties[0] in GATEWAYS.values() else "",
        incoming=[flow for flow in flows if flow.target == node.name],
        is_source=any(flow.source == node.name for flow in flows),
    )


def _bar_of_nats(platform: Platform, nats: Sequence[Resource], zones: Sequence[str], kind: str) -> Bar:
    there: dict[str, list[str]] = {}
    for nat in nats:
        subnet = platform.resolve(nat.body["subnet_id"])
        if _kind(subnet) == kind:
            there.setdefault(subnet.body["availability_zone"], []).append(nat.name)
    cells = {zone: there[zone] for zone in zones if zone in there}
    return Bar("NAT gateways", f"NAT, tier {nats[0].tier}", cells=cells)


def _cell(platform: Platform, node: Node, zone: str) -> list[str]:
    in_zone = [
        each
        for each, party in zip(node.resources, node.parties, strict=True)
        if zone in {platform.resolve(subnet).body["availability_zone"] for subnet in party.subnets}
    ]
    return [item for each in in_zone for item in IN_VPC[each.type].describe_in_zone(platform, each, zone)]


def _legend(canvas: Canvas) -> None:
    x, y = TEXT, 24
    canvas.padlock(x, y, "muted")
    canvas.text(x + 12, y, "TLS only, or key at rest", colour="muted")
    canvas.line([(x + 156, y - 4), (x + 184, y - 4)], "frame", dashed=True)
    canvas.text(x + 190, y, "plaintext possible", colour="muted")


def _cell_width(zones: Sequence[str]) -> float:
    return (BAR_END - CELLS) / len(zones)


def _columns(zones: Sequence[str]) -> Iterator[tuple[str, float]]:
    for number, zone in enumerate(zones):
        yield zone, CELLS + number * _cell_width(zones)


def _draw_vpc(canvas: Canvas, vpc: Resource, top: float, zones: Sequence[str], bands: Sequence[Band]) -> float:
    """Draw the VPC from `top` downwards; return its lower edge."""
    heights = [sum(bar.height + GAP for bar in band.bars) + 24 for band in bands]
    end = top + 24 + sum(heights) + 6 * len(bands)
    canvas.box(MARGIN, top, FRAME_END - MARGIN, end - top, "ground")
    canvas.text(MARGIN + 8, top + 16, f"VPC {vpc.body['cidr_block']}", bold=True)
    for zone, x in _columns(zones):
        canvas.text(x, top + 16, zone, bold=True)
    y = top + 24
    for band, height in zip(bands, heights, strict=True):
        canvas.box(MARGIN + 6, y, FRAME_END - MARGIN - 12, height, "band", framed=False)
        canvas.text(BAR, y + 14, f"{band.kind} subnets, {band.egress}", colour="muted")
        for zone, x in _columns(zones):
            canvas.text(x, y + 14, band.ranges.get(zone, ""), colour="muted")
        inner = y + 20
        for bar in band.bars:
            inner = _draw_bar(canvas, bar, inner, zones)
        y += height + 6
    return end


def _draw_bar(canvas: Canvas, bar: Bar, top: float, zones: Sequence[str]) -> float:
    """Draw a bar at `top`; return the top of the next one."""
    bar.top = top
    canvas.box(BAR, top, BAR_END - BAR, bar.height, "box")
    middle = top + bar.height / 2
    lines = 1 + bool(bar.subtitle) + bool(bar.key)
    y = middle - lines * LINE / 2 + 10
    canvas.text(BAR + 8, y, bar.title, size=12, bold=True)
    if bar.subtitle:
        y += LINE
        canvas.text(BAR + 8, y, bar.subtitle, colour="muted")
    if bar.key:
        y += LINE
        canvas.padlock(BAR + 8, y, "muted")
        canvas.text(BAR + 20, y, bar.key, colour="muted")
    for zone, x in _columns(zones):
        if lines_of_cell := bar.cells.get(zone):
            height = len(lines_of_cell) * LINE + 8
            canvas.box(x, middle - height / 2, _cell_width(zones) - 6, height, "cell", framed=False)
            for number, line in enumerate(lines_of_cell):
                canvas.text(x + 5, middle - height / 2 + 14 + number * LINE, line)
    return top + bar.height + GAP


def _draw_flows(canvas: Canvas, bars: Mapping[str, Bar], flows: Sequence[Edge]) -> None:
    begins = {name: bar.slot(len(bar.incoming)) for name, bar in bars.items() if bar.is_source}
    ends = {flow: bars[flow.target].slot(bars[flow.target].incoming.index(flow)) for flow in flows}
    reach = {
        source: (min(own, *into), max(own, *into))
        for source, own in begins.items()
        if (into := [ends[flow] for flow in flows if flow.source == source])
    }
    lanes = _lanes(reach)
    colours = {source: LINES[number % len(LINES)] for number, source in enumerate(begins)}
    # Outer lanes first: where lines cross, the inner lane is on top.
    for source in sorted(begins, key=lambda source: -lanes[source]):
        colour = colours[source]
        x = LANE + lanes[source] * LANE_STEP
        low, high = reach[source]
        canvas.line([(x, low), (x, high)], "ground", thickness=7)
        canvas.line([(x, low), (x, high)], colour)
        canvas.line([(BAR_END, begins[source]), (x, begins[source])], colour)
        canvas.dot(BAR_END, begins[source], colour)
        for flow in (flow for flow in flows if flow.source == source):
            _draw_end(canvas, flow, ends[flow], x, colour)


def _draw_end(canvas: Canvas, flow: Edge, y: float, lane: float, colour: str) -> None:
    canvas.line([(lane, y), (BAR_END + 8, y)], colour, dashed=not flow.is_encrypted)
    canvas.arrowhead(BAR_END, y, colour)
    x: float = TEXT
    if flow.is_encrypted:
        canvas.padlock(x, y - 4, colour)
    canvas.text(x + 12, y - 4, flow.ports_text, bold=True, colour=colour)
    x += 12 + 34
    canvas.text(x, y - 4, truncate(flow.reason, SMALL, LANE - 4 - x))


def _lanes(reach: Mapping[str, tuple[float, float]]) -> dict[str, int]:
    """A lane for each source: the innermost that is free over its extent, shortest extents first."""
    taken: list[list[tuple[float, float]]] = []
    lanes: dict[str, int] = {}
    for source, (low, high) in sorted(reach.items(), key=lambda named: named[1][1] - named[1][0]):
        number = 0
        while number < len(taken) and any(low <= end and start <= high for start, end in taken[number]):
            number += 1
        if number == len(taken):
            taken.append([])
        taken[number].append((low, high))
        lanes[source] = number
    return lanes


def _regions(platform: Platform) -> list[str]:
    """The environment's Region, and the second Region if there is one."""
    found = [provider["region"] for stack in platform.stacks.values() for provider in stack.providers]
    return list(dict.fromkeys(found))


def _region_of(platform: Platform, resource: Resource) -> str:
    if resource.type == "aws_efs_replication_configuration":
        return resource.body["destination"]["region"]
    alias = resource.body.get("provider", "").partition(".")[2]
    regions = {each.get("alias", ""): each["region"] for each in platform.stacks[resource.tier].providers}
    return regions[alias]


def _draw_rest(canvas: Canvas, platform: Platform, top: float, *, shown: set[str]) -> float:
    """Draw boxes for tiers without a bar and for other Regions; return their lower edge."""
    region, *others = _regions(platform)
    here = [each for each in platform.resources if _region_of(platform, each) == region]
    groups = {
        f"tier {tier}": [each for each in here if each.tier == tier] for tier in platform.stacks if tier not in shown
    }
    for other in others:
        groups[other] = [each for each in platform.resources if _region_of(platform, each) == other]
    canvas.text(MARGIN, top + 8, "In no zone" + (", and in other Regions" if others else ""), bold=True)
    top += 16
    columns = min(len(groups), COLUMNS)
    width = (WIDTH - 2 * MARGIN + GAP) / columns - GAP
    lines = {name: _lines(resources, width - 16) for name, resources in groups.items()}
    for first in range(0, len(groups), columns):
        row = list(lines.items())[first : first + columns]
        height = max(len(texts) for _, texts in row) * LINE + 30
        for number, (name, texts) in enumerate(row):
            x = MARGIN + number * (width + GAP)
            canvas.box(x, top, width, height, "box")
            canvas.text(x + 8, top + 17, name, bold=True)
            for place, (indent, line) in enumerate(texts):
                canvas.text(x + 8 + indent, top + 17 + (place + 1) * LINE + 2, line)
        top += height + GAP
    return top - GAP


def _lines(resources: Sequence[Resource], room: float) -> list[tuple[int, str]]:
    """Lines of a box, each with its indentation."""
    counts = Counter(each.type for each in resources)
    texts = [row.format_count(counts[type_]) for type_, row in ALL_ROWS.items() if row.noun and counts[type_]]
    texts = texts or [f"{len(resources)} resource{'s' if len(resources) > 1 else ''}"]
    wraps = (enumerate(wrap(each, SMALL, room - INDENT)) for each in texts)
    return [(INDENT if number else 0, line) for lines in wraps for number, line in lines]
