"""What Terraform asks of AWS in an environment's account, by service: to plan, to apply, and what nobody lets it do.

What has a name of ours is known by it, what AWS names by its tags, and what has neither by its Region. Actions are
IAM's, which are not always named as the calls are: https://docs.aws.amazon.com/service-authorization/latest/reference/

A rehearsal holds these tables against the calls that Terraform makes (`operations/rehearsal/permissions.py`).
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import NamedTuple


class Known(Enum):
    """By what Terraform's own things are told from others."""

    BY_NAME = auto()
    """Or by nothing: the resources of the grant say all."""
    BY_TAGS = auto()
    """That it has: Project and Environment."""
    BY_TAGS_ASKED = auto()
    """That it is made with."""
    BY_NO_TAGS = auto()
    """Nobody has tagged it for an environment."""
    AS_TAGGED_FIRST = auto()
    """Nobody has, and the call does it for this one."""
    AS_TAGGED_AT_BIRTH = auto()
    """EC2 alone: by the very call that makes it."""


class Grant(NamedTuple):
    """Actions of one service, on what, and when."""

    sid: str
    service: str
    actions: str
    """IAM's names, without the service."""
    on: str = "*"
    """What is behind account and Region in an ARN, or whole ARNs. `{ours}` is `globecart-<environment>-`."""
    known: Known = Known.BY_NAME

    def named(self) -> list[str]:
        """Its actions, as IAM has them."""
        return [f"{self.service}:{action}" for action in self.actions.split()]


READS: tuple[Grant, ...] = (
    Grant("Acm", "acm", "DescribeCertificate ListTagsForCertificate"),
    Grant(
        "ApplicationAutoscaling",
        "application-autoscaling",
        "DescribeScalableTargets DescribeScalingPolicies ListTagsForResource",
    ),
    Grant(
        "Backup",
        "backup",
        "DescribeBackupVault GetBackupPlan GetBackupSelection GetBackupVaultAccessPolicy GetRestoreTestingPlan "
        "GetRestoreTestingSelection ListTags",
    ),
    Grant("CloudTrail", "cloudtrail", "DescribeTrails GetEventSelectors GetTrailStatus ListTags"),
    Grant("CloudWatch", "cloudwatch", "DescribeAlarms GetDashboard ListTagsForResource"),
    Grant(
        "Config",
        "config",
        "DescribeConfigRules DescribeConfigurationRecorderStatus DescribeConfigurationRecorders "
        "DescribeDeliveryChannels ListTagsForResource",
    ),
    Grant(
        "Ec2",
        "ec2",
        "DescribeAddresses DescribeAddressesAttribute DescribeFlowLogs DescribeInternetGateways DescribeNatGateways "
        "DescribeNetworkAcls DescribeNetworkInterfaces DescribePrefixLists DescribeRouteTables "
        "DescribeSecurityGroupRules DescribeSecurityGroups DescribeSubnets DescribeVpcAttribute DescribeVpcEndpoints "
        "DescribeVpcs",
    ),
    Grant("Ecr", "ecr", "DescribeRepositories GetLifecyclePolicy GetRepositoryPolicy ListTagsForResource"),
    Grant("Ecs", "ecs", "DescribeClusters DescribeServices DescribeTaskDefinition"),
    Grant(
        "ElastiCache",
        "elasticache",
        "DescribeCacheClusters DescribeCacheParameterGroups DescribeCacheParameters DescribeCacheSubnetGroups "
        "DescribeReplicationGroups DescribeUserGroups DescribeUsers ListTagsForResource",
    ),
    Grant(
        "Efs",
        "elasticfilesystem",
        "DescribeAccessPoints DescribeBackupPolicy DescribeFileSystemPolicy DescribeFileSystems "
        "DescribeLifecycleConfiguration DescribeMountTargetSecurityGroups DescribeMountTargets "
        "DescribeReplicationConfigurations",
    ),
    Grant(
        "LoadBalancing",
        "elasticloadbalancing",
        "DescribeCapacityReservation DescribeListenerAttributes DescribeListeners DescribeLoadBalancerAttributes "
        "DescribeLoadBalancers DescribeTags DescribeTargetGroupAttributes DescribeTargetGroups",
    ),
    Grant("Events", "events", "DescribeRule ListTagsForResource ListTargetsByRule"),
    Grant("GuardDuty", "guardduty", "GetDetector"),
    Grant("Inspector", "inspector2", "BatchGetAccountStatus"),
    Grant("Kms", "kms", "DescribeKey GetKeyPolicy GetKeyRotationStatus ListAliases ListResourceTags"),
    Grant(
        "Logs",
        "logs",
        "DescribeLogGroups DescribeMetricFilters DescribeQueryDefinitions DescribeResourcePolicies ListTagsForResource",
    ),
    Grant(
        "Rds",
        "rds",
        "DescribeDBClusterParameterGroups DescribeDBClusterParameters DescribeDBClusters DescribeDBInstances "
        "DescribeDBParameterGroups DescribeDBParameters DescribeDBSubnetGroups DescribeEventSubscriptions "
        "DescribeGlobalClusters ListTagsForResource",
    ),
    Grant("Scheduler", "scheduler", "GetSchedule"),
    Grant("SecurityHub", "securityhub", "DescribeHub GetEnabledStandards"),
    Grant("Sns", "sns", "GetSubscriptionAttributes GetTopicAttributes ListTagsForResource"),
    Grant("States", "states", "DescribeStateMachine ListStateMachineVersions ListTagsForResource"),
    Grant("Definitions", "states", "ValidateStateMachineDefinition"),
    Grant("Waf", "wafv2", "GetLoggingConfiguration GetWebACL GetWebACLForResource ListTagsForResource"),
)
"""All of them tell how something is set up, and none what is in it."""

READS_BY_NAME: tuple[Grant, ...] = (
    Grant(
        "Roles",
        "iam",
        # The third by Terraform before it deletes a role; the last three of the access tier's own.
        "GetRole GetRolePolicy ListInstanceProfilesForRole ListAttachedRolePolicies ListRolePolicies GetPolicy "
        "GetPolicyVersion",
        "{roles} {deployers} {deployers_policies}",
    ),
    Grant("Provider", "iam", "GetOpenIDConnectProvider", "{oidc_provider}"),
    Grant("Zones", "route53", "ListHostedZones"),
    Grant(
        "Records",
        "route53",
        "GetChange GetHostedZone ListResourceRecordSets ListTagsForResource",
        "arn:aws:route53:::hostedzone/* arn:aws:route53:::change/*",
    ),
    # What follows tells a function's code, and who may read a secret.
    Grant(
        "Functions",
        "lambda",
        "GetFunction GetFunctionCodeSigningConfig GetPolicy ListVersionsByFunction",
        "function:{ours}*",
    ),
    Grant("Secrets", "secretsmanager", "DescribeSecret GetResourcePolicy ListSecretVersionIds", "secret:{ours}*"),
    Grant(
        "Buckets",
        "s3",
        "GetAccelerateConfiguration GetBucketAcl GetBucketCORS GetBucketLogging GetBucketObjectLockConfiguration "
        "GetBucketOwnershipControls GetBucketPolicy GetBucketPublicAccessBlock GetBucketRequestPayment "
        "GetBucketTagging GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration GetLifecycleConfiguration "
        "GetReplicationConfiguration ListBucket",
        "{buckets}",
    ),
)
"""What no Region binds, and what more can be read of than how it is set up."""

WRITES: Mapping[str, tuple[Grant, ...]] = {
    # EC2 asks about each resource of a call: the new one, by the tags that it is made with, and those it is made in.
    "network": (
        *(
            Grant(f"Make{kind.title().replace('-', '')}", "ec2", action, f"{kind}/*", Known.BY_TAGS_ASKED)
            for action, kind in (
                ("AllocateAddress", "elastic-ip"),
                ("CreateFlowLogs", "vpc-flow-log"),
                ("CreateInternetGateway", "internet-gateway"),
                ("CreateNatGateway", "natgateway"),
                ("CreateNetworkAcl", "network-acl"),
                ("CreateRouteTable", "route-table"),
                ("CreateSecurityGroup", "security-group"),
                ("AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress", "security-group-rule"),
                ("CreateSubnet", "subnet"),
                ("CreateVpc", "vpc"),
                ("CreateVpcEndpoint", "vpc-endpoint"),
            )
        ),
        Grant(
            "ChangeNetwork",
            "ec2",
            "AssociateRouteTable AttachInternetGateway AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress "
            "CreateFlowLogs CreateNatGateway CreateNetworkAcl CreateNetworkAclEntry CreateNetworkInterface CreateRoute "
            "CreateRouteTable CreateSecurityGroup CreateSubnet CreateTags CreateVpcEndpoint DeleteFlowLogs "
            "DeleteInternetGateway DeleteNatGateway DeleteNetworkAcl DeleteNetworkAclEntry DeleteRoute "
            "DeleteRouteTable DeleteSecurityGroup DeleteSubnet DeleteTags DeleteVpc DeleteVpcEndpoints "
            "DetachInternetGateway DisassociateAddress DisassociateRouteTable ModifyNetworkInterfaceAttribute "
            "ModifySecurityGroupRules ModifySubnetAttribute ModifyVpcAttribute ModifyVpcEndpoint ReleaseAddress "
            "ReplaceNetworkAclAssociation ReplaceRoute ReplaceRouteTableAssociation RevokeSecurityGroupEgress "
            "RevokeSecurityGroupIngress",
            "elastic-ip/* internet-gateway/* natgateway/* network-acl/* route-table/* security-group/* "
            "security-group-rule/* subnet/* vpc/* vpc-endpoint/* vpc-flow-log/*",
            Known.BY_TAGS,
        ),
        Grant("TagAtBirth", "ec2", "CreateTags", "*/*", Known.AS_TAGGED_AT_BIRTH),
        # A VPC comes with one of each, which nobody has tagged yet. They lose their rules: nothing may use them.
        Grant(
            "TagDefaults",
            "ec2",
            "CreateTags",
            "network-acl/* route-table/* security-group/*",
            Known.AS_TAGGED_FIRST,
        ),
        Grant(
            "CloseDefaults",
            "ec2",
            "DeleteNetworkAclEntry ReplaceNetworkAclAssociation RevokeSecurityGroupEgress RevokeSecurityGroupIngress",
            "network-acl/* security-group/*",
            Known.BY_NO_TAGS,
        ),
    ),
    "names": (
        # EFS and ElastiCache put interfaces into subnets in the name of whoever asks, and tag them with nothing.
        Grant(
            "Interfaces",
            "ec2",
            "CreateNetworkInterface DeleteNetworkInterface ModifyNetworkInterfaceAttribute",
            "network-interface/*",
        ),
        # An endpoint's private names.
        Grant("EndpointNames", "route53", "AssociateVPCWithHostedZone", "arn:aws:route53:::hostedzone/*"),
        Grant("Records", "route53", "ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/*"),
        Grant("RequestCertificate", "acm", "RequestCertificate", known=Known.BY_TAGS_ASKED),
        Grant("TagCertificate", "acm", "AddTagsToCertificate", "certificate/*", Known.AS_TAGGED_FIRST),
        Grant(
            "Certificate",
            "acm",
            "AddTagsToCertificate DeleteCertificate RemoveTagsFromCertificate",
            "certificate/*",
            Known.BY_TAGS,
        ),
        Grant(
            "MakeLoadBalancer",
            "elasticloadbalancing",
            "AddTags CreateListener CreateLoadBalancer CreateTargetGroup",
            "listener/app/{ours}* loadbalancer/app/{ours}* targetgroup/tasks-*",
            Known.BY_TAGS_ASKED,
        ),
        Grant(
            "LoadBalancer",
            "elasticloadbalancing",
            "AddTags DeleteListener DeleteLoadBalancer DeleteTargetGroup ModifyListener ModifyListenerAttributes "
            "ModifyLoadBalancerAttributes ModifyTargetGroup ModifyTargetGroupAttributes RemoveTags SetSecurityGroups "
            "SetSubnets",
            "listener/app/{ours}* loadbalancer/app/{ours}* targetgroup/tasks-*",
            Known.BY_TAGS,
        ),
        Grant("FirewallInFront", "elasticloadbalancing", "SetWebAcl"),
        Grant(
            "Firewall",
            "wafv2",
            "AssociateWebACL CreateWebACL DeleteLoggingConfiguration DeleteWebACL DisassociateWebACL "
            "PutLoggingConfiguration TagResource UntagResource UpdateWebACL",
            "regional/webacl/{ours}* regional/managedruleset/*/* "
            "arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/app/{ours}*",
        ),
    ),
    "data": (
        Grant(
            "Database",
            "rds",
            "AddTagsToResource CreateDBCluster CreateDBClusterParameterGroup CreateDBClusterSnapshot CreateDBInstance "
            "CreateDBParameterGroup CreateDBSubnetGroup CreateEventSubscription DeleteDBCluster "
            "DeleteDBClusterParameterGroup DeleteDBInstance DeleteDBParameterGroup DeleteDBSubnetGroup "
            "DeleteEventSubscription ModifyDBCluster ModifyDBClusterParameterGroup ModifyDBInstance "
            "ModifyDBParameterGroup ModifyDBSubnetGroup ModifyEventSubscription RebootDBInstance "
            "RemoveTagsFromResource ResetDBClusterParameterGroup ResetDBParameterGroup",
            "cluster:{ours}* cluster-pg:{ours}* cluster-snapshot:{ours}* db:{ours}* es:{ours}* pg:{ours}* "
            "subgrp:{ours}* og:default:*",
        ),
        Grant(
            "Cache",
            "elasticache",
            "AddTagsToResource CreateCacheParameterGroup CreateCacheSubnetGroup CreateReplicationGroup CreateSnapshot "
            "CreateUser CreateUserGroup DecreaseReplicaCount DeleteCacheParameterGroup DeleteCacheSubnetGroup "
            "DeleteReplicationGroup DeleteUser DeleteUserGroup IncreaseReplicaCount ModifyCacheParameterGroup "
            "ModifyCacheSubnetGroup ModifyReplicationGroup ModifyReplicationGroupShardConfiguration ModifyUser "
            "ModifyUserGroup RemoveTagsFromResource ResetCacheParameterGroup",
            "cluster:{ours}* parametergroup:{ours}* replicationgroup:{ours}* snapshot:{ours}* subnetgroup:{ours}* "
            "user:{ours}* usergroup:{ours}*",
        ),
        # The replica is made in the name of whoever asks for it, without tags.
        # https://docs.aws.amazon.com/efs/latest/ug/efs-replication.html
        Grant("MakeFiles", "elasticfilesystem", "CreateFileSystem"),
        Grant("TagFiles", "elasticfilesystem", "TagResource", "access-point/* file-system/*", Known.AS_TAGGED_FIRST),
        Grant(
            "Files",
            "elasticfilesystem",
            "CreateAccessPoint CreateMountTarget CreateReplicationConfiguration DeleteAccessPoint DeleteFileSystem "
            "DeleteFileSystemPolicy DeleteMountTarget DeleteReplicationConfiguration ModifyMountTargetSecurityGroups "
            "PutBackupPolicy PutFileSystemPolicy PutLifecycleConfiguration TagResource UntagResource UpdateFileSystem "
            "UpdateFileSystemProtection",
            "access-point/* file-system/*",
            Known.BY_TAGS,
        ),
        Grant(
            "Secrets",
            "secretsmanager",
            "CancelRotateSecret CreateSecret DeleteResourcePolicy DeleteSecret PutResourcePolicy RotateSecret "
            "TagResource UntagResource UpdateSecret",
            "secret:{ours}*",
        ),
        # RDS makes the master's, of a name of its own, in the name of whoever asks.
        Grant("MasterSecret", "secretsmanager", "CreateSecret RotateSecret TagResource", "secret:rds!cluster-*"),
    ),
    "backups": (
        Grant("MakePlan", "backup", "CreateBackupPlan", "backup-plan:*", Known.BY_TAGS_ASKED),
        Grant("TagPlan", "backup", "TagResource", "backup-plan:*", Known.AS_TAGGED_FIRST),
        Grant(
            "Plan",
            "backup",
            "CreateBackupSelection DeleteBackupPlan DeleteBackupSelection TagResource UntagResource UpdateBackupPlan",
            "backup-plan:*",
            Known.BY_TAGS,
        ),
        Grant(
            "Vaults",
            "backup",
            "CreateBackupVault DeleteBackupVault DeleteBackupVaultAccessPolicy DeleteBackupVaultLockConfiguration "
            "PutBackupVaultAccessPolicy PutBackupVaultLockConfiguration TagResource UntagResource",
            "backup-vault:{ours}*",
        ),
        Grant(
            "RestoreTests",
            "backup",
            "CreateRestoreTestingPlan CreateRestoreTestingSelection DeleteRestoreTestingPlan "
            "DeleteRestoreTestingSelection TagResource UntagResource UpdateRestoreTestingPlan "
            "UpdateRestoreTestingSelection",
            "restore-testing-plan:{snake}*",
        ),
        Grant("VaultStorage", "backup-storage", "MountCapsule"),
        Grant("MakeKey", "kms", "CreateKey", known=Known.BY_TAGS_ASKED),
        Grant("TagKey", "kms", "TagResource", "key/*", Known.AS_TAGGED_FIRST),
        Grant(
            "Keys",
            "kms",
            "CreateAlias DeleteAlias EnableKeyRotation PutKeyPolicy ScheduleKeyDeletion TagResource UntagResource "
            "UpdateAlias UpdateKeyDescription",
            "key/*",
            Known.BY_TAGS,
        ),
        Grant("Aliases", "kms", "CreateAlias DeleteAlias UpdateAlias", "alias/{ours}*"),
    ),
    "service": (
        Grant(
            "Images",
            "ecr",
            "CreateRepository DeleteLifecyclePolicy DeleteRepository DeleteRepositoryPolicy "
            "PutImageScanningConfiguration PutImageTagMutability PutLifecyclePolicy SetRepositoryPolicy TagResource "
            "UntagResource",
            "repository/{ours}*",
        ),
        Grant(
            "Containers",
            "ecs",
            "CreateCluster CreateService DeleteCluster DeleteService PutClusterCapacityProviders TagResource "
            "UntagResource UpdateCluster UpdateService",
            "cluster/{ours}* service/{ours}*/{ours}* task-definition/{ours}*:*",
        ),
        Grant("Task", "ecs", "RegisterTaskDefinition", known=Known.BY_TAGS_ASKED),
        Grant("OldTask", "ecs", "DeregisterTaskDefinition"),
        Grant(
            "MakeScaling",
            "application-autoscaling",
            "RegisterScalableTarget TagResource",
            "scalable-target/*",
            Known.BY_TAGS_ASKED,
        ),
        Grant(
            "Scaling",
            "application-autoscaling",
            "DeleteScalingPolicy DeregisterScalableTarget PutScalingPolicy RegisterScalableTarget TagResource "
            "UntagResource",
            "scalable-target/*",
            Known.BY_TAGS,
        ),
        Grant(
            "Functions",
            "lambda",
            "AddPermission CreateFunction DeleteFunction RemovePermission TagResource UntagResource UpdateFunctionCode "
            "UpdateFunctionConfiguration",
            "function:{ours}*",
        ),
        Grant("Schedules", "scheduler", "CreateSchedule DeleteSchedule UpdateSchedule", "schedule/default/{ours}*"),
        Grant(
            "Workflows",
            "states",
            "CreateStateMachine DeleteStateMachine TagResource UntagResource UpdateStateMachine",
            "stateMachine:{ours}*",
        ),
        Grant(
            "Events",
            "events",
            "DeleteRule PutRule PutTargets RemoveTargets TagResource UntagResource",
            "rule/{ours}*",
        ),
    ),
    "records": (
        Grant(
            "Trail",
            "cloudtrail",
            "AddTags CreateTrail DeleteTrail PutEventSelectors RemoveTags StartLogging StopLogging UpdateTrail",
            "trail/{ours}*",
        ),
        Grant(
            "Alarms",
            "cloudwatch",
            "DeleteAlarms DeleteDashboards PutCompositeAlarm PutDashboard PutMetricAlarm TagResource UntagResource",
            "alarm:{ours}* arn:aws:cloudwatch::{account}:dashboard/{ours}*",
        ),
        Grant("MakeRule", "config", "PutConfigRule TagResource", "config-rule/*", Known.AS_TAGGED_FIRST),
        Grant(
            "Rules",
            "config",
            "DeleteConfigRule PutConfigRule TagResource UntagResource",
            "config-rule/*",
            Known.BY_TAGS,
        ),
        # An account has one of each of these in a Region.
        Grant(
            "Recorder",
            "config",
            "DeleteConfigurationRecorder DeleteDeliveryChannel PutConfigurationRecorder PutDeliveryChannel "
            "StartConfigurationRecorder StopConfigurationRecorder",
        ),
        Grant("MakeDetector", "guardduty", "CreateDetector", known=Known.BY_TAGS_ASKED),
        Grant("TagDetector", "guardduty", "TagResource", "detector/*", Known.AS_TAGGED_FIRST),
        Grant(
            "Detector",
            "guardduty",
            "DeleteDetector TagResource UntagResource UpdateDetector",
            "detector/*",
            Known.BY_TAGS,
        ),
        Grant("Inspector", "inspector2", "Disable Enable"),
        Grant(
            "SecurityHub",
            "securityhub",
            "BatchDisableStandards BatchEnableStandards DisableSecurityHub EnableSecurityHub "
            "UpdateSecurityHubConfiguration",
            "hub/default",
        ),
        Grant(
            "LogGroups",
            "logs",
            "AssociateKmsKey CreateLogGroup DeleteLogGroup DeleteMetricFilter PutMetricFilter PutRetentionPolicy "
            "TagResource UntagResource",
            "{log_groups}",
        ),
        # Saved queries and policies of the Region's logs have no ARN. The rest WAF and ElastiCache ask in the name of
        # whoever turns their logs on.
        Grant(
            "Logs",
            "logs",
            "CreateLogDelivery DeleteLogDelivery DeleteQueryDefinition DeleteResourcePolicy GetLogDelivery "
            "ListLogDeliveries PutQueryDefinition PutResourcePolicy UpdateLogDelivery",
        ),
        Grant(
            "Topics",
            "sns",
            "CreateTopic DeleteTopic SetTopicAttributes Subscribe TagResource UntagResource",
            "{ours}*",
        ),
        Grant("Subscriptions", "sns", "SetSubscriptionAttributes Unsubscribe"),
        Grant(
            "Buckets",
            "s3",
            "CreateBucket DeleteBucket DeleteBucketPolicy PutBucketLogging PutBucketObjectLockConfiguration "
            "PutBucketOwnershipControls PutBucketPolicy PutBucketPublicAccessBlock PutBucketTagging "
            "PutBucketVersioning PutEncryptionConfiguration PutLifecycleConfiguration",
            "{buckets}",
        ),
    ),
}
"""By the policy that they are put into: each must fit what IAM takes."""

DESTROYS = frozenset(
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
        "secretsmanager:DeleteSecret",
        "securityhub:DisableSecurityHub",
    }
)
"""What loses data, keys or traces: granted where deletion protection is off, and denied where it is on."""

ROLES_UNDER_A_BOUNDARY = (
    "iam:CreateRole",
    "iam:DeleteRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
)
"""IAM tells of these which boundary the role has, or gets."""
ATTACHMENTS = ("iam:AttachRolePolicy", "iam:DetachRolePolicy")
"""The same, and which policy."""
ROLES = (
    "iam:DeleteRole",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
)

PASSED_TO = (
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

POLICIES_OF_AWS = (
    "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup",
    "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForRestores",
    "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
)
"""Those that roles of the platform have."""

SERVICE_LINKED = (
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

USE_OF_KEYS = (
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
USE_KEYS = ("backup", "ecr", "elasticache", "elasticfilesystem", "lambda", "rds", "secretsmanager")
"""Services that use a key in the name of whoever gives them something to encrypt."""
