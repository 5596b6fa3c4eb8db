"""The deployer roles: what runs as them, what they were denied, and what they are granted without need."""

from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from rehearsal.deployers import Deployers
from rehearsal.one_environment import Rehearsal
from rehearsal.report import Report
from rehearsal.statements import idle_statements
from stacks.names import GITHUB_AUDIENCE, GITHUB_ISSUER, Names
from stacks.settings import Environment
from synthesized.permissions import action_of, unused_actions
from synthesized.platform import Platform
from synthesized.policy_statements import as_list
from synthesized.roles import roles_of
from tests.conftest import load_settings
from tests.local_aws.conftest import ACCOUNT, document
from tests.policy.planted import with_statement


@pytest.mark.parametrize(
    ("call", "action"),
    [
        ("ec2:DescribeVpcs", "ec2:DescribeVpcs"),
        ("monitoring:DescribeAlarms", "cloudwatch:DescribeAlarms"),
        ("s3:HeadObject", "s3:GetObject"),
        ("s3:HeadBucket", "s3:ListBucket"),
        ("s3:DeleteObject", "s3:DeleteObject"),
        ("s3:PutBucketEncryption", "s3:PutEncryptionConfiguration"),
    ],
)
def test_iam_action_of_a_call(call: str, action: str):
    assert action_of(call) == action


def test_unused_action_is_found_for_services_that_were_called(prod: Platform):
    planted = with_statement(
        prod,
        "access_identities-permissions",
        sid="Planted",
        effect="Allow",
        actions=["ec2:RunInstances", "glue:CreateJob"],
        resources=["*"],
    )
    granted = {
        action for role in roles_of(prod, "access") for each in role.statements for action in as_list(each["Action"])
    }
    assert unused_actions(granted, "apply", prod) == []
    assert unused_actions(granted, "apply", planted) == ["ec2:RunInstances"]
    assert unused_actions(granted - {"ec2:DescribeFlowLogs"}, "plan", prod) == ["ec2:DescribeFlowLogs"]


def test_actions_for_changes_and_deletions_may_be_unused(prod: Platform):
    unused = unused_actions({"ec2:CreateVpc"}, "apply", prod)
    assert "ec2:CreateSubnet" in unused
    assert not {"ec2:DeleteVpc", "ec2:ModifyVpcAttribute", "ec2:DeleteTags"} & set(unused)


TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}


@dataclass
class ScriptedRehearsal:
    """A rehearsal whose steps make one call, as whoever they are."""

    aws: LocalAws
    settings: Environment
    platform: Platform
    done: list[tuple[str, ...]] = field(default_factory=list)
    report: Report = field(default_factory=lambda: Report("prod"))

    def deploy(self, *tiers: str) -> None:
        self._note("deploy", *tiers)

    def plan_again(self) -> None:
        self._note("plan")

    def destroy(self, *tiers: str) -> None:
        self._note("destroy", *tiers)

    def _note(self, *step: str) -> None:
        # With the credentials of the environment, as another program.
        session = boto3.Session(region_name=self.aws.region)
        identity = session.client("sts", endpoint_url=self.aws.endpoint).get_caller_identity()
        client = session.client("sns", endpoint_url=self.aws.endpoint)
        with suppress(ClientError):
            client.create_topic(Name=self.settings.names.resource_name("orders"))
        self.done.append((identity["Arn"].rpartition("/")[2], *step))


def create_roles(aws: LocalAws, names: Names, repository: str, **actions: list[str]) -> None:
    iam = aws.client("iam")
    provider = iam.create_open_id_connect_provider(Url=f"https://{GITHUB_ISSUER}", ClientIDList=[GITHUB_AUDIENCE])
    for role, subject in (("plan", "pull_request"), ("apply", f"environment:{names.environment}")):
        trust = {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": provider["OpenIDConnectProviderArn"]},
            "Condition": {"StringEquals": {f"{GITHUB_ISSUER}:sub": f"repo:{repository}:{subject}"}},
        }
        name = names.resource_name(role)
        iam.create_role(RoleName=name, Path=names.access_path, AssumeRolePolicyDocument=document(trust))
        allowed = [
            {"Sid": action.replace(":", ""), "Effect": "Allow", "Action": action, "Resource": "*"}
            for action in actions.get(role, [])
        ]
        if allowed:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*allowed))


@pytest.fixture
def rehearsal(
    aws: LocalAws, prod: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[ScriptedRehearsal]:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    aws.gateway.authorizer.records.clear()
    yield ScriptedRehearsal(aws, load_settings("prod", tmp_path, {"account": ACCOUNT}), prod)
    aws.reset()


def run_all_steps(rehearsal: ScriptedRehearsal) -> None:
    deployers = Deployers(cast(Rehearsal, cast(Any, rehearsal)))
    deployers.deploy_access()
    deployers.deploy()
    deployers.plan_again()
    deployers.check_permissions()
    deployers.destroy()


def test_terraform_runs_as_the_roles_for_all_tiers_but_access(aws: LocalAws, rehearsal: ScriptedRehearsal):
    settings = rehearsal.settings
    create_roles(aws, settings.names, settings.access.repository, apply=["sns:CreateTopic", "sns:Subscribe"])
    run_all_steps(rehearsal)
    others = tuple(tier for tier in rehearsal.platform.stacks if tier != "access")
    assert rehearsal.done == [
        ("moto", "deploy", "access"),
        ("rehearsal-apply", "deploy", *others),
        ("rehearsal-plan", "plan"),
        ("rehearsal-apply", "destroy", *others),
        ("moto", "destroy", "access"),
    ]


def test_what_a_role_was_denied_and_does_not_need_is_reported(aws: LocalAws, rehearsal: ScriptedRehearsal):
    settings = rehearsal.settings
    create_roles(aws, settings.names, settings.access.repository, apply=["sns:CreateTopic", "sns:Subscribe"])
    run_all_steps(rehearsal)
    report, names = rehearsal.report, settings.names
    topic = f"arn:aws:sns:{aws.region}:{ACCOUNT}:{names.resource_name('orders')}"
    assert report.denied_calls == [
        f"{names.resource_name('plan')}: sns:CreateTopic on {topic} because no identity-based policy allows the "
        "sns:CreateTopic action"
    ]
    assert "apply: sns:Subscribe" in report.idle_actions
    assert report.idle_statements == [f"{names.resource_name('apply')}: own/snsSubscribe"]
    assert {line.partition(" ")[0] for line in report.problems} >= {"denied", "action", "statement"}


def test_a_smaller_environment_may_not_need_everything(aws: LocalAws, rehearsal: ScriptedRehearsal, tmp_path: Path):
    rehearsal.settings = load_settings("dev", tmp_path / "dev", {"account": ACCOUNT})
    create_roles(aws, rehearsal.settings.names, rehearsal.settings.access.repository, apply=["sns:Subscribe"])
    run_all_steps(rehearsal)
    assert rehearsal.report.idle_actions == rehearsal.report.idle_statements == []
    assert len(rehearsal.report.denied_calls) == 2


def test_the_statements_of_tasks_are_not_needed_as_none_runs(aws: LocalAws, rehearsal: ScriptedRehearsal):
    names, iam = rehearsal.settings.names, aws.client("iam")
    mount = {"Sid": "UseFiles", "Effect": "Allow", "Action": "elasticfilesystem:ClientMount", "Resource": "*"}
    for name in ("service-task", "service"):
        role = names.resource_name(name)
        iam.create_role(RoleName=role, Path=names.role_path, AssumeRolePolicyDocument=document(TRUST))
        iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=document(mount))
    assert list(idle_statements(aws.gateway.authorizer, names)) == [f"{names.resource_name('service')}: own/UseFiles"]


def test_a_boundary_is_needed_by_all_roles_together(aws: LocalAws, rehearsal: ScriptedRehearsal):
    names, iam = rehearsal.settings.names, aws.client("iam")
    # The third has a reason.
    sids = ("sns", "sqs", "Files")
    limits = [{"Sid": sid, "Effect": "Allow", "Action": f"{sid.lower()}:*", "Resource": "*"} for sid in sids]
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=document(*limits))["Policy"]["Arn"]
    role = iam.create_role(
        RoleName=names.resource_name("one"),
        Path=names.role_path,
        AssumeRolePolicyDocument=document(TRUST),
        PermissionsBoundary=boundary,
    )["Role"]["Arn"]
    authorizer = aws.gateway.authorizer
    authorizer.records[role].statements.add(next(iter(authorizer.boundary(cast(Any, authorizer.role(role))) or ())))
    assert list(idle_statements(authorizer, names)) == ["boundary: boundary/sqs"]


def test_a_write_of_the_plan_role_is_not_needed_because_the_apply_role_makes_it(
    aws: LocalAws, rehearsal: ScriptedRehearsal
):
    names, records = rehearsal.settings.names, aws.gateway.authorizer.records
    records[names.deployer_role_arn("plan")].actions |= {"s3:GetObject", "sns:ListTagsForResource"}
    records[names.deployer_role_arn("apply")].actions |= {"sns:GetTopicAttributes", "s3:PutObject"}
    Deployers(cast(Rehearsal, cast(Any, rehearsal))).check_permissions()
    unused = rehearsal.report.idle_actions
    # The plan role writes locks.
    assert "plan: s3:PutObject" in unused
    assert not {"plan: sns:GetTopicAttributes", "apply: sns:ListTagsForResource", "apply: s3:PutObject"} & set(unused)
