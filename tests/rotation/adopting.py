"""A database whose application logs in as a role that the rotation is to adopt."""

import subprocess
from typing import Any

import psycopg2
import pytest

from tests.rotation.fixtures import RotationFixture
from tests.rotation.server import MASTER, MASTER_PASSWORD, WRITER, Server

PASSWORD = "former-password"


class Adopting:
    """A database whose application logs in as an existing role, and a rotation that is to adopt it."""

    def __init__(self, rotation: RotationFixture, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rotation = rotation
        self.role = f"{rotation.owner}_old"
        self.as_master(f"CREATE ROLE {self.role} LOGIN PASSWORD '{PASSWORD}'")
        self.as_master(f"GRANT ALL ON DATABASE {rotation.database} TO {self.role}")
        self.as_superuser("GRANT CREATE ON SCHEMA public TO {role}")
        rotation.put_current(username=self.role, password=PASSWORD)
        monkeypatch.setenv("ADOPTED_ROLE", self.role)

    def format(self, statement: str) -> str:
        names = {"role": self.role, "owner": self.rotation.owner, "database": self.rotation.database, "master": MASTER}
        for name, value in names.items():
            statement = statement.replace(f"{{{name}}}", value)
        return statement

    def as_master(self, statement: str) -> None:
        self.rotation.query_as(MASTER, MASTER_PASSWORD, self.format(statement))

    def as_superuser(self, statement: str, database: str | None = None) -> list[tuple[Any, ...]]:
        return self.rotation.server.execute(self.format(statement), database or self.rotation.database)

    def as_old(self, statement: str) -> list[tuple[Any, ...]]:
        return self.rotation.query_as(self.role, PASSWORD, self.format(statement))

    def as_new(self, statement: str) -> list[tuple[Any, ...]]:
        return self.rotation.query(self.format(statement))

    def connect(self, user: str, password: str, database: str | None = None) -> psycopg2.extensions.connection:
        return psycopg2.connect(
            host=WRITER,
            port=self.rotation.server.port,
            dbname=database or self.rotation.database,
            user=user,
            password=password,
            sslmode="require",
        )

    def dump(self) -> str:
        """Dump of the cluster's roles and of the database: everything in its catalogue, and its data."""
        return dump(self.rotation.server, "pg_dumpall", "--globals-only") + dump(
            self.rotation.server, "pg_dump", self.rotation.database
        )


def dump(server: Server, program: str, *arguments: str) -> str:
    options = (f"--host={server.folder}", f"--port={server.port}", "--username=postgres")
    result = subprocess.run(
        [str(server.programs / program), *options, *arguments], capture_output=True, text=True, check=True
    )
    # Each dump has a random key on these lines.
    return "\n".join(line for line in result.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))
