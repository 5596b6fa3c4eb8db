"""A run's end: whatever was started for it ends with it."""

import subprocess
import sys
from pathlib import Path

import pytest

from local_aws import run
from local_aws.server import LocalAws

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
    raise ValueError("a rehearsal that breaks")
"""


def test_a_run_that_breaks_leaves_no_database(tmp_path: Path):
    ended = subprocess.run(
        [sys.executable, "-c", BREAKS, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert "a rehearsal that breaks" in ended.stderr
    assert ended.stdout.strip()
    assert not Path(ended.stdout.strip()).exists()
    assert list(tmp_path.glob("shop-*/writer.log"))


def test_the_authority_is_a_file_that_clients_can_name(aws: LocalAws):
    assert aws.certificates.read_bytes() == run.current().authority.pem


def test_without_a_local_aws_there_is_no_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(run._Current, "run", None)  # pyright: ignore[reportPrivateUsage] - as if none had begun
    with pytest.raises(RuntimeError, match="There is no local AWS in this process"):
        run.current()
