"""The application's secret in Secrets Manager: its versions and their staging labels.

A new version is created with the label AWSPENDING; the last step moves AWSCURRENT to it.
https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lambda_rotation.errors import ROTATE_AGAIN, RotationRefusedError

if TYPE_CHECKING:
    from lambda_rotation.configuration import Configuration

CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"
PASSWORD_LENGTH = 64
OVERRIDE_TAG = "RotateEarlyUntil"
"""Tag of the secret: until this time, ISO 8601 in UTC, its credential may be rotated regardless of its age."""


def can_rotate_early(tags: list[dict[str, str]], now: datetime) -> bool:
    """Whether a secret's tag allows a rotation regardless of the credential's age."""
    try:
        until = datetime.fromisoformat({tag["Key"]: tag["Value"] for tag in tags}.get(OVERRIDE_TAG, ""))
    except ValueError:
        return False
    return now < (until if until.tzinfo else until.replace(tzinfo=UTC))


class Secret:
    """The secret within one rotation, whose token is the ID of the new version."""

    def __init__(self, client: Any, configuration: "Configuration", token: str) -> None:
        self._client = client
        self._arn = configuration.secret_arn
        self.token = token
        description = client.describe_secret(SecretId=self._arn)
        self._stages: dict[str, list[str]] = description.get("VersionIdsToStages") or {}
        self._rotated: datetime | None = description.get("LastRotatedDate")
        self._tags: list[dict[str, str]] = description.get("Tags") or []
        if not description.get("RotationEnabled"):
            raise RotationRefusedError("Rotation is not enabled for the secret", "Deploy the rotation tier")
        if token not in self._stages:
            raise RotationRefusedError("The token is not a version of the secret", ROTATE_AGAIN)

    @property
    def is_finished(self) -> bool:
        """Whether the rotation is finished: its version is current and no longer pending."""
        return self.is_current and PENDING not in self._stages[self.token]

    @property
    def is_current(self) -> bool:
        """Whether the rotation's version is current. AWS may make the first version of a secret current at once."""
        return CURRENT in self._stages[self.token]

    def check_pending(self) -> None:
        """Check that this rotation is the one in progress.

        Raises:
            RotationRefusedError: another rotation has replaced it.
        """
        if PENDING not in self._stages[self.token]:
            raise RotationRefusedError(
                "The token's version is not pending: another rotation has replaced it", "Rotate again"
            )

    def value_to_replace(self) -> str | None:
        """Value of the version that this rotation replaces; None in the first rotation."""
        return self._to_replace["SecretString"] if self._to_replace else None

    def pending_value(self) -> str | None:
        """Value of the pending version, or None if it has none yet."""
        try:
            return self._value(VersionId=self.token, VersionStage=PENDING)["SecretString"]
        except self._client.exceptions.ResourceNotFoundException:
            return None

    def put_pending(self, text: str) -> None:
        """Set the value of the pending version, which cannot be changed afterwards."""
        self._client.put_secret_value(
            SecretId=self._arn, ClientRequestToken=self.token, SecretString=text, VersionStages=[PENDING]
        )

    def promote(self) -> None:
        """Make the rotation's version current and remove its pending label, which marks the rotation as finished."""
        if not self.is_current:
            move = {"SecretId": self._arn, "VersionStage": CURRENT, "MoveToVersionId": self.token}
            # RemoveFromVersionId must be omitted if no version is current yet.
            if self._version_to_replace:
                move["RemoveFromVersionId"] = self._version_to_replace
            self._client.update_secret_version_stage(**move)
        # Secrets Manager may already have removed the label, and refuses to remove it twice.
        stages = self._client.describe_secret(SecretId=self._arn)["VersionIdsToStages"]
        if PENDING in stages[self.token]:
            self._client.update_secret_version_stage(
                SecretId=self._arn, VersionStage=PENDING, RemoveFromVersionId=self.token
            )

    def random_password(self) -> str:
        """A random password of letters and digits, which needs no quoting in URLs and shells."""
        return self._client.get_random_password(
            PasswordLength=PASSWORD_LENGTH, ExcludePunctuation=True, IncludeSpace=False, RequireEachIncludedType=True
        )["RandomPassword"]

    def age_to_replace(self, now: datetime) -> timedelta | None:
        """How long the version to replace has been current; None in the first rotation."""
        if not self._to_replace:
            return None
        created = self._to_replace["CreatedDate"]
        # In a delayed rotation, the version was created long before it became current.
        return now - max(created, self._rotated or created)

    def can_rotate_early(self, now: datetime) -> bool:
        """Whether the secret's tag allows a rotation regardless of the credential's age."""
        return can_rotate_early(self._tags, now)

    @property
    def _version_to_replace(self) -> str | None:
        return next(
            (version for version, stages in self._stages.items() if CURRENT in stages and version != self.token), None
        )

    @cached_property
    def _to_replace(self) -> dict[str, Any] | None:
        return self._value(VersionStage=CURRENT) if self._version_to_replace else None

    def _value(self, **version: str) -> dict[str, Any]:
        return self._client.get_secret_value(SecretId=self._arn, **version)
