"""Adoption of an existing role: the rotation's login roles act as it from their first statement on.

Nothing about the adopted role changes. Whatever PostgreSQL attaches to the current role applies to the login roles as
well, in every database: ownership, grants, default privileges, policies, user mappings, `$user`, attributes such as
BYPASSRLS. What PostgreSQL attaches to the role that logged in is carried over (settings) or refused beforehand.

`python -m lambda_rotation.adoption ROLE OWNER` shows what an adoption would do, and changes nothing. It connects as
PGHOST, PGUSER, PGPASSWORD and so on say: as the role itself, or as the master user.
https://www.postgresql.org/docs/17/libpq-envars.html

Exit codes: 0 can be adopted; 1 cannot be adopted, or failed; 2 usage.
"""

import argparse
import re
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import asdict, dataclass
from typing import NamedTuple

import psycopg2
from psycopg2.extensions import cursor

from lambda_rotation.configuration import ROLE_COMMENT, ROLE_PATTERN

ALIKE = (
    r"coalesce\(\s*nullif\(\s*current_setting\('role'(::text)?(,\s*true)?\),\s*'none'(::text)?\s*\),"
    r"\s*\(?session_user\)?(::text)?\s*\)"
)
"""Expression that has the same value for the role and the logins, as written by hand and by PostgreSQL."""

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
Connect = Callable[[str], AbstractContextManager[cursor]]
"""Connects to a database by its name."""


@dataclass(frozen=True)
class Adoption:
    """The roles of an adoption."""

    adopted: str
    owner: str
    """`rotation.owner`, which gives the login roles their names."""
    master: str

    @property
    def values(self) -> dict[str, object]:
        """Values of the queries' parameters."""
        first, second = f"{self.owner}_a", f"{self.owner}_b"
        return {**asdict(self), "first": first, "second": second, "comment": ROLE_COMMENT, "alike": ALIKE}


class Refusal(NamedTuple):
    """An object because of which a role cannot be adopted."""

    object: str
    reason: str
    remedy: str


ROLE_REFUSALS = (
    """
    SELECT 'role ' || %(adopted)s, 'does not exist', 'Correct rotation.adopted, or remove it'
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = %(adopted)s)
    """,
    """
    SELECT 'role ' || rolname, 'is a superuser, or has CREATEROLE or REPLICATION', 'Adopt the application''s own role'
    FROM pg_roles WHERE rolname = %(adopted)s AND (rolsuper OR rolcreaterole OR rolreplication)
    """,
    # Also by way of other roles.
    # https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.DBAccounts.html
    """
    SELECT 'role ' || adopted.rolname, format('is a member of %%s, %%s', forbidden.role, forbidden.reason),
        format('REVOKE %%I FROM %%I GRANTED BY %%I', forbidden.role, members.rolname, grantor::regrole::name)
    FROM (VALUES
        ('rds_iam', 'whose members log in with an IAM token instead of a password'),
        ('rds_ad', 'whose members log in with Kerberos instead of a password'),
        ('rds_superuser', 'which administers the cluster'),
        (%(master)s, 'the master user'),
        (%(first)s, 'which would become a member of it'),
        (%(second)s, 'which would become a member of it')
    ) AS forbidden (role, reason)
    JOIN pg_roles AS roles ON roles.rolname = forbidden.role
    JOIN pg_auth_members ON pg_auth_members.roleid = roles.oid
    JOIN pg_roles AS members ON members.oid = pg_auth_members.member
    JOIN pg_roles AS adopted ON adopted.rolname = %(adopted)s AND NOT adopted.rolsuper
    WHERE pg_has_role(adopted.oid, members.oid, 'MEMBER')
    """,
    """
    SELECT 'role ' || rolname, format('has a security label of %%s, which the logins would not have', provider),
        format('SECURITY LABEL FOR %%I ON ROLE %%I IS NULL', provider, rolname)
    FROM pg_shseclabel JOIN pg_roles ON oid = objoid AND classoid = 'pg_authid'::regclass
    WHERE rolname = %(adopted)s
    """,
    # The logins' own setting would take precedence.
    """
    SELECT coalesce('database ' || datname, 'all roles'), format('its setting role would not apply to the logins, only'
            ' to %%s', rolname),
        format('ALTER ROLE %%I%%s SET role = %%L', rolname, ' IN DATABASE ' || quote_ident(datname), acting)
    FROM pg_db_role_setting AS settings LEFT JOIN pg_database ON pg_database.oid = setdatabase,
        unnest(setconfig) AS setting, substring(setting FROM '^role=(.*)') AS acting, pg_roles
    WHERE setrole = 0 AND rolname = %(adopted)s AND acting IN (SELECT roles.rolname FROM pg_roles AS roles
            WHERE roles.oid <> pg_roles.oid AND pg_has_role(pg_roles.oid, roles.oid, 'SET'))
        AND NOT EXISTS (SELECT FROM pg_db_role_setting, unnest(setconfig) AS own WHERE setrole = pg_roles.oid
            AND setdatabase IN (0, settings.setdatabase) AND own LIKE 'role=%%')
    """,
    # PostgreSQL only warns, and the role acts as itself; a login would not act as the role.
    """
    SELECT 'setting role', format('%%s may not act as %%s, or that role does not exist', rolname, acting),
        format('ALTER ROLE %%I%%s RESET role', rolname, ' IN DATABASE ' || quote_ident(datname))
    FROM pg_roles JOIN pg_db_role_setting ON setrole = pg_roles.oid
    LEFT JOIN pg_database ON pg_database.oid = setdatabase,
        unnest(setconfig) AS setting, substring(setting FROM '^role=(.*)') AS acting
    WHERE rolname = %(adopted)s AND acting <> 'none' AND acting NOT IN (SELECT roles.rolname FROM pg_roles AS roles
        WHERE pg_has_role(pg_roles.oid, roles.oid, 'SET'))
    """,
)
"""Queries for what the role itself is refused for, at every rotation."""

# Only until the logins act as the adopted role: what they had as the owner role, or as themselves after SET ROLE NONE.
OWNER_REFUSALS = """
    SELECT 'role ' || rolname, format('owns or was granted %%s objects, and is a member of %%s roles: the logins would'
            ' lose that', objects, memberships),
        'Remove rotation.adopted, or choose another rotation.owner'
    FROM pg_roles, LATERAL (SELECT count(*) FROM pg_shdepend
            WHERE refclassid = 'pg_authid'::regclass AND refobjid = pg_roles.oid
                AND classid NOT IN ('pg_namespace'::regclass, 'pg_database'::regclass)) AS owned (objects),
        LATERAL (SELECT count(*) FROM pg_auth_members JOIN pg_roles AS granted ON granted.oid = roleid
            WHERE member = pg_roles.oid AND granted.rolname <> %(owner)s) AS granted (memberships)
    WHERE rolname IN (%(owner)s, %(first)s, %(second)s) AND objects + memberships > 0
"""

# A role uses the databases in which it, or a role of which it is a member, owns something or was granted something, and
# those for which it has settings. Only AWS can connect to rdsadmin.
USED_DATABASES = """
    WITH roles AS (
        SELECT pg_roles.oid FROM pg_roles JOIN pg_roles AS adopted ON adopted.rolname = %(adopted)s
        WHERE pg_has_role(adopted.oid, pg_roles.oid, 'MEMBER')
    )
    SELECT examiner IS NULL, datname::text, format('%%s uses it, but %%s cannot examine it', %(adopted)s, examiner),
        'GRANT CONNECT ON DATABASE ' || quote_ident(datname) || ' TO ' || quote_ident(examiner)
    FROM pg_database LEFT JOIN LATERAL (
        SELECT name AS examiner FROM (VALUES (current_user), (%(master)s)) AS examiners (name)
        WHERE NOT has_database_privilege(name, pg_database.oid, 'CONNECT') LIMIT 1
    ) AS examiners ON true
    WHERE datallowconn AND datname <> 'rdsadmin' AND (datname = current_database()
        OR pg_database.oid IN (SELECT CASE WHEN dbid = 0 AND classid = 'pg_database'::regclass THEN objid ELSE dbid END
            FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid IN (SELECT oid FROM roles))
        OR pg_database.oid IN (SELECT setdatabase FROM pg_db_role_setting WHERE setrole IN (SELECT oid FROM roles)))
    ORDER BY datname
"""

# Objects below 16384 are PostgreSQL's own (FirstNormalObjectId).
OBJECT_REFUSALS = """
    WITH definitions (object, definition, classid, objid) AS (
        SELECT 'function ' || oid::regprocedure, concat_ws(' ', pg_get_function_sqlbody(oid), prosrc,
            pg_get_expr(proargdefaults, 'pg_proc'::regclass)), 'pg_proc'::regclass, oid
        FROM pg_proc
        UNION ALL
        SELECT format('policy %%I on %%s', polname, polrelid::regclass),
            concat_ws(' ', pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)), 'pg_class'::regclass,
            polrelid
        FROM pg_policy
        UNION ALL
        SELECT CASE rulename WHEN '_RETURN' THEN 'view ' ELSE format('rule %%I on ', rulename) END
            || ev_class::regclass, pg_get_ruledef(oid), 'pg_class'::regclass, ev_class
        FROM pg_rewrite WHERE oid >= 16384
        UNION ALL
        SELECT format('default of column %%I of %%s', attname, adrelid::regclass), pg_get_expr(adbin, adrelid),
            'pg_class'::regclass, adrelid
        FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
        UNION ALL
        SELECT 'default of domain ' || oid::regtype, typdefault, 'pg_type'::regclass, oid
        FROM pg_type WHERE typdefault IS NOT NULL
        UNION ALL
        SELECT format('constraint %%I of %%s', conname, coalesce(nullif(contypid, 0)::regtype::text,
            conrelid::regclass::text)), pg_get_constraintdef(oid), CASE WHEN conrelid = 0 THEN 'pg_type'::regclass
            ELSE 'pg_class'::regclass END, coalesce(nullif(conrelid, 0), contypid)
        FROM pg_constraint WHERE contype = 'c' AND oid >= 16384
        UNION ALL
        SELECT format('trigger %%I on %%s', tgname, tgrelid::regclass), pg_get_triggerdef(oid), 'pg_class'::regclass,
            tgrelid
        FROM pg_trigger WHERE tgqual IS NOT NULL
    )
    SELECT object, format('asks which role logged in (%%s): the logins instead of %%s',
            lower(substring(definition FROM '(?i)\\m(session_user|session_authorization|system_user)\\M')),
            %(adopted)s),
        'Ask for current_user, or coalesce(nullif(current_setting(''role''), ''none''), session_user)'
    FROM definitions
    WHERE objid >= 16384 AND regexp_replace(definition, %(alike)s, '', 'gi')
            ~* '\\m(session_user|session_authorization|system_user)\\M'
        AND NOT EXISTS (SELECT FROM pg_depend WHERE deptype = 'e' AND pg_depend.classid = definitions.classid
            AND pg_depend.objid = definitions.objid)
    ORDER BY 1
"""
"""Query for what a role is refused for in each database: what asks for the role that logged in."""

SETTINGS = """
    SELECT datname::text, split_part(setting, '=', 1), substring(setting FROM position('=' IN setting) + 1)
    FROM pg_roles JOIN pg_db_role_setting ON setrole = pg_roles.oid
    LEFT JOIN pg_database ON pg_database.oid = setdatabase, unnest(setconfig) AS setting
    WHERE rolname = %(adopted)s ORDER BY datname NULLS FIRST, setting
"""
"""Query for the role's settings: database or NULL, parameter, value. They apply when the role logs in."""

SETTING_REFUSALS = """
    SELECT 'setting ' || name, format('%%s may not set it for the logins', %(master)s),
        format('As a superuser: GRANT SET ON PARAMETER %%s TO %%I, or ALTER ROLE %%I RESET %%s', name, %(master)s,
            %(adopted)s, name)
    FROM (SELECT DISTINCT split_part(setting, '=', 1) AS name FROM pg_roles
        JOIN pg_db_role_setting ON setrole = pg_roles.oid, unnest(setconfig) AS setting
        WHERE rolname = %(adopted)s) AS settings
    LEFT JOIN pg_settings USING (name)
    WHERE context IS DISTINCT FROM 'user' AND name <> 'role'
        AND NOT has_parameter_privilege(%(master)s, name, 'SET') ORDER BY 1
"""

ADMIN_REFUSALS = """
    SELECT 'role ' || string_agg(role, ', '), format('%%s has no ADMIN OPTION on it', %(master)s),
        coalesce('As ' || admins, 'As a superuser, because no role has it')
            || format(': GRANT %%s TO %%I WITH ADMIN OPTION', string_agg(role, ', '), %(master)s)
    FROM (SELECT quote_ident(rolname) AS role,
            (SELECT string_agg(quote_ident(members.rolname), ' or ') FROM pg_auth_members
                JOIN pg_roles AS members ON members.oid = member
                WHERE roleid = pg_roles.oid AND admin_option) AS admins
        FROM pg_roles
        WHERE NOT pg_has_role(%(master)s, oid, 'MEMBER WITH ADMIN OPTION')
            AND (rolname = %(adopted)s OR rolname IN (%(owner)s, %(first)s, %(second)s)
                AND shobj_description(oid, 'pg_authid') = %(comment)s)
        ORDER BY rolname) AS roles
    GROUP BY admins ORDER BY 1
"""
"""Query for roles that the master user cannot grant or alter. Since PostgreSQL 16, CREATEROLE does not suffice.

https://www.postgresql.org/docs/16/release-16.html
"""

LOGIN_REFUSALS = """
    SELECT 'role ' || logins.rolname, 'acts as ' || acting.rolname || ', and would lose access to its objects',
        'Set rotation.adopted again, and deploy the rotation tier'
    FROM pg_roles AS logins JOIN pg_db_role_setting ON setrole = logins.oid AND setdatabase = 0,
        unnest(setconfig) AS setting JOIN pg_roles AS acting ON setting = 'role=' || acting.rolname
    WHERE logins.rolname IN (%(first)s, %(second)s) AND acting.rolname NOT IN (%(owner)s, %(adopted)s)
        AND NOT EXISTS (SELECT FROM pg_auth_members JOIN pg_roles ON pg_roles.oid = roleid
            WHERE member = logins.oid AND rolname = %(adopted)s)
"""
"""Query for logins that act as a role which was adopted, but is no longer configured."""

FOREIGN_LOGINS = """
    SELECT 'role ' || rolname, 'exists, but was not created by the rotation',
        'Choose another rotation.owner, or rename the existing role'
    FROM pg_roles WHERE rolname IN (%(first)s, %(second)s)
        AND shobj_description(oid, 'pg_authid') IS DISTINCT FROM %(comment)s ORDER BY rolname
"""
"""Query for roles of others with the names of the logins."""

IS_ADOPTED = """
    SELECT FROM pg_auth_members JOIN pg_roles ON pg_roles.oid = roleid JOIN pg_roles AS members ON members.oid = member
    WHERE pg_roles.rolname = %(adopted)s AND members.rolname IN (%(first)s, %(second)s)
"""

# The adopted role may itself act as another role from its first statement on.
ACTS_AS = """
    SELECT coalesce(nullif((
        SELECT substring(setting FROM 6) FROM pg_roles JOIN pg_db_role_setting ON setrole = pg_roles.oid,
            unnest(setconfig) AS setting
        WHERE rolname = %(adopted)s AND setting LIKE 'role=%%'
            AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
        ORDER BY setdatabase DESC LIMIT 1), 'none'), %(adopted)s)
"""

DEPENDENTS = """
    SELECT CASE deptype WHEN 'o' THEN 'owns' WHEN 'r' THEN 'is named by policies on' ELSE 'was granted' END,
        count(*) || ' of ' || classid::regclass, coalesce('in ' || datname, 'in the cluster')
    FROM pg_shdepend JOIN pg_roles ON refclassid = 'pg_authid'::regclass AND refobjid = pg_roles.oid
    LEFT JOIN pg_database ON pg_database.oid = dbid
    WHERE rolname = %(adopted)s GROUP BY deptype, classid, datname ORDER BY 3, 1, 2
"""
MEMBERSHIPS = """
    SELECT 'is a member of', quote_ident(pg_roles.rolname), '' FROM pg_auth_members
    JOIN pg_roles ON pg_roles.oid = roleid JOIN pg_roles AS adopted ON adopted.oid = member
    WHERE adopted.rolname = %(adopted)s ORDER BY 2
"""


def refusals(adoption: Adoption, session: cursor, connect: Connect) -> list[Refusal]:
    """Why a role cannot be adopted: what is not carried over, in all databases that it uses.

    Of a role that has been adopted, only the role itself is examined again.

    Args:
        session: a session in any database.
        connect: connects to another database.
    """
    found: list[Refusal] = []
    for query in ROLE_REFUSALS:
        found += fetch_refusals(session, query, adoption)
    if is_adopted(adoption, session):
        return found
    found += fetch_refusals(session, OWNER_REFUSALS, adoption)
    session.execute(USED_DATABASES, adoption.values)
    for can_connect, database, reason, remedy in session.fetchall():
        if not can_connect:
            found.append(Refusal(f"database {database}", reason, remedy))
            continue
        with connect(database) as other:
            found += [
                refusal._replace(object=f"{refusal.object} in {database}")
                for refusal in fetch_refusals(other, OBJECT_REFUSALS, adoption)
            ]
    return found


def is_adopted(adoption: Adoption, session: cursor) -> bool:
    """Whether a login role acts as the adopted role already."""
    session.execute(IS_ADOPTED, adoption.values)
    return session.fetchone() is not None


def acts_as(adoption: Adoption, session: cursor) -> str:
    """The role as which sessions of the adopted role, and of the logins, act in the current database."""
    session.execute(ACTS_AS, adoption.values)
    return str((session.fetchone() or ("",))[0])


def fetch_refusals(session: cursor, query: str, adoption: Adoption) -> list[Refusal]:
    """Refusals by one query."""
    session.execute(query, adoption.values)
    return [Refusal(*map(_printable, row)) for row in session.fetchall()]


def _printable(text: str) -> str:
    """A text without the control characters that names may contain: it becomes part of a line of the log."""
    return CONTROL.sub("?", text)


def plan(adoption: Adoption, session: cursor, connect: Connect) -> tuple[list[str], list[Refusal]]:
    """What an adoption would carry over, a line each, and why it would be refused."""
    carried: list[str] = []
    for query in (DEPENDENTS, MEMBERSHIPS):
        session.execute(query, adoption.values)
        carried += [" ".join(row).strip() for row in session.fetchall()]
    session.execute(SETTINGS, adoption.values)
    carried += [f"sets {name}{f' in {database}' if database else ''}" for database, name, _ in session.fetchall()]
    refused = [
        *fetch_refusals(session, ADMIN_REFUSALS, adoption),
        *fetch_refusals(session, LOGIN_REFUSALS, adoption),
        *fetch_refusals(session, FOREIGN_LOGINS, adoption),
        *fetch_refusals(session, SETTING_REFUSALS, adoption),
        *refusals(adoption, session, connect),
    ]
    return carried, refused


@contextmanager
def _read_only(database: str | None = None) -> Generator[cursor]:
    # CVE-2018-1058: as the master user, never run functions from schemas that others can write to.
    options = "-c search_path=pg_catalog -c default_transaction_read_only=on -c role=none"
    with closing(psycopg2.connect(dbname=database, options=options)) as opened, opened.cursor() as session:
        yield session


def main(arguments: Sequence[str]) -> None:
    """Print the plan of an adoption. Exits with 1 if the role cannot be adopted."""
    parser = argparse.ArgumentParser(prog="python -m lambda_rotation.adoption", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("role", help="the role to adopt: rotation.adopted")
    parser.add_argument("owner", help="rotation.owner")
    parser.add_argument("--master", help="the master user, if you are not connected as it")
    options = parser.parse_args(arguments)
    for name in (options.role, options.owner):
        if not re.fullmatch(ROLE_PATTERN, name):
            parser.error(
                f"{name!r}: allowed: up to 60 lowercase letters, digits and underscores, starting with a letter; no "
                "name that PostgreSQL or RDS reserves"
            )
    if options.role in {options.owner, f"{options.owner}_a", f"{options.owner}_b"}:
        parser.error(f"{options.role!r}: allowed: a role that is none of the rotation's")
    try:
        with _read_only() as session:
            session.execute("SELECT session_user::text")
            user: str = (session.fetchone() or ("",))[0]
            if options.master is None and user == options.role:
                parser.error(f"--master: required, because you are connected as {user}")
            adoption = Adoption(options.role, options.owner, options.master or user)
            carried, refused = plan(adoption, session, _read_only)
    except psycopg2.Error as error:
        sys.exit(str(error).strip().splitlines()[0])
    print(f"{adoption.owner}_a and {adoption.owner}_b would act as {adoption.adopted}, which would not change.")
    print("".join(f"  Carried over: {adoption.adopted} {line}\n" for line in carried), end="")
    for refusal in refused:
        print(f"  Refused: {refusal.object}: {refusal.reason}. {refusal.remedy}")
    if refused:
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
