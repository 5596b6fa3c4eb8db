"""IAM roles for AWS services: one service each, with the permissions boundary, for this account only.

Their own policies are inline: each is of one role, cannot be attached to another, and is deleted with it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.iam_role_policy_attachment import IamRolePolicyAttachment

from stacks.parts.policy_documents import policy_document
from stacks.statements import Statement, allow, arn_like, service_principal, string_equals
from stacks.tier import TierStack


class ServiceRole(NamedTuple):
    """A role and its policy. A resource that needs the permissions on creation must depend on both."""

    role: IamRole
    permissions: IamRolePolicy | IamRolePolicyAttachment


def service_role(
    tier: TierStack,
    name: str,
    principal: str,
    permissions: Sequence[Statement] | str,
    *,
    source_arn: str | None,
    source_account: bool = False,
    description: str,
) -> ServiceRole:
    """A role that one service may assume for one kind of resource of this account.

    Args:
        principal: the service, such as `vpc-flow-logs.amazonaws.com`.
        permissions: statements, or the ARN of an AWS managed policy.
        source_arn: pattern for `aws:SourceArn` (PCI DSS 7.2.5, confused deputy); None if the service does not set the
            key, like Lambda.
        source_account: require `aws:SourceAccount` even without `source_arn`, for services like AWS Backup.
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
        max_session_duration=3600,  # seconds: IAM's minimum
    )
    id = f"{name}-policy"
    if isinstance(permissions, str):
        return ServiceRole(role, IamRolePolicyAttachment(tier, id, role=role.name, policy_arn=permissions))
    policy = policy_document(tier, f"{name}-permissions", *permissions)
    return ServiceRole(role, IamRolePolicy(tier, id, name=name, role=role.id, policy=policy))
