"""Deployer roles: trust, policies, and permissions boundary."""

from fnmatch import fnmatchcase
from typing import Any

import pytest

from stacks.settings import Environment
from synthesized.caller_permissions import CALLER_PERMISSIONS, CHECKING_SERVICES, fields_of
from synthesized.policy_statements import Statement, as_list, statements_of
from tests.integration.deployed import DeployedEnvironment, Response
from tests.integration.expectations import Superset, expect, expect_each

ISSUER = "token.actions.githubusercontent.com"
NEVER = ("secretsmanager:GetSecretValue", "rds-db:connect", "iam:DeleteRolePermissionsBoundary")


@pytest.fixture(scope="session")
def roles(deployed: DeployedEnvironment) -> dict[str, Response]:
    """Roles under the deployers' IAM path, by ARN."""
    listed_roles = deployed.list_all("iam", "list_roles", "Roles", PathPrefix=deployed.names.access_path)
    names = [role["RoleName"] for role in listed_roles]
    return {role["Arn"]: role for role in (deployed.call("iam", "get_role", RoleName=name)["Role"] for name in names)}


def document_of(deployed: DeployedEnvironment, policy: str) -> Response:
    """The document of a policy's default version."""
    version = deployed.call("iam", "get_policy", PolicyArn=policy)["Policy"]["DefaultVersionId"]
    response = deployed.call("iam", "get_policy_version", PolicyArn=policy, VersionId=version)
    return response["PolicyVersion"]["Document"]


@pytest.fixture(scope="session")
def statements(deployed: DeployedEnvironment, roles: dict[str, Response]) -> dict[str, list[Statement]]:
    """Statements of the managed policies of each role, by the role's ARN."""
    return {
        arn: [
            statement
            for one in deployed.list_all(
                "iam", "list_attached_role_policies", "AttachedPolicies", RoleName=role["RoleName"]
            )
            for statement in statements_of(document_of(deployed, one["PolicyArn"]))
        ]
        for arn, role in roles.items()
    }


def decision(statements: list[Statement], action: str, resource: str) -> str:
    """What policies say of an action on a resource, whatever the conditions of what they allow."""
    matching = {
        statement["Effect"]
        for statement in statements
        if any(fnmatchcase(action.lower(), pattern.lower()) for pattern in as_list(statement["Action"]))
        and applies(statement, resource)
        and not (statement["Effect"] == "Deny" and "Condition" in statement)
    }
    return "denied" if "Deny" in matching else "allowed" if matching else "not allowed"


def applies(statement: Statement, resource: str) -> bool:
    """Whether a statement is for a resource."""
    listed = as_list(statement.get("Resource") or statement["NotResource"])
    return any(fnmatchcase(resource, pattern) for pattern in listed) == ("Resource" in statement)


def test_deployer_roles_have_the_environments_tags(deployed: DeployedEnvironment, roles: dict[str, Response]):
    names = deployed.names
    path = f"arn:aws:iam::{deployed.settings.account}:role{names.access_path}"
    expected = [f"{path}{names.resource_name(role)}" for role in ("plan", "apply")]
    tags = {arn: {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])} for arn, role in roles.items()}
    identifying = {arn: {name: tags[arn].get(name) for name in deployed.expected_tags} for arn in roles}
    expect_each("tags", identifying, dict.fromkeys(expected, deployed.expected_tags))


def test_deployer_roles_trust_one_repository_for_one_purpose(settings: Environment, roles: dict[str, Response]):
    subjects = {"plan": "pull_request", "apply": f"environment:{settings.name}"}
    trust: dict[str, Any] = {}
    wanted: dict[str, Any] = {}
    for arn, role in roles.items():
        for statement in statements_of(role["AssumeRolePolicyDocument"]):
            conditions = statement.get("Condition", {}).get("StringEquals", {})
            principals = sorted(as_list(principal) for principal in statement["Principal"].values())
            trust[f"{arn}: {statement.get('Sid')}"] = (
                principals,
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
    expect_each("trust", trust, wanted)


def test_deployer_roles_have_policies_of_the_stack_only(deployed: DeployedEnvironment, roles: dict[str, Response]):
    other_policies: dict[str, Any] = {}
    for arn, role in roles.items():
        name = {"RoleName": role["RoleName"]}
        attached = deployed.list_all("iam", "list_attached_role_policies", "AttachedPolicies", **name)
        others = {
            one["PolicyArn"] for one in attached if f":policy{deployed.names.access_path}" not in one["PolicyArn"]
        }
        other_policies[arn] = others | set(deployed.list_all("iam", "list_role_policies", "PolicyNames", **name))
    expect("other policies", other_policies, set[str]())


@pytest.mark.parametrize("service", CHECKING_SERVICES)
def test_deployer_roles_have_the_permissions_that_a_service_checks(
    deployed: DeployedEnvironment, statements: dict[str, list[Statement]], service: str
):
    fields = fields_of(deployed.names)
    needed = {
        f"{arn}: {action} on {resource}": decision(of_role, action, resource)
        for arn, of_role in statements.items()
        for granted in [{action for one in of_role if one["Effect"] == "Allow" for action in as_list(one["Action"])}]
        for permission in CALLER_PERMISSIONS
        for resource in [permission.resource.format(**fields)]
        if permission.calls.startswith(f"{service}:") and granted & set(permission.calls.split())
        for action in permission.actions.split()
    }
    expect(f"permission that {service} checks", needed, "allowed")


def test_audit_archive_can_be_emptied_only_without_deletion_protection(
    deployed: DeployedEnvironment, settings: Environment, statements: dict[str, list[Statement]]
):
    archive = f"arn:aws:s3:::{deployed.names.bucket_name('audit')}/object"
    bypass = {
        arn: decision(of_role, "s3:BypassGovernanceRetention", archive)
        for arn, of_role in statements.items()
        if arn.endswith("-apply")
    }
    expect("s3:BypassGovernanceRetention", bypass, "denied" if settings.deletion_protection else "allowed")


def test_deployer_roles_cannot_read_logs(deployed: DeployedEnvironment, statements: dict[str, list[Statement]]):
    reads = {
        f"{arn}: {bucket}": decision(of_role, "s3:GetObject", f"{bucket}/object")
        for arn, of_role in statements.items()
        for bucket in deployed.arns("s3", "")
    }
    expect("s3:GetObject", reads, "denied")


def test_deployer_roles_have_the_boundary(deployed: DeployedEnvironment, roles: dict[str, Response]):
    boundary = f"arn:aws:iam::{deployed.settings.account}:policy{deployed.names.access_path}"
    boundaries = {arn: role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn") for arn, role in roles.items()}
    expect("boundary", boundaries, f"{boundary}{deployed.names.resource_name('deployment-boundary')}")


def test_boundary_denies_actions_that_no_deployment_may_use(deployed: DeployedEnvironment):
    path = deployed.names.access_path
    boundary = (
        f"arn:aws:iam::{deployed.settings.account}:policy{path}{deployed.names.resource_name('deployment-boundary')}"
    )
    patterns = [
        pattern
        for statement in statements_of(document_of(deployed, boundary))
        if statement["Effect"] == "Deny"
        and as_list(statement.get("Resource")) == ["*"]
        and "Condition" not in statement
        for pattern in as_list(statement["Action"])
    ]
    denied = {action for action in NEVER if any(fnmatchcase(action, pattern) for pattern in patterns)}
    expect("denied", {boundary: denied}, Superset(NEVER))


def test_oidc_provider_accepts_tokens_for_aws_only(deployed: DeployedEnvironment):
    provider = deployed.names.oidc_provider_arn
    response = deployed.call("iam", "get_open_id_connect_provider", OpenIDConnectProviderArn=provider)
    expect(
        "audience",
        {provider: (response["Url"].removeprefix("https://"), response["ClientIDList"])},
        (ISSUER, ["sts.amazonaws.com"]),
    )
