"""The report of a rehearsal."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from rehearsal.report import NOT_PROVEN, Report

GOOD = Report(
    "dev",
    synthesized=200,
    resources=200,
    rotations=3,
    logins=600,
    redeployments=3,
    scheduled_executions=1,
    integration_passed=40,
    rules_held=500,
    review="exposure: 1 finding",
    changes_found=2,
    seconds={"network": 60.4, "deploy": 240.0},
)


def shown(report: Report) -> str:
    out = StringIO()
    report.show(Console(file=out, width=120))
    return out.getvalue()


def test_good_report_has_no_problems():
    assert GOOD.problems == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"resources": 199}, "199 of 200 resources were deployed"),
        ({"failed_logins": 2}, "2 of 600 logins failed"),
        ({"redeployments": 2}, "2 of 3 rotations led to a redeployment"),
        ({"scheduled_executions": 0}, "no scheduled state machine succeeded"),
        ({"failed_executions": ["age: FAILED Late: x"]}, "state machine: age: FAILED Late: x"),
        ({"integration_passed": 0}, "no integration test passed"),
        ({"integration_failed": ["tests.test_a[x]"]}, "integration test failed: tests.test_a[x]"),
        (
            {"second_plan_changes": {"network": ["aws_vpc.vpc: update"]}},
            "network: a second plan has a change: aws_vpc.vpc: update",
        ),
        ({"rules_held": 0}, "no checkov check passed"),
        ({"review": ""}, "no change was reviewed"),
        ({"changes_found": 0}, "no change behind Terraform's back was found"),
        ({"rules_broken": ["plan: CKV_AWS_1: aws_lb.x"]}, "checkov: plan: CKV_AWS_1: aws_lb.x"),
        ({"left_behind": ["arn:aws:s3:::b"]}, "not destroyed: arn:aws:s3:::b"),
        ({"failed_calls": ["AWS does not take kms:Sign"]}, "AWS does not take kms:Sign"),
    ],
)
def test_problems_are_listed_and_printed(change: dict[str, Any], problem: str):
    report = replace(GOOD, **change)
    assert report.problems == [problem]
    assert f"\n{problem}\n" in shown(report)


def test_table_has_results_and_limits():
    text = shown(replace(GOOD, second_plan_changes={"a": ["b", "c"], "d": ["e"]}, failed_calls=["f", "g"]))
    rows = [" ".join(line.strip("│┃ ").split()) for line in text.splitlines()]
    for row in (
        "resources │ 200 of 200",
        "rotations │ 3, redeployments: 3",
        "scheduled state machines │ 1 succeeded",
        "concurrent logins │ 600, failed: 0",
        "integration tests │ 40 passed, 0 failed",
        "second plan │ 3 changes",
        "checkov │ 500 checks passed, 0 failed without a waiver",
        "review of a change │ exposure: 1 finding",
        "changes behind Terraform's back │ 2 found",
        "calls not taken │ 2",
        "seconds │ network 60, deploy 240",
    ):
        assert row in rows
    assert NOT_PROVEN in " ".join(text.split())


def test_report_is_written_as_json(tmp_path: Path):
    GOOD.write(tmp_path / "report.json")
    written = json.loads((tmp_path / "report.json").read_text())
    assert Report(**written) == GOOD
    for figure in (
        "resources",
        "rotations",
        "logins",
        "failed_logins",
        "redeployments",
        "scheduled_executions",
        "failed_executions",
        "integration_passed",
        "second_plan_changes",
        "rules_held",
        "rules_broken",
        "failed_calls",
    ):
        assert figure in written
