"""`python -m operations atlantis`: writes `atlantis.yaml`, which tells Atlantis what to plan, when and in what order.

All of it is derived: the projects and their order from the stacks that were synthesized, what each is planned for from
the imports of the program. What the server itself must be told stands in docs/atlantis.md.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import typer
import yaml

from operations.account import ENVIRONMENTS
from operations.errors import RefusedError, one_line_errors
from stacks import ROOT
from stacks.names import ACCESS, Names
from stacks.settings import Environment
from synthesized.platform import Stack, output_folder, read_stacks

FILE = ROOT / "atlantis.yaml"
REPOS = ROOT / "docs" / "repos.yaml"
"""What the server is told at its start."""
OUT = PurePosixPath("ci-cdktf.out")
"""Where Atlantis synthesizes, beside the file; git does not ignore it."""
HEADER = """\
# Written by `python -m operations atlantis` from the stacks and the imports of the program: change those, and write it
# anew. docs/atlantis.md says what it is for.
"""

WORKFLOW = "globecart"
MANUAL_WORKFLOW = "globecart-by-hand"
MANUAL_TIERS = {
    # What applies would else be what decides what it may do.
    ACCESS,
}
"""Tiers that Atlantis plans and never applies: administrators do, with credentials of their own."""

SHARED_FILES = ("main.py", "Pipfile.lock", "cdktf.json")
ASSET_SOURCES: Mapping[str, str] = {"package": "lambda_rotation/**"}
"""What a stack brings along, by its name among the stack's assets, and the files that it is built from."""
FILE_NAME = re.compile(r"[\w-]+(\.[\w-]+)+")


def atlantis(
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; end with 1 where it is out of date.")] = False,
) -> None:
    """Write atlantis.yaml: a project for each stack, its order, and the files that it is planned for.

    Reads what `make synth` wrote for all environments, and the imports of the tiers' modules. Asks nobody.

    When: after a change of tiers, of what they import or use of one another, or of the environments.

    Example: `python -m operations atlantis --check`

    Exit codes: 0 written, or up to date; 1 refused or failed; 2 usage.
    """
    with one_line_errors():
        wanted = configuration(read_stacks(output_folder()), ROOT, sorted(file.stem for file in _environments()))
        if check and (not FILE.is_file() or FILE.read_text(encoding="utf-8") != wanted):
            raise RefusedError(f"{FILE.name} is out of date: run make synth, then python -m operations atlantis")
    if not check:
        FILE.write_text(wanted, encoding="utf-8")


def configuration(stacks: Sequence[Stack], root: Path, environments: Sequence[str]) -> str:
    """The file's text.

    Args:
        stacks: of all environments, each after those that it depends on.
        root: the program's folder.
        environments: that there are.

    Raises:
        RefusedError: an environment was not synthesized, or a stack is made of what nobody knows.
    """
    missing = sorted({*environments} - {stack.environment for stack in stacks})
    if missing:
        raise RefusedError(f"{', '.join(missing)}: not synthesized; run make synth without ENV")
    groups = order_groups(stacks)
    tier_of = {stack.name: stack.tier for stack in stacks}
    sources = cache(lambda tiers: sources_of(tiers, root))
    document = {
        "version": 3,
        "automerge": False,
        # Only where both run in parallel does Atlantis stop after a group in which one has failed. Stacks of one group
        # do not depend on one another, and each has a state, and a lock of it, of its own.
        "parallel_plan": True,
        "parallel_apply": True,
        "abort_on_execution_order_fail": True,
        "autodiscover": {"mode": "disabled"},
        # With --enable-regexp-cmd: `atlantis plan -p 'prod-.*'`, and no expression that begins otherwise.
        "allowed_regexp_prefixes": [f"{name}-" for name in environments],
        "projects": [
            # What a stack reads of another's may change with the other's module, whether it imports that or not.
            _project(
                stack, groups[stack.name], sources((stack.tier, *sorted(map(tier_of.__getitem__, stack.depends_on))))
            )
            for stack in sorted(stacks, key=lambda stack: (stack.environment, groups[stack.name], stack.name))
        ],
    }
    return HEADER + yaml.dump(document, Dumper=_PlainDumper, sort_keys=False, width=120)


def profiles(environments: Sequence[Environment], source: str) -> str:
    """What the server's AWS configuration file says of the roles that the workflows' steps assume.

    Args:
        environments: all of them.
        source: the line that says whose credentials assume them.
    """
    return "\n".join(
        f"[profile {names.resource_name(role)}]\n"
        f"role_arn = {names.deployer_role_arn(role)}\n"
        f"role_session_name = atlantis\n{source}\n"
        for names in map(Names.from_settings, environments)
        for role in ("plan", "apply")
    )


def order_groups(stacks: Sequence[Stack]) -> dict[str, int]:
    """The step in which each stack can be deployed: one after the last of those that it depends on."""
    groups: dict[str, int] = {}
    for stack in stacks:
        groups[stack.name] = max((groups[name] + 1 for name in stack.depends_on), default=0)
    return groups


def sources_of(tiers: Iterable[str], root: Path) -> list[str]:
    """Files that tiers are made of: their modules, all that they import of this program, and the files that those name.

    A folder of which every module is one of them stands for itself, so that a new module needs no new list.
    """
    found: set[Path] = set()
    waiting = [root / "stacks" / tier / "stack.py" for tier in tiers]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            if file.suffix == ".py":
                waiting += _dependencies(file, root)
    paths = sorted(file.relative_to(root) for file in found)
    lines: list[str] = []
    for folder, files in groupby(paths, key=lambda path: path.parent):
        names = [file.name for file in files]
        modules = sorted(module.name for module in (root / folder).glob("*.py"))
        if len(modules) > 1 and {*modules} <= {*names}:
            names = ["*.py", *(name for name in names if not name.endswith(".py"))]
        lines += [(folder / name).as_posix() for name in names]
    return lines


class _PlainDumper(yaml.SafeDumper):
    """Lists within lists are indented, as people write them, and nothing is said by a reference."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def _project(stack: Stack, group: int, sources: Sequence[str]) -> dict[str, Any]:
    folder = OUT / "stacks" / stack.name
    up = PurePosixPath(*[".."] * len(folder.parts))
    files = [*SHARED_FILES, f"environments/{stack.environment}.toml", *sources, *_assets(stack)]
    return {
        "name": stack.name,
        "dir": str(folder),
        "workspace": "default",
        "workflow": MANUAL_WORKFLOW if stack.tier in MANUAL_TIERS else WORKFLOW,
        "execution_order_group": group,
        **({"depends_on": sorted(stack.depends_on)} if stack.depends_on else {}),
        # As Atlantis wants it, the paths are relative to the project's folder.
        "autoplan": {"enabled": True, "when_modified": [str(up / file) for file in files]},
    }


def _assets(stack: Stack) -> Iterator[str]:
    for folder in sorted(stack.folder.glob("assets/*")):
        if folder.name not in ASSET_SOURCES:
            raise RefusedError(f"{stack.name}: nobody says what its asset {folder.name} is built from: ASSETS")
        yield ASSET_SOURCES[folder.name]


def _dependencies(file: Path, root: Path) -> Iterator[Path]:
    """Modules of this program that a module imports, with the packages that they are in, and files beside it."""
    for node in _nodes(file.read_text(encoding="utf-8")):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _modules(alias.name, root)
        elif isinstance(node, ast.ImportFrom):
            # What is imported from a package may be a module of it.
            package = [*file.relative_to(root).parts[: -node.level]] if node.level else []
            base = ".".join([*package, *([node.module] if node.module else [])])
            for alias in node.names:
                yield from _modules(f"{base}.{alias.name}", root)
        elif isinstance(node.value, str) and FILE_NAME.fullmatch(node.value):
            beside = file.with_name(node.value)
            if beside.is_file():
                yield beside


@cache
def _nodes(source: str) -> Sequence[ast.Import | ast.ImportFrom | ast.Constant]:
    """Of a module, what may name a file; tiers share modules, and each is parsed once."""
    nodes = ast.walk(ast.parse(source))
    return [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom | ast.Constant)]


def _modules(name: str, root: Path) -> Iterator[Path]:
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        path = root.joinpath(*parts[:length])
        for module in (path / "__init__.py", path.with_suffix(".py")):
            if module.is_file():
                yield module


def _environments() -> Iterator[Path]:
    yield from ENVIRONMENTS.glob("*.toml")
