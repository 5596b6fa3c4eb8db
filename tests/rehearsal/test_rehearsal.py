"""The steps of a rehearsal: what they do in the local AWS, what they report, and how they fail."""

import json
import os
import socket
import sys
from collections.abc import Generator
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from rich.console import Console

from operations.scan.checkov import FailedCheck, Scan
from operations.terraform import TerraformError
from rehearsal import one_environment
from rehearsal.deployment import planned_changes
from rehearsal.one_environment import Rehearsal, RehearsalError, open_rehearsal, parse_results
from rehearsal.processes import ProgramError
from stacks import ROOT
from stacks.settings import SettingsError
from synthesized.platform import Platform
from tests.rehearsal.fake_project import FakeProject

# Output of the CLI without a terminal.
DEPLOYED = (
    "dev-foundation  aws_s3_bucket.files (files): Creating...",
    "dev-foundation  aws_s3_bucket.files (files): Creation complete after 1s [id=files]",
    "                aws_s3_bucket_public_access_block.files (files): Creation complete after 1s [id=files]",
    "dev-foundation  Apply complete! Resources: 2 added, 0 changed, 0 destroyed.",
    "\x1b[2K\x1b[1A\x1b[2Kdev-network  aws_sns_topic.orders (orders): Creating...",
    "dev-network  aws_sns_topic.orders (orders): Creation complete after 0s [id=orders]",
    "dev-network  aws_sns_topic.returns (returns): Creation complete after 0s [id=returns]",
    "dev-network  Apply complete! Resources: 2 added, 0 changed, 0 destroyed.",
)
REFUSED = (
    "dev-network  aws_sns_topic.orders (orders): Creation complete after 0s [id=orders]",
    "dev-network  ╷",
    "             │ Error: creating SNS Topic (returns): AuthorizationError",
    "0 Stacks deploying     0 Stacks done",
)
TAGS = {"Environment": "dev", "ManagedBy": "cdktf", "Tier": "network"}


@pytest.fixture
def output() -> StringIO:
    """Output of the console."""
    return StringIO()


@pytest.fixture
def console(output: StringIO) -> Console:
    return Console(file=output, width=200, highlight=False)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A rotation package that trusts the certificate authorities of RDS."""
    path = tmp_path / "rotation-local.zip"
    with ZipFile(path, "w") as archive:
        archive.writestr("lambda_rotation/handler.py", "import this")
        archive.writestr("lambda_rotation/certificates/rds.pem", "RDS's")
    monkeypatch.setattr(one_environment, "PACKAGE", path)
    return path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: Path) -> FakeProject:
    del package
    return FakeProject(tmp_path / "project", monkeypatch)


@pytest.fixture
def rehearsal(
    project: FakeProject, console: Console, aws_reset_afterwards: None, quick_sessions: None
) -> Generator[Rehearsal]:
    del project, aws_reset_afterwards, quick_sessions
    with open_rehearsal("dev", console) as rehearsal:
        yield rehearsal


def topic(rehearsal: Rehearsal, name: str, **tags: str) -> str:
    tagged = [{"Key": key, "Value": value} for key, value in {**TAGS, **tags}.items()]
    return rehearsal.aws.client("sns").create_topic(Name=name, Tags=tagged)["TopicArn"]


@pytest.mark.usefixtures("aws_reset_afterwards")
def test_rehearsal_has_stacks_and_a_local_aws_in_the_environments_account(
    project: FakeProject, console: Console, package: Path
):
    with open_rehearsal("dev", console) as rehearsal:
        assert rehearsal.aws.client("sts").get_caller_identity()["Account"] == project.settings.account
        assert rehearsal.settings == project.settings
        assert list(rehearsal.platform.stacks) == ["foundation", "network"]
        assert rehearsal.platform.stacks["network"].folder.is_relative_to(one_environment.FOLDER / "dev")
        assert (rehearsal.report.environment, rehearsal.report.synthesized) == ("dev", 4)
        assert os.environ.items() >= rehearsal.aws.environment.items()
        with ZipFile(os.environ["ROTATION_PACKAGE"]) as used, ZipFile(package) as built:
            authority = "lambda_rotation/certificates/rds.pem"
            assert used.read(authority) == rehearsal.aws.certificates.read_bytes()
            assert used.namelist() == built.namelist()
            assert used.read("lambda_rotation/handler.py") == b"import this"
    host, _, port = rehearsal.aws.endpoint.removeprefix("http://").partition(":")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, int(port)), timeout=1)


@pytest.mark.usefixtures("aws_reset_afterwards", "project")
def test_users_aws_configuration_is_hidden_and_restored(console: Console, monkeypatch: pytest.MonkeyPatch):
    own = {"AWS_PROFILE": "production", "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL_S3": "https://example.invalid"}
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ROTATION_PACKAGE", raising=False)
    before = dict(os.environ)
    with suppress(ZeroDivisionError), open_rehearsal("dev", console) as rehearsal:
        seen = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        assert seen.items() <= rehearsal.aws.environment.items()
        raise ZeroDivisionError
    after = {name: value for name, value in os.environ.items() if not name.startswith("MOTO_")}
    assert after == {name: value for name, value in before.items() if not name.startswith("MOTO_")}


@pytest.mark.usefixtures("aws_reset_afterwards", "project")
def test_files_of_an_earlier_rehearsal_are_deleted(console: Console):
    earlier = one_environment.FOLDER / "dev" / "integration.xml"
    earlier.parent.mkdir(parents=True)
    earlier.touch()
    with open_rehearsal("dev", console):
        assert not earlier.exists()


def test_environment_cannot_be_rehearsed_twice_at_the_same_time(rehearsal: Rehearsal, console: Console):
    assert rehearsal.platform
    with pytest.raises(RehearsalError, match=r"^another process is already rehearsing dev$"):
        open_rehearsal("dev", console).__enter__()
    # The running rehearsal still has its folder.
    assert rehearsal.deployment.stacks.is_dir()


def test_missing_package_is_an_error(project: FakeProject, package: Path, console: Console):
    package.unlink()
    with pytest.raises(RehearsalError, match=r"rotation-local\.zip is missing; run make setup$"):
        open_rehearsal("dev", console).__enter__()
    assert not (project.root / "rehearsal").exists()


@pytest.mark.usefixtures("project")
def test_unknown_environment_is_a_settings_error(console: Console):
    with pytest.raises(SettingsError, match="production"):
        open_rehearsal("production", console).__enter__()


@pytest.mark.usefixtures("aws_reset_afterwards")
def test_failed_synthesis_is_an_error_and_can_be_retried(project: FakeProject, console: Console):
    synthesizer = (project.root / ".venv/bin/python").read_text()
    project.program(".venv/bin/python", "echo 'service.cpu = 7: allowed: 256'; exit 1")
    with pytest.raises(ProgramError, match=r"python exited with 1: service\.cpu = 7: allowed: 256 "):
        open_rehearsal("dev", console).__enter__()
    project.program(".venv/bin/python", synthesizer)
    with open_rehearsal("dev", console) as rehearsal:
        assert rehearsal.report.synthesized == 4


def test_bootstrap_creates_the_state_bucket_and_the_hosted_zone(rehearsal: Rehearsal, project: FakeProject):
    aimed = (
        "import runpy, sys; from pathlib import Path; from operations import account; "
        f"account.ENVIRONMENTS = Path('{project.root}/environments'); sys.argv = sys.argv[2:]; "
        "runpy.run_module('operations', run_name='__main__', alter_sys=True)"
    )
    project.replace_python(f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -c "{aimed}" "$@"')
    rehearsal.bootstrap()
    names = {bucket["Name"] for bucket in rehearsal.aws.client("s3").list_buckets()["Buckets"]}
    assert rehearsal.platform.stacks["foundation"].backend["bucket"] in names
    (zone,) = rehearsal.aws.client("route53").list_hosted_zones()["HostedZones"]
    assert zone["Name"] == f"{project.settings.service.hosted_zone}."


def test_deployment_prints_progress_by_tier_and_counts_resources(
    rehearsal: Rehearsal, project: FakeProject, output: StringIO
):
    project.cdktf(*DEPLOYED)
    rehearsal.deploy()
    assert project.cdktf_arguments[0] == "deploy"
    assert "dev-*" in project.cdktf_arguments
    assert rehearsal.report.resources == rehearsal.report.synthesized == 4
    assert rehearsal.report.seconds.keys() == {"foundation", "network"}
    assert [line.split()[:4] for line in output.getvalue().splitlines()] == [
        ["foundation", "2", "of", "2"],
        ["network", "2", "of", "2"],
    ]


def test_failed_deployment_raises_terraforms_message(rehearsal: Rehearsal, project: FakeProject):
    project.cdktf(*REFUSED, exit_code=1)
    with pytest.raises(RehearsalError) as raised:
        rehearsal.deploy()
    assert str(raised.value) == "network: │ Error: creating SNS Topic (returns): AuthorizationError"
    assert rehearsal.report.resources == 1


def test_failure_without_terraform_error_raises_the_clis_last_line(rehearsal: Rehearsal, project: FakeProject):
    project.cdktf("Node.js v12 is too old", exit_code=1)
    with pytest.raises(RehearsalError, match=r"^cdktf exited with 1: Node\.js v12 is too old \(log: .*deploy\.log"):
        rehearsal.deploy()


RESULTS = """<?xml version="1.0"?><testsuites><testsuite tests="4">
<testcase classname="tests.integration.test_cache" name="test_one"/>
<testcase classname="tests.integration.test_cache" name="test_two"><failure message="x"/></testcase>
<testcase classname="tests.integration.test_cache" name="test_three"><error message="x"/></testcase>
<testcase classname="tests.integration.test_cache" name="test_four"><skipped message="x"/></testcase>
<testcase classname="tests.integration.test_cache" name="test_five"><system-out>talk</system-out></testcase>
</testsuite></testsuites>"""
FAILED = [f"tests.integration.test_cache.test_{name}" for name in ("two", "three", "four")]


def test_only_successful_tests_count_as_passed(tmp_path: Path):
    (tmp_path / "results.xml").write_text(RESULTS)
    assert parse_results(tmp_path / "results.xml") == (2, FAILED)


@pytest.mark.parametrize("code", [0, 1])
def test_integration_tests_run_and_results_are_recorded(rehearsal: Rehearsal, project: FakeProject, code: int):
    (project.root / "results.xml").write_text(RESULTS)
    project.replace_python(
        f'for given; do case "$given" in --junit-xml=*) cp {project.root}/results.xml "${{given#*=}}";; esac; done\n'
        f'echo "$ENV $AWS_ENDPOINT_URL $@" >{project.root}/arguments; exit {code}'
    )
    rehearsal.run_integration_tests()
    assert rehearsal.report.integration_passed == 2
    assert rehearsal.report.integration_failed == FAILED
    assert project.cdktf_arguments[:5] == ["dev", rehearsal.aws.endpoint, "-m", "pytest", "tests/integration"]


def test_integration_tests_that_do_not_run_are_an_error(rehearsal: Rehearsal, project: FakeProject):
    project.replace_python("echo 'ERROR: ENV is not set'; exit 4")
    with pytest.raises(RehearsalError, match=r"own-python exited with 4: ERROR: ENV is not set .*integration\.log"):
        rehearsal.run_integration_tests()


def planned(rehearsal: Rehearsal, tier: str, plan: dict[str, Any]) -> None:
    (rehearsal.platform.stacks[tier].folder / "planned.json").write_text(json.dumps(plan))


def test_empty_second_plan_is_not_a_problem(rehearsal: Rehearsal):
    unchanged = {"address": "aws_sns_topic.orders", "mode": "managed", "change": {"actions": ["no-op"]}}
    data_source = {"address": "data.aws_caller_identity.me", "mode": "data", "change": {"actions": ["read"]}}
    planned(rehearsal, "network", {"resource_changes": [unchanged, data_source]})
    planned(rehearsal, "foundation", {"output_changes": {"bucket": {"actions": ["no-op"]}}})
    rehearsal.plan_again()
    assert rehearsal.report.second_plan_changes == {}


def test_changes_in_a_second_plan_are_recorded_by_tier(rehearsal: Rehearsal):
    change = {"address": "aws_sns_topic.orders", "mode": "managed", "change": {"actions": ["delete", "create"]}}
    plan = {"resource_changes": [change], "output_changes": {"topic": {"actions": ["update"]}}}
    planned(rehearsal, "network", plan)
    rehearsal.plan_again()
    assert planned_changes(plan) == ["aws_sns_topic.orders: delete/create", "output topic: update"]
    assert rehearsal.report.second_plan_changes == {"network": planned_changes(plan)}


def test_checkov_runs_on_the_joined_plans_of_all_tiers(rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch):
    for tier, type_, name in (("foundation", "aws_s3_bucket", "files"), ("network", "aws_sns_topic", "orders")):
        resource = {"address": f"{type_}.{name}", "mode": "managed", "type": type_, "name": name, "values": {}}
        planned(rehearsal, tier, {"planned_values": {"root_module": {"resources": [resource]}}})
    arguments = dict[str, Any]()

    def scan_plan(plan: dict[str, Any], platform: Platform, *, production: bool) -> Scan:
        arguments.update(plan=plan, platform=platform, production=production)
        return Scan("plan", production, passed=2, findings=(FailedCheck("CKV_AWS_26", "aws_sns_topic.network_orders"),))

    monkeypatch.setattr(one_environment, "scan_plan", scan_plan)
    monkeypatch.setattr(one_environment, "waivers", lambda: ())
    rehearsal.plan_again()
    rehearsal.run_checkov()
    resources = arguments["plan"]["planned_values"]["root_module"]["resources"]
    assert [entry["address"] for entry in resources] == [
        "aws_s3_bucket.foundation_files",
        "aws_sns_topic.network_orders",
    ]
    assert (arguments["platform"], arguments["production"]) == (rehearsal.platform, False)
    assert rehearsal.report.rules_held == 2
    assert rehearsal.report.rules_broken == ["aws_sns_topic.network_orders: CKV_AWS_26 (plan). Fix or waive it"]


def test_drift_without_a_change_is_a_problem(rehearsal: Rehearsal):
    drifted = {
        "address": "aws_s3_bucket.files",
        "mode": "managed",
        "type": "aws_s3_bucket",
        "name": "files",
        "change": {"before": {"arn": "", "bucket": "files"}, "after": {"arn": "arn:aws:s3:::files", "bucket": "other"}},
    }
    planned(rehearsal, "foundation", {"resource_drift": [drifted]})
    rehearsal.plan_again()
    assert rehearsal.report.drift == ["foundation: aws_s3_bucket.files was changed: bucket"]
    assert any(
        "drift without a change: foundation: aws_s3_bucket.files" in problem for problem in rehearsal.report.problems
    )


def test_preflight_uses_the_rehearsals_stacks(rehearsal: Rehearsal, project: FakeProject):
    project.replace_python('echo "$@ in $CDKTF_OUTDIR"; test "$3" = preflight')
    rehearsal.preflight()
    log = (rehearsal.deployment.folder / "preflight.log").read_text()
    assert log.endswith(f"\n-m operations preflight dev in {rehearsal.deployment.stacks}\n")


def test_failed_plan_is_an_error(rehearsal: Rehearsal, project: FakeProject):
    project.program("bin/terraform", "echo 'Error: no valid credential sources' >&2; exit 1")
    with pytest.raises(TerraformError, match="terraform plan: Error: no valid credential sources"):
        rehearsal.plan_again()


def test_remaining_resources_after_destroy_are_reported(rehearsal: Rehearsal, project: FakeProject):
    remaining = topic(rehearsal, "left")
    topic(rehearsal, "of-another-environment", Environment="prod")
    topic(rehearsal, "of-bootstrap", ManagedBy="bootstrap")
    secret = rehearsal.aws.client("secretsmanager")
    tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
    leaving = secret.create_secret(Name="leaving", SecretString="x", Tags=tags)["ARN"]
    secret.delete_secret(SecretId=leaving, RecoveryWindowInDays=30)
    project.cdktf("dev-network  Destroy complete! Resources: 2 destroyed.")
    rehearsal.destroy()
    assert project.cdktf_arguments[:2] == ["destroy", "dev-*"]
    assert rehearsal.report.left_behind == [remaining]


def test_failed_destroy_raises_terraforms_message(rehearsal: Rehearsal, project: FakeProject):
    project.cdktf("dev-foundation  │ Error: deleting S3 Bucket (files): BucketNotEmpty", exit_code=1)
    with pytest.raises(RehearsalError, match=r"^foundation: │ Error: deleting S3 Bucket \(files\): BucketNotEmpty$"):
        rehearsal.destroy()


def test_resources_are_found_by_tags(rehearsal: Rehearsal):
    orders = topic(rehearsal, "orders")
    logs = topic(rehearsal, "logs", Tier="foundation")
    topic(rehearsal, "prod-orders", Environment="prod")
    rehearsal.aws.client("sns").create_topic(Name="untagged")
    assert rehearsal.tagged() == sorted([orders, logs])
    assert rehearsal.tagged("network") == [orders]
    assert rehearsal.tagged("network", "sns") == [orders]
    assert rehearsal.tagged("network", "s3") == []
