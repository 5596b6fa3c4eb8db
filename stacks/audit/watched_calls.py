"""API calls that people are notified of: metrics of the trail's log group, and EventBridge events.

Metrics cover calls in all Regions, including IAM and sign-ins, because the log group of a multi-Region trail has them
all. Events cover changes to this Region's security controls and include the caller. The patterns follow the CIS AWS
Foundations Benchmark, with additions for PCI DSS.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from stacks.parts.events import Event

API_CALL = ["AWS API Call via CloudTrail"]


@dataclass(frozen=True, kw_only=True)
class CallMetric:
    """Calls that are counted in the trail's log group, with an alarm on their number in five minutes."""

    name: str
    """Last part of the alarm's name, and the heading in the runbook page."""
    pattern: str
    threshold: int = 1
    unit: str = "calls"
    reason: str

    @property
    def metric(self) -> str:
        """Name of the metric: `RootUse` for `root-use`."""
        return self.name.title().replace("-", "")


def call_pattern(source: str, *actions: str) -> str:
    """Filter pattern for successful calls; `denied-calls` counts the others."""
    names = " || ".join(f'$.eventName = "{action}"' for action in actions)
    return f'{{ $.eventSource = "{source}.amazonaws.com" && $.errorCode NOT EXISTS && ({names}) }}'


def change_pattern(source: str, *exceptions: str) -> str:
    """Filter pattern for all successful calls that change a service's configuration, including those yet to come.

    CloudTrail's `readOnly` and `eventCategory`:
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
    """
    unless = "".join(f' && $.eventName != "{action}"' for action in exceptions)
    return (
        f'{{ $.eventSource = "{source}.amazonaws.com" && $.errorCode NOT EXISTS && $.eventCategory = "Management" && '
        f"($.readOnly IS FALSE || $.readOnly NOT EXISTS){unless} }}"
    )


CALL_METRICS = (
    CallMetric(
        name="root-use",
        pattern='{ $.userIdentity.type = "Root" && $.userIdentity.invokedBy NOT EXISTS && '
        '$.eventType != "AwsServiceEvent" }',
        reason="somebody used the root user, which no policy restricts (PCI DSS 8.2.2, 10.2.1.2)",
    ),
    CallMetric(
        name="failed-console-logins",
        # The error message differs: of an unknown user name, it is not "Failed authentication".
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
        pattern='{ $.eventName = "ConsoleLogin" && $.responseElements.ConsoleLogin = "Failure" }',
        threshold=5,
        unit="sign-ins",
        reason="somebody may be guessing a password (PCI DSS 10.2.1.4)",
    ),
    CallMetric(
        name="console-logins-without-mfa",
        # Federated users have used a second factor at their identity provider.
        pattern='{ $.eventName = "ConsoleLogin" && $.userIdentity.type = "IAMUser" && '
        '$.responseElements.ConsoleLogin = "Success" && $.additionalEventData.MFAUsed != "Yes" }',
        unit="sign-ins",
        reason="somebody signed in with a password only (PCI DSS 8.4.2)",
    ),
    CallMetric(
        name="denied-calls",
        pattern='{ $.errorCode = "*UnauthorizedOperation" || $.errorCode = "AccessDenied*" }',
        threshold=25,
        reason="somebody attempts forbidden calls, or a role lacks a permission (PCI DSS 10.2.1.4)",
    ),
    CallMetric(
        name="identity-changes",
        pattern=change_pattern("iam", "Generate*", "Tag*", "Untag*"),
        reason="IAM identities, credentials or permissions were changed (PCI DSS 10.2.1.5)",
    ),
    CallMetric(
        name="key-loss",
        pattern=call_pattern("kms", "DisableKey", "ScheduleKeyDeletion"),
        reason="a KMS key was disabled or scheduled for deletion; its data becomes unreadable (PCI DSS 3.7.5)",
    ),
    CallMetric(
        name="security-group-changes",
        pattern=call_pattern(
            "ec2",
            *("AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress"),
            *("CreateSecurityGroup", "DeleteSecurityGroup", "ModifySecurityGroupRules"),
            *("RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress"),
        ),
        reason="security group rules were changed (PCI DSS 1.2.2)",
    ),
    CallMetric(
        name="network-acl-changes",
        pattern=call_pattern(
            "ec2",
            *("CreateNetworkAcl", "CreateNetworkAclEntry", "DeleteNetworkAcl", "DeleteNetworkAclEntry"),
            *("ReplaceNetworkAclAssociation", "ReplaceNetworkAclEntry"),
        ),
        reason="network ACLs were changed (PCI DSS 1.2.2)",
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
        reason="routes or gateways of the network were changed (PCI DSS 1.2.2)",
    ),
    CallMetric(
        name="bucket-policy-changes",
        pattern=change_pattern("s3", "*Tagging"),
        reason="access to a bucket, or its protection, was changed (PCI DSS 10.3.2)",
    ),
)


def _control_changed(name: str, source: str, what: str, *actions: str) -> Event:
    return Event(
        name=name,
        source=f"aws.{source}",
        detail_types=API_CALL,
        # Including denied calls: even the attempt is suspicious.
        detail={"eventName": list(actions)},
        message=f"{what}, done or denied.",
        input_paths={
            "action": "$.detail.eventName",
            "who": "$.detail.userIdentity.arn",
            "address": "$.detail.sourceIPAddress",
            "error": "$.detail.errorCode",
        },
    )


def control_change_events() -> Sequence[Event]:
    """PCI DSS 10.7.2: notify people at once when a security control fails or is disabled."""
    return [
        _control_changed(
            "trail-changed",
            "cloudtrail",
            "change of the audit trail",
            *("DeleteTrail", "PutEventSelectors", "StopLogging", "UpdateTrail"),
        ),
        _control_changed("flow-logs-deleted", "ec2", "deletion of flow logs", "DeleteFlowLogs"),
        _control_changed(
            "firewall-changed",
            "wafv2",
            "change of WAF",
            *("DeleteLoggingConfiguration", "DeleteWebACL", "DisassociateWebACL", "UpdateWebACL"),
        ),
        _control_changed(
            "guardduty-changed",
            "guardduty",
            "change of GuardDuty",
            # Filters and trusted IP lists suppress findings.
            *("CreateFilter", "CreateIPSet", "DeleteDetector", "UpdateDetector", "UpdateFilter", "UpdateIPSet"),
        ),
        _control_changed(
            "security-hub-changed",
            "securityhub",
            "change of Security Hub",
            *("BatchDisableStandards", "BatchUpdateStandardsControlAssociations", "DisableSecurityHub"),
        ),
        _control_changed(
            "config-changed",
            "config",
            "change of AWS Config",
            *("DeleteConfigRule", "DeleteConfigurationRecorder", "DeleteDeliveryChannel"),
            *("PutConfigurationRecorder", "PutDeliveryChannel", "StopConfigurationRecorder"),
        ),
        _control_changed(
            "inspector-changed", "inspector2", "change of Inspector", "CreateFilter", "Disable", "UpdateFilter"
        ),
        _control_changed(
            "alarms-silenced",
            "monitoring",
            "change of alarms",
            *("DeleteAlarms", "DisableAlarmActions", "SetAlarmState"),
        ),
        Event(
            name="rotation-failed",
            source="aws.secretsmanager",
            # Includes the master credential, which RDS rotates itself.
            detail_types=["AWS Service Event via CloudTrail"],
            detail={"eventName": ["RotationFailed"]},
            message="the rotation of a secret failed.",
            input_paths={"secret": "$.detail.additionalEventData.SecretId"},
        ),
    ]
