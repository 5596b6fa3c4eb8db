"""The function's configuration, from its environment variables: one secret, one database, two login roles."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lambda_rotation.errors import RotationRefusedError

CERTIFICATES = Path(__file__).parent / "certificates" / "rds.pem"
"""Certificate authorities of RDS."""

# Identifiers that PostgreSQL accepts unquoted. The suffix of the login roles takes two more characters, of 63 at most.
# PostgreSQL and RDS reserve these prefixes. PostgreSQL reserves `none` and `public` for itself, and has a schema of the
# other name: the owner's schema has the owner's name.
ROLE_PATTERN = r"(?!pg_|rds|(?:none|public|information_schema)$)[a-z][a-z0-9_]{0,59}"

ROLE_COMMENT = "Made by the rotation of the application's credential"
"""Comment on the rotation's roles. A role of the same name without it fails the rotation. Never change this text."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The secret, the database, and the application's roles."""

    secret_arn: str
    master_secret_arn: str
    engine: str
    host: str
    """Writer endpoint."""
    reader_host: str
    """Reader endpoint."""
    port: int
    database: str
    owner: str
    """Role that owns the application's schema of the same name. It cannot log in. Not created if a role is adopted."""
    adopted: str | None
    """Existing role that the two login roles act as, instead of the owner."""
    connection_limit: int
    """Connection limit of each login role; -1 is unlimited."""
    minimum_age: int
    """Seconds that a credential must be current before the next rotation."""
    certificates: Path
    """Certificate authorities that the function trusts, as a PEM file."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the environment variables.

        Raises:
            RotationRefusedError: one is missing or invalid.
        """
        try:
            configuration = cls(
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
            raise RotationRefusedError(f"Invalid environment variables: {error!r}", REDEPLOY) from error
        for role in filter(None, (configuration.owner, configuration.adopted)):
            if not re.fullmatch(ROLE_PATTERN, role):
                raise RotationRefusedError(
                    f"{role!r} is not a valid role name: up to 60 lower-case letters, digits and underscores, and "
                    "no name that PostgreSQL or RDS reserves",
                    "Change rotation.owner or rotation.adopted, and deploy the rotation tier again",
                )
        if configuration.adopted in {configuration.owner, *configuration.logins}:
            raise RotationRefusedError(
                f"{configuration.adopted!r} is a role of the rotation and cannot be adopted", REDEPLOY
            )
        return configuration

    @property
    def logins(self) -> tuple[str, str]:
        """The two login roles, which alternate."""
        return f"{self.owner}_a", f"{self.owner}_b"

    def next_login(self, current: str | None) -> str:
        """Login role that the next rotation changes, given the current one."""
        first, second = self.logins
        return second if current == first else first


REDEPLOY = "Deploy the rotation tier again: its settings determine these variables"
