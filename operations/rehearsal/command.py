"""`python -m operations rehearse ENV`: the whole platform on this machine."""

import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console

from operations.platform import PlatformError
from operations.rehearsal.processes import ProgramError, end_on_sigterm
from operations.rehearsal.run import FOLDER, Rehearsal, RehearsalError, staged
from operations.terraform import TerraformError
from stacks.settings import SettingsError


def rehearse(
    environment: Annotated[str, typer.Argument(metavar="ENV", help="An environment of environments/*.toml.")] = "dev",
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave it up at the end, until Ctrl-C.")] = False,
) -> None:
    """Deploy an environment's real stacks onto a local AWS, and see it work.

    The real Terraform and AWS provider deploy every tier; the credential of a real PostgreSQL is rotated under load;
    the integration tests run; a second plan must be empty. Needs no account, no Docker and no network. An environment
    without deletion protection is destroyed at the end.

    Exit codes: 0 all went well, 1 something did not, 2 wrong usage.
    """
    console = Console(highlight=False)
    end_on_sigterm()
    try:
        good = _rehearse(environment, keep, console)
    except (SettingsError, RehearsalError, ProgramError, PlatformError, TerraformError) as error:
        console.print(f"{error}\nLogs: {FOLDER / environment}", markup=False, soft_wrap=True)
        good = False
    except KeyboardInterrupt:
        console.print(f"Stopped; nothing is left running. Logs: {FOLDER / environment}", soft_wrap=True)
        good = False
    raise typer.Exit(0 if good else 1)


def _rehearse(environment: str, keep: bool, console: Console) -> bool:
    with staged(environment, console) as rehearsal:
        steps: dict[str, Callable[[], None]] = {
            "bootstrap": rehearsal.bootstrap,
            "deploy": rehearsal.deploy,
            "rotate": rehearsal.rotate_under_load,
            "integration tests": rehearsal.integrate,
            "second plan": rehearsal.plan_again,
        }
        if not keep and not rehearsal.settings.deletion_protection:
            steps["destroy"] = rehearsal.destroy
        report = rehearsal.report
        try:
            for name, step in steps.items():
                console.print(f"[bold]{name}")
                began = time.monotonic()
                step()
                report.seconds[name] = time.monotonic() - began
        finally:
            report.unsupported_calls = dict(rehearsal.aws.gateway.unsupported)
            report.write(rehearsal.deployment.folder / "report.json")
            report.show(console)
        if keep:
            _keep(rehearsal, console)
        return not report.problems


def _keep(rehearsal: Rehearsal, console: Console) -> None:
    """Say how to reach it, and wait for Ctrl-C."""
    variables = rehearsal.aws.environment
    credential = rehearsal.credential(rehearsal.secret())
    console.print("[bold]up until Ctrl-C")
    console.print(
        "\n".join(f"export {name}={value}" for name, value in variables.items()), markup=False, soft_wrap=True
    )
    console.print(
        "aws ec2 describe-vpcs\n"
        f"cd {rehearsal.platform.stacks['network'].folder} && terraform plan\n"
        "# psql asks for the password: aws secretsmanager get-secret-value --secret-id "
        f"{rehearsal.secret()}\n"
        f'psql "host={credential.host} port={credential.port} dbname={credential.dbname} user={credential.username} '
        f'sslmode=verify-full sslrootcert={rehearsal.aws.folder / "authority.pem"}"',
        markup=False,
        soft_wrap=True,
    )
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        console.print("Stopped; nothing is left running.")
