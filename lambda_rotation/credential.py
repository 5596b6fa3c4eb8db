"""The application's credential as a value: what is in a version of the secret."""

import json
from dataclasses import dataclass, fields
from typing import Any, Self

from lambda_rotation.configuration import Configuration
from lambda_rotation.errors import SEE_RUNBOOK, RotationRefusedError


@dataclass(frozen=True, kw_only=True, repr=False)
class Credential:
    """Keys and values of a version, as the application reads them."""

    username: str
    password: str
    engine: str
    host: str
    port: int
    dbname: str
    reader_host: str

    def __repr__(self) -> str:
        return f"Credential(username={self.username!r}, password=<redacted>, host={self.host!r})"

    @classmethod
    def for_login(cls, deployment: Configuration, login: str, password: str) -> Self:
        """The credential of one of the two logins."""
        return cls(
            username=login,
            password=password,
            engine=deployment.engine,
            host=deployment.host,
            port=deployment.port,
            dbname=deployment.database,
            reader_host=deployment.reader_host,
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a version's text.

        Raises:
            RefusedError: it is not such a credential. The message names keys, never values.
        """
        values = _parse_object(text)
        wanted = {field.name: field.type for field in fields(cls)}
        if values.keys() != wanted.keys():
            wrong = sorted(wanted.keys() ^ values.keys())
            raise RotationRefusedError(
                f"The version has other keys than a credential: {', '.join(wrong)}", CHECK_VERSIONS
            )
        for name, type_ in wanted.items():
            if type(values[name]) is not type_ or not values[name]:
                raise RotationRefusedError(f"The version's {name} is empty or of another type", CHECK_VERSIONS)
        return cls(**values)

    def dump(self) -> str:
        """The version's text."""
        return json.dumps({field.name: getattr(self, field.name) for field in fields(self)})

    def check(self, deployment: Configuration, login: str) -> None:
        """Whether it is for this database and this login, and not one that somebody else has put there.

        Raises:
            RefusedError: it is not.
        """
        derived = Credential.for_login(deployment, login, self.password)
        wrong = [field.name for field in fields(self) if getattr(self, field.name) != getattr(derived, field.name)]
        if wrong:
            raise RotationRefusedError(
                f"The pending version is for another database or role: {', '.join(wrong)}", CHECK_VERSIONS
            )


def parse_username(text: str) -> str:
    """Who a version is for, whatever else is in it: the current one may be older than the first rotation.

    Raises:
        RefusedError: it names nobody.
    """
    username = _parse_object(text).get("username")
    if not isinstance(username, str) or not username:
        raise RotationRefusedError("The version names no username", CHECK_VERSIONS)
    return username


@dataclass(frozen=True, repr=False)
class MasterCredential:
    """A user and a password."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.username!r}, <redacted>)"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the master secret, which RDS writes.

        Raises:
            RefusedError: it is not such a secret.
        """
        values = _parse_object(text)
        username, password = values.get("username"), values.get("password")
        if not isinstance(username, str) or not isinstance(password, str) or not username or not password:
            raise RotationRefusedError("The master secret has no username and password", CHECK_VERSIONS)
        return cls(username, password)


CHECK_VERSIONS = f"Look at the secret's versions: {SEE_RUNBOOK}"


def _parse_object(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        # Without the cause: json's message shows a part of the text.
        raise RotationRefusedError("The version is not JSON", CHECK_VERSIONS) from None
    if not isinstance(values, dict):
        raise RotationRefusedError("The version is not a JSON object", CHECK_VERSIONS)
    return values
