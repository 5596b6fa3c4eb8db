"""The access tier: trust policies, permissions and boundary of the deployment roles."""

import json
from pathlib import Path

import pytest

from stacks.access.deployer_policies import WRITES
from stacks.access.identities import DESTRUCTIVE_ACTIONS
from synthesized.platform import Platform
from tests.conftest import VARIANTS, Synthesize, changed_settings, only_tiers, synthesize_all, to_toml
from tests.failures import expect_none
from tests.policy.deployers import RULES, sizes
from tests.synthesized import bodies, conditions, has, statements

pytestmark = pytest.mark.tiers("access")

ISSUER = "token.actions.githubusercontent.com"
PROVIDER = "${aws_iam_openid_connect_provider.access_github.arn}"
IAM = "arn:aws:iam::111122223333"


def test_no_tier_depends_on_access_and_access_on_none(platforms: dict[str, Platform]):
    for name, platform in platforms.items():
        stacks = platform.stacks
        assert not stacks["access"].depends_on
        assert not [tier for tier, stack in stacks.items() if f"{name}-access" in stack.depends_on]


def test_both_roles_have_predictable_names(platforms: dict[str, Platform]):
    for name, platform in platforms.items():
        roles = bodies(platform, "aws_iam_role", "access")
        assert {role["name"] for role in roles.values()} == {f"acme-{name}-plan", f"acme-{name}-apply"}
        for role in roles.values():
            assert has(
                platform,
                "access",
                "aws_iam_role",
                name=role["name"],
                path=f"/acme-access/{name}/",
                permissions_boundary="${aws_iam_policy.access_boundary-policy.arn}",
                max_session_duration=3600,
            )


@pytest.mark.parametrize(("role", "workflows"), [("plan", "pull_request"), ("apply", "environment:prod")])
def test_a_role_trusts_one_kind_of_workflow_of_one_repository(prod: Platform, role: str, workflows: str):
    trust = statements(prod, "access", f"{role}-trust")
    assert list(trust) == ["GitHub"]
    assert trust["GitHub"]["actions"] == ["sts:AssumeRoleWithWebIdentity"]
    assert trust["GitHub"]["principals"] == [{"type": "Federated", "identifiers": [PROVIDER]}]
    assert conditions(trust["GitHub"]) == {
        f"StringEquals {ISSUER}:aud": ["sts.amazonaws.com"],
        f"StringEquals {ISSUER}:sub": [f"repo:acme/platform:{workflows}"],
    }


def test_the_subject_has_the_ids_of_owner_and_repository_if_the_settings_have_them(synthesize: Synthesize):
    prod = synthesize("prod", {"access": {"repository": "acme@1/platform@2"}})
    trust = statements(prod, "access", "plan-trust")["GitHub"]
    assert conditions(trust)[f"StringEquals {ISSUER}:sub"] == ["repo:acme@1/platform@2:pull_request"]
    expect_none(RULES["trust"](prod))


def test_the_stack_creates_the_oidc_provider_for_github(prod: Platform):
    assert has(
        prod,
        "access",
        "aws_iam_openid_connect_provider",
        url=f"https://{ISSUER}",
        client_id_list=["sts.amazonaws.com"],
    )


def test_an_existing_oidc_provider_is_used(variants: dict[str, Platform]):
    platform, existing = variants["prod"], f"{IAM}:oidc-provider/{ISSUER}"
    assert not platform.of_type("aws_iam_openid_connect_provider")
    for role in ("plan", "apply"):
        (principal,) = statements(platform, "access", f"{role}-trust")["GitHub"]["principals"]
        assert principal == {"type": "Federated", "identifiers": [existing]}


def test_the_atlantis_role_may_assume_both_roles(variants: dict[str, Platform]):
    platform, server = variants["prod"], VARIANTS["prod"]["access"]["atlantis_role"]
    for role in ("plan", "apply"):
        trusted = statements(platform, "access", f"{role}-trust")["Atlantis"]
        assert trusted["actions"] == ["sts:AssumeRole"]
        assert trusted["principals"] == [{"type": "AWS", "identifiers": [server]}]


def test_the_plan_role_may_write_nothing_but_lock_files(prod: Platform):
    attached = bodies(prod, "aws_iam_role_policy_attachment", "access").values()
    of_plan = {each["policy_arn"] for each in attached if each["role"] == "${aws_iam_role.access_plan.name}"}
    assert of_plan == {f"${{aws_iam_policy.access_{what}-policy.arn}}" for what in ("reads", "reads-by-name", "states")}
    allowed = [each for each in statements(prod, "access", "states-permissions").values() if each["effect"] == "Allow"]
    writes = {action for each in allowed for action in each["actions"] if ":Put" in action or ":Delete" in action}
    assert writes == {"s3:PutObject", "s3:DeleteObject"}
    (locks,) = {tuple(each["resources"]) for each in allowed if "s3:PutObject" in each["actions"]}
    assert locks == ("arn:aws:s3:::acme-prod-state-111122223333-eu-west-3/prod/*.tfstate.tflock",)


def test_the_plan_role_is_denied_secrets_objects_and_database_logins(prod: Platform):
    denied = statements(prod, "access", "states-permissions")
    assert denied["NoSecrets"]["effect"] == "Deny"
    assert denied["NoSecrets"]["resources"] == ["*"]
    assert {"secretsmanager:GetSecretValue", "ssm:GetParameter*", "rds-db:connect"} <= set(
        denied["NoSecrets"]["actions"]
    )
    state = "arn:aws:s3:::acme-prod-state-111122223333-eu-west-3/prod/*.tfstate"
    assert denied["NoObjects"]["effect"] == "Deny"
    assert denied["NoObjects"]["not_resources"] == [state, f"{state}.tflock"]
    assert "resources" not in denied["NoObjects"]
    assert denied["NoOtherKeys"]["actions"] == ["kms:Decrypt"]


def test_policies_fit_iams_size_limit_with_the_longest_names(tmp_path: Path):
    """An environment's name has at most 12 characters, a Region's 14."""
    name = "a23456789012"
    table = changed_settings("prod", {"region": "ap-southeast-1", "second_region": "ap-northeast-1"})
    table["network"]["zones"] = ["ap-southeast-1a", "ap-southeast-1b"]
    table["permissions_boundary"] = f"{IAM}:policy/acme-{name}-boundary"
    for protected in (True, False):
        folder = tmp_path / str(protected)
        folder.mkdir()
        if not protected:
            table |= {"production": False, "deletion_protection": False}
        (folder / f"{name}.toml").write_text(to_toml(table), encoding="utf-8")
        with only_tiers({"access"}):
            assert not list(sizes(synthesize_all(folder, folder / "out")[name]))


def test_every_destructive_action_is_granted_somewhere(prod: Platform):
    """A misspelled action in the table would deny nothing."""
    granted = {action for grants in WRITES.values() for grant in grants for action in grant.iam_actions()}
    assert granted >= DESTRUCTIVE_ACTIONS
    assert not DESTRUCTIVE_ACTIONS & {
        action
        for name in WRITES
        for each in statements(prod, "access", f"{name}-permissions").values()
        for action in each["actions"]
    }


def test_the_role_arns_are_outputs(prod: Platform):
    outputs = json.loads(json.dumps(prod.stacks["access"].document))["output"]
    assert {"plan_role_arn", "apply_role_arn", "oidc_provider_arn"} <= outputs.keys()
