"""`python -m operations preflight ENV`: whether a deployment would find what it needs, before it is begun."""

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.table import Table
from rich.text import Text

from operations.account import Account, EnvironmentName, connect
from operations.errors import RefusedError, error_code, explain, one_line_errors
from operations.preflight import quotas
from operations.preflight.check_result import CheckResult, Status
from operations.preflight.checks import CHECKS, CheckContext
from operations.preflight.demand import Demand
from operations.states import TerraformState, read_state
from operations.terminal import console, run_in_parallel
from stacks.settings.environment import REGION
from synthesized.platform import Platform

PARALLEL_CHECKS = 8
"""Checks. Each asks AWS a few times, and waits."""
STYLES = {Status.OK: "dim", Status.UNKNOWN: "yellow", Status.WARNING: "yellow", Status.STOP: "red"}

Regions = Annotated[
    str | None,
    typer.Option(
        "--regions",
        metavar="REGION,...",
        help="Where a quota stops it, say which of these Regions have room for all of it.",
        show_default=False,
    ),
]


def preflight(
    environment: EnvironmentName,
    *,
    regions: Regions = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: the same as JSON.")] = False,
) -> None:
    """Look whether an environment's account has what a deployment needs, before anything is made.

    What the stacks that `make synth` wrote will add, and their states do not have yet, is counted and held against the
    account's quotas and what it uses of them. Looked at as well: that the credentials are the account's; that the zones
    are open to it and offer the database's version, and the Region the cache's node type; that the buckets' names are
    free; the hosted zone; what bootstrap makes; locks; a trail, where a rule waits for its events. Changes nothing.

    `stop` is what a deployment would fail of, `warning` what it would meet later, as when load adds what the settings
    allow; `unknown` is what these credentials may not ask, with the action that they lack.

    When: after `bootstrap`, before the first deployment of an environment, and before one that adds much.

    Example: `python -m operations preflight prod --regions us-west-2,eu-central-1`

    Exit codes: 0 nothing stops a deployment; 1 something does, or it refused or failed; 2 usage.
    """
    elsewhere = _parse_regions(regions) if regions else []
    with one_line_errors():
        account = connect(environment)
        platform = Platform.synthesized(environment)
        findings = run_checks(account, platform)
        short = any(finding.figures and finding.status is Status.STOP for finding in findings)
        rooms = _shortages(account, Demand(platform), elsewhere) if short else {}
        if as_json:
            told = [asdict(finding) for finding in findings]
            typer.echo(json.dumps({"environment": environment, "findings": told, "regions": rooms}, indent=2))
        else:
            _show(findings, rooms, account, is_complete=bool(elsewhere) or not short)
    if any(finding.status is Status.STOP for finding in findings):
        raise typer.Exit(1)


def run_checks(account: Account, platform: Platform) -> list[CheckResult]:
    """Make all checks, several at a time; what they found, in the order of the tables."""
    demand, unread = _demand(account, platform)
    subject = CheckContext(account, demand)
    credentials = CheckResult("credentials", Status.OK, f"{account.caller}, of account {account.settings.account}")
    makes: list[Callable[[], Iterable[CheckResult]]] = [
        *(partial(_run_check, check.name, partial(check.run, subject)) for check in CHECKS),
        *(
            partial(_run_check, quota.name, lambda quota=quota: [quotas.check_quota(quota, account, demand)])
            for quota in quotas.QUOTAS
        ),
    ]
    found = run_in_parallel("preflight", makes, PARALLEL_CHECKS)
    return [credentials, *unread, *(finding for findings in found for finding in findings)]


def _run_check(what: str, make: Callable[[], Iterable[CheckResult]]) -> list[CheckResult]:
    """What a check found; where AWS does not tell, that it is not known."""
    try:
        return list(make())
    except RefusedError as error:
        return [CheckResult(what, Status.STOP, str(error))]
    except (BotoCoreError, ClientError) as error:
        return [CheckResult(what, Status.UNKNOWN, explain(error))]


def _demand(account: Account, platform: Platform) -> tuple[Demand, list[CheckResult]]:
    """What the stacks add; all that they hold, where a state cannot be read."""
    states, unread = dict[str, TerraformState](), list[CheckResult]()
    for tier, stack in platform.stacks.items():
        try:
            states[tier] = read_state(account, stack.backend)
        except RefusedError as error:
            unread.append(CheckResult(f"state of {tier}", Status.STOP, str(error)))
        except ClientError as error:
            if error_code(error) == "NoSuchBucket":
                states[tier] = {}  # nothing was ever deployed
            else:
                said = f"{explain(error)}; counted as if it were not deployed"
                unread.append(CheckResult(f"state of {tier}", Status.UNKNOWN, said))
    return Demand(platform, states), unread


def _parse_regions(regions: str) -> list[str]:
    """The Regions of a list, each of which may be one."""
    names = [region.strip() for region in regions.split(",")]
    if wrong := [name for name in names if not REGION.matches(name)]:
        raise typer.BadParameter(f"{', '.join(wrong)}: allowed, each: {REGION.allowed}", param_hint="--regions")
    return names


def _shortages(account: Account, demand: Demand, regions: Sequence[str]) -> dict[str, list[str]]:
    """What each Region has no room for."""

    def lacking(region: str) -> list[str]:
        try:
            return quotas.shortages_in(region, account, demand)
        except (BotoCoreError, ClientError) as error:
            return [explain(error)]

    with ThreadPoolExecutor(PARALLEL_CHECKS) as pool:
        return dict(zip(regions, pool.map(lacking, regions), strict=True))


def _show(findings: list[CheckResult], rooms: dict[str, list[str]], account: Account, *, is_complete: bool) -> None:
    shown, settings = console(), account.settings
    title = f"Preflight of {settings.name}: account {settings.account}, {settings.region}"
    table = Table(title=title, title_justify="left")
    for heading in ("what", "", "as it is"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        table.add_row(*map(Text, (finding.what, finding.status, finding.detail)), style=STYLES[finding.status])
    shown.print(table)
    for finding in findings:
        if finding.remedy:
            shown.print(f"{finding.status}: {finding.what}: {finding.remedy}", markup=False, soft_wrap=True)
    for region, lacking in rooms.items():
        shown.print(f"{region}: {'; '.join(lacking) or 'has room for all of it'}", markup=False, soft_wrap=True)
    if not is_complete:
        shown.print("--regions REGION,... says which other Regions have room")
    counts = ", ".join(f"{sum(finding.status is state for finding in findings)} {state}" for state in Status)
    shown.print(f"{settings.name}: {counts}")
