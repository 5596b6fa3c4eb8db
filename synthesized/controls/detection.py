"""PCI DSS 10 and 11: audit trails, and detection of threats, changes and disabled controls."""

from collections.abc import Iterable

from synthesized.controls.control import (
    Control,
    Every,
    Relation,
    Removal,
    Replacement,
    at_most,
    containing,
    referring_to,
)
from synthesized.controls.document import Document, values

FEATURES = ("LAMBDA_NETWORK_LOGS", "RDS_LOGIN_EVENTS", "S3_DATA_EVENTS")
"""GuardDuty features that apply to resources of the stacks."""

NOTIFIED_EVENTS = {
    "aws.backup": {"state": {"ABORTED", "EXPIRED", "FAILED"}},
    "aws.cloudtrail": {"eventName": {"DeleteTrail", "StopLogging", "UpdateTrail"}},
    "aws.config": {"eventName": {"DeleteConfigurationRecorder", "StopConfigurationRecorder"}},
    "aws.ec2": {"eventName": {"DeleteFlowLogs"}},
    "aws.guardduty": {"eventName": {"DeleteDetector", "UpdateDetector"}},
    "aws.inspector2": {"eventName": {"Disable"}},
    "aws.secretsmanager": {"eventName": {"RotationFailed"}},
    "aws.securityhub": {"eventName": {"DisableSecurityHub"}},
    "aws.wafv2": {"eventName": {"DeleteWebACL", "DisassociateWebACL"}},
}
"""Events that report a control as failed or disabled: by source, the values of a field of `detail`."""

FINDING_EVENTS = {
    "aws.guardduty": "GuardDuty Finding",
    "aws.inspector2": "Inspector2 Finding",
    "aws.config": "Config Rules Compliance Change",
}
"""Event types of findings, by source."""

METRIC_FILTER_TERMS = {
    "root-use": ('"Root"',),
    "failed-console-logins": ("ConsoleLogin", "Failure"),
    "identity-changes": ('"iam.amazonaws.com"', "$.readOnly IS FALSE"),
    "security-group-changes": ("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"),
    "route-changes": ("CreateRoute", "ReplaceRoute"),
    "bucket-policy-changes": ('"s3.amazonaws.com"', "$.readOnly IS FALSE"),
}
"""Terms that a metric filter's pattern must contain, by filter."""


def _unrecorded_objects(document: Document) -> Iterable[str]:
    for address, trail in document.of_type("aws_cloudtrail").items():
        kinds = set[str]()
        for selector in trail.get("advanced_event_selector") or []:
            kinds |= {kind for field in selector["field_selector"] for kind in field.get("equals") or []}
        for kind in sorted({"Management", "Data", "AWS::S3::Object"} - kinds):
            yield f"{address}: advanced_event_selector: does not record {kind}"


def filters_without_alarm(document: Document) -> Iterable[str]:
    """Metric filters whose metric has no alarm."""
    alarms = {
        (alarm.get("namespace"), alarm.get("metric_name"))
        for alarm in document.of_type("aws_cloudwatch_metric_alarm").values()
    }
    for address, entry in document.of_type("aws_cloudwatch_log_metric_filter").items():
        metric = entry["metric_transformation"]
        if (metric["namespace"], metric["name"]) not in alarms:
            yield f"{address}: has no aws_cloudwatch_metric_alarm of {metric['name']}"


def _events_without_rule(document: Document) -> Iterable[str]:
    rules = [rule["event_pattern"] for rule in document.of_type("aws_cloudwatch_event_rule").values()]
    for source, wanted in NOTIFIED_EVENTS.items():
        for key, names in wanted.items():
            matched = {
                name
                for rule in rules
                if source in rule["source"]
                for found in values(rule, f"detail.{key}")
                for name in found or []
            }
            for name in sorted(names - matched):
                yield f"aws_cloudwatch_event_rule: event_pattern: none matches {name} of {source}"


def _findings_without_rule(document: Document) -> Iterable[str]:
    matched = {
        (source, kind)
        for rule in document.of_type("aws_cloudwatch_event_rule").values()
        for source in rule["event_pattern"]["source"]
        for kind in rule["event_pattern"].get("detail-type", [])
    }
    for pair in FINDING_EVENTS.items():
        if pair not in matched:
            yield f"aws_cloudwatch_event_rule: event_pattern: none matches {pair[1]}"


def _disabled_features(document: Document) -> Iterable[str]:
    enabled = {
        feature["name"]
        for feature in document.of_type("aws_guardduty_detector_feature").values()
        if feature["status"] == "ENABLED"
    }
    for feature in FEATURES:
        if feature not in enabled:
            yield f"aws_guardduty_detector_feature: status: {feature} is not enabled"


def _missing_standards(document: Document) -> Iterable[str]:
    standards = [body["standards_arn"] for body in document.of_type("aws_securityhub_standards_subscription").values()]
    if not any("/pci-dss/v/4" in arn for arn in standards):
        yield "aws_securityhub_standards_subscription: standards_arn: none is PCI DSS 4"


CONTROLS = (
    Control(
        name="trail",
        requirements=("10.2.1",),
        summary="A trail records all API calls in all Regions, and reads and writes of S3 objects.",
        checks=[
            Every(
                "aws_cloudtrail",
                {"is_multi_region_trail": True, "include_global_service_events": True, "enable_logging": True},
            ),
            Relation("it records management events, and data events of S3 objects", _unrecorded_objects),
        ],
        mutations=[
            Replacement("aws_cloudtrail", "is_multi_region_trail", False),
            Replacement("aws_cloudtrail", "include_global_service_events", False),
            Replacement("aws_cloudtrail", "enable_logging", False),
            Replacement("aws_cloudtrail", "advanced_event_selector", None),
        ],
    ),
    Control(
        name="trail-integrity",
        requirements=("10.3.2", "10.3.4"),
        summary="The trail's log files have signed digests, are encrypted, and are in the locked archive.",
        checks=[
            Every(
                "aws_cloudtrail",
                {
                    "enable_log_file_validation": True,
                    "kms_key_id": referring_to("aws_kms_key"),
                    "s3_bucket_name": "${aws_s3_bucket.foundation_audit.id}",
                },
            )
        ],
        mutations=[
            Replacement("aws_cloudtrail", "enable_log_file_validation", False),
            Replacement("aws_cloudtrail", "kms_key_id", None),
            Replacement("aws_cloudtrail", "s3_bucket_name", "${aws_s3_bucket.foundation_config.id}"),
        ],
    ),
    Control(
        name="trail-alarms",
        requirements=("10.3.3", "10.4.1.1"),
        summary="The trail also delivers to a log group, where metric filters raise alarms on suspicious calls.",
        checks=[
            Every(
                "aws_cloudtrail",
                {
                    "cloud_watch_logs_group_arn": referring_to("aws_cloudwatch_log_group"),
                    "cloud_watch_logs_role_arn": referring_to("aws_iam_role"),
                },
            ),
            *(
                Every(f"aws_cloudwatch_log_metric_filter.audit_{name}", {"pattern": containing(*words)})
                for name, words in METRIC_FILTER_TERMS.items()
            ),
            Relation("every metric of a filter has an alarm", filters_without_alarm),
        ],
        mutations=[
            Replacement("aws_cloudtrail", "cloud_watch_logs_group_arn", None),
            Replacement("aws_cloudtrail", "cloud_watch_logs_role_arn", None),
            *(
                Replacement(f"aws_cloudwatch_log_metric_filter.audit_{name}", "pattern", "{ $.x = 1 }")
                for name in METRIC_FILTER_TERMS
            ),
            Removal("aws_cloudwatch_metric_alarm.audit_alarm-root-use", "use of root has no alarm"),
        ],
    ),
    Control(
        name="key-loss",
        requirements=("3.7.5", "3.7.7"),
        summary="An alarm reports a disabled key, or one scheduled for deletion, while that can still be undone.",
        checks=[
            Every(
                "aws_cloudwatch_log_metric_filter.audit_key-loss",
                {"pattern": containing('"kms.amazonaws.com"', '"DisableKey"', '"ScheduleKeyDeletion"')},
            ),
            Every(
                "aws_cloudwatch_metric_alarm",
                {"threshold": at_most(1), "evaluation_periods": 1},
                where={"metric_name": "KeyLoss"},
            ),
        ],
        mutations=[
            Replacement(
                "aws_cloudwatch_log_metric_filter.audit_key-loss",
                "pattern",
                '{ $.eventSource = "kms.amazonaws.com" && $.eventName = "DisableKey" }',
            ),
            Replacement("aws_cloudwatch_metric_alarm.audit_alarm-key-loss", "threshold", 10),
            Replacement("aws_cloudwatch_metric_alarm.audit_alarm-key-loss", "evaluation_periods", 12),
        ],
    ),
    Control(
        name="control-failures",
        requirements=("10.7.2", "10.7.3"),
        summary="Event rules report when the trail, flow logs, WAF, GuardDuty, Config, Inspector or Security Hub is "
        "disabled, and when a rotation or a backup fails.",
        checks=[Relation(f"event rules match control failures of {', '.join(NOTIFIED_EVENTS)}", _events_without_rule)],
        mutations=[
            Removal(f"aws_cloudwatch_event_rule.{rule}", f"there is no event rule {rule}")
            for rule in (
                "audit_event-trail-changed",
                "audit_event-flow-logs-deleted",
                "audit_event-firewall-changed",
                "audit_event-guardduty-changed",
                "audit_event-config-changed",
                "audit_event-inspector-changed",
                "audit_event-security-hub-changed",
                "audit_event-rotation-failed",
                "recovery_event-backup-failed",
            )
        ],
    ),
    Control(
        name="threats",
        requirements=("11.5.1", "12.10.5"),
        summary="GuardDuty analyzes API calls, connections, database logins and S3 objects for threats. Event rules "
        "report its findings, and those of Inspector and Config.",
        checks=[
            Every("aws_guardduty_detector", {"enable": True}),
            Relation(f"features {', '.join(FEATURES)} are enabled", _disabled_features),
            Relation(f"event rules match {', '.join(FINDING_EVENTS.values())}", _findings_without_rule),
        ],
        mutations=[
            Replacement("aws_guardduty_detector", "enable", False),
            *(
                Replacement(
                    f"aws_guardduty_detector_feature.audit_detector-{name.lower().replace('_', '-')}",
                    "status",
                    "DISABLED",
                )
                for name in FEATURES
            ),
            Removal("aws_cloudwatch_event_rule.audit_event-threat-found", "GuardDuty findings have no event rule"),
            Removal(
                "aws_cloudwatch_event_rule.audit_event-vulnerability-found", "Inspector findings have no event rule"
            ),
            Removal("aws_cloudwatch_event_rule.audit_event-rule-not-met", "Config findings have no event rule"),
        ],
    ),
    Control(
        name="vulnerabilities",
        requirements=("6.3.1", "11.3.1"),
        summary="Inspector scans images and functions continuously, not only when they are pushed.",
        checks=[Every("aws_inspector2_enabler", {"resource_types": containing("ECR", "LAMBDA")})],
        mutations=[Replacement("aws_inspector2_enabler", "resource_types", ["EC2"])],
    ),
    Control(
        name="change-detection",
        requirements=("11.5.2",),
        summary="AWS Config records every change of every resource. Security Hub checks resources against PCI DSS.",
        checks=[
            Every(
                "aws_config_configuration_recorder",
                {
                    "recording_group.all_supported": True,
                    "recording_group.include_global_resource_types": True,
                    "recording_mode.recording_frequency": "CONTINUOUS",
                },
            ),
            Every("aws_config_configuration_recorder_status", {"is_enabled": True}),
            Every(
                "aws_config_delivery_channel",
                {"s3_bucket_name": referring_to("aws_s3_bucket"), "s3_kms_key_arn": referring_to("aws_kms_key")},
            ),
            Relation("Security Hub is subscribed to PCI DSS 4", _missing_standards),
        ],
        mutations=[
            Replacement("aws_config_configuration_recorder", "recording_group.all_supported", False),
            Replacement("aws_config_configuration_recorder", "recording_group.include_global_resource_types", False),
            Replacement("aws_config_configuration_recorder", "recording_mode.recording_frequency", "DAILY"),
            Replacement("aws_config_configuration_recorder_status", "is_enabled", False),
            Replacement("aws_config_delivery_channel", "s3_bucket_name", "elsewhere"),
            Replacement("aws_config_delivery_channel", "s3_kms_key_arn", None),
            Removal(
                "aws_securityhub_standards_subscription.audit_standard-pci-dss",
                "Security Hub is not subscribed to PCI DSS",
            ),
        ],
    ),
)
