"""What make requires of the machine: which Python it takes, and one line with what to install."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from stacks import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TOOLS = ("awk", "cp", "echo", "mkdir", "rm", "touch")
"""What the recipes use, of any machine."""
REQUIRED = {"git", "node", "npm", "terraform"}
NODE = """#!/bin/sh
case $1 in
  --version) echo v{version} ;;
  -e) exec {node} -e "((process) => {{ $2 }})({{versions: {{node: '{version}'}}, exit: process.exit}})" ;;
esac
"""
PYTHON = """#!/bin/sh
if [ "$1" = -m ]; then mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; exit; fi
exec {python} -c 'import sys; sys.version_info = {version}; {lacks}; exec(sys.argv[1])' "$2"
"""
NO_PYTHON = (
    "No Python 3.11 to 3.13 with venv and pip is on the PATH: install one "
    "(Debian 12 and 13, Ubuntu 24.04: apt install python3-venv)"
)


class Machine:
    """A folder with the Makefile, and a PATH with required programs in any version."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "bin"
        self.path.mkdir()
        shutil.copy(ROOT / "Makefile", folder)
        for tool in TOOLS:
            (self.path / tool).symlink_to(str(shutil.which(tool)))
        for tool in REQUIRED - {"node"}:
            self.install(tool, "#!/bin/sh\n")
        self.install("node", NODE.format(version="24.1.0", node=shutil.which("node")))

    def install(self, name: str, program: str) -> None:
        (self.path / name).write_text(program)
        (self.path / name).chmod(0o755)

    def install_python(self, name: str, version: tuple[int, ...], *, lacks: str = "") -> None:
        without = f'sys.modules["{lacks}"] = None' if lacks else "pass"
        self.install(name, PYTHON.format(python=sys.executable, version=version, lacks=without))

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(shutil.which("make")), *arguments],
            cwd=self.folder,
            env={"PATH": str(self.path)},
            capture_output=True,
            text=True,
            check=False,
        )

    def refusal(self) -> str:
        """What make says before it fails."""
        run = self.make(".venv/bin/python")
        assert (run.returncode, run.stdout) == (2, "")
        message, _ = run.stderr.splitlines()  # the last line is make's own
        return message


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("pythons", "expected"),
    [
        ({"python3": (3, 11, 2)}, "python3"),
        ({"python3": (3, 12, 0)}, "python3"),
        ({"python3": (3, 13, 9)}, "python3"),
        ({"python": (3, 13, 0)}, "python"),
        ({"python3": (3, 14, 0), "python3.11": (3, 11, 0)}, "python3.11"),
        ({"python3": (3, 11, 0), "python3.12": (3, 12, 0), "python3.13": (3, 13, 0)}, "python3.13"),
        # Without venv or pip, as Debian and Ubuntu have it.
        ({"python3": (3, 11, 0), "python3.13": "ensurepip"}, "python3"),
        ({"python3.11": (3, 11, 0), "python3.12": "venv"}, "python3.11"),
        # A shim of pyenv, for a version that is not selected.
        ({"python3": (3, 12, 0), "python3.13": None}, "python3"),
    ],
)
def test_the_newest_suitable_python_is_taken(machine: Machine, pythons: dict[str, Any], expected: str):
    for name, version in pythons.items():
        if version is None:
            machine.install(name, "#!/bin/sh\nexit 127\n")
        elif isinstance(version, str):
            machine.install_python(name, (3, 12, 0), lacks=version)
        else:
            machine.install_python(name, version)
    run = machine.make(".venv/bin/python")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == f"Creating .venv with {machine.path / expected}\n"
    assert (machine.folder / ".venv" / "bin" / "python").read_text() == (machine.path / expected).read_text()


@pytest.mark.parametrize(("version", "lacks"), [((3, 10, 9), ""), ((3, 14, 0), ""), ((3, 13, 0), "ensurepip")])
def test_a_python_that_is_not_suitable_is_refused(machine: Machine, version: tuple[int, ...], lacks: str):
    machine.install_python("python3", version, lacks=lacks)
    assert machine.refusal() == NO_PYTHON


def test_no_python_is_refused(machine: Machine):
    assert machine.refusal() == NO_PYTHON


def test_a_virtual_environment_is_kept_as_long_as_its_python_exists(machine: Machine):
    machine.install_python("python3.12", (3, 12, 0))
    assert machine.make(".venv/bin/python").returncode == 0
    python = machine.folder / ".venv" / "bin" / "python"
    machine.install_python("python3.13", (3, 13, 0))
    assert machine.make(".venv/bin/python").stdout == f"make: '{python.relative_to(machine.folder)}' is up to date.\n"
    python.unlink()
    python.symlink_to(machine.folder / "uninstalled")
    (machine.folder / ".venv" / "old").touch()
    assert machine.make(".venv/bin/python").returncode == 0
    assert python.read_text() == (machine.path / "python3.13").read_text()
    assert not (machine.folder / ".venv" / "old").exists()


def test_a_virtual_environment_that_was_not_completed_is_made_again(machine: Machine):
    machine.install("python3", "#!/bin/sh\n[ $1 = -c ] || { mkdir -p $3/bin; touch $3/bin/python; exit 1; }\n")
    for _ in range(2):
        run = machine.make(".venv/bin/python")
        assert (run.returncode, run.stdout.splitlines()[0]) == (2, f"Creating .venv with {machine.path / 'python3'}")


@pytest.mark.parametrize("version", ["20.0.0", "22.23.3", "24.21.0"])
def test_a_node_that_was_tried_is_taken(machine: Machine, version: str):
    machine.install("node", NODE.format(version=version, node=shutil.which("node")))
    run = machine.make(".cache/prerequisites")
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("version", ["18.20.4", "26.10.0"])
def test_another_node_is_refused(machine: Machine, version: str):
    machine.install("node", NODE.format(version=version, node=shutil.which("node")))
    assert machine.refusal() == f"Node is v{version}, and must be 20 to 24: install Node 24 (https://nodejs.org)"


@pytest.mark.parametrize(
    ("tool", "install"),
    [
        ("git", "git"),
        ("node", "Node 24 (https://nodejs.org)"),
        ("npm", "npm, which comes with Node"),
        ("terraform", "Terraform 1.11 or later (https://developer.hashicorp.com/terraform/install)"),
    ],
)
def test_a_missing_tool_is_named_with_what_to_install(machine: Machine, tool: str, install: str):
    (machine.path / tool).unlink()
    assert machine.refusal() == f"{tool} is not on the PATH: install {install}"


def test_the_ranges_are_the_same_everywhere():
    requires = tomllib.loads((ROOT / "Pipfile").read_text(encoding="utf-8"))["requires"]
    assert requires == {"python_version": ">=3.11,<3.14"}
    assert "(3, 11) <= sys.version_info < (3, 14)" in MAKEFILE
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert (tools["ruff"]["target-version"], tools["basedpyright"]["pythonVersion"]) == ("py311", "3.11")
    assert json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["engines"] == {"node": ">=20 <25"}
    assert "major < 20 || major > 24" in MAKEFILE


def test_make_says_what_to_do_first(machine: Machine):
    run = machine.make()
    assert run.stderr == ""
    lines = run.stdout.splitlines()
    assert lines[0].startswith("First: make rehearse.")
    targets = re.findall(r"^([a-z-]+):.*## ", MAKEFILE, flags=re.MULTILINE)
    assert [line.split()[1] for line in lines if line.startswith("  make ")] == targets


def test_a_silent_command_shows_progress_until_it_ends(machine: Machine):
    machine.install("sleep", f"#!/bin/sh\nexec {shutil.which('sleep')} 0.2\n")
    slow = f"slow: ; @$(call WITH_PROGRESS,echo still running) {shutil.which('sleep')} 0.9; exit 3"
    run = machine.make(f"--eval={slow}", "slow")
    assert (run.returncode, run.stdout) == (2, "")
    *lines, error = run.stderr.splitlines()
    assert set(lines) == {"still running"}
    assert len(lines) <= 4
    assert error.endswith("Error 3")


def test_every_installation_shows_progress():
    lines = [line for line in MAKEFILE.splitlines() if re.search(r"pip install|npm ci", line)]
    assert len(lines) == 2
    assert all("$(call WITH_PROGRESS," in line for line in lines)
