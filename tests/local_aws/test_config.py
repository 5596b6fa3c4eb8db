"""AWS Config: configuration recorders, delivery channels and rules, and its service-linked role in IAM."""

from collections.abc import Generator
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.local_aws.conftest import ACCOUNT, REGION, error_code

ROLE = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"
RULE = {"ConfigRuleName": "trail", "Source": {"Owner": "AWS", "SourceIdentifier": "CLOUD_TRAIL_ENABLED"}}
PLACE = {"LocationConstraint": REGION}


@pytest.fixture(scope="module")
def config(aws: LocalAws) -> Any:
    made = aws.client("iam").create_service_linked_role(AWSServiceName="config.amazonaws.com")["Role"]
    assert made["Arn"] == ROLE
    return aws.client("config")


@pytest.fixture
def recorder(config: Any) -> Generator[str]:
    config.put_configuration_recorder(
        ConfigurationRecorder={
            "name": "recorder",
            "roleARN": ROLE,
            "recordingGroup": {"allSupported": True},
            "recordingMode": {"recordingFrequency": "DAILY"},
        }
    )
    yield "recorder"
    config.delete_configuration_recorder(ConfigurationRecorderName="recorder")


def test_service_linked_roles_of_other_services_keep_their_names(aws: LocalAws) -> None:
    role = aws.client("iam").create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com")["Role"]
    assert role["RoleName"] == "AWSServiceRoleForAutoScaling"


def test_a_recorder_keeps_its_recording_mode(config: Any, recorder: str) -> None:
    def describe() -> dict[str, Any]:
        return config.describe_configuration_recorders(ConfigurationRecorderNames=[recorder])["ConfigurationRecorders"][
            0
        ]

    assert describe()["recordingMode"]["recordingFrequency"] == "DAILY"
    assert describe()["recordingGroup"]["recordingStrategy"] == {"useOnly": "ALL_SUPPORTED_RESOURCE_TYPES"}
    config.put_configuration_recorder(ConfigurationRecorder={"name": recorder, "roleARN": ROLE})
    assert describe()["recordingMode"]["recordingFrequency"] == "CONTINUOUS"


def test_a_recorder_requires_an_existing_role(config: Any) -> None:
    put = config.put_configuration_recorder
    missing_role = {"name": "other", "roleARN": ROLE + "2"}
    assert error_code(put, ConfigurationRecorder=missing_role) == "InvalidRoleException"


def test_a_delivery_channel_requires_a_bucket_without_default_retention(
    aws: LocalAws, config: Any, recorder: str
) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="config-open", CreateBucketConfiguration=PLACE)
    s3.create_bucket(Bucket="config-locked", CreateBucketConfiguration=PLACE, ObjectLockEnabledForBucket=True)
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    s3.put_object_lock_configuration(Bucket="config-locked", ObjectLockConfiguration=lock)

    def put(bucket: str) -> None:
        config.put_delivery_channel(DeliveryChannel={"name": "channel", "s3BucketName": bucket})

    assert recorder
    assert error_code(put, bucket="config-nowhere") == "NoSuchBucketException"
    assert error_code(put, bucket="config-locked") == "InsufficientDeliveryPolicyException"
    put("config-open")
    (description,) = config.describe_delivery_channels()["DeliveryChannels"]
    assert description["s3BucketName"] == "config-open"
    config.delete_delivery_channel(DeliveryChannelName="channel")


def test_a_delivery_channel_is_described_as_put_and_a_recorder_records(
    aws: LocalAws, config: Any, recorder: str
) -> None:
    aws.client("s3").create_bucket(Bucket="config-kept", CreateBucketConfiguration=PLACE)
    channel = {
        "name": "kept",
        "s3BucketName": "config-kept",
        "s3KmsKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/logs",
        "configSnapshotDeliveryProperties": {"deliveryFrequency": "TwentyFour_Hours"},
    }
    config.put_delivery_channel(DeliveryChannel=channel)
    assert config.describe_delivery_channels()["DeliveryChannels"] == [channel]
    for act, is_recording in ((config.start_configuration_recorder, True), (config.stop_configuration_recorder, False)):
        act(ConfigurationRecorderName=recorder)
        (status,) = config.describe_configuration_recorder_status()["ConfigurationRecordersStatus"]
        assert status["recording"] is is_recording
    config.delete_delivery_channel(DeliveryChannelName="kept")


def test_a_rule_keeps_the_text_of_its_parameters(config: Any, recorder: str) -> None:
    assert recorder
    text = '{\n  "maxAccessKeyAge": "90"\n}\n'
    source = {"Owner": "AWS", "SourceIdentifier": "ACCESS_KEYS_ROTATED"}
    config.put_config_rule(ConfigRule={"ConfigRuleName": "kept", "Source": source, "InputParameters": text})
    (description,) = config.describe_config_rules(ConfigRuleNames=["kept"])["ConfigRules"]
    assert (description["InputParameters"], description["Source"]) == (text, source)
    assert not description.keys() & {"MaximumExecutionFrequency", "Scope"}
    config.delete_config_rule(ConfigRuleName="kept")


def test_a_rule_requires_a_recorder(config: Any) -> None:
    assert error_code(config.put_config_rule, ConfigRule=RULE) == "NoAvailableConfigurationRecorderException"


def test_updating_a_rule_keeps_its_tags(aws: LocalAws, config: Any, recorder: str) -> None:
    assert recorder
    config.put_config_rule(ConfigRule=RULE, Tags=[{"Key": "of", "Value": "config"}])
    config.put_config_rule(ConfigRule={**RULE, "Description": "changed"})
    (description,) = config.describe_config_rules(ConfigRuleNames=["trail"])["ConfigRules"]
    assert description["Description"] == "changed"
    tags = config.list_tags_for_resource(ResourceArn=description["ConfigRuleArn"])["Tags"]
    assert tags == [{"Key": "of", "Value": "config"}]
    filters = [{"Key": "of", "Values": ["config"]}]
    found = aws.client("resourcegroupstaggingapi").get_resources(TagFilters=filters)["ResourceTagMappingList"]
    assert [each["ResourceARN"] for each in found] == [description["ConfigRuleArn"]]
    config.delete_config_rule(ConfigRuleName="trail")
