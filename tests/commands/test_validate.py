"""Validation with the real provider: of what must be valid, and of what must not."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from operations import validate as module
from operations.platform import Platform, Stack
from operations.terraform import TerraformError
from operations.validate import main, validate
from tests.synthesized import TIERS


def test_three_zones_validate(three_zones: Platform):
    verdicts = validate(list(three_zones.stacks.values()))
    assert {verdict.stack: verdict.problems for verdict in verdicts} == {f"prod-{tier}": () for tier in TIERS}


def broken(stack: Stack) -> Stack:
    resources = deepcopy(stack.document["resource"])
    resources["aws_sns_topic"]["planted"] = {"no_such_argument": 1}
    return replace(stack, name="prod-broken", document={**stack.document, "resource": resources})


def test_what_has_passed_is_remembered_by_its_content(prod: Platform, tmp_path: Path):
    network = prod.stacks["network"]
    (first,) = validate([network], tmp_path)
    (again,) = validate([replace(network, name="by-another-name")], tmp_path)
    assert first.problems == again.problems == ()
    assert (first.remembered, again.remembered) == (False, True)


@pytest.fixture
def empty_outdir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path))
    return monkeypatch


def test_it_ends_with_0_and_a_count_where_all_is_valid(
    empty_outdir: pytest.MonkeyPatch, prod: Platform, capsys: pytest.CaptureFixture[str]
):
    empty_outdir.setattr(module, "read_stacks", lambda _: [prod.stacks["network"]])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("1 of 1 stacks are valid (")


def test_it_ends_with_1_and_a_line_a_problem_each_time(
    empty_outdir: pytest.MonkeyPatch, prod: Platform, capsys: pytest.CaptureFixture[str]
):
    empty_outdir.setattr(module, "read_stacks", lambda _: [broken(prod.stacks["foundation"])])
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 1
        *problems, last = capsys.readouterr().out.splitlines()
        assert all(problem.startswith("prod-broken: ") for problem in problems)
        assert any("no_such_argument" in problem for problem in problems)
        assert last == "0 of 1 stacks are valid (0 unchanged since the last time)"


@pytest.mark.usefixtures("empty_outdir")
def test_it_says_so_where_nothing_was_synthesized():
    with pytest.raises(SystemExit, match="no output of cdktf can be read there; run make synth"):
        main()


def test_it_says_so_where_terraform_is_missing(empty_outdir: pytest.MonkeyPatch, prod: Platform, tmp_path: Path):
    empty_outdir.setattr(module, "read_stacks", lambda _: [prod.stacks["network"]])
    empty_outdir.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="terraform is not on the PATH"):
        main()


def test_what_terraform_says_in_words_is_told(monkeypatch: pytest.MonkeyPatch, prod: Platform, tmp_path: Path):
    def crash(*arguments: str, cwd: Path, variables: dict[str, str]) -> str:
        if arguments[0] == "validate":
            raise TerraformError("terraform validate: the provider\ncrashed")
        return f"{cwd}{variables}"

    monkeypatch.setattr(module, "terraform", crash)
    (verdict,) = validate([prod.stacks["network"]], tmp_path)
    assert verdict.problems == ("the provider crashed",)


def test_stacks_that_require_other_providers_are_initialized_apart(
    monkeypatch: pytest.MonkeyPatch, prod: Platform, tmp_path: Path
):
    data: list[str] = []

    def record(*arguments: str, cwd: Path, variables: dict[str, str]) -> str:
        if arguments[0] == "init":
            data.append(variables["TF_DATA_DIR"])
            (cwd / ".terraform.lock.hcl").touch()
        return '{"diagnostics": []}'

    monkeypatch.setattr(module, "terraform", record)
    network = prod.stacks["network"]
    terraform = {**network.document["terraform"], "required_providers": {"random": {}}}
    other = replace(network, name="other", document={**network.document, "terraform": terraform})
    validate([network, prod.stacks["database"], other], tmp_path)
    assert len(data) == len(set(data)) == 2
