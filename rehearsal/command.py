"""Commands that rehearse deployments on this machine: `python -m operations rehearse ENV` and others.

Their implementation is imported on use: it takes seconds to load, and no other command needs it.
"""

from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError

from operations.account import EnvironmentName
from operations.errors import explain, one_line_errors


def rehearse(
    environment: EnvironmentName = "dev",
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep everything running until Ctrl-C, unless a step ended with an error.")
    ] = False,
) -> None:
    """Deploy an environment's real stacks to a local AWS, and test them there.

    Runs preflight; deploys every tier with the real Terraform and AWS provider; rotates the credential of a real
    PostgreSQL while clients log in; runs the integration tests; checks that a second plan is empty and passes checkov;
    reviews the plan of a change; and looks for changes made behind Terraform's back. Destroys the environment at the
    end, unless it has deletion protection. Needs no account, no Docker and no network.

    When: before a pull request that changes stacks or their settings.

    Example: `python -m operations rehearse prod --keep`

    Exit codes: 0 all steps passed; 1 a step failed; 2 usage.
    """
    _scenarios().rehearse(environment, keep=keep)


def rehearse_faults(
    environment: EnvironmentName = "dev",
    *,
    short: Annotated[bool, typer.Option("--short", help="Deploy foundation and network only.")] = False,
) -> None:
    """Deploy an environment to a local AWS while faults are injected, and check that it recovers.

    Interrupts, terminates and kills deployments; throttles and fails API calls; changes a resource behind Terraform's
    back; and stops the database during a rotation.

    When: after changes to `orphans`, `lock` or `drift`, or to the rotation function.

    Example: `python -m operations rehearse-faults staging --short`

    Exit codes: 0 all faults were recovered from; 1 one was not; 2 usage.
    """
    _scenarios().rehearse_faults(environment, short=short)


def rehearse_atlantis(environment: EnvironmentName = "dev") -> None:
    """Run pull requests against an environment on a local AWS, as Atlantis does.

    In a copy of the project, with the server configuration of docs/repos.yaml, plans, reviews and applies every project
    in order, with the steps of the workflows. Then a change uses a new output of another tier: in one step, which must
    fail, and in two steps, which must succeed. At the end, no plan may have changes.

    When: after changes to docs/repos.yaml, to `atlantis.yaml`, or to the commands that the workflows run.

    Example: `python -m operations rehearse-atlantis dev`

    Exit codes: 0 all steps passed; 1 a step failed; 2 usage.
    """
    _scenarios().rehearse_atlantis(environment)


def rehearse_guide() -> None:
    """Run all commands of docs/operations.md, in order, against a local AWS with empty accounts.

    In a copy of the project, runs each command as written; it must print what the page shows. Skips commands that the
    page marks as needing AWS itself or Docker, and lists them.

    When: after changes to docs/operations.md, or to a command that it uses.

    Example: `python -m operations rehearse-guide`

    Exit codes: 0 all commands printed what the page shows; 1 one did not; 2 usage.
    """
    _scenarios().rehearse_guide()


def propose(
    environment: EnvironmentName,
    cidr: Annotated[str, typer.Argument(metavar="CIDR", help="Additional range that tasks may connect to.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Output folder for the stacks.")],
) -> None:
    """Synthesize an environment with an example change: one more egress range.

    When: to try `plan-all` and `review` on a real change. Rehearsals use it, too.

    Example: `python -m operations propose dev 198.51.100.0/24 .cache/proposal`

    Exit codes: 0 written; 1 the range is not allowed, or the folder cannot be written; 2 usage.
    """
    from rehearsal import proposal  # loads cdktf, which starts Node

    with one_line_errors():
        proposal.synthesize(environment, cidr, folder)


def _scenarios() -> ModuleType:
    try:
        from rehearsal import scenarios
    except BotoCoreError as error:  # moto reads the AWS configuration on import
        typer.echo(explain(error), err=True)
        raise typer.Exit(1) from error
    return scenarios
