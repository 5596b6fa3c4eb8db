"""The access tier: two roles, whom they trust, what they are given, and what bounds them."""

import json
from pathlib import Path
from typing import Any

import pytest

from main import build
from operations.platform import Platform
from operations.roles import roles_of
from stacks.parts.deployment.identities import DESTROYS, PASSED_TO, POLICIES_OF_AWS
from stacks.parts.deployment.policies import WRITES
from stacks.settings import load_environments
from tests.conftest import ENVIRONMENTS, Synthesize, as_toml, changed
from tests.policy.decisions import decide
from tests.policy.deployers import sizes
from tests.synthesized import TIERS, bodies, conditions, has, only, statements

# isort: split
from cdktf import App

pytestmark = pytest.mark.tiers("access")
of_all_tiers = pytest.mark.tiers(*TIERS)

ISSUER = "token.actions.githubusercontent.com"
PROVIDER = "${aws_iam_openid_connect_provider.access_github.arn}"
IAM = "arn:aws:iam::111122223333"
HERE = "us-west-1:111122223333"


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_it_needs_no_other_tier_and_none_needs_it(platforms: dict[str, Platform], name: str):
    stacks = platforms[name].stacks
    assert not stacks["access"].depends_on
    assert not [tier for tier, stack in stacks.items() if f"{name}-access" in stack.depends_on]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_there_are_two_roles_with_names_that_workflows_can_know(platforms: dict[str, Platform], name: str):
    roles = bodies(platforms[name], "aws_iam_role", "access")
    assert {role["name"] for role in roles.values()} == {f"globecart-{name}-plan", f"globecart-{name}-apply"}
    for role in roles.values():
        assert has(
            platforms[name],
            "access",
            "aws_iam_role",
            name=role["name"],
            path=f"/globecart-access/{name}/",
            permissions_boundary="${aws_iam_policy.boundary-policy.arn}",
            max_session_duration=3600,
        )


@pytest.mark.parametrize(("role", "workflows"), [("plan", "pull_request"), ("apply", "environment:prod")])
def test_a_role_is_for_one_purpose_of_one_repository(prod: Platform, role: str, workflows: str):
    trust = statements(prod, "access", f"{role}-trust")
    assert list(trust) == ["GitHub"]
    assert trust["GitHub"]["actions"] == ["sts:AssumeRoleWithWebIdentity"]
    assert trust["GitHub"]["principals"] == [{"type": "Federated", "identifiers": [PROVIDER]}]
    assert conditions(trust["GitHub"]) == {
        f"StringEquals {ISSUER}:aud": ["sts.amazonaws.com"],
        f"StringEquals {ISSUER}:sub": [f"repo:globecart/platform:{workflows}"],
    }


def test_the_account_knows_github_by_a_provider_that_the_stack_makes(prod: Platform):
    assert has(
        prod,
        "access",
        "aws_iam_openid_connect_provider",
        url=f"https://{ISSUER}",
        client_id_list=["sts.amazonaws.com"],
    )


def test_a_provider_that_is_there_already_is_named_and_not_made(synthesize: Synthesize):
    there = f"{IAM}:oidc-provider/{ISSUER}"
    platform = synthesize("prod", {"access": {"oidc_provider": there}})
    assert not platform.of_type("aws_iam_openid_connect_provider")
    for role in ("plan", "apply"):
        (principal,) = statements(platform, "access", f"{role}-trust")["GitHub"]["principals"]
        assert principal == {"type": "Federated", "identifiers": [there]}


def test_atlantis_takes_on_both_by_its_servers_role(synthesize: Synthesize):
    server = "arn:aws:iam::999900001111:role/atlantis/server"
    platform = synthesize("prod", {"access": {"atlantis_role": server}})
    for role in ("plan", "apply"):
        trusted = statements(platform, "access", f"{role}-trust")["Atlantis"]
        assert trusted["actions"] == ["sts:AssumeRole"]
        assert trusted["principals"] == [{"type": "AWS", "identifiers": [server]}]


def test_who_plans_gets_no_policy_that_writes_but_for_locks(prod: Platform):
    attached = bodies(prod, "aws_iam_role_policy_attachment", "access").values()
    of_plan = {each["policy_arn"] for each in attached if each["role"] == "${aws_iam_role.access_plan.name}"}
    assert of_plan == {f"${{aws_iam_policy.access_{what}-policy.arn}}" for what in ("reads", "reads-by-name", "states")}
    allowed = [each for each in statements(prod, "access", "states-permissions").values() if each["effect"] == "Allow"]
    writes = {action for each in allowed for action in each["actions"] if ":Put" in action or ":Delete" in action}
    assert writes == {"s3:PutObject", "s3:DeleteObject"}
    (locks,) = {tuple(each["resources"]) for each in allowed if "s3:PutObject" in each["actions"]}
    assert locks == ("arn:aws:s3:::globecart-prod-state-111122223333-us-west-1/prod/*.tfstate.tflock",)


def test_who_plans_is_denied_what_is_in_secrets_buckets_and_the_database(prod: Platform):
    denied = statements(prod, "access", "states-permissions")
    assert denied["NoSecrets"]["effect"] == "Deny"
    assert denied["NoSecrets"]["resources"] == ["*"]
    assert {"secretsmanager:GetSecretValue", "ssm:GetParameter*", "rds-db:connect"} <= set(
        denied["NoSecrets"]["actions"]
    )
    state = "arn:aws:s3:::globecart-prod-state-111122223333-us-west-1/prod/*.tfstate"
    assert denied["NoObjects"]["effect"] == "Deny"
    assert denied["NoObjects"]["not_resources"] == [state, f"{state}.tflock"]
    assert "resources" not in denied["NoObjects"]
    assert denied["NoOtherKeys"]["actions"] == ["kms:Decrypt"]


def test_policies_fit_iam_even_with_the_longest_names(tmp_path: Path):
    """Twelve characters are what an environment's name may have, fourteen what a Region's has."""
    name = "a23456789012"
    table = changed("prod", {"region": "ap-southeast-1", "second_region": "ap-northeast-1"})
    table["network"]["zones"] = ["ap-southeast-1a", "ap-southeast-1b"]
    table["permissions_boundary"] = f"{IAM}:policy/globecart-{name}-boundary"
    for protected in (True, False):
        folder = tmp_path / str(protected)
        folder.mkdir()
        if not protected:
            table |= {"production": False, "deletion_protection": False}
        (folder / f"{name}.toml").write_text(as_toml(table), encoding="utf-8")
        (settings,) = load_environments(folder)
        app = App(outdir=str(folder / "out"))
        build(app, settings)
        app.synth()
        assert not list(sizes(Platform.read(folder / "out", name)))


@of_all_tiers
def test_services_that_get_roles_are_those_that_roles_are_for(prod: Platform):
    services = {
        service
        for role in roles_of(prod)
        if role.resource.tier != "access"
        for statement in role.trust
        for service in statement["Principal"]["Service"]
    }
    assert set(PASSED_TO) == services


@of_all_tiers
def test_policies_of_aws_that_may_be_attached_are_those_that_are(prod: Platform):
    attached = {
        each.body["policy_arn"] for each in prod.of_type("aws_iam_role_policy_attachment") if each.tier != "access"
    }
    assert set(POLICIES_OF_AWS) == attached


# What makes a resource that is known by its name: IAM's action, its ARN behind account and Region, the name's argument.
MADE: dict[str, tuple[str, str, str]] = {
    "aws_backup_vault": ("backup:CreateBackupVault", "backup-vault:{}", "name"),
    "aws_cloudtrail": ("cloudtrail:CreateTrail", "trail/{}", "name"),
    "aws_cloudwatch_composite_alarm": ("cloudwatch:PutCompositeAlarm", "alarm:{}", "alarm_name"),
    "aws_cloudwatch_event_rule": ("events:PutRule", "rule/{}", "name"),
    "aws_cloudwatch_log_group": ("logs:CreateLogGroup", "log-group:{}", "name"),
    "aws_cloudwatch_metric_alarm": ("cloudwatch:PutMetricAlarm", "alarm:{}", "alarm_name"),
    "aws_db_event_subscription": ("rds:CreateEventSubscription", "es:{}", "name"),
    "aws_db_parameter_group": ("rds:CreateDBParameterGroup", "pg:{}x", "name_prefix"),
    "aws_db_subnet_group": ("rds:CreateDBSubnetGroup", "subgrp:{}", "name"),
    "aws_ecr_repository": ("ecr:CreateRepository", "repository/{}", "name"),
    "aws_ecs_cluster": ("ecs:CreateCluster", "cluster/{}", "name"),
    "aws_ecs_service": ("ecs:CreateService", "service/globecart-prod-cluster/{}", "name"),
    "aws_elasticache_parameter_group": ("elasticache:CreateCacheParameterGroup", "parametergroup:{}", "name"),
    "aws_elasticache_replication_group": (
        "elasticache:CreateReplicationGroup",
        "replicationgroup:{}",
        "replication_group_id",
    ),
    "aws_elasticache_subnet_group": ("elasticache:CreateCacheSubnetGroup", "subnetgroup:{}", "name"),
    "aws_elasticache_user": ("elasticache:CreateUser", "user:{}", "user_id"),
    "aws_elasticache_user_group": ("elasticache:CreateUserGroup", "usergroup:{}", "user_group_id"),
    "aws_lambda_function": ("lambda:CreateFunction", "function:{}", "function_name"),
    "aws_rds_cluster": ("rds:CreateDBCluster", "cluster:{}", "cluster_identifier"),
    "aws_rds_cluster_instance": ("rds:CreateDBInstance", "db:{}", "identifier"),
    "aws_rds_cluster_parameter_group": ("rds:CreateDBClusterParameterGroup", "cluster-pg:{}x", "name_prefix"),
    "aws_scheduler_schedule": ("scheduler:CreateSchedule", "schedule/default/{}", "name"),
    "aws_secretsmanager_secret": ("secretsmanager:CreateSecret", "secret:{}-a1b2c3", "name"),
    "aws_sfn_state_machine": ("states:CreateStateMachine", "stateMachine:{}", "name"),
    "aws_sns_topic": ("sns:CreateTopic", "{}", "name"),
    "aws_wafv2_web_acl": ("wafv2:CreateWebACL", "regional/webacl/{}/1", "name"),
}


@of_all_tiers
@pytest.mark.parametrize("type_", MADE)
def test_who_applies_may_make_what_is_known_by_its_name(prod: Platform, type_: str):
    action, arn, argument = MADE[type_]
    made = prod.of_type(type_)
    assert made
    for resource in made:
        # What lies in the second Region is there by a provider of its own.
        region = "us-east-2:111122223333" if "provider" in resource.body else HERE
        resource_arn = f"arn:aws:{action.partition(':')[0]}:{region}:{arn.format(resource.body[argument])}"
        told: dict[str, Any] = {"aws__RequestedRegion": region.partition(":")[0]}
        assert decide(prod, "apply", action, resource_arn, **told) == "allowed", resource_arn


@of_all_tiers
def test_who_applies_may_make_buckets_aliases_dashboards_and_roles(prod: Platform):
    for bucket in bodies(prod, "aws_s3_bucket").values():
        assert decide(prod, "apply", "s3:CreateBucket", f"arn:aws:s3:::{bucket['bucket']}") == "allowed"
    for alias in prod.of_type("aws_kms_alias"):
        region = "us-east-2" if "provider" in alias.body else "us-west-1"
        arn = f"arn:aws:kms:{region}:111122223333:{alias.body['name']}"
        assert decide(prod, "apply", "kms:CreateAlias", arn) == "allowed"
    dashboard = only(prod, "aws_cloudwatch_dashboard")["dashboard_name"]
    arn = f"arn:aws:cloudwatch::111122223333:dashboard/{dashboard}"
    assert decide(prod, "apply", "cloudwatch:PutDashboard", arn) == "allowed"
    for role in prod.of_type("aws_iam_role"):
        if role.tier != "access":
            arn = f"{IAM}:role{role.body['path']}{role.body['name']}"
            bounded = {"iam__PermissionsBoundary": role.body["permissions_boundary"]}
            assert decide(prod, "apply", "iam:CreateRole", arn, **bounded) == "allowed"


def test_what_is_destroyed_is_something_that_can_be_made(prod: Platform):
    """A name that is mistyped in the table of losses would deny nothing."""
    granted = {action for grants in WRITES.values() for grant in grants for action in grant.named()}
    assert granted >= DESTROYS
    assert not DESTROYS & {
        action
        for name in WRITES
        for each in statements(prod, "access", f"{name}-permissions").values()
        for action in each["actions"]
    }


def test_outputs_say_which_roles_there_are(prod: Platform):
    outputs = json.loads(json.dumps(prod.stacks["access"].document))["output"]
    assert {"plan_role_arn", "apply_role_arn", "oidc_provider_arn"} <= outputs.keys()
