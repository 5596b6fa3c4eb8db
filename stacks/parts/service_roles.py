"""Roles that AWS services take on: one service each, bounded, and bound to this account."""

from collections.abc import Sequence
from typing import NamedTuple

from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.iam_role_policy_attachment import IamRolePolicyAttachment

from stacks.parts.policy_documents import policy_document
from stacks.statements import Statement, allow, arn_like, service_principal, string_equals
from stacks.tier import TierStack


class ServiceRole(NamedTuple):
    """A role, and what gives it its permissions: who uses the role at once should depend on both."""

    role: IamRole
    permissions: IamRolePolicy | IamRolePolicyAttachment


def service_role(
    tier: TierStack,
    name: str,
    principal: str,
    may: Sequence[Statement] | str,
    *,
    source_arn: str | None,
    source_account: bool = False,
    description: str,
) -> ServiceRole:
    """A role that one service may take on for one kind of resource of this account.

    Args:
        principal: the service, as `vpc-flow-logs.amazonaws.com`.
        may: all that the role may do: statements, or the ARN of a policy of AWS's own.
        source_arn: pattern of the resources that the service may act for (PCI DSS 7.2.5, confused deputy); None for a
            service that does not say for which it acts, as Lambda.
        source_account: whether a service that says none says the account at least, as AWS Backup.
    """
    own_account = [string_equals("aws:SourceAccount", tier.settings.account)] if source_arn or source_account else []
    role = IamRole(
        tier,
        name,
        name=tier.names.resource_name(name),
        path=tier.names.role_path,
        description=description,
        assume_role_policy=policy_document(
            tier,
            f"{name}-trust",
            allow(
                "Assume",
                ["sts:AssumeRole"],
                [],
                to=service_principal(principal),
                when=[*own_account, *([arn_like("aws:SourceArn", source_arn)] if source_arn else [])],
            ),
        ),
        permissions_boundary=tier.settings.permissions_boundary,
        max_session_duration=3600,  # seconds: IAM's least
    )
    id = f"{name}-policy"
    if isinstance(may, str):
        return ServiceRole(role, IamRolePolicyAttachment(tier, id, role=role.name, policy_arn=may))
    permissions = policy_document(tier, f"{name}-permissions", *may)
    return ServiceRole(role, IamRolePolicy(tier, id, name=name, role=role.id, policy=permissions))
