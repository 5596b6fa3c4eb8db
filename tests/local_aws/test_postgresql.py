"""The servers that Aurora is: what they let in, what they know, and that nothing is left of them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from local_aws import postgresql
from local_aws.certificate_authority import CertificateAuthority
from local_aws.postgresql import MasterUser, PostgresCluster, ServerError, free_addresses, free_port, wait_until

MASTER = MasterUser("shopkeeper", "a password; with 'quotes'")
PARAMETERS = {
    "rds.force_ssl": "1",
    "shared_preload_libraries": "pg_stat_statements,pgaudit",
    "pg_stat_statements.track": "all",
    "pgaudit.log": "ddl",
    "apg_plan_mgmt.max_plans": "10",
    "log_min_duration_statement": "1000",
}


def pair_in(logs: Path, **parameters: str) -> PostgresCluster:
    return PostgresCluster(CertificateAuthority(), logs, "127.0.0.1", "127.0.0.2", free_port("127.0.0.1"), parameters)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Generator[PostgresCluster]:
    made = pair_in(tmp_path_factory.mktemp("logs"), **PARAMETERS)
    made.start(MASTER, "shop")
    yield made
    made.stop()


def log_in(pair: PostgresCluster, host: str, sslmode: str = "verify-full", password: str = MASTER.password):
    return psycopg2.connect(
        host=host,
        port=pair.port,
        dbname="shop",
        user=MASTER.username,
        password=password,
        sslmode=sslmode,
        sslrootcert=str(pair.certificates),
    )


def ask(pair: PostgresCluster, statement: str, host: str = "127.0.0.1"):
    with closing(log_in(pair, host)) as session, session, session.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_the_master_is_no_superuser_but_may_make_roles_and_owns_its_database(pair: PostgresCluster):
    asked = "SELECT rolsuper, rolcreaterole, rolcreatedb, pg_has_role(oid, 'rds_superuser', 'MEMBER') FROM pg_roles"
    assert ask(pair, f"{asked} WHERE rolname = current_user") == [(False, True, True, True)]
    assert ask(pair, "SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()") == [
        (MASTER.username,)
    ]


def test_what_is_written_is_on_the_reader_where_nothing_can_be_written(pair: PostgresCluster):
    ask(pair, "CREATE TABLE orders AS SELECT 7 AS number")
    wait_until(lambda: ask(pair, "SELECT to_regclass('orders') IS NOT NULL", "127.0.0.2") == [(True,)])
    assert ask(pair, "SELECT number FROM orders", "127.0.0.2") == [(7,)]
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        ask(pair, "DELETE FROM orders", "127.0.0.2")


def test_who_comes_without_tls_or_trusts_another_authority_is_not_in(pair: PostgresCluster, tmp_path: Path):
    with pytest.raises(psycopg2.OperationalError, match=r"no pg_hba\.conf entry .* no encryption"):
        log_in(pair, "127.0.0.1", "disable")
    (tmp_path / "other.pem").write_bytes(CertificateAuthority().pem)
    with pytest.raises(psycopg2.OperationalError, match="SSL error"):
        psycopg2.connect(host="127.0.0.1", port=pair.port, sslmode="verify-full", sslrootcert=tmp_path / "other.pem")


def test_plaintext_is_let_in_where_the_parameter_group_lets_it(tmp_path: Path):
    open_to_all = pair_in(tmp_path, **{"rds.force_ssl": "0"})
    open_to_all.start(MASTER, "shop")
    try:
        log_in(open_to_all, "127.0.0.1", "disable").close()
    finally:
        open_to_all.stop()


def test_parameters_apply_as_far_as_this_server_knows_them(pair: PostgresCluster):
    assert pair.execute("SHOW log_min_duration_statement") == [("1s",)]
    assert pair.execute("SHOW shared_preload_libraries") == [("pg_stat_statements",)]
    assert pair.execute("SHOW pg_stat_statements.track") == [("all",)]
    known = "SELECT name FROM pg_settings WHERE name IN ('pgaudit.log', 'apg_plan_mgmt.max_plans')"
    assert pair.execute(known) == []


def test_no_password_is_in_the_log(pair: PostgresCluster):
    pair.configure(log_statement="all")
    pair.set_password(MASTER.username, "another password")
    log_in(pair, "127.0.0.1", password="another password").close()
    pair.set_password(MASTER.username, MASTER.password)
    wait_until(lambda: "SCRAM-SHA-256" in pair.log.read_text())
    assert "another password" not in pair.log.read_text()
    assert MASTER.password not in pair.log.read_text()


def test_a_pair_that_was_paused_goes_on_where_it_was(pair: PostgresCluster):
    ask(pair, "CREATE TABLE kept AS SELECT 1 AS one")
    pair.pause()
    with pytest.raises(psycopg2.OperationalError, match="Connection refused"):
        log_in(pair, "127.0.0.1")
    pair.resume()
    assert ask(pair, "SELECT one FROM kept") == [(1,)]
    wait_until(lambda: ask(pair, "SELECT to_regclass('kept') IS NOT NULL", "127.0.0.2") == [(True,)])


def test_a_wait_that_is_in_vain_ends():
    with pytest.raises(TimeoutError):
        wait_until(lambda: False, seconds=0.05)


def test_a_port_that_is_taken_moves_the_endpoints_to_other_addresses():
    with socket.socket() as taken:
        taken.bind(("127.0.0.2", 0))
        taken.listen()
        assert free_addresses(taken.getsockname()[1]) == ("127.0.1.1", "127.0.1.2")
    with socket.socket() as everywhere:
        everywhere.bind(("0.0.0.0", 0))  # noqa: S104 - for the blink of a test
        everywhere.listen()
        with pytest.raises(ServerError, match="in use on every address of this machine"):
            free_addresses(everywhere.getsockname()[1])


def test_a_server_that_does_not_start_is_told_with_its_log_and_leaves_nothing(tmp_path: Path):
    broken = pair_in(tmp_path, log_statement="nonsense")
    with pytest.raises(ServerError, match=r"invalid value for parameter .*log_statement"):
        broken.start(MASTER)
    assert not broken.folder.exists()


def test_a_tool_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(postgresql, "INITDB", ("--no-such-option",))
    broken = pair_in(tmp_path)
    with pytest.raises(ServerError, match=r"^initdb: .*no-such-option"):
        broken.start(MASTER)
    assert not broken.folder.exists()


def test_where_files_cannot_have_a_second_name_they_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "one").write_text("content")
    postgresql._link_or_copy(str(tmp_path / "one"), str(tmp_path / "two"))  # pyright: ignore[reportPrivateUsage] - the fallback is seen here alone
    assert (tmp_path / "two").read_text() == "content"


HOLD = """
import sys, time
from pathlib import Path
from local_aws.certificate_authority import CertificateAuthority
from local_aws.postgresql import Master, Pair, free_port
pair = Pair(CertificateAuthority(), Path(sys.argv[1]), "127.0.0.1", "127.0.0.2", free_port("127.0.0.1"))
pair.start(Master("shopkeeper", "password"))
servers = [pair.folder.joinpath(member, "postmaster.pid").read_text().split()[0] for member in ("writer", "reader")]
print(pair.folder, *servers)
sys.stdout.flush()
time.sleep(600)
"""


def is_alive(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().split()[2] != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_whoever_is_killed_leaves_no_server_and_no_file(tmp_path: Path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        folder, *servers = holder.stdout.readline().split()
        assert Path(folder).exists()
        assert all(is_alive(int(server)) for server in servers)
        holder.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(is_alive(int(server)) for server in servers))
    wait_until(lambda: not Path(folder).exists())
    time.sleep(0.1)
    assert not Path(folder).exists()
