"""The review and drift steps: the commands that they run, and the output that they accept."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from local_aws.server import LocalAws
from operations import plans
from rehearsal.deployment import Deployment
from rehearsal.one_environment import Rehearsal, RehearsalError
from rehearsal.processes import ProgramError
from rehearsal.report import Report
from rehearsal.review_and_drift import EXPECTED_DRIFT, PROVIDER, STRANGER, detect_change, review_change
from stacks.settings import load_environments
from synthesized.platform import Stack
from tests.conftest import changed_settings, to_toml
from tests.rehearsal.fake_project import synthesize

FINDING = {
    "level": "exposure",
    "stack": "everyday-network",
    "address": "aws_vpc_security_group_egress_rule.service-to-provider",
    "what": f"tasks may reach {PROVIDER}",
}
REVIEW = {"summary": "Exposure: 1 finding", "findings": [FINDING]}
CHANGES = [
    {"tier": tier, "address": f"{type_}.x", "action": action, "arguments": arguments}
    for tier, type_, action, arguments in EXPECTED_DRIFT
]
DRIFT = {"changes": CHANGES, "unknown": []}


class ScriptedRehearsal(Rehearsal):
    """A rehearsal whose commands print what a test sets."""

    output = ""
    commands: tuple[tuple[str, ...], ...] = ()
    opened: tuple[bool, ...] | None = None
    """Value of `open` while `drift` ran."""

    def run_program(self, log: str, *arguments: str) -> str:
        del log
        self.commands = (*self.commands, arguments)
        if "propose" in arguments:
            synthesize(Path(arguments[-1]), self.settings)
        if "drift" in arguments:
            self.opened = self.open
            raise ProgramError("python exited with 1", [self.output])
        return self.output

    @property
    def open(self) -> tuple[bool, ...]:
        """Whether the bucket allows public policies, and whether each security group allows the stranger."""
        bucket, groups = vars(self)["made"]
        block = self.aws.client("s3").get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        described = self.aws.client("ec2").describe_security_groups(GroupIds=groups)["SecurityGroups"]
        return not block["BlockPublicPolicy"], *(STRANGER in str(each["IpPermissions"]) for each in described)


@pytest.fixture
def rehearsal(aws: LocalAws, tmp_path: Path) -> ScriptedRehearsal:
    (tmp_path / "dev.toml").write_text(to_toml(changed_settings("dev", {"account": aws.account})))
    (settings,) = load_environments(tmp_path, only="dev")
    # A name that no other test uses.
    settings = settings.model_copy(update={"name": "everyday"})
    deployment = Deployment(settings.name, tmp_path)
    platform = synthesize(deployment.stacks, settings)
    return ScriptedRehearsal(settings, aws, deployment, platform, Console(), Report(settings.name))


@pytest.fixture
def furnished(rehearsal: ScriptedRehearsal) -> Generator[ScriptedRehearsal]:
    """A rehearsal with a bucket, a default security group and another."""
    s3, ec2 = rehearsal.aws.client("s3"), rehearsal.aws.client("ec2")
    tags = {"Environment": rehearsal.settings.name, "ManagedBy": "cdktf"}
    bucket = "everyday-files"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": rehearsal.aws.region})
    closed = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=closed)
    bucket_tags = [{"Key": key, "Value": value} for key, value in {**tags, "Tier": "foundation"}.items()]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": bucket_tags})
    filters = [{"Name": "group-name", "Values": ["default"]}]
    default = ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
    group = ec2.create_security_group(GroupName="everyday", Description="tasks")["GroupId"]
    group_tags = [{"Key": key, "Value": value} for key, value in {**tags, "Tier": "network"}.items()]
    ec2.create_tags(Resources=[default, group], Tags=group_tags)
    vars(rehearsal)["made"] = bucket, [default, group]
    yield rehearsal
    s3.delete_bucket(Bucket=bucket)
    ec2.delete_security_group(GroupId=group)
    ec2.delete_tags(Resources=[default], Tags=group_tags)


@pytest.fixture
def planned_stacks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of planned stacks."""
    stacks: list[str] = []

    def plan(stack: Stack) -> dict[str, Any]:
        stacks.append(stack.name)
        return {"format_version": "1.2"}

    monkeypatch.setattr(plans, "plan", plan)
    return stacks


def test_proposed_egress_is_planned_and_reviewed_as_exposure(rehearsal: ScriptedRehearsal, planned_stacks: list[str]):
    rehearsal.output = json.dumps(REVIEW)
    review_change(rehearsal)
    assert rehearsal.report.review == REVIEW["summary"]
    assert planned_stacks == [f"{rehearsal.settings.name}-network"]
    proposed, reviewed = rehearsal.commands
    assert proposed[2:5] == ("propose", rehearsal.settings.name, PROVIDER)
    assert json.loads(Path(reviewed[3]).read_text()) == {"format_version": "1.2"}


@pytest.mark.usefixtures("planned_stacks")
@pytest.mark.parametrize(
    "findings",
    [
        [],
        [FINDING, FINDING],
        [{**FINDING, "level": "capacity"}],
        [{**FINDING, "stack": "everyday-service"}],
        [{**FINDING, "address": "aws_security_group.service"}],
        [{**FINDING, "what": "tasks may reach 0.0.0.0/0"}],
    ],
)
def test_review_with_any_other_finding_is_an_error(rehearsal: ScriptedRehearsal, findings: list[dict[str, Any]]):
    rehearsal.output = json.dumps({**REVIEW, "findings": findings})
    with pytest.raises(RehearsalError, match=rf"^the change adds egress to {PROVIDER}, but the review reports "):
        review_change(rehearsal)
    assert not rehearsal.report.review


def test_access_is_open_during_drift_and_closed_afterwards(furnished: ScriptedRehearsal):
    furnished.output = json.dumps(DRIFT)
    detect_change(furnished)
    assert furnished.commands == (("-m", "operations", "drift", furnished.settings.name, "--json"),)
    assert furnished.opened == (True, True, True)
    assert furnished.open == (False, False, False)
    assert furnished.report.changes_found == len(EXPECTED_DRIFT)


@pytest.mark.parametrize(
    ("output", "error"),
    [
        ({**DRIFT, "changes": []}, "a bucket and two security groups were opened, but drift reports"),
        (
            {**DRIFT, "changes": [*CHANGES, CHANGES[0]]},
            "a bucket and two security groups were opened, but drift reports",
        ),
        ({**DRIFT, "unknown": ["cache"]}, "a bucket and two security groups were opened, but drift reports"),
        ("terraform is missing", "drift failed: terraform is missing"),
    ],
)
def test_unexpected_drift_is_an_error_and_access_is_closed_again(furnished: ScriptedRehearsal, output: Any, error: str):
    furnished.output = output if isinstance(output, str) else json.dumps(output)
    with pytest.raises(RehearsalError, match=f"^{error}"):
        detect_change(furnished)
    assert furnished.open == (False, False, False)
    assert furnished.report.changes_found == 0
