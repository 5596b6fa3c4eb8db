"""main.py as a separate process, with the project's environments."""

import runpy
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from imports import BINDINGS
from stacks import ROOT
from tests.conftest import SHIPPED, environment_without
from tests.synthesized import tiers_with_own

STOCK = f"import runpy, {BINDINGS}; runpy.run_path('main.py', run_name='__main__')"
SILENT = {"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20"}
"""jsii's warning of an old Node is not the program's own output."""


def run(folder: Path, *arguments: str, out: Path, env: str = "") -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, for all environments or one."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**environment_without("NODE_OPTIONS"), **SILENT, "ENV": env, "CDKTF_OUTDIR": str(out)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A run of main.py outside the project, with its folder."""
    folder = tmp_path_factory.mktemp("elsewhere")
    return folder, run(folder, str(ROOT / "main.py"), out=folder / "out")


def test_it_runs_in_any_folder_and_writes_to_the_configured_one(ended: tuple[Path, subprocess.CompletedProcess[str]]):
    folder, program = ended
    assert (program.returncode, program.stdout, program.stderr) == (0, "", "")
    assert [path.name for path in folder.iterdir()] == ["out"]
    stacks = {path.name for path in (folder / "out" / "stacks").iterdir()}
    assert stacks == {f"{name}-{tier}" for name in SHIPPED for tier in tiers_with_own(name)}


def test_env_selects_one_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path))
    monkeypatch.setenv("ENV", SHIPPED[0])
    runpy.run_path(str(ROOT / "main.py"), run_name="__main__")
    assert {path.name for path in (tmp_path / "stacks").iterdir()} == {
        f"{SHIPPED[0]}-{tier}" for tier in tiers_with_own(SHIPPED[0])
    }


def test_invalid_settings_are_reported_with_exit_code_1(tmp_path: Path):
    program = run(tmp_path, str(ROOT / "main.py"), out=tmp_path / "out", env="nowhere")
    message = f"environments/nowhere.toml: no such environment; existing ones: {', '.join(SHIPPED)}\n"
    assert (program.returncode, program.stdout, program.stderr) == (1, "", message)
    assert not (tmp_path / "out").exists()


def stock_digest(folder: Path) -> str:
    """Digest of what the unmodified bindings synthesize, cached until a source changes."""
    sources = [
        ROOT / "main.py",
        ROOT / "Pipfile.lock",
        ROOT / ".cache" / "rotation.zip",
        *(ROOT / "stacks").rglob("*.py"),
        *(ROOT / "environments").glob("*"),
    ]
    key = sha256(b"".join(path.read_bytes() for path in sorted(sources))).hexdigest()
    cached = ROOT / ".cache" / "stock" / key
    if not cached.exists():
        program = run(ROOT, "-c", STOCK, out=folder)
        assert program.returncode == 0, program.stderr
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_text(digest(folder))
    return cached.read_text()


def digest(folder: Path) -> str:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    assert len([path for path in paths if path.name == "cdk.tf.json"]) >= 3
    return "\n".join(f"{path.relative_to(folder)} {sha256(path.read_bytes()).hexdigest()}" for path in paths)


def test_the_output_equals_that_of_the_unmodified_bindings(
    tmp_path: Path, ended: tuple[Path, subprocess.CompletedProcess[str]]
):
    assert digest(ended[0] / "out") == stock_digest(tmp_path)
