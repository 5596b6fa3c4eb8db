"""Who did what is recorded, kept and watched; and the services that look for trouble do, where the settings say so."""

import json

import pytest

from stacks.audit.config_recorder import RULES
from stacks.audit.detection import CODE_IS_SCANNED_IN, FEATURES, STANDARDS
from stacks.audit.watched_calls import COUNTED
from stacks.names import Names
from stacks.settings import Environment
from tests.integration.expectations import Including, expect, expect_each
from tests.integration.found import Answer, Found, the_one

# Written out: calls that end a control, by the services that the trail's events come from.
ENDS = {
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
def trail(found: Found) -> Answer:
    arn = the_one("trail", found.arns("cloudtrail", "trail"))
    return found.answer("cloudtrail", "get_trail", Name=arn)["Trail"]


@pytest.fixture(scope="session")
def selectors(found: Found, trail: Answer) -> list[dict[str, Answer]]:
    """Of each of the trail's selectors, its fields by their names."""
    answer = found.answer("cloudtrail", "get_event_selectors", TrailName=trail["TrailARN"])
    return [
        {field["Field"]: field for field in selector["FieldSelectors"]}
        for selector in answer.get("AdvancedEventSelectors", [])
    ]


@pytest.fixture(scope="session")
def rules(found: Found, topic: str) -> list[Answer]:
    """Patterns of the rules that tell the topic."""
    names = found.every("events", "list_rule_names_by_target", "RuleNames", TargetArn=topic)
    return [json.loads(found.answer("events", "describe_rule", Name=name)["EventPattern"]) for name in names]


def test_the_trail_has_every_region_and_the_global_services(trail: Answer):
    everywhere = (trail["IsMultiRegionTrail"], trail["IncludeGlobalServiceEvents"])
    expect("every Region, global services", {trail["TrailARN"]: everywhere}, (True, True))


def test_the_trail_is_recording(found: Found, trail: Answer):
    status = found.answer("cloudtrail", "get_trail_status", Name=trail["TrailARN"])
    expect("is recording", {trail["TrailARN"]: status["IsLogging"]}, True)


def test_the_archive_can_be_seen_to_be_whole(trail: Answer):
    expect("digests are made", {trail["TrailARN"]: trail["LogFileValidationEnabled"]}, True)


def test_the_archive_is_locked_and_encrypted_with_the_key_of_logs(found: Found, trail: Answer, keys: dict[str, str]):
    bucket = trail["S3BucketName"]
    is_locked = not found.refusal("s3", "get_object_lock_configuration", Bucket=bucket)
    expect("lock and key", {f"arn:aws:s3:::{bucket}": (is_locked, trail["KmsKeyId"])}, (True, keys["logs"]))


def test_every_call_is_recorded(trail: Answer, selectors: list[dict[str, Answer]]):
    calls = [fields.keys() for fields in selectors if fields["eventCategory"]["Equals"] == ["Management"]]
    # Nothing that narrows it down.
    expect("fields that calls are chosen by", {trail["TrailARN"]: calls}, [{"eventCategory"}])


def test_use_of_objects_is_recorded_but_for_the_delivery_of_logs(
    found: Found, trail: Answer, selectors: list[dict[str, Answer]]
):
    logs = {f"{arn}/" for arn in found.arns("s3", "")}
    recorded: dict[str, set[str]] = {}
    for fields in selectors:
        if fields.get("resources.type", {}).get("Equals") == ["AWS::S3::Object"]:
            arns = fields["resources.ARN"]
            among = "others" if "NotStartsWith" in arns else "logs"
            covered = set(arns.get("NotStartsWith") or arns["StartsWith"]) == logs
            how = "all" if len(fields) == 3 else "but " + ", ".join(fields.get("eventName", {}).get("NotEquals", []))
            recorded[among] = {how} if covered else {f"other buckets: {sorted(arns)}"}
    told = {f"{trail['TrailARN']} objects of {among}": how for among, how in recorded.items()}
    expect_each(
        "recorded",
        told,
        {
            f"{trail['TrailARN']} objects of others": {"all"},
            f"{trail['TrailARN']} objects of logs": {"but PutObject"},
        },
    )


def test_what_nobody_does_in_peace_is_counted(found: Found, trail: Answer):
    group = trail["CloudWatchLogsLogGroupArn"].split(":", 6)[6].removesuffix(":*")
    filters = found.every("logs", "describe_metric_filters", "metricFilters", logGroupName=group)
    counted = {
        (metric["metricName"], entry["filterPattern"]) for entry in filters for metric in entry["metricTransformations"]
    }
    expect("counted", {trail["CloudWatchLogsLogGroupArn"]: counted}, {(row.metric, row.pattern) for row in COUNTED})


def test_each_count_and_silence_have_an_alarm(found: Found, settings: Environment, trail: Answer):
    alarms = found.own("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmArn", AlarmTypes=["MetricAlarm"])
    ours = Names.of(settings).metrics
    watched = {
        alarm["MetricName"]
        for alarm in alarms
        if alarm.get("Namespace") == ours
        or (alarm.get("Namespace"), alarm["TreatMissingData"]) == ("AWS/Logs", "breaching")
    }
    wanted = {*(row.metric for row in COUNTED), "IncomingLogEvents"}
    expect("metrics with an alarm", {trail["TrailARN"]: watched}, Including(wanted))


def test_the_end_of_a_control_is_told(topic: str, rules: list[Answer]):
    calls = {
        (source, name)
        for rule in rules
        if any("CloudTrail" in kind for kind in rule["detail-type"])
        for source in rule["source"]
        for name in rule["detail"]["eventName"]
    }
    expect("calls that are told", {topic: calls}, Including(ENDS))


def test_findings_are_told(topic: str, rules: list[Answer]):
    kinds = {kind for rule in rules for kind in rule["detail-type"]}
    expect("findings that are told", {topic: kinds}, Including({"GuardDuty Finding", "Inspector2 Finding"}))


def test_guardduty_tells_soon(found: Found, settings: Environment):
    detectors = {
        arn: found.answer("guardduty", "get_detector", DetectorId=arn.rpartition("/")[2])
        for arn in found.arns("guardduty", "detector")
    }
    looking = {arn: (one["Status"], one["FindingPublishingFrequency"]) for arn, one in detectors.items()}
    wanted = dict.fromkeys(looking or ["detector"], ("ENABLED", "FIFTEEN_MINUTES"))
    expect_each("status, how often", looking, wanted if settings.audit.guardduty else {})


def test_guardduty_looks_at_what_there_is(found: Found, settings: Environment):
    features: dict[str, str] = {}
    for arn in found.arns("guardduty", "detector"):
        detector = found.answer("guardduty", "get_detector", DetectorId=arn.rpartition("/")[2])
        features |= {each["Name"]: each["Status"] for each in detector["Features"] if each["Name"] in FEATURES}
    wanted = {name: "ENABLED" if is_on else "DISABLED" for name, is_on in FEATURES.items()}
    expect_each("GuardDuty's feature", features, wanted if settings.audit.guardduty else {})


def test_security_hub_checks_the_standards(found: Found, settings: Environment):
    if settings.audit.security_hub:
        hub = Names.of(settings).arn("securityhub", "hub/default")
        listed = (
            []
            if found.refusal("securityhub", "describe_hub")
            else found.every("securityhub", "get_enabled_standards", "StandardsSubscriptions")
        )
        checked = {each["StandardsArn"].partition("standards/")[2] for each in listed}
        expect("standards", {hub: checked}, Including(STANDARDS.values()))


def test_config_records_everything(found: Found, settings: Environment):
    name = Names.of(settings).of_resource("recorder")
    recorders = found.every("config", "describe_configuration_recorders", "ConfigurationRecorders")
    groups = {each["name"]: each["recordingGroup"] for each in recorders if each["name"] == name}
    everything = {name: group["allSupported"] and group["includeGlobalResourceTypes"] for name, group in groups.items()}
    expect_each("records everything", everything, {name: True} if settings.audit.config else {})


def test_config_is_recording(found: Found, settings: Environment):
    name = Names.of(settings).of_resource("recorder")
    listed = found.every("config", "describe_configuration_recorder_status", "ConfigurationRecordersStatus")
    recording = {each["name"]: each["recording"] for each in listed if each["name"] == name}
    expect_each("is recording", recording, {name: True} if settings.audit.config else {})


def test_config_delivers_to_its_bucket_under_the_key_of_logs(found: Found, settings: Environment, keys: dict[str, str]):
    names = Names.of(settings)
    name = names.of_resource("recorder")
    listed = found.every("config", "describe_delivery_channels", "DeliveryChannels")
    places = {each["name"]: (each["s3BucketName"], each.get("s3KmsKeyArn")) for each in listed if each["name"] == name}
    wanted = {name: (names.of_bucket("config"), keys["logs"])}
    expect_each("bucket and key", places, wanted if settings.audit.config else {})


def test_resources_are_held_to_the_rules(found: Found, settings: Environment):
    listed = found.every("config", "describe_config_rules", "ConfigRules")
    ours = {rule["ConfigRuleArn"]: rule for rule in listed if rule["ConfigRuleArn"] in found.tags}
    asked = {(rule["Source"]["SourceIdentifier"], rule["ConfigRuleState"]) for rule in ours.values()}
    wanted = {(rule.identifier, "ACTIVE") for rule in RULES} if settings.audit.config else set[tuple[str, str]]()
    expect("rules", {Names.of(settings).arn("config", "config-rule"): asked}, wanted)


def test_inspector_looks_for_vulnerabilities(found: Found, settings: Environment):
    (account,) = found.every("inspector2", "batch_get_account_status", "accounts", accountIds=[settings.account])
    on = {kind for kind, state in account["resourceState"].items() if state["status"] == "ENABLED"}
    code = {"lambdaCode"} if settings.region in CODE_IS_SCANNED_IN else set[str]()
    wanted = {"ecr", "lambda", *code} if settings.audit.inspector else set[str]()
    expect("looks at", {settings.account: on}, Including(wanted))
