"""Handler of the Lambda function: the four steps of a rotation, which are idempotent.

Secrets Manager calls them in order with the token of one version, and starts over if a step fails.
https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

import json
import logging
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from lambda_rotation import database
from lambda_rotation.configuration import Configuration
from lambda_rotation.credential import Credential, MasterCredential, parse_username
from lambda_rotation.errors import (
    ROTATE_AGAIN,
    SEE_RUNBOOK,
    DatabaseError,
    RotationError,
    RotationRefusedError,
    TooSoonError,
)
from lambda_rotation.secret import OVERRIDE_TAG, Secret

LOG = logging.getLogger("rotation")
LOG.setLevel(logging.INFO)

CONNECT_TIMEOUT, READ_TIMEOUT = 3, 5  # seconds
MAXIMUM_ATTEMPTS = 2
CLIENT_CONFIG = Config(
    connect_timeout=CONNECT_TIMEOUT,
    read_timeout=READ_TIMEOUT,
    retries={"mode": "standard", "total_max_attempts": MAXIMUM_ATTEMPTS},
)


def handle(event: Any, _context: object = None) -> None:
    """Run the step that the event names.

    Raises:
        RotationError: the step failed. The message names the step, the secret, the version and the remedy; Secrets
            Manager retries.
    """
    context = "Invalid event"
    try:
        step, arn, token = _parse_event(event)
        context = f"{step} of {arn}, version {token}"
        _run_step(step, arn, token)
    except Exception as error:
        failure = _with_context(context, error)
        LOG.error(failure)  # noqa: TRY400 - the traceback could contain secret values
        raise failure from None


def _with_context(context: str, error: Exception) -> RotationError:
    if isinstance(error, RotationError):
        return type(error)(f"{context}: {error.problem}", error.remedy)
    # Only the type and the error code: the message may contain parts of requests and responses.
    code = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
    return RotationError(f"{context}: {type(error).__name__}{f' ({code})' if code else ''}", SEE_RUNBOOK)


def _run_step(step: str, arn: str, token: str) -> None:
    configuration = Configuration.from_environment(os.environ)
    if arn != configuration.secret_arn:
        raise RotationRefusedError(
            f"This function rotates only {configuration.secret_arn}",
            "Configure another rotation function for this secret",
        )
    client = secrets_manager()
    secret = Secret(client, configuration, token)
    if secret.is_finished:
        LOG.info("%s of %s, version %s: skipped, because the version is current already", step, arn, token)
        return
    secret.check_pending()
    STEPS[step](client, configuration, secret)
    LOG.info("%s of %s, version %s: done", step, arn, token)


@cache
def secrets_manager() -> Any:
    """Client, cached for the lifetime of the execution environment."""
    return boto3.client("secretsmanager", config=CLIENT_CONFIG)


def _parse_event(event: Any) -> tuple[str, str, str]:
    fields = event if isinstance(event, Mapping) else {}
    step, arn, token = (fields.get(key) for key in ("Step", "SecretId", "ClientRequestToken"))
    if not all(isinstance(value, str) and value for value in (step, arn, token)):
        raise RotationRefusedError("step, secret or token is missing", ROTATE_AGAIN)
    if step not in STEPS:
        raise RotationRefusedError(f"unknown step {json.dumps(step)[:40]}", ROTATE_AGAIN)
    return str(step), str(arn), str(token)


def _create_secret(_client: Any, configuration: Configuration, secret: Secret) -> None:
    """Set the value of the pending version: a new password for the login role that is not current."""
    if secret.pending_value() is not None:
        _checked_pending_credential(configuration, secret)
        return
    now, username = datetime.now(UTC), _username_to_replace(secret)
    # The minimum age protects tasks that still use the previous login role. An adopted role's password never changes.
    age = secret.age_to_replace(now) if username in configuration.logins else None
    if age is not None and age < timedelta(seconds=configuration.minimum_age) and not secret.can_rotate_early(now):
        raise TooSoonError(
            f"The credential has been current for {age.total_seconds():.0f} s; tasks may still use the previous one",
            f"Wait until it has been current for {configuration.minimum_age} s, or set the secret's tag {OVERRIDE_TAG}"
            " to a time in the future (ISO 8601, UTC)",
        )
    login = configuration.next_login(username)
    secret.put_pending(Credential.for_login(configuration, login, secret.random_password()).dump())


def _set_secret(client: Any, configuration: Configuration, secret: Secret) -> None:
    """Prepare the database: create missing roles and the schema, and set the pending login role's password."""
    pending = _checked_pending_credential(configuration, secret)

    def check_pending() -> None:
        # A new Secret, because the stages may have changed since the step began.
        Secret(client, configuration, secret.token).check_pending()

    def prepare(master: MasterCredential) -> None:
        if database.prepare(configuration, master, pending, check_pending=check_pending):
            LOG.warning(
                "%s may still log in with its former password. When nothing uses it any more: ALTER ROLE %s NOLOGIN",
                *(configuration.adopted, configuration.adopted),
            )

    master = read_master_credential(client, configuration)
    try:
        prepare(master)
    except DatabaseError:
        # RDS may have rotated the master's password since it was read.
        reread = read_master_credential(client, configuration)
        if reread == master:
            raise
        prepare(reread)


def _test_secret(client: Any, configuration: Configuration, secret: Secret) -> None:
    """Log in to both endpoints with the pending credential, and verify what the application can and cannot do."""
    database.verify(
        configuration,
        _checked_pending_credential(configuration, secret),
        read_master_credential(client, configuration).username,
    )


def _finish_secret(_client: Any, configuration: Configuration, secret: Secret) -> None:
    """Make the pending version the current one."""
    _checked_pending_credential(configuration, secret)
    secret.promote()


STEPS: Mapping[str, Callable[[Any, Configuration, Secret], None]] = {
    "createSecret": _create_secret,
    "setSecret": _set_secret,
    "testSecret": _test_secret,
    "finishSecret": _finish_secret,
}


def _checked_pending_credential(configuration: Configuration, secret: Secret) -> Credential:
    """The pending credential.

    Raises:
        RotationRefusedError: it is missing, or not for this database and login role.
    """
    text = secret.pending_value()
    if text is None:
        raise RotationRefusedError("The pending version has no value", ROTATE_AGAIN)
    pending = Credential.parse(text)
    # A pending version is current already if finishSecret was interrupted, or if AWS made the first version current at
    # once. Then no other version shows which login role it should have, so either one is accepted.
    login = pending.username if secret.is_current else configuration.next_login(_username_to_replace(secret))
    pending.check(configuration, login if login in configuration.logins else configuration.logins[0])
    return pending


def _username_to_replace(secret: Secret) -> str | None:
    value = secret.value_to_replace()
    return None if value is None else parse_username(value)


def read_master_credential(client: Any, configuration: Configuration) -> MasterCredential:
    """The master user's current credential, which RDS may rotate at any time."""
    value = client.get_secret_value(SecretId=configuration.master_secret_arn, VersionStage="AWSCURRENT")
    return MasterCredential.parse(value["SecretString"])
