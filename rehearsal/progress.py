"""A line a tier while the cdktf CLI runs: resources done of all, and the time that they took."""

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

# The CLI draws on the terminal even where there is none. It puts the stack's name before the first of some lines of
# Terraform's; the others are indented.
CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
LINE = re.compile(r"^(?P<stack>\S*)  +(?P<text>\S.*)$")
STARTED = re.compile(r": (?:Creating|Destroying)\.\.\.")
DONE = re.compile(r": (?:Creation|Destruction) complete after ")
ENDED = re.compile(r"^(?:Apply|Destroy) complete!")
ERROR = re.compile(r"^(?:│ )?Error: ")


@dataclass
class TierProgress:
    """How far one tier is."""

    resources: int
    done: int = 0
    began: float | None = None
    ended: float | None = None

    @property
    def seconds(self) -> float:
        """Since its first resource was begun, to its end."""
        if self.began is None:
            return 0.0
        return (self.ended or time.monotonic()) - self.began


class Progress:
    """Of an environment's tiers: live on a terminal, else a line when a tier is through."""

    def __init__(self, console: Console, stacks: Mapping[str, Stack]) -> None:
        """Begin with nothing done; `stacks` are by tier."""
        self.tiers = {tier: TierProgress(count_resources(stack)) for tier, stack in stacks.items()}
        self.errors: list[str] = []
        """What Terraform says was wrong."""
        self._console = console
        self._by_stack = {stack.name: tier for tier, stack in stacks.items()}
        self._said_by = ""
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
        """Resources of all tiers."""
        return sum(tier.done for tier in self.tiers.values())

    def read_line(self, text: str) -> None:
        """Take notice of a line of the CLI's."""
        found = LINE.match(CONTROL_SEQUENCE.sub("", text))
        if not found or (found["stack"] and found["stack"] not in self._by_stack):
            return
        self._said_by = found["stack"] or self._said_by
        if not self._said_by:
            return
        name = self._by_stack[self._said_by]
        tier = self.tiers[name]
        if STARTED.search(found["text"]):
            tier.began = tier.began or time.monotonic()
        tier.done += bool(DONE.search(found["text"]))
        if ERROR.match(found["text"]):
            self.errors.append(f"{name}: {found['text']}")
        if ENDED.match(found["text"]):
            tier.ended = time.monotonic()
            if not self._live:
                self._console.print(self._row(name))
        if self._live:
            self._live.update(self._table(), refresh=True)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name in self.tiers:
            table.add_row(self._row(name))
        return table

    def _row(self, name: str) -> str:
        tier = self.tiers[name]
        return f"  {name:<14} {tier.done:>3} of {tier.resources:<3} {tier.seconds:>6.1f} s"


def count_resources(stack: Stack) -> int:
    """How many resources a stack holds; no tier makes several of one block."""
    return sum(len(named) for named in stack.document.get("resource", {}).values())
