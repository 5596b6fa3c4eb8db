"""The stacks of an environment and what they stand on, as a Mermaid flowchart and as a table."""

from collections.abc import Mapping

from operations.document import markdown
from synthesized.platform import Platform


def flowchart(platform: Platform) -> str:
    """An arrow leads from a tier to one that stands on it, unless it stands on that by way of another, too."""
    upstream = _upstream(platform)
    lines = ["```mermaid", "flowchart LR"]
    lines += [f"    {tier}" for tier in upstream]
    for tier, below in upstream.items():
        implied = {other for each in below for other in _all_upstream(upstream, each)}
        lines += [f"    {each} --> {tier}" for each in below if each not in implied]
    return "\n".join([*lines, "```\n"])


def table(platform: Platform) -> str:
    """Each tier, and all the tiers whose outputs it reads."""
    rows = ((tier, ", ".join(below)) for tier, below in _upstream(platform).items())
    return markdown.table(("tier", "stands on"), rows)


def _upstream(platform: Platform) -> dict[str, list[str]]:
    """By tier, the tiers that it reads from, in the order in which they are deployed."""
    tiers = {stack.name: tier for tier, stack in platform.stacks.items()}
    return {
        tier: [name for stack, name in tiers.items() if stack in platform.stacks[tier].depends_on]
        for tier in platform.stacks
    }


def _all_upstream(upstream: Mapping[str, list[str]], tier: str) -> set[str]:
    below = set(upstream[tier])
    return below.union(*(_all_upstream(upstream, each) for each in below))
