"""The local AWS could be published by itself: neither it nor its tests know anything of the platform."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import local_aws

PACKAGE, TESTS = Path(local_aws.__file__).parent, Path(__file__).parent
PROJECT = {path.stem for path in PACKAGE.parent.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))}
"""What can be imported of the project's."""


def imported_by(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"{'.' * node.level}{node.module or ''}"


@pytest.mark.parametrize(("folder", "own"), [(PACKAGE, "local_aws"), (TESTS, "tests.local_aws")], ids=["it", "tests"])
def test_it_imports_nothing_else_of_the_project(folder: Path, own: str):
    assert {"local_aws", "main", "operations", "stacks"} <= PROJECT
    files = list(folder.rglob("*.py"))
    assert files
    others = {
        f"{file.name}: {name}"
        for file in files
        for name in imported_by(file)
        if name.split(".")[0] in PROJECT | {""} and not f"{name}.".startswith(("local_aws.", f"{own}."))
    }
    assert others == set()


def test_it_names_nothing_of_the_platform():
    for file in {*PACKAGE.rglob("*.py"), *TESTS.rglob("*.py")} - {Path(__file__)}:
        text = file.read_text(encoding="utf-8").lower()
        assert not [
            word for word in ("globecart", "rehears", "cdktf", "no stack", "the environments") if word in text
        ], file
