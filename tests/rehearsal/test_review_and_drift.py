"""A change that is reviewed, and one that is found: what is asked for, and what may be answered."""

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
from tests.rehearsal.fake_project import account_settings, synthesize

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
    """A rehearsal whose commands tell what a test has them tell."""

    output = ""
    commands: tuple[tuple[str, ...], ...] = ()
    opened: tuple[bool, bool] | None = None
    """As it was when `drift` looked."""

    def run_program(self, log: str, *arguments: str) -> str:
        del log
        self.commands = (*self.commands, arguments)
        if "propose" in arguments:
            synthesize(Path(arguments[-1]), self.settings)
        if "drift" in arguments:
            self.opened = self.open
            raise ProgramError("python ended with 1", [self.output])
        return self.output

    @property
    def open(self) -> tuple[bool, bool]:
        """Whether the bucket may be public, and whether the group lets the stranger in."""
        bucket, group = vars(self)["made"]
        block = self.aws.client("s3").get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        (seen,) = self.aws.client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"]
        return not block["BlockPublicPolicy"], STRANGER in str(seen["IpPermissions"])


@pytest.fixture
def rehearsal(aws: LocalAws, tmp_path: Path) -> ScriptedRehearsal:
    (tmp_path / "dev.toml").write_text(to_toml(changed_settings("dev", account_settings(aws.account, "dev"))))
    (settings,) = load_environments(tmp_path, only="dev")
    # Of no other test's making.
    settings = settings.model_copy(update={"name": "everyday"})
    deployment = Deployment(settings.name, tmp_path)
    platform = synthesize(deployment.stacks, settings)
    return ScriptedRehearsal(settings, aws, deployment, platform, Console(), Report(settings.name))


@pytest.fixture
def furnished(rehearsal: ScriptedRehearsal) -> Generator[ScriptedRehearsal]:
    """With a bucket and a security group."""
    s3, ec2 = rehearsal.aws.client("s3"), rehearsal.aws.client("ec2")
    tags = {"Environment": rehearsal.settings.name, "ManagedBy": "cdktf"}
    bucket = "everyday-files"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": rehearsal.aws.region})
    closed = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=closed)
    of_bucket = [{"Key": key, "Value": value} for key, value in {**tags, "Tier": "foundation"}.items()]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": of_bucket})
    group = ec2.create_security_group(GroupName="everyday", Description="tasks")["GroupId"]
    ec2.create_tags(
        Resources=[group], Tags=[{"Key": key, "Value": value} for key, value in {**tags, "Tier": "network"}.items()]
    )
    vars(rehearsal)["made"] = bucket, group
    yield rehearsal
    s3.delete_bucket(Bucket=bucket)
    ec2.delete_security_group(GroupId=group)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stacks that were planned."""
    stacks: list[str] = []

    def plan(stack: Stack) -> dict[str, Any]:
        stacks.append(stack.name)
        return {"format_version": "1.2"}

    monkeypatch.setattr(plans, "plan", plan)
    return stacks


def test_a_way_out_that_is_proposed_is_planned_and_reviewed_as_an_exposure(
    rehearsal: ScriptedRehearsal, planned: list[str]
):
    rehearsal.output = json.dumps(REVIEW)
    review_change(rehearsal)
    assert rehearsal.report.review == REVIEW["summary"]
    assert planned == [f"{rehearsal.settings.name}-network"]
    proposed, reviewed = rehearsal.commands
    assert proposed[2:5] == ("propose", rehearsal.settings.name, PROVIDER)
    assert json.loads(Path(reviewed[3]).read_text()) == {"format_version": "1.2"}


@pytest.mark.usefixtures("planned")
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
def test_a_review_that_says_anything_else_is_no_review(rehearsal: ScriptedRehearsal, findings: list[dict[str, Any]]):
    rehearsal.output = json.dumps({**REVIEW, "findings": findings})
    with pytest.raises(RehearsalError, match=rf"^a way out to {PROVIDER} is proposed, and the review says "):
        review_change(rehearsal)
    assert not rehearsal.report.review


def test_what_was_opened_is_open_while_drift_looks_and_closed_afterwards(furnished: ScriptedRehearsal):
    furnished.output = json.dumps(DRIFT)
    detect_change(furnished)
    assert furnished.commands == (("-m", "operations", "drift", furnished.settings.name, "--json"),)
    assert furnished.opened == (True, True)
    assert furnished.open == (False, False)
    assert furnished.report.changes_found == len(EXPECTED_DRIFT)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({**DRIFT, "changes": []}, "a bucket and a security group were opened, and drift says"),
        ({**DRIFT, "changes": [*CHANGES, CHANGES[0]]}, "a bucket and a security group were opened, and drift says"),
        ({**DRIFT, "unknown": ["cache"]}, "a bucket and a security group were opened, and drift says"),
        ("terraform is missing", "drift: terraform is missing"),
    ],
)
def test_drift_that_tells_less_or_more_is_told_and_all_is_closed_again(
    furnished: ScriptedRehearsal, told: Any, why: str
):
    furnished.output = told if isinstance(told, str) else json.dumps(told)
    with pytest.raises(RehearsalError, match=f"^{why}"):
        detect_change(furnished)
    assert furnished.open == (False, False)
    assert furnished.report.changes_found == 0
