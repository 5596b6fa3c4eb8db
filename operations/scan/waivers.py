"""What is wrong with a scan: rules that do not hold and that no waiver covers, and waivers that nothing needs.

A waiver is for named resources, with a reason and a date after which it counts no more: `waivers.toml`.
"""

import tomllib
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from operations.scan.checkov import FailedCheck, Kind, Scan, ScanError

WAIVERS = Path(__file__).with_name("waivers.toml")
MAX_TERM = timedelta(days=400)
"""A waiver is looked at again once a year, and a month is for being late."""


class Waiver(BaseModel):
    """Rules that need not hold of some resources, until a date."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str = Field(pattern=r"CKV2?_AWS_\d+")
    resources: tuple[str, ...] = Field(min_length=1)
    reason: str = Field(min_length=20)
    expires: date
    scans: tuple[Kind, ...] = Field(default=("stacks", "plan"), min_length=1)
    """Where it is found: a policy document is in the stacks alone, the policy that it comes to in plans alone."""
    outside_production: bool = False
    """Whether it holds in other environments alone, where it may also be of no use."""

    def covers(self, scan: Scan, finding: FailedCheck) -> bool:
        """Whether it is about a finding; expired or not."""
        return (
            finding.check == self.check
            and finding.resource in self.resources
            and scan.kind in self.scans
            and not (self.outside_production and scan.production)
        )


class Waivers(BaseModel):
    """The file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    waiver: tuple[Waiver, ...] = ()


def waivers(file: Path = WAIVERS) -> tuple[Waiver, ...]:
    """The project's waivers.

    Raises:
        ScanError: one is not as it must be.
    """
    try:
        return Waivers.model_validate(tomllib.loads(file.read_text(encoding="utf-8"))).waiver
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise ScanError(f"{file}: {wrong}") from error
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ScanError(f"{file}: {error}") from error


def find_problems(
    scans: Sequence[Scan], waived: Sequence[Waiver], today: date, *, all_environments: bool = False
) -> list[str]:
    """What is wrong, a line each: findings without a waiver in force, waivers that nothing needs, scans of nothing.

    Args:
        of_all: the scans are of all environments, so that a waiver which is for none of them is for nothing.
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
            yield f"{scan.kind}: no rule holds, so nothing was looked at"
        if scan.unread:
            yield f"{scan.kind}: {scan.unread} files could not be read"
        for tier in scan.unseen:
            yield f"{scan.kind}: nothing of {tier} was looked at"


def _unwaived(scans: Sequence[Scan], waived: Sequence[Waiver], today: date) -> Iterable[str]:
    for scan in scans:
        for finding in sorted(scan.findings):
            covering = [waiver for waiver in waived if waiver.covers(scan, finding)]
            about = ": ".join(filter(None, (finding.resource, finding.arguments, finding.check, finding.title)))
            where = f"{about} ({scan.kind})"
            if not covering:
                yield f"{where}. Mend it, or waive it"
            elif all(waiver.expires < today for waiver in covering):
                yield f"{where}. Its waiver expired on {max(waiver.expires for waiver in covering)}"


def _too_long(waived: Sequence[Waiver], today: date) -> Iterable[str]:
    for waiver in waived:
        if waiver.expires > today + MAX_TERM:
            yield f"waiver of {waiver.check}: expires on {waiver.expires}: allowed: within {MAX_TERM.days} days"


def _unneeded(scans: Sequence[Scan], waived: Sequence[Waiver], *, of_all: bool) -> Iterable[str]:
    there = {resource for scan in scans for resource in scan.resources}
    for waiver in waived:
        for resource in waiver.resources:
            if resource not in there:
                if of_all:  # an environment may lack what another has
                    yield f"waiver of {waiver.check}: {resource}: no environment has it"
                continue
            for kind in waiver.scans:
                asked = [scan for scan in scans if scan.kind == kind]
                needed = any(
                    finding.resource == resource and waiver.covers(scan, finding)
                    for scan in asked
                    for finding in scan.findings
                )
                if asked and not needed and (of_all or not waiver.outside_production):
                    yield f"waiver of {waiver.check}: {resource}: it holds in the {kind}"
