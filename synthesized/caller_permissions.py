"""Permissions that AWS requires of whoever calls an API operation, beyond the action of the same name.

AWS checks them while it serves the call, so that no API log shows them. Each row names where AWS documents it; the
Service Authorization Reference omits most of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stacks.names import Names

_USER_GUIDE = "https://docs.aws.amazon.com/autoscaling/application/userguide"
_VALIDATION = f"{_USER_GUIDE}/security_iam_permission_validation.html"
_TARGETS = f"{_USER_GUIDE}/security_iam_id-based-policy-examples.html#application-auto-scaling-additional-permissions"
_WAF = "https://docs.aws.amazon.com/waf/latest/developerguide/security_iam_service-with-iam.html#security_iam_action-additions"
_LOAD_BALANCING = "https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-permissions.html"
_RESTORE_TESTING = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsbackup.html"

_SCALING = "application-autoscaling:PutScalingPolicy application-autoscaling:RegisterScalableTarget"
_OUR_LOAD_BALANCER = "arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/app/{ours}public/1"
_OUR_ROLE = "arn:aws:iam::{account}:role{role_path}{ours}x"


@dataclass(frozen=True)
class CallerPermission:
    """IAM actions that the caller of an API operation needs, and what AWS checks them on."""

    calls: str
    """IAM actions of the calls, separated by spaces."""
    actions: str
    source: str
    resource: str = "*"
    """ARN, with fields of `fields_of`."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Condition keys of the check, beyond those of the call."""


CALLER_PERMISSIONS = (
    # Application Auto Scaling makes calls with missing and invalid arguments, and refuses if one is denied.
    CallerPermission(
        _SCALING,
        "cloudwatch:DeleteAlarms cloudwatch:PutMetricAlarm",
        _VALIDATION,
        "arn:aws:cloudwatch:{region}:{account}:alarm:",
    ),
    CallerPermission(
        _SCALING, "rds:CreateDBInstance rds:DeleteDBInstance", _VALIDATION, "arn:aws:rds:{region}:{account}:db:"
    ),
    CallerPermission(_SCALING, "rds:AddTagsToResource", _VALIDATION, "arn:aws:rds:{region}:12345:db:non-existing-db"),
    CallerPermission(
        _SCALING,
        "cloudwatch:DescribeAlarms ecs:DescribeServices elasticache:DescribeCacheClusters "
        "elasticache:DescribeCacheParameters elasticache:DescribeReplicationGroups rds:DescribeDBClusters "
        "rds:DescribeDBInstances",
        _TARGETS,
    ),
    CallerPermission(
        _SCALING, "ecs:UpdateService", _TARGETS, "arn:aws:ecs:{region}:{account}:service/{ours}cluster/{ours}service"
    ),
    CallerPermission(
        _SCALING,
        "elasticache:DecreaseReplicaCount elasticache:IncreaseReplicaCount "
        "elasticache:ModifyReplicationGroupShardConfiguration",
        _TARGETS,
        "arn:aws:elasticache:{region}:{account}:replicationgroup:{ours}cache",
    ),
    CallerPermission(
        "backup:CreateRestoreTestingSelection backup:UpdateRestoreTestingSelection",
        "iam:PassRole",
        _RESTORE_TESTING,
        _OUR_ROLE,
        {"iam:PassedToService": "restore-testing.backup.amazonaws.com"},
    ),
    CallerPermission(
        "backup:CreateRestoreTestingPlan",
        "iam:CreateServiceLinkedRole",
        "https://docs.aws.amazon.com/aws-backup/latest/devguide/using-service-linked-roles-AWSServiceRoleForBackupRestoreTesting.html",
        "arn:aws:iam::{account}:role/aws-service-role/restore-testing.backup.amazonaws.com/x",
        {"iam:AWSServiceName": "restore-testing.backup.amazonaws.com"},
    ),
    # WAF accepts either set of permissions, and announces the second as the new one.
    CallerPermission(
        "wafv2:AssociateWebACL",
        "elasticloadbalancing:CreateWebACLAssociation elasticloadbalancing:SetWebAcl",
        _WAF,
        _OUR_LOAD_BALANCER,
    ),
    CallerPermission(
        "wafv2:DisassociateWebACL",
        "elasticloadbalancing:DeleteWebACLAssociation elasticloadbalancing:SetWebAcl",
        _WAF,
        _OUR_LOAD_BALANCER,
    ),
    CallerPermission(
        "wafv2:GetWebACLForResource", "elasticloadbalancing:GetLoadBalancerWebACL", _WAF, _OUR_LOAD_BALANCER
    ),
    CallerPermission(
        "elasticloadbalancing:CreateLoadBalancer",
        "ec2:DescribeAccountAttributes ec2:DescribeAddresses ec2:DescribeInternetGateways ec2:DescribeSecurityGroups "
        "ec2:DescribeSubnets ec2:DescribeVpcs",
        _LOAD_BALANCING,
    ),
    CallerPermission(
        "elasticloadbalancing:CreateTargetGroup", "ec2:DescribeInternetGateways ec2:DescribeVpcs", _LOAD_BALANCING
    ),
    CallerPermission("elasticloadbalancing:SetSubnets", "ec2:DescribeSubnets", _LOAD_BALANCING),
    CallerPermission(
        "elasticfilesystem:DescribeMountTargetSecurityGroups",
        "ec2:DescribeNetworkInterfaceAttribute",
        "https://docs.aws.amazon.com/efs/latest/ug/API_DescribeMountTargetSecurityGroups.html",
    ),
    CallerPermission(
        "secretsmanager:RotateSecret",
        "lambda:InvokeFunction",
        "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html",
        "arn:aws:lambda:{region}:{account}:function:{ours}rotation",
    ),
    # Terraform asks for it when it empties a bucket with Object Lock (`emptyBucket` in the provider's service/s3).
    CallerPermission(
        "s3:DeleteObjectVersion",
        "s3:BypassGovernanceRetention",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html#object-lock-managing-bypass",
        "arn:aws:s3:::{ours}audit-{account}-{region}/x",
    ),
    CallerPermission(
        "ecr:CreateRepository ecr:DeleteRepository",
        "kms:CreateGrant kms:DescribeKey kms:RetireGrant",
        "https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html#encryption-customer-managed-key",
        "arn:aws:kms:{region}:{account}:key/1",
        {
            "aws:ResourceTag/Project": "{project}",
            "aws:ResourceTag/Environment": "{environment}",
            "kms:ViaService": "ecr.{region}.amazonaws.com",
        },
    ),
)
CHECKING_SERVICES = sorted({permission.calls.partition(":")[0] for permission in CALLER_PERMISSIONS} - {"s3"})
"""Services that check permissions of every deployment's caller. S3's depend on deletion protection."""


def fields_of(names: Names) -> dict[str, str]:
    """Values of the fields in `resource` and `keys`."""
    return {
        "account": names.account,
        "environment": names.environment,
        "ours": names.resource_name(""),
        "project": names.company,
        "region": names.region,
        "role_path": names.role_path,
    }
