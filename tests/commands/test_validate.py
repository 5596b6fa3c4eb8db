"""`python -m operations validate`: what it remembers, what it tells, how it ends.

The stacks have resources that Terraform itself provides. Those of the AWS provider: tests/examples/test_validate.py.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from operations import validate as module
from operations.__main__ import app
from operations.terraform import TerraformError
from operations.validate import validate_stacks
from synthesized.platform import Stack


def stack(name: str, **arguments: Any) -> Stack:
    """A stack of one resource of a type that needs no provider."""
    resources = {"terraform_data": {"it": arguments}}
    document = {"terraform": {"required_providers": {}}, "resource": resources}
    return Stack(f"prod-{name}", name, Path("nowhere"), document, ())


VALID, BROKEN = stack("network", input="a"), stack("broken", no_such_argument=1)


@pytest.fixture
def empty_outdir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path))
    # Where no earlier run has seen anything pass.
    monkeypatch.setattr(module, "CACHE", tmp_path / "cache")
    return monkeypatch


def test_what_has_passed_is_remembered_by_its_content(tmp_path: Path):
    (first,) = validate_stacks([VALID], tmp_path)
    (again,) = validate_stacks([replace(VALID, name="by-another-name")], tmp_path)
    (other,) = validate_stacks([stack("network", input="b")], tmp_path)
    assert first.problems == again.problems == other.problems == ()
    assert (first.cached, again.cached, other.cached) == (False, True, False)


def validate() -> Result:
    return CliRunner().invoke(app, ["validate"])


def test_it_ends_with_0_and_a_count_where_all_is_valid(empty_outdir: pytest.MonkeyPatch):
    empty_outdir.setattr(module, "read_stacks", lambda _: [VALID])
    for told in ("1 of 1 stacks are valid (0 unchanged", "1 of 1 stacks are valid (1 unchanged"):
        result = validate()
        assert result.exit_code == 0
        assert result.stdout.startswith(told)


def test_it_ends_with_1_and_a_line_a_problem_each_time(empty_outdir: pytest.MonkeyPatch):
    empty_outdir.setattr(module, "read_stacks", lambda _: [BROKEN])
    for _ in range(2):
        result = validate()
        assert result.exit_code == 1
        *problems, last = result.stdout.splitlines()
        assert problems
        assert all(problem.startswith("prod-broken: ") for problem in problems)
        assert any("no_such_argument" in problem for problem in problems)
        assert last == "0 of 1 stacks are valid (0 unchanged since the last time)"


@pytest.mark.usefixtures("empty_outdir")
def test_it_says_so_where_nothing_was_synthesized():
    result = validate()
    assert result.exit_code == 1
    assert "no output of cdktf can be read there; run make synth" in result.stderr


def test_it_says_so_where_terraform_is_missing(empty_outdir: pytest.MonkeyPatch, tmp_path: Path):
    empty_outdir.setattr(module, "read_stacks", lambda _: [VALID])
    empty_outdir.setenv("PATH", str(tmp_path))
    result = validate()
    assert result.exit_code == 1
    assert result.stderr.startswith("terraform is not on the PATH")


def test_what_terraform_says_in_words_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def crash(*arguments: str, cwd: Path, variables: dict[str, str]) -> str:
        if arguments[0] == "validate":
            raise TerraformError("terraform validate: the provider\ncrashed")
        return f"{cwd}{variables}"

    monkeypatch.setattr(module, "terraform", crash)
    (verdict,) = validate_stacks([VALID], tmp_path)
    assert verdict.problems == ("the provider crashed",)


def test_stacks_that_require_other_providers_are_initialized_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    data: list[str] = []

    def record(*arguments: str, cwd: Path, variables: dict[str, str]) -> str:
        if arguments[0] == "init":
            data.append(variables["TF_DATA_DIR"])
            (cwd / ".terraform.lock.hcl").touch()
        return json.dumps({"diagnostics": []})

    monkeypatch.setattr(module, "terraform", record)
    document = {**VALID.document, "terraform": {"required_providers": {"random": {}}}}
    validate_stacks([VALID, stack("database"), replace(VALID, name="other", document=document)], tmp_path)
    assert len(data) == len(set(data)) == 2


def test_nothing_is_not_valid(empty_outdir: pytest.MonkeyPatch):
    empty_outdir.setattr(module, "read_stacks", lambda _: [])
    result = validate()
    assert result.exit_code == 1
    assert result.stderr.endswith("holds no stack; run make synth\n")
