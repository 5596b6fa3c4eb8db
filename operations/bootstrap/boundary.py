"""Policies of an environment's permissions boundary and of its key administrators' role.

Both must exist before the first stack: AWS rejects a role whose boundary, or a key policy whose principal, does not.
"""

import json

from stacks.names import OS_METRICS_LOG_GROUP, Names
from stacks.own_tiers import own_tiers_of
from stacks.settings import SettingsError
from stacks.statements import (
    Condition,
    Statement,
    account_principal,
    allow,
    as_document,
    deny,
    deny_other_environments,
    of_cluster,
    string_equals,
)
from synthesized.policy_statements import PolicyDocument

MAX_CHARACTERS = 6144
"""IAM's limit for a managed policy, not counting white space."""


def boundary(names: Names) -> PolicyDocument:
    """The union of what the platform's roles are granted, with explicit denials.

    A boundary grants nothing, and an action that it does not allow is implicitly denied. The explicit denials are still
    needed: a resource-based policy can grant a session what the boundary only denies implicitly, and a later version
    that allows more must not open identities, key policies or states.

    Raises:
        SettingsError: own tiers allow so much that the policy exceeds IAM's limit.
    """
    tiers = own_tiers_of(names.environment)
    of_own_tiers = [statement for tier in tiers for statement in tier.boundary_statements(names)]
    document = as_document(*_allowed(names), *of_own_tiers, *_denied(names))
    if (length := len(json.dumps(document, separators=(",", ":")))) > MAX_CHARACTERS and of_own_tiers:
        of = ", ".join(f"stacks/own/{tier.tier}" for tier in tiers if tier.tasks or tier.roles)
        raise SettingsError(
            f"{of}: tasks, roles: make the permissions boundary of {names.environment} {length} characters long; "
            f"allowed: IAM's limit of {MAX_CHARACTERS}, with fewer or shorter actions and resources"
        )
    return document


def _allowed(names: Names) -> list[Statement]:
    arn, ours = names.arn, names.resource_name("*")
    everywhere = [names.arn_in(region, "kms", "key/*") for region in names.regions]
    logs = [f"/{names.company}/{names.environment}/*"]
    logs += [f"{group}{part}" for group in (names.rotation_log_group, OS_METRICS_LOG_GROUP) for part in ("", ":*")]
    return [
        allow(
            "Secrets",
            [
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetSecretValue",
                "secretsmanager:PutSecretValue",
                "secretsmanager:UpdateSecretVersionStage",
            ],
            # RDS chooses the name of a managed master user secret.
            [arn("secretsmanager", f"secret:{what}") for what in (ours, "rds!cluster-*")],
            when=[of_cluster(arn("rds", f"cluster:{names.database}"))],
        ),
        allow("Keys", ["kms:Decrypt", "kms:GenerateDataKey*"], [arn("kms", "key/*")]),
        # Only for AWS services: RDS and EFS decrypt what they copy and restore.
        allow(
            "Grants", ["kms:CreateGrant"], everywhere, when=[Condition("Bool", "kms:GrantIsForAWSResource", ["true"])]
        ),
        allow(
            "Backups",
            # A subset of AWS's managed policies for AWS Backup: nothing that deletes or modifies a database or a file
            # system, since modifying one can disable its own backups.
            [
                "backup:Copy*BackupVault",
                "backup:DescribeBackupVault",
                "backup:TagResource",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeVpcs",
                "elasticfilesystem:Backup",
                "elasticfilesystem:CreateFilesystem",
                "elasticfilesystem:DescribeFilesystems",
                "elasticfilesystem:DescribeTags",
                "elasticfilesystem:Restore",
                "elasticfilesystem:TagResource",
                "kms:DescribeKey",
                "rds:AddTagsToResource",
                "rds:CopyDBClusterSnapshot",
                "rds:CreateDBClusterSnapshot",
                "rds:DeleteDBClusterSnapshot",
                "rds:DescribeDBClusterSnapshots",
                "rds:DescribeDBClusters",
                "rds:ListTagsForResource",
                "rds:RestoreDBClusterFromSnapshot",
                "tag:GetResources",
            ],
            # Individual ARNs in two Regions would exceed the policy's maximum length.
            ["*"],
            when=[string_equals("aws:RequestedRegion", *names.regions)],
        ),
        allow(
            "Logs",
            [
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:GetLogEvents",
                "logs:PutLogEvents",
                "logs:PutRetentionPolicy",
            ],
            [arn("logs", f"log-group:{group}") for group in logs],
        ),
        allow("Alarms", ["sns:Publish"], [arn("sns", ours)]),
        allow("Events", ["events:PutEvents"], [names.event_bus_arn]),
        allow("Workflows", ["states:StartExecution"], [arn("states", f"stateMachine:{ours}")]),
        allow(
            "Redeployment",
            ["ecs:DescribeServices", "ecs:UpdateService"],
            [arn("ecs", f"service/{names.cluster}/{names.service}")],
        ),
        allow(
            "Images",
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            [arn("ecr", f"repository/{ours}")],
        ),
        allow(
            "Files",
            ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
            [arn("elasticfilesystem", "file-system/*")],
        ),
        allow(
            "Cache",
            ["elasticache:Connect"],
            [
                arn("elasticache", f"replicationgroup:{names.cache}"),
                arn("elasticache", f"user:{names.resource_name('application')}"),
            ],
        ),
        allow(
            "WhatHasNoResource",
            [
                "ec2:AssignPrivateIpAddresses",
                "ec2:CreateNetworkInterface",
                "ec2:DeleteNetworkInterface",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSubnets",
                "ec2:UnassignPrivateIpAddresses",
                "ecr:GetAuthorizationToken",
                "logs:*LogDelivery",
                "logs:DescribeLogGroups",
                "logs:DescribeResourcePolicies",
                "logs:ListLogDeliveries",
                "logs:PutResourcePolicy",
                "secretsmanager:GetRandomPassword",
                "xray:GetSamplingRules",
                "xray:GetSamplingTargets",
                "xray:PutTelemetryRecords",
                "xray:PutTraceSegments",
            ],
            ["*"],
            when=[string_equals("aws:RequestedRegion", names.region)],
        ),
    ]


def _denied(names: Names) -> list[Statement]:
    states = f"arn:aws:s3:::{names.state_bucket}"
    return [
        # Assuming, creating or passing other roles, and changing or removing this boundary.
        deny(
            "NoIdentities",
            [
                "account:*",
                "iam:*",
                "organizations:*",
                "sso:*",
                "sts:Assume*",
                "sts:Get*Token",
            ],
            ["*"],
        ),
        # Running code under another role without iam:PassRole.
        deny(
            "NoCodeOfOthers",
            [
                "cloudformation:*",
                "ecs:ExecuteCommand",
                "ecs:RegisterTaskDefinition",
                "ecs:*Task",
                "lambda:AddPermission",
                "lambda:CreateFunction",
                "lambda:UpdateFunction*",
                "ssm:SendCommand",
                "ssm:StartSession",
                "states:CreateStateMachine*",
                "states:UpdateStateMachine*",
            ],
            ["*"],
        ),
        # Granting access through a resource's policy.
        deny(
            "NoPoliciesOfResources",
            [
                "ecr:SetRepositoryPolicy",
                "elasticfilesystem:PutFileSystemPolicy",
                "kms:PutKeyPolicy",
                "s3:PutBucket*",
                "secretsmanager:PutResourcePolicy",
                "sns:AddPermission",
                "sns:SetTopicAttributes",
            ],
            ["*"],
        ),
        # Destroying encryption keys or audit logs.
        deny(
            "NoKeysNorTracesLost",
            [
                "cloudtrail:*Trail",
                "cloudtrail:PutEventSelectors",
                "cloudtrail:StopLogging",
                "config:*Recorder",
                "ec2:DeleteFlowLogs",
                "guardduty:DeleteDetector",
                "kms:*Alias",
                "kms:DisableKey",
                "kms:ScheduleKeyDeletion",
                "logs:DeleteLogGroup",
                "logs:DeleteLogStream",
                "securityhub:DisableSecurityHub",
            ],
            ["*"],
        ),
        # One environment of an account has the log group of Enhanced Monitoring; the others' roles write to it, too.
        deny_other_environments(
            names.environments, except_for=[names.arn("logs", f"log-group:{OS_METRICS_LOG_GROUP}*")]
        ),
        deny("NoStates", ["s3:*"], [states, f"{states}/*"]),
    ]


def key_administrators_trust(names: Names) -> PolicyDocument:
    """Principals of this account, with MFA (PCI DSS 8.4.2)."""
    return as_document(
        allow(
            "AssumeWithSecondFactor",
            ["sts:AssumeRole"],
            [],
            to=account_principal(names.account),
            when=[Condition("Bool", "aws:MultiFactorAuthPresent", ["true"])],
        )
    )


def key_administrators_permissions() -> PolicyDocument:
    """Listing keys; key policies grant their administration. Using a key is denied, whatever a key policy allows."""
    return as_document(
        allow("FindKeys", ["kms:ListAliases", "kms:ListKeys"], ["*"]),
        deny(
            "NeverUseKeys",
            [
                "kms:CreateGrant",
                "kms:Decrypt",
                "kms:DeriveSharedSecret",
                "kms:Encrypt",
                "kms:GenerateDataKey*",
                "kms:GenerateMac",
                "kms:ReEncrypt*",
                "kms:Sign",
            ],
            ["*"],
        ),
    )
