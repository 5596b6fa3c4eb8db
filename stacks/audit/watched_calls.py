"""Which calls of AWS's API somebody is told of, as the trail records them: two tables.

Counted are those that matter in whatever Region they are made, IAM's and sign-ins among them: the log group of a
multi-Region trail is the only place that has them all. Told, with who made them, are changes of this Region's controls.
Patterns are those of the CIS AWS Foundations Benchmark, with the names that PCI DSS adds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from stacks.parts.events import Event

API_CALL = ["AWS API Call via CloudTrail"]


@dataclass(frozen=True, kw_only=True)
class CallMetric:
    """One row: what is counted in the trail's log, and from how many on in five minutes it is an alarm."""

    name: str
    """Also the alarm's, and the heading in the runbook."""
    pattern: str
    threshold: int = 1
    unit: str = "calls"
    reason: str

    @property
    def metric(self) -> str:
        """As CloudWatch writes names: `RootUse`."""
        return self.name.title().replace("-", "")


def call_pattern(source: str, *actions: str) -> str:
    """Filter pattern of calls that were carried out; those that were denied are counted as such."""
    named = " || ".join(f'$.eventName = "{action}"' for action in actions)
    return f'{{ $.eventSource = "{source}.amazonaws.com" && $.errorCode NOT EXISTS && ({named}) }}'


CALL_METRICS = (
    CallMetric(
        name="root-use",
        pattern='{ $.userIdentity.type = "Root" && $.userIdentity.invokedBy NOT EXISTS && '
        '$.eventType != "AwsServiceEvent" }',
        reason="nobody works as the root user, whom no policy binds (PCI DSS 8.2.2, 10.2.1.2)",
    ),
    CallMetric(
        name="failed-console-logins",
        pattern='{ $.eventName = "ConsoleLogin" && $.errorMessage = "Failed authentication" }',
        threshold=5,
        unit="sign-ins",
        reason="somebody may be guessing a password (PCI DSS 10.2.1.4)",
    ),
    CallMetric(
        name="console-logins-without-mfa",
        # Whoever comes by an identity provider has shown a second factor there.
        pattern='{ $.eventName = "ConsoleLogin" && $.userIdentity.type = "IAMUser" && '
        '$.responseElements.ConsoleLogin = "Success" && $.additionalEventData.MFAUsed != "Yes" }',
        unit="sign-ins",
        reason="a password alone was enough (PCI DSS 8.4.2)",
    ),
    CallMetric(
        name="denied-calls",
        pattern='{ $.errorCode = "*UnauthorizedOperation" || $.errorCode = "AccessDenied*" }',
        threshold=25,
        reason="somebody tries what is not allowed, or a role has lost a permission (PCI DSS 10.2.1.4)",
    ),
    CallMetric(
        name="identity-changes",
        pattern=call_pattern(
            "iam",
            *("AttachGroupPolicy", "AttachRolePolicy", "AttachUserPolicy"),
            *("CreateAccessKey", "CreateLoginProfile", "CreatePolicy", "CreatePolicyVersion", "CreateUser"),
            *("DeleteGroupPolicy", "DeletePolicy", "DeletePolicyVersion", "DeleteRolePolicy", "DeleteUserPolicy"),
            *("DeleteRolePermissionsBoundary", "DetachGroupPolicy", "DetachRolePolicy", "DetachUserPolicy"),
            *("PutGroupPolicy", "PutRolePolicy", "PutUserPolicy", "UpdateAssumeRolePolicy"),
        ),
        reason="somebody's permissions are others than before (PCI DSS 10.2.1.5)",
    ),
    CallMetric(
        name="key-loss",
        pattern=call_pattern("kms", "DisableKey", "ScheduleKeyDeletion"),
        reason="what the key encrypts can no longer be read (PCI DSS 3.7.5)",
    ),
    CallMetric(
        name="security-group-changes",
        pattern=call_pattern(
            "ec2",
            *("AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress"),
            *("CreateSecurityGroup", "DeleteSecurityGroup", "ModifySecurityGroupRules"),
            *("RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress"),
        ),
        reason="who may reach whom is otherwise than before (PCI DSS 1.2.2)",
    ),
    CallMetric(
        name="network-acl-changes",
        pattern=call_pattern(
            "ec2",
            *("CreateNetworkAcl", "CreateNetworkAclEntry", "DeleteNetworkAcl", "DeleteNetworkAclEntry"),
            *("ReplaceNetworkAclAssociation", "ReplaceNetworkAclEntry"),
        ),
        reason="the second fence around a kind of subnet is otherwise than before (PCI DSS 1.2.2)",
    ),
    CallMetric(
        name="route-changes",
        pattern=call_pattern(
            "ec2",
            *("AssociateRouteTable", "CreateRoute", "CreateRouteTable", "DeleteRoute", "DeleteRouteTable"),
            *("DisassociateRouteTable", "ReplaceRoute", "ReplaceRouteTableAssociation"),
            *("AttachInternetGateway", "CreateInternetGateway", "DeleteInternetGateway", "DetachInternetGateway"),
            *("AcceptVpcPeeringConnection", "CreateTransitGatewayVpcAttachment", "CreateVpnGateway"),
        ),
        reason="there is another way into the network, or out of it (PCI DSS 1.2.2)",
    ),
    CallMetric(
        name="bucket-policy-changes",
        pattern=call_pattern(
            "s3",
            *("DeleteBucketEncryption", "DeleteBucketLifecycle", "DeleteBucketPolicy"),
            *(
                "DeleteBucketPublicAccessBlock",
                "PutBucketAcl",
                "PutBucketLifecycle",
                "PutBucketObjectLockConfiguration",
            ),
            *("PutBucketPolicy", "PutBucketPublicAccessBlock", "PutBucketReplication", "PutBucketVersioning"),
        ),
        reason="who may read, change or remove logs and states is otherwise than before (PCI DSS 10.3.2)",
    ),
)


def _changed(name: str, source: str, what: str, *actions: str) -> Event:
    return Event(
        name=name,
        source=f"aws.{source}",
        detail_types=API_CALL,
        # Also what was denied: nobody has any business to try.
        detail={"eventName": list(actions)},
        message=f"{what}: <action> by <who> from <address>. <error>",
        input_paths={
            "action": "$.detail.eventName",
            "who": "$.detail.userIdentity.arn",
            "address": "$.detail.sourceIPAddress",
            "error": "$.detail.errorCode",
        },
    )


def control_change_events() -> Sequence[Event]:
    """PCI DSS 10.7.2: a control that fails, or is made to, is told at once."""
    return [
        _changed(
            "trail-changed",
            "cloudtrail",
            "the audit trail was touched",
            *("DeleteTrail", "PutEventSelectors", "StopLogging", "UpdateTrail"),
        ),
        _changed("flow-logs-deleted", "ec2", "flow logs were touched", "DeleteFlowLogs"),
        _changed(
            "firewall-changed",
            "wafv2",
            "the firewall was touched",
            *("DeleteLoggingConfiguration", "DeleteWebACL", "DisassociateWebACL", "UpdateWebACL"),
        ),
        _changed(
            "guardduty-changed",
            "guardduty",
            "GuardDuty was touched",
            # Filters and lists of trusted addresses silence findings.
            *("CreateFilter", "CreateIPSet", "DeleteDetector", "UpdateDetector", "UpdateFilter", "UpdateIPSet"),
        ),
        _changed(
            "security-hub-changed",
            "securityhub",
            "Security Hub was touched",
            *("BatchDisableStandards", "BatchUpdateStandardsControlAssociations", "DisableSecurityHub"),
        ),
        _changed(
            "config-changed",
            "config",
            "AWS Config was touched",
            *("DeleteConfigRule", "DeleteConfigurationRecorder", "DeleteDeliveryChannel"),
            *("PutConfigurationRecorder", "PutDeliveryChannel", "StopConfigurationRecorder"),
        ),
        _changed("inspector-changed", "inspector2", "Inspector was touched", "CreateFilter", "Disable", "UpdateFilter"),
        _changed(
            "alarms-silenced",
            "monitoring",
            "alarms were touched",
            *("DeleteAlarms", "DisableAlarmActions", "SetAlarmState"),
        ),
        Event(
            name="rotation-failed",
            source="aws.secretsmanager",
            # Also of the master credential, which RDS rotates without a function of ours.
            detail_types=["AWS Service Event via CloudTrail"],
            detail={"eventName": ["RotationFailed"]},
            message="the rotation of a secret failed: <secret>.",
            input_paths={"secret": "$.detail.additionalEventData.SecretId"},
        ),
    ]
