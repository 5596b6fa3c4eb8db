"""A rotation may be killed at any call: the current credential keeps working, and the next attempt completes it."""

import re
from collections.abc import Callable

import boto3
import psycopg2
import pytest

from tests.measurement import unmeasured
from tests.rotation.call_recorder import CallRecorder, KilledError
from tests.rotation.fixtures import STEPS, RotationFixture
from tests.rotation.server import Server


@pytest.fixture(autouse=True)
def without_lag(server: Server):
    """Synchronous replication: without replication lag, every run makes the same calls."""
    with server.synchronous_replica():
        yield


def run(rotation: RotationFixture, token: str) -> None:
    for step in STEPS:
        rotation.step(step, token)


def test_calls_of_any_client_are_recorded(rotation: RotationFixture):
    rotation.rotate()
    recorder = CallRecorder()
    current = rotation.current()
    with recorder.recording():
        boto3.client("secretsmanager").list_secrets()
        session = psycopg2.connect(
            host="127.0.0.1",
            port=rotation.server.port,
            dbname=rotation.database,
            user=current.username,
            password=current.password,
            sslmode="require",
        )
        with session.cursor() as cursor:
            cursor.execute("SELECT 1")
        session.commit()
        session.close()
    assert recorder.calls == ["ListSecrets", "connect", "SELECT 1", "COMMIT"]


def calls_of_a_rotation(rotation: RotationFixture) -> list[str]:
    """Calls of the third rotation. All later rotations make the same calls."""
    recorder = CallRecorder()
    rotation.rotate()
    rotation.rotate()
    token = rotation.begin_rotation()
    with recorder.recording():
        run(rotation, token)
    return recorder.calls


def normalize(call: str) -> str:
    """A call, without the difference between the two login roles."""
    return re.sub(r"(shop\d+)_[ab]", r"\1_x", call)


def points(calls: list[str]) -> list[tuple[int, bool]]:
    """Kill points: before the first call and after each call. After a call is the same as before the next one."""
    return [(0, False), *((number, True) for number in range(len(calls)))]


def report_kill_points(capsys: pytest.CaptureFixture[str], name: str, tried: int, calls: list[str]) -> None:
    with capsys.disabled():
        print(f"\n{name}: {tried} kill points, before the first and after each of {len(calls)} calls")


@unmeasured
def test_a_rotation_converges_wherever_it_is_killed(rotation: RotationFixture, capsys: pytest.CaptureFixture[str]):
    calls = calls_of_a_rotation(rotation)
    recorder = CallRecorder()
    # The calls that change something: the commit, and the moves of AWSCURRENT and AWSPENDING.
    assert (calls.count("COMMIT"), calls.count("UpdateSecretVersionStage")) == (1, 2)
    tried = 0
    for number, after in points(calls):
        before, token = rotation.current(), rotation.begin_rotation()
        with recorder.recording(kill_at=number, after=after), pytest.raises(KilledError):
            run(rotation, token)
        tried += 1
        assert [normalize(call) for call in recorder.calls] == [normalize(call) for call in calls[: number + 1]]
        assert rotation.can_log_in(before)
        assert rotation.can_log_in()
        rotation.rotate(token)
        assert rotation.can_log_in(before)
        assert rotation.can_log_in()
        assert rotation.current().username != before.username
    assert tried == len(calls) + 1
    report_kill_points(capsys, "a rotation", tried, calls)


@unmeasured
def test_the_first_rotation_converges_wherever_it_is_killed(
    new_rotation: Callable[..., RotationFixture], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    recorder = CallRecorder()

    def shape(rotation: RotationFixture) -> list[str]:
        return [re.sub(rf"\b{rotation.owner}(?=_[ab]\b|\b)", "shop", call) for call in recorder.calls]

    # Roles and schema are new each time. The database is shared, because new ones would take gigabytes.
    database = new_rotation().database
    rotation = new_rotation(database)
    token = rotation.begin_rotation()
    with recorder.recording():
        run(rotation, token)
    calls = shape(rotation)
    assert any(call.startswith("CREATE SCHEMA") for call in calls)
    tried = 0
    for number, after in points(calls):
        rotation = new_rotation(database)
        # As in production.
        monkeypatch.setenv("MINIMUM_AGE", "3600")
        token = rotation.begin_rotation()
        with recorder.recording(kill_at=number, after=after), pytest.raises(KilledError):
            run(rotation, token)
        tried += 1
        assert shape(rotation) == calls[: number + 1]
        rotation.rotate(token)
        assert rotation.can_log_in()
        assert rotation.current().username == rotation.logins[0]
    assert tried == len(calls) + 1
    report_kill_points(capsys, "the first rotation", tried, calls)


@unmeasured
def test_a_new_rotation_succeeds_after_a_killed_one(rotation: RotationFixture):
    """Secrets Manager has given up the killed rotation."""
    recorder = CallRecorder()
    calls = calls_of_a_rotation(rotation)
    # Only these calls change something.
    lasting = {"PutSecretValue", "COMMIT", "UpdateSecretVersionStage"}
    for number, after in points(calls):
        if calls[number] not in lasting:
            continue
        with recorder.recording(kill_at=number, after=after), pytest.raises(KilledError):
            run(rotation, rotation.begin_rotation())
        current = rotation.current()
        rotation.rotate()
        assert rotation.can_log_in(current)
        assert rotation.can_log_in()
