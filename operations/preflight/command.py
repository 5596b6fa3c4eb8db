"""`python -m operations preflight ENV`: checks an account before a deployment."""

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
"""Concurrent checks. Each makes a few calls to AWS."""
STYLES = {Status.OK: "dim", Status.UNKNOWN: "yellow", Status.WARNING: "yellow", Status.STOP: "red"}

Regions = Annotated[
    str | None,
    typer.Option(
        "--regions",
        metavar="REGION,...",
        help="If a quota is too low, show which of these Regions have room for the platform.",
        show_default=False,
    ),
]


def preflight(
    environment: EnvironmentName,
    *,
    regions: Regions = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that an environment's account meets the requirements of a deployment.

    Compares the resources that the synthesized stacks add, and the account's usage, with its quotas. Also checks the
    credentials' account, the zones, the database version, the cache node type, bucket names, the hosted zone,
    bootstrap's resources, state locks, the trail that event rules need, and waivers. Reads the output of `make synth`.
    Changes nothing.

    `stop`: the deployment would fail. `warning`: it succeeds, but can fail later, for example when load adds what the
    settings allow. `unknown`: the check failed; if a permission is missing, it is named.

    When: after `bootstrap`, before the first deployment of an environment, and before one that adds much.

    Example: `python -m operations preflight prod --regions us-west-2,eu-central-1`

    Exit codes: 0 nothing stops a deployment; 1 something does, or refused or failed; 2 usage.
    """
    other_regions = _parse_regions(regions) if regions else []
    with one_line_errors():
        account = connect(environment)
        platform = Platform.synthesized(environment)
        results = run_checks(account, platform)
        exceeds_quota = any(result.figures and result.status is Status.STOP for result in results)
        shortages = _shortages(account, Demand(platform), other_regions) if exceeds_quota else {}
        if as_json:
            rows = [asdict(result) for result in results]
            typer.echo(json.dumps({"environment": environment, "findings": rows, "regions": shortages}, indent=2))
        else:
            _show(results, shortages, account, hint=exceeds_quota and not other_regions)
    if any(result.status is Status.STOP for result in results):
        raise typer.Exit(1)


def run_checks(account: Account, platform: Platform) -> list[CheckResult]:
    """Run all checks in parallel; their results, in the order of the tables."""
    demand, unread = _demand(account, platform)
    context = CheckContext(account, demand)
    credentials = CheckResult("credentials", Status.OK, f"{account.caller}, of account {account.settings.account}")
    calls: list[Callable[[], Iterable[CheckResult]]] = [
        *(partial(_run_check, check.name, partial(check.run, context)) for check in CHECKS),
        *(
            partial(_run_check, quota.name, lambda quota=quota: [quotas.check_quota(quota, account, demand)])
            for quota in quotas.QUOTAS
        ),
    ]
    found = run_in_parallel("preflight", calls, PARALLEL_CHECKS)
    return [credentials, *unread, *(result for results in found for result in results)]


def _run_check(name: str, call: Callable[[], Iterable[CheckResult]]) -> list[CheckResult]:
    """Run a check. If AWS refuses a request, its result is unknown."""
    try:
        return list(call())
    except RefusedError as error:
        return [CheckResult(name, Status.STOP, str(error))]
    except (BotoCoreError, ClientError) as error:
        return [CheckResult(name, Status.UNKNOWN, explain(error))]


def _demand(account: Account, platform: Platform) -> tuple[Demand, list[CheckResult]]:
    """The demand of the stacks, and the states that cannot be read, which count as empty."""
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
                detail = f"{explain(error)}; counted as not deployed"
                unread.append(CheckResult(f"state of {tier}", Status.UNKNOWN, detail))
    return Demand(platform, states), unread


def _parse_regions(regions: str) -> list[str]:
    """Parse a list of Regions."""
    names = [region.strip() for region in regions.split(",")]
    if invalid := [name for name in names if not REGION.matches(name)]:
        raise typer.BadParameter(f"{', '.join(invalid)}: allowed, each: {REGION.allowed}", param_hint="--regions")
    return names


def _shortages(account: Account, demand: Demand, regions: Sequence[str]) -> dict[str, list[str]]:
    """The quotas that are too low in each Region."""

    def shortages_or_error(region: str) -> list[str]:
        try:
            return quotas.shortages_in(region, account, demand)
        except (BotoCoreError, ClientError) as error:
            return [explain(error)]

    with ThreadPoolExecutor(PARALLEL_CHECKS) as pool:
        return dict(zip(regions, pool.map(shortages_or_error, regions), strict=True))


def _show(results: list[CheckResult], shortages: dict[str, list[str]], account: Account, *, hint: bool) -> None:
    terminal, settings = console(), account.settings
    title = f"Preflight of {settings.name}: account {settings.account}, {settings.region}"
    table = Table(title=title, title_justify="left")
    for heading in ("check", "", "result"):
        table.add_column(heading, overflow="fold")
    for result in results:
        table.add_row(*map(Text, (result.name, result.status, result.detail)), style=STYLES[result.status])
    terminal.print(table)
    for result in results:
        if result.remedy:
            terminal.print(f"{result.status}: {result.name}: {result.remedy}", markup=False, soft_wrap=True)
    for region, missing in shortages.items():
        terminal.print(f"{region}: {'; '.join(missing) or 'has room for the platform'}", markup=False, soft_wrap=True)
    if hint:
        terminal.print("use --regions REGION,... to check other Regions")
    counts = ", ".join(f"{sum(result.status is status for result in results)} {status}" for status in Status)
    terminal.print(f"{settings.name}: {counts}")
