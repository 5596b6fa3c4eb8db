"""Mutations for test_access.py: the deployer roles and their boundary."""

import json
from collections.abc import Callable
from typing import Any

from local_aws.server import LocalAws
from tests.changes.mutations import Mutation, Related


def role(aws: LocalAws, what: str) -> Any:
    """A deployer role, by the end of its name."""
    roles = aws.client("iam").get_paginator("list_roles").paginate(PathPrefix="/globecart-access/")
    (found,) = (one for page in roles for one in page["Roles"] if one["RoleName"].endswith(f"-{what}"))
    return found


def policy(aws: LocalAws, what: str) -> str:
    """ARN of a deployer policy, by the end of its name."""
    pages = aws.client("iam").get_paginator("list_policies").paginate(Scope="Local")
    (arn,) = (one["Arn"] for page in pages for one in page["Policies"] if one["PolicyName"].endswith(f"-{what}"))
    return arn


def trusting(change: Callable[[Any], None]) -> Mutation:
    """Change the trust policy of the plan role."""

    def trust(aws: LocalAws) -> None:
        plan = role(aws, "plan")
        document = plan["AssumeRolePolicyDocument"]
        change(document["Statement"])
        aws.client("iam").update_assume_role_policy(RoleName=plan["RoleName"], PolicyDocument=json.dumps(document))

    return trust


def trust_any_branch(statements: Any) -> None:
    condition = (statements[0] if isinstance(statements, list) else statements)["Condition"]
    condition["StringLike"] = {"token.actions.githubusercontent.com:sub": "repo:globecart/*"}
    del condition["StringEquals"]["token.actions.githubusercontent.com:sub"]


def change_environment_tag(aws: LocalAws) -> None:
    tags = [{"Key": "Environment", "Value": "other"}]
    aws.client("iam").tag_role(RoleName=role(aws, "plan")["RoleName"], Tags=tags)


def attach_read_only(aws: LocalAws) -> None:
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    aws.client("iam").attach_role_policy(RoleName=role(aws, "plan")["RoleName"], PolicyArn=arn)


def remove_boundary(aws: LocalAws) -> None:
    aws.client("iam").delete_role_permissions_boundary(RoleName=role(aws, "apply")["RoleName"])


def remove_boundary_denials(aws: LocalAws) -> None:
    iam, arn = aws.client("iam"), policy(aws, "deployment-boundary")
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    document["Statement"] = [one for one in document["Statement"] if one["Effect"] == "Allow"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)


def add_audience(aws: LocalAws) -> None:
    (provider,) = aws.backend("iam").open_id_providers.values()
    provider.client_id_list.append("everybody")


MUTATIONS: dict[str, Mutation] = {
    "test_deployer_roles_have_the_environments_tags": change_environment_tag,
    "test_deployer_roles_trust_one_repository_for_one_purpose": trusting(trust_any_branch),
    "test_deployer_roles_have_policies_of_the_stack_only": attach_read_only,
    "test_deployer_roles_have_the_boundary": remove_boundary,
    "test_boundary_denies_actions_that_no_deployment_may_use": remove_boundary_denials,
    "test_oidc_provider_accepts_tokens_for_aws_only": add_audience,
}
RELATED: Related = {}
