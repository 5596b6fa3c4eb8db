"""`python -m operations rotate ENV`: rotates the database credential, also if a failed rotation is in the way."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

import typer

from lambda_rotation.secret import CURRENT, OVERRIDE_TAG, PENDING, can_rotate_early
from operations.account import Account, EnvironmentName, connect
from operations.errors import RefusedError, call_or_none, one_line_errors
from operations.lock import format_age

LONGEST_ATTEMPT = timedelta(minutes=15)
"""Lambda's longest timeout."""


@dataclass(frozen=True)
class Credential:
    """The state of the application's secret."""

    name: str
    rotates: bool
    current_since: datetime | None
    """None before the first rotation."""
    pending: str | None
    """ID of the version of a rotation that is not complete."""
    pending_since: datetime
    failure: str | None
    """What the function logged last about the pending version's failure."""
    rotates_early: bool
    """Whether a tag allows a rotation, however young the credential is."""

    @classmethod
    def of(cls, account: Account) -> Self:
        """Read the secret of an environment, but none of its values.

        Raises:
            RefusedError: it does not exist.
        """
        client, name = account.client("secretsmanager"), account.names.resource_name("database-credential")
        secret = call_or_none(client.describe_secret, "ResourceNotFoundException", SecretId=name)
        if secret is None:
            raise RefusedError(f"{name} does not exist: deploy {account.settings.name}-rotation")
        # Versions without a label are not listed, so there are three at most.
        listed = client.list_secret_version_ids(SecretId=name)["Versions"]
        versions: dict[str, Mapping[str, Any]] = {version["VersionId"]: version for version in listed}
        current = next((version for version in versions.values() if CURRENT in version["VersionStages"]), None)
        # A complete rotation may leave both labels on one version; after a rollback, the version is no longer current.
        pending = [
            id
            for id, version in versions.items()
            if PENDING in version["VersionStages"] and CURRENT not in version["VersionStages"]
        ]
        created: datetime | None = current["CreatedDate"] if current else None
        pending_since: datetime = versions[pending[0]]["CreatedDate"] if pending else datetime.now(UTC)
        return cls(
            name=name,
            rotates=secret.get("RotationEnabled", False),
            current_since=created and max(created, secret.get("LastRotatedDate", created)),
            pending=pending[0] if pending else None,
            pending_since=pending_since,
            failure=_last_failure(account, pending[0], pending_since) if pending else None,
            rotates_early=can_rotate_early(secret.get("Tags", []), datetime.now(UTC)),
        )

    def describe(self, now: datetime) -> str:
        """The state in one line."""
        current = f"current for {format_age(now - self.current_since)}" if self.current_since else "not yet created"
        pending = f"; version {self.pending} has been pending for {format_age(now - self.pending_since)}"
        failure = f"\n{self.failure}" if self.failure else ""
        return f"{self.name}: {current}{pending if self.pending else ''}{failure}"

    def check_not_in_progress(self, now: datetime) -> None:
        """Check that no rotation may be in progress.

        Raises:
            RefusedError: one may be.
        """
        if self.pending and now < self.pending_since + LONGEST_ATTEMPT:
            raise RefusedError(
                f"{self.name}: the rotation to version {self.pending} may be in progress: wait until "
                f"{self.pending_since + LONGEST_ATTEMPT:%Y-%m-%d %H:%M:%S} UTC"
            )

    def check_rotatable(self, minimum_age: timedelta, now: datetime) -> None:
        """Check that a rotation would not be refused.

        Raises:
            RefusedError: rotation is off, a rotation may be in progress, or the credential is too young: the function
                would refuse, and leave another version pending.
        """
        if not self.rotates:
            raise RefusedError(f"{self.name}: rotation is off: deploy the rotation tier, which turns it on and rotates")
        self.check_not_in_progress(now)
        if self.current_since and now < self.current_since + minimum_age and not self.rotates_early:
            allowed = f"{self.current_since + minimum_age:%Y-%m-%d %H:%M:%S} UTC"
            raise RefusedError(
                f"{self.name}: tasks may still use the previous credential: rotate after {allowed}. If the credential "
                f"is compromised, set the tag {OVERRIDE_TAG} (docs/rotation.md#a-secret-is-compromised)"
            )

    def cancel(self, client: Any) -> None:
        """Cancel an incomplete rotation."""
        if self.pending:
            client.update_secret_version_stage(
                SecretId=self.name, VersionStage=PENDING, RemoveFromVersionId=self.pending
            )

    def rotate(self, client: Any) -> str:
        """Cancel an incomplete rotation and start another. Returns the ID of its version."""
        # Otherwise, RotateSecret only tries to complete the previous rotation, and fails.
        # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
        self.cancel(client)
        return client.rotate_secret(SecretId=self.name)["VersionId"]


def _last_failure(account: Account, version: str, since: datetime) -> str | None:
    """The last error that the function logged about a version."""
    logs = account.client("logs")
    pages = call_or_none(
        lambda **arguments: list(logs.get_paginator("filter_log_events").paginate(**arguments)),
        "ResourceNotFoundException",
        # Who may rotate need not be allowed to read logs.
        "AccessDeniedException",
        logGroupName=account.names.rotation_log_group,
        filterPattern=f'"{version}"',
        startTime=int(since.timestamp() * 1000),
    )
    lines = [_error(event["message"]) for page in pages or () for event in page["events"]]
    return next(filter(None, reversed(lines)), None)


def _error(line: str) -> str | None:
    """An error's message, from a line of the log. The Lambda runtime writes lines of its own."""
    try:
        entry: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return entry.get("message") if entry.get("level") == "ERROR" else None


def rotate(
    environment: EnvironmentName,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the state of the secret, then exit.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel a failed rotation, and start none.")] = False,
) -> None:
    """Rotate the database credential, even if an earlier rotation has failed.

    Secrets Manager retries a failed rotation a few times. Then its version stays pending, and every later rotation is
    refused: "A previous rotation isn't complete". This command removes the label AWSPENDING from that version, which
    cancels its rotation, and starts another. The current credential stays valid throughout.

    It shows the state of the secret and, if a rotation has failed, what the function said last. With `--dry-run` it
    does only that. With `--cancel` it starts no other rotation, for example while the cause is not fixed.

    It refuses while the credential is younger than `rotation.minimum_age_hours`, and in the first quarter of an hour of
    a rotation, which may be in progress.

    When: a rotation has failed and its cause is fixed, or somebody has seen the credential.

    Example: `python -m operations rotate prod`

    Exit codes: 0 started, shown (`--dry-run`) or cancelled (`--cancel`); 1 refused or failed; 2 usage.
    """
    with one_line_errors():
        account, now = connect(environment), datetime.now(UTC)
        credential = Credential.of(account)
        typer.echo(credential.describe(now))
        if cancel:
            credential.check_not_in_progress(now)
        else:
            credential.check_rotatable(timedelta(hours=account.settings.rotation.minimum_age_hours), now)
        if dry_run:
            return
        if cancel and not credential.pending:
            raise RefusedError(f"{credential.name}: no rotation is pending")
        actions = [f"cancel the rotation to version {credential.pending}"] if credential.pending else []
        question = ", and ".join([*actions, *([] if cancel else ["start a rotation"])])
        if not yes and not typer.confirm(f"{question[0].upper()}{question[1:]}?"):
            raise RefusedError("nothing was done")
        if cancel:
            credential.cancel(account.client("secretsmanager"))
            typer.echo(f"{credential.name}: cancelled the rotation to version {credential.pending}")
            return
        version = credential.rotate(account.client("secretsmanager"))
        typer.echo(f"{credential.name}: started a rotation to version {version}")
