"""Mistakes in the source that neither cdktf nor the type checker reports."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from stacks import ROOT

SOURCES = [ROOT / "main.py", *sorted((ROOT / "stacks").rglob("*.py"))]


def snake_case_dicts(source: str) -> list[int]:
    """Lines with a snake_case dict in a list or call.

    cdktf translates the keys of a dict that is an argument, but not those of dicts in a list: `from_port` silently
    becomes null. Struct classes are checked, and translated everywhere. Dicts that are not passed on may have any keys.
    """
    tree = ast.parse(source)
    passed = [
        part
        for outer in ast.walk(tree)
        for part in (
            [*outer.args, *(keyword.value for keyword in outer.keywords)]
            if isinstance(outer, ast.Call)
            else [outer]
            if isinstance(outer, ast.List | ast.Tuple | ast.Set | ast.ListComp | ast.GeneratorExp)
            else []
        )
    ]
    literal = {
        inner.lineno
        for part in passed
        for inner in ast.walk(part)
        if isinstance(inner, ast.Dict)
        for key in inner.keys
        # Upper-case keys are names of environment variables.
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and "_" in key.value and key.value.islower()
    }
    called = {
        call.lineno
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "dict"
        if any(keyword.arg and "_" in keyword.arg for keyword in call.keywords)
    }
    return sorted(literal | called)


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES])
def test_no_snake_case_dict_is_passed_to_cdktf(path: Path):
    assert not snake_case_dicts(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "source",
    [
        'Group(ingress=[{"from_port": 443}])',
        'rules = [{"from_port": port} for port in ports]',
        'Group(ingress=({"cidr": "x", "to_port": 1},))',
        'Group(rule=[Rule(filter={"key_prefix": "x"})])',
        'Group(lifecycle={"create_before_destroy": True})',
        'rules.append({"from_port": 443})',
        "rules = [dict(from_port=443)]",
    ],
)
def test_a_snake_case_dict_is_found(source: str):
    assert snake_case_dicts(source) == [1]


def test_tags_and_our_own_tables_are_allowed():
    assert not snake_case_dicts('PURPOSES = {"load_balancer": "x"}\nCluster(tags={"Name": "x"})')


EXAMPLE = "globecart"
"""The company of the environments that come with the project."""
MAY_NAME_IT = (
    *("environments/", "tests/snapshots/", "docs/decisions/", "docs/changelog.md", "atlantis.yaml"),
    "tests/unit/test_source.py",
)
GENERATED = re.compile(r"<!-- begin ([\w-]+) -->.*?<!-- end \1 -->", re.DOTALL)


def test_only_settings_and_what_follows_from_them_name_the_company():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / file for file in listed.splitlines() if not file.startswith(MAY_NAME_IT)]
    texts = {file: file.read_text(encoding="utf-8", errors="ignore") for file in files if file.is_file()}
    naming = [file for file, text in texts.items() if EXAMPLE in GENERATED.sub("", text).lower()]
    assert [str(file.relative_to(ROOT)) for file in naming] == []
