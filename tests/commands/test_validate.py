"""validate: caching, messages and exit codes.

The stacks use Terraform's builtin resources. For the AWS provider, see tests/examples/test_validate.py.
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
from operations.validate import ValidationResult, root_module, validate_stacks
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
    # An empty cache.
    monkeypatch.setattr(module, "CACHE", tmp_path / "cache")
    return monkeypatch


def test_valid_stacks_are_cached_by_content(tmp_path: Path):
    (first,) = validate_stacks([VALID], tmp_path)
    (again,) = validate_stacks([replace(VALID, name="by-another-name")], tmp_path)
    (other,) = validate_stacks([stack("network", input="b")], tmp_path)
    assert first.problems == again.problems == other.problems == ()
    assert (first.cached, again.cached, other.cached) == (False, True, False)


def test_a_broken_stack_is_named_and_those_beside_it_are_valid(tmp_path: Path):
    broken, valid = validate_stacks([BROKEN, VALID], tmp_path)
    assert any("no_such_argument" in problem for problem in broken.problems)
    assert valid == ValidationResult("prod-network", ())
    broken, valid = validate_stacks([BROKEN, VALID], tmp_path)
    assert (broken.cached, valid.cached) == (False, True)


def test_providers_that_differ_in_default_tags_alone_are_started_once():
    def configured(name: str, tier: str, region: str) -> Stack:
        provider = {"region": region, "default_tags": [{"tags": {"Tier": tier}}]}
        providers = {"aws": [provider, {"alias": "second_region", "region": "eu-west-2"}]}
        return replace(VALID, name=name, document={**VALID.document, "provider": providers})

    stacks = [configured("a", "a", "eu-west-3"), configured("b", "b", "eu-west-3"), configured("c", "c", "us-west-2")]
    root = root_module(stacks)
    assert [provider["region"] for provider in root["provider"]["aws"]] == ["eu-west-3", "eu-west-2", "us-west-2"]
    assert root["module"]["b"]["providers"] == root["module"]["a"]["providers"]
    assert root["module"]["c"]["providers"] == {
        "aws": "aws.configuration_2",
        "aws.second_region": "aws.configuration_1",
    }


def validate() -> Result:
    return CliRunner().invoke(app, ["validate"])


def test_the_exit_code_is_0_if_all_stacks_are_valid(empty_outdir: pytest.MonkeyPatch):
    empty_outdir.setattr(module, "read_stacks", lambda _: [VALID])
    for expected in ("1 of 1 stacks are valid (0 unchanged", "1 of 1 stacks are valid (1 unchanged"):
        result = validate()
        assert result.exit_code == 0
        assert result.stdout.startswith(expected)


def test_the_exit_code_is_1_with_one_line_per_problem_every_time(empty_outdir: pytest.MonkeyPatch):
    empty_outdir.setattr(module, "read_stacks", lambda _: [BROKEN])
    for _ in range(2):
        result = validate()
        assert result.exit_code == 1
        *problems, last = result.stdout.splitlines()
        assert problems
        assert all(problem.startswith("prod-broken: ") for problem in problems)
        assert any("no_such_argument" in problem for problem in problems)
        assert last == "0 of 1 stacks are valid (0 unchanged since the last run)"


@pytest.mark.usefixtures("empty_outdir")
def test_without_synthesized_stacks_the_message_says_to_run_make_synth():
    result = validate()
    assert result.exit_code == 1
    assert "no readable output of cdktf; run make synth" in result.stderr


def test_a_missing_terraform_is_reported(empty_outdir: pytest.MonkeyPatch, tmp_path: Path):
    empty_outdir.setattr(module, "read_stacks", lambda _: [VALID])
    empty_outdir.setenv("PATH", str(tmp_path))
    result = validate()
    assert result.exit_code == 1
    assert result.stderr.startswith("terraform is not on the PATH")


def test_plain_text_output_of_terraform_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def crash(*arguments: str, cwd: Path, variables: dict[str, str]) -> str:
        if arguments[0] == "validate":
            raise TerraformError("terraform validate: the provider\ncrashed")
        return f"{cwd}{variables}"

    monkeypatch.setattr(module, "terraform", crash)
    (result,) = validate_stacks([VALID], tmp_path)
    assert result.problems == ("the provider crashed",)


def test_stacks_with_different_providers_are_initialized_separately(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
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


def test_no_stacks_are_an_error(empty_outdir: pytest.MonkeyPatch):
    empty_outdir.setattr(module, "read_stacks", lambda _: [])
    result = validate()
    assert result.exit_code == 1
    assert result.stderr.endswith("contains no stack; run make synth\n")
