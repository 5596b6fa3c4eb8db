"""Problems in a scan: failed checks that no waiver covers, and waivers that are not needed.

A waiver in `waivers.toml` applies to named resources and has a reason and an expiry date.
"""

import fnmatch
import tomllib
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from operations.scan.checkov import FailedCheck, Kind, Scan, ScanError
from stacks import ROOT

WAIVERS = Path(__file__).with_name("waivers.toml")
OWN_WAIVERS = ROOT / "stacks" / "own" / "waivers.toml"
"""For the user's own tiers; it need not exist."""
MAX_TERM = timedelta(days=400)
"""Longest term of a waiver: a yearly review, with a month to spare."""

ResourcePattern = Annotated[str, Field(pattern=r"^(data\.)?aws_\w+\.[\w*-]+$")]
"""Address of one or more resources of a type; `*` matches any part of the name."""


class Waiver(BaseModel):
    """A rule that may fail for some resources until a date."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str = Field(pattern=r"CKV2?_AWS_\d+")
    resources: tuple[ResourcePattern, ...] = Field(min_length=1)
    reason: str = Field(min_length=20)
    expires: date
    scans: tuple[Kind, ...] = Field(default=("stacks", "plan"), min_length=1)
    """The scans in which the rule fails: only stacks have policy documents, only plans have the resulting policies."""
    outside_production: bool = False
    """Whether it applies only to other environments. It may be unused there."""

    def matches(self, resource: str) -> bool:
        """Whether it applies to a resource."""
        return any(fnmatch.fnmatchcase(resource, pattern) for pattern in self.resources)

    def covers(self, scan: Scan, finding: FailedCheck) -> bool:
        """Whether it covers a failed check, even if it has expired."""
        return (
            finding.check == self.check
            and self.matches(finding.resource)
            and scan.kind in self.scans
            and not (self.outside_production and scan.production)
        )


class Waivers(BaseModel):
    """Content of `waivers.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    waiver: tuple[Waiver, ...] = ()


def waivers() -> tuple[Waiver, ...]:
    """Waivers of the project and of the user's own tiers.

    Raises:
        ScanError: a file is invalid.
    """
    return (*read_waivers(WAIVERS), *(read_waivers(OWN_WAIVERS) if OWN_WAIVERS.is_file() else ()))


def read_waivers(file: Path) -> tuple[Waiver, ...]:
    """Read a file of waivers.

    Raises:
        ScanError: the file is invalid.
    """
    try:
        return Waivers.model_validate(tomllib.loads(file.read_text(encoding="utf-8"))).waiver
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise ScanError(f"{file}: {problems}") from error
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ScanError(f"{file}: {error}") from error


def find_problems(
    scans: Sequence[Scan], waived: Sequence[Waiver], today: date, *, all_environments: bool = False
) -> list[str]:
    """Problems, one line each: failed checks without a valid waiver, waivers that are not needed, empty scans.

    Args:
        all_environments: whether the scans cover all environments, so that every waiver must be needed.
    """
    return [
        *_empty_scans(scans),
        *_unwaived(scans, waived, today),
        *_too_long(waived, today),
        *_unneeded(scans, waived, of_all=all_environments),
    ]


def _empty_scans(scans: Sequence[Scan]) -> Iterable[str]:
    for scan in scans:
        if not scan.passed:
            yield f"{scan.kind}: no check passed: nothing was scanned"
        if scan.unparsed_files:
            yield f"{scan.kind}: {scan.unparsed_files} files could not be parsed"
        for tier in scan.unscanned_tiers:
            yield f"{scan.kind}: nothing in {tier} was scanned"


def _unwaived(scans: Sequence[Scan], waived: Sequence[Waiver], today: date) -> Iterable[str]:
    for scan in scans:
        for finding in sorted(scan.findings):
            covering = [waiver for waiver in waived if waiver.covers(scan, finding)]
            about = ": ".join(filter(None, (finding.resource, finding.arguments, finding.check, finding.title)))
            where = f"{about} ({scan.kind})"
            if not covering:
                yield f"{where}. Fix or waive it"
            elif all(waiver.expires < today for waiver in covering):
                yield f"{where}. Its waiver expired on {max(waiver.expires for waiver in covering)}"


def _too_long(waived: Sequence[Waiver], today: date) -> Iterable[str]:
    for waiver in waived:
        if waiver.expires > today + MAX_TERM:
            yield f"waiver of {waiver.check}: it expires on {waiver.expires}; allowed: within {MAX_TERM.days} days"


def _unneeded(scans: Sequence[Scan], waived: Sequence[Waiver], *, of_all: bool) -> Iterable[str]:
    existing = {resource for scan in scans for resource in scan.resources}
    for waiver in waived:
        for pattern in waiver.resources:
            matching = set(fnmatch.filter(existing, pattern))
            if not matching and of_all:  # one environment may lack another's resources
                yield f"waiver of {waiver.check}: {pattern} exists in no environment. Remove it from the waiver"
            for resource, kind in product(sorted(matching), waiver.scans):
                of_kind = [scan for scan in scans if scan.kind == kind]
                needed = any(
                    finding.resource == resource and waiver.covers(scan, finding)
                    for scan in of_kind
                    for finding in scan.findings
                )
                if of_kind and not needed and (of_all or not waiver.outside_production):
                    passing = f"{resource} passes the check in the {kind}"
                    yield f"waiver of {waiver.check}: {passing}. Remove it from the waiver"
