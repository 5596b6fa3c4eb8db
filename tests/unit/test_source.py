"""What the source itself must not do, because neither cdktf nor a type checker would say so."""

import ast
from pathlib import Path

import pytest

from main import ROOT

SOURCES = [ROOT / "main.py", *sorted((ROOT / "stacks").rglob("*.py"))]


def lossy_dicts(source: str) -> list[int]:
    """Lines with a snake_case dict inside a list.

    cdktf translates a dict's keys at an argument, but not within a list, where `from_port` silently becomes null; the
    struct classes are translated everywhere.
    """
    return [
        inner.lineno
        for outer in ast.walk(ast.parse(source))
        if isinstance(outer, ast.List | ast.Tuple | ast.Set | ast.ListComp | ast.GeneratorExp)
        for inner in ast.walk(outer)
        if isinstance(inner, ast.Dict)
        for key in inner.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and "_" in key.value
    ]


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES])
def test_no_snake_case_dict_is_inside_a_list(path: Path):
    assert not lossy_dicts(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "source",
    [
        'Group(ingress=[{"from_port": 443}])',
        'rules = [{"from_port": port} for port in ports]',
        'Group(ingress=({"cidr": "x", "to_port": 1},))',
        'Group(rule=[Rule(filter={"key_prefix": "x"})])',
    ],
)
def test_a_lossy_dict_is_found(source: str):
    assert lossy_dicts(source) == [1]


def test_a_dict_that_cdktf_translates_is_left_alone():
    assert not lossy_dicts('Cluster(lifecycle={"create_before_destroy": True}, tags=[{"Name": "x"}])')


def test_main_reads_as_a_table_of_contents():
    assert len((ROOT / "main.py").read_text(encoding="utf-8").splitlines()) < 60


def test_no_module_is_longer_than_300_lines():
    long = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert not {name: lines for name, lines in long.items() if lines > 300}
