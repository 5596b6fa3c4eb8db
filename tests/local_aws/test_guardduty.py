"""GuardDuty: features, validation and tags of the detector."""

from collections.abc import Generator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from tests.local_aws.conftest import ACCOUNT, REGION


@pytest.fixture(scope="module")
def guardduty(aws: LocalAws) -> Any:
    return aws.client("guardduty")


@pytest.fixture
def detector(guardduty: Any) -> Generator[str]:
    created = guardduty.create_detector(
        Enable=True, Tags={"a": "1"}, Features=[{"Name": "EKS_AUDIT_LOGS", "Status": "DISABLED"}]
    )["DetectorId"]
    yield created
    if created in guardduty.list_detectors()["DetectorIds"]:
        guardduty.delete_detector(DetectorId=created)


def features(guardduty: Any, detector: str) -> dict[str, str]:
    return {each["Name"]: each["Status"] for each in guardduty.get_detector(DetectorId=detector)["Features"]}


def test_a_new_detector_has_the_default_and_the_requested_features(guardduty: Any, detector: str) -> None:
    disabled = {name for name, status in features(guardduty, detector).items() if status == "DISABLED"}
    assert disabled == {"EKS_AUDIT_LOGS", "EKS_RUNTIME_MONITORING", "RUNTIME_MONITORING"}
    assert guardduty.get_detector(DetectorId=detector)["FindingPublishingFrequency"] == "SIX_HOURS"


def test_updating_a_feature_keeps_the_others(guardduty: Any, detector: str) -> None:
    before = features(guardduty, detector)
    guardduty.update_detector(DetectorId=detector, Features=[{"Name": "RDS_LOGIN_EVENTS", "Status": "DISABLED"}])
    assert features(guardduty, detector) == before | {"RDS_LOGIN_EVENTS": "DISABLED"}
    guardduty.update_detector(DetectorId=detector, Enable=False, FindingPublishingFrequency="ONE_HOUR")
    description = guardduty.get_detector(DetectorId=detector)
    assert (description["Status"], description["FindingPublishingFrequency"]) == ("DISABLED", "ONE_HOUR")
    assert features(guardduty, detector)["RDS_LOGIN_EVENTS"] == "DISABLED"


def test_data_sources_have_the_status_of_their_features(guardduty: Any, detector: str) -> None:
    guardduty.update_detector(DetectorId=detector, Features=[{"Name": "S3_DATA_EVENTS", "Status": "DISABLED"}])
    enabled, disabled = {"Status": "ENABLED"}, {"Status": "DISABLED"}
    assert guardduty.get_detector(DetectorId=detector)["DataSources"] == {
        "CloudTrail": enabled,
        "DNSLogs": enabled,
        "FlowLogs": enabled,
        "S3Logs": disabled,
        "Kubernetes": {"AuditLogs": disabled},
        "MalwareProtection": {"ScanEc2InstanceWithFindings": {"EbsVolumes": enabled}},
    }


def test_runtime_monitoring_returns_its_agents_even_while_disabled(guardduty: Any, detector: str) -> None:
    def agents() -> dict[str, dict[str, str]]:
        return {
            feature["Name"]: {agent["Name"]: agent["Status"] for agent in feature["AdditionalConfiguration"]}
            for feature in guardduty.get_detector(DetectorId=detector)["Features"]
            if "AdditionalConfiguration" in feature
        }

    ec2, fargate, eks = "EC2_AGENT_MANAGEMENT", "ECS_FARGATE_AGENT_MANAGEMENT", "EKS_ADDON_MANAGEMENT"
    monitoring = {ec2: "DISABLED", fargate: "DISABLED", eks: "DISABLED"}
    assert agents() == {"EKS_RUNTIME_MONITORING": {eks: "DISABLED"}, "RUNTIME_MONITORING": monitoring}
    enabled = [{"Name": ec2, "Status": "ENABLED"}]
    changed = {"Name": "RUNTIME_MONITORING", "Status": "ENABLED", "AdditionalConfiguration": enabled}
    guardduty.update_detector(DetectorId=detector, Features=[changed])
    assert agents()["RUNTIME_MONITORING"] == monitoring | {ec2: "ENABLED"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {
                "Features": [
                    {
                        "Name": "EKS_RUNTIME_MONITORING",
                        "Status": "ENABLED",
                        "AdditionalConfiguration": [{"Name": "EC2_AGENT_MANAGEMENT", "Status": "ENABLED"}],
                    }
                ]
            },
            "Feature EC2_AGENT_MANAGEMENT cannot be set to ENABLED",
        ),
    ],
)
def test_invalid_settings_are_refused(guardduty: Any, detector: str, wrong: dict[str, Any], message: str) -> None:
    before = features(guardduty, detector)
    with pytest.raises(ClientError, match=f"BadRequestException.* {message}"):
        guardduty.update_detector(DetectorId=detector, **wrong)
    assert features(guardduty, detector) == before


def test_a_second_detector_is_refused(guardduty: Any, detector: str) -> None:
    with pytest.raises(ClientError, match="already exists"):
        guardduty.create_detector(Enable=True)
    assert guardduty.list_detectors()["DetectorIds"] == [detector]


def test_a_detector_can_be_deleted_once(guardduty: Any, detector: str) -> None:
    guardduty.delete_detector(DetectorId=detector)
    with pytest.raises(ClientError, match="BadRequestException"):
        guardduty.delete_detector(DetectorId=detector)


def test_a_detector_can_be_tagged_and_found_by_tags(aws: LocalAws, guardduty: Any, detector: str) -> None:
    arn = f"arn:aws:guardduty:{REGION}:{ACCOUNT}:detector/{detector}"
    guardduty.tag_resource(ResourceArn=arn, Tags={"b": "2", "c": "3"})
    guardduty.untag_resource(ResourceArn=arn, TagKeys=["a", "c"])
    assert guardduty.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"b": "2"}
    filters = [{"Key": "b", "Values": ["2"]}]
    found = aws.client("resourcegroupstaggingapi").get_resources(TagFilters=filters)["ResourceTagMappingList"]
    assert [each["ResourceARN"] for each in found] == [arn]
