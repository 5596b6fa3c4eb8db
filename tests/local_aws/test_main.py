"""`python -m local_aws`: the local AWS as a standalone server."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from local_aws import session
from local_aws.__main__ import app
from local_aws.postgresql import free_port, wait_until
from local_aws.server import LocalAws
from tests.local_aws.test_awslambda import zipped
from tests.local_aws.test_iam import TRUST

SLEEPS = """
import os, time
def handle(event, context):
    with open(os.environ["PID_FILE"], "w") as file:
        file.write(str(os.getpid()))
    time.sleep(60)
"""


@pytest.fixture
def without_aws(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Removes AWS's environment variables. Restores the signal handlers that the command replaces."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def serve(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "local_aws", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def printed_by(process: "subprocess.Popen[str]") -> str:
    """Output up to the line after which clients can use it."""
    assert process.stdout
    lines: list[str] = []
    while not lines or "stops it" not in lines[-1]:
        lines.append(process.stdout.readline())
    return "".join(lines)


def after(script: str, **before: str) -> dict[str, str]:
    """Environment of a shell after a script."""
    command = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
    shell = subprocess.run(
        ["/bin/sh", "-c", f'{script}\n"$@"', "sh", *command], capture_output=True, text=True, check=True, env=before
    )
    return json.loads(shell.stdout)


def with_a_database_and_a_function(pid_file: Path) -> tuple[str, int]:
    """Start both. Returns the database's address."""
    cluster: Any = boto3.client("rds").create_db_cluster(
        DBClusterIdentifier="shop",
        Engine="aurora-postgresql",
        MasterUsername="shopkeeper",
        ManageMasterUserPassword=True,
        Port=free_port("127.0.0.1"),
    )["DBCluster"]
    role = boto3.client("iam").create_role(RoleName="sleeper", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    functions = boto3.client("lambda")
    functions.create_function(
        FunctionName="sleeper",
        Runtime="python3.13",
        Handler="shop.handler.handle",
        Role=role["Arn"],
        Code={"ZipFile": zipped(SLEEPS)},
        Environment={"Variables": {"PID_FILE": str(pid_file)}},
        Timeout=60,
    )
    functions.invoke(FunctionName="sleeper", InvocationType="Event")
    wait_until(lambda: pid_file.exists() and pid_file.read_text() != "")
    return cluster["Endpoint"], cluster["Port"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("without_aws")
def test_it_serves_clients_until_a_signal_and_stops_everything_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
):
    # AWS_PROFILE: the user's configuration must not matter.
    process = serve("--account", "210987654321", "--folder", str(tmp_path), AWS_PROFILE="missing")
    environment = after(printed_by(process), PATH=os.environ["PATH"], AWS_PROFILE="missing")
    assert "AWS_PROFILE" not in environment
    for name in environment.keys() - os.environ.keys():
        monkeypatch.setenv(name, environment[name])
    assert boto3.client("sts").get_caller_identity()["Account"] == "210987654321"
    assert boto3.client("sts").meta.region_name == "us-west-1"
    database = with_a_database_and_a_function(tmp_path / "pid")
    socket.create_connection(database).close()
    process.send_signal(number)
    assert process.wait(30) == 0
    assert process.communicate() == ("", "")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(database)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert "sts:GetCallerIdentity 200" in (tmp_path / "calls.log").read_text()
    assert list(tmp_path.glob("shop-*/writer.log"))


@pytest.mark.usefixtures("aws_reset_afterwards", "without_aws")
def test_the_default_folder_is_temporary(aws: LocalAws):
    folders: list[Path] = []

    def end() -> None:
        wait_until(lambda: session.current() is not aws.session)
        folders.append(session.current().folder)
        os.kill(os.getpid(), signal.SIGTERM)

    ending = Thread(target=end)
    ending.start()
    result = CliRunner().invoke(app)
    ending.join()
    assert result.exit_code == 0
    assert f"kill {os.getpid()}" in result.output
    assert folders[0].parent == Path(tempfile.gettempdir())
    assert not folders[0].exists()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--account", "12"], "12 is not an account ID, which has 12 digits"),
        (["--region", "moon-1"], "moon-1 is not a Region of the aws partition"),
        (["--folder", "/nowhere"], "/nowhere is not a folder"),
        (["--port", "65536"], "port 65536 is not between 0 and 65535"),
    ],
)
@pytest.mark.usefixtures("without_aws")
def test_invalid_options_are_reported_in_one_line(arguments: list[str], problem: str):
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stderr) == (1, f"The local AWS could not be started: {problem}\n")


@pytest.mark.usefixtures("without_aws")
def test_a_port_in_use_is_reported_in_one_line(aws: LocalAws):
    port = aws.endpoint.rpartition(":")[2]
    result = CliRunner().invoke(app, ["--port", port])
    assert result.exit_code == 1
    assert result.stderr == f"The local AWS could not be started: port {port}: Address already in use\n"
    assert session.current() is aws.session


@pytest.mark.usefixtures("without_aws")
def test_a_folder_is_used_by_one_local_aws_at_a_time(tmp_path: Path):
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = CliRunner().invoke(app, ["--folder", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr == f"The local AWS could not be started: {tmp_path} is in use by another local AWS\n"


def test_a_python_without_moto_reports_what_to_install():
    command = [sys.executable, "-S", "-m", "local_aws"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith(f"{sys.executable} has no moto; install ")
    assert result.stderr.count("\n") == 1
