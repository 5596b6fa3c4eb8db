"""Who did what is recorded, kept and watched; and the services that look for trouble do, where the settings say so."""

import json

import pytest

from stacks.audit.config_recorder import RULES
from stacks.audit.detection import CODE_SCAN_REGIONS, FEATURES, STANDARDS
from stacks.audit.watched_calls import CALL_METRICS
from stacks.names import Names
from stacks.settings import Environment
from tests.integration.deployed import DeployedEnvironment, Response, only_one
from tests.integration.expectations import Superset, expect, expect_each

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
def trail(found: DeployedEnvironment) -> Response:
    arn = only_one("trail", found.arns("cloudtrail", "trail"))
    return found.call("cloudtrail", "get_trail", Name=arn)["Trail"]


@pytest.fixture(scope="session")
def selectors(found: DeployedEnvironment, trail: Response) -> list[dict[str, Response]]:
    """Of each of the trail's selectors, its fields by their names."""
    answer = found.call("cloudtrail", "get_event_selectors", TrailName=trail["TrailARN"])
    return [
        {field["Field"]: field for field in selector["FieldSelectors"]}
        for selector in answer.get("AdvancedEventSelectors", [])
    ]


@pytest.fixture(scope="session")
def rules(found: DeployedEnvironment, topic: str) -> list[Response]:
    """Patterns of the rules that tell the topic."""
    names = found.list_all("events", "list_rule_names_by_target", "RuleNames", TargetArn=topic)
    return [json.loads(found.call("events", "describe_rule", Name=name)["EventPattern"]) for name in names]


def test_the_trail_has_every_region_and_the_global_services(trail: Response):
    everywhere = (trail["IsMultiRegionTrail"], trail["IncludeGlobalServiceEvents"])
    expect("every Region, global services", {trail["TrailARN"]: everywhere}, (True, True))


def test_the_trail_is_recording(found: DeployedEnvironment, trail: Response):
    status = found.call("cloudtrail", "get_trail_status", Name=trail["TrailARN"])
    expect("is recording", {trail["TrailARN"]: status["IsLogging"]}, True)


def test_the_archive_can_be_seen_to_be_whole(trail: Response):
    expect("digests are made", {trail["TrailARN"]: trail["LogFileValidationEnabled"]}, True)


def test_the_archive_is_locked_and_encrypted_with_the_key_of_logs(
    found: DeployedEnvironment, trail: Response, keys: dict[str, str]
):
    bucket = trail["S3BucketName"]
    is_locked = not found.error_code("s3", "get_object_lock_configuration", Bucket=bucket)
    expect("lock and key", {f"arn:aws:s3:::{bucket}": (is_locked, trail["KmsKeyId"])}, (True, keys["logs"]))


def test_every_call_is_recorded(trail: Response, selectors: list[dict[str, Response]]):
    calls = [fields.keys() for fields in selectors if fields["eventCategory"]["Equals"] == ["Management"]]
    # Nothing that narrows it down.
    expect("fields that calls are chosen by", {trail["TrailARN"]: calls}, [{"eventCategory"}])


def test_use_of_objects_is_recorded_but_for_the_delivery_of_logs(
    found: DeployedEnvironment, trail: Response, selectors: list[dict[str, Response]]
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


def test_what_nobody_does_in_peace_is_counted(found: DeployedEnvironment, trail: Response):
    group = trail["CloudWatchLogsLogGroupArn"].split(":", 6)[6].removesuffix(":*")
    filters = found.list_all("logs", "describe_metric_filters", "metricFilters", logGroupName=group)
    counted = {
        (metric["metricName"], entry["filterPattern"]) for entry in filters for metric in entry["metricTransformations"]
    }
    expect(
        "counted", {trail["CloudWatchLogsLogGroupArn"]: counted}, {(row.metric, row.pattern) for row in CALL_METRICS}
    )


def test_each_count_and_silence_have_an_alarm(found: DeployedEnvironment, settings: Environment, trail: Response):
    alarms = found.list_own("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmArn", AlarmTypes=["MetricAlarm"])
    ours = Names.from_settings(settings).metric_namespace
    watched = {
        alarm["MetricName"]
        for alarm in alarms
        if alarm.get("Namespace") == ours
        or (alarm.get("Namespace"), alarm["TreatMissingData"]) == ("AWS/Logs", "breaching")
    }
    wanted = {*(row.metric for row in CALL_METRICS), "IncomingLogEvents"}
    expect("metrics with an alarm", {trail["TrailARN"]: watched}, Superset(wanted))


def test_the_end_of_a_control_is_told(topic: str, rules: list[Response]):
    calls = {
        (source, name)
        for rule in rules
        if any("CloudTrail" in kind for kind in rule["detail-type"])
        for source in rule["source"]
        for name in rule["detail"]["eventName"]
    }
    expect("calls that are told", {topic: calls}, Superset(ENDS))


def test_findings_are_told(topic: str, rules: list[Response]):
    kinds = {kind for rule in rules for kind in rule["detail-type"]}
    expect("findings that are told", {topic: kinds}, Superset({"GuardDuty Finding", "Inspector2 Finding"}))


def test_guardduty_tells_soon(found: DeployedEnvironment, settings: Environment):
    detectors = {
        arn: found.call("guardduty", "get_detector", DetectorId=arn.rpartition("/")[2])
        for arn in found.arns("guardduty", "detector")
    }
    looking = {arn: (one["Status"], one["FindingPublishingFrequency"]) for arn, one in detectors.items()}
    wanted = dict.fromkeys(looking or ["detector"], ("ENABLED", "FIFTEEN_MINUTES"))
    expect_each("status, how often", looking, wanted if settings.audit.guardduty else {})


def test_guardduty_looks_at_what_there_is(found: DeployedEnvironment, settings: Environment):
    features: dict[str, str] = {}
    for arn in found.arns("guardduty", "detector"):
        detector = found.call("guardduty", "get_detector", DetectorId=arn.rpartition("/")[2])
        features |= {each["Name"]: each["Status"] for each in detector["Features"] if each["Name"] in FEATURES}
    wanted = {name: "ENABLED" if is_on else "DISABLED" for name, is_on in FEATURES.items()}
    expect_each("GuardDuty's feature", features, wanted if settings.audit.guardduty else {})


def test_security_hub_checks_the_standards(found: DeployedEnvironment, settings: Environment):
    if settings.audit.security_hub:
        hub = Names.from_settings(settings).arn("securityhub", "hub/default")
        listed = (
            []
            if found.error_code("securityhub", "describe_hub")
            else found.list_all("securityhub", "get_enabled_standards", "StandardsSubscriptions")
        )
        checked = {each["StandardsArn"].partition("standards/")[2] for each in listed}
        expect("standards", {hub: checked}, Superset(STANDARDS.values()))


def test_config_records_everything(found: DeployedEnvironment, settings: Environment):
    name = Names.from_settings(settings).resource_name("recorder")
    recorders = found.list_all("config", "describe_configuration_recorders", "ConfigurationRecorders")
    groups = {each["name"]: each["recordingGroup"] for each in recorders if each["name"] == name}
    everything = {name: group["allSupported"] and group["includeGlobalResourceTypes"] for name, group in groups.items()}
    expect_each("records everything", everything, {name: True} if settings.audit.config else {})


def test_config_is_recording(found: DeployedEnvironment, settings: Environment):
    name = Names.from_settings(settings).resource_name("recorder")
    listed = found.list_all("config", "describe_configuration_recorder_status", "ConfigurationRecordersStatus")
    recording = {each["name"]: each["recording"] for each in listed if each["name"] == name}
    expect_each("is recording", recording, {name: True} if settings.audit.config else {})


def test_config_delivers_to_its_bucket_under_the_key_of_logs(
    found: DeployedEnvironment, settings: Environment, keys: dict[str, str]
):
    names = Names.from_settings(settings)
    name = names.resource_name("recorder")
    listed = found.list_all("config", "describe_delivery_channels", "DeliveryChannels")
    places = {each["name"]: (each["s3BucketName"], each.get("s3KmsKeyArn")) for each in listed if each["name"] == name}
    wanted = {name: (names.bucket_name("config"), keys["logs"])}
    expect_each("bucket and key", places, wanted if settings.audit.config else {})


def test_resources_are_held_to_the_rules(found: DeployedEnvironment, settings: Environment):
    listed = found.list_all("config", "describe_config_rules", "ConfigRules")
    ours = {rule["ConfigRuleArn"]: rule for rule in listed if rule["ConfigRuleArn"] in found.tags}
    asked = {(rule["Source"]["SourceIdentifier"], rule["ConfigRuleState"]) for rule in ours.values()}
    wanted = {(rule.identifier, "ACTIVE") for rule in RULES} if settings.audit.config else set[tuple[str, str]]()
    expect("rules", {Names.from_settings(settings).arn("config", "config-rule"): asked}, wanted)


def test_inspector_looks_for_vulnerabilities(found: DeployedEnvironment, settings: Environment):
    (account,) = found.list_all("inspector2", "batch_get_account_status", "accounts", accountIds=[settings.account])
    on = {kind for kind, state in account["resourceState"].items() if state["status"] == "ENABLED"}
    code = {"lambdaCode"} if settings.region in CODE_SCAN_REGIONS else set[str]()
    wanted = {"ecr", "lambda", *code} if settings.audit.inspector else set[str]()
    expect("looks at", {settings.account: on}, Superset(wanted))
