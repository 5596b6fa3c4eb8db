"""The sequence diagram in the documentation matches the calls of a rotation."""

import re
from itertools import groupby

import pytest

from lambda_rotation import database
from lambda_rotation.configuration import Configuration
from lambda_rotation.handler import STEPS
from operations.document.pictures.rotation import MESSAGES, READER, SECRETS, WRITER, Message
from tests.rotation.call_recorder import CallRecorder
from tests.rotation.fixtures import RotationFixture
from tests.rotation.server import READER as READER_HOST
from tests.rotation.server import WRITER as WRITER_HOST

HOSTS = {WRITER_HOST: WRITER, READER_HOST: READER}
OPERATION = r"(?:[A-Z][a-z]+){2,}"
"""Name of an AWS operation. SQL statements contain spaces or are in capitals."""
Calls = list[tuple[str, list[str]]]


@pytest.fixture
def calls(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch) -> dict[str, Calls]:
    """Calls of each step of a rotation, grouped by consecutive receiver."""
    rotation.rotate()
    rotation.rotate()
    recorder = CallRecorder()
    transaction = database.transaction

    def recorded_transaction(configuration: Configuration, host: str, user: str, password: str):
        recorder.calls.append(f"to {host}")
        return transaction(configuration, host, user, password)

    monkeypatch.setattr(database, "transaction", recorded_transaction)
    token, found = rotation.begin_rotation(), dict[str, Calls]()
    for step in STEPS:
        with recorder.recording():
            rotation.step(step, token)
        found[step] = group_by_receiver(recorder.calls)
    return found


def group_by_receiver(calls: list[str]) -> Calls:
    """Consecutive calls to the same receiver, grouped."""
    receivers: list[tuple[str, str]] = []
    host = ""
    for call in calls:
        if call.startswith("to "):
            host = HOSTS[call.removeprefix("to ")]
        else:
            receivers.append((SECRETS if re.fullmatch(OPERATION, call) else host, call))
    return [(to, [call for _, call in group]) for to, group in groupby(receivers, key=lambda pair: pair[0])]


def test_the_calls_of_each_step_are_those_of_the_diagram(calls: dict[str, Calls]):
    assert list(calls) == list(MESSAGES) == list(STEPS)
    for step, messages in MESSAGES.items():
        shown = [(to, [call for message in group for call in message.calls]) for to, group in by_receiver(messages)]
        assert [to for to, _ in shown] == [to for to, _ in calls[step]], step
        for (to, documented), (_, made) in zip(shown, calls[step], strict=True):
            if to == SECRETS:
                assert documented == made, step
            else:
                # In this order; other statements may come between them.
                rest = iter(made)
                assert all(any(call.startswith(each) for call in rest) for each in documented), (step, documented, made)


def by_receiver(messages: tuple[Message, ...]) -> list[tuple[str, list[Message]]]:
    return [(to, list(group)) for to, group in groupby(messages, key=lambda message: message.recipient)]
