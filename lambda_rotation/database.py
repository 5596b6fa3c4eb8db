"""The database's side of a rotation: roles and schema, a new password for one login, and the proof that it works.

All that changes anything happens in one transaction, as the RDS master, who is no superuser. Passwords never reach the
server, only the SCRAM verifiers made of them.
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

# Seconds, the shorter within the longer; a test holds them against the function's own timeout.
LOCK_TIMEOUT = 10
STATEMENT_TIMEOUT = 15
RESPONSE_TIMEOUT = 20
"""Of a server that has stopped answering altogether; its own timeouts come first while it lives."""
SESSION_TIMEOUT = 45
REPLICA_TIMEOUT = 20

# Of the application's own sessions, in milliseconds.
SESSION_LIMITS = {
    "statement_timeout": 30_000,
    "lock_timeout": 10_000,
    "idle_in_transaction_session_timeout": 60_000,
}

ROLE_COMMENT = "Made by the rotation of the application's credential"
"""Comment of our roles: one of the same name that has another origin is not taken over."""

AUDIT_EXTENSION = "pgaudit"

ADVISORY_LOCK = 0x676C6F6265  # "globe": any number that no other program takes


def prepare(
    deployment: Configuration,
    master: MasterCredential,
    pending: Credential,
    *,
    retire_adopted: bool,
    ensure_pending: Callable[[], None] = lambda: None,
) -> None:
    """Make roles and schema, as far as they are not there, and set the pending login's password.

    Args:
        still_wanted: asked once more while no other rotation can run, and before anything is committed; it raises where
            another one has taken this one's place, whose current login this one would change.
        retire_adopted: whether the role whose place the logins have taken may log in no more.

    Raises:
        DatabaseError: the server could not be reached or did not do it; nothing has changed.
        RefusedError: a role or schema of the name is somebody else's; nothing has changed.
    """
    with transaction(deployment, deployment.host, master.username, master.password) as session:
        _execute(session, SQL("SELECT pg_advisory_xact_lock({})").format(Literal(ADVISORY_LOCK)))
        if _fetch_value(session, SQL("SELECT pg_is_in_recovery()")):
            raise DatabaseError(
                "The writer's endpoint leads to a reader", "A failover is under way; the next try finds it"
            )
        _ensure_owner(session, deployment.owner)
        _ensure_schema(session, deployment)
        _ensure_login(session, deployment, pending.username)
        _ensure_audit_extension(session)
        if deployment.adopted:
            _adopt(session, deployment.adopted, deployment.owner, retire=retire_adopted)
        verifier = encrypt_password(pending.password, pending.username, session.connection, "scram-sha-256")
        _execute(session, SQL("ALTER ROLE {} PASSWORD {}").format(Identifier(pending.username), Literal(verifier)))
        ensure_pending()
        session.connection.commit()


def verify(deployment: Configuration, pending: Credential, master: str) -> None:
    """Log in on both endpoints and do what the application needs, and try what it must not do.

    Args:
        master: the master's name, whose place it must not be able to take.

    Raises:
        DatabaseError: something that must work does not, or the other way round.
    """
    with transaction(deployment, pending.host, pending.username, pending.password) as session:
        _check_session(session, deployment, pending)
        probe = Identifier(deployment.owner, "rotation_probe")
        _execute(session, SQL("CREATE TABLE {} (id integer)").format(probe))
        _execute(session, SQL("INSERT INTO {} VALUES (1)").format(probe))
        for forbidden in _forbidden_statements(master):
            _expect_denied(session, forbidden)
        session.connection.rollback()
    deadline = time.monotonic() + REPLICA_TIMEOUT
    while True:
        try:
            return _verify_reader(deployment, pending)
        except DatabaseError:
            # The role or its password may not have reached the replica yet.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _verify_reader(deployment: Configuration, pending: Credential) -> None:
    with transaction(deployment, pending.reader_host, pending.username, pending.password) as session:
        _check_session(session, deployment, pending)
        # An error where the reader does not know the schema yet.
        if not _fetch_value(session, SQL("SELECT has_schema_privilege({}, 'USAGE')").format(Literal(deployment.owner))):
            raise DatabaseError("The application may not use its schema on the reader", SEE_RUNBOOK)
        _execute(
            session,
            SQL("SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace({})").format(
                Literal(deployment.owner)
            ),
        )


def _ensure_owner(session: cursor, owner: str) -> None:
    if _has_own_role(session, owner):
        return
    _execute(session, SQL("CREATE ROLE {} NOLOGIN").format(Identifier(owner)))
    _comment(session, owner)
    # Who makes a role may hand it on, but not act as it: for that it has to be a member itself.
    _execute(session, SQL("GRANT {} TO CURRENT_USER WITH INHERIT FALSE, SET TRUE").format(Identifier(owner)))


def _ensure_schema(session: cursor, deployment: Configuration) -> None:
    owner = _fetch_value(
        session,
        SQL("SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = {}").format(
            Literal(deployment.owner)
        ),
    )
    if owner not in {None, deployment.owner}:
        raise RotationRefusedError(f"The schema {deployment.owner} belongs to {owner}", RENAME_ROLE)
    if owner is None:
        role = Identifier(deployment.owner)
        _execute(session, SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(role, role))
    _execute(
        session,
        SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(
            Identifier(deployment.database), Identifier(deployment.owner)
        ),
    )


def _ensure_login(session: cursor, deployment: Configuration, login: str) -> None:
    role = Identifier(login)
    if not _has_own_role(session, login):
        _execute(session, SQL("CREATE ROLE {} LOGIN").format(role))
        _comment(session, login)
    _execute(session, SQL("ALTER ROLE {} LOGIN CONNECTION LIMIT {}").format(role, Literal(deployment.connection_limit)))
    _grant_owner(session, login, deployment.owner)
    for parameter, limit in SESSION_LIMITS.items():
        _execute(session, SQL("ALTER ROLE {} SET {} = {}").format(role, Identifier(parameter), Literal(limit)))


def _grant_owner(session: cursor, login: str, owner: str) -> None:
    """From its first statement on: what a login creates is the owner's, and so the other login's as well."""
    role = Identifier(login)
    _execute(session, SQL("GRANT {} TO {} WITH INHERIT TRUE, SET TRUE").format(Identifier(owner), role))
    _execute(session, SQL("ALTER ROLE {} SET role = {}").format(role, Literal(owner)))


def _ensure_audit_extension(session: cursor) -> None:
    """PCI DSS 10.2.1.5: what the parameter group loads wants its extension made, once, by the master."""
    missing = SQL("SELECT 1 FROM pg_available_extensions WHERE name = {} AND installed_version IS NULL")
    if _fetch_value(session, missing.format(Literal(AUDIT_EXTENSION))):
        _execute(session, SQL("CREATE EXTENSION {} SCHEMA public").format(Identifier(AUDIT_EXTENSION)))


def _adopt(session: cursor, adopted: str, owner: str, *, retire: bool) -> None:
    """Give what the former login owns to the owner role; once it is a member, the next rotation ends its logins."""
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
    may_too_much, can_log_in, owns_a_database, is_member = found
    if may_too_much:
        raise RotationRefusedError(
            f"The role {adopted} may do more than an application", "Adopt the application's own role"
        )
    if owns_a_database:
        raise RotationRefusedError(
            f"The role {adopted} owns a database", "Give it to the master: alter database ... owner to"
        )
    _execute(session, SQL("GRANT {} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE").format(role))
    _execute(session, SQL("GRANT {} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE").format(Identifier(owner)))
    _execute(session, SQL("REASSIGN OWNED BY {} TO {}").format(role, Identifier(owner)))
    if retire and is_member and can_log_in:
        _execute(session, SQL("ALTER ROLE {} NOLOGIN").format(role))
    elif not is_member:
        _grant_owner(session, adopted, owner)


def _has_own_role(session: cursor, role: str) -> bool:
    """Whether the role is there.

    Raises:
        RefusedError: it is, and somebody else made it.
    """
    found = _fetch_row(
        session,
        SQL("SELECT pg_catalog.shobj_description(oid, 'pg_authid'::name) FROM pg_roles WHERE rolname = {}").format(
            Literal(role)
        ),
    )
    if found is not None and found[0] != ROLE_COMMENT:
        raise RotationRefusedError(f"There is a role {role} that the rotation did not make", RENAME_ROLE)
    return found is not None


def _comment(session: cursor, role: str) -> None:
    _execute(session, SQL("COMMENT ON ROLE {} IS {}").format(Identifier(role), Literal(ROLE_COMMENT)))


def _check_session(session: cursor, deployment: Configuration, pending: Credential) -> None:
    if not session.connection.info.ssl_in_use:
        raise DatabaseError("The session is not encrypted", SEE_RUNBOOK)
    found = _fetch_row(session, SQL("SELECT session_user::text, current_user::text"))
    if found != (pending.username, deployment.owner):
        raise DatabaseError(f"The session is {found}, not {pending.username} as {deployment.owner}", SEE_RUNBOOK)


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
        raise DatabaseError(f"The application may {statement.as_string(session)}, which it must not", SEE_RUNBOOK)


@contextmanager
def transaction(deployment: Configuration, host: str, user: str, password: str) -> Generator[cursor]:
    """A session's cursor, within a transaction that nobody else commits; every way out closes the connection.

    Raises:
        DatabaseError: the server could not be reached, or refused a statement.
    """
    set_wait_callback(_wait)
    _DEADLINE.set(time.monotonic() + SESSION_TIMEOUT)
    try:
        with (
            closing(
                psycopg2.connect(
                    host=host,
                    port=deployment.port,
                    dbname=deployment.database,
                    user=user,
                    password=password,
                    sslmode="verify-full",
                    sslrootcert=str(deployment.certificates),
                    ssl_min_protocol_version="TLSv1.2",
                    gssencmode="disable",
                    application_name="credential-rotation",
                    # In any other schema somebody could have planted a function that the master would run.
                    options="-c search_path=pg_catalog"
                    f" -c lock_timeout={LOCK_TIMEOUT}s -c statement_timeout={STATEMENT_TIMEOUT}s",
                )
            ) as opened,
            opened.cursor() as session,
        ):
            yield session
    except psycopg2.Error as error:
        raise DatabaseError(f"{user} on {host}:{deployment.port}: {_first_line(error)}", RETRY_FOLLOWS) from error


_DEADLINE: ContextVar[float] = ContextVar("_END", default=math.inf)
"""When the session's time is over, by the monotonic clock."""


def _wait(waiting: connection) -> None:
    """How psycopg2 waits for the server: not for ever, as libpq would for one that is there and does not answer."""
    deadline = min(_DEADLINE.get(), time.monotonic() + RESPONSE_TIMEOUT)
    while (state := waiting.poll()) != POLL_OK:
        sockets = [waiting.fileno()]
        left = max(0, deadline - time.monotonic())
        ready = select.select(sockets if state == POLL_READ else [], sockets if state == POLL_WRITE else [], [], left)
        if not any(ready):
            raise psycopg2.OperationalError(f"no answer within {RESPONSE_TIMEOUT} s")


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


RETRY_FOLLOWS = "Secrets Manager tries again; docs/rotation.md, a rotation failed, says what to look at if it goes on"
RENAME_ROLE = "Choose another rotation.owner, or rename what is in the way"
