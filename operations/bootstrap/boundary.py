"""What the roles of an environment may do at most, and who administers its keys.

AWS refuses a role whose boundary, and a key whose administrator, does not exist: both are there before the first stack.
"""

from stacks.names import PROJECT, Names
from stacks.settings import Environment
from stacks.statements import Condition, Statement, account_principal, allow, as_document, deny, string_equals
from synthesized.policy_statements import PolicyDocument

MAX_CHARACTERS = 6144
"""IAM's limit for the characters of a policy, spaces left out."""


def bootstrap_arns(settings: Environment) -> tuple[str, str]:
    """ARNs of the boundary and of the key administrators' role that bootstrap makes; others are an organization's."""
    names = Names.from_settings(settings)
    iam = f"arn:aws:iam::{names.account}"
    return (
        f"{iam}:policy/{names.resource_name('boundary')}",
        f"{iam}:role/{names.resource_name('key-administrators')}",
    )


def boundary(names: Names) -> PolicyDocument:
    """What the platform's roles may do together, each of which may less; and what none may, whoever allows it.

    A boundary allows nothing by itself, and what it does not allow is denied. The denials are for what could go round
    that: a resource's own policy can allow a session past the boundary's silence, but not past its denial. And a
    wider first part, by a later version, still leads to no identity, to no key's policy, and to no state.
    """
    return as_document(*_allowed(names), *_denied(names))


def _allowed(names: Names) -> list[Statement]:
    arn, ours = names.arn, names.resource_name("*")
    everywhere = [names.arn_in(region, "kms", "key/*") for region in names.regions]
    logs = [
        f"/{PROJECT}/{names.environment}/*",
        f"/aws/lambda/{ours}",
        names.state_machine_log_group("*"),
        "RDSOSMetrics",  # where RDS writes enhanced monitoring; the name is RDS's
    ]
    return [
        allow(
            "Secrets",
            [
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetSecretValue",
                "secretsmanager:PutSecretValue",
                "secretsmanager:UpdateSecretVersionStage",
            ],
            # RDS chooses the name of a master credential that it keeps.
            [arn("secretsmanager", f"secret:{what}") for what in (ours, "rds!cluster-*")],
        ),
        allow("Keys", ["kms:Decrypt", "kms:GenerateDataKey*"], [arn("kms", "key/*")]),
        # For RDS and EFS alone, which decrypt in their own name what they copy and restore.
        allow(
            "Grants", ["kms:CreateGrant"], everywhere, when=[Condition("Bool", "kms:GrantIsForAWSResource", ["true"])]
        ),
        allow(
            "Backups",
            # Of what AWS's own policies for AWS Backup allow: not to delete a database or a file system, nor to change
            # one, which takes its own backups away from it.
            [
                "backup:CopyFromBackupVault",
                "backup:CopyIntoBackupVault",
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
            # An ARN each, in two Regions, would fill what a policy may be long.
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
            [arn("logs", f"log-group:{group}{part}") for group in logs for part in ("", ":*")],
        ),
        allow("Alarms", ["sns:Publish"], [arn("sns", ours)]),
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
            [arn("elasticache", f"{what}:{ours}") for what in ("replicationgroup", "user")],
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
                "logs:CreateLogDelivery",
                "logs:DeleteLogDelivery",
                "logs:DescribeLogGroups",
                "logs:DescribeResourcePolicies",
                "logs:GetLogDelivery",
                "logs:ListLogDeliveries",
                "logs:PutResourcePolicy",
                "logs:UpdateLogDelivery",
                "secretsmanager:GetRandomPassword",
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
        # To become another, to make another, to pass another on; and to change or leave this boundary.
        deny(
            "NoIdentities",
            [
                "account:*",
                "iam:*",
                "organizations:*",
                "sso:*",
                "sts:Assume*",
                "sts:GetFederationToken",
                "sts:GetSessionToken",
            ],
            ["*"],
        ),
        # To run something under another role, without passing one on.
        deny(
            "NoCodeOfOthers",
            [
                "cloudformation:*",
                "ecs:ExecuteCommand",
                "ecs:RegisterTaskDefinition",
                "ecs:RunTask",
                "ecs:StartTask",
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
        # To open a resource to others, or to oneself.
        deny(
            "NoPoliciesOfResources",
            [
                "ecr:SetRepositoryPolicy",
                "elasticfilesystem:PutFileSystemPolicy",
                "kms:PutKeyPolicy",
                "s3:PutBucketAcl",
                "s3:PutBucketPolicy",
                "s3:PutBucketPublicAccessBlock",
                "secretsmanager:PutResourcePolicy",
                "sns:AddPermission",
                "sns:SetTopicAttributes",
            ],
            ["*"],
        ),
        # To destroy what everything is encrypted with, or the traces of what was done.
        deny(
            "NoKeysNorTracesLost",
            [
                "cloudtrail:DeleteTrail",
                "cloudtrail:PutEventSelectors",
                "cloudtrail:StopLogging",
                "cloudtrail:UpdateTrail",
                "config:DeleteConfigurationRecorder",
                "config:StopConfigurationRecorder",
                "ec2:DeleteFlowLogs",
                "guardduty:DeleteDetector",
                "kms:DeleteAlias",
                "kms:DisableKey",
                "kms:ScheduleKeyDeletion",
                "kms:UpdateAlias",
                "logs:DeleteLogGroup",
                "logs:DeleteLogStream",
                "securityhub:DisableSecurityHub",
            ],
            ["*"],
        ),
        deny("NoStates", ["s3:*"], [states, f"{states}/*"]),
    ]


def key_administrators_trust(names: Names) -> PolicyDocument:
    """Whoever IAM lets assume the role in this account, with a second factor (PCI DSS 8.4.2)."""
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
    """To find the keys; the keys' own policies say the rest. Never to use one, whatever a key's policy comes to say."""
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
