"""IAM and KMS actions of a deployment, and actions that destroy data."""

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
        "s3:BypassGovernanceRetention",
        "s3:DeleteBucket",
        "s3:DeleteObjectVersion",
        "secretsmanager:DeleteSecret",
        "securityhub:DisableSecurityHub",
    }
)
"""Actions that destroy data, keys or audit trails: denied while deletion protection is on."""

BOUNDARY_ACTIONS = (
    "iam:CreateRole",
    "iam:DeleteRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
)
"""Actions that support `iam:PermissionsBoundary`."""
POLICY_ATTACHMENT_ACTIONS = ("iam:AttachRolePolicy", "iam:DetachRolePolicy")
"""Actions that support `iam:PermissionsBoundary` and `iam:PolicyARN`."""
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
    "restore-testing.backup.amazonaws.com",
    "scheduler.amazonaws.com",
    "states.amazonaws.com",
    "vpc-flow-logs.amazonaws.com",
)
"""Services that the platform's roles may be passed to."""

AWS_MANAGED_POLICIES = (
    "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup",
    "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForRestores",
    "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
)
"""AWS managed policies that may be attached to the platform's roles."""

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
    "restore-testing.backup.amazonaws.com",
    "securityhub.amazonaws.com",
    "wafv2.amazonaws.com",
)
"""Services that create a service-linked role when they are first used in an account.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html"""

KEY_ACTIONS = (
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:RetireGrant",
)
KEY_SERVICES = ("backup", "ecr", "elasticache", "elasticfilesystem", "lambda", "rds", "secretsmanager")
"""Services that use a KMS key on behalf of the caller."""
