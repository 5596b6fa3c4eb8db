"""checkov's rules, asked of a whole environment: of its joined stacks, and of the plans of what is deployed.

Stack by stack, a rule about two resources fails where these are in two stacks; so the stacks, and the plans, are joined
first. The stacks show the policy documents, the plans every value that a policy or a default comes to. A rule that does
not hold needs a waiver: for named resources, with a reason and a date after which it counts no more.
"""

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import typer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from operations.account import EnvironmentName, settings_of
from operations.errors import RefusedError, ends_in_a_line
from stacks import ROOT
from synthesized.platform import REFERENCE, Body, Platform

CHECKOV = ROOT / ".cache" / "checkov" / "bin" / "python"
"""Of an environment of its own, which `make setup` makes: it pins other versions of boto3 than the project's. Its own
script does not run in a folder with a space in its name."""
WAIVERS = ROOT / "operations" / "scan" / "waivers.toml"
LONGEST = timedelta(days=400)
"""A waiver is looked at again once a year, and a month is for being late."""

Kind = Literal["stacks", "plan"]
FRAMEWORKS: Mapping[Kind, str] = {"stacks": "terraform_json", "plan": "terraform_plan"}
FILES: Mapping[Kind, str] = {"stacks": "cdk.tf.json", "plan": "plan.json"}

INTERPOLATION = re.compile(r"\$\{([^}]*)\}")
# Its settings come from its own file alone, not from the environment of whoever runs it.
SETTINGS_OF_OTHERS = ("BC_", "CHECKOV_", "CKV_", "PRISMA_")


class ScanError(RefusedError):
    """checkov is not there, or does not do what it is for."""


@dataclass(frozen=True, order=True)
class Finding:
    """A rule that does not hold of a resource."""

    check: str
    resource: str
    """Its address in the joined document."""
    title: str = ""
    """What the rule asks for, in checkov's words."""


@dataclass(frozen=True)
class Scan:
    """What checkov said of one environment."""

    kind: Kind
    production: bool
    passed: int
    """How many rules held; none means that nothing was looked at."""
    findings: tuple[Finding, ...]
    resources: frozenset[str] = frozenset()
    """Addresses of all that the environment has."""
    unread: int = 0
    """Files that it could not read."""
    unseen: tuple[str, ...] = ()
    """Tiers of which it looked at nothing."""


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

    def covers(self, scan: Scan, finding: Finding) -> bool:
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


def scan(
    environment: EnvironmentName,
    *,
    tier: Annotated[str, typer.Option("--tier", metavar="TIER", help="Tell what is wrong with one tier alone.")] = "",
) -> None:
    """Ask checkov's rules of an environment's synthesized stacks, and tell those that do not hold and no waiver is for.

    All stacks are asked together, as a rule may be about resources of two. Reads what `make synth` wrote, and
    operations/scan/waivers.toml; asks nobody.

    When: before a push. Atlantis does it for each stack that it plans.

    Example: `python -m operations scan prod --tier network`

    Exit codes: 0 all rules hold, or are waived; 1 one does not, or it refused or failed; 2 usage.
    """
    with ends_in_a_line():
        settings = settings_of(environment)
        platform = Platform.synthesized(environment)
        if tier and tier not in platform.stacks:
            raise typer.BadParameter(f"{tier}: no tier; there are: {', '.join(platform.stacks)}", param_hint="--tier")
        asked = scan_stacks(platform, production=settings.production)
        wrong = judge([of_tier(asked, tier) if tier else asked], waivers(), datetime.now(UTC).date())
    for line in wrong:
        typer.echo(line)
    if wrong:
        raise typer.Exit(1)
    typer.echo(f"{environment}: {asked.passed} rules hold{f'; of {tier}, all that are not waived' if tier else ''}")


def of_tier(scan: Scan, tier: str) -> Scan:
    """What a scan found of one tier."""
    own = frozenset(each for each in scan.resources if each.rpartition(".")[2].startswith(f"{tier}_"))
    return replace(
        scan,
        findings=tuple(finding for finding in scan.findings if finding.resource in own),
        resources=own,
        unseen=tuple(name for name in scan.unseen if name == tier),
    )


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


def judge(scans: Sequence[Scan], waived: Sequence[Waiver], today: date, *, of_all: bool = False) -> list[str]:
    """What is wrong, a line each: findings without a waiver in force, waivers that nothing needs, scans of nothing.

    Args:
        of_all: the scans are of all environments, so that a waiver which is for none of them is for nothing.
    """
    return [
        *_of_nothing(scans),
        *_unwaived(scans, waived, today),
        *_too_long(waived, today),
        *_unneeded(scans, waived, of_all=of_all),
    ]


def _of_nothing(scans: Sequence[Scan]) -> Iterable[str]:
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
            where = f"{scan.kind}: {finding.check}: {finding.resource}: {finding.title}"
            if not covering:
                yield f"{where}. Mend it, or waive it"
            elif all(waiver.expires < today for waiver in covering):
                yield f"{where}. Its waiver expired on {max(waiver.expires for waiver in covering)}"


def _too_long(waived: Sequence[Waiver], today: date) -> Iterable[str]:
    for waiver in waived:
        if waiver.expires > today + LONGEST:
            yield f"waiver of {waiver.check}: expires on {waiver.expires}: allowed: within {LONGEST.days} days"


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


def scan_stacks(platform: Platform, *, production: bool) -> Scan:
    """Ask checkov of an environment's synthesized stacks.

    Raises:
        ScanError: it cannot be asked.
    """
    return _scan("stacks", platform.document, platform, production=production)


def scan_plan(plan: Body, platform: Platform, *, production: bool) -> Scan:
    """Ask checkov of an environment's joined plan.

    Raises:
        ScanError: it cannot be asked.
    """
    return _scan("plan", plan, platform, production=production)


def joined_plan(platform: Platform, plans: Mapping[str, Body]) -> Body:
    """The plans of an environment's tiers as one, as `terraform show -json` tells a plan.

    Values are the plans', with everything known that is known; references, by which rules find related resources, are
    those of the joined document.
    """
    return {
        "format_version": "1.2",
        "terraform_version": next(iter(plans.values())).get("terraform_version", ""),
        "planned_values": {
            "root_module": {
                "resources": [
                    {
                        **resource,
                        "name": f"{tier}_{resource['name']}",
                        "address": f"{resource['type']}.{tier}_{resource['name']}",
                    }
                    for tier, plan in plans.items()
                    for resource in plan.get("planned_values", {}).get("root_module", {}).get("resources", ())
                ]
            }
        },
        "resource_changes": [],
        "configuration": {
            "root_module": {
                "resources": [
                    {
                        "address": resource.address,
                        "mode": "managed",
                        "type": resource.type,
                        "name": resource.address.rpartition(".")[2],
                        "provider_config_key": "aws",
                        "expressions": {
                            name: _expression(value)
                            for name, value in resource.body.items()
                            if name not in {"depends_on", "lifecycle", "provider"}
                        },
                    }
                    for resource in platform.resources
                ]
            }
        },
    }


def _expression(value: Any) -> Any:
    """An argument as a plan's configuration has it: what it refers to, or what it is."""
    if isinstance(value, dict):
        return {name: _expression(entry) for name, entry in value.items()}
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return [_expression(entry) for entry in value]
    references = [
        reference
        for expression in INTERPOLATION.findall(json.dumps(value))
        for match in REFERENCE.finditer(expression)
        # With what is asked of it, and by itself, as Terraform tells it.
        for reference in (match[0] + re.split(r"[^\w.]", expression[match.end() :])[0], match[0])
    ]
    return {"references": references} if references else {"constant_value": value}


def _scan(kind: Kind, document: Body, platform: Platform, *, production: bool) -> Scan:
    answer = _checkov(kind, document)
    # Where nothing was looked at, the figures stand by themselves.
    figures, results = answer.get("summary", answer), answer.get("results", {})
    addresses = {entry.address.rpartition(".")[2]: entry.address for entry in (*platform.resources, *platform.data)}
    if len(addresses) < len(platform.resources) + len(platform.data):
        raise ScanError("two resources have the same name, and checkov would not say which it means")
    looked_at = {
        # It says `resource.NAME`, `data.NAME` or `TYPE.NAME`.
        entry["resource"].rpartition(".")[2]
        for entry in (*results.get("passed_checks", ()), *results.get("failed_checks", ()))
    }
    return Scan(
        kind,
        production,
        passed=figures["passed"],
        findings=tuple(
            Finding(entry["check_id"], addresses[entry["resource"].rpartition(".")[2]], entry["check_name"])
            for entry in results.get("failed_checks", ())
        ),
        resources=frozenset(addresses.values()),
        unread=figures["parsing_errors"],
        unseen=tuple(tier for tier in platform.stacks if not any(name.startswith(f"{tier}_") for name in looked_at)),
    )


def _checkov(kind: Kind, document: Body) -> dict[str, Any]:
    """What it says of a document, as it tells machines."""
    with TemporaryDirectory() as folder:
        scanned = Path(folder) / "scanned"
        scanned.mkdir()
        (scanned / FILES[kind]).write_text(json.dumps(document, indent=1), encoding="utf-8")
        settings = Path(folder) / "checkov.yaml"  # YAML is a superset of JSON
        settings.write_text(
            json.dumps(
                {
                    "directory": [str(scanned)],
                    "framework": [FRAMEWORKS[kind]],
                    "output": ["json"],
                    "compact": True,
                    "soft-fail": True,  # what fails, we say
                    "skip-download": True,  # of its maker's texts; nobody is asked
                }
            ),
            encoding="utf-8",
        )
        try:
            run = subprocess.run(  # noqa: S603 - the arguments are this project's own, and no shell reads them
                [str(CHECKOV), "-I", "-m", "checkov.main", "--config-file", str(settings)],
                cwd=folder,
                env={name: value for name, value in os.environ.items() if not name.startswith(SETTINGS_OF_OTHERS)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:
            raise ScanError(f"{CHECKOV} is missing; run make setup") from error
    try:
        answer = json.loads(run.stdout)
    except ValueError as error:
        raise ScanError(f"checkov: exit code {run.returncode}: {(run.stderr or run.stdout).strip()}") from error
    if not isinstance(answer, dict):
        raise ScanError(f"checkov: {len(answer)} answers, and one was asked for")
    return answer
