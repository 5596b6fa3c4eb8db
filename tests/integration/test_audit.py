"""Audit trail, GuardDuty, Security Hub, Config and Inspector, as configured by the settings."""

import json

import pytest

from stacks.audit.config_recorder import RULES
from stacks.audit.detection import CODE_SCAN_REGIONS, FEATURES, STANDARDS
from stacks.audit.watched_calls import CALL_METRICS
from stacks.settings import Environment
from tests.integration.deployed import DeployedEnvironment, Response, only_one
from tests.integration.expectations import Superset, expect, expect_each

# Events that report a disabled or failed control, by source. Written by hand.
CONTROL_EVENTS = {
    ("aws.cloudtrail", "StopLogging"),
    ("aws.cloudtrail", "DeleteTrail"),
    ("aws.ec2", "DeleteFlowLogs"),
    ("aws.wafv2", "DisassociateWebACL"),
    ("aws.guardduty", "DeleteDetector"),
    ("aws.securityhub", "DisableSecurityHub"),
    ("aws.config", "StopConfigurationRecorder"),
    ("aws.inspector2", "Disable"),
    ("aws.monitoring", "DisableAlarmActions"),
    ("aws.secretsmanager", "RotationFailed"),
}


@pytest.fixture(scope="session")
def trail(deployed: DeployedEnvironment) -> Response:
    arn = only_one("trail", deployed.arns("cloudtrail", "trail"))
    return deployed.call("cloudtrail", "get_trail", Name=arn)["Trail"]


@pytest.fixture(scope="session")
def selectors(deployed: DeployedEnvironment, trail: Response) -> list[dict[str, Response]]:
    """Fields of each of the trail's advanced event selectors, by name."""
    response = deployed.call("cloudtrail", "get_event_selectors", TrailName=trail["TrailARN"])
    return [
        {field["Field"]: field for field in selector["FieldSelectors"]}
        for selector in response.get("AdvancedEventSelectors", [])
    ]


@pytest.fixture(scope="session")
def event_patterns(deployed: DeployedEnvironment, topic: str) -> list[Response]:
    """Patterns of the event rules that notify the topic."""
    names = deployed.list_all("events", "list_rule_names_by_target", "RuleNames", TargetArn=topic)
    return [json.loads(deployed.call("events", "describe_rule", Name=name)["EventPattern"]) for name in names]


def test_trail_covers_all_regions_and_global_services(trail: Response):
    covered = (trail["IsMultiRegionTrail"], trail["IncludeGlobalServiceEvents"])
    expect("every Region, global services", {trail["TrailARN"]: covered}, (True, True))


def test_trail_is_logging(deployed: DeployedEnvironment, trail: Response):
    status = deployed.call("cloudtrail", "get_trail_status", Name=trail["TrailARN"])
    expect("is logging", {trail["TrailARN"]: status["IsLogging"]}, True)


def test_trail_has_log_file_validation(trail: Response):
    expect("log file validation", {trail["TrailARN"]: trail["LogFileValidationEnabled"]}, True)


def test_audit_archive_is_locked_and_encrypted_with_the_log_key(
    deployed: DeployedEnvironment, trail: Response, keys: dict[str, str]
):
    bucket = trail["S3BucketName"]
    is_locked = not deployed.error_code("s3", "get_object_lock_configuration", Bucket=bucket)
    expect("lock and key", {f"arn:aws:s3:::{bucket}": (is_locked, trail["KmsKeyId"])}, (True, keys["logs"]))


def test_all_management_events_are_recorded(trail: Response, selectors: list[dict[str, Response]]):
    calls = [fields.keys() for fields in selectors if fields["eventCategory"]["Equals"] == ["Management"]]
    # No other field may restrict the selector.
    expect("fields of the selector", {trail["TrailARN"]: calls}, [{"eventCategory"}])


def test_s3_data_events_are_recorded_except_for_log_delivery(
    deployed: DeployedEnvironment, trail: Response, selectors: list[dict[str, Response]]
):
    logs = {f"{arn}/" for arn in deployed.arns("s3", "")}
    recorded: dict[str, set[str]] = {}
    for fields in selectors:
        if fields.get("resources.type", {}).get("Equals") == ["AWS::S3::Object"]:
            arns = fields["resources.ARN"]
            buckets = "others" if "NotStartsWith" in arns else "logs"
            covered = set(arns.get("NotStartsWith") or arns["StartsWith"]) == logs
            excluded = ", ".join(fields.get("eventName", {}).get("NotEquals", []))
            events = "all" if len(fields) == 3 else f"all except {excluded}"
            recorded[buckets] = {events} if covered else {f"other buckets: {sorted(arns)}"}
    expect_each(
        "recorded",
        {f"{trail['TrailARN']} objects of {buckets}": events for buckets, events in recorded.items()},
        {
            f"{trail['TrailARN']} objects of others": {"all"},
            f"{trail['TrailARN']} objects of logs": {"all except PutObject"},
        },
    )


def test_suspicious_calls_have_metric_filters(deployed: DeployedEnvironment, trail: Response):
    group = trail["CloudWatchLogsLogGroupArn"].split(":", 6)[6].removesuffix(":*")
    filters = deployed.list_all("logs", "describe_metric_filters", "metricFilters", logGroupName=group)
    counted = {
        (metric["metricName"], entry["filterPattern"]) for entry in filters for metric in entry["metricTransformations"]
    }
    expect(
        "counted", {trail["CloudWatchLogsLogGroupArn"]: counted}, {(row.metric, row.pattern) for row in CALL_METRICS}
    )


def test_metric_filters_and_missing_logs_have_alarms(
    deployed: DeployedEnvironment, settings: Environment, trail: Response
):
    alarms = deployed.list_own("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmArn", AlarmTypes=["MetricAlarm"])
    namespace = settings.names.metric_namespace
    watched = {
        alarm["MetricName"]
        for alarm in alarms
        if alarm.get("Namespace") == namespace
        or (alarm.get("Namespace"), alarm["TreatMissingData"]) == ("AWS/Logs", "breaching")
    }
    wanted = {*(row.metric for row in CALL_METRICS), "IncomingLogEvents"}
    expect("metrics with an alarm", {trail["TrailARN"]: watched}, Superset(wanted))


def test_disabling_a_control_is_reported(topic: str, event_patterns: list[Response]):
    calls = {
        (source, name)
        for pattern in event_patterns
        if any("CloudTrail" in kind for kind in pattern["detail-type"])
        for source in pattern["source"]
        for name in pattern["detail"]["eventName"]
    }
    expect("events with a rule", {topic: calls}, Superset(CONTROL_EVENTS))


def test_findings_are_reported(topic: str, event_patterns: list[Response]):
    kinds = {kind for pattern in event_patterns for kind in pattern["detail-type"]}
    expect("findings with a rule", {topic: kinds}, Superset({"GuardDuty Finding", "Inspector2 Finding"}))


def test_guardduty_publishes_findings_every_fifteen_minutes(deployed: DeployedEnvironment, settings: Environment):
    detectors = {
        arn: deployed.call("guardduty", "get_detector", DetectorId=arn.rpartition("/")[2])
        for arn in deployed.arns("guardduty", "detector")
    }
    states = {arn: (one["Status"], one["FindingPublishingFrequency"]) for arn, one in detectors.items()}
    wanted = dict.fromkeys(states or ["detector"], ("ENABLED", "FIFTEEN_MINUTES"))
    expect_each("status, publishing frequency", states, wanted if settings.audit.guardduty else {})


def test_guardduty_features_are_enabled(deployed: DeployedEnvironment, settings: Environment):
    features: dict[str, str] = {}
    for arn in deployed.arns("guardduty", "detector"):
        detector = deployed.call("guardduty", "get_detector", DetectorId=arn.rpartition("/")[2])
        features |= {each["Name"]: each["Status"] for each in detector["Features"] if each["Name"] in FEATURES}
    wanted = {name: "ENABLED" if is_on else "DISABLED" for name, is_on in FEATURES.items()}
    expect_each("GuardDuty feature", features, wanted if settings.audit.guardduty else {})


def test_security_hub_has_the_standards(deployed: DeployedEnvironment, settings: Environment):
    if settings.audit.security_hub:
        hub = settings.names.arn("securityhub", "hub/default")
        listed = (
            []
            if deployed.error_code("securityhub", "describe_hub")
            else deployed.list_all("securityhub", "get_enabled_standards", "StandardsSubscriptions")
        )
        checked = {each["StandardsArn"].partition("standards/")[2] for each in listed}
        expect("standards", {hub: checked}, Superset(STANDARDS.values()))


def test_config_records_all_resource_types(deployed: DeployedEnvironment, settings: Environment):
    name = settings.names.resource_name("recorder")
    recorders = deployed.list_all("config", "describe_configuration_recorders", "ConfigurationRecorders")
    groups = {each["name"]: each["recordingGroup"] for each in recorders if each["name"] == name}
    everything = {name: group["allSupported"] and group["includeGlobalResourceTypes"] for name, group in groups.items()}
    expect_each("records all resource types", everything, {name: True} if settings.audit.config else {})


def test_config_recorder_is_running(deployed: DeployedEnvironment, settings: Environment):
    name = settings.names.resource_name("recorder")
    listed = deployed.list_all("config", "describe_configuration_recorder_status", "ConfigurationRecordersStatus")
    recording = {each["name"]: each["recording"] for each in listed if each["name"] == name}
    expect_each("is recording", recording, {name: True} if settings.audit.config else {})


def test_config_delivers_to_its_bucket_with_the_log_key(
    deployed: DeployedEnvironment, settings: Environment, keys: dict[str, str]
):
    names = settings.names
    name = names.resource_name("recorder")
    listed = deployed.list_all("config", "describe_delivery_channels", "DeliveryChannels")
    places = {each["name"]: (each["s3BucketName"], each.get("s3KmsKeyArn")) for each in listed if each["name"] == name}
    wanted = {name: (names.bucket_name("config"), keys["logs"])}
    expect_each("bucket and key", places, wanted if settings.audit.config else {})


def test_config_rules_are_active(deployed: DeployedEnvironment, settings: Environment):
    listed = deployed.list_all("config", "describe_config_rules", "ConfigRules")
    own = [rule for rule in listed if rule["ConfigRuleArn"] in deployed.tags]
    states = {(rule["Source"]["SourceIdentifier"], rule["ConfigRuleState"]) for rule in own}
    wanted = {(rule.identifier, "ACTIVE") for rule in RULES} if settings.audit.config else set[tuple[str, str]]()
    expect("rules", {settings.names.arn("config", "config-rule"): states}, wanted)


def test_inspector_scans_images_and_functions(deployed: DeployedEnvironment, settings: Environment):
    (account,) = deployed.list_all("inspector2", "batch_get_account_status", "accounts", accountIds=[settings.account])
    scanned = {kind for kind, state in account["resourceState"].items() if state["status"] == "ENABLED"}
    code = {"lambdaCode"} if settings.region in CODE_SCAN_REGIONS else set[str]()
    wanted = {"ecr", "lambda", *code} if settings.audit.inspector else set[str]()
    expect("scans", {settings.account: scanned}, Superset(wanted))
