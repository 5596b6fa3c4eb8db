"""Allowed imports between packages, no circular imports, and shared parts."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from operations.__main__ import COMMANDS
from stacks import ROOT

MAY_IMPORT: Mapping[str, set[str]] = {
    "imports": set(),
    "lambda_rotation": set(),
    "local_aws": set(),
    "stacks": {"imports", "lambda_rotation"},
    "main": {"stacks"},
    "synthesized": {"stacks"},
    "operations": {"stacks", "synthesized", "lambda_rotation"},
    "rehearsal": {"main", "stacks", "synthesized", "operations", "lambda_rotation", "local_aws"},
}
"""As in docs/architecture.md. `operations/__main__.py` also loads the commands of `rehearsal` dynamically."""


@cache
def modules() -> dict[str, Path]:
    """Files of the project's modules, by module name."""
    files = [ROOT / "main.py", *(file for package in MAY_IMPORT for file in (ROOT / package).rglob("*.py"))]
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def imported_by(source: str) -> Iterator[str]:
    """Names that a module imports: modules, or names in modules."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def _with_packages(name: str) -> Iterator[str]:
    """A module and its parent packages, which Python imports first."""
    while name:
        yield name
        name = name.rpartition(".")[0]


@cache
def graph() -> dict[str, set[str]]:
    """Imported modules by module."""
    return {
        name: {
            found
            for imported in imported_by(file.read_text(encoding="utf-8"))
            for found in _with_packages(imported)
            # Except its own parent packages.
            if found in modules() and not f"{name}.".startswith(f"{found}.")
        }
        for name, file in modules().items()
    }


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_allowed_packages(package: str):
    found = {
        f"{name} imports {other}"
        for name, others in graph().items()
        if name.partition(".")[0] == package
        for other in others
        if other.partition(".")[0] not in {package, *MAY_IMPORT[package]}
    }
    assert not found


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_no_package_imports_the_tests(package: str):
    assert not [
        name
        for name, file in modules().items()
        if name.partition(".")[0] == package
        and any(each.partition(".")[0] == "tests" for each in imported_by(file.read_text(encoding="utf-8")))
    ]


def test_no_two_modules_import_each_other():
    try:
        TopologicalSorter(graph()).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


@pytest.mark.parametrize("part", sorted(name for name in modules() if name.startswith("stacks.parts.")))
def test_two_or_more_tiers_use_each_part(part: str):
    tiers = {f"stacks.{file.parent.name}" for file in (ROOT / "stacks").glob("*/stack.py")}
    users = {tier for tier in tiers if any(part in parts_of(name) for name in graph() if name.startswith(f"{tier}."))}
    assert len(users) >= 2, f"{part} is used by {', '.join(users) or 'no tier'}: move it into the tier's folder"


def parts_of(name: str) -> set[str]:
    """Parts that a module imports, directly or through another part."""
    found = set[str]()
    waiting = [name]
    while waiting:
        new = {each for each in graph()[waiting.pop()] if each.startswith("stacks.parts.")} - found
        found |= new
        waiting += new
    return found


@pytest.mark.parametrize("source", ["from stacks.parts import ports", "from stacks.parts.ports import HTTPS"])
def test_both_forms_of_import_are_found(source: str):
    (name,) = imported_by(source)
    assert "stacks.parts.ports" in _with_packages(name)


def test_only_one_module_imports_dynamically():
    """Dynamic imports bypass the rules above."""
    by_name = {
        name
        for name, file in modules().items()
        if name.partition(".")[0] in {"main", "stacks", "synthesized", "operations", "rehearsal"}
        and re.search(r"\b(import_module|__import__|runpy)\b", file.read_text(encoding="utf-8"))
    }
    assert by_name == {"operations.__main__", "stacks.own_tiers"}


def test_every_package_is_in_the_table():
    """A new package needs a row in the table above."""
    folders = {file.parent.name for file in ROOT.glob("*/__init__.py")} - {"tests"}
    assert folders == MAY_IMPORT.keys() - {"main"}


def test_every_command_is_in_its_registered_module():
    for command, module in COMMANDS.items():
        functions = [
            each.name
            for each in ast.parse(modules()[module].read_text(encoding="utf-8")).body
            if isinstance(each, ast.FunctionDef)
        ]
        assert command.replace("-", "_") in functions, f"{module} has no {command}"
