"""Where code lives: a folder a tier, and `stacks/parts/` for what two tiers or more use."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from stacks import ROOT

TIERS = [stack.parent for stack in sorted((ROOT / "stacks").glob("*/stack.py"))]
PARTS = {f"stacks.parts.{path.stem}": path for path in (ROOT / "stacks" / "parts").glob("[!_]*.py")}


def imported(source: str) -> set[str]:
    """Modules of `stacks/parts/` that a source imports, by either way of writing it."""

    def names() -> Iterator[str]:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    return {name for name in names() if name.startswith("stacks.parts.")}


def parts_of(path: Path) -> set[str]:
    """Parts that a module uses, directly or through another part."""
    found = set[str]()
    waiting = [path]
    while waiting:
        new = (imported(waiting.pop().read_text(encoding="utf-8")) & PARTS.keys()) - found
        found |= new
        waiting += [PARTS[part] for part in new]
    return found


@pytest.mark.parametrize("part", sorted(PARTS))
def test_two_tiers_or_more_use_a_part(part: str):
    users = {tier.name for tier in TIERS if any(part in parts_of(path) for path in tier.rglob("*.py"))}
    assert len(users) >= 2, f"{part} is used by {', '.join(users) or 'no tier'}: move it into the tier's folder"


@pytest.mark.parametrize("source", ["from stacks.parts import ports", "from stacks.parts.ports import HTTPS"])
def test_an_import_of_a_part_is_found(source: str):
    assert imported(source) & PARTS.keys() == {"stacks.parts.ports"}
