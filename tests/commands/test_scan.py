"""scan: how checkov's results and waivers are evaluated. checkov itself runs in tests/policy and in rehearsals."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner, Result

from operations.__main__ import app
from operations.scan import checkov, command
from operations.scan import waivers as scan_waivers
from operations.scan.checkov import FailedCheck, Scan, ScanError, scan_plan, scan_stacks
from operations.scan.joined_plan import joined_plan
from operations.scan.waivers import Waiver, find_problems, read_waivers, waivers
from synthesized.platform import Platform

TODAY = date(2026, 12, 1)
PORT_80 = FailedCheck("CKV_AWS_260", "aws_lb.service_load-balancer", "no port 80")
STACKS_SCAN = Scan("stacks", True, passed=9, findings=(PORT_80,), resources=frozenset({PORT_80.resource}))
WAIVER = Waiver(
    check=PORT_80.check,
    resources=(PORT_80.resource,),
    reason="redirects to HTTPS only",
    expires=date(2027, 11, 30),
    scans=("stacks",),
)


def waiver(**changes: Any) -> Waiver:
    return Waiver.model_validate({**WAIVER.model_dump(), **changes})


def test_a_waived_check_may_fail():
    assert find_problems([STACKS_SCAN], [WAIVER], TODAY) == []


def test_a_failure_without_a_waiver_is_a_problem():
    problem = "aws_lb.service_load-balancer: CKV_AWS_260: no port 80 (stacks). Fix or waive it"
    assert find_problems([STACKS_SCAN], [], TODAY) == [problem]


def test_evaluated_arguments_are_named():
    scan = replace(STACKS_SCAN, findings=(replace(PORT_80, arguments="from_port"),))
    assert find_problems([scan], [], TODAY)[0].startswith("aws_lb.service_load-balancer: from_port: CKV_AWS_260: ")


@pytest.mark.parametrize(
    "other",
    [{"check": "CKV_AWS_2"}, {"resources": ("aws_lb.other",)}, {"scans": ("plan",)}, {"outside_production": True}],
)
def test_a_waiver_covers_only_its_own_check_resources_and_scans(other: dict[str, Any]):
    assert find_problems([STACKS_SCAN], [waiver(**other)], TODAY)[0].endswith("no port 80 (stacks). Fix or waive it")


def test_a_waiver_may_match_resources_of_a_type_by_pattern():
    assert find_problems([STACKS_SCAN], [waiver(resources=("aws_lb.*_load-*",))], TODAY, all_environments=True) == []
    (problem, unneeded) = find_problems(
        [STACKS_SCAN], [waiver(resources=("aws_lb.*_other",))], TODAY, all_environments=True
    )
    assert problem.endswith("Fix or waive it")
    assert unneeded == "waiver of CKV_AWS_260: aws_lb.*_other exists in no environment. Remove it from the waiver"


@pytest.mark.parametrize("pattern", ["*", "aws_*.service_load-balancer", "*.service_load-balancer"])
def test_a_waiver_must_name_the_type(pattern: str):
    with pytest.raises(ValidationError):
        waiver(resources=(pattern,))


def test_an_expired_waiver_does_not_count():
    (problem,) = find_problems([STACKS_SCAN], [waiver(expires=date(2026, 11, 30))], TODAY)
    assert problem.endswith("no port 80 (stacks). Its waiver expired on 2026-11-30")
    assert find_problems([STACKS_SCAN], [waiver(expires=TODAY)], TODAY) == []


CLEAN = replace(STACKS_SCAN, findings=())
UNNEEDED = (
    "waiver of CKV_AWS_260: aws_lb.service_load-balancer passes the check in the stacks. Remove it from the waiver"
)


def test_a_waiver_of_a_passing_check_is_a_problem():
    assert find_problems([CLEAN], [WAIVER], TODAY) == [UNNEEDED]


def test_a_waiver_for_a_missing_resource_is_a_problem_if_all_environments_are_scanned():
    obsolete = waiver(resources=(*WAIVER.resources, "aws_lb.gone"))
    assert find_problems([STACKS_SCAN], [obsolete], TODAY) == []
    assert find_problems([STACKS_SCAN], [obsolete], TODAY, all_environments=True) == [
        "waiver of CKV_AWS_260: aws_lb.gone exists in no environment. Remove it from the waiver"
    ]


def test_a_waiver_must_be_needed_in_each_of_its_scans():
    both = waiver(scans=("stacks", "plan"))
    assert find_problems([STACKS_SCAN], [both], TODAY) == []
    assert find_problems([STACKS_SCAN, replace(CLEAN, kind="plan")], [both], TODAY) == [
        UNNEEDED.replace("the stacks", "the plan")
    ]


def test_a_waiver_outside_production_must_be_needed_in_some_environment():
    outside = waiver(outside_production=True)
    dev = replace(STACKS_SCAN, production=False)
    clean_dev = replace(dev, findings=())
    assert find_problems([dev], [outside], TODAY) == []
    assert find_problems([clean_dev], [outside], TODAY) == []
    assert find_problems([CLEAN, dev], [outside], TODAY, all_environments=True) == []
    assert find_problems([CLEAN, clean_dev], [outside], TODAY, all_environments=True) == [UNNEEDED]


def test_a_waiver_that_expires_too_late_is_a_problem():
    (problem,) = find_problems([STACKS_SCAN], [waiver(expires=date(2029, 1, 1))], TODAY)
    assert problem == "waiver of CKV_AWS_260: it expires on 2029-01-01; allowed: within 400 days"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"passed": 0}, "stacks: no check passed: nothing was scanned"),
        ({"unparsed_files": 1}, "stacks: 1 files could not be parsed"),
        ({"unscanned_tiers": ("cache",)}, "stacks: nothing in cache was scanned"),
    ],
)
def test_an_incomplete_scan_is_a_problem(change: dict[str, Any], problem: str):
    assert find_problems([replace(STACKS_SCAN, findings=(), **change)], [], TODAY) == [problem]


def test_the_projects_waivers_are_read():
    entries = waivers()
    assert len(entries) > 10


OWN_WAIVER = """
[[waiver]]
check = "CKV_AWS_119"
resources = ["aws_dynamodb_table.sessions_*"]
reason = "holds nothing but public prices"
expires = 2027-01-01
"""


def test_waivers_of_own_tiers_are_read_if_there_are_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scan_waivers, "OWN_WAIVERS", tmp_path / "waivers.toml")
    projects = waivers()
    (tmp_path / "waivers.toml").write_text(OWN_WAIVER)
    assert [each.check for each in waivers()[len(projects) :]] == ["CKV_AWS_119"]


def test_no_two_waivers_cover_the_same_check_of_a_resource():
    entries = waivers()
    assert len({(entry.check, resource, entry.scans) for entry in entries for resource in entry.resources}) == sum(
        len(entry.resources) for entry in entries
    )


@pytest.mark.parametrize(
    "text",
    [
        "[[waiver",
        "[[waivers]]",
        '[[waiver]]\ncheck = "all"',
        '[[waiver]]\ncheck = "CKV_AWS_1"\nresources = []\nreason = "because it is so, and so"\nexpires = 2027-01-01',
        '[[waiver]]\ncheck = "CKV_AWS_1"\nresources = ["aws_lb.x"]\nreason = "noise"\nexpires = 2027-01-01',
        '[[waiver]]\ncheck = "CKV_AWS_1"\nresources = ["aws_lb.x"]\nreason = "because it is so, and so"',
    ],
)
def test_an_invalid_waiver_is_reported_with_its_file(tmp_path: Path, text: str):
    file = tmp_path / "waivers.toml"
    file.write_text(text)
    with pytest.raises(ScanError, match=r"waivers\.toml: [^\n]+$"):
        read_waivers(file)


def test_joined_plans_use_the_addresses_of_the_joined_document(prod: Platform):
    def plan(type_: str, name: str) -> dict[str, Any]:
        resource = {"address": f"{type_}.{name}", "mode": "managed", "type": type_, "name": name, "values": {"x": 1}}
        return {"terraform_version": "1.11.4", "planned_values": {"root_module": {"resources": [resource]}}}

    joined = joined_plan(prod, {"network": plan("aws_vpc", "vpc"), "service": plan("aws_lb", "load-balancer"), "x": {}})
    assert joined["terraform_version"] == "1.11.4"
    assert [entry["address"] for entry in joined["planned_values"]["root_module"]["resources"]] == [
        "aws_vpc.network_vpc",
        "aws_lb.service_load-balancer",
    ]
    expressions = {
        entry["address"]: entry["expressions"] for entry in joined["configuration"]["root_module"]["resources"]
    }
    assert expressions.keys() == {entry.address for entry in prod.resources}
    listener = expressions["aws_lb_listener.service_https"]
    assert listener["load_balancer_arn"]["references"] == [
        "aws_lb.service_load-balancer.arn",
        "aws_lb.service_load-balancer",
    ]
    assert listener["default_action"][0]["type"] == {"constant_value": "forward"}
    assert "depends_on" not in listener
    assert expressions["aws_lb.service_load-balancer"]["access_logs"]["enabled"] == {"constant_value": True}


PASSED = {"check_id": "CKV_AWS_1", "check_name": "a", "resource": "resource.network_vpc"}
FAILED = {
    "check_id": "CKV_AWS_2",
    "check_name": "b",
    "resource": "data.foundation_key-logs-policy",
    "check_result": {"result": "FAILED", "evaluated_keys": ["statement"]},
}
OUTPUT = {
    "summary": {"passed": 1, "failed": 1, "parsing_errors": 0},
    "results": {"passed_checks": [PASSED], "failed_checks": [FAILED]},
}


def fake_checkov(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program in place of checkov's Python that records its settings, input and environment."""
    program = folder / "python"
    program.write_text(f'#!/bin/sh\ncp "$5" {folder}/settings\ncp scanned/* {folder}\nenv >{folder}/env\n{script}')
    program.chmod(0o755)
    monkeypatch.setattr(checkov, "CHECKOV", program)


def test_results_have_the_addresses_of_the_joined_document(
    prod: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CKV_SKIP_CHECK", "CKV_AWS_2")
    fake_checkov(tmp_path, monkeypatch, f"echo '{json.dumps(OUTPUT)}'")
    found = scan_stacks(prod, production=True)
    address = "data.aws_iam_policy_document.foundation_key-logs-policy"
    assert found.findings == (FailedCheck("CKV_AWS_2", address, "b", "statement"),)
    assert (found.kind, found.production, found.passed, found.unparsed_files) == ("stacks", True, 1, 0)
    assert address in found.resources
    assert found.unscanned_tiers == tuple(tier for tier in prod.stacks if tier not in {"network", "foundation"})
    assert json.loads((tmp_path / "cdk.tf.json").read_text()) == prod.document
    assert json.loads((tmp_path / "settings").read_text())["framework"] == ["terraform_json"]
    assert "CKV_SKIP_CHECK" not in (tmp_path / "env").read_text()


def test_a_plan_is_scanned_as_a_plan(prod: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    nothing = json.dumps({"passed": 0, "failed": 0, "parsing_errors": 0})
    fake_checkov(tmp_path, monkeypatch, f"echo '{nothing}'")
    found = scan_plan({"planned_values": {}}, prod, production=False)
    assert (found.kind, found.production, found.passed, found.findings) == ("plan", False, 0, ())
    assert json.loads((tmp_path / "plan.json").read_text()) == {"planned_values": {}}
    assert json.loads((tmp_path / "settings").read_text())["framework"] == ["terraform_plan"]


@pytest.mark.parametrize(
    ("script", "problem"),
    [("echo no such option >&2; exit 2", "exit code 2: no such option"), ("echo '[{}, {}]'", "2 results")],
)
def test_an_error_of_checkov_is_reported(
    prod: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, problem: str
):
    fake_checkov(tmp_path, monkeypatch, script)
    with pytest.raises(ScanError, match=problem):
        scan_stacks(prod, production=True)


def test_a_missing_checkov_is_reported(prod: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checkov, "CHECKOV", tmp_path / "nowhere")
    with pytest.raises(ScanError, match="is missing; run make setup"):
        scan_stacks(prod, production=True)


def test_ambiguous_names_are_refused(prod: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fake_checkov(tmp_path, monkeypatch, f"echo '{json.dumps(OUTPUT)}'")
    same = replace(prod.resources[0], address=f"aws_vpc.{prod.resources[1].address.rpartition('.')[2]}")
    with pytest.raises(ScanError, match="the same name"):
        scan_stacks(replace(prod, resources=(same, *prod.resources[1:])), production=True)


def run_scan(monkeypatch: pytest.MonkeyPatch, dev: Platform, *arguments: str, scan: Scan) -> Result:
    monkeypatch.setattr(Platform, "synthesized", lambda _: dev)
    monkeypatch.setattr(command, "scan_stacks", lambda *_, **__: scan)
    monkeypatch.setattr(command, "waivers", lambda: ())
    return CliRunner().invoke(app, ["scan", "dev", *arguments])


TWO = replace(
    STACKS_SCAN,
    findings=(PORT_80, FailedCheck("CKV_AWS_144", "aws_s3_bucket.foundation_audit", "no copy")),
    resources=frozenset({PORT_80.resource, "aws_s3_bucket.foundation_audit"}),
)


def test_the_command_prints_failures(monkeypatch: pytest.MonkeyPatch, dev: Platform):
    result = run_scan(monkeypatch, dev, scan=TWO)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "aws_s3_bucket.foundation_audit: CKV_AWS_144: no copy (stacks). Fix or waive it",
        "aws_lb.service_load-balancer: CKV_AWS_260: no port 80 (stacks). Fix or waive it",
    ]


def test_only_the_chosen_tier_is_reported(monkeypatch: pytest.MonkeyPatch, dev: Platform):
    result = run_scan(monkeypatch, dev, "--tier", "service", scan=replace(TWO, unscanned_tiers=("audit",)))
    assert result.exit_code == 1
    assert result.stdout == "aws_lb.service_load-balancer: CKV_AWS_260: no port 80 (stacks). Fix or waive it\n"
    result = run_scan(monkeypatch, dev, "--tier", "network", scan=replace(TWO, unscanned_tiers=("audit",)))
    assert (result.exit_code, result.stdout) == (
        0,
        "dev: in network, all checks pass or are waived; 9 pass in all tiers\n",
    )
    result = run_scan(monkeypatch, dev, "--tier", "audit", scan=replace(TWO, unscanned_tiers=("audit",)))
    assert (result.exit_code, result.stdout) == (1, "stacks: nothing in audit was scanned\n")


# Atlantis takes output with "fail" for a failed policy check.
def test_success_is_reported_without_the_word_fail(monkeypatch: pytest.MonkeyPatch, dev: Platform):
    result = run_scan(monkeypatch, dev, scan=CLEAN)
    assert (result.exit_code, result.output) == (0, "dev: 9 checks pass\n")


def test_an_unknown_tier_is_a_usage_error(monkeypatch: pytest.MonkeyPatch, dev: Platform):
    result = run_scan(monkeypatch, dev, "--tier", "moon", scan=CLEAN)
    assert result.exit_code == 2
    assert "allowed: access, foundation, " in " ".join(result.stderr.replace("│", " ").split())


def test_a_missing_checkov_ends_the_command_with_one_line(monkeypatch: pytest.MonkeyPatch, dev: Platform):
    monkeypatch.setattr(Platform, "synthesized", lambda _: dev)
    monkeypatch.setattr(checkov, "CHECKOV", Path("/nowhere/checkov"))
    result = CliRunner().invoke(app, ["scan", "dev"])
    assert (result.exit_code, result.stderr) == (1, "/nowhere/checkov is missing; run make setup\n")


def test_an_unknown_environment_is_refused_with_a_list_of_the_known_ones():
    result = CliRunner().invoke(app, ["scan", "nowhere"])
    assert result.exit_code == 2
    assert "existing ones: dev, prod, staging" in " ".join(result.stderr.replace("│", " ").split())
