"""Permissions of the deployer roles compared with API calls: denied calls, and unused actions."""

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
def test_iam_action_of_a_call(call: str, action: str):
    assert action_of(call) == action


def test_apply_role_allows_deployment_and_plan_role_no_writes(prod: Platform):
    assert denied_calls(CALLS, "apply", prod) == []
    assert denied_calls(CALLS, "plan", prod) == [
        "ec2:CreateVpc (ec2:CreateVpc)",
        "monitoring:PutMetricAlarm (cloudwatch:PutMetricAlarm)",
    ]


def test_calls_by_a_teardown_are_mapped_to_iam_actions(dev: Platform, prod: Platform):
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
    assert denied_calls(calls, "apply", prod) == [
        "s3:DeleteObjects (s3:BypassGovernanceRetention)",
        "s3:DeleteObjects (s3:DeleteObjectVersion)",
    ]


def test_a_call_is_denied_without_what_aws_requires_of_its_caller(prod: Platform):
    calls = ["secretsmanager:RotateSecret"]
    assert denied_calls(calls, "apply", prod) == []
    without = with_statement_changed(prod, "access_service-permissions", "Rotation", effect="Deny")
    assert denied_calls(calls, "apply", without) == ["secretsmanager:RotateSecret (lambda:InvokeFunction)"]


def test_calls_without_permission_are_never_denied(prod: Platform):
    assert denied_calls(CALLS_WITHOUT_PERMISSION, "plan", prod) == []


def test_actions_outside_the_boundary_are_denied(prod: Platform):
    narrow = with_statement_changed(prod, "access_boundary-permissions", "Region", actions=["s3:*"])
    assert denied_calls(CALLS, "apply", narrow) == [
        "ec2:CreateVpc (ec2:CreateVpc)",
        "ec2:DescribeVpcs (ec2:DescribeVpcs)",
        "monitoring:PutMetricAlarm (cloudwatch:PutMetricAlarm)",
    ]


def test_unconditionally_denied_actions_are_denied(prod: Platform):
    assert denied_calls(["secretsmanager:GetSecretValue", "rds:DeleteDBCluster"], "apply", prod) == [
        "rds:DeleteDBCluster (rds:DeleteDBCluster)",
        "secretsmanager:GetSecretValue (secretsmanager:GetSecretValue)",
    ]


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


@dataclass
class ScriptedRehearsal:
    """A rehearsal in which Terraform makes the given calls."""

    platform: Platform
    production: bool = True
    calls: Counter[str] = field(default_factory=Counter)
    done: list[tuple[str, ...]] = field(default_factory=list)
    calls_by_step: dict[str, set[str]] = field(default_factory=dict)
    report: Report = field(default_factory=lambda: Report("prod"))

    @property
    def aws(self) -> SimpleNamespace:
        return SimpleNamespace(gateway=SimpleNamespace(terraform_calls=self.calls))

    @property
    def settings(self) -> SimpleNamespace:
        return SimpleNamespace(production=self.production)

    def _do(self, *what: str) -> None:
        self.done.append(what)
        self.calls.update(self.calls_by_step.get(what[0], set()) if what[1:] != ("access",) else {"iam:CreatePolicy"})

    def deploy(self, *tiers: str) -> None:
        self._do("deploy", *tiers)

    def plan_again(self) -> None:
        self._do("plan")

    def destroy(self, *tiers: str) -> None:
        self._do("destroy", *tiers)


Make = Callable[..., tuple[ScriptedRehearsal, Deployers]]


@pytest.fixture
def make(prod: Platform) -> Make:
    def make(production: bool = False, **calls_by_step: set[str]) -> tuple[ScriptedRehearsal, Deployers]:
        rehearsal = ScriptedRehearsal(prod, production, calls_by_step=calls_by_step)
        return rehearsal, Deployers(cast(Rehearsal, cast(Any, rehearsal)))

    return make


def run_all_steps(deployers: Deployers) -> None:
    deployers.deploy_access()
    deployers.deploy()
    deployers.plan_again()
    deployers.check_permissions()
    deployers.destroy()


def test_access_tier_is_deployed_first_and_destroyed_last(make: Make, prod: Platform):
    rehearsal, deployers = make(deploy={"ec2:CreateVpc"}, plan={"ec2:DescribeVpcs"}, destroy={"ec2:DeleteVpc"})
    run_all_steps(deployers)
    others = tuple(tier for tier in prod.stacks if tier != "access")
    assert rehearsal.done == [
        ("deploy", "access"),
        ("deploy", *others),
        ("plan",),
        ("destroy", *others),
        ("destroy", "access"),
    ]
    assert rehearsal.report.denied_calls == []


def test_denied_calls_are_reported(make: Make):
    rehearsal, deployers = make(deploy={"ec2:RunInstances"}, plan={"ec2:CreateVpc"}, destroy={"rds:DeleteDBCluster"})
    run_all_steps(deployers)
    assert rehearsal.report.denied_calls == [
        "apply: ec2:RunInstances (ec2:RunInstances)",
        "plan: ec2:CreateVpc (ec2:CreateVpc)",
        "apply: rds:DeleteDBCluster (rds:DeleteDBCluster)",
    ]
    assert any(
        "call denied to the deployer role: apply: ec2:RunInstances" in line for line in rehearsal.report.problems
    )


def test_unused_actions_are_reported_in_production_only(make: Make):
    calls = {"deploy": {"sns:CreateTopic"}, "plan": {"sns:GetTopicAttributes"}}
    rehearsal, deployers = make(production=True, **calls)
    run_all_steps(deployers)
    assert "apply: sns:Subscribe" in rehearsal.report.idle_actions
    assert "plan: sns:ListTagsForResource" in rehearsal.report.idle_actions
    assert any(
        "action not needed by the deployer role: apply: sns:Subscribe" in line for line in rehearsal.report.problems
    )
    rehearsal, deployers = make(production=False, **calls)
    run_all_steps(deployers)
    assert rehearsal.report.idle_actions == []
