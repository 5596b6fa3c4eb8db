"""Roles that AWS services take on: one service each, bounded, and bound to this account."""

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy

from stacks.parts.policies import Statement, allow, document, equals, matches_arn, service
from stacks.tier import TierStack


def service_role(
    tier: TierStack,
    name: str,
    principal: str,
    statements: Sequence[Statement],
    *,
    source_arn: str,
    why: str,
) -> IamRole:
    """A role that one service may take on for one kind of resource of this account, and all that it may do.

    Args:
        principal: the service, as `vpc-flow-logs.amazonaws.com`.
        source_arn: pattern of the resources that the service may act for (PCI DSS 7.2.5, confused deputy).
    """
    role = service_role_without_policy(tier, name, principal, source_arn=source_arn, why=why)
    IamRolePolicy(
        tier, f"{name}-policy", name=name, role=role.id, policy=document(tier, f"{name}-permissions", *statements)
    )
    return role


def service_role_without_policy(tier: TierStack, name: str, principal: str, *, source_arn: str, why: str) -> IamRole:
    """As `service_role`, for a role whose policy is AWS's own."""
    return IamRole(
        tier,
        name,
        name=tier.names.of_resource(name),
        path=tier.names.role_path,
        description=why,
        assume_role_policy=document(
            tier,
            f"{name}-trust",
            allow(
                "Assume",
                ["sts:AssumeRole"],
                [],
                to=service(principal),
                when=[
                    equals("aws:SourceAccount", tier.settings.account),
                    matches_arn("aws:SourceArn", source_arn),
                ],
            ),
        ),
        permissions_boundary=tier.settings.permissions_boundary,
        max_session_duration=3600,  # seconds: IAM's least
    )
