"""CloudTrail: validation, selectors, and deletion of trails."""

import json
from collections.abc import Generator
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.local_aws.conftest import ACCOUNT, REGION, create_role, error_code

BUCKET, GROUP = "trail-archive", "trail-log"
GROUP_ARN = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}:*"
CALLS = {"Name": "Calls", "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}


def arn_of(trail: str) -> str:
    return f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/{trail}"


def allow(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


@pytest.fixture(scope="module")
def settings(aws: LocalAws) -> dict[str, str]:
    """Settings of a trail, with all resources that they refer to."""
    s3 = aws.client("s3")
    place = {"LocationConstraint": REGION}
    for bucket in (BUCKET, "closed"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
    s3.put_bucket_policy(
        Bucket=BUCKET,
        Policy=allow(
            Principal={"Service": "cloudtrail.amazonaws.com"},
            Action=["s3:GetBucketAcl", "s3:PutObject"],
            Resource=[f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
            Condition={"StringEquals": {"aws:SourceArn": [arn_of("trail"), arn_of("second")]}},
        ),
    )
    aws.client("logs").create_log_group(logGroupName=GROUP)
    return {
        "S3BucketName": BUCKET,
        "CloudWatchLogsLogGroupArn": GROUP_ARN,
        "CloudWatchLogsRoleArn": create_role(aws, "trail-log", "cloudtrail.amazonaws.com"),
        "KmsKeyId": aws.client("kms").create_key()["KeyMetadata"]["Arn"],
    }


@pytest.fixture(scope="module")
def cloudtrail(aws: LocalAws) -> Any:
    return aws.client("cloudtrail")


@pytest.fixture
def trail(cloudtrail: Any, settings: dict[str, str]) -> Generator[str]:
    yield cloudtrail.create_trail(Name="trail", IsMultiRegionTrail=True, **settings)["TrailARN"]
    if "trail" in names(cloudtrail):
        cloudtrail.delete_trail(Name="trail")


def names(cloudtrail: Any) -> list[str]:
    return [trail["Name"] for trail in cloudtrail.describe_trails()["trailList"]]


def test_a_trail_is_described_as_created(cloudtrail: Any, trail: str, settings: dict[str, str]) -> None:
    (description,) = cloudtrail.describe_trails(trailNameList=[trail])["trailList"]
    assert {name: description[name] for name in settings} == settings
    assert description == cloudtrail.get_trail(Name="trail")["Trail"]
    assert (description["HomeRegion"], description["HasCustomEventSelectors"]) == (REGION, False)
    assert cloudtrail.describe_trails(trailNameList=["other"])["trailList"] == []


INVALID = [
    ({"S3BucketName": "nowhere"}, "S3BucketDoesNotExistException"),
    ({"S3BucketName": "closed"}, "InsufficientS3BucketPolicyException"),
    ({"KmsKeyId": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/nothing"}, "KmsKeyNotFoundException"),
    ({"CloudWatchLogsLogGroupArn": GROUP_ARN.replace(GROUP, "no")}, "InvalidCloudWatchLogsLogGroupArnException"),
    ({"CloudWatchLogsRoleArn": f"arn:aws:iam::{ACCOUNT}:role/missing"}, "InvalidCloudWatchLogsRoleArnException"),
]


@pytest.mark.parametrize(("other", "code"), INVALID)
def test_a_trail_requires_its_bucket_key_log_group_and_role(
    cloudtrail: Any, trail: str, settings: dict[str, str], other: dict[str, str], code: str
) -> None:
    assert error_code(cloudtrail.create_trail, Name="second", **settings | other) == code
    assert names(cloudtrail) == ["trail"]
    before = cloudtrail.get_trail(Name=trail)
    assert error_code(cloudtrail.update_trail, Name="trail", **other) == code
    assert {**cloudtrail.get_trail(Name=trail), "ResponseMetadata": None} == {**before, "ResponseMetadata": None}


def test_a_log_group_requires_a_role(cloudtrail: Any, settings: dict[str, str]) -> None:
    without = {name: value for name, value in settings.items() if name != "CloudWatchLogsRoleArn"}
    assert error_code(cloudtrail.create_trail, Name="second", **without) == "InvalidCloudWatchLogsRoleArnException"


def test_a_log_group_is_optional(cloudtrail: Any) -> None:
    cloudtrail.create_trail(Name="second", S3BucketName=BUCKET)
    assert names(cloudtrail) == ["second"]
    cloudtrail.delete_trail(Name="second")


def test_a_bucket_policy_must_allow_the_trail(cloudtrail: Any, settings: dict[str, str]) -> None:
    assert error_code(cloudtrail.create_trail, Name="third", **settings) == "InsufficientS3BucketPolicyException"


def test_names_are_unique(cloudtrail: Any, trail: str, settings: dict[str, str]) -> None:
    assert trail
    assert error_code(cloudtrail.create_trail, Name="trail", **settings) == "TrailAlreadyExistsException"


def test_a_trail_can_be_updated(cloudtrail: Any, trail: str) -> None:
    cloudtrail.update_trail(Name=trail, EnableLogFileValidation=True)
    assert cloudtrail.get_trail(Name=trail)["Trail"]["LogFileValidationEnabled"] is True


def test_each_kind_of_selector_replaces_the_other(cloudtrail: Any, trail: str) -> None:
    default = cloudtrail.get_event_selectors(TrailName=trail)
    assert [selector["ReadWriteType"] for selector in default["EventSelectors"]] == ["All"]
    cloudtrail.put_event_selectors(TrailName=trail, AdvancedEventSelectors=[CALLS])
    description = cloudtrail.get_event_selectors(TrailName=trail)
    assert (description.get("EventSelectors", []), description["AdvancedEventSelectors"]) == ([], [CALLS])
    assert cloudtrail.get_trail(Name=trail)["Trail"]["HasCustomEventSelectors"] is True
    cloudtrail.put_event_selectors(TrailName=trail, EventSelectors=[{"ReadWriteType": "WriteOnly"}])
    description = cloudtrail.get_event_selectors(TrailName=trail)
    assert (description["EventSelectors"], description.get("AdvancedEventSelectors", [])) == (
        [{"ReadWriteType": "WriteOnly"}],
        [],
    )


@pytest.mark.parametrize("field", [{"Field": "eventName"}, {"Field": "eventCategory", "StartsWith": ["Data"]}])
def test_unsupported_operators_are_refused(cloudtrail: Any, trail: str, field: dict[str, Any]) -> None:
    wrong = [{"FieldSelectors": [field]}]
    put = cloudtrail.put_event_selectors
    assert error_code(put, TrailName=trail, AdvancedEventSelectors=wrong) == "InvalidEventSelectorsException"


def test_insight_selectors_are_replaced(cloudtrail: Any, trail: str) -> None:
    for kind in ("ApiCallRateInsight", "ApiErrorRateInsight"):
        cloudtrail.put_insight_selectors(TrailName=trail, InsightSelectors=[{"InsightType": kind}])
    description = cloudtrail.get_insight_selectors(TrailName=trail)["InsightSelectors"]
    assert description == [{"InsightType": "ApiErrorRateInsight"}]
    assert cloudtrail.get_trail(Name=trail)["Trail"]["HasInsightSelectors"] is True


def test_a_trail_is_deleted_with_its_tags(cloudtrail: Any, trail: str) -> None:
    cloudtrail.add_tags(ResourceId=trail, TagsList=[{"Key": "a", "Value": "1"}])
    cloudtrail.delete_trail(Name=trail)
    assert names(cloudtrail) == []
    assert cloudtrail.list_tags(ResourceIdList=[trail])["ResourceTagList"][0]["TagsList"] == []
    assert error_code(cloudtrail.delete_trail, Name="trail") == "TrailNotFoundException"
