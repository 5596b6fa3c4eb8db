"""`python -m operations scan ENV`: checkov's rules over an environment's synthesized stacks."""

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
    tier: Annotated[str, typer.Option("--tier", metavar="TIER", help="Tell what is wrong with one tier alone.")] = "",
) -> None:
    """Ask checkov's rules of an environment's synthesized stacks, and tell those that do not hold and no waiver is for.

    All stacks are asked together, as a rule may be about resources of two. Reads what `make synth` wrote, and
    operations/scan/waivers.toml; asks nobody.

    When: before a push. Atlantis does it for each stack that it plans.

    Example: `python -m operations scan prod --tier network`

    Exit codes: 0 all rules hold, or are waived; 1 one does not, or it refused or failed; 2 usage.
    """
    with one_line_errors():
        settings = settings_of(environment)
        platform = Platform.synthesized(environment)
        if tier and tier not in platform.stacks:
            raise typer.BadParameter(f"{tier}: no tier; there are: {', '.join(platform.stacks)}", param_hint="--tier")
        asked = scan_stacks(platform, production=settings.production)
        wrong = find_problems([filter_tier(asked, tier) if tier else asked], waivers(), datetime.now(UTC).date())
    for line in wrong:
        typer.echo(line)
    if wrong:
        raise typer.Exit(1)
    typer.echo(f"{environment}: {asked.passed} rules hold{f'; of {tier}, all that are not waived' if tier else ''}")


def filter_tier(scan: Scan, tier: str) -> Scan:
    """What a scan found of one tier."""
    own = frozenset(each for each in scan.resources if each.rpartition(".")[2].startswith(f"{tier}_"))
    return replace(
        scan,
        findings=tuple(finding for finding in scan.findings if finding.resource in own),
        resources=own,
        unseen=tuple(name for name in scan.unseen if name == tier),
    )
