"""The program as it is run."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import main
from operations.platform import Platform
from tests.conftest import SHIPPED, environment_without
from tests.synthesized import TIERS


def test_every_environment_is_synthesized(shipped: dict[str, Platform]):
    """By the program itself: see the fixture."""
    stacks = shipped[SHIPPED[0]].stacks["network"].folder.parent
    assert {path.name for path in stacks.iterdir()} == {f"{name}-{tier}" for name in SHIPPED for tier in TIERS}


def test_env_names_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path))
    monkeypatch.setenv("ENV", SHIPPED[0])
    runpy.run_path(str(main.ROOT / "main.py"), run_name="__main__")
    assert {path.name for path in (tmp_path / "stacks").iterdir()} == {f"{SHIPPED[0]}-{tier}" for tier in TIERS}


def test_it_runs_from_any_folder_and_writes_into_the_project(tmp_path: Path):
    run = subprocess.run(
        [sys.executable, str(main.ROOT / "main.py")],
        cwd=tmp_path,
        env={**environment_without("NODE_OPTIONS"), "ENV": SHIPPED[0], "CDKTF_OUTDIR": str(tmp_path / "out")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_wrong_settings_end_in_lines_and_exit_1(tmp_path: Path):
    run = subprocess.run(
        [sys.executable, str(main.ROOT / "main.py")],
        env={**environment_without("NODE_OPTIONS"), "ENV": "nowhere", "CDKTF_OUTDIR": str(tmp_path / "out")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr == (f"environments/nowhere.toml: there is no such environment; there are: {', '.join(SHIPPED)}\n")
    assert not (tmp_path / "out").exists()


def test_wrong_settings_are_what_it_exits_with(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENV", "nowhere")
    with pytest.raises(SystemExit, match=r"environments/nowhere\.toml: there is no such environment"):
        main.main()


def test_an_output_folder_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path / "file" / "out"))
    with pytest.raises(SystemExit, match=r"CDKTF_OUTDIR = .*: allowed: a folder that can be written"):
        main.main()
