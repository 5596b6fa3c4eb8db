"""What a deployment does with roles and keys, and what it may lose."""

DESTRUCTIVE_ACTIONS = frozenset(
    {
        "backup:DeleteBackupVault",
        "backup:DeleteBackupVaultLockConfiguration",
        "cloudtrail:DeleteTrail",
        "cloudtrail:StopLogging",
        "config:DeleteConfigurationRecorder",
        "config:DeleteDeliveryChannel",
        "config:StopConfigurationRecorder",
        "ec2:DeleteFlowLogs",
        "ecr:DeleteRepository",
        "elasticache:DeleteReplicationGroup",
        "elasticfilesystem:DeleteFileSystem",
        "guardduty:DeleteDetector",
        "inspector2:Disable",
        "kms:ScheduleKeyDeletion",
        "logs:DeleteLogGroup",
        "rds:DeleteDBCluster",
        "s3:DeleteBucket",
        "s3:DeleteObjectVersion",
        "secretsmanager:DeleteSecret",
        "securityhub:DisableSecurityHub",
    }
)
"""What loses data, keys or traces: granted where deletion protection is off, and denied where it is on."""

BOUNDARY_ACTIONS = (
    "iam:CreateRole",
    "iam:DeleteRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
)
"""IAM tells of these which boundary the role has, or gets."""
POLICY_ATTACHMENT_ACTIONS = ("iam:AttachRolePolicy", "iam:DetachRolePolicy")
"""The same, and which policy."""
ROLE_ACTIONS = (
    "iam:DeleteRole",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
)

PASS_ROLE_SERVICES = (
    "backup.amazonaws.com",
    "cloudtrail.amazonaws.com",
    "ecs-tasks.amazonaws.com",
    "events.amazonaws.com",
    "lambda.amazonaws.com",
    "monitoring.rds.amazonaws.com",
    "scheduler.amazonaws.com",
    "states.amazonaws.com",
    "vpc-flow-logs.amazonaws.com",
)
"""Services that take roles of the platform on."""

AWS_MANAGED_POLICIES = (
    "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup",
    "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForRestores",
    "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
)
"""Those that roles of the platform have."""

SERVICE_LINKED_ROLE_SERVICES = (
    "backup.amazonaws.com",
    "ecs.amazonaws.com",
    "ecs.application-autoscaling.amazonaws.com",
    "elasticache.amazonaws.com",
    "elasticache.application-autoscaling.amazonaws.com",
    "elasticfilesystem.amazonaws.com",
    "elasticloadbalancing.amazonaws.com",
    "guardduty.amazonaws.com",
    "inspector2.amazonaws.com",
    "rds.amazonaws.com",
    "rds.application-autoscaling.amazonaws.com",
    "securityhub.amazonaws.com",
    "wafv2.amazonaws.com",
)
"""Services that make a role of their own in an account, in the name of whoever uses them there first.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html"""

KEY_ACTIONS = (
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
KEY_SERVICES = ("backup", "ecr", "elasticache", "elasticfilesystem", "lambda", "rds", "secretsmanager")
"""Services that use a key in the name of whoever gives them something to encrypt."""
