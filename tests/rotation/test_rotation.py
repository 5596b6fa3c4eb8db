"""Rotations: the first, many in a row, repeated steps, adoption of roles, and a master user that RDS rotates."""

import json
import time
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from moto.secretsmanager.models import SecretsManagerBackend

from lambda_rotation import database, handler
from lambda_rotation.credential import MasterCredential
from lambda_rotation.errors import DatabaseError, RotationRefusedError, TooSoonError
from stacks.rotation.function import TIMEOUT
from tests.rotation.fixtures import STEPS, RotationFixture
from tests.rotation.server import MASTER, READER


def test_the_first_rotation_creates_roles_schema_and_version(rotation: RotationFixture):
    token = rotation.rotate()
    assert rotation.stages() == {token: {"AWSCURRENT"}}
    credential = rotation.current()
    assert credential.username == rotation.logins[0]
    assert len(credential.password) >= 48
    assert credential.password.isalnum()
    assert rotation.query("SELECT session_user::text, current_user::text") == [(rotation.logins[0], rotation.owner)]
    assert rotation.query("SELECT pg_is_in_recovery()", host=READER) == [(True,)]


def test_a_first_version_that_is_current_at_once_is_rotated(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    """According to the documentation of PutSecretValue, the first version of a secret is labelled AWSCURRENT."""
    original = SecretsManagerBackend.put_secret_value

    def put(self: SecretsManagerBackend, **settings: Any) -> Any:
        settings["version_stages"].append("AWSCURRENT")
        return original(self, **settings)

    monkeypatch.setattr(SecretsManagerBackend, "put_secret_value", put)
    token = rotation.begin_rotation()
    rotation.step("createSecret", token)
    assert rotation.stages() == {token: {"AWSCURRENT", "AWSPENDING"}}
    rotation.rotate(token)
    assert rotation.can_log_in()
    assert rotation.stages() == {token: {"AWSCURRENT"}}


def test_rotations_alternate_between_the_login_roles(rotation: RotationFixture):
    users: list[str] = []
    passwords: set[str] = set()
    for _ in range(25):
        before = rotation.current() if users else None
        rotation.rotate()
        users.append(rotation.current().username)
        passwords.add(rotation.current().password)
        # The credential of running tasks stays valid.
        assert before is None or rotation.can_log_in(before)
        assert rotation.can_log_in()
    assert users == [rotation.logins[number % 2] for number in range(25)]
    assert len(passwords) == 25


def test_objects_of_either_login_belong_to_both(rotation: RotationFixture):
    rotation.rotate()
    rotation.query("CREATE TABLE orders (id serial PRIMARY KEY); INSERT INTO orders DEFAULT VALUES")
    rotation.rotate()
    rotation.query("ALTER TABLE orders ADD COLUMN total integer; CREATE TABLE carts (id integer)")
    rotation.rotate()
    rotation.query("INSERT INTO carts VALUES (1); DROP TABLE carts; INSERT INTO orders (total) VALUES (5)")
    assert rotation.query("SELECT count(*) FROM orders") == [(2,)]
    owned = "SELECT tableowner, schemaname FROM pg_tables WHERE tablename = 'orders'"
    assert rotation.query(owned) == [(rotation.owner, rotation.owner)]


def test_the_owner_cannot_log_in_and_the_logins_have_few_privileges(rotation: RotationFixture):
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


def test_the_server_stores_a_verifier_instead_of_the_password(rotation: RotationFixture):
    rotation.rotate()
    login = rotation.current().username
    assert str(
        rotation.server.execute(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{login}'")[0][0]
    ).startswith("SCRAM-SHA-256$")


def test_every_step_can_be_repeated(rotation: RotationFixture, caplog: pytest.LogCaptureFixture):
    rotation.rotate()
    before = rotation.current()
    token = rotation.begin_rotation()
    for name in STEPS:
        for _ in range(3):
            rotation.step(name, token)
            assert rotation.can_log_in(before)
    # Also after the rotation is finished.
    caplog.clear()
    for name in STEPS:
        rotation.step(name, token)
    assert [message.rpartition(": ")[2] for message in caplog.messages] == [
        "skipped, because the version is current already"
    ] * len(STEPS)
    assert rotation.can_log_in()
    assert rotation.current().username == rotation.logins[1]


def test_a_new_rotation_replaces_an_abandoned_one(rotation: RotationFixture):
    rotation.rotate()
    before = rotation.current()
    abandoned = rotation.begin_rotation()
    rotation.step("createSecret", abandoned)
    rotation.step("setSecret", abandoned)
    rotation.rotate()
    assert rotation.can_log_in(before)
    assert rotation.can_log_in()
    # DescribeSecret omits versions without a label.
    with pytest.raises(RotationRefusedError, match="is not a version of the secret"):
        rotation.step("finishSecret", abandoned)


def test_concurrent_rotations_are_serialized(rotation: RotationFixture):
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


def test_a_new_credential_is_not_rotated(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    rotation.rotate()
    monkeypatch.setenv("MINIMUM_AGE", "3600")
    with pytest.raises(TooSoonError, match=r"Wait until it has been current for 3600 s, or set .* RotateEarlyUntil"):
        rotation.rotate()
    assert rotation.can_log_in()


@pytest.mark.parametrize(
    ("until", "is_allowed"),
    [
        (datetime.now(UTC) + timedelta(hours=1), True),
        ((datetime.now(UTC) + timedelta(hours=1)).replace(tzinfo=None), True),
        (datetime.now(UTC) - timedelta(hours=1), False),
        ("yes", False),
    ],
)
def test_a_tag_allows_an_early_rotation(
    rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch, until: datetime | str, *, is_allowed: bool
):
    rotation.rotate()
    before = rotation.current()
    monkeypatch.setenv("MINIMUM_AGE", "3600")
    value = until if isinstance(until, str) else until.isoformat()
    rotation.client.tag_resource(SecretId=rotation.secret_arn, Tags=[{"Key": "RotateEarlyUntil", "Value": value}])
    if is_allowed:
        rotation.rotate()
    else:
        with pytest.raises(TooSoonError):
            rotation.rotate()
    assert (rotation.current() != before) is is_allowed


def test_an_old_credential_is_rotated(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    token = rotation.rotate()
    monkeypatch.setenv("MINIMUM_AGE", "3600")
    rotation.backdate(token, timedelta(hours=2))
    rotation.rotate()


def test_the_age_of_a_credential_counts_from_the_end_of_its_rotation(
    rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch
):
    token = rotation.rotate()
    monkeypatch.setenv("MINIMUM_AGE", "3600")
    rotation.backdate(token, timedelta(hours=2), became_current=timedelta(minutes=5))
    with pytest.raises(TooSoonError, match="has been current for 30"):
        rotation.rotate()


def test_the_master_password_is_read_again_if_rds_has_rotated_it(
    rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch
):
    reads: list[str] = []
    original = handler.read_master_credential

    def stale_first(*arguments: Any) -> MasterCredential:
        master = original(*arguments)
        reads.append(master.username)
        return MasterCredential(master.username, "stale") if len(reads) == 1 else master

    monkeypatch.setattr(handler, "read_master_credential", stale_first)
    rotation.rotate()
    assert rotation.can_log_in()
    assert len(reads) == 3


def test_a_wrong_master_password_is_reported(rotation: RotationFixture):
    rotation.client.put_secret_value(
        SecretId=rotation.environment["MASTER_SECRET_ARN"],
        SecretString=json.dumps({"username": MASTER, "password": "wrong"}),
    )
    with pytest.raises(DatabaseError, match=f"{MASTER} on 127.0.0.1:.*password authentication failed"):
        rotation.rotate()


@pytest.mark.parametrize("ending", ["", "_a"])
def test_existing_roles_are_not_taken_over(rotation: RotationFixture, ending: str):
    rotation.server.execute(f"CREATE ROLE {rotation.owner}{ending}")
    with pytest.raises(
        RotationRefusedError, match=f"The role {rotation.owner}{ending} exists, but was not created by the rotation"
    ):
        rotation.rotate()


def test_an_existing_schema_is_not_taken_over(rotation: RotationFixture):
    rotation.server.execute(f"CREATE SCHEMA {rotation.owner}", rotation.database)
    with pytest.raises(RotationRefusedError, match=f"The schema {rotation.owner} belongs to postgres"):
        rotation.rotate()
    assert not rotation.server.execute(f"SELECT 1 FROM pg_roles WHERE rolname LIKE '{rotation.owner}%'")


def test_the_databases_setting_role_does_not_keep_the_master_user_from_creating_roles(rotation: RotationFixture):
    group = f"{rotation.owner}_group"
    rotation.server.execute(f"CREATE ROLE {group}; GRANT {group} TO {MASTER}")
    rotation.server.execute(f"ALTER DATABASE {rotation.database} SET role = {group}")
    rotation.rotate()
    assert rotation.query("SELECT current_user::text") == [(rotation.owner,)]


def test_excessive_privileges_fail_test_secret(rotation: RotationFixture):
    token = rotation.begin_rotation()
    rotation.step("createSecret", token)
    rotation.step("setSecret", token)
    rotation.server.execute(f"GRANT CREATE ON DATABASE {rotation.database} TO {rotation.owner}")
    with pytest.raises(
        DatabaseError, match="The application may CREATE SCHEMA rotation_probe, which must be forbidden"
    ):
        rotation.step("testSecret", token)
    assert not rotation.server.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'rotation_probe'", rotation.database)


def test_a_login_that_does_not_act_as_the_owner_fails_test_secret(rotation: RotationFixture):
    token = rotation.begin_rotation()
    rotation.step("createSecret", token)
    rotation.step("setSecret", token)
    rotation.server.execute(f"ALTER ROLE {rotation.logins[0]} RESET role")
    with pytest.raises(DatabaseError, match=f"not {rotation.logins[0]} as {rotation.owner}"):
        rotation.step("testSecret", token)


def test_replication_lag_is_tolerated(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    token = rotation.begin_rotation()
    rotation.step("createSecret", token)
    with rotation.server.paused_replica() as replay:
        rotation.step("setSecret", token)
        monkeypatch.setattr(time, "sleep", lambda _: replay())
        rotation.step("testSecret", token)


def test_excessive_replication_lag_is_reported(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "REPLICA_TIMEOUT", 0)
    token = rotation.begin_rotation()
    rotation.step("createSecret", token)
    with rotation.server.paused_replica():
        rotation.step("setSecret", token)
        with pytest.raises(DatabaseError, match=f"{rotation.logins[0]} on {READER}"):
            rotation.step("testSecret", token)


def test_the_audit_extension_is_created_once(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    # The test server has no pgaudit. hstore, too, can be created by a database's owner.
    monkeypatch.setattr(database, "AUDIT_EXTENSION", "hstore")
    rotation.rotate()
    rotation.rotate()
    query = "SELECT extowner::regrole::text FROM pg_extension WHERE extname = 'hstore'"
    assert rotation.server.execute(query, rotation.database) == [(MASTER,)]


def test_timeouts_fit_into_the_functions_timeout():
    """Even if Secrets Manager and the database are slow: a function that times out reports no error."""
    calls = 6  # maximum per step: the description, three versions, the master credential twice
    aws = calls * handler.MAXIMUM_ATTEMPTS * (handler.CONNECT_TIMEOUT + handler.READ_TIMEOUT)
    set_secret = 2 * database.SESSION_TIMEOUT
    test_secret = 2 * database.SESSION_TIMEOUT + database.REPLICA_TIMEOUT
    assert aws + max(set_secret, test_secret) < TIMEOUT
    # Aurora's documentation: 30 seconds and more after a day's pause.
    assert database.RESPONSE_TIMEOUT >= 2 * 30
    assert database.LOCK_TIMEOUT < database.STATEMENT_TIMEOUT < database.RESPONSE_TIMEOUT < database.SESSION_TIMEOUT


def test_a_replaced_rotation_commits_nothing(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    """While it waited for the lock, it was abandoned, and another rotation made the same login role current."""
    rotation.rotate()
    slow = rotation.begin_rotation()
    rotation.step("createSecret", slow)
    prepare = database.prepare

    def after_another_rotation(*arguments: Any, **options: Any) -> None:
        monkeypatch.setattr(database, "prepare", prepare)
        rotation.rotate()
        prepare(*arguments, **options)

    monkeypatch.setattr(database, "prepare", after_another_rotation)
    with pytest.raises(RotationRefusedError, match="is not a version of the secret"):
        rotation.step("setSecret", slow)
    assert rotation.can_log_in()


def test_a_manually_put_version_has_no_minimum_age(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    rotation.put_current(username="none", password="none")
    monkeypatch.setenv("MINIMUM_AGE", "3600")
    rotation.rotate()
    assert rotation.can_log_in()


def test_the_owner_may_have_the_name_of_an_sql_keyword(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OWNER_ROLE", "user")
    for _ in range(3):
        rotation.rotate()
    assert rotation.current().username == "user_a"
    assert rotation.can_log_in()
