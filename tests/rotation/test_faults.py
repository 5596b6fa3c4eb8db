"""The network and the server as they can be: each fault is told as what it is, and nothing has changed."""

import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import encrypt_password

from lambda_rotation import database
from lambda_rotation.errors import DatabaseError
from local_aws.certificate_authority import CertificateAuthority
from tests.rotation.fixtures import RotationFixture
from tests.rotation.server import READER, WRITER

ELSEWHERE = "127.0.0.3"
"""An address of this machine that no server listens on, unless a test does."""


@pytest.fixture
def unchanged(rotation: RotationFixture) -> Generator[RotationFixture]:
    """A rotation under way, whose set step is to fail and to change nothing."""
    rotation.rotate()
    token = rotation.begin_rotation()
    rotation.step("createSecret", token)

    def state() -> list[Any]:
        verifiers = (
            "SELECT a.rolname::text, a.rolpassword, r.rolconfig::text FROM pg_authid a JOIN pg_roles r USING (rolname)"
        )
        return [rotation.server.execute(f"{verifiers} ORDER BY 1"), rotation.stages()]

    before = state()
    yield rotation
    assert state() == before
    assert rotation.can_log_in()


def failure(rotation: RotationFixture, step: str = "setSecret") -> str:
    (token,) = (version for version, stages in rotation.stages().items() if "AWSPENDING" in stages)
    with pytest.raises(DatabaseError) as raised:
        rotation.step(step, token)
    text = str(raised.value)
    assert text.startswith(f"{step} of {rotation.secret_arn}, version {token}: ")
    assert (
        text.endswith("docs/rotation.md, a rotation failed, says what to look at if it goes on") or "failover" in text
    )
    return text


def test_a_server_that_refuses(unchanged: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_HOST", ELSEWHERE)
    with pytest.raises(Exception, match="for another database or role: host"):
        failure(unchanged)
    monkeypatch.setenv("DATABASE_HOST", WRITER)
    monkeypatch.setattr(database, "transaction", through(ELSEWHERE))
    assert "Connection refused" in failure(unchanged)


def through(host: str) -> Any:
    """Sessions that go to another address, as a name that leads elsewhere would."""
    plain = database.transaction  # the one place where a host becomes a connection

    @contextmanager
    def session(deployment: Any, _: str, user: str, password: str) -> Generator[Any]:
        with plain(deployment, host, user, password) as opened:
            yield opened

    return session


@contextmanager
def listening(port: int, serve: Callable[[socket.socket], None]) -> Generator[None]:
    """Something that is no database, on the database's port of another address."""
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


def test_a_server_that_hangs(unchanged: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    # Not longer than the failing step: what looks at the database afterwards may take its time.
    with monkeypatch.context() as patch, listening(unchanged.server.port, lambda _: None):
        patch.setattr(database, "RESPONSE_TIMEOUT", 0.5)
        patch.setattr(database, "transaction", through(ELSEWHERE))
        assert "no answer within 0.5 s" in failure(unchanged)


def test_a_server_that_drops_the_connection(unchanged: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "transaction", through(ELSEWHERE))
    with listening(unchanged.server.port, lambda client: client.shutdown(socket.SHUT_RDWR)):
        assert "server closed the connection unexpectedly" in failure(unchanged)


def test_a_connection_that_breaks_in_mid_statement(unchanged: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    """After the roles have been changed, and before it is committed."""
    plain = encrypt_password

    def breaking(*arguments: Any) -> Any:
        verifier = plain(*arguments)
        unchanged.server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'credential-rotation'"
        )
        return verifier

    monkeypatch.setattr(database, "encrypt_password", breaking)
    assert "terminating connection due to administrator command" in failure(unchanged)


def test_a_lock_that_somebody_holds(unchanged: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "LOCK_TIMEOUT", 1)
    holder = unchanged.server.connect_as_superuser(unchanged.database)
    with holder.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock({database.ADVISORY_LOCK})")
    try:
        assert "canceling statement due to lock timeout" in failure(unchanged)
    finally:
        holder.close()


def test_a_failover_that_is_under_way(unchanged: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    """The writer's name still leads to what is a reader now."""
    monkeypatch.setattr(database, "transaction", through(READER))
    assert "The writer's endpoint leads to a reader. A failover is under way" in failure(unchanged)


def test_a_certificate_of_another_name(unchanged: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "transaction", through("localhost"))
    assert 'does not match host name "localhost"' in failure(unchanged)


def test_a_certificate_of_another_authority(unchanged: RotationFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Any):
    other = tmp_path / "other.pem"
    other.write_bytes(CertificateAuthority().pem)
    monkeypatch.setattr("lambda_rotation.configuration.CERTIFICATES", other)
    # Of the same name as the one that is trusted, so it is the signature that differs.
    assert "signature failure" in failure(unchanged)


def test_no_authority_at_all(unchanged: RotationFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Any):
    monkeypatch.setattr("lambda_rotation.configuration.CERTIFICATES", tmp_path / "none.pem")
    assert "does not exist" in failure(unchanged)


def test_a_certificate_that_has_expired(unchanged: RotationFixture):
    with unchanged.server.certificate(expired=True):
        assert "SSL error: certificate verify failed" in failure(unchanged)


def test_a_server_that_speaks_plaintext_only(unchanged: RotationFixture):
    with unchanged.server.plaintext():
        assert "server does not support SSL" in failure(unchanged)


@pytest.mark.parametrize("fault", ["expired", "plaintext"])
def test_a_pending_credential_is_not_sent_to_a_server_that_cannot_be_trusted(rotation: RotationFixture, fault: str):
    token = rotation.begin_rotation()
    rotation.step("createSecret", token)
    rotation.step("setSecret", token)
    distrusted = rotation.server.plaintext() if fault == "plaintext" else rotation.server.certificate(expired=True)
    with distrusted, pytest.raises(DatabaseError):
        rotation.step("testSecret", token)
    rotation.rotate(token)
    assert rotation.can_log_in()


def test_a_session_that_is_not_encrypted_is_found(monkeypatch: pytest.MonkeyPatch, rotation: RotationFixture):
    """Were sslmode ever to be loosened."""
    token = rotation.begin_rotation()
    rotation.step("createSecret", token)
    rotation.step("setSecret", token)
    connect = psycopg2.connect

    def loosened(**named: Any) -> Any:
        if "sslmode" in named:
            named["sslmode"] = "disable"
        return connect(**named)

    monkeypatch.setattr(psycopg2, "connect", loosened)
    with rotation.server.plaintext(), pytest.raises(DatabaseError, match="The session is not encrypted"):
        rotation.step("testSecret", token)
