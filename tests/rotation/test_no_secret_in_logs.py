"""No password appears in a log: neither in the server's, which contains every statement, nor in the function's."""

import base64
import json
import logging
from urllib.parse import quote

import pytest

from lambda_rotation.credential import Credential, MasterCredential
from lambda_rotation.errors import RotationError
from tests.rotation.fixtures import RotationFixture
from tests.rotation.server import MASTER_PASSWORD, wait_until


def encodings(secret: str) -> set[str]:
    """Encodings in which a secret may appear."""
    encoded = {base64.b64encode(prefix + secret.encode()).decode().strip("=")[4:-4] for prefix in (b"", b"x", b"xx")}
    return {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], secret.encode().hex(), *encoded}


def leaked_encodings(secret: str, text: str) -> set[str]:
    return {encoding for encoding in encodings(secret) if encoding in text}


@pytest.mark.parametrize(
    "template",
    [
        "password='{0}'",
        "postgres://user:{1}@host",
        '{{"password": "{2}"}}',
        "Basic {3}",
    ],
)
def test_secrets_are_found_in_any_encoding(template: str):
    secret = 'a"b/c d\\e%f+g-and-long-enough-to-be-one'
    basic = base64.b64encode(f"user:{secret}".encode()).decode()
    text = template.format(secret, quote(secret, safe=""), json.dumps(secret)[1:-1], basic)
    assert leaked_encodings(secret, text)


def test_no_log_contains_a_password(rotation: RotationFixture, caplog: pytest.LogCaptureFixture):
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
    # The log does contain the statements.
    assert f'ALTER ROLE "{rotation.logins[0]}" PASSWORD \'SCRAM-SHA-256$' in log
    # Only the function's logger: botocore's debug log is disabled in Lambda.
    messages = "\n".join(record.getMessage() for record in caplog.records if record.name == "rotation")
    assert "setSecret" in messages
    for secret in (*passwords, MASTER_PASSWORD):
        assert not leaked_encodings(secret, messages)
        # The server creates the master user with its password, which RDS does internally.
        assert not leaked_encodings(
            secret, "\n".join(line for line in log.splitlines() if "CREATE ROLE platform_master" not in line)
        )


def test_representations_are_redacted():
    credential = Credential(
        username="shop_a",
        password="the-password",
        engine="postgres",
        host="h",
        port=1,
        dbname="d",
        reader_host="r",
    )
    for representation in (
        repr(credential),
        str(credential),
        f"{credential}",
        repr([credential]),
        repr(MasterCredential("u", "the-password")),
    ):
        assert "the-password" not in representation
        assert "redacted" in representation
