"""Least privilege of the deployer roles: they allow nothing without reason that a deployment does not use.

An action has the name of its API operation, with the exceptions listed here.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

import re
from collections.abc import Iterable, Mapping

from stacks.names import ACCESS
from synthesized.platform import Platform
from synthesized.policy_statements import Statement, as_list
from synthesized.roles import ROLE_TYPE, read_statements, role_statements

# IAM actions whose names differ from S3's operations.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
S3_ACTIONS = {
    "DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "s3:PutBucketOwnershipControls",
    "DeleteObject": "s3:DeleteObjectVersion",  # Terraform deletes versions
    "DeleteObjects": "s3:DeleteObjectVersion",
    "DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "GetBucketAccelerateConfiguration": "s3:GetAccelerateConfiguration",
    "GetBucketCors": "s3:GetBucketCORS",
    "GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "GetBucketReplication": "s3:GetReplicationConfiguration",
    "GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "HeadBucket": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjectsV2": "s3:ListBucket",
    "PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "PutObjectLockConfiguration": "s3:PutBucketObjectLockConfiguration",
    "PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}

# IAM's prefix for services that sign requests under another name.
IAM_PREFIXES = {"monitoring": "cloudwatch"}
ACTION_BY_CALL = {
    **{f"s3:{call}": action for call, action in S3_ACTIONS.items()},
    "s3:DeleteObject": "s3:DeleteObject",  # of a state lock, without a version
}
EXPECTED_UNUSED: Mapping[str, str] = {
    r"\w[\w-]*:(?:Delete|Deregister|Disable|Disassociate|Detach|Release|Remove|Unsubscribe|BatchDisable|Stop)\w*": (
        "a resource is removed from the stacks"
    ),
    r"\w[\w-]*:(?:Modify|Update|Replace|Revoke|Set|Reset|Reboot|Increase|Decrease|Cancel|Untag)\w*": (
        "a resource of the stacks changes"
    ),
    r"\w[\w-]*:(?:TagResource|AddTags\w*)|ec2:DeleteTags|iam:TagRole|cloudtrail:AddTags": (
        "AWS checks it when a resource is created with tags"
    ),
    r"ecr:PutImage(?:ScanningConfiguration|TagMutability)|iam:PutRolePermissionsBoundary|logs:AssociateKmsKey": (
        "a resource of the stacks changes"
    ),
    r"iam:(?:PassRole|CreateServiceLinkedRole)|backup-storage:MountCapsule": "AWS checks it as part of another call",
    r"ec2:CreateNetworkInterface|route53:AssociateVPCWithHostedZone|rds:CreateDBClusterSnapshot"
    r"|elasticache:CreateSnapshot|secretsmanager:CreateSecret|logs:\w*LogDeliver\w+": (
        "another service calls it on behalf of the caller"
    ),
    r"kms:(?:CreateGrant|Decrypt|Encrypt|GenerateDataKey\w*|ReEncrypt\w+)": (
        "a service that encrypts calls it on behalf of the caller"
    ),
    r"kms:PutKeyPolicy": "AWS checks it when a key is created with a policy",
    r"iam:ListInstanceProfilesForRole|s3:ListBucketVersions|backup:ListRecoveryPointsByBackupVault": (
        "the provider calls it before it deletes a role, a bucket or a vault"
    ),
}
"""Actions that are granted although a first deployment does not use them: a pattern of the action, and the reason."""


def action_of(call: str) -> str:
    """The IAM action that authorizes a call, which the local AWS logs as `service:Operation`."""
    service, _, operation = call.partition(":")
    call = f"{IAM_PREFIXES.get(service, service)}:{operation}"
    return ACTION_BY_CALL.get(call, call)


def unused_actions(used: Iterable[str], role: str, platform: Platform) -> list[str]:
    """Actions that a role is granted and nobody used, without a reason in `EXPECTED_UNUSED`.

    Only services that were used are considered.
    """
    actions = {action.lower() for action in used}
    services = {action.partition(":")[0] for action in actions}
    own, _ = deployer_statements(role, platform)
    return sorted(
        action
        for action in {action for each in own if each["Effect"] == "Allow" for action in as_list(each["Action"])}
        if action.partition(":")[0].lower() in services
        and action.lower() not in actions
        and not any(re.fullmatch(pattern, action) for pattern in EXPECTED_UNUSED)
    )


def deployer_statements(name: str, platform: Platform) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    """Statements of a deployer role, by its name in the access tier, and those of its permissions boundary."""
    (role,) = (role for role in platform.of_type(ROLE_TYPE) if (role.tier, role.name) == (ACCESS, name))
    boundary = platform.resolve(role.body["permissions_boundary"])
    return role_statements(platform, role), read_statements(platform, boundary.body["policy"])
