"""Mutations for test_access.py: the deployer roles and their boundary."""

import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from local_aws.server import LocalAws
from synthesized.caller_permissions import CALLER_PERMISSIONS, CHECKING_SERVICES
from synthesized.policy_statements import Statement, as_list, statements_of
from tests.changes.mutations import Mutation, Related

DEPLOYERS = "-access/"
"""Part of the IAM path of the deployer roles and their policies."""


def role(aws: LocalAws, what: str) -> Any:
    """A deployer role, by the end of its name."""
    pages = aws.client("iam").get_paginator("list_roles").paginate()
    roles = [one for page in pages for one in page["Roles"] if DEPLOYERS in one["Path"]]
    (found,) = (one for one in roles if one["RoleName"].endswith(f"-{what}"))
    return found


def policy(aws: LocalAws, what: str) -> str:
    """ARN of a deployer policy, by the end of its name."""
    pages = aws.client("iam").get_paginator("list_policies").paginate(Scope="Local")
    (arn,) = (one["Arn"] for page in pages for one in page["Policies"] if one["PolicyName"].endswith(f"-{what}"))
    return arn


def change_trust(change: Callable[[Any], None]) -> Mutation:
    """Change the trust policy of the plan role."""

    def trust(aws: LocalAws) -> None:
        plan = role(aws, "plan")
        document = plan["AssumeRolePolicyDocument"]
        change(document["Statement"])
        aws.client("iam").update_assume_role_policy(RoleName=plan["RoleName"], PolicyDocument=json.dumps(document))

    return trust


def trust_any_branch(statements: Any) -> None:
    condition = (statements[0] if isinstance(statements, list) else statements)["Condition"]
    condition["StringLike"] = {"token.actions.githubusercontent.com:sub": "repo:acme/*"}
    del condition["StringEquals"]["token.actions.githubusercontent.com:sub"]


def change_environment_tag(aws: LocalAws) -> None:
    tags = [{"Key": "Environment", "Value": "other"}]
    aws.client("iam").tag_role(RoleName=role(aws, "plan")["RoleName"], Tags=tags)


def attach_read_only(aws: LocalAws) -> None:
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    aws.client("iam").attach_role_policy(RoleName=role(aws, "plan")["RoleName"], PolicyArn=arn)


def change_policies(keep: Callable[[Statement], Statement | None]) -> Mutation:
    """Change or remove statements of all policies of the deployer roles."""

    def change(aws: LocalAws) -> None:
        iam = aws.client("iam")
        pages = iam.get_paginator("list_policies").paginate(Scope="Local", OnlyAttached=True)
        for one in (one for page in pages for one in page["Policies"] if DEPLOYERS in one["Path"]):
            version = {"PolicyArn": one["Arn"], "VersionId": one["DefaultVersionId"]}
            document = iam.get_policy_version(**version)["PolicyVersion"]["Document"]
            kept = [statement for statement in map(keep, statements_of(document)) if statement]
            if kept != statements_of(document):
                document["Statement"] = kept
                iam.create_policy_version(PolicyArn=one["Arn"], PolicyDocument=json.dumps(document), SetAsDefault=True)

    return change


def remove_statement(sid: str) -> Mutation:
    """Remove a statement from all deployer policies."""
    return change_policies(lambda statement: None if statement.get("Sid") == sid else statement)


def remove_permission(service: str) -> Mutation:
    """Remove the first action that a service requires of its callers from all deployer policies."""
    permission = next(one for one in CALLER_PERMISSIONS if one.calls.startswith(f"{service}:"))
    action = permission.actions.split()[0].lower()

    def keep(statement: Statement) -> Statement | None:
        if statement["Effect"] == "Deny":
            return statement
        actions = [one for one in as_list(statement["Action"]) if not fnmatchcase(action, one.lower())]
        return {**statement, "Action": actions} if actions else None

    return change_policies(keep)


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
    "test_deployer_roles_trust_one_repository_for_one_purpose": change_trust(trust_any_branch),
    "test_deployer_roles_have_policies_of_the_stack_only": attach_read_only,
    **{
        f"test_deployer_roles_have_the_permissions_that_a_service_checks[{service}]": remove_permission(service)
        for service in CHECKING_SERVICES
    },
    "test_audit_archive_can_be_emptied_only_without_deletion_protection": remove_statement("NoLoss"),
    "test_deployer_roles_cannot_read_logs": remove_statement("NoObjects"),
    "test_deployer_roles_have_the_boundary": remove_boundary,
    "test_boundary_denies_actions_that_no_deployment_may_use": remove_boundary_denials,
    "test_oidc_provider_accepts_tokens_for_aws_only": add_audience,
}
RELATED: Related = {}
