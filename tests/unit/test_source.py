"""What the source itself must not do, because neither cdktf nor a type checker would say so."""

import ast
from pathlib import Path

import pytest

from stacks import ROOT

SOURCES = [ROOT / "main.py", *sorted((ROOT / "stacks").rglob("*.py"))]


def lossy_dicts(source: str) -> list[int]:
    """Lines with a snake_case dict that is handed to something: in a list or in a call.

    cdktf translates a dict's keys at an argument, but not within a list, where `from_port` silently becomes null; the
    struct classes are translated everywhere, and are checked. A table of our own may have whatever keys it likes.
    """
    tree = ast.parse(source)
    handed = [
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
        for part in handed
        for inner in ast.walk(part)
        if isinstance(inner, ast.Dict)
        for key in inner.keys
        # Names of environment variables are our own, too.
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
    assert not lossy_dicts(path.read_text(encoding="utf-8"))


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
    assert lossy_dicts(source) == [1]


def test_tags_and_our_own_tables_are_allowed():
    assert not lossy_dicts('PURPOSES = {"load_balancer": "x"}\nCluster(tags={"Name": "x"})')
