"""Who deploys: two roles, whom they trust, what they have, and what bounds them."""

from fnmatch import fnmatchcase
from typing import Any

import pytest

from stacks.settings import Environment
from synthesized.policy_statements import as_list, statements_of
from tests.integration.deployed import DeployedEnvironment, Response
from tests.integration.expectations import Superset, expect, expect_each

ISSUER = "token.actions.githubusercontent.com"
NEVER = ("secretsmanager:GetSecretValue", "rds-db:connect", "iam:DeleteRolePermissionsBoundary")


@pytest.fixture(scope="session")
def roles(found: DeployedEnvironment) -> dict[str, Response]:
    """The roles of the deployers' path, by ARN."""
    listed_roles = found.list_all("iam", "list_roles", "Roles", PathPrefix=found.names.access_path)
    names = [role["RoleName"] for role in listed_roles]
    return {role["Arn"]: role for role in (found.call("iam", "get_role", RoleName=name)["Role"] for name in names)}


def document_of(found: DeployedEnvironment, policy: str) -> Response:
    """What a policy says now."""
    version = found.call("iam", "get_policy", PolicyArn=policy)["Policy"]["DefaultVersionId"]
    asked = {"PolicyArn": policy, "VersionId": version}
    return found.call("iam", "get_policy_version", **asked)["PolicyVersion"]["Document"]


def test_there_are_two_roles_of_ours(found: DeployedEnvironment, roles: dict[str, Response]):
    ours = {
        f"arn:aws:iam::{found.settings.account}:role{found.names.access_path}{found.names.resource_name(what)}": what
        for what in ("plan", "apply")
    }
    tags = {arn: {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])} for arn, role in roles.items()}
    whose = {arn: {name: tags[arn].get(name) for name in found.expected_tags} for arn in roles}
    expect_each("tags", whose, dict.fromkeys(ours, found.expected_tags))


def test_roles_are_taken_on_by_one_repository_for_one_purpose(settings: Environment, roles: dict[str, Response]):
    subjects = {"plan": "pull_request", "apply": f"environment:{settings.name}"}
    told: dict[str, Any] = {}
    wanted: dict[str, Any] = {}
    for arn, role in roles.items():
        for statement in statements_of(role["AssumeRolePolicyDocument"]):
            conditions = statement.get("Condition", {}).get("StringEquals", {})
            who = sorted(as_list(found) for found in statement["Principal"].values())
            told[f"{arn}: {statement.get('Sid')}"] = (
                who,
                as_list(statement["Action"]),
                {key: as_list(value) for key, value in conditions.items()},
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


def test_roles_have_policies_of_the_stack_alone(found: DeployedEnvironment, roles: dict[str, Response]):
    beside: dict[str, Any] = {}
    for arn, role in roles.items():
        name = {"RoleName": role["RoleName"]}
        attached = found.list_all("iam", "list_attached_role_policies", "AttachedPolicies", **name)
        others = {one["PolicyArn"] for one in attached if f":policy{found.names.access_path}" not in one["PolicyArn"]}
        beside[arn] = others | set(found.list_all("iam", "list_role_policies", "PolicyNames", **name))
    expect("other policies", beside, set[str]())


def test_roles_are_bounded(found: DeployedEnvironment, roles: dict[str, Response]):
    boundary = f"arn:aws:iam::{found.settings.account}:policy{found.names.access_path}"
    boundaries = {arn: role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn") for arn, role in roles.items()}
    expect("boundary", boundaries, f"{boundary}{found.names.resource_name('deployment-boundary')}")


def test_the_boundary_denies_what_no_deployment_may(found: DeployedEnvironment):
    path = found.names.access_path
    boundary = f"arn:aws:iam::{found.settings.account}:policy{path}{found.names.resource_name('deployment-boundary')}"
    patterns = [
        pattern
        for statement in statements_of(document_of(found, boundary))
        if statement["Effect"] == "Deny"
        and as_list(statement.get("Resource")) == ["*"]
        and "Condition" not in statement
        for pattern in as_list(statement["Action"])
    ]
    denied = {action for action in NEVER if any(fnmatchcase(action, pattern) for pattern in patterns)}
    expect("denied", {boundary: denied}, Superset(NEVER))


def test_github_is_known_by_tokens_for_aws_alone(found: DeployedEnvironment):
    provider = found.names.oidc_provider_arn
    answer = found.call("iam", "get_open_id_connect_provider", OpenIDConnectProviderArn=provider)
    expect(
        "audience",
        {provider: (answer["Url"].removeprefix("https://"), answer["ClientIDList"])},
        (ISSUER, ["sts.amazonaws.com"]),
    )
