"""What a command shows in a terminal: tables, and how far it is."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def run_in_parallel(what: str, makes: Sequence[Callable[[], T]], at_once: int) -> list[T]:
    """What each of some calls returns, in their order.

    Args:
        what: is done, as it is shown.
        makes: the calls. What one raises is raised when all have ended.
        at_once: how many are made at a time.
    """
    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(make) for make in makes]
        list(track(as_completed(futures), what, len(futures), console=_progress_console(), transient=True))
        return [future.result() for future in futures]


def _progress_console() -> Console:
    """Never among what a command prints, and nowhere without a terminal."""
    console = Console(stderr=True)
    return console if console.is_terminal else Console(stderr=True, quiet=True)


def console() -> Console:
    """Where a command shows its tables: as wide as they are, where no terminal sets a limit."""
    console = Console(highlight=False, emoji=False)  # `:secret:` is a part of ARNs
    return console if console.is_terminal else Console(highlight=False, emoji=False, width=200)
