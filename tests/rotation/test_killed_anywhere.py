"""A run may end anywhere: the current credential works all the time, and the next try finishes what was begun."""

import re
from collections.abc import Callable

import boto3
import psycopg2
import pytest

from tests.rotation.call_recorder import CallRecorder, KilledError
from tests.rotation.fixtures import STEPS, RotationFixture
from tests.rotation.server import Server


@pytest.fixture(autouse=True)
def without_lag(server: Server):
    """A replica that shows a change before it is answered: so each run asks as many times as the others."""
    with server.synchronous_replica():
        yield


def run(rotation: RotationFixture, token: str) -> None:
    for step in STEPS:
        rotation.step(step, token)


def test_what_is_asked_outside_the_codes_own_paths_is_recorded_too(rotation: RotationFixture):
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
        with session.cursor() as planted:
            planted.execute("SELECT 1")
        session.commit()
        session.close()
    assert recorder.calls == ["ListSecrets", "connect", "SELECT 1", "COMMIT"]


def calls_of_a_rotation(rotation: RotationFixture) -> list[str]:
    """Of one like all after the second, which made the second login."""
    recorder = CallRecorder()
    rotation.rotate()
    rotation.rotate()
    token = rotation.begin_rotation()
    with recorder.recording():
        run(rotation, token)
    return recorder.calls


def alike(call: str) -> str:
    """Whichever of the two logins it is about."""
    return re.sub(r"(shop\d+)_[ab]", r"\1_x", call)


def points(calls: list[str]) -> list[tuple[int, bool]]:
    return [(number, after) for number in range(len(calls)) for after in (False, True)]


def told(capsys: pytest.CaptureFixture[str], what: str, tried: int, calls: list[str]) -> None:
    with capsys.disabled():
        print(f"\n{what}: {tried} kill points, before and after each of {len(calls)} calls")


def test_a_rotation_converges_wherever_it_is_killed(rotation: RotationFixture, capsys: pytest.CaptureFixture[str]):
    calls = calls_of_a_rotation(rotation)
    recorder = CallRecorder()
    # The commit of the transaction is among them, and what moves AWSCURRENT and takes AWSPENDING away.
    assert (calls.count("COMMIT"), calls.count("UpdateSecretVersionStage")) == (1, 2)
    tried = 0
    for number, after in points(calls):
        before, token = rotation.current(), rotation.begin_rotation()
        with recorder.recording(kill_at=number, after=after), pytest.raises(KilledError):
            run(rotation, token)
        tried += 1
        assert [alike(call) for call in recorder.calls] == [alike(call) for call in calls[: number + 1]]
        assert rotation.can_log_in(before)
        assert rotation.can_log_in()
        rotation.rotate(token)
        assert rotation.can_log_in(before)
        assert rotation.can_log_in()
        assert rotation.current().username != before.username
    assert tried == 2 * len(calls)
    told(capsys, "a rotation", tried, calls)


def test_the_first_rotation_converges_wherever_it_is_killed(
    new_rotation: Callable[..., RotationFixture], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    recorder = CallRecorder()

    def shape(rotation: RotationFixture) -> list[str]:
        return [re.sub(rf"\b{rotation.owner}(?=_[ab]\b|\b)", "shop", call) for call in recorder.calls]

    # Roles and schema are new each time; a database each would be gigabytes.
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
        # As it is deployed.
        monkeypatch.setenv("MINIMUM_AGE", "3600")
        token = rotation.begin_rotation()
        with recorder.recording(kill_at=number, after=after), pytest.raises(KilledError):
            run(rotation, token)
        tried += 1
        assert shape(rotation) == calls[: number + 1]
        rotation.rotate(token)
        assert rotation.can_log_in()
        assert rotation.current().username == rotation.logins[0]
    assert tried == 2 * len(calls)
    told(capsys, "the first rotation", tried, calls)


def test_a_run_that_is_killed_is_finished_by_another_rotation_as_well(rotation: RotationFixture):
    """Where Secrets Manager has given the first one up."""
    recorder = CallRecorder()
    calls = calls_of_a_rotation(rotation)
    # What leaves something behind; all others leave what these do.
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
