"""A rehearsal's steps: what each does to the local AWS, what it notes, and in which words it fails."""

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

# As the CLI draws them where there is no terminal.
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
def said() -> StringIO:
    """What the console shows."""
    return StringIO()


@pytest.fixture
def console(said: StringIO) -> Console:
    return Console(file=said, width=200, highlight=False)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the rotation's, which trusts RDS's authorities."""
    path = tmp_path / "rotation-local.zip"
    with ZipFile(path, "w") as archive:
        archive.writestr("lambda_rotation/handler.py", "import this")
        archive.writestr("lambda_rotation/certificates/rds.pem", "RDS's")
    monkeypatch.setattr(one_environment, "PACKAGE", path)
    return path


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: Path) -> FakeProject:
    del package
    return FakeProject(tmp_path / "project", monkeypatch)


@pytest.fixture
def rehearsal(stage: FakeProject, console: Console, another: None, quick_sessions: None) -> Generator[Rehearsal]:
    del stage, another, quick_sessions
    with open_rehearsal("dev", console) as rehearsal:
        yield rehearsal


def topic(rehearsal: Rehearsal, name: str, **tags: str) -> str:
    tagged = [{"Key": key, "Value": value} for key, value in {**TAGS, **tags}.items()]
    return rehearsal.aws.client("sns").create_topic(Name=name, Tags=tagged)["TopicArn"]


@pytest.mark.usefixtures("another")
def test_the_stacks_and_a_local_aws_of_the_environments_account_are_there_while_it_lasts(
    stage: FakeProject, console: Console, package: Path
):
    with open_rehearsal("dev", console) as rehearsal:
        assert rehearsal.aws.client("sts").get_caller_identity()["Account"] == stage.settings.account
        assert rehearsal.settings == stage.settings
        assert list(rehearsal.platform.stacks) == ["foundation", "network"]
        assert rehearsal.platform.stacks["network"].folder.is_relative_to(one_environment.FOLDER / "dev")
        assert (rehearsal.report.environment, rehearsal.report.synthesized) == ("dev", 4)
        assert os.environ.items() >= rehearsal.aws.environment.items()
        with ZipFile(os.environ["ROTATION_PACKAGE"]) as ours, ZipFile(package) as built:
            authority = "lambda_rotation/certificates/rds.pem"
            assert ours.read(authority) == rehearsal.aws.certificates.read_bytes()
            assert ours.namelist() == built.namelist()
            assert ours.read("lambda_rotation/handler.py") == b"import this"
    host, _, port = rehearsal.aws.endpoint.removeprefix("http://").partition(":")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, int(port)), timeout=1)


@pytest.mark.usefixtures("another", "stage")
def test_nothing_of_the_users_own_aws_is_seen_and_all_of_it_is_there_afterwards(
    console: Console, monkeypatch: pytest.MonkeyPatch
):
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


@pytest.mark.usefixtures("another", "stage")
def test_what_an_earlier_rehearsal_left_is_gone(console: Console):
    left = one_environment.FOLDER / "dev" / "integration.xml"
    left.parent.mkdir(parents=True)
    left.touch()
    with open_rehearsal("dev", console):
        assert not left.exists()


def test_an_environment_is_rehearsed_once_at_a_time(rehearsal: Rehearsal, console: Console):
    assert rehearsal.platform
    with pytest.raises(RehearsalError, match=r"^dev is being rehearsed already, in another process$"):
        open_rehearsal("dev", console).__enter__()
    # The one under way has kept its folder.
    assert rehearsal.deployment.stacks.is_dir()


def test_without_the_package_of_this_machine_nothing_is_begun(stage: FakeProject, package: Path, console: Console):
    package.unlink()
    with pytest.raises(RehearsalError, match=r"rotation-local\.zip is missing; run make setup$"):
        open_rehearsal("dev", console).__enter__()
    assert not (stage.root / "rehearsal").exists()


@pytest.mark.usefixtures("stage")
def test_an_environment_that_is_not_there_is_told(console: Console):
    with pytest.raises(SettingsError, match="production"):
        open_rehearsal("production", console).__enter__()


@pytest.mark.usefixtures("another")
def test_stacks_that_cannot_be_synthesized_end_it_and_it_can_be_begun_again(stage: FakeProject, console: Console):
    synthesizer = (stage.root / ".venv/bin/python").read_text()
    stage.program(".venv/bin/python", "echo 'service.cpu = 7: allowed: 256'; exit 1")
    with pytest.raises(ProgramError, match=r"python ended with 1: service\.cpu = 7: allowed: 256 "):
        open_rehearsal("dev", console).__enter__()
    stage.program(".venv/bin/python", synthesizer)
    with open_rehearsal("dev", console) as rehearsal:
        assert rehearsal.report.synthesized == 4


def test_the_command_that_people_use_makes_what_the_first_stack_needs(rehearsal: Rehearsal, stage: FakeProject):
    aimed = (
        "import runpy, sys; from pathlib import Path; from operations import account; "
        f"account.ENVIRONMENTS = Path('{stage.root}/environments'); sys.argv = sys.argv[2:]; "
        "runpy.run_module('operations', run_name='__main__', alter_sys=True)"
    )
    stage.replace_python(f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -c "{aimed}" "$@"')
    rehearsal.bootstrap()
    names = {bucket["Name"] for bucket in rehearsal.aws.client("s3").list_buckets()["Buckets"]}
    assert rehearsal.platform.stacks["foundation"].backend["bucket"] in names
    (zone,) = rehearsal.aws.client("route53").list_hosted_zones()["HostedZones"]
    assert zone["Name"] == f"{stage.settings.service.hosted_zone}."


def test_a_deployment_is_told_tier_by_tier_and_counted(rehearsal: Rehearsal, stage: FakeProject, said: StringIO):
    stage.cdktf(*DEPLOYED)
    rehearsal.deploy()
    assert stage.cdktf_arguments[0] == "deploy"
    assert "dev-*" in stage.cdktf_arguments
    assert rehearsal.report.resources == rehearsal.report.synthesized == 4
    assert rehearsal.report.seconds.keys() == {"foundation", "network"}
    assert [line.split()[:4] for line in said.getvalue().splitlines()] == [
        ["foundation", "2", "of", "2"],
        ["network", "2", "of", "2"],
    ]


def test_a_deployment_that_fails_is_told_in_terraforms_words(rehearsal: Rehearsal, stage: FakeProject):
    stage.cdktf(*REFUSED, ends_with=1)
    with pytest.raises(RehearsalError) as told:
        rehearsal.deploy()
    assert str(told.value) == "network: │ Error: creating SNS Topic (returns): AuthorizationError"
    assert rehearsal.report.resources == 1


def test_where_terraform_said_nothing_the_clis_last_words_are_told(rehearsal: Rehearsal, stage: FakeProject):
    stage.cdktf("Node.js v12 is too old", ends_with=1)
    with pytest.raises(
        RehearsalError, match=r"^cdktf ended with 1: Node\.js v12 is too old \(all of it: .*deploy\.log"
    ):
        rehearsal.deploy()


RESULTS = """<?xml version="1.0"?><testsuites><testsuite tests="4">
<testcase classname="tests.integration.test_cache" name="test_one"/>
<testcase classname="tests.integration.test_cache" name="test_two"><failure message="x"/></testcase>
<testcase classname="tests.integration.test_cache" name="test_three"><error message="x"/></testcase>
<testcase classname="tests.integration.test_cache" name="test_four"><skipped message="x"/></testcase>
<testcase classname="tests.integration.test_cache" name="test_five"><system-out>talk</system-out></testcase>
</testsuite></testsuites>"""
FAILED = [f"tests.integration.test_cache.test_{name}" for name in ("two", "three", "four")]


def test_only_a_test_that_was_run_and_went_well_has_passed(tmp_path: Path):
    (tmp_path / "results.xml").write_text(RESULTS)
    assert parse_results(tmp_path / "results.xml") == (2, FAILED)


@pytest.mark.parametrize("code", [0, 1])
def test_the_integration_tests_are_run_and_their_results_noted(rehearsal: Rehearsal, stage: FakeProject, code: int):
    (stage.root / "results.xml").write_text(RESULTS)
    stage.replace_python(
        f'for given; do case "$given" in --junit-xml=*) cp {stage.root}/results.xml "${{given#*=}}";; esac; done\n'
        f'echo "$ENV $AWS_ENDPOINT_URL $@" >{stage.root}/asked; exit {code}'
    )
    rehearsal.run_integration_tests()
    assert rehearsal.report.integration_passed == 2
    assert rehearsal.report.integration_failed == FAILED
    assert stage.cdktf_arguments[:5] == ["dev", rehearsal.aws.endpoint, "-m", "pytest", "tests/integration"]


def test_integration_tests_that_could_not_be_run_end_the_rehearsal(rehearsal: Rehearsal, stage: FakeProject):
    stage.replace_python("echo 'ERROR: ENV is not set'; exit 4")
    with pytest.raises(RehearsalError, match=r"own-python ended with 4: ERROR: ENV is not set .*integration\.log"):
        rehearsal.run_integration_tests()


def planned(rehearsal: Rehearsal, tier: str, plan: dict[str, Any]) -> None:
    (rehearsal.platform.stacks[tier].folder / "planned.json").write_text(json.dumps(plan))


def test_a_second_plan_that_is_empty_is_no_problem(rehearsal: Rehearsal):
    unchanged = {"address": "aws_sns_topic.orders", "mode": "managed", "change": {"actions": ["no-op"]}}
    read = {"address": "data.aws_caller_identity.me", "mode": "data", "change": {"actions": ["read"]}}
    planned(rehearsal, "network", {"resource_changes": [unchanged, read]})
    planned(rehearsal, "foundation", {"output_changes": {"bucket": {"actions": ["no-op"]}}})
    rehearsal.plan_again()
    assert rehearsal.report.second_plan_changes == {}


def test_what_a_second_plan_would_change_is_noted_by_tier(rehearsal: Rehearsal):
    change = {"address": "aws_sns_topic.orders", "mode": "managed", "change": {"actions": ["delete", "create"]}}
    plan = {"resource_changes": [change], "output_changes": {"topic": {"actions": ["update"]}}}
    planned(rehearsal, "network", plan)
    rehearsal.plan_again()
    assert planned_changes(plan) == ["aws_sns_topic.orders: delete/create", "output topic: update"]
    assert rehearsal.report.second_plan_changes == {"network": planned_changes(plan)}


def test_checkov_is_asked_of_all_tiers_plans_together(rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch):
    for tier, type_, name in (("foundation", "aws_s3_bucket", "files"), ("network", "aws_sns_topic", "orders")):
        resource = {"address": f"{type_}.{name}", "mode": "managed", "type": type_, "name": name, "values": {}}
        planned(rehearsal, tier, {"planned_values": {"root_module": {"resources": [resource]}}})
    asked = dict[str, Any]()

    def scan_plan(plan: dict[str, Any], platform: Platform, *, production: bool) -> Scan:
        asked.update(plan=plan, platform=platform, production=production)
        return Scan("plan", production, passed=2, findings=(FailedCheck("CKV_AWS_26", "aws_sns_topic.network_orders"),))

    monkeypatch.setattr(one_environment, "scan_plan", scan_plan)
    monkeypatch.setattr(one_environment, "waivers", lambda: ())
    rehearsal.plan_again()
    rehearsal.run_checkov()
    resources = asked["plan"]["planned_values"]["root_module"]["resources"]
    assert [entry["address"] for entry in resources] == [
        "aws_s3_bucket.foundation_files",
        "aws_sns_topic.network_orders",
    ]
    assert (asked["platform"], asked["production"]) == (rehearsal.platform, False)
    assert rehearsal.report.rules_held == 2
    assert rehearsal.report.rules_broken == ["aws_sns_topic.network_orders: CKV_AWS_26 (plan). Mend it, or waive it"]


def test_what_is_told_as_drift_where_nobody_changed_anything_is_a_problem(rehearsal: Rehearsal):
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
    assert any("told as such: foundation: aws_s3_bucket.files" in problem for problem in rehearsal.report.problems)


def test_what_a_deployment_needs_is_looked_at_in_the_stacks_of_the_rehearsal(rehearsal: Rehearsal, stage: FakeProject):
    stage.replace_python('echo "$@ in $CDKTF_OUTDIR"; test "$3" = preflight')
    rehearsal.preflight()
    told = (rehearsal.deployment.folder / "preflight.log").read_text()
    assert told.endswith(f"\n-m operations preflight dev in {rehearsal.deployment.stacks}\n")


def test_a_plan_that_cannot_be_made_is_told(rehearsal: Rehearsal, stage: FakeProject):
    stage.program("bin/terraform", "echo 'Error: no valid credential sources' >&2; exit 1")
    with pytest.raises(TerraformError, match="terraform plan: Error: no valid credential sources"):
        rehearsal.plan_again()


def test_what_is_left_after_everything_was_destroyed_is_named(rehearsal: Rehearsal, stage: FakeProject):
    left = topic(rehearsal, "left")
    topic(rehearsal, "of-another-environment", Environment="prod")
    topic(rehearsal, "of-bootstrap", ManagedBy="bootstrap")
    secret = rehearsal.aws.client("secretsmanager")
    tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
    leaving = secret.create_secret(Name="leaving", SecretString="x", Tags=tags)["ARN"]
    secret.delete_secret(SecretId=leaving, RecoveryWindowInDays=30)
    stage.cdktf("dev-network  Destroy complete! Resources: 2 destroyed.")
    rehearsal.destroy()
    assert stage.cdktf_arguments[:2] == ["destroy", "dev-*"]
    assert rehearsal.report.left_behind == [left]


def test_what_cannot_be_destroyed_is_told_in_terraforms_words(rehearsal: Rehearsal, stage: FakeProject):
    stage.cdktf("dev-foundation  │ Error: deleting S3 Bucket (files): BucketNotEmpty", ends_with=1)
    with pytest.raises(RehearsalError, match=r"^foundation: │ Error: deleting S3 Bucket \(files\): BucketNotEmpty$"):
        rehearsal.destroy()


def test_what_the_tiers_have_made_is_found_by_its_tags(rehearsal: Rehearsal):
    orders = topic(rehearsal, "orders")
    logs = topic(rehearsal, "logs", Tier="foundation")
    topic(rehearsal, "prod-orders", Environment="prod")
    rehearsal.aws.client("sns").create_topic(Name="untagged")
    assert rehearsal.tagged() == sorted([orders, logs])
    assert rehearsal.tagged("network") == [orders]
    assert rehearsal.tagged("network", "sns") == [orders]
    assert rehearsal.tagged("network", "s3") == []
