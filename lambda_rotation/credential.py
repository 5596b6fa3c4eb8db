"""Parsing and validation of secret values: the application's credential and the master credential."""

import json
from dataclasses import dataclass, fields
from typing import Any, Self

from lambda_rotation.configuration import Configuration
from lambda_rotation.errors import SEE_RUNBOOK, RotationRefusedError


@dataclass(frozen=True, kw_only=True, repr=False)
class Credential:
    """The application's credential: the JSON value of a secret version."""

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
    def for_login(cls, configuration: Configuration, login: str, password: str) -> Self:
        """The credential of a login role."""
        return cls(
            username=login,
            password=password,
            engine=configuration.engine,
            host=configuration.host,
            port=configuration.port,
            dbname=configuration.database,
            reader_host=configuration.reader_host,
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a secret value.

        Raises:
            RotationRefusedError: it is not a valid credential. The message contains keys, never values.
        """
        values = _parse_object(text)
        expected = {field.name: field.type for field in fields(cls)}
        if values.keys() != expected.keys():
            differing = sorted(expected.keys() ^ values.keys())
            raise RotationRefusedError(
                f"The version has missing or unexpected keys: {', '.join(differing)}", CHECK_VERSIONS
            )
        for name, type_ in expected.items():
            if type(values[name]) is not type_ or not values[name]:
                raise RotationRefusedError(f"The version's {name} is empty or has the wrong type", CHECK_VERSIONS)
        return cls(**values)

    def dump(self) -> str:
        """The credential as a secret value."""
        return json.dumps({field.name: getattr(self, field.name) for field in fields(self)})

    def check(self, configuration: Configuration, login: str) -> None:
        """Check that the credential is for this database and login role: others may have written the secret.

        Raises:
            RotationRefusedError: it is not.
        """
        derived = Credential.for_login(configuration, login, self.password)
        differing = [field.name for field in fields(self) if getattr(self, field.name) != getattr(derived, field.name)]
        if differing:
            raise RotationRefusedError(
                f"The pending version is for another database or role: {', '.join(differing)}", CHECK_VERSIONS
            )


def parse_username(text: str) -> str:
    """Username of a secret value. Other keys are ignored, because the value may predate the first rotation.

    Raises:
        RotationRefusedError: there is none.
    """
    username = _parse_object(text).get("username")
    if not isinstance(username, str) or not username:
        raise RotationRefusedError("The version has no username", CHECK_VERSIONS)
    return username


@dataclass(frozen=True, repr=False)
class MasterCredential:
    """Username and password of the master user."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.username!r}, <redacted>)"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the master user secret, which RDS writes.

        Raises:
            RotationRefusedError: username or password is missing.
        """
        values = _parse_object(text)
        username, password = values.get("username"), values.get("password")
        if not isinstance(username, str) or not isinstance(password, str) or not username or not password:
            raise RotationRefusedError("The master secret has no username and password", CHECK_VERSIONS)
        return cls(username, password)


CHECK_VERSIONS = f"Inspect the secret's versions. {SEE_RUNBOOK}"


def _parse_object(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        # Without the cause: the exception of json contains parts of the secret value.
        raise RotationRefusedError("The version is not JSON", CHECK_VERSIONS) from None
    if not isinstance(values, dict):
        raise RotationRefusedError("The version is not a JSON object", CHECK_VERSIONS)
    return values
