"""Progress of the cdktf CLI, one line per tier: completed resources, and elapsed time."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from synthesized.platform import Stack

# The CLI prints control sequences even without a terminal. It prefixes the first of several lines of Terraform's output
# with the stack's name, and indents the others.
CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
LINE = re.compile(r"^(?P<stack>\S*)  +(?P<text>\S.*)$")
STARTED = re.compile(r": (?:Creating|Destroying)\.\.\.")
DONE = re.compile(r": (?:Creation|Destruction) complete after ")
ENDED = re.compile(r"^(?:Apply|Destroy) complete!")
# Seconds between two lines without a terminal. Terraform reports every ten.
INTERVAL = 9
ERROR = re.compile(r"^(?:│ )?Error: ")


@dataclass
class TierProgress:
    """Progress of one tier."""

    resources: int
    done: int = 0
    began: float | None = None
    ended: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds from the start of the first resource to the end, or until now."""
        if self.began is None:
            return 0.0
        return (self.ended or time.monotonic()) - self.began


class Progress:
    """Progress of an environment's tiers: on a terminal a live table, otherwise lines."""

    def __init__(self, console: Console, stacks: Mapping[str, Stack]) -> None:
        """Start with no completed resources. `stacks` are by tier."""
        self.tiers = {tier: TierProgress(count_resources(stack)) for tier, stack in stacks.items()}
        self.errors: list[str] = []
        """Terraform's error messages, with the tier."""
        self._console = console
        self._by_stack = {stack.name: tier for tier, stack in stacks.items()}
        self._current_stack = ""
        self._printed = time.monotonic()
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.update(self._table(), refresh=True)
            self._live.stop()

    @property
    def done(self) -> int:
        """Completed resources of all tiers."""
        return sum(tier.done for tier in self.tiers.values())

    def read_line(self, text: str) -> None:
        """Update the progress with a line of the CLI's output."""
        found = LINE.match(CONTROL_SEQUENCE.sub("", text))
        if not found or (found["stack"] and found["stack"] not in self._by_stack):
            return
        self._current_stack = found["stack"] or self._current_stack
        if not self._current_stack:
            return
        name = self._by_stack[self._current_stack]
        tier = self.tiers[name]
        if STARTED.search(found["text"]):
            tier.began = tier.began or time.monotonic()
        tier.done += bool(DONE.search(found["text"]))
        if ERROR.match(found["text"]):
            self.errors.append(f"{name}: {found['text']}")
        ended, now = ENDED.match(found["text"]), time.monotonic()
        if ended:
            tier.ended = now
        if self._live:
            self._live.update(self._table(), refresh=True)
        elif ended or now - self._printed >= INTERVAL:
            self._console.print(self._row(name))
            self._printed = now

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name in self.tiers:
            table.add_row(self._row(name))
        return table

    def _row(self, name: str) -> str:
        tier = self.tiers[name]
        return f"  {name:<14} {tier.done:>3} of {tier.resources:<3} {tier.seconds:>6.1f} s"


def count_resources(stack: Stack) -> int:
    """Number of resources of a stack. No stack uses `count` or `for_each`."""
    return sum(len(named) for named in stack.document.get("resource", {}).values())
