"""The rehearsals behind the commands in `rehearsal.command`."""

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
"""Tiers of `rehearse-faults --short`: without a database."""


def rehearse(environment: str, *, keep: bool) -> None:
    """Deploy an environment and test it; with `keep`, leave it running until Ctrl-C."""
    with _rehearsal(environment) as rehearsal:
        try:
            _run_steps(rehearsal, keep=keep)
        finally:
            rehearsal.report.failed_calls = rehearsal.aws.gateway.problems
            rehearsal.report.write(rehearsal.deployment.folder / "report.json")
            rehearsal.report.show(rehearsal.console)
        if keep:
            _wait(rehearsal)
        if rehearsal.report.problems:
            raise RehearsalError("the rehearsal failed")


def rehearse_faults(environment: str, *, short: bool) -> None:
    """Deploy an environment while faults are injected."""
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
    """Run pull requests against an environment."""
    with _rehearsal(environment, subfolder="atlantis") as rehearsal:
        rehearsal.bootstrap()
        began = time.monotonic()
        for step, outcome in PullRequests.of(rehearsal).run():
            rehearsal.console.print(f"[bold]{step}[/] ({time.monotonic() - began:.0f} s)")
            rehearsal.console.print(outcome, markup=False, soft_wrap=True)
            began = time.monotonic()


def rehearse_guide() -> None:
    """Run the commands of the guide, in the account of each environment that it names."""
    try:
        accounts = commands_by_environment(parse_commands(PAGE.read_text(encoding="utf-8")))
    except EXPECTED_ERRORS as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    for environment, commands in accounts:
        with _rehearsal(environment, subfolder="guide") as rehearsal:
            shell = GuideShell.of(rehearsal)
            for command in (each.with_values_of(rehearsal.settings) for each in commands):
                rehearsal.console.print(f"[bold]{PAGE.name}:{command.line}[/]", end=" ")
                rehearsal.console.print(command.text.splitlines()[0], markup=False, soft_wrap=True, end=" ")
                began = time.monotonic()
                if not command.skip_reason:
                    shell.run(command)
                skipped = command.skip_reason and f"skipped: {command.skip_reason.replace('*', '')}"
                rehearsal.console.print(skipped or f"({time.monotonic() - began:.0f} s)", markup=False, soft_wrap=True)
            if problems := rehearsal.aws.gateway.problems:
                raise RehearsalError("\n".join(problems))


def _run_steps(rehearsal: Rehearsal, *, keep: bool) -> None:
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
def _rehearsal(environment: str, subfolder: str = "") -> Generator[Rehearsal]:
    """A rehearsal that reports expected errors in one line, exits with 1, and leaves no process running."""
    logs = f"Logs: {FOLDER / subfolder / environment}"
    console = Console(highlight=False, emoji=False)  # ARNs contain `:secret:`
    interrupt_on_signals()
    try:
        settings_of(environment)
        with open_rehearsal(environment, console, subfolder) as rehearsal:
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
    """Print how to connect, and wait for Ctrl-C."""
    secret = rehearsal.secret()
    credential = rehearsal.credential(secret)
    lines = [
        "Running until Ctrl-C. In another terminal:",
        *rehearsal.aws.shell_exports,
        f"export CDKTF_OUTDIR='{rehearsal.deployment.stacks}'",
        "aws ec2 describe-vpcs",
        f".venv/bin/python -m operations drift {rehearsal.settings.name}",
        f"terraform -chdir='{rehearsal.platform.stacks['network'].folder}' plan",
        f'psql "host={credential.host} port={credential.port} dbname={credential.dbname} user={credential.username} '
        f"sslmode=verify-full sslrootcert='{rehearsal.aws.certificates}'\"",
        f"  # password: aws secretsmanager get-secret-value --secret-id {secret}",
    ]
    rehearsal.console.print("\n".join(lines), markup=False, soft_wrap=True)
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        rehearsal.console.print("Stopping")
