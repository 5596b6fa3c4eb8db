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
from lambda_rotation.credential import Credential, Login, username_of
from lambda_rotation.deployment import Deployment
from lambda_rotation.errors import LOOK, ROTATE, DatabaseError, RefusedError, RotationError, TooSoonError
from lambda_rotation.secret import OVERRIDE_TAG, Secret

LOG = logging.getLogger("rotation")
LOG.setLevel(logging.INFO)

# Seconds.
CONNECT_TIMEOUT, READ_TIMEOUT, TRIES = 3, 5, 2
CLIENT = Config(
    connect_timeout=CONNECT_TIMEOUT,
    read_timeout=READ_TIMEOUT,
    retries={"mode": "standard", "total_max_attempts": TRIES},
)


def handle(event: Any, _context: object = None) -> None:
    """Do the step that the event asks for.

    Raises:
        RotationError: names the step, the secret, the version and what to do. Secrets Manager tries again.
    """
    step = arn = token = None
    try:
        step, arn, token = _asked(event)
        _take(step, arn, token)
    except Exception as error:
        told = _told(f"{step} of {arn}, version {token}", error)
        LOG.error(told)  # noqa: TRY400 - the cause's own text stays out of the log
        raise told from None
    LOG.info("%s of %s, version %s: done", step, arn, token)


def _told(where: str, error: Exception) -> RotationError:
    if isinstance(error, RotationError):
        return type(error)(f"{where}: {error.problem}", error.remedy)
    # By its name alone: its text is not ours, and may hold what was asked or answered.
    code = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
    return RotationError(f"{where}: {type(error).__name__}{f' ({code})' if code else ''}", LOOK)


def _take(step: str, arn: str, token: str) -> None:
    deployment = Deployment.of(os.environ)
    if arn != deployment.secret_arn:
        raise RefusedError(f"This function rotates {deployment.secret_arn} alone", "Rotate that secret")
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
    return boto3.client("secretsmanager", config=CLIENT)


def _asked(event: Any) -> tuple[str, str, str]:
    asked = event if isinstance(event, Mapping) else {}
    step, arn, token = (asked.get(key) for key in ("Step", "SecretId", "ClientRequestToken"))
    if not all(isinstance(value, str) and value for value in (step, arn, token)):
        raise RefusedError("The event names no step, secret and token", ROTATE)
    if step not in STEPS:
        raise RefusedError(f"There is no step {json.dumps(step)[:40]}", ROTATE)
    return str(step), str(arn), str(token)


def _create(_client: Any, deployment: Deployment, secret: Secret) -> None:
    """Make the pending version, for the login that is not current."""
    if secret.pending() is not None:
        _pending(deployment, secret)
        return
    now, replaced = datetime.now(UTC), _replaced_username(secret)
    # Tasks hold one of the two logins, or none that would be changed.
    age = secret.age(now) if replaced in deployment.logins else None
    if age is not None and age < timedelta(seconds=deployment.minimum_age) and not secret.may_rotate_early(now):
        raise TooSoonError(
            f"The credential is current for {age.total_seconds():.0f} s; tasks may hold the one before it",
            f"Wait until {deployment.minimum_age} s have passed, or set the secret's tag {OVERRIDE_TAG}",
        )
    login = deployment.next_login(replaced)
    secret.put_pending(Credential.for_login(deployment, login, secret.random_password()).dump())


def _set(client: Any, deployment: Deployment, secret: Secret) -> None:
    """Make the database know the pending credential."""
    pending = _pending(deployment, secret)
    retire = _replaced_username(secret) in deployment.logins

    def still_wanted() -> None:
        Secret(client, deployment, secret.token).check_pending()

    def prepare(master: Login) -> None:
        database.prepare(deployment, master, pending, retire_adopted=retire, still_wanted=still_wanted)

    master = master_login(client, deployment)
    try:
        prepare(master)
    except DatabaseError:
        # RDS may have rotated the master's password since it was read.
        again = master_login(client, deployment)
        if again == master:
            raise
        prepare(again)


def _test(client: Any, deployment: Deployment, secret: Secret) -> None:
    """Prove that the pending credential does what the application needs, on both endpoints."""
    database.prove(deployment, _pending(deployment, secret), master_login(client, deployment).username)


def _finish(_client: Any, deployment: Deployment, secret: Secret) -> None:
    """Make the pending credential the current one."""
    _pending(deployment, secret)
    secret.promote()


STEPS: Mapping[str, Callable[[Any, Deployment, Secret], None]] = {
    "createSecret": _create,
    "setSecret": _set,
    "testSecret": _test,
    "finishSecret": _finish,
}


def _pending(deployment: Deployment, secret: Secret) -> Credential:
    text = secret.pending()
    if text is None:
        raise RefusedError("The pending version has no value", ROTATE)
    pending = Credential.parse(text)
    # A version that is current replaces itself, so its login can only be one of the two.
    login = pending.username if secret.is_current else deployment.next_login(_replaced_username(secret))
    pending.check(deployment, login if login in deployment.logins else deployment.logins[0])
    return pending


def _replaced_username(secret: Secret) -> str | None:
    replaced = secret.replaced()
    return None if replaced is None else username_of(replaced)


def master_login(client: Any, deployment: Deployment) -> Login:
    """The database's master, as RDS keeps it at this moment."""
    value = client.get_secret_value(SecretId=deployment.master_secret_arn, VersionStage="AWSCURRENT")
    return Login.parse(value["SecretString"])
