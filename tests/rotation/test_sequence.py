"""The sequence in the documentation is what a rotation does."""

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
"""Of AWS's; a statement has spaces or is in capitals."""
Calls = list[tuple[str, list[str]]]


@pytest.fixture
def calls(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch) -> dict[str, Calls]:
    """Of each step of a rotation, whom it called with what, in turns."""
    rotation.rotate()
    rotation.rotate()
    recorder = CallRecorder()
    transaction = database.transaction

    def seen(deployment: Configuration, host: str, user: str, password: str):
        recorder.calls.append(f"to {host}")
        return transaction(deployment, host, user, password)

    monkeypatch.setattr(database, "transaction", seen)
    token, found = rotation.begin_rotation(), dict[str, Calls]()
    for step in STEPS:
        with recorder.recording():
            rotation.step(step, token)
        found[step] = turns(recorder.calls)
    return found


def turns(calls: list[str]) -> Calls:
    """A run's calls, those of the same receiver that follow each other together."""
    receivers: list[tuple[str, str]] = []
    host = ""
    for call in calls:
        if call.startswith("to "):
            host = HOSTS[call.removeprefix("to ")]
        else:
            receivers.append((SECRETS if re.fullmatch(OPERATION, call) else host, call))
    return [(to, [call for _, call in group]) for to, group in groupby(receivers, key=lambda pair: pair[0])]


def test_each_step_asks_whom_the_sequence_shows(calls: dict[str, Calls]):
    assert list(calls) == list(MESSAGES) == list(STEPS)
    for step, messages in MESSAGES.items():
        shown = [(to, [call for message in group for call in message.calls]) for to, group in by_receiver(messages)]
        assert [to for to, _ in shown] == [to for to, _ in calls[step]], step
        for (to, told), (_, made) in zip(shown, calls[step], strict=True):
            if to == SECRETS:
                assert told == made, step
            else:
                # In this order, among others.
                rest = iter(made)
                assert all(any(call.startswith(each) for call in rest) for each in told), (step, told, made)


def by_receiver(messages: tuple[Message, ...]) -> list[tuple[str, list[Message]]]:
    return [(to, list(group)) for to, group in groupby(messages, key=lambda message: message.recipient)]
