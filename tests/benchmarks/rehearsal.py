"""Duration of a rehearsal's deployment, relative to the fixed waits of the AWS provider.

The local AWS responds immediately, so the minimum duration of a resource type, if it is ten seconds or more, is the
provider's polling delay, in steps of five seconds. The critical path is the longest chain of these delays along the
references within tiers, and along the tiers.
"""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from operations.document import markdown
from rehearsal.progress import CONTROL_SEQUENCE
from stacks import ROOT
from synthesized.platform import Platform

FOLDER = ROOT / ".cache" / "rehearsal"
CREATED = re.compile(r"\b(aws_\w+)\.[\w-]+ .*: Creation complete after (?:(\d+)m)?(\d+)s")
ADDRESS = re.compile(r"\b((?:data\.)?aws_\w+\.[\w-]+)")
STEP, MINIMUM = 5, 10
"""Seconds."""


@dataclass(frozen=True)
class Chain:
    """A chain of delays."""

    seconds: int = 0
    through: tuple[str, ...] = ()
    """Resource types in the chain that have a delay."""


def fixed_delays(log: str) -> dict[str, int]:
    """Delay of each resource type in seconds, for types that have one."""
    minimums: dict[str, int] = {}
    for type_, minutes, seconds in CREATED.findall(CONTROL_SEQUENCE.sub("", log)):
        duration = 60 * int(minutes or 0) + int(seconds)
        minimums[type_] = min(duration, minimums.get(type_, duration))
    return {type_: seconds - seconds % STEP for type_, seconds in minimums.items() if seconds >= MINIMUM}


def chains(platform: Platform, delays: Mapping[str, int]) -> dict[str, Chain]:
    """The longest chain of delays within each tier."""
    known = {resource.address: resource for resource in (*platform.resources, *platform.data)}

    @cache
    def to(address: str) -> Chain:
        resource = known[address]
        references = set(ADDRESS.findall(json.dumps(resource.body))) & known.keys()
        before = [to(each) for each in references if known[each].tier == resource.tier and each != address]
        longest = max(before, key=lambda path: path.seconds, default=Chain())
        delay = delays.get(resource.type, 0)
        return Chain(longest.seconds + delay, (*longest.through, resource.type) if delay else longest.through)

    return {
        tier: max(
            (to(address) for address, resource in known.items() if resource.tier == tier),
            key=lambda path: path.seconds,
            default=Chain(),
        )
        for tier in platform.stacks
    }


def along_tiers(platform: Platform, within: Mapping[str, Chain]) -> tuple[int, tuple[str, ...]]:
    """The longest chain of tiers that depend on one another: seconds, and the tiers."""
    ends: dict[str, tuple[int, tuple[str, ...]]] = {}
    for tier, stack in platform.stacks.items():
        above = [ends[name.removeprefix(f"{platform.environment}-")] for name in stack.depends_on]
        seconds, through = max(above, default=(0, ()))
        ends[tier] = seconds + within[tier].seconds, (*through, tier)
    return max(ends.values())


def measure(environment: str = "prod", folder: Path | None = None) -> str:
    """Results as a Markdown table, from the last rehearsal of an environment.

    Raises:
        SystemExit: there is no finished rehearsal.
    """
    folder = folder or FOLDER / environment
    try:
        seconds: dict[str, float] = json.loads((folder / "report.json").read_text(encoding="utf-8"))["seconds"]
        log = (folder / "deploy.log").read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"there is no finished rehearsal of {environment}; run make rehearse ENV={environment} ({error!r})")
    platform = Platform.read(folder / "cdktf.out", environment)
    fixed = fixed_delays(log)
    within = chains(platform, fixed)
    critical, through = along_tiers(platform, within)
    rows = [
        (
            tier,
            f"{seconds[tier]:.0f} s",
            f"{path.seconds} s",
            f"{seconds[tier] / path.seconds:.2f}x" if path.seconds else "",
            ", ".join(f"`{type_}` {fixed[type_]} s" for type_ in path.through),
        )
        for tier, path in within.items()
        if tier in seconds
    ]
    rows.append(("deploy", f"{seconds['deploy']:.0f} s", f"{critical} s", f"{seconds['deploy'] / critical:.2f}x", ""))
    head = ("", "took", "fixed delays on its critical path", "relative", "delays")
    return (
        f"{markdown.table(head, rows)}\nThe deployment's critical path: "
        f"{', '.join(tier for tier in through if within[tier].seconds)}.\n"
    )


if __name__ == "__main__":
    print(measure(sys.argv[1] if sys.argv[1:] else "prod"))
