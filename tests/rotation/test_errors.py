"""Errors that a retry does not help: each names its cause and a remedy, and announces no retry. None shows a value."""

import os
from dataclasses import replace

import pytest

from lambda_rotation import database
from lambda_rotation.configuration import Configuration
from lambda_rotation.errors import DatabaseError, RotationError, RotationRefusedError
from tests.rotation.fixtures import RotationFixture
from tests.rotation.server import MASTER, MASTER_PASSWORD, WRITER

RETRY = "Secrets Manager retries"
VALUE = "a-value-of-a-row"


def error_of(rotation: RotationFixture, statement: str, database_name: str | None = None) -> RotationError:
    """The error of a statement of the master user."""
    configuration = Configuration.from_environment(os.environ)
    configuration = replace(configuration, database=database_name or rotation.database)
    with (
        pytest.raises(RotationError) as raised,
        database.transaction(configuration, WRITER, MASTER, MASTER_PASSWORD) as session,
    ):
        session.execute(statement)
    return raised.value


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("CREATE ROLE r SUPERUSER", "Only roles with the SUPERUSER attribute may create roles with the SUPERUSER"),
        ("CREATE ROLE pg_mine", 'role name "pg_mine" is reserved. Role names starting with "pg_" are reserved'),
        ("SELECT missing()", "missing() does not exist. No function matches the given name and argument types"),
        ("CREATE TEMP TABLE t (); CREATE TEMP VIEW v AS SELECT FROM t; DROP TABLE t", "view v depends on table t. Use"),
    ],
)
def test_detail_and_hint_are_kept(rotation: RotationFixture, statement: str, expected: str):
    error = error_of(rotation, statement)
    assert isinstance(error, RotationRefusedError)
    assert expected in str(error)
    assert RETRY not in str(error)
    assert str(error).endswith("Fix the cause, then run `python -m operations rotate`")


@pytest.mark.parametrize(
    "statement",
    [
        f"CREATE TEMP TABLE t (a text PRIMARY KEY); INSERT INTO t VALUES ('{VALUE}'), ('{VALUE}')",
        f"CREATE TEMP TABLE t (a text CHECK (a = '')); INSERT INTO t VALUES ('{VALUE}')",
        f"SELECT '{VALUE}'::integer",
        f"SELECT '{VALUE}'::jsonb",
        f"DO $$ BEGIN RAISE 'x' USING ERRCODE = '42501', DETAIL = '{VALUE}', HINT = '{VALUE}'; END $$",
        f"SELECT '{VALUE}' FROM missing_table",
    ],
)
def test_no_value_is_shown(rotation: RotationFixture, statement: str):
    error = error_of(rotation, statement)
    assert VALUE not in str(error)
    assert RETRY not in str(error)


def test_a_statement_that_may_succeed_later_is_retried(rotation: RotationFixture):
    assert isinstance(error_of(rotation, "SET statement_timeout = 1; SELECT pg_sleep(1)"), DatabaseError)


def test_a_missing_database_is_not_retried(rotation: RotationFixture):
    error = error_of(rotation, "", "missing")
    assert isinstance(error, RotationRefusedError)
    assert 'database "missing" does not exist. A retry would fail, too' in str(error)


def test_a_login_that_was_disabled_is_not_retried(rotation: RotationFixture):
    token = rotation.begin_rotation()
    rotation.step("createSecret", token)
    rotation.step("setSecret", token)
    rotation.server.execute(f"ALTER ROLE {rotation.logins[0]} NOLOGIN")
    with pytest.raises(RotationRefusedError, match=r"is not permitted to log in\. A retry would fail"):
        rotation.step("testSecret", token)
    # It is repaired by the step before.
    rotation.rotate(token)


READ_ONLY = "SET default_transaction_read_only = on"


@pytest.mark.parametrize("where", ["DATABASE {database}", "ROLE {master}", "ROLE {master} IN DATABASE {database}"])
def test_a_read_only_database_is_refused(rotation: RotationFixture, where: str):
    rotation.rotate()
    place = where.format(database=rotation.database, master=MASTER)
    rotation.server.execute(f"ALTER {place} {READ_ONLY}")
    token = rotation.begin_rotation()
    reset = f"ALTER {place} RESET default_transaction_read_only"
    try:
        with pytest.raises(RotationRefusedError, match=rf"The database is read-only: .*\. {reset}$"):
            rotation.rotate(token)
    finally:
        rotation.server.execute(reset)
    rotation.rotate(token)


def test_a_read_only_cluster_is_refused(rotation: RotationFixture):
    rotation.server.configure(default_transaction_read_only="on")
    try:
        with pytest.raises(RotationRefusedError, match=r"is on \(configuration file\)\. Change the parameter group"):
            rotation.rotate()
    finally:
        rotation.server.configure(default_transaction_read_only="off")


def test_a_read_only_login_is_refused(rotation: RotationFixture):
    token = rotation.begin_rotation()
    rotation.step("createSecret", token)
    rotation.step("setSecret", token)
    rotation.server.execute(f"ALTER ROLE {rotation.logins[0]} {READ_ONLY}")
    with pytest.raises(RotationRefusedError, match=f"ALTER ROLE {rotation.logins[0]} RESET default_transaction"):
        rotation.step("testSecret", token)


def test_a_transaction_that_is_read_only_names_the_remedy(rotation: RotationFixture):
    error = error_of(rotation, "SET TRANSACTION READ ONLY; CREATE ROLE r")
    assert "Let the database accept writes" in str(error)


@pytest.mark.parametrize("expired", [0, 1])
def test_an_expired_login_is_repaired(rotation: RotationFixture, expired: int):
    """Both, whichever is the current one."""
    rotation.rotate()
    rotation.rotate()
    rotation.server.execute(f"ALTER ROLE {rotation.logins[expired]} VALID UNTIL '2020-01-01'")
    rotation.rotate()
    assert rotation.can_log_in()
    assert not rotation.server.execute(
        f"SELECT rolname FROM pg_roles WHERE rolname LIKE '{rotation.owner}%' AND rolvaliduntil < 'infinity'"
    )


@pytest.mark.parametrize("variable", ["OWNER_ROLE", "ADOPTED_ROLE"])
@pytest.mark.parametrize("name", ["public", "none", "pg_mine", "rdsadmin", "rds_superuser", "information_schema"])
def test_reserved_role_names_are_refused(
    rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch, variable: str, name: str
):
    monkeypatch.setenv(variable, name)
    with pytest.raises(RotationRefusedError, match=f"'{name}' is not a valid role name: .* Change rotation.owner"):
        rotation.rotate()
