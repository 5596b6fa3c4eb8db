"""Duration of a rotation, relative to AWS's single-user rotation strategy in the same run.

- steps: wall time of each of the four steps, with a real PostgreSQL over TLS and moto's Secrets Manager, both on this
  machine.
- calls: calls to Secrets Manager and connections to the database.
- import: boto3, psycopg2, and then the function's own modules.
- zip: size of the deployment package.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

import pytest
from psycopg2.extensions import encrypt_password

from lambda_rotation.credential import Credential
from operations.document import markdown
from stacks.rotation.function_package import DEFAULT_PACKAGE
from tests.rotation.call_recorder import CallRecorder
from tests.rotation.fixtures import STEPS, RotationFixture, local_aws, make_rotation
from tests.rotation.server import running

ROTATIONS = 15
IMPORTS = 9
IMPORT = """
import time
times = [time.perf_counter()]
for names in ("boto3 botocore.config", "psycopg2 psycopg2.sql psycopg2.extensions", "lambda_rotation.handler"):
    for name in names.split():
        __import__(name)
    times.append(time.perf_counter())
print(*(1000 * (later - earlier) for earlier, later in zip(times, times[1:])))
"""


def seconds(do: Callable[[], object]) -> float:
    """Duration of a call."""
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


def single_user(rotation: RotationFixture) -> None:
    """The single-user strategy: changes the password of one role in place, so that logins fail meanwhile."""
    current, token = rotation.current(), rotation.begin_rotation()
    password = rotation.client.get_random_password(PasswordLength=64, ExcludePunctuation=True)["RandomPassword"]
    pending = Credential(**{**vars(current), "password": password})
    rotation.client.put_secret_value(
        SecretId=rotation.secret_arn,
        ClientRequestToken=token,
        SecretString=pending.dump(),
        VersionStages=["AWSPENDING"],
    )
    connection = rotation.log_in(current)
    verifier = encrypt_password(password, current.username, connection, "scram-sha-256")
    rotation.server.execute(f"ALTER ROLE {current.username} PASSWORD '{verifier}'")
    connection.close()
    rotation.query("SELECT 1", pending)
    (before,) = (version for version, stages in rotation.stages().items() if "AWSCURRENT" in stages)
    rotation.client.update_secret_version_stage(
        SecretId=rotation.secret_arn, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=before
    )


def imports() -> list[float]:
    """Milliseconds to import boto3, psycopg2 and the function's modules: the median of several new processes."""
    runs = [
        subprocess.run([sys.executable, "-c", IMPORT], check=True, capture_output=True, text=True).stdout.split()
        for _ in range(IMPORTS)
    ]
    return [median(float(run[column]) for run in runs) for column in range(3)]


def measure() -> str:
    """Results as Markdown."""
    with running() as server, local_aws() as backend, pytest.MonkeyPatch.context() as patch:
        rotation = make_rotation(server, backend, patch)
        rotation.rotate()
        rotation.rotate()
        steps: dict[str, list[float]] = {step: [] for step in STEPS}
        for _ in range(ROTATIONS):
            token = rotation.begin_rotation()
            for step in STEPS:
                steps[step].append(seconds(lambda step=step, token=token: rotation.step(step, token)))
        recorder = CallRecorder()
        with recorder.recording():
            rotation.rotate()
        single = median(seconds(lambda: single_user(rotation)) for _ in range(ROTATIONS))
    total = sum(median(times) for times in steps.values())
    rows = [
        (name, f"{1000 * took:.0f} ms", f"{took / single:.1f}x")
        for name, took in (
            *((f"`{step}`", median(times)) for step, times in steps.items()),
            ("all four", total),
            ("single-user", single),
        )
    ]
    connections = recorder.calls.count("connect")
    aws = sum(call[0].isupper() and call.isalpha() and not call.isupper() for call in recorder.calls)
    boto3_, psycopg2_, own = imports()
    return (
        f"{markdown.table(('', 'took', 'of a single-user rotation'), rows)}\n"
        f"A rotation calls Secrets Manager {aws} times and connects to the database {connections} times. A cold start "
        f"imports boto3 ({boto3_:.0f} ms), psycopg2 ({psycopg2_:.0f} ms) and the function's modules ({own:.1f} ms), "
        f"from a zip of {DEFAULT_PACKAGE.stat().st_size / 1e6:.1f} MB.\n"
    )


if __name__ == "__main__":
    print(measure())
