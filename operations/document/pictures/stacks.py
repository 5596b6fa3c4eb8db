"""The stacks of an environment and their dependencies, as a Mermaid flowchart and as a table."""

from collections.abc import Mapping

from operations.document import markdown
from synthesized.platform import Platform


def flowchart(platform: Platform) -> str:
    """A flowchart of tiers. Arrows point from a tier to its dependents, without transitive dependencies."""
    upstream = _upstream(platform)
    lines = ["```mermaid", "flowchart LR"]
    lines += [f"    {tier}" for tier in upstream]
    for tier, dependencies in upstream.items():
        implied = {other for each in dependencies for other in _all_upstream(upstream, each)}
        lines += [f"    {each} --> {tier}" for each in dependencies if each not in implied]
    return "\n".join([*lines, "```\n"])


def table(platform: Platform) -> str:
    """A table of tiers with the tiers whose outputs they read."""
    rows = ((tier, ", ".join(dependencies)) for tier, dependencies in _upstream(platform).items())
    return markdown.table(("tier", "depends on"), rows)


def _upstream(platform: Platform) -> dict[str, list[str]]:
    """The tiers that each tier reads from, in order of deployment."""
    tiers = {stack.name: tier for tier, stack in platform.stacks.items()}
    return {
        tier: [name for stack, name in tiers.items() if stack in platform.stacks[tier].depends_on]
        for tier in platform.stacks
    }


def _all_upstream(upstream: Mapping[str, list[str]], tier: str) -> set[str]:
    dependencies = set(upstream[tier])
    return dependencies.union(*(_all_upstream(upstream, each) for each in dependencies))
