"""Nobody notices a rotation: clients that log in all the time, while twenty of them go by.

And the same clients notice, where they must: a single login whose password is changed under them, and clients that hold
a credential for longer than two rotations.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lambda_rotation import database
from lambda_rotation.secret import Secret
from rehearsal.logins import logging_in
from tests.rotation.fixtures import RotationFixture

ROTATIONS = 20
LOGINS = 2_000
APART = 2.0
"""Seconds from one move of AWSCURRENT to the next change of a role, at least."""


class Clock:
    """When AWSCURRENT was moved, and when a role was changed after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.moved = 0.0
        self.apart: list[float] = []
        promote, prepare = Secret.promote, database.prepare

        def timed_promote(secret: Secret) -> None:
            promote(secret)
            self.moved = time.monotonic()

        def timed_prepare(*arguments: Any, **named: Any) -> None:
            if self.moved:
                self.apart.append(time.monotonic() - self.moved)
            prepare(*arguments, **named)

        monkeypatch.setattr(Secret, "promote", timed_promote)
        monkeypatch.setattr(database, "prepare", timed_prepare)


def rotate(times: int, apart: float, rotate_once: Callable[[], object]) -> None:
    for _ in range(times):
        time.sleep(apart)
        rotate_once()


def test_no_login_fails(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    clock = Clock(monkeypatch)
    rotation.rotate()
    cached_for = [0, 1, 0.9 * APART, 0, 1, 0.9 * APART, 0, 1]
    with logging_in(rotation.current, rotation.log_in, cached_for) as clients:
        rotate(ROTATIONS, APART, rotation.rotate)
    logins, failed = (
        sum(client.logins for client in clients),
        [error for client in clients for error in client.failures],
    )
    with capsys.disabled():
        print(
            f"\n{logins} logins in {ROTATIONS} rotations, {min(clock.apart):.2f} s apart or more: {len(failed)} failed"
        )
    assert len(clock.apart) == ROTATIONS
    assert min(clock.apart) >= APART
    assert logins >= LOGINS
    assert not failed


def test_a_client_that_holds_a_credential_for_longer_than_two_rotations_fails(rotation: RotationFixture):
    rotation.rotate()
    with logging_in(rotation.current, rotation.log_in, [60.0]) as clients:
        rotate(4, 0.3, rotation.rotate)
    assert clients[0].failures


def test_a_single_login_whose_password_is_changed_fails(rotation: RotationFixture):
    """As AWS's single-user rotation does it: the password first, the secret after."""
    rotation.rotate()

    def rotate_in_place() -> None:
        current = rotation.current()
        changed = replace(current, password=current.password[::-1])
        rotation.server.execute(f"ALTER ROLE {current.username} PASSWORD '{changed.password}'")
        # What Secrets Manager takes to call the next step, and to answer.
        time.sleep(0.1)
        rotation.client.put_secret_value(SecretId=rotation.secret_arn, SecretString=changed.dump())

    with logging_in(rotation.current, rotation.log_in, [0, 0, 1, 1]) as clients:
        rotate(3, 0.5, rotate_in_place)
    assert [bool(client.failures) for client in clients] == [True] * 4
