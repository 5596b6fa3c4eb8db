"""What a check came to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """How it stands with a deployment, the best first."""

    OK = "ok"
    UNKNOWN = "unknown"
    """AWS did not tell."""
    WARNING = "warning"
    """It can be deployed, and somebody should look at it soon."""
    STOP = "stop"
    """A deployment would fail."""


@dataclass(frozen=True)
class CheckResult:
    """A row of the table."""

    what: str
    status: Status
    detail: str
    """As it is."""
    remedy: str = ""
    figures: Mapping[str, object] = field(default_factory=dict)
    """The same as numbers, for machines, where there are any."""
