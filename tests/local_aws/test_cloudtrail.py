"""What the local AWS mends in CloudTrail."""

import json
from collections.abc import Generator
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.local_aws.conftest import ACCOUNT, REGION, error_code

BUCKET, GROUP = "trail-archive", "trail-log"
GROUP_ARN = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}:*"
CALLS = {"Name": "Calls", "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}


def arn_of(trail: str) -> str:
    return f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/{trail}"


def allow(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


@pytest.fixture(scope="module")
def needs(aws: LocalAws) -> dict[str, str]:
    """What a trail names."""
    s3, iam = aws.client("s3"), aws.client("iam")
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
    trust = allow(Principal={"Service": "cloudtrail.amazonaws.com"}, Action="sts:AssumeRole")
    return {
        "S3BucketName": BUCKET,
        "CloudWatchLogsLogGroupArn": GROUP_ARN,
        "CloudWatchLogsRoleArn": iam.create_role(RoleName="trail-log", AssumeRolePolicyDocument=trust)["Role"]["Arn"],
        "KmsKeyId": aws.client("kms").create_key()["KeyMetadata"]["Arn"],
    }


@pytest.fixture(scope="module")
def cloudtrail(aws: LocalAws) -> Any:
    return aws.client("cloudtrail")


@pytest.fixture
def trail(cloudtrail: Any, needs: dict[str, str]) -> Generator[str]:
    yield cloudtrail.create_trail(Name="trail", IsMultiRegionTrail=True, **needs)["TrailARN"]
    if "trail" in names(cloudtrail):
        cloudtrail.delete_trail(Name="trail")


def names(cloudtrail: Any) -> list[str]:
    return [trail["Name"] for trail in cloudtrail.describe_trails()["trailList"]]


def test_a_trail_is_described_as_it_was_made(cloudtrail: Any, trail: str, needs: dict[str, str]) -> None:
    (told,) = cloudtrail.describe_trails(trailNameList=[trail])["trailList"]
    assert {name: told[name] for name in needs} == needs
    assert told == cloudtrail.get_trail(Name="trail")["Trail"]
    assert (told["HomeRegion"], told["HasCustomEventSelectors"]) == (REGION, False)
    assert cloudtrail.describe_trails(trailNameList=["other"])["trailList"] == []


OTHERS = [
    ({"S3BucketName": "nowhere"}, "S3BucketDoesNotExistException"),
    ({"S3BucketName": "closed"}, "InsufficientS3BucketPolicyException"),
    ({"KmsKeyId": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/nothing"}, "KmsKeyNotFoundException"),
    ({"CloudWatchLogsLogGroupArn": GROUP_ARN.replace(GROUP, "no")}, "InvalidCloudWatchLogsLogGroupArnException"),
    ({"CloudWatchLogsRoleArn": f"arn:aws:iam::{ACCOUNT}:role/nobody"}, "InvalidCloudWatchLogsRoleArnException"),
]


@pytest.mark.parametrize(("other", "code"), OTHERS)
def test_what_a_trail_names_must_be_there(
    cloudtrail: Any, trail: str, needs: dict[str, str], other: dict[str, str], code: str
) -> None:
    assert error_code(cloudtrail.create_trail, Name="second", **needs | other) == code
    assert names(cloudtrail) == ["trail"]
    before = cloudtrail.get_trail(Name=trail)
    assert error_code(cloudtrail.update_trail, Name="trail", **other) == code
    assert {**cloudtrail.get_trail(Name=trail), "ResponseMetadata": None} == {**before, "ResponseMetadata": None}


def test_a_log_group_needs_its_role(cloudtrail: Any, needs: dict[str, str]) -> None:
    without = {name: value for name, value in needs.items() if name != "CloudWatchLogsRoleArn"}
    assert error_code(cloudtrail.create_trail, Name="second", **without) == "InvalidCloudWatchLogsRoleArnException"


def test_a_trail_can_be_without_a_log_group(cloudtrail: Any) -> None:
    cloudtrail.create_trail(Name="second", S3BucketName=BUCKET)
    assert names(cloudtrail) == ["second"]
    cloudtrail.delete_trail(Name="second")


def test_a_bucket_that_lets_in_another_trail_is_no_place_for_this_one(cloudtrail: Any, needs: dict[str, str]) -> None:
    assert error_code(cloudtrail.create_trail, Name="third", **needs) == "InsufficientS3BucketPolicyException"


def test_there_is_one_trail_of_a_name(cloudtrail: Any, trail: str, needs: dict[str, str]) -> None:
    assert trail
    assert error_code(cloudtrail.create_trail, Name="trail", **needs) == "TrailAlreadyExistsException"


def test_a_trail_is_changed(cloudtrail: Any, trail: str) -> None:
    cloudtrail.update_trail(Name=trail, EnableLogFileValidation=True)
    assert cloudtrail.get_trail(Name=trail)["Trail"]["LogFileValidationEnabled"] is True


def test_selectors_of_one_kind_take_the_place_of_the_other(cloudtrail: Any, trail: str) -> None:
    usual = cloudtrail.get_event_selectors(TrailName=trail)
    assert [selector["ReadWriteType"] for selector in usual["EventSelectors"]] == ["All"]
    cloudtrail.put_event_selectors(TrailName=trail, AdvancedEventSelectors=[CALLS])
    told = cloudtrail.get_event_selectors(TrailName=trail)
    assert (told.get("EventSelectors", []), told["AdvancedEventSelectors"]) == ([], [CALLS])
    assert cloudtrail.get_trail(Name=trail)["Trail"]["HasCustomEventSelectors"] is True
    cloudtrail.put_event_selectors(TrailName=trail, EventSelectors=[{"ReadWriteType": "WriteOnly"}])
    told = cloudtrail.get_event_selectors(TrailName=trail)
    assert (told["EventSelectors"], told.get("AdvancedEventSelectors", [])) == ([{"ReadWriteType": "WriteOnly"}], [])


@pytest.mark.parametrize("field", [{"Field": "eventName"}, {"Field": "eventCategory", "StartsWith": ["Data"]}])
def test_a_field_that_cannot_be_compared_so_is_refused(cloudtrail: Any, trail: str, field: dict[str, Any]) -> None:
    wrong = [{"FieldSelectors": [field]}]
    ask = cloudtrail.put_event_selectors
    assert error_code(ask, TrailName=trail, AdvancedEventSelectors=wrong) == "InvalidEventSelectorsException"


def test_insights_are_those_that_were_asked_for_last(cloudtrail: Any, trail: str) -> None:
    for kind in ("ApiCallRateInsight", "ApiErrorRateInsight"):
        cloudtrail.put_insight_selectors(TrailName=trail, InsightSelectors=[{"InsightType": kind}])
    told = cloudtrail.get_insight_selectors(TrailName=trail)["InsightSelectors"]
    assert told == [{"InsightType": "ApiErrorRateInsight"}]
    assert cloudtrail.get_trail(Name=trail)["Trail"]["HasInsightSelectors"] is True


def test_a_deleted_trail_is_gone_with_its_tags(cloudtrail: Any, trail: str) -> None:
    cloudtrail.add_tags(ResourceId=trail, TagsList=[{"Key": "a", "Value": "1"}])
    cloudtrail.delete_trail(Name=trail)
    assert names(cloudtrail) == []
    assert cloudtrail.list_tags(ResourceIdList=[trail])["ResourceTagList"][0]["TagsList"] == []
    assert error_code(cloudtrail.delete_trail, Name="trail") == "TrailNotFoundException"
