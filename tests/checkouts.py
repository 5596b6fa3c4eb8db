"""Copies of the project, for tests that edit source files."""

import re
import shutil
import subprocess
from pathlib import Path

from stacks import ROOT
from tests.conftest import environment_without

INSTALLED = (".venv", "node_modules", ".cache")
IGNORED = shutil.ignore_patterns(*INSTALLED, ".git", ".*_cache", "__pycache__", "cdktf.out")


def copy_project(folder: Path) -> Path:
    """Copy the project into a new git repository, with links to the installed dependencies."""
    shutil.copytree(ROOT, folder, ignore=IGNORED)
    for name in INSTALLED:
        (folder / name).symlink_to(ROOT / name)
    run(folder, "git init --quiet && git add --all")
    return folder


def edit(folder: Path, diff: str) -> None:
    """Apply a diff. Each hunk must match exactly once."""
    for file, hunks in re.findall(r"^--- (\S+)\n(.*?)(?=^--- |\Z)", diff, flags=re.MULTILINE | re.DOTALL):
        path = folder / file
        for hunk in re.split(r"^@@.*\n", hunks, flags=re.MULTILINE)[1:]:
            lines = hunk.splitlines()
            malformed = [line for line in lines if line[:1] not in {" ", "+", "-"}]
            assert not malformed, f"{file}: these lines of a hunk do not begin with a space, + or -: {malformed}"
            before = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
            after = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
            found = path.read_text(encoding="utf-8")
            assert found.count(before) == 1, (
                f"{file}: expected these lines once, found them {found.count(before)} times:\n{before}"
            )
            path.write_text(found.replace(before, after), encoding="utf-8")


def run_suites(folder: Path, *suites: str) -> None:
    """Run test suites of a copy; each is one or more folders. Fails if a test does."""
    for suite in suites:
        run(folder, f".venv/bin/python -m pytest --no-cov --quiet -p no:cacheprovider {suite}")


def run(folder: Path, script: str) -> str:
    """Run a shell script in a copy and return its output. Fails if the script does."""
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment_without("ENV", "CDKTF_OUTDIR", "NODE_OPTIONS"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{script}\n{result.stdout}{result.stderr}"
    return result.stdout
