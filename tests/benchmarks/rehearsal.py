"""What a rehearsal's deployment costs, beside the waits that the AWS provider makes whatever answers it.

The local AWS answers at once, so what a type of resource takes at least, in whole five seconds and from ten on, is the
provider's own: it waits before it looks again. The critical path is the longest chain of such waits along the
references within each tier, and along the tiers.
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
STEP, LEAST = 5, 10
"""Seconds."""


@dataclass(frozen=True)
class Chain:
    """A chain of waits."""

    seconds: int = 0
    through: tuple[str, ...] = ()
    """Types, of those that wait."""


def waits(log: str) -> dict[str, int]:
    """Seconds that a resource of a type takes at least, where those are any."""
    taken: dict[str, int] = {}
    for type_, minutes, seconds in CREATED.findall(CONTROL_SEQUENCE.sub("", log)):
        now = 60 * int(minutes or 0) + int(seconds)
        taken[type_] = min(now, taken.get(type_, now))
    return {type_: seconds - seconds % STEP for type_, seconds in taken.items() if seconds >= LEAST}


def chains(platform: Platform, waits: Mapping[str, int]) -> dict[str, Chain]:
    """The longest chain of waits within each tier."""
    known = {resource.address: resource for resource in (*platform.resources, *platform.data)}

    @cache
    def to(address: str) -> Chain:
        resource = known[address]
        found = set(ADDRESS.findall(json.dumps(resource.body))) & known.keys()
        before = [to(each) for each in found if known[each].tier == resource.tier and each != address]
        longest = max(before, key=lambda path: path.seconds, default=Chain())
        wait = waits.get(resource.type, 0)
        return Chain(longest.seconds + wait, (*longest.through, resource.type) if wait else longest.through)

    return {
        tier: max(
            (to(address) for address, resource in known.items() if resource.tier == tier),
            key=lambda path: path.seconds,
            default=Chain(),
        )
        for tier in platform.stacks
    }


def along_tiers(platform: Platform, within: Mapping[str, Chain]) -> tuple[int, tuple[str, ...]]:
    """The longest chain of tiers that wait for one another: seconds, and which."""
    ends: dict[str, tuple[int, tuple[str, ...]]] = {}
    for tier, stack in platform.stacks.items():
        above = [ends[name.removeprefix(f"{platform.environment}-")] for name in stack.depends_on]
        seconds, through = max(above, default=(0, ()))
        ends[tier] = seconds + within[tier].seconds, (*through, tier)
    return max(ends.values())


def measure(environment: str = "prod", folder: Path | None = None) -> str:
    """As Markdown, from the last rehearsal of an environment.

    Raises:
        SystemExit: there was none.
    """
    folder = folder or FOLDER / environment
    try:
        seconds: dict[str, float] = json.loads((folder / "report.json").read_text(encoding="utf-8"))["seconds"]
        log = (folder / "deploy.log").read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"no rehearsal of {environment} was seen to its end; run make rehearse ENV={environment} ({error!r})")
    platform = Platform.read(folder / "cdktf.out", environment)
    fixed = waits(log)
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
    head = ("", "took", "fixed waits on its critical path", "took, of those", "which")
    return (
        f"{markdown.table(head, rows)}\nThe deployment's critical path: "
        f"{', '.join(tier for tier in through if within[tier].seconds)}.\n"
    )


if __name__ == "__main__":
    print(measure(sys.argv[1] if sys.argv[1:] else "prod"))
