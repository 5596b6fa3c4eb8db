"""Rotations as they should be: the first, many in a row, repeated steps, adoption, a master that RDS rotates."""

import json
import time
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import psycopg2
import pytest
from moto.secretsmanager.models import SecretsManagerBackend

from lambda_rotation import database, handler
from lambda_rotation.credential import MasterCredential
from lambda_rotation.errors import DatabaseError, RotationRefusedError, TooSoonError
from stacks.rotation.function import TIMEOUT
from tests.rotation.fixtures import STEPS, RotationFixture
from tests.rotation.server import MASTER, MASTER_PASSWORD, READER


def test_the_first_rotation_makes_roles_schema_and_the_first_version(rotation: RotationFixture):
    token = rotation.rotate()
    assert rotation.stages() == {token: {"AWSCURRENT"}}
    credential = rotation.current()
    assert credential.username == rotation.logins[0]
    assert len(credential.password) >= 48
    assert credential.password.isalnum()
    assert rotation.query("SELECT session_user::text, current_user::text") == [(rotation.logins[0], rotation.owner)]
    assert rotation.query("SELECT pg_is_in_recovery()", host=READER) == [(True,)]


def test_a_first_version_that_aws_makes_current_at_once_is_rotated_all_the_same(
    rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch
):
    """As AWS says of PutSecretValue: the first version for the secret is staged AWSCURRENT."""
    plain = SecretsManagerBackend.put_secret_value

    def put(self: SecretsManagerBackend, **asked: Any) -> Any:
        asked["version_stages"].append("AWSCURRENT")
        return plain(self, **asked)

    monkeypatch.setattr(SecretsManagerBackend, "put_secret_value", put)
    token = rotation.begin_rotation()
    rotation.step("createSecret", token)
    assert rotation.stages() == {token: {"AWSCURRENT", "AWSPENDING"}}
    rotation.rotate(token)
    assert rotation.can_log_in()
    assert rotation.stages() == {token: {"AWSCURRENT"}}


def test_many_rotations_in_a_row_take_turns(rotation: RotationFixture):
    users: list[str] = []
    passwords: set[str] = set()
    for _ in range(25):
        before = rotation.current() if users else None
        rotation.rotate()
        users.append(rotation.current().username)
        passwords.add(rotation.current().password)
        # What running tasks hold stays valid.
        assert before is None or rotation.can_log_in(before)
        assert rotation.can_log_in()
    assert users == [rotation.logins[number % 2] for number in range(25)]
    assert len(passwords) == 25


def test_what_either_login_creates_belongs_to_both(rotation: RotationFixture):
    rotation.rotate()
    rotation.query("CREATE TABLE orders (id serial PRIMARY KEY); INSERT INTO orders DEFAULT VALUES")
    rotation.rotate()
    rotation.query("ALTER TABLE orders ADD COLUMN total integer; CREATE TABLE carts (id integer)")
    rotation.rotate()
    rotation.query("INSERT INTO carts VALUES (1); DROP TABLE carts; INSERT INTO orders (total) VALUES (5)")
    assert rotation.query("SELECT count(*) FROM orders") == [(2,)]
    owned = "SELECT tableowner, schemaname FROM pg_tables WHERE tablename = 'orders'"
    assert rotation.query(owned) == [(rotation.owner, rotation.owner)]


def test_nobody_logs_in_as_the_owner_and_the_logins_may_do_little(rotation: RotationFixture):
    rotation.rotate()
    rotation.rotate()
    roles = {
        name: rest
        for name, *rest in rotation.server.execute(
            "SELECT rolname::text, rolcanlogin, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR"
            f" rolbypassrls, rolconnlimit FROM pg_roles WHERE rolname LIKE '{rotation.owner}%'"
        )
    }
    assert roles.pop(rotation.owner) == [False, False, -1]
    assert roles == {login: [True, False, 50] for login in rotation.logins}


def test_sessions_have_limits(rotation: RotationFixture):
    rotation.rotate()
    for parameter, limit in {
        "statement_timeout": "30s",
        "lock_timeout": "10s",
        "idle_in_transaction_session_timeout": "1min",
    }.items():
        assert rotation.query(f"SHOW {parameter}") == [(limit,)]


def test_the_server_keeps_a_verifier_and_never_saw_the_password(rotation: RotationFixture):
    rotation.rotate()
    login = rotation.current().username
    assert str(
        rotation.server.execute(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{login}'")[0][0]
    ).startswith("SCRAM-SHA-256$")


def test_every_step_can_be_repeated(rotation: RotationFixture):
    rotation.rotate()
    before = rotation.current()
    token = rotation.begin_rotation()
    for name in STEPS:
        for _ in range(3):
            rotation.step(name, token)
            assert rotation.can_log_in(before)
    # And once more when all is over.
    for name in STEPS:
        rotation.step(name, token)
    assert rotation.can_log_in()
    assert rotation.current().username == rotation.logins[1]


def test_a_rotation_that_was_given_up_is_taken_over_by_the_next(rotation: RotationFixture):
    rotation.rotate()
    before = rotation.current()
    given_up = rotation.begin_rotation()
    rotation.step("createSecret", given_up)
    rotation.step("setSecret", given_up)
    rotation.rotate()
    assert rotation.can_log_in(before)
    assert rotation.can_log_in()
    # A version without a label is none that Secrets Manager describes.
    with pytest.raises(RotationRefusedError, match="names no version of the secret"):
        rotation.step("finishSecret", given_up)


def test_rotations_at_the_same_time_wait_for_one_another(rotation: RotationFixture):
    token = rotation.begin_rotation()
    rotation.step("createSecret", token)
    failed: list[BaseException] = []

    def set_secret() -> None:
        try:
            rotation.step("setSecret", token)
        except BaseException as error:
            failed.append(error)

    threads = [Thread(target=set_secret) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    rotation.rotate(token)
    assert rotation.can_log_in()


def test_a_young_credential_is_not_replaced(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    rotation.rotate()
    monkeypatch.setenv("MINIMUM_AGE", "3600")
    with pytest.raises(TooSoonError, match="Wait until 3600 s have passed, or set the secret's tag RotateEarlyUntil"):
        rotation.rotate()
    assert rotation.can_log_in()


@pytest.mark.parametrize(
    ("until", "may"),
    [
        (datetime.now(UTC) + timedelta(hours=1), True),
        ((datetime.now(UTC) + timedelta(hours=1)).replace(tzinfo=None), True),
        (datetime.now(UTC) - timedelta(hours=1), False),
        ("yes", False),
    ],
)
def test_a_compromised_credential_is_replaced_however_young_it_is(
    rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch, until: datetime | str, *, may: bool
):
    rotation.rotate()
    before = rotation.current()
    monkeypatch.setenv("MINIMUM_AGE", "3600")
    value = until if isinstance(until, str) else until.isoformat()
    rotation.client.tag_resource(SecretId=rotation.secret_arn, Tags=[{"Key": "RotateEarlyUntil", "Value": value}])
    if may:
        rotation.rotate()
    else:
        with pytest.raises(TooSoonError):
            rotation.rotate()
    assert (rotation.current() != before) is may


def test_an_old_credential_is_replaced(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    token = rotation.rotate()
    monkeypatch.setenv("MINIMUM_AGE", "3600")
    rotation.backdate(token, timedelta(hours=2))
    rotation.rotate()


def test_a_rotation_that_was_held_up_counts_from_its_end(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    token = rotation.rotate()
    monkeypatch.setenv("MINIMUM_AGE", "3600")
    rotation.backdate(token, timedelta(hours=2), became_current=timedelta(minutes=5))
    with pytest.raises(TooSoonError, match="is current for 30"):
        rotation.rotate()


def test_a_master_password_that_rds_rotated_meanwhile_is_read_once_more(
    rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch
):
    handed_out: list[str] = []
    plain = handler.read_master_credential

    def stale_first(*arguments: Any) -> MasterCredential:
        master = plain(*arguments)
        handed_out.append(master.username)
        return MasterCredential(master.username, "stale") if len(handed_out) == 1 else master

    monkeypatch.setattr(handler, "read_master_credential", stale_first)
    rotation.rotate()
    assert rotation.can_log_in()
    assert len(handed_out) == 3


def test_a_master_password_that_is_wrong_is_told(rotation: RotationFixture):
    rotation.client.put_secret_value(
        SecretId=rotation.environment["MASTER_SECRET_ARN"],
        SecretString=json.dumps({"username": MASTER, "password": "wrong"}),
    )
    with pytest.raises(DatabaseError, match=f"{MASTER} on 127.0.0.1:.*password authentication failed"):
        rotation.rotate()


def adopted(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch, *, current: bool = True) -> str:
    """A login of before: made by the master, with a table and a secret of its own."""
    role = f"{rotation.owner}_old"
    master = psycopg2.connect(
        host="127.0.0.1",
        port=rotation.server.port,
        dbname=rotation.database,
        user=MASTER,
        password=MASTER_PASSWORD,
        sslmode="require",
    )
    with master, master.cursor() as cursor:
        cursor.execute(
            f"CREATE ROLE {role} LOGIN PASSWORD 'of-before'; GRANT ALL ON DATABASE {rotation.database} TO {role}"
        )
    master.close()
    rotation.server.execute(f"GRANT CREATE ON SCHEMA public TO {role}", rotation.database)
    if current:
        rotation.put_current(username=role, password="of-before")
    rotation.query_as(
        role, "of-before", "CREATE TABLE public.orders (id integer); INSERT INTO public.orders VALUES (1)"
    )
    monkeypatch.setenv("ADOPTED_ROLE", role)
    return role


def test_an_existing_login_is_adopted(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    role = adopted(rotation, monkeypatch)
    rotation.rotate()
    assert rotation.current().username == rotation.logins[0]
    # Tasks of before go on, with what they had and with what comes.
    rotation.query_as(role, "of-before", "INSERT INTO public.orders VALUES (2); CREATE TABLE carts (id integer)")
    assert rotation.query("SELECT count(*) FROM public.orders") == [(2,)]
    rotation.query("DROP TABLE carts")
    rotation.rotate()
    assert rotation.current().username == rotation.logins[1]
    with pytest.raises(psycopg2.OperationalError, match="not permitted to log in"):
        rotation.query_as(role, "of-before", "SELECT 1")
    rotation.rotate()
    assert rotation.query("SELECT count(*) FROM public.orders") == [(2,)]


def test_a_role_that_may_more_than_an_application_is_not_adopted(
    rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch
):
    role = adopted(rotation, monkeypatch)
    rotation.server.execute(f"ALTER ROLE {role} CREATEROLE")
    with pytest.raises(RotationRefusedError, match="may do more than an application"):
        rotation.rotate()
    assert rotation.query_as(role, "of-before", "SELECT count(*) FROM public.orders") == [(1,)]


def test_an_adopted_role_that_is_gone_is_not_missed(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ADOPTED_ROLE", "nobody_of_this_name")
    rotation.rotate()
    assert rotation.can_log_in()


@pytest.mark.parametrize("ending", ["", "_a"])
def test_roles_of_another_origin_are_not_taken_over(rotation: RotationFixture, ending: str):
    rotation.server.execute(f"CREATE ROLE {rotation.owner}{ending}")
    with pytest.raises(
        RotationRefusedError, match=f"There is a role {rotation.owner}{ending} that the rotation did not make"
    ):
        rotation.rotate()


def test_a_schema_of_another_is_not_taken_over(rotation: RotationFixture):
    rotation.server.execute(f"CREATE SCHEMA {rotation.owner}", rotation.database)
    with pytest.raises(RotationRefusedError, match=f"The schema {rotation.owner} belongs to postgres"):
        rotation.rotate()
    assert not rotation.server.execute(f"SELECT 1 FROM pg_roles WHERE rolname LIKE '{rotation.owner}%'")


def test_a_login_that_may_too_much_fails_the_test(rotation: RotationFixture):
    token = rotation.begin_rotation()
    rotation.step("createSecret", token)
    rotation.step("setSecret", token)
    rotation.server.execute(f"GRANT CREATE ON DATABASE {rotation.database} TO {rotation.owner}")
    with pytest.raises(DatabaseError, match="The application may CREATE SCHEMA rotation_probe, which it must not"):
        rotation.step("testSecret", token)
    assert not rotation.server.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'rotation_probe'", rotation.database)


def test_a_login_that_acts_for_itself_fails_the_test(rotation: RotationFixture):
    token = rotation.begin_rotation()
    rotation.step("createSecret", token)
    rotation.step("setSecret", token)
    rotation.server.execute(f"ALTER ROLE {rotation.logins[0]} RESET role")
    with pytest.raises(DatabaseError, match=f"not {rotation.logins[0]} as {rotation.owner}"):
        rotation.step("testSecret", token)


def test_a_replica_that_lags_is_waited_for(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    token = rotation.begin_rotation()
    rotation.step("createSecret", token)
    with rotation.server.paused_replica() as replay:
        rotation.step("setSecret", token)
        monkeypatch.setattr(time, "sleep", lambda _: replay())
        rotation.step("testSecret", token)


def test_a_replica_that_stays_behind_is_told(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "REPLICA_TIMEOUT", 0)
    token = rotation.begin_rotation()
    rotation.step("createSecret", token)
    with rotation.server.paused_replica():
        rotation.step("setSecret", token)
        with pytest.raises(DatabaseError, match=f"{rotation.logins[0]} on {READER}"):
            rotation.step("testSecret", token)


def test_the_extension_of_the_audit_log_is_made_once(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    # The tests' server has no pgaudit; this one may be made by a database's owner as well.
    monkeypatch.setattr(database, "AUDIT_EXTENSION", "hstore")
    rotation.rotate()
    rotation.rotate()
    made = "SELECT extowner::regrole::text FROM pg_extension WHERE extname = 'hstore'"
    assert rotation.server.execute(made, rotation.database) == [(MASTER,)]


def test_a_step_ends_before_lambda_ends_it():
    """However slow Secrets Manager and the database are: a step that is cut off says nothing."""
    calls = 6  # of a step, at most: the description, three versions, the master twice
    aws = calls * handler.MAXIMUM_ATTEMPTS * (handler.CONNECT_TIMEOUT + handler.READ_TIMEOUT)
    set_secret = 2 * database.SESSION_TIMEOUT
    test_secret = 2 * database.SESSION_TIMEOUT + database.REPLICA_TIMEOUT
    assert aws + max(set_secret, test_secret) < TIMEOUT
    assert database.LOCK_TIMEOUT < database.STATEMENT_TIMEOUT < database.RESPONSE_TIMEOUT < database.SESSION_TIMEOUT


def test_a_rotation_that_lost_its_place_commits_nothing(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    """It was slow: while it asked for the lock, it was given up, and another rotation made the same login current."""
    rotation.rotate()
    slow = rotation.begin_rotation()
    rotation.step("createSecret", slow)
    prepare = database.prepare

    def after_another_rotation(*arguments: Any, **named: Any) -> None:
        monkeypatch.setattr(database, "prepare", prepare)
        rotation.rotate()
        prepare(*arguments, **named)

    monkeypatch.setattr(database, "prepare", after_another_rotation)
    with pytest.raises(RotationRefusedError, match="names no version of the secret"):
        rotation.step("setSecret", slow)
    assert rotation.can_log_in()


def test_a_version_that_was_put_by_hand_need_not_grow_old(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    rotation.put_current(username="none", password="none")
    monkeypatch.setenv("MINIMUM_AGE", "3600")
    rotation.rotate()
    assert rotation.can_log_in()


def test_an_owner_whose_name_sql_has_a_use_for_is_known_again(
    rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OWNER_ROLE", "user")
    for _ in range(3):
        rotation.rotate()
    assert rotation.current().username == "user_a"
    assert rotation.can_log_in()


def test_a_login_that_is_adopted_late_is_not_shut_out_at_once(
    rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch
):
    """The setting came after the first rotation."""
    rotation.rotate()
    role = adopted(rotation, monkeypatch, current=False)
    rotation.rotate()
    assert rotation.query_as(role, "of-before", "SELECT count(*) FROM public.orders") == [(1,)]
    assert rotation.query("SELECT count(*) FROM public.orders") == [(1,)]
    rotation.rotate()
    with pytest.raises(psycopg2.OperationalError, match="not permitted to log in"):
        rotation.query_as(role, "of-before", "SELECT 1")
    rotation.rotate()


def test_a_login_that_owns_the_database_is_told_to_give_it_up(
    rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch
):
    role = adopted(rotation, monkeypatch)
    rotation.server.execute(f"ALTER DATABASE {rotation.database} OWNER TO {role}")
    rotation.server.execute(f"GRANT CREATE, CONNECT ON DATABASE {rotation.database} TO {MASTER} WITH GRANT OPTION")
    with pytest.raises(RotationRefusedError, match=r"owns a database\. Give it to the master"):
        rotation.rotate()
