"""Faults of the network and the server: each is reported with its cause, and changes nothing."""

import re
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Thread
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
from psycopg2.extensions import encrypt_password

from lambda_rotation import database
from lambda_rotation.errors import DatabaseError, RotationRefusedError
from local_aws.certificate_authority import CertificateAuthority
from tests.rotation.fixtures import RotationFixture
from tests.rotation.server import READER, wait_until

ELSEWHERE = "127.0.0.3"
"""A loopback address on which no server listens, except in tests that start one."""


@pytest.fixture
def failing_rotation(rotation: RotationFixture) -> Generator[RotationFixture]:
    """A rotation in progress whose setSecret step must fail without changing anything."""
    rotation.rotate()
    token = rotation.begin_rotation()
    rotation.step("createSecret", token)

    def state() -> list[Any]:
        roles = (
            "SELECT a.rolname::text, a.rolpassword, r.rolconfig::text"
            " FROM pg_authid a JOIN pg_roles r USING (rolname) ORDER BY 1"
        )
        return [rotation.server.execute(roles), rotation.stages()]

    before = state()
    yield rotation
    assert state() == before
    assert rotation.can_log_in()


def pending_version(rotation: RotationFixture) -> str:
    (token,) = (version for version, stages in rotation.stages().items() if "AWSPENDING" in stages)
    return token


def failure(rotation: RotationFixture) -> str:
    token = pending_version(rotation)
    with pytest.raises(DatabaseError) as raised:
        rotation.step("setSecret", token)
    text = str(raised.value)
    assert text.startswith(f"setSecret of {rotation.secret_arn}, version {token}: ")
    # A failover has a remedy of its own.
    assert text.endswith('If it keeps failing, see "A rotation failed" in docs/rotation.md') or "failover" in text
    return text


def test_a_pending_credential_for_another_host_is_refused(
    failing_rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        patch.setenv("DATABASE_HOST", ELSEWHERE)
        with pytest.raises(RotationRefusedError, match="for another database or role: host"):
            failing_rotation.step("setSecret", pending_version(failing_rotation))


def test_connection_refused(failing_rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "transaction", through(ELSEWHERE))
    assert "Connection refused" in failure(failing_rotation)


def through(host: str) -> Any:
    """Replacement of `database.transaction` that connects to another host, as if DNS resolved to it."""
    original = database.transaction  # the only function that connects

    @contextmanager
    def session(configuration: Any, _: str, user: str, password: str) -> Generator[Any]:
        with original(configuration, host, user, password) as opened:
            yield opened

    return session


@contextmanager
def listening(port: int, serve: Callable[[socket.socket], None]) -> Generator[None]:
    """A server other than PostgreSQL, on the database's port of ELSEWHERE."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((ELSEWHERE, port))
        server.listen()
        server.settimeout(20)
        taken: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                taken.append(client)
                Thread(target=serve, args=(client,), daemon=True).start()

        accepting = Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield
        finally:
            server.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for client in taken:
                client.close()


def test_a_server_that_does_not_respond(failing_rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    # Only for the failing step: the checks after the test need the normal timeout.
    with monkeypatch.context() as patch, listening(failing_rotation.server.port, lambda _: None):
        patch.setattr(database, "RESPONSE_TIMEOUT", 0.5)
        patch.setattr(database, "transaction", through(ELSEWHERE))
        assert "no response within 0.5 s" in failure(failing_rotation)


def test_a_session_that_takes_too_long(failing_rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    """The deadline applies to that session only: `failing_rotation` can still connect afterwards."""
    monkeypatch.setattr(database, "SESSION_TIMEOUT", 0)
    with listening(failing_rotation.server.port, lambda _: None):
        monkeypatch.setattr(database, "transaction", through(ELSEWHERE))
        assert "the session took longer than 0 s" in failure(failing_rotation)


def test_a_server_that_closes_the_connection(failing_rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "transaction", through(ELSEWHERE))
    with listening(failing_rotation.server.port, lambda client: client.shutdown(socket.SHUT_RDWR)):
        assert "server closed the connection unexpectedly" in failure(failing_rotation)


def test_a_connection_that_is_lost_within_the_transaction(
    failing_rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch
):
    """It is lost when roles have been altered, but before the password is set and the transaction committed."""
    original = encrypt_password

    def terminate_session(*arguments: Any) -> Any:
        verifier = original(*arguments)
        failing_rotation.server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'credential-rotation'"
        )
        return verifier

    monkeypatch.setattr(database, "encrypt_password", terminate_session)
    assert "terminating connection due to administrator command" in failure(failing_rotation)


def test_a_lock_held_by_another_session(failing_rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "LOCK_TIMEOUT", 1)
    holder = failing_rotation.server.connect_as_superuser(failing_rotation.database)
    with holder.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock({database.ADVISORY_LOCK})")
    try:
        assert "canceling statement due to lock timeout" in failure(failing_rotation)
    finally:
        holder.close()


def test_a_failover_in_progress(failing_rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    """The writer endpoint still resolves to the instance that has become a reader."""
    monkeypatch.setattr(database, "transaction", through(READER))
    assert "The writer endpoint resolves to a reader. A failover is in progress" in failure(failing_rotation)


def test_a_certificate_for_another_host(failing_rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "transaction", through("localhost"))
    assert 'does not match host name "localhost"' in failure(failing_rotation)


def test_a_certificate_of_an_untrusted_authority(
    failing_rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
):
    other = tmp_path / "other.pem"
    other.write_bytes(CertificateAuthority().pem)
    monkeypatch.setattr("lambda_rotation.configuration.CERTIFICATES", other)
    # It has the same name as the trusted one, so only the signature differs.
    assert "signature failure" in failure(failing_rotation)


def test_a_missing_certificate_authority(
    failing_rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
):
    monkeypatch.setattr("lambda_rotation.configuration.CERTIFICATES", tmp_path / "none.pem")
    assert "does not exist" in failure(failing_rotation)


def test_an_expired_certificate(failing_rotation: RotationFixture):
    with failing_rotation.server.certificate(expired=True):
        assert "SSL error: certificate verify failed" in failure(failing_rotation)


def test_a_server_without_tls(failing_rotation: RotationFixture):
    with failing_rotation.server.plaintext():
        assert "server does not support SSL" in failure(failing_rotation)


@pytest.mark.parametrize("fault", ["expired", "plaintext"])
def test_a_pending_credential_is_not_sent_to_an_untrusted_server(rotation: RotationFixture, fault: str):
    token = rotation.begin_rotation()
    rotation.step("createSecret", token)
    rotation.step("setSecret", token)
    untrusted = rotation.server.plaintext() if fault == "plaintext" else rotation.server.certificate(expired=True)
    with untrusted, pytest.raises(DatabaseError):
        rotation.step("testSecret", token)
    assert logins(rotation) == []
    rotation.rotate(token)
    assert logins(rotation) != []


def logins(rotation: RotationFixture) -> list[str]:
    """Lines of the server's log about logins of the pending role, successful or not."""
    marker = f"SELECT '{uuid4()}'"
    rotation.server.execute(marker)
    wait_until(lambda: marker in rotation.server.log.read_text())
    about = re.compile(rf'connection authorized: user={rotation.logins[0]} |FATAL: .*"{rotation.logins[0]}"')
    return [line for line in rotation.server.log.read_text().splitlines() if about.search(line)]


def test_an_unencrypted_session_is_detected(monkeypatch: pytest.MonkeyPatch, rotation: RotationFixture):
    """A second check, in case sslmode is ever relaxed."""
    token = rotation.begin_rotation()
    rotation.step("createSecret", token)
    rotation.step("setSecret", token)
    connect = psycopg2.connect

    def connect_without_tls(**options: Any) -> Any:
        if "sslmode" in options:
            options["sslmode"] = "disable"
        return connect(**options)

    monkeypatch.setattr(psycopg2, "connect", connect_without_tls)
    with rotation.server.plaintext(), pytest.raises(DatabaseError, match="The session is not encrypted"):
        rotation.step("testSecret", token)
