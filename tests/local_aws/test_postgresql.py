"""The servers behind Aurora clusters: access, parameters, failures, and cleanup."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg2
import pytest

from local_aws import postgresql
from local_aws.certificate_authority import CertificateAuthority
from local_aws.postgresql import MasterUser, PostgresCluster, ServerError, claim_addresses, free_port, wait_until

MASTER = MasterUser("shopkeeper", "a password; with 'quotes'")
PARAMETERS = {
    "rds.force_ssl": "1",
    "shared_preload_libraries": "pg_stat_statements,pgaudit",
    "pg_stat_statements.track": "all",
    "pgaudit.log": "ddl",
    "apg_plan_mgmt.max_plans": "10",
    "log_min_duration_statement": "1000",
}


def new_cluster(logs: Path, **parameters: str) -> PostgresCluster:
    return PostgresCluster(CertificateAuthority(), logs, "127.0.0.1", "127.0.0.2", free_port("127.0.0.1"), parameters)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Generator[PostgresCluster]:
    cluster = new_cluster(tmp_path_factory.mktemp("logs"), **PARAMETERS)
    cluster.start(MASTER, "shop")
    yield cluster
    cluster.stop()


def log_in(cluster: PostgresCluster, host: str, sslmode: str = "verify-full", password: str = MASTER.password):
    return psycopg2.connect(
        host=host,
        port=cluster.port,
        dbname="shop",
        user=MASTER.username,
        password=password,
        sslmode=sslmode,
        sslrootcert=str(cluster.certificates),
    )


def query(cluster: PostgresCluster, statement: str, host: str = "127.0.0.1"):
    with closing(log_in(cluster, host)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_the_master_user_is_not_a_superuser_but_may_create_roles_and_owns_its_database(cluster: PostgresCluster):
    select = "SELECT rolsuper, rolcreaterole, rolcreatedb, pg_has_role(oid, 'rds_superuser', 'MEMBER') FROM pg_roles"
    assert query(cluster, f"{select} WHERE rolname = current_user") == [(False, True, True, True)]
    assert query(cluster, "SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()") == [
        (MASTER.username,)
    ]


def test_the_reader_shows_written_data_and_is_read_only(cluster: PostgresCluster):
    query(cluster, "CREATE TABLE orders AS SELECT 7 AS number")
    wait_until(lambda: query(cluster, "SELECT to_regclass('orders') IS NOT NULL", "127.0.0.2") == [(True,)])
    assert query(cluster, "SELECT number FROM orders", "127.0.0.2") == [(7,)]
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        query(cluster, "DELETE FROM orders", "127.0.0.2")


def test_tls_and_its_certificate_authority_are_enforced(cluster: PostgresCluster, tmp_path: Path):
    with pytest.raises(psycopg2.OperationalError, match=r"no pg_hba\.conf entry .* no encryption"):
        log_in(cluster, "127.0.0.1", "disable")
    (tmp_path / "other.pem").write_bytes(CertificateAuthority().pem)
    with pytest.raises(psycopg2.OperationalError, match="SSL error"):
        psycopg2.connect(host="127.0.0.1", port=cluster.port, sslmode="verify-full", sslrootcert=tmp_path / "other.pem")


@pytest.mark.parametrize(
    ("sslmode", "message"),
    [("require", "password authentication failed for user"), ("disable", "no pg_hba.conf entry for")],
)
def test_failed_logins_are_logged_as_rds_does(cluster: PostgresCluster, sslmode: str, message: str):
    with pytest.raises(psycopg2.OperationalError, match=message):
        log_in(cluster, "127.0.0.1", sslmode, "wrong")
    expected = re.compile(rf"^.* UTC:.*\(\d+\):.*@shop:\[\d+\]:FATAL:  {message}", re.MULTILINE)
    wait_until(lambda: expected.search(cluster.log.read_text()) is not None)


def test_the_parameter_group_can_allow_plaintext(tmp_path: Path):
    open_to_all = new_cluster(tmp_path, **{"rds.force_ssl": "0"})
    open_to_all.start(MASTER, "shop")
    try:
        log_in(open_to_all, "127.0.0.1", "disable").close()
    finally:
        open_to_all.stop()


def test_supported_parameters_apply(cluster: PostgresCluster):
    assert cluster.execute("SHOW log_min_duration_statement") == [("1s",)]
    assert cluster.execute("SHOW shared_preload_libraries") == [("pg_stat_statements",)]
    assert cluster.execute("SHOW pg_stat_statements.track") == [("all",)]
    query = "SELECT name FROM pg_settings WHERE name IN ('pgaudit.log', 'apg_plan_mgmt.max_plans')"
    assert cluster.execute(query) == []


def test_no_password_is_in_the_log(cluster: PostgresCluster):
    cluster.configure(log_statement="all")
    cluster.set_password(MASTER.username, "another password")
    log_in(cluster, "127.0.0.1", password="another password").close()
    cluster.set_password(MASTER.username, MASTER.password)
    wait_until(lambda: "SCRAM-SHA-256" in cluster.log.read_text())
    assert "another password" not in cluster.log.read_text()
    assert MASTER.password not in cluster.log.read_text()


def test_a_paused_cluster_resumes_with_its_data(cluster: PostgresCluster):
    query(cluster, "CREATE TABLE kept AS SELECT 1 AS one")
    cluster.pause()
    with pytest.raises(psycopg2.OperationalError, match="Connection refused"):
        log_in(cluster, "127.0.0.1")
    cluster.resume()
    assert query(cluster, "SELECT one FROM kept") == [(1,)]
    wait_until(lambda: query(cluster, "SELECT to_regclass('kept') IS NOT NULL", "127.0.0.2") == [(True,)])


def test_waiting_times_out():
    with pytest.raises(TimeoutError, match=r"did not hold within 0\.05 s"):
        wait_until(lambda: False, seconds=0.05)


def test_endpoints_use_addresses_on_which_the_port_is_free():
    with socket.socket() as taken:
        taken.bind(("127.0.0.2", 0))
        taken.listen()
        with ExitStack() as stack:
            assert claim_addresses(taken.getsockname()[1], stack) == ("127.0.1.1", "127.0.1.2")
    with socket.socket() as wildcard:
        wildcard.bind(("0.0.0.0", 0))  # noqa: S104 - only during this test
        wildcard.listen()
        with ExitStack() as stack, pytest.raises(ServerError, match="in use on every pair of loopback addresses"):
            claim_addresses(wildcard.getsockname()[1], stack)


CLAIM = """
import sys
from contextlib import ExitStack
from local_aws.postgresql import claim_addresses
print(*claim_addresses(int(sys.argv[1]), ExitStack()))
"""


def test_addresses_that_another_process_has_claimed_are_not_taken_although_no_server_listens_yet():
    port = free_port("127.0.0.1")

    def claim_elsewhere() -> str:
        command = [sys.executable, "-c", CLAIM, str(port)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]

    with ExitStack() as stack:
        mine, _ = claim_addresses(port, stack)
        assert claim_elsewhere() != mine
    assert claim_elsewhere() == mine


def test_a_server_that_does_not_start_is_reported_with_its_log_and_cleaned_up(tmp_path: Path):
    broken = new_cluster(tmp_path, log_statement="nonsense")
    with pytest.raises(ServerError, match=r"invalid value for parameter .*log_statement"):
        broken.start(MASTER)
    assert not broken.folder.exists()


def test_a_failing_tool_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(postgresql, "INITDB", ("--no-such-option",))
    broken = new_cluster(tmp_path)
    with pytest.raises(ServerError, match=r"^initdb: .*no-such-option"):
        broken.start(MASTER)
    assert not broken.folder.exists()


def test_files_that_cannot_be_hard_linked_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "one").write_text("content")
    postgresql._link_or_copy(str(tmp_path / "one"), str(tmp_path / "two"))  # pyright: ignore[reportPrivateUsage] - only this test reaches the fallback
    assert (tmp_path / "two").read_text() == "content"


RUNS_CLUSTER = """
import sys, time
from pathlib import Path
from local_aws.certificate_authority import CertificateAuthority
from local_aws.postgresql import MasterUser, PostgresCluster, free_port
cluster = PostgresCluster(CertificateAuthority(), Path(sys.argv[1]), "127.0.0.1", "127.0.0.2", free_port("127.0.0.1"))
cluster.start(MasterUser("shopkeeper", "password"))
servers = [cluster.folder.joinpath(member, "postmaster.pid").read_text().split()[0] for member in ("writer", "reader")]
print(cluster.folder, *servers)
sys.stdout.flush()
time.sleep(600)
"""


def is_alive(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().split()[2] != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_process_leaves_no_server_and_no_file(tmp_path: Path):
    with subprocess.Popen(
        [sys.executable, "-c", RUNS_CLUSTER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        folder, *servers = holder.stdout.readline().split()
        assert Path(folder).exists()
        assert all(is_alive(int(server)) for server in servers)
        holder.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(is_alive(int(server)) for server in servers))
    wait_until(lambda: not Path(folder).exists())
    time.sleep(0.1)
    assert not Path(folder).exists()
