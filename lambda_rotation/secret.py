"""The application's secret in Secrets Manager: its versions, and which stage each is in.

What a rotation asks of Secrets Manager is in the "Rotation function" pages of its user guide: a version that is being
made is staged AWSPENDING, and the last step moves AWSCURRENT to it.
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
"""On the secret: until then, an ISO 8601 time in UTC, a credential may be replaced however young it is."""


class Secret:
    """One rotation of the secret, by the token that names its version."""

    def __init__(self, client: Any, deployment: "Configuration", token: str) -> None:
        self._client = client
        self._arn = deployment.secret_arn
        self.token = token
        description = client.describe_secret(SecretId=self._arn)
        self._stages: dict[str, list[str]] = description.get("VersionIdsToStages") or {}
        self._rotated: datetime | None = description.get("LastRotatedDate")
        self._tags = {tag["Key"]: tag["Value"] for tag in description.get("Tags") or []}
        if not description.get("RotationEnabled"):
            raise RotationRefusedError("Rotation is not enabled for the secret", "Deploy the rotation tier")
        if token not in self._stages:
            raise RotationRefusedError("The token names no version of the secret", ROTATE_AGAIN)

    @property
    def is_finished(self) -> bool:
        """Whether this rotation is over: its version is current, and no longer pending."""
        return self.is_current and PENDING not in self._stages[self.token]

    @property
    def is_current(self) -> bool:
        """Whether this rotation's version is current, as AWS may make the first one that a secret has."""
        return CURRENT in self._stages[self.token]

    def check_pending(self) -> None:
        """Whether this rotation is the one under way.

        Raises:
            RefusedError: another one is, or was.
        """
        if PENDING not in self._stages[self.token]:
            raise RotationRefusedError(
                "The token's version is not pending: another rotation took its place", "Rotate again"
            )

    def replaced_value(self) -> str | None:
        """The text of the version whose place this one takes; None in the first rotation."""
        return self._replaced["SecretString"] if self._replaced else None

    def pending_value(self) -> str | None:
        """This rotation's version, if it has a text yet."""
        try:
            return self._value(VersionId=self.token, VersionStage=PENDING)["SecretString"]
        except self._client.exceptions.ResourceNotFoundException:
            return None

    def put_pending(self, text: str) -> None:
        """Give this rotation's version its text; it can have one only."""
        self._client.put_secret_value(
            SecretId=self._arn, ClientRequestToken=self.token, SecretString=text, VersionStages=[PENDING]
        )

    def promote(self) -> None:
        """Make this rotation's version the current one, and no longer pending: so everybody sees that it is over."""
        if not self.is_current:
            move = {"SecretId": self._arn, "VersionStage": CURRENT, "MoveToVersionId": self.token}
            # Where nothing is current yet, nothing may be named to take the stage from.
            if self._replaced_version:
                move["RemoveFromVersionId"] = self._replaced_version
            self._client.update_secret_version_stage(**move)
        # Secrets Manager may have done that itself by now, and would refuse to do it again.
        stages = self._client.describe_secret(SecretId=self._arn)["VersionIdsToStages"]
        if PENDING in stages[self.token]:
            self._client.update_secret_version_stage(
                SecretId=self._arn, VersionStage=PENDING, RemoveFromVersionId=self.token
            )

    def random_password(self) -> str:
        """Letters and digits: safe in a URL, in a shell, and in whatever else people paste it into."""
        return self._client.get_random_password(
            PasswordLength=PASSWORD_LENGTH, ExcludePunctuation=True, IncludeSpace=False, RequireEachIncludedType=True
        )["RandomPassword"]

    def replaced_age(self, now: datetime) -> timedelta | None:
        """For how long the version that is replaced has been current; None where there is none."""
        if not self._replaced:
            return None
        made = self._replaced["CreatedDate"]
        # A rotation that was held up made its version long before it became current.
        return now - max(made, self._rotated or made)

    def can_rotate_early(self, now: datetime) -> bool:
        """Whether somebody has said that the credential is to be replaced however young it is."""
        try:
            until = datetime.fromisoformat(self._tags.get(OVERRIDE_TAG, ""))
        except ValueError:
            return False
        return now < (until if until.tzinfo else until.replace(tzinfo=UTC))

    @property
    def _replaced_version(self) -> str | None:
        return next(
            (version for version, stages in self._stages.items() if CURRENT in stages and version != self.token), None
        )

    @cached_property
    def _replaced(self) -> dict[str, Any] | None:
        return self._value(VersionStage=CURRENT) if self._replaced_version else None

    def _value(self, **version: str) -> dict[str, Any]:
        return self._client.get_secret_value(SecretId=self._arn, **version)
