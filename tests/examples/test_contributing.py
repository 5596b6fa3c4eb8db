"""The worked examples of docs/contributing.md and of the README are applied and run in a copy of the project."""

import re
from pathlib import Path

import pytest

from stacks import ROOT
from tests.checkouts import checkout, edit, run

PAGES = (ROOT / "README.md", ROOT / "docs" / "contributing.md")


def examples() -> dict[str, str]:
    """Sections that contain a diff, by heading."""
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    _, *parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return {name: part for name, part in zip(parts[::2], parts[1::2], strict=True) if "```diff\n" in part}


def test_the_worked_examples_are_found():
    assert list(examples()) == ["Make it yours", "Add an alarm", "Add a setting", "Add a flow", "Add a tier"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return checkout(tmp_path / "project")


@pytest.mark.parametrize("name", examples())
def test_an_example_works(copy: Path, name: str):
    languages: list[str] = []
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```$", examples()[name], flags=re.MULTILINE | re.DOTALL):
        languages.append(language)
        match language:
            case "diff":
                edit(copy, text)
            case "python":
                named, _, code = text.partition("\n")
                module = copy / named.removeprefix("# ")
                module.parent.mkdir(exist_ok=True)
                module.write_text(code, encoding="utf-8")
            case "console":  # output is not run
                pass
            case _:
                run(copy, text)
    assert "sh" in languages


def test_a_diff_that_does_not_match_is_reported(tmp_path: Path):
    (tmp_path / "a.py").write_text("one\ntwo\ntwo\n")
    edit(tmp_path, "--- a.py\n@@ here\n one\n-two\n+three\n")
    assert (tmp_path / "a.py").read_text() == "one\nthree\ntwo\n"
    with pytest.raises(AssertionError, match=r"a\.py has these lines 0 times"):
        edit(tmp_path, "--- a.py\n@@\n-four\n")


def test_a_failing_command_is_reported(tmp_path: Path):
    with pytest.raises(AssertionError, match="some output"):
        run(tmp_path, "echo some output | cat\nfalse | cat\n")
