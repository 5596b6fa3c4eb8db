"""Database operations of a rotation: create roles and schema, set the password of a login role, and verify the login.

All changes happen in one transaction of the RDS master user, which is not a superuser. The server receives SCRAM
verifiers, never passwords.
"""

import math
import select
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from contextvars import ContextVar
from typing import Any

import psycopg2
from psycopg2 import errors as pg
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE, connection, cursor, encrypt_password, set_wait_callback
from psycopg2.sql import SQL, Composable, Identifier, Literal

from lambda_rotation.configuration import Configuration
from lambda_rotation.credential import Credential, MasterCredential
from lambda_rotation.errors import SEE_RUNBOOK, DatabaseError, RotationRefusedError

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

ROLE_COMMENT = "Made by the rotation of the application's credential"
"""Comment on the rotation's roles. A role of the same name without it fails the rotation. Never change this text."""

AUDIT_EXTENSION = "pgaudit"

ADVISORY_LOCK = 0x676C6F6265  # "globe": an arbitrary number that no other program uses


def prepare(
    configuration: Configuration,
    master: MasterCredential,
    pending: Credential,
    *,
    retire_adopted: bool,
    check_pending: Callable[[], None] = lambda: None,
) -> None:
    """Create missing roles and the schema, and set the password of the pending login role.

    Args:
        retire_adopted: whether an adopted role that is already a member of the owner role loses its login.
        check_pending: called under the lock, before the commit. It raises an exception if another rotation has
            replaced this one: the commit would then change the password of the current login role.

    Raises:
        DatabaseError: the server could not be reached or refused a statement; nothing has changed.
        RotationRefusedError: a role or schema of the same name exists, or the role cannot be adopted; nothing has
            changed.
    """
    with transaction(configuration, configuration.host, master.username, master.password) as session:
        _execute(session, SQL("SELECT pg_advisory_xact_lock({})").format(Literal(ADVISORY_LOCK)))
        if _fetch_value(session, SQL("SELECT pg_is_in_recovery()")):
            raise DatabaseError(
                "The writer endpoint resolves to a reader", "A failover is in progress; the next attempt should succeed"
            )
        _ensure_owner(session, configuration.owner)
        _ensure_schema(session, configuration)
        _ensure_login(session, configuration, pending.username)
        _ensure_audit_extension(session)
        if configuration.adopted:
            _adopt(session, configuration.adopted, configuration.owner, retire=retire_adopted)
        verifier = encrypt_password(pending.password, pending.username, session.connection, "scram-sha-256")
        _execute(session, SQL("ALTER ROLE {} PASSWORD {}").format(Identifier(pending.username), Literal(verifier)))
        check_pending()
        session.connection.commit()


def verify(configuration: Configuration, pending: Credential, master: str) -> None:
    """Log in to both endpoints, and test what the application must and must not be able to do.

    Args:
        master: name of the master user, to which the login role must not be able to SET ROLE.

    Raises:
        DatabaseError: the login, its session or its privileges are not as required.
    """
    with transaction(configuration, pending.host, pending.username, pending.password) as session:
        _check_session(session, configuration, pending)
        probe = Identifier(configuration.owner, "rotation_probe")
        _execute(session, SQL("CREATE TABLE {} (id integer)").format(probe))
        _execute(session, SQL("INSERT INTO {} VALUES (1)").format(probe))
        for forbidden in _forbidden_statements(master):
            _expect_denied(session, forbidden)
        session.connection.rollback()
    deadline = time.monotonic() + REPLICA_TIMEOUT
    while True:
        try:
            return _verify_reader(configuration, pending)
        except DatabaseError:
            # The role or its password may not be replicated yet.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _verify_reader(configuration: Configuration, pending: Credential) -> None:
    with transaction(configuration, pending.reader_host, pending.username, pending.password) as session:
        _check_session(session, configuration, pending)
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
    _grant_owner(session, login, configuration.owner)
    for parameter, limit in SESSION_LIMITS.items():
        _execute(session, SQL("ALTER ROLE {} SET {} = {}").format(role, Identifier(parameter), Literal(limit)))


def _grant_owner(session: cursor, login: str, owner: str) -> None:
    """Let a login role act as the owner in every session, so that both login roles own whatever either creates."""
    role = Identifier(login)
    _execute(session, SQL("GRANT {} TO {} WITH INHERIT TRUE, SET TRUE").format(Identifier(owner), role))
    _execute(session, SQL("ALTER ROLE {} SET role = {}").format(role, Literal(owner)))


def _ensure_audit_extension(session: cursor) -> None:
    """PCI DSS 10.2.1.5: create the extension of the preloaded audit library, which only the master user may do."""
    missing = SQL("SELECT 1 FROM pg_available_extensions WHERE name = {} AND installed_version IS NULL")
    if _fetch_value(session, missing.format(Literal(AUDIT_EXTENSION))):
        _execute(session, SQL("CREATE EXTENSION {} SCHEMA public").format(Identifier(AUDIT_EXTENSION)))


def _adopt(session: cursor, adopted: str, owner: str, *, retire: bool) -> None:
    """Reassign the adopted role's objects to the owner role, and grant it that role. Later, end its login."""
    role = Identifier(adopted)
    found = _fetch_row(
        session,
        SQL(
            "SELECT rolsuper OR rolcreaterole OR rolreplication, rolcanlogin,"
            " EXISTS (SELECT FROM pg_database WHERE datdba = pg_roles.oid), pg_has_role(oid, {}, 'MEMBER')"
            " FROM pg_roles WHERE rolname = {}"
        ).format(Literal(owner), Literal(adopted)),
    )
    if found is None:
        return
    is_privileged, can_log_in, owns_a_database, is_member = found
    if is_privileged:
        raise RotationRefusedError(
            f"The role {adopted} is a superuser, or has CREATEROLE or REPLICATION", "Adopt the application's own role"
        )
    if owns_a_database:
        raise RotationRefusedError(
            f"The role {adopted} owns a database",
            "Change the owner to the master user: ALTER DATABASE ... OWNER TO ...",
        )
    _execute(session, SQL("GRANT {} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE").format(role))
    _execute(session, SQL("GRANT {} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE").format(Identifier(owner)))
    _execute(session, SQL("REASSIGN OWNED BY {} TO {}").format(role, Identifier(owner)))
    if retire and is_member and can_log_in:
        _execute(session, SQL("ALTER ROLE {} NOLOGIN").format(role))
    elif not is_member:
        _grant_owner(session, adopted, owner)


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
    found = _fetch_row(session, SQL("SELECT session_user::text, current_user::text"))
    if found != (pending.username, configuration.owner):
        raise DatabaseError(
            f"The session is {' as '.join(found or ())}, not {pending.username} as {configuration.owner}", SEE_RUNBOOK
        )


def _forbidden_statements(master: str) -> Iterator[Composable]:
    yield SQL("CREATE ROLE rotation_probe")
    yield SQL("CREATE SCHEMA rotation_probe")
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
    deadline = _DEADLINE.set(time.monotonic() + SESSION_TIMEOUT)
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
        raise DatabaseError(f"{user} on {host}:{configuration.port}: {_first_line(error)}", RETRY_FOLLOWS) from error
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


def _first_line(error: psycopg2.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _execute(session: cursor, statement: Composable) -> None:
    session.execute(statement)


def _fetch_row(session: cursor, statement: Composable) -> tuple[Any, ...] | None:
    session.execute(statement)
    return session.fetchone()


def _fetch_value(session: cursor, statement: Composable) -> Any:
    row = _fetch_row(session, statement)
    return row[0] if row else None


RETRY_FOLLOWS = 'Secrets Manager retries. If it keeps failing, see "A rotation failed" in docs/rotation.md'
RENAME_ROLE = "Choose another rotation.owner, or rename the existing role or schema"
