"""Grants for audit, logging, monitoring and notification."""

from stacks.access.grants import Grant, Scope

MONITORING: tuple[Grant, ...] = (
    Grant(
        "Trail",
        "cloudtrail",
        "AddTags CreateTrail DeleteTrail PutEventSelectors RemoveTags StartLogging StopLogging UpdateTrail",
        "trail/{ours}*",
        reads="DescribeTrails GetEventSelectors GetTrailStatus ListTags",
    ),
    Grant(
        "Alarms",
        "cloudwatch",
        "DeleteAlarms DeleteDashboards PutCompositeAlarm PutDashboard PutMetricAlarm TagResource UntagResource",
        "{alarms} arn:aws:cloudwatch::{account}:dashboard/{ours}platform",
        reads="DescribeAlarms ListTagsForResource",
    ),
    # Application Auto Scaling tests its caller's permissions without a name.
    Grant("UnnamedAlarm", "cloudwatch", "DeleteAlarms PutMetricAlarm", "alarm:"),
    Grant("MakeRule", "config", "PutConfigRule TagResource", "config-rule/*", Scope.FIRST_TAGGING),
    Grant(
        "Rules",
        "config",
        "DeleteConfigRule PutConfigRule TagResource UntagResource",
        "config-rule/*",
        Scope.RESOURCE_TAGS,
        reads=(
            "DescribeConfigRules DescribeConfigurationRecorderStatus DescribeConfigurationRecorders "
            "DescribeDeliveryChannels ListTagsForResource"
        ),
    ),
    # These exist once per account and Region.
    Grant(
        "Recorder",
        "config",
        "DeleteConfigurationRecorder DeleteDeliveryChannel PutConfigurationRecorder PutDeliveryChannel "
        "StartConfigurationRecorder StopConfigurationRecorder",
    ),
    Grant("MakeDetector", "guardduty", "CreateDetector", scope=Scope.REQUEST_TAGS),
    Grant("TagDetector", "guardduty", "TagResource", "detector/*", Scope.FIRST_TAGGING),
    Grant(
        "Detector",
        "guardduty",
        "DeleteDetector TagResource UntagResource UpdateDetector",
        "detector/*",
        Scope.RESOURCE_TAGS,
        reads="GetDetector",
    ),
    Grant("Inspector", "inspector2", "Disable Enable", reads="BatchGetAccountStatus"),
    Grant(
        "SecurityHub",
        "securityhub",
        "BatchDisableStandards BatchEnableStandards DisableSecurityHub EnableSecurityHub "
        "UpdateSecurityHubConfiguration",
        "hub/default",
        reads="DescribeHub GetEnabledStandards",
    ),
    Grant(
        "LogGroups",
        "logs",
        "AssociateKmsKey CreateLogGroup DeleteLogGroup DeleteMetricFilter PutMetricFilter PutRetentionPolicy "
        "TagResource UntagResource",
        "{log_groups}",
        reads=(
            "DescribeLogGroups DescribeMetricFilters DescribeQueryDefinitions DescribeResourcePolicies "
            "ListTagsForResource"
        ),
    ),
    # Saved queries and resource policies of CloudWatch Logs have no ARN. WAF and ElastiCache need the others on behalf
    # of the caller that enables logging.
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
        reads="GetSubscriptionAttributes GetTopicAttributes ListTagsForResource",
    ),
    Grant("Subscriptions", "sns", "SetSubscriptionAttributes Unsubscribe"),
    Grant(
        "Buckets",
        "s3",
        "CreateBucket DeleteBucket DeleteBucketPolicy ListBucketVersions PutBucketLogging "
        "PutBucketObjectLockConfiguration PutBucketOwnershipControls PutBucketPolicy "
        "PutBucketPublicAccessBlock PutBucketTagging PutBucketVersioning PutEncryptionConfiguration "
        "PutLifecycleConfiguration",
        "{buckets}",
    ),
    # The second: versions that Object Lock retains in governance mode.
    Grant("Objects", "s3", "DeleteObjectVersion BypassGovernanceRetention", "{objects}"),
)
