"""Validation with the real provider: of what must be valid, and of what must not."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from operations import validate as module
from operations.platform import Platform, Stack
from operations.terraform import CACHE
from operations.validate import main, validate


def test_three_zones_validate(three_zones: Platform):
    verdicts = validate(list(three_zones.stacks.values()))
    assert [(verdict.stack, verdict.problems) for verdict in verdicts] == [
        (f"prod-{tier}", ()) for tier in ("foundation", "network", "database")
    ]


def broken(stack: Stack) -> Stack:
    resources = deepcopy(stack.document["resource"])
    resources["aws_sns_topic"]["planted"] = {"no_such_argument": 1}
    return replace(stack, name="prod-broken", document={**stack.document, "resource": resources})


def test_what_is_wrong_is_told_and_not_remembered(prod: Platform):
    stack = broken(prod.stacks["foundation"])
    for _ in range(2):
        (verdict,) = validate([stack])
        assert not verdict.remembered
        assert any("no_such_argument" in problem for problem in verdict.problems)


def test_what_has_passed_is_remembered_by_its_content(prod: Platform, dev: Platform, tmp_path: Path):
    network, other = prod.stacks["network"], dev.stacks["network"]
    (first,) = validate([network], tmp_path)
    again, changed = validate([network, other], tmp_path)
    assert first.problems == again.problems == changed.problems == ()
    assert (first.remembered, again.remembered, changed.remembered) == (False, True, False)
    assert all(verdict.remembered for verdict in validate([network, other], tmp_path))


@pytest.fixture
def in_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return monkeypatch


def test_it_ends_with_0_and_a_count_where_all_is_valid(
    in_project: pytest.MonkeyPatch, prod: Platform, capsys: pytest.CaptureFixture[str]
):
    in_project.setattr(module, "read_stacks", lambda _: [prod.stacks["network"]])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("1 of 1 stacks are valid (")


def test_it_ends_with_1_and_a_line_a_problem(
    in_project: pytest.MonkeyPatch, prod: Platform, capsys: pytest.CaptureFixture[str]
):
    in_project.setattr(module, "read_stacks", lambda _: [broken(prod.stacks["foundation"])])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("prod-broken: ")
    assert "(in resource.aws_sns_topic.planted)" in first
    assert last.startswith("0 of 1 stacks are valid")


@pytest.mark.usefixtures("in_project")
def test_it_says_so_where_nothing_was_synthesized():
    with pytest.raises(SystemExit, match="no output of cdktf can be read there; run make synth"):
        main()


def test_it_says_so_where_terraform_is_missing(in_project: pytest.MonkeyPatch, prod: Platform, tmp_path: Path):
    in_project.setattr(module, "read_stacks", lambda _: [prod.stacks["network"]])
    in_project.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="terraform is not on the PATH"):
        main()


def test_verdicts_are_kept_in_the_project():
    assert CACHE.parts[-2:] == (".cache", "terraform")
