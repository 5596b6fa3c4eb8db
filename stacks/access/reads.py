"""Grants to read the configuration of resources, for plans."""

from stacks.access.grants import Grant

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
"""Read-only actions on configuration, none on content."""

READS_BY_NAME: tuple[Grant, ...] = (
    Grant(
        "Roles",
        "iam",
        # Terraform calls the third before it deletes a role; the last three are for the access tier itself.
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
    # These reveal more than configuration: a function's code, who may read a secret.
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
"""Read actions limited by name: those of global services, and those that reveal more than configuration."""
