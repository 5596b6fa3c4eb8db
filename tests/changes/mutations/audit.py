"""Changes for test_audit.py: the trail, what is counted and told, and the services that look for trouble."""

import json
from typing import Any

from local_aws.server import LocalAws
from tests.changes.mutations import Mutation, Related
from tests.changes.mutations.lookup import key, tagged, topic


def trail(aws: LocalAws) -> str:
    """ARN of the trail."""
    (arn,) = tagged(aws, "cloudtrail", "trail")
    return arn


def trail_is(**changed: Any) -> Mutation:
    """Update the trail."""
    return lambda aws: aws.client("cloudtrail").update_trail(Name=trail(aws), **changed)


def records(**changed: Any) -> Mutation:
    """Put the trail's selectors as they are, but for fields of those of calls or objects."""

    def change(aws: LocalAws) -> None:
        cloudtrail, name = aws.client("cloudtrail"), trail(aws)
        selectors = cloudtrail.get_event_selectors(TrailName=name)["AdvancedEventSelectors"]
        for selector in selectors:
            selector["FieldSelectors"] += changed.get(selector["Name"].partition(" ")[0], [])
        cloudtrail.put_event_selectors(TrailName=name, AdvancedEventSelectors=selectors)

    return change


def one_is_not_counted(aws: LocalAws) -> None:
    logs = aws.client("logs")
    group = aws.client("cloudtrail").get_trail(Name=trail(aws))["Trail"]["CloudWatchLogsLogGroupArn"].split(":")[6]
    name = logs.describe_metric_filters(logGroupName=group)["metricFilters"][0]["filterName"]
    logs.delete_metric_filter(logGroupName=group, filterName=name)


def silence_has_no_alarm(aws: LocalAws) -> None:
    (name,) = (arn.rpartition(":")[2] for arn in tagged(aws, "cloudwatch", "alarm") if arn.endswith("trail-silent"))
    # Any other metric is no reason to ring.
    aws.backend("cloudwatch").alarms[name].metric_name = "Other"


def is_not_told(kind: str, source: str) -> Mutation:
    """Nobody is told of a source's events."""

    def change(aws: LocalAws) -> None:
        events = aws.client("events")
        for name in events.list_rule_names_by_target(TargetArn=topic(aws))["RuleNames"]:
            pattern = json.loads(events.describe_rule(Name=name)["EventPattern"])
            if pattern["source"] == [source] and kind in pattern["detail-type"]:
                events.remove_targets(Rule=name, Ids=["alarm-topic"])

    return change


def detector_is(**changed: Any) -> Mutation:
    """Update GuardDuty's detector."""

    def change(aws: LocalAws) -> None:
        guardduty = aws.client("guardduty")
        (id,) = guardduty.list_detectors()["DetectorIds"]
        guardduty.update_detector(DetectorId=id, **changed)

    return change


def a_standard_is_not_checked(aws: LocalAws) -> None:
    hub = aws.client("securityhub")
    arns = [each["StandardsSubscriptionArn"] for each in hub.get_enabled_standards()["StandardsSubscriptions"]]
    hub.batch_disable_standards(StandardsSubscriptionArns=arns[:1])


def recorder(aws: LocalAws) -> dict[str, Any]:
    """The recorder, as Config takes it."""
    (one,) = aws.client("config").describe_configuration_recorders()["ConfigurationRecorders"]
    return {name: one[name] for name in ("name", "roleARN", "recordingGroup", "recordingMode")}


def records_less(aws: LocalAws) -> None:
    less = {"allSupported": True, "includeGlobalResourceTypes": False}
    aws.client("config").put_configuration_recorder(ConfigurationRecorder={**recorder(aws), "recordingGroup": less})


def delivers_under_another_key(aws: LocalAws) -> None:
    config = aws.client("config")
    (channel,) = config.describe_delivery_channels()["DeliveryChannels"]
    config.put_delivery_channel(DeliveryChannel={**channel, "s3KmsKeyArn": key(aws, "files")})


def a_rule_is_gone(aws: LocalAws) -> None:
    config = aws.client("config")
    config.delete_config_rule(ConfigRuleName=config.describe_config_rules()["ConfigRules"][0]["ConfigRuleName"])


MUTATIONS: dict[str, Mutation] = {
    "test_the_trail_has_every_region_and_the_global_services": trail_is(IsMultiRegionTrail=False),
    "test_the_trail_is_recording": lambda aws: aws.client("cloudtrail").stop_logging(Name=trail(aws)),
    "test_the_archive_can_be_seen_to_be_whole": trail_is(EnableLogFileValidation=False),
    "test_the_archive_is_locked_and_encrypted_with_the_key_of_logs": lambda aws: trail_is(KmsKeyId=key(aws, "files"))(
        aws
    ),
    "test_every_call_is_recorded": records(Calls=[{"Field": "readOnly", "Equals": ["false"]}]),
    "test_use_of_objects_is_recorded_but_for_the_delivery_of_logs": records(
        Objects=[{"Field": "readOnly", "Equals": ["false"]}]
    ),
    "test_what_nobody_does_in_peace_is_counted": one_is_not_counted,
    "test_each_count_and_silence_have_an_alarm": silence_has_no_alarm,
    "test_the_end_of_a_control_is_told": is_not_told("AWS API Call via CloudTrail", "aws.cloudtrail"),
    "test_findings_are_told": is_not_told("GuardDuty Finding", "aws.guardduty"),
    "test_guardduty_tells_soon": detector_is(FindingPublishingFrequency="SIX_HOURS"),
    "test_guardduty_looks_at_what_there_is": detector_is(Features=[{"Name": "RDS_LOGIN_EVENTS", "Status": "DISABLED"}]),
    "test_security_hub_checks_the_standards": a_standard_is_not_checked,
    "test_config_records_everything": records_less,
    "test_config_is_recording": lambda aws: aws.client("config").stop_configuration_recorder(
        ConfigurationRecorderName=recorder(aws)["name"]
    ),
    "test_config_delivers_to_its_bucket_under_the_key_of_logs": delivers_under_another_key,
    "test_resources_are_held_to_the_rules": a_rule_is_gone,
    "test_inspector_looks_for_vulnerabilities": lambda aws: aws.client("inspector2").disable(
        accountIds=[aws.account], resourceTypes=["ECR"]
    ),
}
RELATED: Related = {}
