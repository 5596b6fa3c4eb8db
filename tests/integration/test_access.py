"""Who deploys: two roles, whom they trust, what they have, and what bounds them."""

from fnmatch import fnmatchcase
from typing import Any

import pytest

from stacks.settings import Environment
from synthesized.policies import listed, statements
from tests.integration.expectations import Including, expect, expect_each
from tests.integration.found import Answer, Found

ISSUER = "token.actions.githubusercontent.com"
NEVER = ("secretsmanager:GetSecretValue", "rds-db:connect", "iam:DeleteRolePermissionsBoundary")


@pytest.fixture(scope="session")
def roles(found: Found) -> dict[str, Answer]:
    """The roles of the deployers' path, by ARN."""
    listed_roles = found.every("iam", "list_roles", "Roles", PathPrefix=found.names.access_path)
    names = [role["RoleName"] for role in listed_roles]
    return {role["Arn"]: role for role in (found.answer("iam", "get_role", RoleName=name)["Role"] for name in names)}


def document_of(found: Found, policy: str) -> Answer:
    """What a policy says now."""
    version = found.answer("iam", "get_policy", PolicyArn=policy)["Policy"]["DefaultVersionId"]
    asked = {"PolicyArn": policy, "VersionId": version}
    return found.answer("iam", "get_policy_version", **asked)["PolicyVersion"]["Document"]


def test_there_are_two_roles_of_ours(found: Found, roles: dict[str, Answer]):
    ours = {
        f"arn:aws:iam::{found.settings.account}:role{found.names.access_path}{found.names.of_resource(what)}": what
        for what in ("plan", "apply")
    }
    tags = {arn: {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])} for arn, role in roles.items()}
    whose = {arn: {name: tags[arn].get(name) for name in found.wanted} for arn in roles}
    expect_each("tags", whose, dict.fromkeys(ours, found.wanted))


def test_roles_are_taken_on_by_one_repository_for_one_purpose(settings: Environment, roles: dict[str, Answer]):
    subjects = {"plan": "pull_request", "apply": f"environment:{settings.name}"}
    told: dict[str, Any] = {}
    wanted: dict[str, Any] = {}
    for arn, role in roles.items():
        for statement in statements(role["AssumeRolePolicyDocument"]):
            conditions = statement.get("Condition", {}).get("StringEquals", {})
            who = sorted(listed(found) for found in statement["Principal"].values())
            told[f"{arn}: {statement.get('Sid')}"] = (
                who,
                listed(statement["Action"]),
                {key: listed(value) for key, value in conditions.items()},
            )
        subject = subjects[role["RoleName"].rpartition("-")[2]]
        access = settings.access
        provider = f"arn:aws:iam::{settings.account}:oidc-provider/{ISSUER}"
        wanted[f"{arn}: GitHub"] = (
            [[provider]],
            ["sts:AssumeRoleWithWebIdentity"],
            {f"{ISSUER}:aud": ["sts.amazonaws.com"], f"{ISSUER}:sub": [f"repo:{access.repository}:{subject}"]},
        )
        if access.atlantis_role:
            wanted[f"{arn}: Atlantis"] = ([[access.atlantis_role]], ["sts:AssumeRole"], {})
    expect_each("trust", told, wanted)


def test_roles_have_policies_of_the_stack_alone(found: Found, roles: dict[str, Answer]):
    beside: dict[str, Any] = {}
    for arn, role in roles.items():
        name = {"RoleName": role["RoleName"]}
        attached = found.every("iam", "list_attached_role_policies", "AttachedPolicies", **name)
        others = {one["PolicyArn"] for one in attached if f":policy{found.names.access_path}" not in one["PolicyArn"]}
        beside[arn] = others | set(found.every("iam", "list_role_policies", "PolicyNames", **name))
    expect("other policies", beside, set[str]())


def test_roles_are_bounded(found: Found, roles: dict[str, Answer]):
    boundary = f"arn:aws:iam::{found.settings.account}:policy{found.names.access_path}"
    boundaries = {arn: role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn") for arn, role in roles.items()}
    expect("boundary", boundaries, f"{boundary}{found.names.of_resource('deployment-boundary')}")


def test_the_boundary_denies_what_no_deployment_may(found: Found):
    path = found.names.access_path
    boundary = f"arn:aws:iam::{found.settings.account}:policy{path}{found.names.of_resource('deployment-boundary')}"
    patterns = [
        pattern
        for statement in statements(document_of(found, boundary))
        if statement["Effect"] == "Deny" and listed(statement.get("Resource")) == ["*"] and "Condition" not in statement
        for pattern in listed(statement["Action"])
    ]
    denied = {action for action in NEVER if any(fnmatchcase(action, pattern) for pattern in patterns)}
    expect("denied", {boundary: denied}, Including(NEVER))


def test_github_is_known_by_tokens_for_aws_alone(found: Found):
    provider = found.names.oidc_provider
    answer = found.answer("iam", "get_open_id_connect_provider", OpenIDConnectProviderArn=provider)
    expect(
        "audience",
        {provider: (answer["Url"].removeprefix("https://"), answer["ClientIDList"])},
        (ISSUER, ["sts.amazonaws.com"]),
    )
