"""The run that the extensions serve: what they need of it, and what it must end for them."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from local_aws.authority import Authority


@dataclass
class Run:
    """One at a time in a process, as moto's state is the process's."""

    folder: Path
    environment: Mapping[str, str]
    """What a client needs to ask this local AWS."""
    authority: Authority = field(default_factory=Authority)
    """Issues the databases' certificates."""
    closing: ExitStack = field(default_factory=ExitStack)
    """What is to be ended with the run, the latest first."""


class _Current:
    run: Run | None = None


def begin(run: Run) -> None:
    """From now on this is the run."""
    _Current.run = run


def current() -> Run:
    """The run under way.

    Raises:
        RuntimeError: there is none.
    """
    if _Current.run is None:
        raise RuntimeError("There is no local AWS in this process")
    return _Current.run
