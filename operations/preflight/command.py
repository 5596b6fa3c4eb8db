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

from operations.account import Account, EnvironmentName, reach
from operations.errors import RefusedError, code_of, ends_in_a_line, explain
from operations.preflight import quotas
from operations.preflight.checks import CHECKS, Subject
from operations.preflight.demand import Demand
from operations.preflight.finding import Finding, State
from operations.states import TerraformState, state_of
from operations.terminal import console, side_by_side
from stacks.settings.environment import REGION
from synthesized.platform import Platform

AT_ONCE = 8
"""Checks. Each asks AWS a few times, and waits."""
STYLES = {State.OK: "dim", State.UNKNOWN: "yellow", State.WARNING: "yellow", State.STOP: "red"}

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
    elsewhere = _named(regions) if regions else []
    with ends_in_a_line():
        account = reach(environment)
        platform = Platform.synthesized(environment)
        findings = look(account, platform)
        short = any(finding.figures and finding.state is State.STOP for finding in findings)
        rooms = _rooms(account, Demand(platform), elsewhere) if short else {}
        if as_json:
            told = [asdict(finding) for finding in findings]
            typer.echo(json.dumps({"environment": environment, "findings": told, "regions": rooms}, indent=2))
        else:
            _show(findings, rooms, account, asked=bool(elsewhere) or not short)
    if any(finding.state is State.STOP for finding in findings):
        raise typer.Exit(1)


def look(account: Account, platform: Platform) -> list[Finding]:
    """Make all checks, several at a time; what they found, in the order of the tables."""
    demand, unread = _demand(account, platform)
    subject = Subject(account, demand)
    credentials = Finding("credentials", State.OK, f"{account.caller}, of account {account.settings.account}")
    makes: list[Callable[[], Iterable[Finding]]] = [
        *(partial(_told, check.what, partial(check.make, subject)) for check in CHECKS),
        *(
            partial(_told, quota.what, lambda quota=quota: [quotas.check(quota, account, demand)])
            for quota in quotas.QUOTAS
        ),
    ]
    found = side_by_side("preflight", makes, AT_ONCE)
    return [credentials, *unread, *(finding for findings in found for finding in findings)]


def _told(what: str, make: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """What a check found; where AWS does not tell, that it is not known."""
    try:
        return list(make())
    except RefusedError as error:
        return [Finding(what, State.STOP, str(error))]
    except (BotoCoreError, ClientError) as error:
        return [Finding(what, State.UNKNOWN, explain(error))]


def _demand(account: Account, platform: Platform) -> tuple[Demand, list[Finding]]:
    """What the stacks add; all that they hold, where a state cannot be read."""
    states, unread = dict[str, TerraformState](), list[Finding]()
    for tier, stack in platform.stacks.items():
        try:
            states[tier] = state_of(account, stack.backend)
        except RefusedError as error:
            unread.append(Finding(f"state of {tier}", State.STOP, str(error)))
        except ClientError as error:
            if code_of(error) == "NoSuchBucket":
                states[tier] = {}  # nothing was ever deployed
            else:
                said = f"{explain(error)}; counted as if it were not deployed"
                unread.append(Finding(f"state of {tier}", State.UNKNOWN, said))
    return Demand(platform, states), unread


def _named(regions: str) -> list[str]:
    """The Regions of a list, each of which may be one."""
    names = [region.strip() for region in regions.split(",")]
    if wrong := [name for name in names if not REGION.matches(name)]:
        raise typer.BadParameter(f"{', '.join(wrong)}: allowed, each: {REGION.allowed}", param_hint="--regions")
    return names


def _rooms(account: Account, demand: Demand, regions: Sequence[str]) -> dict[str, list[str]]:
    """What each Region has no room for."""

    def lacking(region: str) -> list[str]:
        try:
            return quotas.lacking_in(region, account, demand)
        except (BotoCoreError, ClientError) as error:
            return [explain(error)]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(regions, pool.map(lacking, regions), strict=True))


def _show(findings: list[Finding], rooms: dict[str, list[str]], account: Account, *, asked: bool) -> None:
    shown, settings = console(), account.settings
    title = f"Preflight of {settings.name}: account {settings.account}, {settings.region}"
    table = Table(title=title, title_justify="left")
    for heading in ("what", "", "as it is"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        table.add_row(*map(Text, (finding.what, finding.state, finding.said)), style=STYLES[finding.state])
    shown.print(table)
    for finding in findings:
        if finding.remedy:
            shown.print(f"{finding.state}: {finding.what}: {finding.remedy}", markup=False, soft_wrap=True)
    for region, lacking in rooms.items():
        shown.print(f"{region}: {'; '.join(lacking) or 'has room for all of it'}", markup=False, soft_wrap=True)
    if not asked:
        shown.print("--regions REGION,... says which other Regions have room")
    counts = ", ".join(f"{sum(finding.state is state for finding in findings)} {state}" for state in State)
    shown.print(f"{settings.name}: {counts}")
