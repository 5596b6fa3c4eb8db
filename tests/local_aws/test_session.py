"""Cleanup at the end of a session."""

import subprocess
import sys
from pathlib import Path

import pytest

from local_aws import session

FAILS = """
import os, sys
from pathlib import Path
from local_aws.server import LocalAws
from local_aws.postgresql import free_port
with LocalAws("123456789012", "us-west-1", Path(sys.argv[1])) as aws:
    aws.client("rds").create_db_cluster(
        DBClusterIdentifier="shop", Engine="aurora-postgresql", EngineVersion="17", MasterUsername="shopkeeper",
        ManageMasterUserPassword=True, Port=free_port("127.0.0.1"),
    )
    print(aws.backend("rds").clusters["shop"].servers.folder, flush=True)
    raise ValueError("a failing client")
"""


def test_a_failing_session_leaves_no_database(tmp_path: Path):
    result = subprocess.run(
        [sys.executable, "-c", FAILS, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert "a failing client" in result.stderr
    assert result.stdout.strip()
    assert not Path(result.stdout.strip()).exists()
    assert list(tmp_path.glob("shop-*/writer.log"))


def test_without_a_local_aws_there_is_no_session(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(session, "_current", None)
    with pytest.raises(RuntimeError, match="There is no local AWS in this process"):
        session.current()
