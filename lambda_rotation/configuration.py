"""What this function was deployed for, from its environment: one secret, one database, two logins."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lambda_rotation.errors import RotationRefusedError

CERTIFICATES = Path(__file__).parent / "certificates" / "rds.pem"
"""RDS's certificate authorities."""

# What PostgreSQL takes without quotes, so that people can type it; two characters are left for the logins' endings.
ROLE_PATTERN = r"[a-z][a-z0-9_]{0,59}"


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The one secret, the one database, and the roles of its application."""

    secret_arn: str
    master_secret_arn: str
    engine: str
    host: str
    """The writer's."""
    reader_host: str
    port: int
    database: str
    owner: str
    """Role that owns the application's schema, which has its name. Nobody logs in as it."""
    adopted: str | None
    """A role that logs in already, and whose place the two logins take."""
    connection_limit: int
    """Of each login; -1 is none."""
    minimum_age: int
    """Seconds that a credential is current before the other one is changed."""
    certificates: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the function's environment variables.

        Raises:
            RefusedError: one is missing or wrong.
        """
        try:
            deployment = cls(
                secret_arn=environment["SECRET_ARN"],
                master_secret_arn=environment["MASTER_SECRET_ARN"],
                engine=environment["DATABASE_ENGINE"],
                host=environment["DATABASE_HOST"],
                reader_host=environment["DATABASE_READER_HOST"],
                port=int(environment["DATABASE_PORT"]),
                database=environment["DATABASE_NAME"],
                owner=environment["OWNER_ROLE"],
                adopted=environment.get("ADOPTED_ROLE") or None,
                connection_limit=int(environment["CONNECTION_LIMIT"]),
                minimum_age=int(environment["MINIMUM_AGE"]),
                certificates=CERTIFICATES,
            )
        except (KeyError, ValueError) as error:
            raise RotationRefusedError(f"The function's environment is wrong: {error!r}", REDEPLOY) from error
        for role in filter(None, (deployment.owner, deployment.adopted)):
            if not re.fullmatch(ROLE_PATTERN, role):
                raise RotationRefusedError(
                    f"{role!r} is no name of a role: small letters, digits, underscores", REDEPLOY
                )
        if deployment.adopted in {deployment.owner, *deployment.logins}:
            raise RotationRefusedError(
                f"{deployment.adopted!r} is a role of the rotation's own, not one to adopt", REDEPLOY
            )
        return deployment

    @property
    def logins(self) -> tuple[str, str]:
        """The two roles that take turns."""
        return f"{self.owner}_a", f"{self.owner}_b"

    def next_login(self, current: str | None) -> str:
        """Whose password is changed while another's is current."""
        first, second = self.logins
        return second if current == first else first


REDEPLOY = "Deploy the rotation tier again; its settings make these variables"
