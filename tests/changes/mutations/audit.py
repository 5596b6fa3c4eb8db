"""Mutations for test_audit.py: trail, metric filters, event rules, GuardDuty, Security Hub, Config and Inspector."""

import json
from typing import Any

from local_aws.server import LocalAws
from tests.changes.mutations import Mutation, Related
from tests.changes.mutations.lookup import key, tagged, topic


def trail(aws: LocalAws) -> str:
    """ARN of the trail."""
    (arn,) = tagged(aws, "cloudtrail", "trail")
    return arn


def update_trail(**changed: Any) -> Mutation:
    """Update the trail."""
    return lambda aws: aws.client("cloudtrail").update_trail(Name=trail(aws), **changed)


def restrict_selectors(**changed: Any) -> Mutation:
    """Add fields to the trail's event selectors for calls or objects."""

    def change(aws: LocalAws) -> None:
        cloudtrail, name = aws.client("cloudtrail"), trail(aws)
        selectors = cloudtrail.get_event_selectors(TrailName=name)["AdvancedEventSelectors"]
        for selector in selectors:
            selector["FieldSelectors"] += changed.get(selector["Name"].partition(" ")[0], [])
        cloudtrail.put_event_selectors(TrailName=name, AdvancedEventSelectors=selectors)

    return change


def delete_metric_filter(aws: LocalAws) -> None:
    logs = aws.client("logs")
    group = aws.client("cloudtrail").get_trail(Name=trail(aws))["Trail"]["CloudWatchLogsLogGroupArn"].split(":")[6]
    name = logs.describe_metric_filters(logGroupName=group)["metricFilters"][0]["filterName"]
    logs.delete_metric_filter(logGroupName=group, filterName=name)


def change_silence_alarm(aws: LocalAws) -> None:
    (name,) = (arn.rpartition(":")[2] for arn in tagged(aws, "cloudwatch", "alarm") if arn.endswith("trail-silent"))
    # Any metric other than that of incoming log events.
    aws.backend("cloudwatch").alarms[name].metric_name = "Other"


def remove_rule_target(kind: str, source: str) -> Mutation:
    """Remove the target of the event rule for a source."""

    def change(aws: LocalAws) -> None:
        events = aws.client("events")
        for name in events.list_rule_names_by_target(TargetArn=topic(aws))["RuleNames"]:
            pattern = json.loads(events.describe_rule(Name=name)["EventPattern"])
            if pattern["source"] == [source] and kind in pattern["detail-type"]:
                events.remove_targets(Rule=name, Ids=["alarm-topic"])

    return change


def update_detector(**changed: Any) -> Mutation:
    """Update GuardDuty's detector."""

    def change(aws: LocalAws) -> None:
        guardduty = aws.client("guardduty")
        (id,) = guardduty.list_detectors()["DetectorIds"]
        guardduty.update_detector(DetectorId=id, **changed)

    return change


def disable_standard(aws: LocalAws) -> None:
    hub = aws.client("securityhub")
    arns = [each["StandardsSubscriptionArn"] for each in hub.get_enabled_standards()["StandardsSubscriptions"]]
    hub.batch_disable_standards(StandardsSubscriptionArns=arns[:1])


def config_recorder(aws: LocalAws) -> dict[str, Any]:
    """Parameters of PutConfigurationRecorder."""
    (one,) = aws.client("config").describe_configuration_recorders()["ConfigurationRecorders"]
    return {name: one[name] for name in ("name", "roleARN", "recordingGroup", "recordingMode")}


def reduce_recording(aws: LocalAws) -> None:
    recording_group = {"allSupported": True, "includeGlobalResourceTypes": False}
    aws.client("config").put_configuration_recorder(
        ConfigurationRecorder={**config_recorder(aws), "recordingGroup": recording_group}
    )


def change_delivery_key(aws: LocalAws) -> None:
    config = aws.client("config")
    (channel,) = config.describe_delivery_channels()["DeliveryChannels"]
    config.put_delivery_channel(DeliveryChannel={**channel, "s3KmsKeyArn": key(aws, "files")})


def delete_config_rule(aws: LocalAws) -> None:
    config = aws.client("config")
    config.delete_config_rule(ConfigRuleName=config.describe_config_rules()["ConfigRules"][0]["ConfigRuleName"])


MUTATIONS: dict[str, Mutation] = {
    "test_trail_covers_all_regions_and_global_services": update_trail(IsMultiRegionTrail=False),
    "test_trail_is_logging": lambda aws: aws.client("cloudtrail").stop_logging(Name=trail(aws)),
    "test_trail_has_log_file_validation": update_trail(EnableLogFileValidation=False),
    "test_audit_archive_is_locked_and_encrypted_with_the_log_key": lambda aws: update_trail(KmsKeyId=key(aws, "files"))(
        aws
    ),
    "test_all_management_events_are_recorded": restrict_selectors(Calls=[{"Field": "readOnly", "Equals": ["false"]}]),
    "test_s3_data_events_are_recorded_except_for_log_delivery": restrict_selectors(
        Objects=[{"Field": "readOnly", "Equals": ["false"]}]
    ),
    "test_suspicious_calls_have_metric_filters": delete_metric_filter,
    "test_metric_filters_and_missing_logs_have_alarms": change_silence_alarm,
    "test_disabling_a_control_is_reported": remove_rule_target("AWS API Call via CloudTrail", "aws.cloudtrail"),
    "test_findings_are_reported": remove_rule_target("GuardDuty Finding", "aws.guardduty"),
    "test_guardduty_publishes_findings_every_fifteen_minutes": update_detector(FindingPublishingFrequency="SIX_HOURS"),
    "test_guardduty_features_are_enabled": update_detector(
        Features=[{"Name": "RDS_LOGIN_EVENTS", "Status": "DISABLED"}]
    ),
    "test_security_hub_has_the_standards": disable_standard,
    "test_config_records_all_resource_types": reduce_recording,
    "test_config_recorder_is_running": lambda aws: aws.client("config").stop_configuration_recorder(
        ConfigurationRecorderName=config_recorder(aws)["name"]
    ),
    "test_config_delivers_to_its_bucket_with_the_log_key": change_delivery_key,
    "test_config_rules_are_active": delete_config_rule,
    "test_inspector_scans_images_and_functions": lambda aws: aws.client("inspector2").disable(
        accountIds=[aws.account], resourceTypes=["ECR"]
    ),
}
RELATED: Related = {}
