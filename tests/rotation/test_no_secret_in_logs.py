"""No password is in any log: not in the server's, which has every statement, and not in the function's."""

import base64
import json
import logging
from urllib.parse import quote

import pytest

from lambda_rotation.credential import Credential, MasterCredential
from lambda_rotation.errors import RotationError
from tests.rotation.fixtures import RotationFixture
from tests.rotation.server import MASTER_PASSWORD, wait_until


def forms(secret: str) -> set[str]:
    """How a secret may be written down."""
    encoded = {base64.b64encode(prefix + secret.encode()).decode().strip("=")[4:-4] for prefix in (b"", b"x", b"xx")}
    return {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], secret.encode().hex(), *encoded}


def found(secret: str, text: str) -> set[str]:
    return {form for form in forms(secret) if form in text}


@pytest.mark.parametrize(
    "written",
    [
        "password='{0}'",
        "postgres://user:{1}@host",
        '{{"password": "{2}"}}',
        "Basic {3}",
    ],
)
def test_a_secret_that_is_told_is_found(written: str):
    secret = 'a"b/c d\\e%f+g-and-long-enough-to-be-one'
    basic = base64.b64encode(f"user:{secret}".encode()).decode()
    text = written.format(secret, quote(secret, safe=""), json.dumps(secret)[1:-1], basic)
    assert found(secret, text)


def test_neither_log_has_a_password(rotation: RotationFixture, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    passwords = set()
    for _ in range(3):
        rotation.rotate()
        passwords.add(rotation.current().password)
        assert rotation.can_log_in()
    with pytest.raises(RotationError):
        rotation.step("setSecret", rotation.begin_rotation())
    marker = f"SELECT 'the end of {rotation.owner}'"
    rotation.server.execute(marker)
    wait_until(lambda: marker in rotation.server.log.read_text())
    log = rotation.server.log.read_text()
    # The log does have the statements.
    assert f'ALTER ROLE "{rotation.logins[0]}" PASSWORD \'SCRAM-SHA-256$' in log
    # botocore's own debugging is not ours to answer for, and Lambda does not switch it on.
    told = "\n".join(record.getMessage() for record in caplog.records if record.name == "rotation")
    assert "setSecret" in told
    for secret in (*passwords, MASTER_PASSWORD):
        assert not found(secret, told)
        # Its own start-up makes the master with its password, as RDS does out of our sight.
        assert not found(
            secret, "\n".join(line for line in log.splitlines() if "CREATE ROLE platform_master" not in line)
        )


def test_a_secret_shows_nothing_of_itself():
    credential = Credential(
        username="shop_a",
        password="the-password",
        engine="postgres",
        host="h",
        port=1,
        dbname="d",
        reader_host="r",
    )
    for shown in (
        repr(credential),
        str(credential),
        f"{credential}",
        repr([credential]),
        repr(MasterCredential("u", "the-password")),
    ):
        assert "the-password" not in shown
        assert "redacted" in shown
