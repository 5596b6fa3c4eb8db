"""The result of a preflight check."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """Effect on a deployment, best first."""

    OK = "ok"
    UNKNOWN = "unknown"
    """The check failed, for example because a permission is missing."""
    WARNING = "warning"
    """The deployment succeeds, but action is needed soon."""
    STOP = "stop"
    """A deployment would fail."""


@dataclass(frozen=True)
class CheckResult:
    """A row of the table."""

    name: str
    status: Status
    detail: str
    """The current state."""
    remedy: str = ""
    figures: Mapping[str, object] = field(default_factory=dict)
    """The numbers behind a quota, for `--json`."""
