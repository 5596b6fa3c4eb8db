"""Who reaches whom, as a matrix in Markdown: which ports are open, and what holds back where none are."""

from operations import markdown
from operations.pictures.flows import Node, flows_of, reached, told
from operations.platform import Platform
from operations.reachability import INTERNET, Reachability

CLOSED_TWICE = "–"  # noqa: RUF001 - a dash as people write it
"""Where routes or network ACLs let nothing through, even if every security group were open."""


def matrix(platform: Platform) -> str:
    """A row for whatever may open a connection, a column for whatever may take one.

    Raises:
        PlatformError: a way is open, and no rule says why.
    """
    found = flows_of(platform)
    sources = {flow.source for flow in found.flows}

    def place(node: Node) -> tuple[bool, bool, bool]:
        return node.name != INTERNET.name, not node.members, node.name not in sources

    nodes = sorted(found.nodes.values(), key=place)
    ways = reached(Reachability(platform), found.nodes)
    without_groups = reached(Reachability(platform, with_groups=False), found.nodes)

    def cell(source: Node, target: Node) -> str:
        way = (source.name, target.name)
        if way in ways:
            return f"**{told(ways[way])}**"
        return "" if way in without_groups else CLOSED_TWICE

    rows = (
        (node.name, *(cell(node, target) for target in nodes))
        for node in nodes
        if node.members or node.name == INTERNET.name
    )
    return markdown.table(("from, to", *(node.name for node in nodes)), rows)
