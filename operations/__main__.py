"""`python -m operations COMMAND`: commands for deploying and operating the platform."""

# First: exits with one line if the project's packages are not installed in this Python.
import stacks  # noqa: F401  # pyright: ignore[reportUnusedImport] - for its import check

# isort: split
from importlib import import_module
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from operations.errors import one_line_errors

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
    "rotate": "operations.rotate",
    "scan": "operations.scan.command",
    "snapshots": "operations.snapshots",
    "validate": "operations.validate",
}
"""The module of each command. The function has the command's name."""


def _without_type(parameters: list[Any]) -> list[Any]:
    """Parameters of which flags show no type in the help: `<bool>` would look like a value to give."""
    for parameter in parameters:
        if isinstance(parameter, TyperOption) and parameter.is_bool_flag:
            parameter.metavar = ""
    return parameters


class Command(TyperCommand):
    """A command."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Parameters, `--help` included."""
        return _without_type(super().get_params(ctx))


class LazyCommands(TyperGroup):
    """Imports the module of a command only when that command runs."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Parameters, `--help` included."""
        return _without_type(super().get_params(ctx))

    def list_commands(self, ctx: object) -> list[str]:
        """Names of all commands."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand | None:
        """The command with a name, or None."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        with one_line_errors():  # of the user's own tiers, which the catalogue reads
            function = getattr(import_module(COMMANDS[cmd_name]), cmd_name.replace("-", "_"))
        single = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        single.command(cmd_name, cls=Command)(function)
        return cast(TyperCommand, typer.main.get_command(single))


app = typer.Typer(
    cls=LazyCommands,
    rich_markup_mode="markdown",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def operations() -> None:
    """Commands for deploying and operating the platform. See `python -m operations COMMAND --help`.

    Commands use the credentials that boto3 finds and refuse any account other than the environment's.
    """


if __name__ == "__main__":
    app(prog_name="python -m operations")
