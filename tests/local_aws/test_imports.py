"""The local AWS and its tests are independent of the platform, so that they could be published separately."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import local_aws

PACKAGE, TESTS = Path(local_aws.__file__).parent, Path(__file__).parent
PROJECT = {path.stem for path in PACKAGE.parent.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))}
"""Top-level modules and packages of the project."""


def imported_by(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"{'.' * node.level}{node.module or ''}"


@pytest.mark.parametrize(
    ("folder", "own"), [(PACKAGE, "local_aws"), (TESTS, "tests.local_aws")], ids=["package", "tests"]
)
def test_it_does_not_import_other_packages_of_the_project(folder: Path, own: str):
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


def test_it_does_not_mention_the_platform():
    for file in {*PACKAGE.rglob("*.py"), *TESTS.rglob("*.py")} - {Path(__file__)}:
        text = file.read_text(encoding="utf-8").lower()
        assert not [word for word in ("rehears", "cdktf", "no stack", "the environments") if word in text], file
