"""The cdktf CLI's output, as progress by tier."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from rehearsal import progress as module
from rehearsal.progress import Progress, count_resources
from synthesized.platform import Stack

# The CLI overwrites its progress lines.
DRAWN = "\x1b[2K\x1b[1A\x1b[2K\x1b[G"


class Clock:
    """A clock that a test advances."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def stack(tier: str, **resources: Any) -> Stack:
    return Stack(f"dev-{tier}", tier, Path(), {"resource": resources}, ())


STACKS = {
    "network": stack("network", aws_vpc={"vpc": {}}, aws_subnet={"a": {}, "b": {}}),
    "cache": stack("cache", aws_elasticache_user={"user": {}}),
}


def watched(*lines: str, terminal: bool = False) -> tuple[Progress, str]:
    """The progress, and what is printed, after some lines of the CLI."""
    out = StringIO()
    with Progress(Console(file=out, force_terminal=terminal, width=80), STACKS) as progress:
        for line in lines:
            progress.read_line(line)
    return progress, out.getvalue()


def test_resources_of_a_stack_are_counted():
    assert [count_resources(stack) for stack in [*STACKS.values(), Stack("a", "a", Path(), {}, ())]] == [3, 1, 0]


def test_created_and_destroyed_resources_are_counted_by_tier():
    progress, _ = watched(
        f"{DRAWN}dev-network  aws_vpc.vpc (vpc): Creating...",
        "             aws_vpc.vpc (vpc): Creation complete after 1s [id=vpc-1]",
        "             aws_vpc.vpc (vpc): Still creating... [10s elapsed]",
        "             data.aws_region.here (here): Read complete after 0s",
        "dev-cache  aws_elasticache_user.user (user): Destruction complete after 0s",
    )
    assert {tier: known.done for tier, known in progress.tiers.items()} == {"network": 1, "cache": 1}
    assert progress.done == 2


def test_line_without_a_name_belongs_to_the_previous_stack():
    progress, _ = watched(
        "dev-network  aws_vpc.vpc: Creation complete after 1s",
        "dev-cache  aws_elasticache_user.user: Creation complete after 1s",
        "             aws_elasticache_user.user: Creation complete after 1s",
    )
    assert progress.tiers["cache"].done == 2


@pytest.mark.parametrize(
    "line",
    [
        "",
        "⠹  Synthesizing",
        "1 Stack deploying     0 Stacks done     7 Stacks waiting",
        "      before any stack: Creating...",
    ],
)
def test_other_lines_are_ignored(line: str):
    progress, shown = watched(line)
    assert (progress.done, progress.errors, shown) == (0, [], "")


def test_duration_of_a_tier_is_from_its_first_resource_to_its_end(clock: Clock):
    with Progress(Console(file=StringIO()), STACKS) as progress:
        assert progress.tiers["network"].seconds == 0
        progress.read_line("dev-network  aws_vpc.vpc: Creating...")
        clock.now += 5
        assert progress.tiers["network"].seconds == 5
        progress.read_line("dev-network  aws_subnet.a: Creating...")
        progress.read_line("dev-network  Apply complete! Resources: 3 added, 0 changed, 0 destroyed.")
        clock.now += 5
        assert progress.tiers["network"].seconds == 5


def test_without_a_terminal_a_tier_that_takes_long_is_printed_every_ten_seconds(clock: Clock):
    out = StringIO()
    with Progress(Console(file=out), STACKS) as progress:
        progress.read_line("dev-network  aws_vpc.vpc: Creating...")
        for seconds in (5, 5, 5):
            clock.now += seconds
            progress.read_line("dev-network  aws_vpc.vpc: Still creating... [00m10s elapsed]")
    assert out.getvalue() == "  network          0 of 3     10.0 s\n"


@pytest.mark.parametrize("ended", ["Apply complete! Resources: 1 added", "Destroy complete! Resources: 1 destroyed."])
def test_without_a_terminal_finished_tiers_are_printed(ended: str):
    _, shown = watched(
        "dev-network  aws_vpc.vpc: Creating...",
        "dev-cache  aws_elasticache_user.user: Creation complete after 1s",
        f"dev-cache  {ended}",
    )
    assert shown.split() == ["cache", "1", "of", "1", "0.0", "s"]


def test_terminal_shows_every_tier():
    _, shown = watched(
        "dev-network  aws_vpc.vpc: Creation complete after 1s", "dev-network  Apply complete!", terminal=True
    )
    last = shown.rpartition("network")[2]
    assert last.split()[:4] == ["1", "of", "3", "0.0"]
    assert "cache" in last


@pytest.mark.parametrize("mark", ["", "│ "])
def test_terraform_errors_are_recorded_with_the_tier(mark: str):
    progress, _ = watched(f"dev-cache  {mark}Error: creating ElastiCache User: InvalidAction")
    assert progress.errors == [f"cache: {mark}Error: creating ElastiCache User: InvalidAction"]
