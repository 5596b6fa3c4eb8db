"""Database operations of a rotation: create roles and schema, set the password of a login role, and verify the login.

All changes happen in one transaction of the RDS master user, which is not a superuser. The server receives SCRAM
verifiers, never passwords.
"""

import math
import re
import select
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import psycopg2
from psycopg2 import errors as pg
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE, connection, cursor, encrypt_password, set_wait_callback
from psycopg2.sql import SQL, Composable, Identifier, Literal

from lambda_rotation import adoption
from lambda_rotation.adoption import Adoption
from lambda_rotation.configuration import ROLE_COMMENT, Configuration
from lambda_rotation.credential import Credential, MasterCredential
from lambda_rotation.errors import SEE_RUNBOOK, DatabaseError, RotationError, RotationRefusedError

# Seconds. Each of the first four exceeds the one before it; a test compares them with the function's timeout.
LOCK_TIMEOUT = 10
STATEMENT_TIMEOUT = 15
RESPONSE_TIMEOUT = 60
"""For a server that does not respond at all: the timeouts above are enforced by the server itself. A cluster that was
paused for more than a day takes 30 seconds and more to accept a connection.

https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2-auto-pause.html
"""
SESSION_TIMEOUT = 75
REPLICA_TIMEOUT = 20
"""Tolerated replication lag."""

# Limits on the application's sessions, in milliseconds.
SESSION_LIMITS = {
    "statement_timeout": 30_000,
    "lock_timeout": 10_000,
    "idle_in_transaction_session_timeout": 60_000,
}

AUDIT_EXTENSION = "pgaudit"

# Classes of SQLSTATE. A connection that fails has none.
# https://www.postgresql.org/docs/17/errcodes-appendix.html
TRANSIENT = {"", "08", "40", "53", "55", "57", "58", "XX"}
"""A retry may succeed."""
WITHOUT_VALUES = {"", "0L", "0P", "25", "28", "2B", "42", "53", "55", "57"}
"""DETAIL and HINT contain names and no values, unlike those of constraints (23) and data (22)."""
PERMANENT = re.compile(
    r"is not permitted to log in|permission denied for database|no pg_hba\.conf entry"
    r'|(database|role) ".*" does not exist'
)
"""Connections that a retry does not help."""

# As in pg_dump: values of these are lists of identifiers.
# https://github.com/postgres/postgres/blob/REL_17_STABLE/src/bin/pg_dump/dumputils.c (variable_is_guc_list_quote)
LISTS = {"local_preload_libraries", "search_path", "session_preload_libraries", "temp_tablespaces"}
LISTED = re.compile(r'"((?:[^"]|"")*)"|([^\s,]+)')

ADVISORY_LOCK = 0x676C6F6265  # "globe": an arbitrary number that no other program uses


def prepare(
    configuration: Configuration,
    master: MasterCredential,
    pending: Credential,
    *,
    check_pending: Callable[[], None] = lambda: None,
) -> bool:
    """Create missing roles and the schema, and set the password of the pending login role.

    Returns whether an adopted role may still log in.

    Args:
        check_pending: called under the lock, before the commit. It raises an exception if another rotation has
            replaced this one: the commit would then change the password of the current login role.

    Raises:
        DatabaseError: the server could not be reached or refused a statement; nothing has changed.
        RotationRefusedError: a role or schema of the same name exists, or the role cannot be adopted; nothing has
            changed.
    """
    with transaction(configuration, configuration.host, master.username, master.password) as session:
        # The database's setting role, which the master user may follow, would take its CREATEROLE away.
        _execute(session, SQL("SET ROLE NONE"))
        _execute(session, SQL("SELECT pg_advisory_xact_lock({})").format(Literal(ADVISORY_LOCK)))
        if _fetch_value(session, SQL("SELECT pg_is_in_recovery()")):
            raise DatabaseError(
                "The writer endpoint resolves to a reader", "A failover is in progress; the next attempt should succeed"
            )
        _check_writable(session, configuration)
        _check_roles(session, configuration, master)
        if not configuration.adopted:
            _ensure_owner(session, configuration.owner)
            _ensure_schema(session, configuration)
        _ensure_login(session, configuration, pending.username)
        _ensure_audit_extension(session)
        verifier = encrypt_password(pending.password, pending.username, session.connection, "scram-sha-256")
        _execute(session, SQL("ALTER ROLE {} PASSWORD {}").format(Identifier(pending.username), Literal(verifier)))
        can_log_in = _fetch_value(
            session, SQL("SELECT rolcanlogin FROM pg_roles WHERE rolname = {}").format(Literal(configuration.adopted))
        )
        check_pending()
        session.connection.commit()
        return bool(can_log_in)


def verify(configuration: Configuration, pending: Credential, master: str) -> None:
    """Log in to both endpoints, and test what the application must and must not be able to do.

    Args:
        master: name of the master user, to which the login role must not be able to SET ROLE.

    Raises:
        DatabaseError: the login, its session or its privileges are not as required.
    """
    with transaction(configuration, pending.host, pending.username, pending.password) as session:
        if configuration.adopted:
            # Its setting default_transaction_read_only is the logins' as well.
            session.connection.set_session(readonly=False)
        _check_session(session, configuration, pending)
        if not configuration.adopted:
            _check_writable(session, configuration)
            probe = Identifier(configuration.owner, "rotation_probe")
            _execute(session, SQL("CREATE TABLE {} (id integer)").format(probe))
            _execute(session, SQL("INSERT INTO {} VALUES (1)").format(probe))
            # An adopted role keeps this privilege.
            _expect_denied(session, SQL("CREATE SCHEMA rotation_probe"))
        for forbidden in _forbidden_statements(master):
            _expect_denied(session, forbidden)
        session.connection.rollback()
    deadline = time.monotonic() + REPLICA_TIMEOUT
    while True:
        try:
            return _verify_reader(configuration, pending)
        except RotationError:
            # The role, its password or its schema may not be replicated yet.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _verify_reader(configuration: Configuration, pending: Credential) -> None:
    with transaction(configuration, pending.reader_host, pending.username, pending.password) as session:
        _check_session(session, configuration, pending)
        if configuration.adopted:
            return
        # Raises an error until the schema is replicated.
        if not _fetch_value(
            session, SQL("SELECT has_schema_privilege({}, 'USAGE')").format(Literal(configuration.owner))
        ):
            raise DatabaseError("The application has no access to its schema on the reader", SEE_RUNBOOK)
        _execute(
            session,
            SQL("SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace({})").format(
                Literal(configuration.owner)
            ),
        )


def _ensure_owner(session: cursor, owner: str) -> None:
    if _role_exists(session, owner):
        return
    _execute(session, SQL("CREATE ROLE {} NOLOGIN").format(Identifier(owner)))
    _comment(session, owner)
    # The creator of a role may grant it, but must be a member to SET ROLE to it.
    _execute(session, SQL("GRANT {} TO CURRENT_USER WITH INHERIT FALSE, SET TRUE").format(Identifier(owner)))


def _ensure_schema(session: cursor, configuration: Configuration) -> None:
    owner = _fetch_value(
        session,
        SQL("SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = {}").format(
            Literal(configuration.owner)
        ),
    )
    if owner not in {None, configuration.owner}:
        raise RotationRefusedError(f"The schema {configuration.owner} belongs to {owner}", RENAME_ROLE)
    if owner is None:
        role = Identifier(configuration.owner)
        _execute(session, SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(role, role))
    _execute(
        session,
        SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(
            Identifier(configuration.database), Identifier(configuration.owner)
        ),
    )


def _ensure_login(session: cursor, configuration: Configuration, login: str) -> None:
    role = Identifier(login)
    if not _role_exists(session, login):
        _execute(session, SQL("CREATE ROLE {} LOGIN").format(role))
        _comment(session, login)
    _execute(
        session, SQL("ALTER ROLE {} LOGIN CONNECTION LIMIT {}").format(role, Literal(configuration.connection_limit))
    )
    # The login roles act as this role in every session, so that both own whatever either creates.
    owner = configuration.adopted or configuration.owner
    _execute(session, SQL("GRANT {} TO {} WITH INHERIT TRUE, SET TRUE").format(Identifier(owner), role))
    _execute(session, SQL("ALTER ROLE {} SET role = {}").format(role, Literal(owner)))
    # It would take precedence.
    _execute(session, SQL("ALTER ROLE {} IN DATABASE {} RESET role").format(role, Identifier(configuration.database)))
    for parameter, limit in SESSION_LIMITS.items():
        value = SQL("RESET {}") if configuration.adopted else SQL("SET {} = {}")
        _execute(session, SQL("ALTER ROLE {} ").format(role) + value.format(Identifier(parameter), Literal(limit)))
    if configuration.adopted:
        _copy_settings(session, configuration, login)
    expiring = SQL(
        "SELECT rolname FROM pg_roles WHERE rolname IN ({}, {}) AND rolvaliduntil < 'infinity'"
        " AND shobj_description(oid, 'pg_authid') = {}"
    )
    for (name,) in _fetch_all(session, expiring.format(*map(Literal, (*configuration.logins, ROLE_COMMENT)))):
        _execute(session, SQL("ALTER ROLE {} VALID UNTIL 'infinity'").format(Identifier(name)))


def _copy_settings(session: cursor, configuration: Configuration, login: str) -> None:
    """Give a login role the settings of the adopted role, which PostgreSQL applies only when that role logs in."""
    roles = Adoption(configuration.adopted or "", configuration.owner, "")
    session.execute(adoption.SETTINGS, roles.values)
    for database, name, value in session.fetchall():
        value = roles.adopted if (name, value) == ("role", "none") else value
        values = _parse_list(value) if name in LISTS else [value]
        try:
            _execute(
                session,
                SQL("ALTER ROLE {}{} SET {} = {}").format(
                    Identifier(login),
                    SQL(" IN DATABASE {}").format(Identifier(database)) if database else SQL(""),
                    Identifier(*name.split(".")),
                    SQL(", ").join(map(Literal, values)),
                ),
            )
        except pg.InsufficientPrivilege as error:
            raise RotationRefusedError(
                f"The setting {name} of {roles.adopted} cannot be carried over: {_describe(error)}",
                f"As a superuser: ALTER ROLE {roles.adopted} RESET {name}",
            ) from error


def _ensure_audit_extension(session: cursor) -> None:
    """PCI DSS 10.2.1.5: create the extension of the preloaded audit library, which only the master user may do."""
    missing = SQL("SELECT 1 FROM pg_available_extensions WHERE name = {} AND installed_version IS NULL")
    if _fetch_value(session, missing.format(Literal(AUDIT_EXTENSION))):
        _execute(session, SQL("CREATE EXTENSION {} SCHEMA public").format(Identifier(AUDIT_EXTENSION)))


def _parse_list(value: str) -> list[str]:
    """Parse a list of identifiers, each quoted if necessary."""
    return [quoted.replace('""', '"') or plain.lower() for quoted, plain in LISTED.findall(value)] or [""]


def _check_writable(session: cursor, configuration: Configuration) -> None:
    row = _fetch_row(
        session,
        SQL(
            "SELECT source, session_user::text FROM pg_settings"
            " WHERE name = 'default_transaction_read_only' AND setting = 'on'"
        ),
    )
    if row:
        source, user = row
        where = {
            "database": f"ALTER DATABASE {configuration.database}",
            "user": f"ALTER ROLE {user}",
            "database user": f"ALTER ROLE {user} IN DATABASE {configuration.database}",
        }
        raise RotationRefusedError(
            f"The database is read-only: default_transaction_read_only is on ({source})",
            f"{where[source]} RESET default_transaction_read_only" if source in where else "Change the parameter group",
        )


def _check_roles(session: cursor, configuration: Configuration, master: MasterCredential) -> None:
    """Check, before anything changes, that the login roles can act as the role that they shall act as.

    Raises:
        RotationRefusedError: the master user may not grant or alter a role, a login role acts as another role, or the
            role cannot be adopted.
    """
    roles = Adoption(configuration.adopted or "", configuration.owner, master.username)

    def connect(database: str) -> AbstractContextManager[cursor]:
        return transaction(
            replace(configuration, database=database), configuration.host, master.username, master.password
        )

    refused = [
        *adoption.fetch_refusals(session, adoption.ADMIN_REFUSALS, roles),
        *adoption.fetch_refusals(session, adoption.LOGIN_REFUSALS, roles),
    ]
    if not refused and configuration.adopted:
        refused = adoption.refusals(roles, session, connect)
    if refused:
        more = f" (and {len(refused) - 1} more)" if refused[1:] else ""
        raise RotationRefusedError(f"{refused[0].object}: {refused[0].reason}{more}", refused[0].remedy)


def _role_exists(session: cursor, role: str) -> bool:
    """Whether the role exists.

    Raises:
        RotationRefusedError: it exists, but was not created by the rotation.
    """
    found = _fetch_row(
        session,
        SQL("SELECT pg_catalog.shobj_description(oid, 'pg_authid'::name) FROM pg_roles WHERE rolname = {}").format(
            Literal(role)
        ),
    )
    if found is not None and found[0] != ROLE_COMMENT:
        raise RotationRefusedError(f"The role {role} exists, but was not created by the rotation", RENAME_ROLE)
    return found is not None


def _comment(session: cursor, role: str) -> None:
    _execute(session, SQL("COMMENT ON ROLE {} IS {}").format(Identifier(role), Literal(ROLE_COMMENT)))


def _check_session(session: cursor, configuration: Configuration, pending: Credential) -> None:
    if not session.connection.info.ssl_in_use:
        raise DatabaseError("The session is not encrypted", SEE_RUNBOOK)
    expected = configuration.owner
    if configuration.adopted:
        expected = adoption.acts_as(Adoption(configuration.adopted, configuration.owner, ""), session)
    found = _fetch_row(session, SQL("SELECT session_user::text, current_user::text"))
    if found != (pending.username, expected):
        raise DatabaseError(
            f"The session is {' as '.join(found or ())}, not {pending.username} as {expected}", SEE_RUNBOOK
        )


def _forbidden_statements(master: str) -> Iterator[Composable]:
    yield SQL("CREATE ROLE rotation_probe")
    yield SQL("SELECT rolpassword FROM pg_authid")
    yield SQL("SET ROLE {}").format(Identifier(master))


def _expect_denied(session: cursor, statement: Composable) -> None:
    _execute(session, SQL("SAVEPOINT forbidden"))
    try:
        session.execute(statement)
    except pg.InsufficientPrivilege:
        _execute(session, SQL("ROLLBACK TO SAVEPOINT forbidden"))
    else:
        raise DatabaseError(f"The application may {statement.as_string(session)}, which must be forbidden", SEE_RUNBOOK)


@contextmanager
def transaction(configuration: Configuration, host: str, user: str, password: str) -> Generator[cursor]:
    """A cursor in a transaction, which only the caller commits. The connection is closed on exit.

    Raises:
        DatabaseError: the server could not be reached, or refused a statement.
    """
    set_wait_callback(_wait)
    deadline = _DEADLINE.set(min(_DEADLINE.get(), time.monotonic() + SESSION_TIMEOUT))
    try:
        with (
            closing(
                psycopg2.connect(
                    host=host,
                    port=configuration.port,
                    dbname=configuration.database,
                    user=user,
                    password=password,
                    sslmode="verify-full",
                    sslrootcert=str(configuration.certificates),
                    ssl_min_protocol_version="TLSv1.2",
                    gssencmode="disable",
                    application_name="credential-rotation",
                    # CVE-2018-1058: the master user must not run functions from schemas that others can write to.
                    options="-c search_path=pg_catalog"
                    f" -c lock_timeout={LOCK_TIMEOUT}s -c statement_timeout={STATEMENT_TIMEOUT}s",
                )
            ) as opened,
            opened.cursor() as session,
        ):
            yield session
    except psycopg2.Error as error:
        raise _failure(f"{user} on {host}:{configuration.port}", error) from error
    finally:
        _DEADLINE.reset(deadline)


_DEADLINE: ContextVar[float] = ContextVar("_DEADLINE", default=math.inf)
"""When the session must end, on the monotonic clock."""


def _wait(waiting: connection) -> None:
    """psycopg2's wait callback, with timeouts: libpq would wait forever for a server that does not respond."""
    session_deadline, response_deadline = _DEADLINE.get(), time.monotonic() + RESPONSE_TIMEOUT
    deadline = min(session_deadline, response_deadline)
    while (state := waiting.poll()) != POLL_OK:
        sockets = [waiting.fileno()]
        remaining = max(0, deadline - time.monotonic())
        ready = select.select(
            sockets if state == POLL_READ else [], sockets if state == POLL_WRITE else [], [], remaining
        )
        if not any(ready):
            raise psycopg2.OperationalError(
                f"no response within {RESPONSE_TIMEOUT} s"
                if response_deadline < session_deadline
                else f"the session took longer than {SESSION_TIMEOUT} s"
            )


def _failure(context: str, error: psycopg2.Error) -> RotationError:
    code, problem = error.pgcode or "", f"{context}: {_describe(error)}"
    if code[:2] in TRANSIENT and not (code == "" and PERMANENT.search(problem)):
        return DatabaseError(problem, RETRY_FOLLOWS)
    return RotationRefusedError(problem, READ_ONLY if isinstance(error, pg.ReadOnlySqlTransaction) else FIX_AND_ROTATE)


def _describe(error: psycopg2.Error) -> str:
    """PostgreSQL's message, with its DETAIL and HINT where these cannot contain values."""
    if isinstance(error, psycopg2.DataError):
        return type(error).__name__
    first, *others = str(error).strip().splitlines() or [type(error).__name__]
    # What a function raises may contain anything.
    if (error.pgcode or "")[:2] not in WITHOUT_VALUES or any(line.startswith("CONTEXT:") for line in others):
        return first
    kept = [line.partition(":")[2].strip() for line in others if line.startswith(("DETAIL:", "HINT:"))]
    return ". ".join(line.removesuffix(".") for line in (first, *kept))


def _execute(session: cursor, statement: Composable) -> None:
    session.execute(statement)


def _fetch_row(session: cursor, statement: Composable) -> tuple[Any, ...] | None:
    session.execute(statement)
    return session.fetchone()


def _fetch_all(session: cursor, statement: Composable) -> list[tuple[Any, ...]]:
    session.execute(statement)
    return session.fetchall()


def _fetch_value(session: cursor, statement: Composable) -> Any:
    row = _fetch_row(session, statement)
    return row[0] if row else None


RETRY_FOLLOWS = 'Secrets Manager retries. If it keeps failing, see "A rotation failed" in docs/rotation.md'
FIX_AND_ROTATE = "A retry would fail, too. Fix the cause, then run `python -m operations rotate`"
READ_ONLY = "Let the database accept writes, then run `python -m operations rotate`"
RENAME_ROLE = "Choose another rotation.owner, or rename the existing role or schema"
