"""The examples of tiers of one's own, in a copy of the project, and the settings of docs/own-tiers.md."""

from pathlib import Path

import pytest

from stacks import ROOT
from tests.checkouts import copy_project, run
from tests.conftest import SHIPPED
from tests.examples.test_contributing import BLOCK

PAGE = (ROOT / "docs" / "own-tiers.md").read_text(encoding="utf-8")
EXAMPLES = sorted(folder.name for folder in (ROOT / "examples" / "own").iterdir() if (folder / "stack.py").is_file())


def copying(name: str) -> str:
    """The page's commands that copy an example, without those of make, which would install."""
    (block,) = (text for language, text in BLOCK.findall(PAGE) if language == "sh")
    commands = [line for line in block.splitlines() if not line.startswith("make ")]
    return "\n".join(commands).replace("sessions", name)


def test_every_example_is_short():
    assert EXAMPLES == ["mail", "sessions"]
    for name in EXAMPLES:
        files = {file.name: file.read_text().count("\n") for file in (ROOT / "examples" / "own" / name).glob("*.*")}
        assert files.keys() == {"runbook.md", "stack.py"}
        assert max(files.values()) < 60


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return copy_project(tmp_path / "project")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_found_after_its_files_are_copied(copy: Path, name: str):
    run(copy, f"rm -rf stacks/own/{name}")  # a fork may have it
    run(copy, copying(name))
    run(copy, f"ENV={SHIPPED[0]} .venv/bin/python main.py")
    assert (copy / "cdktf.out" / "stacks" / f"{SHIPPED[0]}-{name}" / "cdk.tf.json").is_file()


def test_settings_are_read_and_checked(copy: Path):
    (settings,) = (text for language, text in BLOCK.findall(PAGE) if language == "python")
    (copy / "stacks" / "settings" / "own.py").write_text(f'"""Settings of own tiers."""\n\n{settings}')
    run(copy, ".venv/bin/ruff check stacks && .venv/bin/ruff format --check stacks")
    file = copy / "environments" / f"{SHIPPED[0]}.toml"
    before = file.read_text()
    file.write_text(f"{before}\n[own.sessions]\ndays = 3\n")
    read = "from pathlib import Path; from stacks.settings import load_environments; "
    read += f"print(load_environments(Path('environments'), only='{SHIPPED[0]}')[0].own.sessions.days)"
    assert run(copy, f'.venv/bin/python -c "{read}"') == "3\n"
    reference = "from operations.document import settings_reference; print(settings_reference.reference())"
    assert "| `own.sessions.days` | whole number, days | 1 to 30 |" in run(copy, f'.venv/bin/python -c "{reference}"')
    file.write_text(f"{before}\n[own.sessions]\ndays = 31\n")
    refused = run(copy, f"ENV={SHIPPED[0]} .venv/bin/python main.py 2>&1 || true")
    *_, line = refused.splitlines()  # before it, jsii may warn of an old Node
    assert line.startswith(f"environments/{SHIPPED[0]}.toml: own.sessions.days = 31: allowed: ")
