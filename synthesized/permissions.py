"""Whether the roles that deploy may make the calls that Terraform makes: no fewer, and no more without a reason.

At the level of IAM's actions: what a call is about, and when it may be made, is what the tests of the policies look at.
Actions are named as the calls are, but for those of a table.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from stacks.names import ACCESS
from synthesized.platform import Platform
from synthesized.policy_statements import Statement, as_list
from synthesized.roles import read_statements, roles_of

# Where IAM's action is not named as S3's operation; S3 does not always say which action it denies.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
S3_ACTIONS = {
    "DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "s3:PutBucketOwnershipControls",
    "DeleteObject": "s3:DeleteObjectVersion",  # what is deleted here is a version
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

# What signs a call by another name than IAM has for the service.
IAM_PREFIXES = {"monitoring": "cloudwatch"}
ACTION_BY_CALL = {
    **{f"s3:{call}": action for call, action in S3_ACTIONS.items()},
    "s3:DeleteObject": "s3:DeleteObject",  # of a lock: it leaves the version
}
CALLS_WITHOUT_PERMISSION = {"sts:GetCallerIdentity"}
"""Calls that need no permission. https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html"""

EXPECTED_UNUSED: Mapping[str, str] = {
    # By the verb that the action begins with, or by its whole name.
    r"\w[\w-]*:(?:Delete|Deregister|Disable|Disassociate|Detach|Release|Remove|Unsubscribe|BatchDisable|Stop)\w*": (
        "something leaves the stacks"
    ),
    r"\w[\w-]*:(?:Modify|Update|Replace|Revoke|Set|Reset|Reboot|Increase|Decrease|Cancel|Untag)\w*": (
        "something in the stacks changes"
    ),
    r"\w[\w-]*:(?:TagResource|AddTags\w*)|ec2:DeleteTags|iam:TagRole|cloudtrail:AddTags": (
        "AWS asks for it where something is made with tags"
    ),
    r"ecr:PutImage(?:ScanningConfiguration|TagMutability)|iam:PutRolePermissionsBoundary|logs:AssociateKmsKey": (
        "something in the stacks changes"
    ),
    r"iam:(?:PassRole|CreateServiceLinkedRole)|backup-storage:MountCapsule|elasticloadbalancing:SetWebAcl": (
        "AWS asks for it with another call, in the name of who makes that"
    ),
    r"ec2:CreateNetworkInterface|route53:AssociateVPCWithHostedZone|rds:CreateDBClusterSnapshot"
    r"|elasticache:CreateSnapshot|secretsmanager:CreateSecret|logs:\w*LogDeliver\w+": (
        "AWS does it for another service, in the name of who asks that"
    ),
    r"kms:(?:CreateGrant|Decrypt|Encrypt|GenerateDataKey\w*|ReEncrypt\w+)": (
        "AWS does it for a service that encrypts, in the name of who asks that"
    ),
    r"kms:PutKeyPolicy": "a key is made with its policy, which AWS asks for, too",
    r"iam:ListInstanceProfilesForRole|s3:ListBucketVersions|backup:ListRecoveryPointsByBackupVault": (
        "the provider asks before it deletes a role, a bucket, a vault"
    ),
}
"""What may be granted and not called by a first deployment of everything, as a pattern, and why."""


def action_of(call: str) -> str:
    """The action that IAM asks about at a call, as the local AWS notes it."""
    service, _, operation = call.partition(":")
    call = f"{IAM_PREFIXES.get(service, service)}:{operation}"
    return ACTION_BY_CALL.get(call, call)


def denied_calls(calls: Iterable[str], role: str, platform: Platform) -> list[str]:
    """Calls that a role may not make: no policy allows the action, or the boundary does not, or something denies it."""
    own, boundary = deployer_statements(role, platform)
    return sorted(
        f"{call} ({action_of(call)})"
        for call in set(calls)
        if action_of(call) not in CALLS_WITHOUT_PERMISSION
        and not (_allows(own, action_of(call)) and _allows(boundary, action_of(call)))
    )


def unused_actions(calls: Iterable[str], role: str, platform: Platform) -> list[str]:
    """Actions that a role has, of services that were called, which no call was about, and no reason is known for."""
    actions = {action_of(call).lower() for call in calls}
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
    """Statements of a role that deploys, by its name in the access tier, and those of its boundary."""
    (role,) = (role for role in roles_of(platform, ACCESS) if role.resource.name == name)
    boundary = platform.resolve(role.resource.body["permissions_boundary"])
    return role.statements, read_statements(platform, boundary.body["policy"])


def _allows(policy: Iterable[Statement], action: str) -> bool:
    """Whether some statement allows the action, and none denies it to everything and always."""
    about = [each for each in policy if any(_matches(action, pattern) for pattern in as_list(each["Action"]))]
    return any(each["Effect"] == "Allow" for each in about) and not any(
        each["Effect"] == "Deny" and as_list(each.get("Resource")) == ["*"] and "Condition" not in each
        for each in about
    )


def _matches(action: str, pattern: str) -> bool:
    return fnmatchcase(action.lower(), pattern.lower())
