"""Lazy loading of the bindings, and fallback to the regular import."""

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
from imports import __main__ as indexing
from stacks import ROOT
from tests.conftest import environment_without

# isort: split
from cdktf import App, TerraformStack
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic


@pytest.fixture
def unloaded(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A process in which the bindings are not imported yet."""
    monkeypatch.delitem(sys.modules, BINDINGS)
    monkeypatch.delenv("NODE_OPTIONS", raising=False)
    return monkeypatch


@pytest.mark.usefixtures("unloaded")
def test_the_package_is_imported_without_executing_it():
    load_bindings_lazily()
    assert isinstance(sys.modules[BINDINGS], ModuleType)
    assert not hasattr(sys.modules[BINDINGS], "s3_bucket_inventory")
    assert os.environ["NODE_OPTIONS"] == f'{YOUNG_GENERATION} --require="{NODE_PRELOAD}"'


def test_the_users_node_options_take_precedence(unloaded: pytest.MonkeyPatch):
    unloaded.setenv("NODE_OPTIONS", "--max-old-space-size=4096")
    load_bindings_lazily()
    assert os.environ["NODE_OPTIONS"] == f'{YOUNG_GENERATION} --require="{NODE_PRELOAD}" --max-old-space-size=4096'


def test_already_imported_bindings_are_left_alone(monkeypatch: pytest.MonkeyPatch):
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
        "from . import s3_bucket\ndef helper(): ...",  # code in addition to imports
        "",  # nothing to import
        None,  # no file
    ],
)
def test_an_unexpected_layout_falls_back_to_the_regular_import_with_a_warning(
    unloaded: pytest.MonkeyPatch, tmp_path: Path, source: str | None
):
    package = tmp_path / "__init__.py"
    if source is not None:
        package.write_text(source)
    unloaded.setattr(imports, "find_spec", lambda _: ModuleSpec(BINDINGS, None, origin=str(package)))
    with pytest.warns(UserWarning, match="has an unexpected layout: importing all of it, which is slow"):
        load_bindings_lazily()
    assert BINDINGS not in sys.modules
    assert "NODE_OPTIONS" not in os.environ


@pytest.mark.parametrize("spec", [None, ModuleSpec(BINDINGS, None)])
def test_missing_bindings_are_only_a_warning(unloaded: pytest.MonkeyPatch, spec: ModuleSpec | None):
    unloaded.setattr(imports, "find_spec", lambda _: spec)
    with pytest.warns(UserWarning, match="has an unexpected layout"):
        load_bindings_lazily()


@pytest.mark.parametrize("program", [["main.py"], ["-m", "operations", "lock", "prod"]])
def test_python_without_the_packages_exits_with_one_line(program: list[str]):
    done = subprocess.run(
        [sys.executable, "-S", *program],
        cwd=ROOT,
        env=environment_without("PYTHONPATH"),
        capture_output=True,
        text=True,
        check=False,
    )
    message = f"{sys.executable} has none of the project's packages; run make setup, and use .venv/bin/python\n"
    assert (done.returncode, done.stderr) == (1, message)


def test_missing_packages_are_reported(monkeypatch: pytest.MonkeyPatch):
    require_packages()
    monkeypatch.setattr(imports, "find_spec", lambda _: None)
    with pytest.raises(SystemExit, match="run make setup"):
        require_packages()


def test_a_program_that_needs_node_exits_with_one_line_without_it(tmp_path: Path):
    for program, code, message in (
        ([sys.executable, "main.py"], 1, "node is not on the PATH; install Node 24 (README.md)\n"),
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
        assert (done.returncode, done.stderr) == (code, message)


def test_only_imports_that_need_node_fail_without_it(unloaded: pytest.MonkeyPatch, tmp_path: Path):
    unloaded.setenv("PATH", str(tmp_path))
    unloaded.delenv("JSII_NODE", raising=False)
    unloaded.setattr(sys, "meta_path", [*sys.meta_path])
    load_bindings_lazily()
    finder = sys.meta_path[0]
    assert finder.find_spec("stacks.settings", None) is None
    with pytest.raises(SystemExit, match="node is not on the PATH"):
        finder.find_spec("jsii", None)


def node(index: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run Node with the preload on a package with this index; the output shows what is loaded and when."""
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


def test_node_loads_a_module_on_first_access(tmp_path: Path):
    assert node(INDEX, tmp_path).stdout.split("\n")[:3] == ["loaded", "loads one", "one"]


def test_node_loads_all_modules_of_an_unexpected_layout_with_a_warning(tmp_path: Path):
    run = node(INDEX.replace('exports.two = require("./two")', 'Object.assign(exports, require("./two"))'), tmp_path)
    assert run.stdout.split("\n")[:4] == ["loads one", "loads two", "loaded", "one"]
    assert "has an unexpected layout" in run.stderr


def test_indexing_ends_when_the_index_exists():
    indexing.main()
    assert list(indexing.indexes(imports.JSII_CACHE))


def test_indexing_reports_a_missing_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(tmp_path))
    indexing.main(timeout=0.2)
    assert "jsii wrote no index within 0.2 s; synthesis will be slower" in capsys.readouterr().err


@pytest.mark.usefixtures("unloaded")
def test_the_actual_bindings_cause_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_bindings_lazily()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": ["no name"]}, "Key 'name': Unable to deserialize value as string"),
        ({"tags": {"Name": 1}}, "Key 'Name': Unable to deserialize value as string"),
        ({"provider": "aws"}, "Key 'provider': Unable to deserialize value as cdktf.TerraformProvider"),
        ({"depends_on": ["vpc"]}, "Index 0: Unable to deserialize value as cdktf.ITerraformDependable"),
    ],
)
def test_jsii_reports_arguments_of_a_wrong_type(wrong: dict[str, Any], message: str):
    with pytest.raises(RuntimeError, match=message):
        SnsTopic(TerraformStack(App(), "stack"), "topic", **wrong)


def test_python_skips_type_hints_that_jsii_checks():
    names = cast(Any, SnsTopic.__init__).__globals__
    stub, *_ = (value for name, value in names.items() if name.startswith("_typecheckingstub__"))
    assert typing.get_type_hints(stub)["scope"] is Any


def test_other_type_hints_are_evaluated():
    def takes(one: "int | None") -> str:
        return str(one)

    assert typing.get_type_hints(takes) == {"one": int | None, "return": str}
    assert typing.get_type_hints(takes) is not typing.get_type_hints(takes)
    imports.load_bindings_lazily()
    assert typing.get_type_hints(takes, include_extras=True) == {"one": int | None, "return": str}
