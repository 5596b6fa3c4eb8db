"""Terminal output of commands: tables and progress."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def run_in_parallel(title: str, calls: Sequence[Callable[[], T]], workers: int) -> list[T]:
    """Run calls in threads; their results, in order.

    Args:
        title: title of the progress bar.
        calls: the calls. An exception is raised once all have finished.
        workers: maximum number of concurrent calls.
    """
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(call) for call in calls]
        list(track(as_completed(futures), title, len(futures), console=_progress_console(), transient=True))
        return [future.result() for future in futures]


def _progress_console() -> Console:
    """Progress goes to stderr, and nowhere without a terminal."""
    console = Console(stderr=True)
    return console if console.is_terminal else Console(stderr=True, quiet=True)


def console() -> Console:
    """The console for tables: 200 columns wide without a terminal."""
    console = Console(highlight=False, emoji=False)  # `:secret:` in an ARN is not an emoji
    return console if console.is_terminal else Console(highlight=False, emoji=False, width=200)
