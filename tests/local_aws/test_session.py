"""The end of a session: whatever was started for it ends with it."""

import subprocess
import sys
from pathlib import Path

import pytest

from local_aws import session

BREAKS = """
import os, sys
from pathlib import Path
from local_aws.server import LocalAws
from local_aws.postgresql import free_port
with LocalAws("123456789012", "us-west-1", Path(sys.argv[1])) as aws:
    aws.client("rds").create_db_cluster(
        DBClusterIdentifier="shop", Engine="aurora-postgresql", EngineVersion="17", MasterUsername="shopkeeper",
        ManageMasterUserPassword=True, Port=free_port("127.0.0.1"),
    )
    print(aws.backend("rds").clusters["shop"].pair.folder, flush=True)
    raise ValueError("a client that breaks")
"""


def test_a_session_that_breaks_leaves_no_database(tmp_path: Path):
    ended = subprocess.run(
        [sys.executable, "-c", BREAKS, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert "a client that breaks" in ended.stderr
    assert ended.stdout.strip()
    assert not Path(ended.stdout.strip()).exists()
    assert list(tmp_path.glob("shop-*/writer.log"))


def test_without_a_local_aws_there_is_no_session(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(session, "_current", None)
    with pytest.raises(RuntimeError, match="There is no local AWS in this process"):
        session.current()
