"""Invalid and malicious input is refused with a clear message, and never reaches the database as SQL."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lambda_rotation import database, handler
from lambda_rotation.configuration import Configuration
from lambda_rotation.credential import Credential, MasterCredential, parse_username
from lambda_rotation.errors import RotationError, RotationRefusedError
from stacks.settings.database import RESERVED_WORDS
from tests.rotation.fixtures import STEPS, RotationFixture
from tests.rotation.server import MASTER, MASTER_PASSWORD, READER, WRITER

FEW_EXAMPLES = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ANY_TEXT = st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40)
ENVIRONMENT = {
    "SECRET_ARN": "arn:secret",
    "MASTER_SECRET_ARN": "arn:master",
    "DATABASE_ENGINE": "postgres",
    "DATABASE_HOST": "writer",
    "DATABASE_READER_HOST": "reader",
    "DATABASE_PORT": "5432",
    "DATABASE_NAME": "shop",
    "OWNER_ROLE": "shop",
    "CONNECTION_LIMIT": "50",
    "MINIMUM_AGE": "0",
}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


def test_settings_know_the_names_that_postgresql_reserves(rotation: RotationFixture):
    words = rotation.server.execute("SELECT word FROM pg_get_keywords() WHERE catcode IN ('R', 'T')")
    assert sorted(RESERVED_WORDS.split("|")) == sorted(word for (word,) in words)
    for name in ("none", "public"):
        with pytest.raises(psycopg2.Error, match="is reserved"):
            rotation.server.execute(f'CREATE ROLE "{name}"')


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "createSecret",
        {},
        {"Step": "createSecret"},
        {"Step": 1, "SecretId": "arn", "ClientRequestToken": "t"},
        {"Step": "createSecret", "SecretId": "", "ClientRequestToken": "t"},
        {"Step": "dropSecret", "SecretId": "arn", "ClientRequestToken": "t"},
    ],
)
def test_invalid_events_are_refused(event: Any):
    with pytest.raises(RotationRefusedError) as raised:
        handler.handle(event)
    message = str(raised.value)
    assert message.startswith(("Invalid event: step, secret or token is missing. ", 'Invalid event: unknown step "'))
    assert message.endswith("do not invoke the function")


@given(ANY_JSON)
@settings(deadline=None)
def test_arbitrary_events_are_refused(event: Any):
    with pytest.raises(RotationRefusedError):
        handler.handle(event)


@given(ANY_JSON)
def test_arbitrary_secret_values_are_parsed_or_refused(values: Any):
    for text in (json.dumps(values), str(values)):
        for read in (Credential.parse, parse_username, MasterCredential.parse):
            # Any other exception fails the test.
            with suppress(RotationRefusedError):
                read(text)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, "null", "[]", '"username"', '{"username": ""}', '{"username": 5}']
)
def test_invalid_json_is_refused(text: str):
    for read in (Credential.parse, parse_username, MasterCredential.parse):
        with pytest.raises(RotationRefusedError):
            read(text)


VALID: Mapping[str, Any] = {
    "username": "shop_a",
    "password": "a-password",
    "engine": "postgres",
    "host": "writer",
    "port": 5432,
    "dbname": "shop",
    "reader_host": "reader",
}


@pytest.mark.parametrize("key", list(VALID))
@pytest.mark.parametrize("value", [None, "", 0, True, [], {}, "another", 1.5])
def test_a_version_with_a_wrong_value_is_refused(key: str, value: Any):
    configuration = Configuration.from_environment(ENVIRONMENT)
    Credential.parse(json.dumps(VALID)).check(configuration, "shop_a")
    if key == "password" and value == "another":
        return
    with pytest.raises(RotationRefusedError) as refused:
        Credential.parse(json.dumps({**VALID, key: value})).check(configuration, "shop_a")
    assert key in str(refused.value)
    # The message contains keys, never values.
    assert "a-password" not in str(refused.value)


def test_a_version_with_missing_or_unexpected_keys_is_refused():
    with pytest.raises(RotationRefusedError, match="missing or unexpected keys: extra"):
        Credential.parse(json.dumps({**VALID, "extra": 1}))
    with pytest.raises(RotationRefusedError, match="missing or unexpected keys: host"):
        Credential.parse(json.dumps({key: value for key, value in VALID.items() if key != "host"}))


@pytest.mark.parametrize("variable", sorted(ENVIRONMENT))
def test_a_missing_environment_variable_is_reported(variable: str):
    with pytest.raises(RotationRefusedError, match=f"Invalid environment variables: .*{variable}"):
        Configuration.from_environment({name: value for name, value in ENVIRONMENT.items() if name != variable})


@pytest.mark.parametrize("variable", ["DATABASE_PORT", "CONNECTION_LIMIT", "MINIMUM_AGE"])
def test_an_invalid_number_is_refused(variable: str):
    with pytest.raises(RotationRefusedError, match="Invalid environment variables"):
        Configuration.from_environment({**ENVIRONMENT, variable: "many"})


@given(ANY_TEXT)
@example('shop"; DROP ROLE postgres; --')
@example("shop\n")
@example("pg_monitor" + 60 * "x")
def test_only_plain_role_names_are_accepted(name: str):
    for variable in ("OWNER_ROLE", "ADOPTED_ROLE"):
        with suppress(RotationRefusedError):
            configuration = Configuration.from_environment({**ENVIRONMENT, variable: name})
            assert name.isascii()
            assert name.replace("_", "").isalnum()
            assert all(len(login) <= 63 for login in configuration.logins)


@given(name=ANY_TEXT, password=ANY_TEXT)
@FEW_EXAMPLES
@example(name='a"; DROP ROLE postgres; --', password="'; DROP ROLE postgres; --")
@example(name="%s", password="%(password)s")
def test_names_and_passwords_are_never_executed_as_sql(rotation: RotationFixture, name: str, password: str):
    """Even without validation, the database stores them literally or refuses them."""
    owner = f"{name}{uuid4().hex[:8]}"
    if len(owner.encode()) > 61:
        return
    configuration = Configuration(
        secret_arn="",
        master_secret_arn="",
        engine="postgres",
        host=WRITER,
        reader_host=READER,
        port=rotation.server.port,
        database=rotation.database,
        owner=owner,
        adopted=None,
        connection_limit=5,
        minimum_age=0,
        certificates=rotation.server.certificates,
    )
    pending = Credential.for_login(configuration, configuration.logins[0], password)
    try:
        database.prepare(configuration, MasterCredential(MASTER, MASTER_PASSWORD), pending)
    except RotationError:
        return
    assert {row[0] for row in rotation.server.execute("SELECT rolname::text FROM pg_roles")} > {
        owner,
        configuration.logins[0],
    }
    assert rotation.can_log_in(pending)


@pytest.mark.parametrize("step", STEPS)
def test_an_unknown_token_is_refused(rotation: RotationFixture, step: str):
    rotation.rotate()
    with pytest.raises(RotationRefusedError, match="The token is not a version of the secret"):
        rotation.step(step, str(uuid4()))


@pytest.mark.parametrize("step", STEPS)
def test_a_stale_token_is_refused(rotation: RotationFixture, step: str):
    stale = rotation.rotate()
    rotation.rotate()
    with pytest.raises(RotationRefusedError, match="not pending: another rotation has replaced it"):
        rotation.step(step, stale)


@pytest.mark.parametrize("step", STEPS[1:])
def test_a_step_before_create_secret_is_refused(rotation: RotationFixture, step: str):
    rotation.rotate()
    with pytest.raises(RotationRefusedError, match="The pending version has no value"):
        rotation.step(step, rotation.begin_rotation())


def test_another_secret_is_refused(rotation: RotationFixture):
    other = rotation.client.create_secret(Name=f"other-{rotation.owner}", SecretString="{}")["ARN"]
    for arn in (other, rotation.environment["MASTER_SECRET_ARN"], rotation.owner):
        with pytest.raises(RotationRefusedError, match=f"This function rotates only {rotation.secret_arn}"):
            handler.handle({"Step": "createSecret", "SecretId": arn, "ClientRequestToken": str(uuid4())})


def test_a_secret_without_rotation_enabled_is_refused(rotation: RotationFixture):
    rotation.enable(enabled=False)
    with pytest.raises(RotationRefusedError, match="Rotation is not enabled"):
        rotation.step("createSecret", rotation.begin_rotation())


@pytest.mark.parametrize(
    "injected",
    [
        {"host": "127.0.0.66"},
        {"reader_host": "127.0.0.66"},
        {"dbname": "postgres"},
        {"username": MASTER},
        {"engine": "mysql"},
        {"port": 1},
    ],
)
@pytest.mark.parametrize("step", STEPS)
def test_a_pending_version_for_another_database_or_role_is_refused(
    rotation: RotationFixture, step: str, injected: dict[str, Any]
):
    """Anyone who may write the secret could otherwise make the function send passwords to their own server."""
    rotation.rotate()
    token = rotation.begin_rotation()
    values = {**vars(rotation.current()), "username": rotation.logins[1], **injected}
    rotation.client.put_secret_value(
        SecretId=rotation.secret_arn,
        ClientRequestToken=token,
        SecretString=json.dumps(values),
        VersionStages=["AWSPENDING"],
    )
    with pytest.raises(RotationRefusedError, match=f"for another database or role: {next(iter(injected))}"):
        rotation.step(step, token)


def test_a_pending_version_for_the_current_login_is_refused(rotation: RotationFixture):
    rotation.rotate()
    token = rotation.begin_rotation()
    rotation.client.put_secret_value(
        SecretId=rotation.secret_arn,
        ClientRequestToken=token,
        SecretString=rotation.current().dump(),
        VersionStages=["AWSPENDING"],
    )
    with pytest.raises(RotationRefusedError, match="for another database or role: username"):
        rotation.step("setSecret", token)
    assert rotation.can_log_in()


def test_an_invalid_master_secret_is_refused(rotation: RotationFixture):
    rotation.client.put_secret_value(SecretId=rotation.environment["MASTER_SECRET_ARN"], SecretString="{}")
    with pytest.raises(RotationRefusedError, match="The master secret has no username and password"):
        rotation.rotate()


def test_the_application_cannot_set_role_to_the_master_user(rotation: RotationFixture):
    rotation.rotate()
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        rotation.query(f"SET ROLE {MASTER}")


@pytest.mark.parametrize("role", ["shop", "shop_a", "shop_b"])
def test_roles_of_the_rotation_are_not_adopted(role: str):
    with pytest.raises(RotationRefusedError, match="is a role of the rotation and cannot be adopted"):
        Configuration.from_environment({**ENVIRONMENT, "ADOPTED_ROLE": role})


def test_the_master_user_does_not_run_injected_functions(rotation: RotationFixture):
    """CVE-2018-1058: a better matching function of the same name, in a schema that everyone can write to."""
    rotation.rotate()
    for statement in (
        "CREATE TABLE public.caught (who text)",
        "GRANT ALL ON public.caught TO PUBLIC",
        "CREATE FUNCTION public.shobj_description(oid, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO public.caught VALUES (current_user); RETURN 'injected'; END $$",
    ):
        rotation.server.execute(statement, rotation.database)
    rotation.rotate()
    assert rotation.server.execute("SELECT * FROM public.caught", rotation.database) == []


def test_errors_of_aws_are_reported_by_their_code_only(rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MASTER_SECRET_ARN", "arn:aws:secretsmanager:us-west-1:123456789012:secret:gone-abcdef")
    with pytest.raises(
        RotationError, match=r"setSecret of .*: ResourceNotFoundException \(ResourceNotFoundException\)"
    ):
        rotation.rotate()
