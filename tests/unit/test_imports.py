"""The bindings are loaded lazily, with the same result, and in full where they are not what was expected."""

import os
import subprocess
import sys
import typing
import warnings
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

import imports
from imports import BINDINGS, NODE_PRELOAD, YOUNG_GENERATION, load_bindings_lazily, require_packages
from imports import __main__ as warming
from stacks import ROOT
from tests.conftest import environment_without

# isort: split
from cdktf import App, TerraformStack
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic


@pytest.fixture
def unloaded(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """As in a process that has not imported the bindings yet."""
    monkeypatch.delitem(sys.modules, BINDINGS)
    monkeypatch.delenv("NODE_OPTIONS", raising=False)
    return monkeypatch


@pytest.mark.usefixtures("unloaded")
def test_the_package_is_there_without_having_been_executed():
    load_bindings_lazily()
    assert isinstance(sys.modules[BINDINGS], ModuleType)
    assert not hasattr(sys.modules[BINDINGS], "s3_bucket_inventory")
    assert os.environ["NODE_OPTIONS"] == f'{YOUNG_GENERATION} --require="{NODE_PRELOAD}"'


def test_the_users_own_options_for_node_win(unloaded: pytest.MonkeyPatch):
    unloaded.setenv("NODE_OPTIONS", "--max-old-space-size=4096")
    load_bindings_lazily()
    assert os.environ["NODE_OPTIONS"] == f'{YOUNG_GENERATION} --require="{NODE_PRELOAD}" --max-old-space-size=4096'


def test_bindings_that_are_imported_already_are_left_alone(monkeypatch: pytest.MonkeyPatch):
    already = ModuleType(BINDINGS)
    monkeypatch.setitem(sys.modules, BINDINGS, already)
    monkeypatch.setenv("NODE_OPTIONS", "")
    load_bindings_lazily()
    assert sys.modules[BINDINGS] is already
    assert not os.environ["NODE_OPTIONS"]


@pytest.mark.parametrize(
    "source",
    [
        "class S3Bucket: ...",  # classes in the package itself
        "from . import s3_bucket\ndef helper(): ...",  # code beside the imports
        "",  # nothing to import
        None,  # no file
    ],
)
def test_another_layout_falls_back_to_the_stock_import_with_a_warning(
    unloaded: pytest.MonkeyPatch, tmp_path: Path, source: str | None
):
    package = tmp_path / "__init__.py"
    if source is not None:
        package.write_text(source)
    unloaded.setattr(imports, "find_spec", lambda _: ModuleSpec(BINDINGS, None, origin=str(package)))
    with pytest.warns(UserWarning, match="not laid out as expected: importing all of it, which is slow"):
        load_bindings_lazily()
    assert BINDINGS not in sys.modules
    assert "NODE_OPTIONS" not in os.environ


@pytest.mark.parametrize("spec", [None, ModuleSpec(BINDINGS, None)])
def test_bindings_that_are_not_there_are_no_error_yet(unloaded: pytest.MonkeyPatch, spec: ModuleSpec | None):
    unloaded.setattr(imports, "find_spec", lambda _: spec)
    with pytest.warns(UserWarning, match="not laid out as expected"):
        load_bindings_lazily()


@pytest.mark.parametrize("program", [["main.py"], ["-m", "operations", "lock", "prod"]])
def test_a_python_without_the_packages_ends_in_a_line(program: list[str]):
    done = subprocess.run(
        [sys.executable, "-S", *program],
        cwd=ROOT,
        env=environment_without("PYTHONPATH"),
        capture_output=True,
        text=True,
        check=False,
    )
    told = f"{sys.executable} has none of the project's packages; run make setup, and use .venv/bin/python\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_packages_that_are_missing_are_told(monkeypatch: pytest.MonkeyPatch):
    require_packages()
    monkeypatch.setattr(imports, "find_spec", lambda _: None)
    with pytest.raises(SystemExit, match="run make setup"):
        require_packages()


def test_without_node_a_program_that_needs_it_ends_in_a_line(tmp_path: Path):
    for program, code, told in (
        ([sys.executable, "main.py"], 1, "node is not on the PATH; install Node 20 or later (README.md)\n"),
        ([sys.executable, "-c", "import stacks.settings"], 0, ""),
    ):
        done = subprocess.run(
            program,
            cwd=ROOT,
            env={**environment_without("ENV", "JSII_NODE"), "PATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (code, told)


def test_what_needs_node_is_refused_without_it_and_nothing_else(unloaded: pytest.MonkeyPatch, tmp_path: Path):
    unloaded.setenv("PATH", str(tmp_path))
    unloaded.delenv("JSII_NODE", raising=False)
    unloaded.setattr(sys, "meta_path", [*sys.meta_path])
    load_bindings_lazily()
    finder = sys.meta_path[0]
    assert finder.find_spec("stacks.settings", None) is None
    with pytest.raises(SystemExit, match="node is not on the PATH"):
        finder.find_spec("jsii", None)


def node(index: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run Node with the preload over a package that has the index, and report what it loads and when."""
    package = tmp_path / "node_modules" / "@cdktf" / "provider-aws" / "lib"
    package.mkdir(parents=True)
    (package / "index.js").write_text(index)
    for name in ("one", "two"):
        (package / f"{name}.js").write_text(f'console.log("loads {name}"); exports.name = "{name}";')
    program = f"const aws = require({str(package / 'index.js')!r}); console.log('loaded'); console.log(aws.one.name);"
    return subprocess.run(
        ["node", "--require", str(NODE_PRELOAD), "-e", program],
        capture_output=True,
        text=True,
        check=True,
    )


INDEX = """"use strict";
exports.two = exports.one = void 0;
exports.one = require("./one");
exports.two = require("./two");
"""


def test_node_loads_a_module_when_it_is_asked_for(tmp_path: Path):
    assert node(INDEX, tmp_path).stdout.split("\n")[:3] == ["loaded", "loads one", "one"]


def test_node_loads_all_of_another_layout_with_a_warning(tmp_path: Path):
    run = node(INDEX.replace('exports.two = require("./two")', 'Object.assign(exports, require("./two"))'), tmp_path)
    assert run.stdout.split("\n")[:4] == ["loads one", "loads two", "loaded", "one"]
    assert "not laid out as expected" in run.stderr


def test_warming_ends_when_the_index_is_there():
    warming.main()
    assert list(warming.indexes(imports.JSII_CACHE))


def test_warming_says_so_when_no_index_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(tmp_path))
    warming.main(patience=0.2)
    assert "jsii wrote no index of its types in 0.2 s; synthesis will be slower" in capsys.readouterr().err


@pytest.mark.usefixtures("unloaded")
def test_no_warning_is_given_for_the_bindings_as_they_are():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_bindings_lazily()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": ["no name"]}, "Key 'name': Unable to deserialize value as string"),
        ({"tags": {"Name": 1}}, "Key 'Name': Unable to deserialize value as string"),
        ({"provider": "aws"}, "Key 'provider': Unable to deserialize value as cdktf.TerraformProvider"),
        ({"depends_on": ["vpc"]}, "Index 0: Unable to deserialize value as cdktf.ITerraformDependable"),
    ],
)
def test_an_argument_of_a_wrong_type_is_told_by_the_kernel(wrong: dict[str, Any], told: str):
    with pytest.raises(RuntimeError, match=told):
        SnsTopic(TerraformStack(App(), "stack"), "topic", **wrong)


def test_python_does_not_evaluate_the_types_that_the_kernel_checks():
    names = cast(Any, SnsTopic.__init__).__globals__
    stub, *_ = (value for name, value in names.items() if name.startswith("_typecheckingstub__"))
    assert typing.get_type_hints(stub)["scope"] is Any


def test_types_of_anything_else_are_evaluated_as_ever():
    def takes(one: "int | None") -> str:
        return str(one)

    assert typing.get_type_hints(takes) == {"one": int | None, "return": str}
    assert typing.get_type_hints(takes) is not typing.get_type_hints(takes)
    imports.load_bindings_lazily()
    assert typing.get_type_hints(takes, include_extras=True) == {"one": int | None, "return": str}
