"""The worked examples of docs/contributing.md are applied and run in a copy of the project."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stacks import ROOT
from tests.checkouts import copy_project, edit, run

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGE = ROOT / "docs" / "contributing.md"


def examples() -> dict[str, str]:
    """Sections that contain a diff, by heading."""
    text = PAGE.read_text(encoding="utf-8")
    text = BLOCK.sub(lambda block: block[0].replace("\n## ", "\n\0## "), text)  # of a page within the page
    _, *parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    found = {name: part.replace("\0", "") for name, part in zip(parts[::2], parts[1::2], strict=True)}
    return {name: part for name, part in found.items() if "```diff\n" in part}


def test_the_worked_examples_are_found():
    assert list(examples()) == ["Add an alarm", "Add a setting", "Add a flow"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return copy_project(tmp_path / "project")


def follow(folder: Path, example: str) -> Iterator[str]:
    """Apply the diffs of an example and write its files. Yields each block of commands in its place."""
    for language, text in BLOCK.findall(example):
        match language:
            case "diff":
                edit(folder, text)
            case "python" | "markdown":
                first, _, content = text.partition("\n")
                file = folder / first.strip("#<!-> ")
                file.parent.mkdir(exist_ok=True)
                file.write_text(content, encoding="utf-8")
            case "console":  # output is not run
                pass
            case _:
                yield text


@pytest.mark.parametrize("name", examples())
def test_an_example_works(copy: Path, name: str):
    commands = 0
    for block in follow(copy, examples()[name]):
        run(copy, block)
        commands += 1
    assert commands


def test_a_diff_that_does_not_match_is_reported(tmp_path: Path):
    (tmp_path / "a.py").write_text("one\ntwo\ntwo\n")
    edit(tmp_path, "--- a.py\n@@ here\n one\n-two\n+three\n")
    assert (tmp_path / "a.py").read_text() == "one\nthree\ntwo\n"
    with pytest.raises(AssertionError, match=r"a\.py: expected these lines once, found them 0 times"):
        edit(tmp_path, "--- a.py\n@@\n-four\n")


def test_a_failing_command_is_reported(tmp_path: Path):
    with pytest.raises(AssertionError, match="some output"):
        run(tmp_path, "echo some output | cat\nfalse | cat\n")
