"""`python -m local_aws`: the local AWS as a standalone server."""

import fcntl
import os
import re
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Annotated, Any

import typer
from botocore.session import Session
from typer.core import TyperCommand, TyperOption

MAXIMUM_PORT = 65535

app = typer.Typer(rich_markup_mode="markdown", add_completion=False, pretty_exceptions_enable=False)


class StartError(Exception):
    """The local AWS cannot be started."""


class Command(TyperCommand):
    """The command, in whose help flags have no type: `<bool>` would look like a value to give."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Parameters, `--help` included."""
        parameters = super().get_params(ctx)
        for parameter in parameters:
            if isinstance(parameter, TyperOption) and parameter.is_bool_flag:
                parameter.metavar = ""
        return parameters


@app.command(cls=Command)
def serve(
    account: Annotated[str, typer.Option(help="Account ID, 12 digits.")] = "123456789012",
    region: Annotated[str, typer.Option(help="Default Region of clients.")] = "us-west-1",
    folder: Annotated[
        Path | None, typer.Option(help="Existing folder for logs. Default: a temporary folder.", show_default=False)
    ] = None,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1. 0 selects a free one.")] = 0,
) -> None:
    """Serve a local AWS for `aws`, Terraform and the SDKs until Ctrl-C or SIGTERM.

    Run it to try Terraform or a script without an account. It prints the environment variables that clients need, as
    shell commands. Aurora PostgreSQL clusters are real PostgreSQL servers, and Python Lambda functions and state
    machines run. All other services are moto's, extended. It starts empty, keeps only logs, and stops every process
    that it started.

    Example: `python -m local_aws --port 4566`

    Exit codes: 0 stopped by a signal; 1 could not start; 2 usage error.
    """
    has_ended = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: has_ended.set())
    _clear_aws_environment()
    try:
        _validate(account, region, folder, port)
        _serve(account, region, folder, port, has_ended)
    except StartError as error:
        typer.echo(f"The local AWS could not be started: {error}", err=True)
        raise typer.Exit(1) from error


def _serve(account: str, region: str, folder: Path | None, port: int, has_ended: Event) -> None:
    # Imported here because it takes seconds, which help and usage errors do not need.
    from local_aws.server import LocalAws

    with ExitStack() as stack:
        folder = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="local-aws-")))
        try:
            _lock_folder(folder, stack)
            aws = stack.enter_context(LocalAws(account, region, folder, port))
            lines = [
                f"# Account {account} in {region}. Logs and the databases' certificate authority are in {folder}.",
                *aws.shell_exports,
                f"# Ctrl-C or `kill {os.getpid()}` stops it.",
            ]
            typer.echo("\n".join(lines))
        except OSError as error:
            raise StartError(f"{error.filename or f'port {port}'}: {os.strerror(error.errno or 0)}") from error
        has_ended.wait()


def _lock_folder(folder: Path, stack: ExitStack) -> None:
    """Lock the folder: a second local AWS would overwrite the certificate authority."""
    lock = stack.enter_context((folder / "lock").open("w"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StartError(f"{folder} is in use by another local AWS") from error


def _clear_aws_environment() -> None:
    """Hide the user's AWS configuration from moto and botocore: it may be invalid or name an endpoint."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)


def _validate(account: str, region: str, folder: Path | None, port: int) -> None:
    if not re.fullmatch(r"[0-9]{12}", account):
        raise StartError(f"{account} is not an account ID, which has 12 digits")
    if region not in Session().get_available_regions("ec2"):
        raise StartError(f"{region} is not a Region of the aws partition")
    if folder and not folder.is_dir():
        raise StartError(f"{folder} is not a folder")
    if not 0 <= port <= MAXIMUM_PORT:
        raise StartError(f"port {port} is not between 0 and {MAXIMUM_PORT}")


if __name__ == "__main__":
    app(prog_name="python -m local_aws")
