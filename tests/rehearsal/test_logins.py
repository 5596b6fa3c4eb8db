"""Clients that log in continuously while the credential changes."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg2
import pytest

from lambda_rotation.credential import Credential
from rehearsal.logins import logging_in


@dataclass
class Database:
    """A database with one user at a time, which counts closed connections."""

    user: str = "one"
    refuses: bool = False
    closed: int = 0
    reads: int = 0
    unreadable: bool = False
    seen: set[str] = field(default_factory=set)

    def read(self) -> Credential:
        self.reads += 1
        if self.unreadable:
            raise LookupError("no secret to read")
        return Credential(
            username=self.user, password="p", engine="postgres", host="h", port=1, dbname="d", reader_host="r"
        )

    def log_in(self, credential: Credential) -> Any:
        if self.refuses:
            raise psycopg2.OperationalError(f"no such user: {credential.username}")
        self.seen.add(credential.username)
        return self

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def database() -> Database:
    return Database()


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def test_clients_log_in_until_the_end_and_close_connections(database: Database):
    with logging_in(database.read, database.log_in, (60.0, 60.0)) as clients:
        wait_for(lambda: all(client.logins > 3 for client in clients))
    logins = sum(client.logins for client in clients)
    assert (len(clients), database.closed) == (2, logins)
    assert not any(client.failures for client in clients)
    time.sleep(0.05)
    assert sum(client.logins for client in clients) == logins


def test_credential_is_read_again_when_the_cache_expires(database: Database):
    with logging_in(database.read, database.log_in, (60.0, 0.05)) as (keeps, forgets):
        database.user = "two"
        wait_for(lambda: "two" in database.seen)
        assert keeps.logins
        assert forgets.logins
    assert database.reads > 2


def test_credential_is_read_for_every_login_without_cache(database: Database):
    with logging_in(database.read, database.log_in, (0.0,)) as (client,):
        wait_for(lambda: client.logins > 3)
    assert database.reads >= client.logins


def test_failed_login_is_counted_with_its_reason_and_retried(database: Database):
    database.refuses = True
    with logging_in(database.read, database.log_in, (60.0,)) as (client,):
        wait_for(lambda: len(client.failures) > 1)
        database.refuses = False
        wait_for(lambda: client.logins > len(client.failures))
    assert set(client.failures) == {"no such user: one"}


def test_unreadable_credential_counts_as_a_failed_login(database: Database):
    database.unreadable = True
    with logging_in(database.read, database.log_in, (0.0,)) as (client,):
        wait_for(lambda: client.failures)
        database.unreadable = False
        wait_for(lambda: client.logins > len(client.failures))
    assert set(client.failures) == {"no secret to read"}


def test_clients_stop_when_the_rehearsal_fails(database: Database):
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError), logging_in(database.read, database.log_in, (0.0,)):
        raise ZeroDivisionError
    assert threading.active_count() == before
