"""The rehearsals that people start: the whole platform on this machine."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial

import psycopg2
import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from lambda_rotation.errors import RotationError
from local_aws.postgresql import ServerError
from operations.account import settings_of
from operations.errors import RefusedError, explain
from operations.scan.checkov import ScanError
from operations.terraform import TerraformError
from rehearsal.atlantis_server import AtlantisError
from rehearsal.deployers import Deployers
from rehearsal.faults import FaultInjection
from rehearsal.guide import PAGE, GuideShell, commands_by_environment, parse_commands
from rehearsal.one_environment import FOLDER, Rehearsal, RehearsalError, open_rehearsal
from rehearsal.processes import ProgramError, interrupt_on_signals
from rehearsal.pull_requests import PullRequests
from rehearsal.review_and_drift import detect_change, review_change
from stacks.settings import SettingsError
from synthesized.platform import PlatformError

EXPECTED_ERRORS = (
    *(AtlantisError, RehearsalError, RefusedError, ProgramError, PlatformError, TerraformError, ScanError, OSError),
    *(ServerError, RotationError, psycopg2.Error),
)
SHORT_TIERS = ("foundation", "network")
"""Tiers of the short form, which shows all but what needs a database."""


def rehearse(environment: str, *, keep: bool) -> None:
    """Deploy it, see that it works, and leave it up until Ctrl-C where it is to be kept."""
    with _rehearsal(environment) as rehearsal:
        try:
            _through(rehearsal, keep=keep)
        finally:
            rehearsal.report.unsupported_calls = dict(rehearsal.aws.gateway.unsupported)
            rehearsal.report.write(rehearsal.deployment.folder / "report.json")
            rehearsal.report.show(rehearsal.console)
        if keep:
            _wait(rehearsal)
        if rehearsal.report.problems:
            raise RehearsalError("the rehearsal did not go well")


def rehearse_faults(environment: str, *, short: bool) -> None:
    """Deploy it on a bad day."""
    with _rehearsal(environment) as rehearsal:
        rehearsal.bootstrap()
        began = time.monotonic()
        for fault, outcome in FaultInjection(
            rehearsal, SHORT_TIERS if short else tuple(rehearsal.platform.stacks)
        ).run():
            rehearsal.console.print(f"[bold]{fault}[/] ({time.monotonic() - began:.0f} s)")
            rehearsal.console.print(f"  {outcome}", markup=False, soft_wrap=True)
            began = time.monotonic()


def rehearse_atlantis(environment: str) -> None:
    """Take pull requests to it."""
    with _rehearsal(environment, within="atlantis") as rehearsal:
        rehearsal.bootstrap()
        began = time.monotonic()
        for step, outcome in PullRequests.of(rehearsal).run():
            rehearsal.console.print(f"[bold]{step}[/] ({time.monotonic() - began:.0f} s)")
            rehearsal.console.print(outcome, markup=False, soft_wrap=True)
            began = time.monotonic()


def rehearse_guide() -> None:
    """Follow the guide."""
    try:
        accounts = commands_by_environment(parse_commands(PAGE.read_text(encoding="utf-8")))
    except EXPECTED_ERRORS as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    for environment, commands in accounts:
        with _rehearsal(environment, within="guide") as rehearsal:
            person = GuideShell.of(rehearsal)
            for command in commands:
                rehearsal.console.print(f"[bold]{PAGE.name}:{command.line}[/]", end=" ")
                rehearsal.console.print(command.text.splitlines()[0], markup=False, soft_wrap=True, end=" ")
                began = time.monotonic()
                if not command.skip_reason:
                    person.run(command)
                told = command.skip_reason and f"not run: {command.skip_reason.replace('*', '')}"
                rehearsal.console.print(told or f"({time.monotonic() - began:.0f} s)", markup=False, soft_wrap=True)
            if unknown := rehearsal.aws.gateway.unsupported:
                raise RehearsalError(f"the local AWS does not know {', '.join(unknown)}")


def _through(rehearsal: Rehearsal, *, keep: bool) -> None:
    deployers = Deployers(rehearsal)
    steps = [
        ("bootstrap", rehearsal.bootstrap),
        ("preflight", rehearsal.preflight),
        ("access", deployers.deploy_access),
        ("deploy", deployers.deploy),
        ("rotate", rehearsal.rotate_under_load),
        ("integration tests", rehearsal.run_integration_tests),
        ("second plan", deployers.plan_again),
        ("permissions", deployers.check_permissions),
        ("checkov", rehearsal.run_checkov),
        ("review", partial(review_change, rehearsal)),
        ("drift", partial(detect_change, rehearsal)),
    ]
    if not keep and not rehearsal.settings.deletion_protection:
        steps.append(("destroy", deployers.destroy))
    for name, step in steps:
        rehearsal.console.print(f"[bold]{name}")
        began = time.monotonic()
        step()
        rehearsal.report.seconds[name] = time.monotonic() - began


@contextmanager
def _rehearsal(environment: str, within: str = "") -> Generator[Rehearsal]:
    """A rehearsal that ends in one line and exit code 1 where something is wrong, and leaves nothing running."""
    logs = f"Logs: {FOLDER / within / environment}"
    console = Console(highlight=False, emoji=False)  # `:secret:` is a part of ARNs
    interrupt_on_signals()
    try:
        settings_of(environment)
        with open_rehearsal(environment, console, within) as rehearsal:
            yield rehearsal
    except SettingsError as error:
        typer.echo(str(error), err=True)
    except EXPECTED_ERRORS as error:
        typer.echo(f"{error}\n{logs}", err=True)
    except (BotoCoreError, ClientError) as error:
        typer.echo(f"{explain(error)}\n{logs}", err=True)
    except KeyboardInterrupt:
        typer.echo(f"Stopped; nothing is left running. {logs}", err=True)
    else:
        return
    raise typer.Exit(1)


def _wait(rehearsal: Rehearsal) -> None:
    """Say how to reach it, and leave it up until Ctrl-C."""
    secret = rehearsal.secret()
    credential = rehearsal.credential(secret)
    lines = [
        "Up until Ctrl-C. In another terminal:",
        *rehearsal.aws.shell_exports,
        f"export CDKTF_OUTDIR='{rehearsal.deployment.stacks}'",
        "aws ec2 describe-vpcs",
        f".venv/bin/python -m operations drift {rehearsal.settings.name}",
        f"terraform -chdir='{rehearsal.platform.stacks['network'].folder}' plan",
        f'psql "host={credential.host} port={credential.port} dbname={credential.dbname} user={credential.username} '
        f"sslmode=verify-full sslrootcert='{rehearsal.aws.certificates}'\"",
        f"  # its password: aws secretsmanager get-secret-value --secret-id {secret}",
    ]
    rehearsal.console.print("\n".join(lines), markup=False, soft_wrap=True)
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        rehearsal.console.print("Stopping")
