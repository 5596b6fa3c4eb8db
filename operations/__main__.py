"""`python -m operations <command>`: what the team runs around a deploy."""

# First: where Python is not the one that has the project's packages, it says so in a line.
import stacks  # noqa: F401  # pyright: ignore[reportUnusedImport] - for that alone

# isort: split
from importlib import import_module
from typing import cast

import typer
from typer.core import TyperCommand, TyperGroup

COMMANDS = {
    "atlantis": "operations.atlantis",
    "bootstrap": "operations.bootstrap.command",
    "certificates": "operations.certificates",
    "document": "operations.document.command",
    "drift": "operations.drift",
    "lock": "operations.lock",
    "orphans": "operations.orphans",
    "plan-all": "operations.plan_all",
    "preflight": "operations.preflight.command",
    "propose": "rehearsal.command",
    "rehearse": "rehearsal.command",
    "rehearse-atlantis": "rehearsal.command",
    "rehearse-faults": "rehearsal.command",
    "rehearse-guide": "rehearsal.command",
    "review": "operations.review.command",
    "scan": "operations.scan.command",
    "snapshots": "operations.snapshots",
    "validate": "operations.validate",
}
"""The module of each command; the function there has the command's name."""


class LazyCommands(TyperGroup):
    """Imports a command's module when the command is used: none waits for what another needs."""

    def list_commands(self, ctx: object) -> list[str]:
        """All of them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand | None:
        """The command of a name; None where there is none."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        function = getattr(import_module(COMMANDS[cmd_name]), cmd_name.replace("-", "_"))
        alone = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        alone.command(cmd_name)(function)
        return cast(TyperCommand, typer.main.get_command(alone))


app = typer.Typer(
    cls=LazyCommands,
    rich_markup_mode="markdown",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def operations() -> None:
    """What the team runs around a deploy. `python -m operations COMMAND --help` says more of each command.

    AWS is reached with the credentials that boto3 finds, in the environment's own account and Region alone.
    """


if __name__ == "__main__":
    app(prog_name="python -m operations")
