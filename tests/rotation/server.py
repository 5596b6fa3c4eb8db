"""A PostgreSQL cluster of the local AWS, with simulated faults."""

import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from local_aws.certificate_authority import CertificateAuthority
from local_aws.postgresql import MasterUser, PostgresCluster, free_port, wait_until

__all__ = ["MASTER", "MASTER_PASSWORD", "READER", "WRITER", "Server", "running", "wait_until"]

WRITER, READER = "127.0.0.1", "127.0.0.2"
"""Addresses of the two endpoints, which share a port."""
MASTER, MASTER_PASSWORD = "platform_master", "master-password-that-tests-may-know"
PARAMETERS = {"log_statement": "all", "log_connections": "on"}


class Server(PostgresCluster):
    """A running cluster."""

    @contextmanager
    def paused_replica(self) -> Generator[Callable[[], None]]:
        """Pause replication until the yielded function is called or the context ends."""

        def resume() -> None:
            self.execute_on_reader("SELECT pg_wal_replay_resume()")

        self.execute_on_reader("SELECT pg_wal_replay_pause()")
        try:
            yield resume
        finally:
            resume()

    @contextmanager
    def synchronous_replica(self) -> Generator[None]:
        """Commits return only when the reader shows them."""
        self.configure(synchronous_standby_names="*", synchronous_commit="remote_apply")
        try:
            yield
        finally:
            self.configure(synchronous_standby_names="", synchronous_commit="on")

    @contextmanager
    def certificate(self, *, expired: bool) -> Generator[None]:
        """The writer uses another certificate of the same authority."""
        self.install_certificate("other", *self.authority.issue(WRITER, READER, expired=expired))
        self.configure(ssl_cert_file="other.pem", ssl_key_file="other.key")
        try:
            yield
        finally:
            self.configure(ssl_cert_file="server.pem", ssl_key_file="server.key")

    @contextmanager
    def plaintext(self) -> Generator[None]:
        """The writer has TLS disabled and accepts plaintext connections."""
        access = self.folder / "writer" / "pg_hba.conf"
        access.write_text(self.pg_hba.replace("hostssl", "host   "))
        self.configure(ssl="off")
        try:
            yield
        finally:
            access.write_text(self.pg_hba)
            self.configure(ssl="on")


@contextmanager
def running() -> Generator[Server]:
    """A cluster on a free port, stopped at the end of the context."""
    with tempfile.TemporaryDirectory(prefix="rotation-") as logs:
        server = Server(CertificateAuthority(), Path(logs), WRITER, READER, free_port(WRITER), PARAMETERS)
        server.start(MasterUser(MASTER, MASTER_PASSWORD))
        try:
            yield server
        finally:
            server.stop()
