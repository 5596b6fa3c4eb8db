"""AWS Config: recorder, delivery channel, managed rules, and an event for noncompliant resources.

The recorder uses the service-linked role: Security Hub's Config.1 requires it. A role of its own would need a
permissions boundary that allows reads of every service, which is no limit.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from cdktf_cdktf_provider_aws.config_config_rule import ConfigConfigRule, ConfigConfigRuleSource
from cdktf_cdktf_provider_aws.config_configuration_recorder import (
    ConfigConfigurationRecorder,
    ConfigConfigurationRecorderRecordingGroup,
    ConfigConfigurationRecorderRecordingMode,
)
from cdktf_cdktf_provider_aws.config_configuration_recorder_status import ConfigConfigurationRecorderStatus
from cdktf_cdktf_provider_aws.config_delivery_channel import (
    ConfigDeliveryChannel,
    ConfigDeliveryChannelSnapshotDeliveryProperties,
)
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket

from stacks.names import Names
from stacks.parts.events import Event
from stacks.tier import TierStack


@dataclass(frozen=True)
class ConfigRule:
    """An AWS managed rule, and the PCI DSS v4.0.1 requirement that it checks."""

    identifier: str
    requirement: str
    summary: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The rule's name in AWS's documentation."""
        return self.identifier.lower().replace("_", "-")


RETAINED_FOR_A_YEAR = {"MinRetentionTime": "365"}  # days

# AWS managed rules about resources that this platform has. Security Hub adds its own rules if enabled.
RULES = (
    ConfigRule(
        "VPC_SG_OPEN_ONLY_TO_AUTHORIZED_PORTS",
        "1.3.1",
        "only ports 80 and 443 are open to any address",
        {"authorizedTcpPorts": "80,443"},
    ),
    ConfigRule("VPC_DEFAULT_SECURITY_GROUP_CLOSED", "1.2.1", "the default security group has no rules"),
    ConfigRule("VPC_FLOW_LOGS_ENABLED", "10.2.1", "every VPC has flow logs", {"trafficType": "ALL"}),
    ConfigRule("RDS_CLUSTER_ENCRYPTED_AT_REST", "3.5.1", "clusters are encrypted"),
    ConfigRule("RDS_CLUSTER_DELETION_PROTECTION_ENABLED", "10.3.2", "clusters are protected from deletion"),
    ConfigRule("RDS_CLUSTER_IAM_AUTHENTICATION_ENABLED", "8.3.1", "clusters accept IAM database authentication"),
    ConfigRule("EFS_ENCRYPTED_CHECK", "3.5.1", "file systems are encrypted"),
    ConfigRule("ELASTICACHE_REPL_GRP_ENCRYPTED_AT_REST", "3.5.1", "caches are encrypted"),
    ConfigRule("ELASTICACHE_RBAC_AUTH_ENABLED", "8.3.1", "caches require authentication"),
    ConfigRule("SECRETSMANAGER_SCHEDULED_ROTATION_SUCCESS_CHECK", "8.6.3", "rotations succeed"),
    ConfigRule("SECRETSMANAGER_USING_CMK", "3.6.1", "secrets are encrypted with a customer managed key"),
    ConfigRule("KMS_CMK_NOT_SCHEDULED_FOR_DELETION", "3.7.5", "no KMS key is scheduled for deletion"),
    ConfigRule("CLOUD_TRAIL_CLOUD_WATCH_LOGS_ENABLED", "10.4.1.1", "the trail is sent to CloudWatch Logs"),
    ConfigRule("CLOUDWATCH_LOG_GROUP_ENCRYPTED", "3.5.1", "log groups are encrypted"),
    ConfigRule(
        "CW_LOGGROUP_RETENTION_PERIOD_CHECK", "10.5.1", "log events are retained for a year", RETAINED_FOR_A_YEAR
    ),
    ConfigRule("S3_BUCKET_SSL_REQUESTS_ONLY", "4.2.1", "bucket policies deny requests without TLS"),
    ConfigRule("SNS_ENCRYPTED_KMS", "3.5.1", "topics are encrypted"),
    ConfigRule("ALB_WAF_ENABLED", "6.4.2", "load balancers have a web ACL"),
    ConfigRule("ECR_PRIVATE_TAG_IMMUTABILITY_ENABLED", "6.3.1", "image tags are immutable"),
    ConfigRule("IAM_ROOT_ACCESS_KEY_CHECK", "8.2.2", "the root user has no access key"),
    ConfigRule("ROOT_ACCOUNT_MFA_ENABLED", "8.4.2", "the root user has MFA"),
    ConfigRule("MFA_ENABLED_FOR_IAM_CONSOLE_ACCESS", "8.4.2", "IAM users with a console password have MFA"),
    ConfigRule("ACCESS_KEYS_ROTATED", "8.6.3", "access keys are at most 90 days old", {"maxAccessKeyAge": "90"}),
    ConfigRule(
        "IAM_USER_UNUSED_CREDENTIALS_CHECK",
        "8.2.6",
        "credentials unused for 90 days are disabled",
        {"maxCredentialUsageAge": "90"},
    ),
)


def noncompliance_event(names: Names) -> Event:
    """PCI DSS 11.5.2: a resource violates one of our rules. Security Hub reports on its own rules."""
    return Event(
        name="rule-not-met",
        source="aws.config",
        detail_types=["Config Rules Compliance Change"],
        detail={
            "configRuleName": [{"prefix": names.resource_name("")}],
            "newEvaluationResult": {"complianceType": ["NON_COMPLIANT"]},
        },
        message="a resource does not comply with a rule.",
        input_paths={
            "rule": "$.detail.configRuleName",
            "type": "$.detail.resourceType",
            "resource": "$.detail.resourceId",
        },
    )


def enable_config(tier: TierStack, *, bucket: S3Bucket, key: KmsKey) -> ConfigConfigurationRecorderStatus:
    """Record all configuration changes and evaluate the rules. Returns the recorder's status resource.

    Args:
        bucket: must have no default retention in Object Lock: AWS Config could not deliver to it.
        key: encrypts delivered files.
    """
    recorder = ConfigConfigurationRecorder(
        tier,
        "recorder",
        name=tier.names.resource_name("recorder"),
        role_arn=tier.names.config_role_arn,
        recording_group=ConfigConfigurationRecorderRecordingGroup(
            all_supported=True, include_global_resource_types=True
        ),
        recording_mode=ConfigConfigurationRecorderRecordingMode(recording_frequency="CONTINUOUS"),
    )
    channel = ConfigDeliveryChannel(
        tier,
        "recorder-delivery",
        name=tier.names.resource_name("recorder"),
        s3_bucket_name=bucket.id,
        s3_kms_key_arn=key.arn,
        snapshot_delivery_properties=ConfigDeliveryChannelSnapshotDeliveryProperties(
            delivery_frequency="TwentyFour_Hours"
        ),
        depends_on=[recorder],
    )
    status = ConfigConfigurationRecorderStatus(
        tier, "recorder-status", name=recorder.name, is_enabled=True, depends_on=[channel]
    )
    for rule in RULES:
        ConfigConfigRule(
            tier,
            f"rule-{rule.name}",
            name=tier.names.resource_name(rule.name),
            description=f"PCI DSS {rule.requirement}: {rule.summary}",
            source=ConfigConfigRuleSource(owner="AWS", source_identifier=rule.identifier),
            input_parameters=json.dumps(dict(rule.parameters)) if rule.parameters else None,
            depends_on=[status],
        )
    return status
