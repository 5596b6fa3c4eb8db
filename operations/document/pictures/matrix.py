"""Reachability as a matrix: the open ports of each pair of nodes, or what blocks the others."""

from collections.abc import Mapping, Sequence

from operations.document.pictures.flows import FlowGraph, Node, flow_graph, format_ports, reachable_ports
from operations.document.pictures.svg import SMALL, Canvas, width, wrap
from synthesized.platform import Platform
from synthesized.reachability import INTERNET, Ports, Reachability, merge_ranges

MARGIN, LEGEND, HEAD, NAMES, ROW = 12, 40, 40, 130, 30
"""Sizes of the margin, the title with legend, the column names, the row names, and a row."""
MIN_COLUMN, MIN_WIDTH = 66, 840

OpenPorts = Mapping[tuple[str, str], Ports]


def picture(platform: Platform) -> str:
    """The matrix as SVG: rows are sources, columns are targets.

    Raises:
        PlatformError: a port is reachable without a rule that names it.
    """
    found = flow_graph(platform)
    nodes = [found.nodes[name] for name in _sorted_names(found)]
    open_ports = {
        pair: ports
        for pair, ports in reachable_ports(Reachability(platform), found.nodes).items()
        if found.nodes[pair[1]].resources
    }
    # Outside the VPC, only the ports that a rule names count.
    for flow in found.edges:
        if not found.nodes[flow.target].resources:
            pair = (flow.source, flow.target)
            open_ports[pair] = merge_ranges(sorted({*open_ports.get(pair, ()), flow.ports}))
    without_groups = reachable_ports(Reachability(platform, with_security_groups=False), found.nodes)
    return _draw(platform.environment, nodes, open_ports, without_groups)


def _sorted_names(found: FlowGraph) -> list[str]:
    """Names of nodes: sources first, from the internet inwards, then other targets, then those outside the VPC."""
    sources = {flow.source for flow in found.edges}
    names = [INTERNET.name]
    for name in names:
        names += {
            flow.target: None for flow in found.edges if flow.source == name and flow.target in sources - {*names}
        }
    inside = [name for name, node in found.nodes.items() if node.resources]
    return list(dict.fromkeys([*names, *(name for name in inside if name in sources), *inside, *found.nodes]))


def _draw(environment: str, nodes: Sequence[Node], open_ports: OpenPorts, without_groups: OpenPorts) -> str:
    rows = [node for node in nodes if node.resources or node.name == INTERNET.name]
    words = [word for node in nodes for word in _label(node).split()]
    cells = [format_ports(ports) for ports in open_ports.values()]
    widest = max(*(width(word, SMALL) for word in words), *(width(cell, SMALL, bold=True) for cell in cells))
    left = MARGIN + NAMES
    column = max(MIN_COLUMN, widest * 1.1 + 8, (MIN_WIDTH - left - MARGIN) // len(nodes))
    canvas = Canvas(left + column * len(nodes) + MARGIN)
    title = f"{environment}: open TCP ports by source and target"
    canvas.text(MARGIN, 24, title, size=15, bold=True)
    _legend(canvas, LEGEND + 10)
    top = LEGEND + 20
    for number, node in enumerate(nodes):
        lines = wrap(_label(node), SMALL, column - 8)
        for place, line in enumerate(reversed(lines)):
            canvas.text(left + number * column + 4, top + HEAD - 8 - place * 13, line, bold=True)
    top += HEAD
    for number, source in enumerate(rows):
        y = top + number * ROW
        canvas.text(MARGIN, y + 19, _label(source), bold=True)
        for place, target in enumerate(nodes):
            if not source.resources and not target.resources:
                continue
            x, pair = left + place * column, (source.name, target.name)
            canvas.box(x, y, column - 3, ROW - 3, "cell" if pair in open_ports else "band", framed=False)
            if pair in open_ports:
                canvas.text(x + 6, y + 18, format_ports(open_ports[pair]), bold=True, colour="first")
            elif pair not in without_groups:
                _closed_twice(canvas, x + 6, y + 14)
    description = " ".join(
        f"{source} to {target}: {format_ports(ports)}." for (source, target), ports in open_ports.items()
    )
    return canvas.svg(top + len(rows) * ROW + MARGIN, title=title, description=f"{description} All others are closed.")


def _label(node: Node) -> str:
    return node.name.replace("-", " ")


def _legend(canvas: Canvas, y: float) -> None:
    x: float = MARGIN
    canvas.text(x, y, "443", bold=True, colour="first")
    canvas.text(x + 26, y, "open", colour="muted")
    canvas.box(x + 70, y - 10, 18, 12, "band", framed=False)
    canvas.text(x + 94, y, "closed by security groups", colour="muted")
    _closed_twice(canvas, x + 240, y - 4)
    canvas.text(x + 256, y, "closed by routes or network ACLs as well", colour="muted")


def _closed_twice(canvas: Canvas, x: float, y: float) -> None:
    for offset in (-2, 2):
        canvas.line([(x, y + offset), (x + 10, y + offset)], "muted")
