"""The roles that deploy, held against calls: those that they may not make, and actions that nothing asked for."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rehearsal.deployers import Deployers
from rehearsal.one_environment import Rehearsal
from rehearsal.report import Report
from synthesized.permissions import CALLS_WITHOUT_PERMISSION, action_of, denied_calls, unused_actions
from synthesized.platform import Platform
from synthesized.policy_statements import as_list
from synthesized.roles import roles_of
from tests.policy.planted import with_statement, with_statement_changed

CALLS = {"ec2:CreateVpc", "ec2:DescribeVpcs", "monitoring:PutMetricAlarm", "s3:HeadObject", "sts:GetCallerIdentity"}


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
def test_a_call_is_known_by_the_action_that_iam_has_for_it(call: str, action: str):
    assert action_of(call) == action


def test_who_applies_may_make_the_calls_of_a_deployment_and_who_plans_no_writes(prod: Platform):
    assert denied_calls(CALLS, "apply", prod) == []
    assert denied_calls(CALLS, "plan", prod) == [
        "ec2:CreateVpc (ec2:CreateVpc)",
        "monitoring:PutMetricAlarm (cloudwatch:PutMetricAlarm)",
    ]


def test_a_teardown_asks_by_names_that_iam_does_not_have(dev: Platform, prod: Platform):
    calls = [
        "backup:ListRecoveryPointsByBackupVault",
        "s3:DeleteBucketEncryption",
        "s3:DeleteBucketLifecycle",
        "s3:DeleteBucketOwnershipControls",
        "s3:DeleteObjects",
        "s3:DeletePublicAccessBlock",
        "s3:ListObjectVersions",
    ]
    assert denied_calls(calls, "apply", dev) == []
    assert denied_calls(calls, "apply", prod) == ["s3:DeleteObjects (s3:DeleteObjectVersion)"]


def test_what_needs_no_permission_is_denied_to_nobody(prod: Platform):
    assert denied_calls(CALLS_WITHOUT_PERMISSION, "plan", prod) == []


def test_what_the_boundary_leaves_out_is_denied(prod: Platform):
    narrow = with_statement_changed(prod, "access_boundary-permissions", "Region", actions=["s3:*"])
    assert denied_calls(CALLS, "apply", narrow) == [
        "ec2:CreateVpc (ec2:CreateVpc)",
        "ec2:DescribeVpcs (ec2:DescribeVpcs)",
        "monitoring:PutMetricAlarm (cloudwatch:PutMetricAlarm)",
    ]


def test_what_is_denied_whatever_it_is_about_is_denied(prod: Platform):
    assert denied_calls(["secretsmanager:GetSecretValue", "rds:DeleteDBCluster"], "apply", prod) == [
        "rds:DeleteDBCluster (rds:DeleteDBCluster)",
        "secretsmanager:GetSecretValue (secretsmanager:GetSecretValue)",
    ]


def test_an_action_that_nothing_asked_for_is_idle_where_its_service_was_asked(prod: Platform):
    planted = with_statement(
        prod,
        "access_identities-permissions",
        sid="Planted",
        effect="Allow",
        actions=["ec2:RunInstances", "glue:CreateJob"],
        resources=["*"],
    )
    asked = {
        action for role in roles_of(prod, "access") for each in role.statements for action in as_list(each["Action"])
    }
    assert unused_actions(asked, "apply", prod) == []
    assert unused_actions(asked, "apply", planted) == ["ec2:RunInstances"]
    assert unused_actions(asked - {"ec2:DescribeVpcs"}, "plan", prod) == ["ec2:DescribeVpcs"]


def test_changes_and_losses_are_idle_for_a_reason(prod: Platform):
    idle = unused_actions({"ec2:CreateVpc"}, "apply", prod)
    assert "ec2:CreateSubnet" in idle
    assert not {"ec2:DeleteVpc", "ec2:ModifyVpcAttribute", "ec2:DeleteTags"} & set(idle)


@dataclass
class Scripted:
    """A rehearsal in which Terraform makes the calls that it is told to."""

    platform: Platform
    production: bool = True
    calls: Counter[str] = field(default_factory=Counter)
    done: list[tuple[str, ...]] = field(default_factory=list)
    makes: dict[str, set[str]] = field(default_factory=dict)
    report: Report = field(default_factory=lambda: Report("prod"))

    @property
    def aws(self) -> SimpleNamespace:
        return SimpleNamespace(gateway=SimpleNamespace(terraform_calls=self.calls))

    @property
    def settings(self) -> SimpleNamespace:
        return SimpleNamespace(production=self.production)

    def _do(self, *what: str) -> None:
        self.done.append(what)
        self.calls.update(self.makes.get(what[0], set()) if what[1:] != ("access",) else {"iam:CreatePolicy"})

    def deploy(self, *tiers: str) -> None:
        self._do("deploy", *tiers)

    def plan_again(self) -> None:
        self._do("plan")

    def destroy(self, *tiers: str) -> None:
        self._do("destroy", *tiers)


Make = Callable[..., tuple[Scripted, Deployers]]


@pytest.fixture
def make(prod: Platform) -> Make:
    def make(production: bool = False, **makes: set[str]) -> tuple[Scripted, Deployers]:
        scripted = Scripted(prod, production, makes=makes)
        return scripted, Deployers(cast(Rehearsal, cast(Any, scripted)))

    return make


def everything(deployers: Deployers) -> None:
    deployers.deploy_access()
    deployers.deploy()
    deployers.plan_again()
    deployers.check_permissions()
    deployers.destroy()


def test_an_administrator_gives_access_first_and_takes_it_last(make: Make, prod: Platform):
    scripted, deployers = make(deploy={"ec2:CreateVpc"}, plan={"ec2:DescribeVpcs"}, destroy={"ec2:DeleteVpc"})
    everything(deployers)
    others = tuple(tier for tier in prod.stacks if tier != "access")
    assert scripted.done == [
        ("deploy", "access"),
        ("deploy", *others),
        ("plan",),
        ("destroy", *others),
        ("destroy", "access"),
    ]
    assert scripted.report.denied_calls == []


def test_calls_that_are_not_theirs_to_make_are_told(make: Make):
    scripted, deployers = make(deploy={"ec2:RunInstances"}, plan={"ec2:CreateVpc"}, destroy={"rds:DeleteDBCluster"})
    everything(deployers)
    assert scripted.report.denied_calls == [
        "apply: ec2:RunInstances (ec2:RunInstances)",
        "plan: ec2:CreateVpc (ec2:CreateVpc)",
        "apply: rds:DeleteDBCluster (rds:DeleteDBCluster)",
    ]
    assert any("may not make this call: apply: ec2:RunInstances" in line for line in scripted.report.problems)


def test_what_is_idle_is_told_in_production_alone(make: Make):
    calls = {"deploy": {"sns:CreateTopic"}, "plan": {"sns:GetTopicAttributes"}}
    scripted, deployers = make(production=True, **calls)
    everything(deployers)
    assert "apply: sns:Subscribe" in scripted.report.idle_actions
    assert "plan: sns:ListTagsForResource" in scripted.report.idle_actions
    assert any("has no need of this action: apply: sns:Subscribe" in line for line in scripted.report.problems)
    scripted, deployers = make(production=False, **calls)
    everything(deployers)
    assert scripted.report.idle_actions == []
