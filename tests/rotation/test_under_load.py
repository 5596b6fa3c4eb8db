"""Rotations under load: clients that log in continuously have no failed logins during twenty rotations.

The same clients do fail where they must: if the password of a single login role is changed in place, and if a client
caches a credential for longer than two rotations.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lambda_rotation import database
from lambda_rotation.secret import Secret
from rehearsal import logins
from rehearsal.logins import logging_in
from tests.measurement import unmeasured
from tests.rotation.fixtures import RotationFixture

ROTATIONS = 20
LOGINS = 500
PAUSE = 0.4
"""Seconds between two logins of a client."""
APART = 2.0
"""Minimum seconds between a move of AWSCURRENT and the next change of a role."""


class Clock:
    """Measures the time between a move of AWSCURRENT and the next change of a role."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.moved = 0.0
        self.apart: list[float] = []
        promote, prepare = Secret.promote, database.prepare

        def timed_promote(secret: Secret) -> None:
            promote(secret)
            self.moved = time.monotonic()

        def timed_prepare(*arguments: Any, **options: Any) -> None:
            if self.moved:
                self.apart.append(time.monotonic() - self.moved)
            prepare(*arguments, **options)

        monkeypatch.setattr(Secret, "promote", timed_promote)
        monkeypatch.setattr(database, "prepare", timed_prepare)


def rotate(times: int, apart: float, rotate_once: Callable[[], object]) -> None:
    for _ in range(times):
        time.sleep(apart)
        rotate_once()


@unmeasured
def test_no_login_fails(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(logins, "PAUSE", PAUSE)
    clock = Clock(monkeypatch)
    rotation.rotate()
    cached_for = [0, 1, 0.9 * APART, 0, 1, 0.9 * APART, 0, 1]
    with logging_in(rotation.current, rotation.log_in, cached_for) as clients:
        rotate(ROTATIONS, APART, rotation.rotate)
    made = sum(client.logins for client in clients)
    failed = [error for client in clients for error in client.failures]
    with capsys.disabled():
        print(f"\n{made} logins in {ROTATIONS} rotations, {min(clock.apart):.2f} s apart or more: {len(failed)} failed")
    assert len(clock.apart) == ROTATIONS
    assert min(clock.apart) >= APART
    assert made >= LOGINS
    assert not failed


@unmeasured
def test_a_credential_cached_for_longer_than_two_rotations_fails(rotation: RotationFixture):
    rotation.rotate()
    with logging_in(rotation.current, rotation.log_in, [60.0]) as clients:
        rotate(4, 0.3, rotation.rotate)
    assert clients[0].failures


@unmeasured
def test_single_user_rotation_fails_logins(rotation: RotationFixture):
    """As in AWS's single-user rotation: first the password, then the secret."""
    rotation.rotate()

    def rotate_in_place() -> None:
        current = rotation.current()
        changed = replace(current, password=current.password[::-1])
        rotation.server.execute(f"ALTER ROLE {current.username} PASSWORD '{changed.password}'")
        # The time until Secrets Manager calls the next step.
        time.sleep(0.5)
        rotation.client.put_secret_value(SecretId=rotation.secret_arn, SecretString=changed.dump())

    with logging_in(rotation.current, rotation.log_in, [0, 0, 1, 1]) as clients:
        rotate(3, 0.5, rotate_in_place)
    assert [bool(client.failures) for client in clients] == [True] * 4
