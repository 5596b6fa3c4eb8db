"""Copies of the checkout, for tests that edit what they run."""

import re
import shutil
import subprocess
from pathlib import Path

from stacks import ROOT
from tests.conftest import environment_without

INSTALLED = (".venv", "node_modules", ".cache")
LEFT = shutil.ignore_patterns(*INSTALLED, ".git", ".*_cache", "__pycache__", "cdktf.out")


def checkout(folder: Path) -> Path:
    """A copy of the project, with git and with what is installed here."""
    shutil.copytree(ROOT, folder, ignore=LEFT)
    for name in INSTALLED:
        (folder / name).symlink_to(ROOT / name)
    run(folder, "git init --quiet && git add --all")
    return folder


def edit(folder: Path, text: str) -> None:
    """Make the edits of a diff: of each file its hunks, whose lines it must have once."""
    for file, hunks in re.findall(r"^--- (\S+)\n(.*?)(?=^--- |\Z)", text, flags=re.MULTILINE | re.DOTALL):
        path = folder / file
        for hunk in re.split(r"^@@.*\n", hunks, flags=re.MULTILINE)[1:]:
            lines = hunk.splitlines()
            assert all(line[:1] in {" ", "+", "-"} for line in lines), lines
            before = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
            after = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
            found = path.read_text(encoding="utf-8")
            assert found.count(before) == 1, f"{file} has this {found.count(before)} times:\n{before}"
            path.write_text(found.replace(before, after), encoding="utf-8")


def run(folder: Path, text: str) -> None:
    """Run a shell script in a copy; it must succeed."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env=environment_without("ENV", "CDKTF_OUTDIR", "NODE_OPTIONS"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
