"""`python -m operations scan ENV`: runs checkov on an environment's synthesized stacks."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import typer

from operations.account import EnvironmentName, settings_of
from operations.errors import one_line_errors
from operations.scan.checkov import Scan, scan_stacks
from operations.scan.waivers import find_problems, waivers
from synthesized.platform import Platform


def scan(
    environment: EnvironmentName,
    *,
    tier: Annotated[str, typer.Option("--tier", metavar="TIER", help="Report only this tier.")] = "",
) -> None:
    """Run checkov on an environment's synthesized stacks and print failures that no waiver covers.

    Scans all stacks together, since a rule can relate resources of two stacks. Reads the output of `make synth` and
    operations/scan/waivers.toml. Needs no network.

    When: before a push. Atlantis runs it for each stack that it plans.

    Example: `python -m operations scan prod --tier network`

    Exit codes: 0 all checks pass or are waived; 1 a check fails, or refused or failed; 2 usage.
    """
    with one_line_errors():
        settings = settings_of(environment)
        platform = Platform.synthesized(environment)
        if tier and tier not in platform.stacks:
            raise typer.BadParameter(
                f"{tier}: unknown tier; allowed: {', '.join(platform.stacks)}", param_hint="--tier"
            )
        scanned = scan_stacks(platform, production=settings.production)
        reported = filter_tier(scanned, tier) if tier else scanned
        problems = find_problems([reported], waivers(), datetime.now(UTC).date())
    for line in problems:
        typer.echo(line)
    if problems:
        raise typer.Exit(1)
    if tier:
        typer.echo(f"{environment}: in {tier}, all checks pass or are waived; {scanned.passed} pass in all tiers")
    else:
        typer.echo(f"{environment}: {scanned.passed} checks pass")


def filter_tier(scan: Scan, tier: str) -> Scan:
    """The part of a scan about one tier."""
    own = frozenset(each for each in scan.resources if each.rpartition(".")[2].startswith(f"{tier}_"))
    return replace(
        scan,
        findings=tuple(finding for finding in scan.findings if finding.resource in own),
        resources=own,
        unscanned_tiers=tuple(name for name in scan.unscanned_tiers if name == tier),
    )
