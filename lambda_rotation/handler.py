"""The Lambda's entry: the four steps of a rotation, each of which may be repeated.

Secrets Manager calls them in their order with the token of one version, and the whole again where a step failed.
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

# Seconds.
CONNECT_TIMEOUT, READ_TIMEOUT, MAXIMUM_ATTEMPTS = 3, 5, 2
CLIENT_CONFIG = Config(
    connect_timeout=CONNECT_TIMEOUT,
    read_timeout=READ_TIMEOUT,
    retries={"mode": "standard", "total_max_attempts": MAXIMUM_ATTEMPTS},
)


def handle(event: Any, _context: object = None) -> None:
    """Do the step that the event asks for.

    Raises:
        RotationError: names the step, the secret, the version and what to do. Secrets Manager tries again.
    """
    step = arn = token = None
    try:
        step, arn, token = _parse_event(event)
        _run_step(step, arn, token)
    except Exception as error:
        told = _with_context(f"{step} of {arn}, version {token}", error)
        LOG.error(told)  # noqa: TRY400 - the cause's own text stays out of the log
        raise told from None
    LOG.info("%s of %s, version %s: done", step, arn, token)


def _with_context(where: str, error: Exception) -> RotationError:
    if isinstance(error, RotationError):
        return type(error)(f"{where}: {error.problem}", error.remedy)
    # By its name alone: its text is not ours, and may hold what was asked or answered.
    code = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
    return RotationError(f"{where}: {type(error).__name__}{f' ({code})' if code else ''}", SEE_RUNBOOK)


def _run_step(step: str, arn: str, token: str) -> None:
    deployment = Configuration.from_environment(os.environ)
    if arn != deployment.secret_arn:
        raise RotationRefusedError(f"This function rotates {deployment.secret_arn} alone", "Rotate that secret")
    client = secrets_manager()
    secret = Secret(client, deployment, token)
    if secret.is_finished:
        LOG.info("%s of %s, version %s: is current already", step, arn, token)
        return
    secret.check_pending()
    STEPS[step](client, deployment, secret)


@cache
def secrets_manager() -> Any:
    """For as long as Lambda keeps the process."""
    return boto3.client("secretsmanager", config=CLIENT_CONFIG)


def _parse_event(event: Any) -> tuple[str, str, str]:
    asked = event if isinstance(event, Mapping) else {}
    step, arn, token = (asked.get(key) for key in ("Step", "SecretId", "ClientRequestToken"))
    if not all(isinstance(value, str) and value for value in (step, arn, token)):
        raise RotationRefusedError("The event names no step, secret and token", ROTATE_AGAIN)
    if step not in STEPS:
        raise RotationRefusedError(f"There is no step {json.dumps(step)[:40]}", ROTATE_AGAIN)
    return str(step), str(arn), str(token)


def _create_secret(_client: Any, deployment: Configuration, secret: Secret) -> None:
    """Make the pending version, for the login that is not current."""
    if secret.pending_value() is not None:
        _pending(deployment, secret)
        return
    now, replaced = datetime.now(UTC), _replaced_username(secret)
    # Tasks hold one of the two logins, or none that would be changed.
    age = secret.replaced_age(now) if replaced in deployment.logins else None
    if age is not None and age < timedelta(seconds=deployment.minimum_age) and not secret.can_rotate_early(now):
        raise TooSoonError(
            f"The credential is current for {age.total_seconds():.0f} s; tasks may hold the one before it",
            f"Wait until {deployment.minimum_age} s have passed, or set the secret's tag {OVERRIDE_TAG}",
        )
    login = deployment.next_login(replaced)
    secret.put_pending(Credential.for_login(deployment, login, secret.random_password()).dump())


def _set_secret(client: Any, deployment: Configuration, secret: Secret) -> None:
    """Make the database know the pending credential."""
    pending = _pending(deployment, secret)
    retire = _replaced_username(secret) in deployment.logins

    def still_wanted() -> None:
        Secret(client, deployment, secret.token).check_pending()

    def prepare(master: MasterCredential) -> None:
        database.prepare(deployment, master, pending, retire_adopted=retire, ensure_pending=still_wanted)

    master = read_master_credential(client, deployment)
    try:
        prepare(master)
    except DatabaseError:
        # RDS may have rotated the master's password since it was read.
        again = read_master_credential(client, deployment)
        if again == master:
            raise
        prepare(again)


def _test_secret(client: Any, deployment: Configuration, secret: Secret) -> None:
    """Prove that the pending credential does what the application needs, on both endpoints."""
    database.verify(deployment, _pending(deployment, secret), read_master_credential(client, deployment).username)


def _finish_secret(_client: Any, deployment: Configuration, secret: Secret) -> None:
    """Make the pending credential the current one."""
    _pending(deployment, secret)
    secret.promote()


STEPS: Mapping[str, Callable[[Any, Configuration, Secret], None]] = {
    "createSecret": _create_secret,
    "setSecret": _set_secret,
    "testSecret": _test_secret,
    "finishSecret": _finish_secret,
}


def _pending(deployment: Configuration, secret: Secret) -> Credential:
    text = secret.pending_value()
    if text is None:
        raise RotationRefusedError("The pending version has no value", ROTATE_AGAIN)
    pending = Credential.parse(text)
    # A version that is current replaces itself, so its login can only be one of the two.
    login = pending.username if secret.is_current else deployment.next_login(_replaced_username(secret))
    pending.check(deployment, login if login in deployment.logins else deployment.logins[0])
    return pending


def _replaced_username(secret: Secret) -> str | None:
    replaced = secret.replaced_value()
    return None if replaced is None else parse_username(replaced)


def read_master_credential(client: Any, deployment: Configuration) -> MasterCredential:
    """The database's master, as RDS keeps it at this moment."""
    value = client.get_secret_value(SecretId=deployment.master_secret_arn, VersionStage="AWSCURRENT")
    return MasterCredential.parse(value["SecretString"])
