"""Adoption of an existing login: old and new logins work alike, nothing changes for the old one, or it is refused."""

import json
import re
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from lambda_rotation import adoption
from lambda_rotation.errors import RotationRefusedError
from tests.rotation.adopting import PASSWORD, Adopting
from tests.rotation.fixtures import RotationFixture
from tests.rotation.server import MASTER, MASTER_PASSWORD, WRITER, Server


@pytest.fixture
def adopting(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch) -> Adopting:
    return Adopting(rotation, monkeypatch)


ALIKE = {
    "schema of the role's name": ("CREATE SCHEMA {role}; CREATE TABLE t (); ", "", "SELECT 't'::regclass::text"),
    "list with quoted names": (
        'CREATE SCHEMA "Mixed, ""name"; CREATE TABLE "Mixed, ""name".t ()',
        'ALTER ROLE {role} SET search_path = "Mixed, ""name", "$user", public',
        "SELECT 't'::regclass::text, current_setting('search_path')",
    ),
    "empty search path": ("", "ALTER ROLE {role} SET search_path = ''", "SHOW search_path"),
    "settings": (
        "",
        "ALTER ROLE {role} SET timezone = 'Europe/Berlin'; ALTER ROLE {role} SET datestyle = 'ISO, DMY';"
        "ALTER ROLE {role} SET statement_timeout = '7min';"
        "ALTER ROLE {role} IN DATABASE {database} SET work_mem = '9MB'",
        "SELECT current_setting('timezone'), current_setting('datestyle'), current_setting('statement_timeout'),"
        " current_setting('work_mem')",
    ),
    "read-only": ("", "ALTER ROLE {role} SET default_transaction_read_only = on", "SHOW transaction_read_only"),
    "no limits": ("", "", "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')"),
    "acts as another role": (
        "",
        "CREATE ROLE {owner}_group; GRANT {owner}_group TO {role}; ALTER ROLE {role} SET role = {owner}_group",
        "SELECT current_user::text",
    ),
    "acts as itself in this database": (
        "",
        "CREATE ROLE {owner}_group; GRANT {owner}_group TO {role}; ALTER ROLE {role} SET role = {owner}_group;"
        "ALTER ROLE {role} IN DATABASE {database} SET role = none",
        "SELECT current_user::text",
    ),
    "privileges by membership": (
        "",
        "CREATE ROLE {owner}_group; GRANT {owner}_group TO {role}",
        "SET ROLE {owner}_group; SELECT current_user::text",
    ),
    "row-level policy": (
        "CREATE TABLE t (tenant text); INSERT INTO t VALUES ('a'); ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
        "ALTER TABLE t FORCE ROW LEVEL SECURITY; CREATE POLICY p ON t TO {role} USING (current_user = '{role}')",
        "",
        "SELECT * FROM t",
    ),
    "objects that are not tables": (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE PROCEDURE p() LANGUAGE sql AS '';"
        "CREATE AGGREGATE a(int) (sfunc = int4pl, stype = int); CREATE TYPE e AS ENUM ('x');"
        "CREATE OPERATOR === (leftarg = int, rightarg = int, function = int4eq); CREATE TABLE t (a int, b int);"
        "CREATE STATISTICS s ON a, b FROM t; CREATE TEXT SEARCH CONFIGURATION c (COPY = simple);"
        "CREATE PUBLICATION {role} FOR TABLE t; SELECT lo_create(0)",
        "",
        "ALTER FUNCTION f() COST 2; ALTER PROCEDURE p() RESET ALL; "
        "ALTER TYPE e RENAME TO e2; ALTER TYPE e2 RENAME TO e;"
        "ALTER STATISTICS s SET STATISTICS 9; ALTER PUBLICATION {role} SET (publish = 'insert');"
        "ALTER OPERATOR === (int, int) SET (RESTRICT = eqsel);"
        "SELECT (SELECT a(1)), 1 === 1, (SELECT count(lo_get(oid)) FROM pg_largeobject_metadata"
        " WHERE pg_get_userbyid(lomowner) = '{role}')",
    ),
    "a foreign server's user mapping": (
        "",
        "",
        "SELECT umuser::regrole::text FROM pg_user_mappings WHERE umuser = current_user::regrole",
    ),
    "owner of the database": ("", "ALTER DATABASE {database} OWNER TO {role}", "ALTER DATABASE {database} RESET ALL"),
    "attributes": ("", "ALTER ROLE {role} BYPASSRLS CREATEDB", "SELECT row_security_active('pg_class')"),
}
"""What belongs to a role: statements of the role itself, of a superuser, and one that both logins run."""


@pytest.mark.parametrize("kind", ALIKE)
def test_old_and_new_logins_work_alike(adopting: Adopting, kind: str):
    of_role, of_superuser, compared = ALIKE[kind]
    adopting.as_old(of_role or "SELECT 1")
    adopting.as_superuser(of_superuser or "SELECT 1")
    before = adopting.as_old(compared)
    for _ in range(3):
        adopting.rotation.rotate()
        assert adopting.as_old(compared) == before
        assert adopting.as_new(compared) == before
    # Including settings that are not listed above: only the role that logged in is another one.
    settings = "SELECT name, setting FROM pg_settings WHERE name NOT IN ('role', 'is_superuser') ORDER BY name"
    assert adopting.as_new(settings) == adopting.as_old(settings)


def test_privileges_for_future_objects_are_kept(adopting: Adopting):
    reader = f"{adopting.rotation.owner}_reporting"
    adopting.as_master(f"CREATE ROLE {reader} LOGIN PASSWORD 'reads'")
    adopting.as_old(
        f"CREATE SCHEMA sales; GRANT USAGE ON SCHEMA sales TO {reader};"
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA sales GRANT SELECT ON TABLES TO {reader}"
    )
    adopting.rotation.rotate()
    adopting.as_new("CREATE TABLE sales.invoices ()")
    assert adopting.rotation.query_as(reader, "reads", "SELECT count(*) FROM sales.invoices") == [(0,)]


def test_objects_in_other_databases_are_kept(adopting: Adopting):
    other = f"{adopting.rotation.database}_stats"
    adopting.rotation.server.execute(f"CREATE DATABASE {other}")
    adopting.as_superuser(f"ALTER ROLE {{role}} IN DATABASE {other} SET search_path = visits, public")
    adopting.as_superuser("CREATE SCHEMA visits AUTHORIZATION {role}; CREATE TABLE visits.t ()", other)
    adopting.as_superuser("ALTER TABLE visits.t OWNER TO {role}", other)
    adopting.rotation.rotate()
    for user, password in (
        (adopting.role, PASSWORD),
        (adopting.rotation.current().username, adopting.rotation.current().password),
    ):
        with closing(adopting.connect(user, password, other)) as session, session.cursor() as cursor:
            cursor.execute("ALTER TABLE t ADD COLUMN IF NOT EXISTS a int; SELECT current_user::text")
            assert cursor.fetchone() == (adopting.role,)


def test_the_old_login_stays_as_it_was(adopting: Adopting):
    adopting.as_old("CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)")
    lines = set(adopting.dump().splitlines())
    adopting.rotation.rotate()
    adopting.rotation.rotate()
    after = set(adopting.dump().splitlines())
    assert lines <= after
    assert all(any(login in line for login in adopting.rotation.logins) for line in after - lines if line)


def test_a_rotation_does_not_wait_for_the_applications_transactions(adopting: Adopting):
    adopting.as_old("CREATE TABLE orders ()")
    with closing(adopting.connect(adopting.role, PASSWORD)) as session:
        session.cursor().execute("LOCK TABLE orders")
        adopting.rotation.rotate()


def test_the_adopted_role_may_be_given_no_login(adopting: Adopting, caplog: pytest.LogCaptureFixture):
    adopting.rotation.rotate()
    assert f"When nothing uses it any more: ALTER ROLE {adopting.role} NOLOGIN" in caplog.text
    adopting.as_master("ALTER ROLE {role} NOLOGIN")
    caplog.clear()
    adopting.rotation.rotate()
    assert "NOLOGIN" not in caplog.text
    assert adopting.as_new("SELECT current_user::text") == [(adopting.role,)]


REPLACE = r"Ask for current_user, or coalesce\(nullif\(current_setting\('role'\), 'none'\), session_user\)"
REFUSED = {
    "superuser": ("ALTER ROLE {role} SUPERUSER", "role {role}: is a superuser", "ALTER ROLE {role} NOSUPERUSER"),
    "creates roles": ("ALTER ROLE {role} CREATEROLE", "has CREATEROLE", "ALTER ROLE {role} NOCREATEROLE"),
    "replicates": ("ALTER ROLE {role} REPLICATION", "or REPLICATION", "ALTER ROLE {role} NOREPLICATION"),
    "IAM authentication, by way of another role": (
        "CREATE ROLE rds_iam; CREATE ROLE {owner}_group; GRANT rds_iam TO {owner}_group; GRANT {owner}_group TO {role}",
        r"is a member of rds_iam, whose members log in with an IAM token .* REVOKE rds_iam FROM {owner}_group",
        "REVOKE rds_iam FROM {owner}_group; DROP ROLE rds_iam",
    ),
    "administrator": (
        "GRANT rds_superuser TO {role}",
        "is a member of rds_superuser, which administers the cluster. REVOKE rds_superuser FROM {role}",
        "REVOKE rds_superuser FROM {role}",
    ),
    "the master user": (
        "REVOKE {role} FROM {master}; GRANT {master} TO {role}",
        "is a member of {master}, the master user|{master} has no ADMIN OPTION",
        "REVOKE {master} FROM {role}; GRANT {role} TO {master} WITH ADMIN OPTION",
    ),
    "a role that the master user may not grant": (
        "REVOKE {role} FROM {master}; CREATE ROLE {owner}_admin; GRANT {role} TO {owner}_admin WITH ADMIN OPTION",
        "role {role}: {master} has no ADMIN OPTION on it. As {owner}_admin: GRANT {role} TO {master} WITH ADMIN OPTION",
        "GRANT {role} TO {master} WITH ADMIN OPTION",
    ),
    "a database that cannot be examined": (
        "REVOKE CONNECT ON DATABASE {database}_other FROM public; GRANT CONNECT ON DATABASE {database}_other TO {role}",
        "database {database}_other: {role} uses it, but {master} cannot examine it. GRANT CONNECT ON DATABASE",
        "GRANT CONNECT ON DATABASE {database}_other TO {master}",
    ),
    "a setting that the master user may not set": (
        "ALTER ROLE {role} SET log_statement = 'none'",
        "The setting log_statement of {role} cannot be carried over: permission denied to set parameter",
        "ALTER ROLE {role} RESET log_statement",
    ),
    "function": (
        "CREATE FUNCTION f() RETURNS name LANGUAGE plpgsql AS 'BEGIN RETURN Session_User; END'",
        r"function public.f\(\) in {database}: asks which role logged in \(session_user\): the logins instead",
        "DROP FUNCTION f()",
    ),
    "function with an SQL body": (
        "CREATE FUNCTION f() RETURNS name RETURN session_user",
        r"function public.f\(\)",
        "DROP FUNCTION f()",
    ),
    "default of an argument": (
        "CREATE FUNCTION f(a name DEFAULT session_user) RETURNS name LANGUAGE sql AS 'SELECT a'",
        r"function public.f\(name\)",
        "DROP FUNCTION f(name)",
    ),
    "policy": (
        "CREATE TABLE t (a name); CREATE POLICY p ON t USING (a = session_user)",
        "policy p on public.t",
        "DROP TABLE t",
    ),
    "check of a policy": (
        "CREATE TABLE t (a name); CREATE POLICY p ON t WITH CHECK (a = system_user)",
        "policy p on public.t",
        "DROP TABLE t",
    ),
    "view": ("CREATE VIEW v AS SELECT session_user AS a", "view public.v", "DROP VIEW v"),
    "rule": (
        "CREATE TABLE t (a name); CREATE RULE r AS ON INSERT TO t WHERE new.a = session_user DO INSTEAD NOTHING",
        "rule r on public.t",
        "DROP TABLE t",
    ),
    "column": ("CREATE TABLE t (a name DEFAULT session_user)", "default of column a of public.t", "DROP TABLE t"),
    "constraint": (
        "CREATE TABLE t (a name CHECK (a = session_user))",
        "constraint t_a_check of public.t",
        "DROP TABLE t",
    ),
    "trigger": (
        "CREATE TABLE t (a name); CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';"
        "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW WHEN (new.a = session_user) EXECUTE FUNCTION g()",
        "trigger r on public.t",
        "DROP TABLE t",
    ),
    "default of a domain": (
        "CREATE DOMAIN d AS name DEFAULT session_user",
        "default of domain public.d",
        "DROP DOMAIN d",
    ),
    "constraint of a domain": (
        "CREATE DOMAIN d AS name CHECK (value = session_user)",
        "constraint d_check of public.d",
        "DROP DOMAIN d",
    ),
    "role of everybody in the database": (
        "CREATE ROLE {owner}_group; GRANT {owner}_group TO {role}; ALTER ROLE ALL IN DATABASE {database}"
        " SET role = {owner}_group",
        "database {database}: its setting role would not apply to the logins, only to {role}. ALTER ROLE {role} IN"
        " DATABASE {database} SET role = '{owner}_group'",
        "SET ROLE NONE; ALTER ROLE {role} IN DATABASE {database} SET role = '{owner}_group'",
    ),
    "role that does not exist": (
        "ALTER ROLE {role} SET role = {owner}_gone",
        "setting role: {role} may not act as {owner}_gone, or that role does not exist. ALTER ROLE {role} RESET role",
        "ALTER ROLE {role} RESET role",
    ),
    "role that it may not act as": (
        "CREATE ROLE {owner}_group; ALTER ROLE {role} IN DATABASE {database} SET role = {owner}_group",
        "setting role: {role} may not act as {owner}_group, .* ALTER ROLE {role} IN DATABASE {database} RESET role",
        "ALTER ROLE {role} IN DATABASE {database} RESET role",
    ),
    "in another database": (
        "",
        "view public.v in {database}_other: asks which role logged in",
        "",
    ),
}
"""What a role is refused for: statements of a superuser, the error, and the statements after which it is adopted."""


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_carried_over_is_refused_beforehand(adopting: Adopting, kind: str):
    statements, message, remedy = REFUSED[kind]
    other = f"{adopting.rotation.database}_other"
    if "other" in message:
        adopting.rotation.server.execute(f"CREATE DATABASE {other}")
    if kind == "in another database":
        adopting.as_superuser("CREATE VIEW v AS SELECT session_user AS a; GRANT SELECT ON v TO {role}", other)
    for statement in filter(None, statements.split("; ")) if "DATABASE" in statements else [statements or "SELECT 1"]:
        adopting.as_superuser(statement)
    before = adopting.dump()
    token = adopting.rotation.begin_rotation()
    with pytest.raises(RotationRefusedError, match=adopting.format(message)) as refused:
        adopting.rotation.rotate(token)
    assert "asks which role" not in str(refused.value) or REPLACE.replace("\\", "") in str(refused.value)
    assert adopting.dump() == before
    adopting.as_superuser(remedy or "SELECT 1")
    if kind == "in another database":
        adopting.as_superuser("DROP VIEW v", other)
    adopting.rotation.rotate(token)
    current = "SELECT current_user::text"
    assert adopting.as_new(current) == adopting.as_old(current)


def test_a_membership_that_another_role_granted_is_revoked_by_the_remedy(adopting: Adopting):
    adopting.as_superuser(
        "CREATE ROLE rds_iam; CREATE ROLE {owner}_admin; GRANT rds_iam TO {owner}_admin WITH ADMIN OPTION;"
        "SET ROLE {owner}_admin; GRANT rds_iam TO {role}"
    )
    with pytest.raises(RotationRefusedError, match="REVOKE rds_iam FROM") as refused:
        adopting.rotation.rotate()
    adopting.as_superuser(refused.value.remedy)
    adopting.rotation.rotate()
    adopting.as_superuser("DROP ROLE rds_iam")


def test_a_security_label_is_a_reason_for_refusal(adopting: Adopting):
    """The test server has no label provider."""
    adopting.as_superuser(
        "SET allow_system_table_mods = on; INSERT INTO pg_shseclabel SELECT oid, 'pg_authid'::regclass,"
        " 'anon', 'MASKED' FROM pg_roles WHERE rolname = '{role}'"
    )
    with pytest.raises(
        RotationRefusedError, match=r"security label of anon.* SECURITY LABEL FOR anon ON ROLE .* IS NULL"
    ):
        adopting.rotation.rotate()
    adopting.as_superuser("SET allow_system_table_mods = on; DELETE FROM pg_shseclabel")


def test_databases_that_the_role_does_not_use_are_no_reason_for_refusal(adopting: Adopting):
    other = f"{adopting.rotation.database}_other"
    adopting.rotation.server.execute(f"CREATE DATABASE {other}")
    adopting.as_superuser("CREATE VIEW v AS SELECT session_user AS a", other)
    adopting.rotation.rotate()


def test_objects_of_extensions_are_no_reason_for_refusal(adopting: Adopting):
    adopting.as_superuser("CREATE EXTENSION insert_username; CREATE FUNCTION f() RETURNS name RETURN session_user")
    adopting.as_superuser("ALTER EXTENSION insert_username ADD FUNCTION f()")
    adopting.rotation.rotate()


def test_the_expression_that_the_refusal_names_is_no_reason_for_refusal(adopting: Adopting):
    alike = "coalesce(nullif(current_setting('role'), 'none'), session_user)"
    adopting.as_superuser(
        f"CREATE VIEW v AS SELECT {alike} AS a; CREATE TABLE t (a text DEFAULT {alike} CHECK (a = {alike}));"
        f"CREATE POLICY p ON t USING (a = {alike});"
        f"CREATE FUNCTION f(a text DEFAULT {alike}) RETURNS text LANGUAGE sql AS $$ SELECT {alike} $$;"
        f"CREATE FUNCTION g() RETURNS text RETURN {alike}; GRANT SELECT ON v TO {{role}}"
    )
    adopting.rotation.rotate()
    asked = "SELECT a, f(), g() FROM v"
    assert adopting.as_new(asked) == adopting.as_old(asked) == [(adopting.role,) * 3]


def test_a_role_is_adopted_after_the_first_rotation_if_the_owner_has_no_objects(
    adopting: Adopting, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ADOPTED_ROLE", "")
    adopting.rotation.rotate()
    monkeypatch.setenv("ADOPTED_ROLE", adopting.role)
    adopting.rotation.rotate()
    assert adopting.as_new("SELECT current_user::text, current_setting('lock_timeout')") == [(adopting.role, "0")]


def test_a_role_is_not_adopted_if_the_owner_has_objects(adopting: Adopting, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ADOPTED_ROLE", "")
    adopting.rotation.rotate()
    adopting.as_new("CREATE TABLE orders ()")
    monkeypatch.setenv("ADOPTED_ROLE", adopting.role)
    with pytest.raises(RotationRefusedError, match=r"owns or was granted \d+ objects, .* Remove rotation.adopted"):
        adopting.rotation.rotate()


@pytest.mark.parametrize(
    ("user", "statement"),
    [("superuser", "GRANT pg_read_all_data TO {owner}"), ("new", "SET ROLE NONE; CREATE TABLE {owner}.mine ()")],
)
def test_a_role_is_not_adopted_if_the_logins_would_lose_what_they_have(
    adopting: Adopting, monkeypatch: pytest.MonkeyPatch, user: str, statement: str
):
    monkeypatch.setenv("ADOPTED_ROLE", "")
    adopting.rotation.rotate()
    getattr(adopting, f"as_{user}")(statement)
    monkeypatch.setenv("ADOPTED_ROLE", adopting.role)
    with pytest.raises(RotationRefusedError, match=r"the logins would lose that\. Remove rotation.adopted"):
        adopting.rotation.rotate()


def test_an_adopted_role_that_gets_powers_later_is_named(adopting: Adopting):
    adopting.rotation.rotate()
    adopting.as_superuser("ALTER ROLE {role} CREATEROLE")
    with pytest.raises(RotationRefusedError, match=rf"role {adopting.role}: is a superuser, or has CREATEROLE"):
        adopting.rotation.rotate()
    assert adopting.rotation.can_log_in()


def test_a_role_set_for_one_database_is_reset(adopting: Adopting):
    adopting.rotation.rotate()
    adopting.rotation.rotate()
    for login in ("a", "b"):
        adopting.as_superuser(f"ALTER ROLE {{owner}}_{login} IN DATABASE {{database}} SET role = 'none'")
    for _ in range(2):
        adopting.rotation.rotate()
        assert adopting.as_new("SELECT current_user::text") == [(adopting.role,)]


@pytest.mark.parametrize("adopted", ["", "another"])
def test_an_adoption_is_not_forgotten(adopting: Adopting, monkeypatch: pytest.MonkeyPatch, adopted: str):
    adopting.rotation.rotate()
    monkeypatch.setenv("ADOPTED_ROLE", adopted)
    with pytest.raises(RotationRefusedError, match=f"acts as {adopting.role}, and .* Set rotation.adopted again"):
        adopting.rotation.rotate()
    assert adopting.rotation.can_log_in()


def test_a_missing_role_is_refused(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ADOPTED_ROLE", "missing_role")
    with pytest.raises(RotationRefusedError, match=r"role missing_role: does not exist\. Correct"):
        rotation.rotate()
    assert not rotation.server.execute(f"SELECT 1 FROM pg_roles WHERE rolname LIKE '{rotation.owner}%'")


def test_every_reference_to_a_role_is_known(server: Server):
    """A new one, in another major version, may be looked up by the role that logged in.

    Those of the current role need no change: the logins act as the adopted role.
    """
    referring = {
        table
        for (table,) in server.execute(
            "SELECT fktable::text FROM pg_get_catalog_foreign_keys() WHERE pktable = 'pg_authid'::regclass"
        )
    }
    owned_by = {
        *("pg_aggregate", "pg_class", "pg_collation", "pg_conversion", "pg_database", "pg_event_trigger"),
        *("pg_extension", "pg_foreign_data_wrapper", "pg_foreign_server", "pg_language", "pg_largeobject_metadata"),
        *("pg_namespace", "pg_opclass", "pg_operator", "pg_opfamily", "pg_proc", "pg_publication", "pg_statistic_ext"),
        *("pg_subscription", "pg_tablespace", "pg_ts_config", "pg_ts_dict", "pg_type"),
    }
    of_the_current_role = {"pg_auth_members", "pg_default_acl", "pg_policy", "pg_user_mapping"}
    copied = {"pg_db_role_setting"}
    assert referring <= owned_by | of_the_current_role | copied


def test_every_kind_of_expression_is_searched(server: Server):
    """Expressions can ask for the role that logged in, unless they must be immutable."""
    columns = server.execute(
        "SELECT attrelid::regclass::text, attname::text FROM pg_attribute"
        " JOIN pg_class ON pg_class.oid = attrelid AND relkind = 'r' WHERE atttypid = 'pg_node_tree'::regtype"
    )
    searched = {
        *(
            ("pg_attrdef", "adbin"),
            ("pg_constraint", "conbin"),
            ("pg_policy", "polqual"),
            ("pg_policy", "polwithcheck"),
        ),
        *(("pg_proc", "proargdefaults"), ("pg_proc", "prosqlbody"), ("pg_rewrite", "ev_action")),
        *(("pg_rewrite", "ev_qual"), ("pg_trigger", "tgqual"), ("pg_type", "typdefaultbin")),
    }
    immutable = {
        *(("pg_index", "indexprs"), ("pg_index", "indpred"), ("pg_partitioned_table", "partexprs")),
        *(("pg_statistic_ext", "stxexprs"), ("pg_publication_rel", "prqual"), ("pg_class", "relpartbound")),
    }
    assert set(columns) == searched | immutable


Run = Callable[..., tuple[str, int]]


@pytest.fixture
def run(adopting: Adopting, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command with a credential. Returns its output and exit code."""

    def run(user: str, password: str, *options: str) -> tuple[str, int]:
        for name, value in {
            "PGHOST": WRITER,
            "PGPORT": str(adopting.rotation.server.port),
            "PGDATABASE": adopting.rotation.database,
            "PGUSER": user,
            "PGPASSWORD": password,
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(adopting.rotation.server.certificates),
        }.items():
            monkeypatch.setenv(name, value)
        code: Any = 0
        try:
            adoption.main([adopting.role, adopting.rotation.owner, *options])
        except SystemExit as ended:
            code = ended.code
        output = capsys.readouterr()
        text = output.out + output.err
        return (text, code) if isinstance(code, int) else (text + code, 1)

    return run


CREDENTIALS = [(MASTER, MASTER_PASSWORD, []), ("", PASSWORD, ["--master", MASTER])]


@pytest.mark.parametrize(("user", "password", "options"), CREDENTIALS, ids=["master", "old"])
def test_the_plan_shows_what_is_carried_over(
    adopting: Adopting, run: Run, user: str, password: str, options: list[str]
):
    adopting.as_old("CREATE TABLE orders (id int)")
    adopting.as_superuser(
        "ALTER ROLE {role} SET timezone = 'UTC'; ALTER ROLE {role} IN DATABASE {database} SET"
        " work_mem = '9MB'; GRANT pg_monitor TO {role}"
    )
    before = adopting.dump()
    output, code = run(user or adopting.role, password, *options)
    assert code == 0, output
    assert output.splitlines() == [
        adopting.format("{owner}_a and {owner}_b would act as {role}, which would not change."),
        *(
            adopting.format("  Carried over: {role} ") + line
            for line in (
                adopting.format("owns 1 of pg_class in {database}"),
                adopting.format("was granted 1 of pg_namespace in {database}"),
                "was granted 1 of pg_database in the cluster",
                "is a member of pg_monitor",
                "sets TimeZone",
                adopting.format("sets work_mem in {database}"),
            )
        ),
    ]
    assert adopting.dump() == before


@pytest.mark.parametrize(("user", "password", "options"), CREDENTIALS, ids=["master", "old"])
def test_the_plan_shows_every_refusal(adopting: Adopting, run: Run, user: str, password: str, options: list[str]):
    adopting.as_superuser(
        "REVOKE {role} FROM {master}; ALTER ROLE {role} CREATEROLE; ALTER ROLE {role} SET log_statement = 'all';"
        "CREATE VIEW public.v AS SELECT session_user AS a"
    )
    output, code = run(user or adopting.role, password, *options)
    assert code == 1
    refused = [line.removeprefix("  Refused: ") for line in output.splitlines() if "Refused" in line]
    assert [line.partition(":")[0] for line in refused] == [
        f"role {adopting.role}",
        "setting log_statement",
        f"role {adopting.role}",
        f"view public.v in {adopting.rotation.database}",
    ]


def test_the_plan_for_the_role_itself_shows_what_the_master_user_cannot_examine(adopting: Adopting, run: Run):
    other = f"{adopting.rotation.database}_other"
    adopting.rotation.server.execute(f"CREATE DATABASE {other}")
    adopting.as_superuser(f"REVOKE CONNECT ON DATABASE {other} FROM public")
    adopting.as_superuser(f"GRANT CONNECT ON DATABASE {other} TO {{role}}")
    output, code = run(adopting.role, PASSWORD, "--master", MASTER)
    assert code == 1
    assert f"{MASTER} cannot examine it. GRANT CONNECT ON DATABASE {other} TO {MASTER}" in output


def test_the_plan_shows_roles_of_others_with_the_names_of_the_logins(adopting: Adopting, run: Run):
    adopting.as_superuser("CREATE ROLE {owner}_b")
    output, code = run(MASTER, MASTER_PASSWORD)
    assert code == 1
    assert adopting.format("Refused: role {owner}_b: exists, but was not created by the rotation. Choose") in output


def test_the_plan_needs_the_name_of_the_master_user(adopting: Adopting, run: Run):
    output, code = run(adopting.role, PASSWORD)
    assert code == 2
    assert f"--master: required, because you are connected as {adopting.role}" in output


def test_a_plan_that_cannot_connect_ends_in_one_line(run: Run):
    output, code = run(MASTER, "wrong")
    assert (output.count("\n"), code) == (0, 1)
    assert "password authentication failed" in output


def test_a_master_user_that_was_replaced_is_told_what_to_do(rotation: RotationFixture):
    rotation.rotate()
    rotation.rotate()
    second = f"{rotation.owner}_master"
    rotation.server.execute(
        f"CREATE ROLE {second} LOGIN CREATEROLE; ALTER DATABASE {rotation.database} OWNER TO {second}"
    )
    rotation.server.set_password(second, "another")
    rotation.client.put_secret_value(
        SecretId=rotation.environment["MASTER_SECRET_ARN"],
        SecretString=json.dumps({"username": second, "password": "another"}),
    )
    roles = ", ".join((rotation.owner, *rotation.logins))
    grant = f"GRANT {roles} TO {second} WITH ADMIN OPTION"
    token = rotation.begin_rotation()
    with pytest.raises(
        RotationRefusedError, match=f"role {roles}: {second} has no ADMIN OPTION on it. As {MASTER}: {grant}"
    ):
        rotation.rotate(token)
    rotation.query_as(MASTER, MASTER_PASSWORD, grant)
    rotation.rotate(token)
    assert rotation.can_log_in()


def test_roles_that_a_superuser_restored_are_refused(rotation: RotationFixture):
    rotation.rotate()
    for role in (rotation.owner, *rotation.logins[:1]):
        rotation.server.execute(f"REVOKE {role} FROM {MASTER} CASCADE")
    with pytest.raises(RotationRefusedError, match=r"on it\. As a superuser, because no role has it: GRANT"):
        rotation.rotate()


def test_a_name_with_control_characters_stays_in_its_line(adopting: Adopting):
    adopting.as_old('CREATE VIEW "a\n\x1b[31mb" AS SELECT session_user')
    with pytest.raises(RotationRefusedError, match=re.escape('"a??[31mb"')) as refused:
        adopting.rotation.rotate()
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("role", "owner"),
    [("Shop App", "application"), ("x" * 61, "application"), ("\udcff", "application"), ("shop", "public")],
)
def test_names_that_the_settings_refuse_are_usage_errors(capsys: pytest.CaptureFixture[str], role: str, owner: str):
    with pytest.raises(SystemExit, match="2"):
        adoption.main([role, owner])
    assert "allowed: up to 60 lowercase letters" in capsys.readouterr().err


@pytest.mark.parametrize("role", ["application", "application_b"])
def test_a_role_of_the_rotation_is_a_usage_error(capsys: pytest.CaptureFixture[str], role: str):
    with pytest.raises(SystemExit, match="2"):
        adoption.main([role, "application"])
    assert "allowed: a role that is none of the rotation's" in capsys.readouterr().err
