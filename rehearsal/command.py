"""`python -m operations rehearse ENV`, and the other rehearsals: the whole platform on this machine.

What they do is loaded by whoever starts one: it takes seconds, and no other command needs it.
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
        bool, typer.Option("--keep", help="Leave it up at the end, until Ctrl-C; not where a step could not be taken.")
    ] = False,
) -> None:
    """Deploy an environment's real stacks onto a local AWS, and see it work.

    What a deployment needs is looked at; the real Terraform and AWS provider deploy every tier; the credential of a
    real PostgreSQL is rotated while clients log in; the integration tests run; a second plan must be empty, and
    checkov's rules must hold of it; the plan of a change is reviewed, and changes behind Terraform's back are found.
    Needs no account, no Docker and no network. An environment without deletion protection is destroyed at the end.

    Example: `python -m operations rehearse prod --keep`

    Exit codes: 0 all went well; 1 something did not; 2 usage.
    """
    _scenarios().rehearse(environment, keep=keep)


def rehearse_faults(
    environment: EnvironmentName = "dev",
    *,
    short: Annotated[bool, typer.Option("--short", help="foundation and network alone.")] = False,
) -> None:
    """Deploy an environment onto a local AWS on a bad day, and see it survive.

    Deployments are interrupted, terminated and killed; calls are throttled and fail; the database is down during a
    rotation; somebody changes something behind Terraform's back.

    Example: `python -m operations rehearse-faults staging --short`

    Exit codes: 0 all was survived; 1 something was not; 2 usage.
    """
    _scenarios().rehearse_faults(environment, short=short)


def rehearse_atlantis(environment: EnvironmentName = "dev") -> None:
    """Take pull requests to an environment on a local AWS, as Atlantis takes them.

    In a copy of the project, with the server's configuration as docs/repos.yaml has it: every project is planned,
    reviewed and applied in its order, by the workflows' own steps. A change then uses what another tier does not offer
    yet: at once, which must fail, and in two steps, which must not. At the end no plan may have changes.

    Example: `python -m operations rehearse-atlantis dev`

    Exit codes: 0 all went well; 1 something did not; 2 usage.
    """
    _scenarios().rehearse_atlantis(environment)


def rehearse_guide() -> None:
    """Follow docs/operations.md from its first line to its last, against a local AWS whose accounts are empty.

    In a copy of the project, each command is given as it stands there, in one shell after the other, and must print
    what the page shows. What the page marks as needing AWS itself, or Docker, is left out, and told.

    Example: `python -m operations rehearse-guide`

    Exit codes: 0 all went well; 1 something did not; 2 usage.
    """
    _scenarios().rehearse_guide()


def propose(
    environment: EnvironmentName,
    cidr: Annotated[str, typer.Argument(metavar="CIDR", help="The range that tasks may reach as well.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the stacks are written.")],
) -> None:
    """Synthesize an environment as a pull request would have it: with one more egress range.

    When: to try `plan-all` and `review` on a real change. A rehearsal does.

    Example: `python -m operations propose dev 198.51.100.0/24 .cache/proposal`

    Exit codes: 0 written; 1 the settings do not allow it, or it cannot be written; 2 usage.
    """
    from rehearsal import proposal  # it loads cdktf, which starts Node

    with one_line_errors():
        proposal.synthesize(environment, cidr, folder)


def _scenarios() -> ModuleType:
    try:
        from rehearsal import scenarios
    except BotoCoreError as error:  # moto asks for AWS's configuration as soon as it is imported
        typer.echo(explain(error), err=True)
        raise typer.Exit(1) from error
    return scenarios
