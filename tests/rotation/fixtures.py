"""A database and a secret for each test, and the role of Secrets Manager in a rotation."""

import json
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import boto3
import psycopg2
import pytest
from botocore.client import BaseClient
from moto import mock_aws
from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend, secretsmanager_backends

from lambda_rotation import handler
from lambda_rotation.credential import Credential
from local_aws.services import events, secretsmanager
from tests.measurement import unmeasured
from tests.rotation.call_recorder import CALL
from tests.rotation.server import MASTER, MASTER_PASSWORD, READER, WRITER, Server

ACCOUNT, REGION = "123456789012", "us-west-1"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
NUMBERS = count(1)


@contextmanager
def local_aws() -> Generator[SecretsManagerBackend]:
    """Secrets Manager of the local AWS, in this process. The tests of the local AWS measure it."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setattr(BaseClient, CALL, unmeasured(getattr(BaseClient, CALL)))
        for name, value in {
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_DEFAULT_REGION": REGION,
        }.items():
            patch.setenv(name, value)
        for extension in (events.EXTENSION, secretsmanager.EXTENSION):
            extension.install()
        yield secretsmanager_backends[ACCOUNT][REGION]


@dataclass
class RotationFixture:
    """A secret, its database, and the actions of Secrets Manager."""

    server: Server
    environment: dict[str, str]
    secret_arn: str
    client: Any
    backend: SecretsManagerBackend

    @property
    def owner(self) -> str:
        return self.environment["OWNER_ROLE"]

    @property
    def database(self) -> str:
        return self.environment["DATABASE_NAME"]

    @property
    def logins(self) -> tuple[str, str]:
        return f"{self.owner}_a", f"{self.owner}_b"

    @property
    def _secret(self) -> FakeSecret:
        secret = self.backend.secrets[self.secret_arn]
        assert isinstance(secret, FakeSecret)
        return secret

    def enable(self, *, enabled: bool = True) -> None:
        """Enable rotation, as `aws_secretsmanager_secret_rotation` does."""
        self._secret.rotation_requested = self._secret.rotation_enabled = enabled

    def begin_rotation(self, token: str | None = None) -> str:
        """Create a pending version without a value, as RotateSecret does."""
        secret, token = self._secret, token or str(uuid4())
        secret.remove_version_stages_from_old_versions(["AWSPENDING"])
        secret.versions[token] = {"createdate": int(time.time()), "version_id": token, "version_stages": ["AWSPENDING"]}
        return token

    def step(self, name: str, token: str) -> None:
        handler.handle({"Step": name, "SecretId": self.secret_arn, "ClientRequestToken": token})

    def rotate(self, token: str | None = None) -> str:
        """Run all four steps. The token of a failed rotation repeats it."""
        token = token or self.begin_rotation()
        for name in STEPS:
            self.step(name, token)
        return token

    def put_current(self, **values: Any) -> None:
        """Put a current version that the rotation did not create."""
        self.client.put_secret_value(SecretId=self.secret_arn, SecretString=json.dumps(values))

    def backdate(self, token: str, by: timedelta, became_current: timedelta | None = None) -> None:
        """Move a version's creation and the last rotation into the past."""
        self._secret.versions[token]["createdate"] = (datetime.now(UTC) - by).timestamp()
        self._secret.last_rotation_date = int((datetime.now(UTC) - (became_current or by)).timestamp())

    def stages(self) -> dict[str, set[str]]:
        return {version: set(body["version_stages"]) for version, body in self._secret.versions.items()}

    def current(self) -> Credential:
        return Credential.parse(
            self.client.get_secret_value(SecretId=self.secret_arn, VersionStage="AWSCURRENT")["SecretString"]
        )

    def log_in(self, credential: Credential | None = None, host: str = WRITER) -> psycopg2.extensions.connection:
        """Log in as the application does, by default with the current credential."""
        credential = credential or self.current()
        return psycopg2.connect(
            host=host,
            port=self.server.port,
            dbname=self.database,
            user=credential.username,
            password=credential.password,
            sslmode="verify-full",
            sslrootcert=str(self.server.certificates),
        )

    def can_log_in(self, credential: Credential | None = None) -> bool:
        try:
            self.log_in(credential).close()
        except psycopg2.OperationalError:
            return False
        return True

    def query(self, statement: str, credential: Credential | None = None, host: str = WRITER) -> list[tuple[Any, ...]]:
        """Run a statement as the application, and commit. Returns the rows."""
        with closing(self.log_in(credential, host)) as session, session, session.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def query_as(self, user: str, password: str, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement as another user, and commit. Returns the rows."""
        credential = Credential(
            username=user,
            password=password,
            engine="postgres",
            host=WRITER,
            port=self.server.port,
            dbname=self.database,
            reader_host=READER,
        )
        return self.query(statement, credential)


def make_rotation(
    server: Server, backend: SecretsManagerBackend, patch: pytest.MonkeyPatch, database: str | None = None
) -> RotationFixture:
    """Create a secret without a version and an empty database, or use an existing one, and configure the function."""
    name = f"shop{next(NUMBERS)}"
    if database is None:
        # By default, PostgreSQL would write the new database to its log, page by page.
        server.execute(f"CREATE DATABASE {name} OWNER {MASTER} STRATEGY file_copy")
    client = boto3.client("secretsmanager")
    secret_arn = client.create_secret(Name=name)["ARN"]
    master = json.dumps({"username": MASTER, "password": MASTER_PASSWORD})
    environment = {
        "SECRET_ARN": secret_arn,
        "MASTER_SECRET_ARN": client.create_secret(Name=f"{name}-master", SecretString=master)["ARN"],
        "DATABASE_ENGINE": "postgres",
        "DATABASE_HOST": WRITER,
        "DATABASE_READER_HOST": READER,
        "DATABASE_PORT": str(server.port),
        "DATABASE_NAME": database or name,
        "OWNER_ROLE": name,
        "CONNECTION_LIMIT": "50",
        "MINIMUM_AGE": "0",
    }
    for variable, value in environment.items():
        patch.setenv(variable, value)
    patch.setattr("lambda_rotation.configuration.CERTIFICATES", server.certificates)
    # A cached client from outside moto would call AWS.
    handler.secrets_manager.cache_clear()
    rotation = RotationFixture(server, environment, secret_arn, client, backend)
    rotation.enable()
    return rotation
