"""CloudWatch: metric and composite alarms, and their updates and deletion."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws

TOPIC = "arn:aws:sns:us-west-1:123456789012:alarms"


@pytest.fixture(scope="module")
def cloudwatch(aws: LocalAws) -> Any:
    return aws.client("cloudwatch")


def put(cloudwatch: Any, name: str, **settings: Any) -> None:
    query = {"Id": "any", "Expression": 'SELECT SUM(Failed) FROM "AWS/Events"', "Period": 300, "ReturnData": True}
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Metrics=[{**query, "Label": "Failed"}],
        Threshold=1,
        EvaluationPeriods=1,
        ComparisonOperator="GreaterThanThreshold",
        **settings,
    )


def test_a_composite_alarm_is_described_as_put(cloudwatch: Any) -> None:
    put(cloudwatch, "part")
    part = cloudwatch.describe_alarms(AlarmNames=["part"])["MetricAlarms"][0]["AlarmArn"]
    settings = {
        "AlarmName": "composite",
        "AlarmRule": f"ALARM({part}) OR NOT OK(part) OR INSUFFICIENT_DATA('part') OR ALARM(\"part\")",
        "AlarmDescription": "anything",
        "AlarmActions": [TOPIC],
        "OKActions": [TOPIC],
        "ActionsSuppressor": "part",
        "ActionsSuppressorWaitPeriod": 60,
        "ActionsSuppressorExtensionPeriod": 120,
    }
    cloudwatch.put_composite_alarm(**settings, Tags=[{"Key": "Team", "Value": "service"}])
    response = cloudwatch.describe_alarms(AlarmNames=["composite"], AlarmTypes=["CompositeAlarm"])
    (description,) = response["CompositeAlarms"]
    assert {name: description[name] for name in settings} == settings
    tags = cloudwatch.list_tags_for_resource(ResourceARN=description["AlarmArn"])["Tags"]
    assert tags == [{"Key": "Team", "Value": "service"}]


def test_a_metric_alarm_is_described_as_put(cloudwatch: Any) -> None:
    common = {
        "AlarmDescription": "anything",
        "AlarmActions": [TOPIC],
        "OKActions": [TOPIC],
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": 2,
        "Threshold": 0,
        "ComparisonOperator": "LessThanOrEqualToThreshold",
        "TreatMissingData": "breaching",
    }
    metric = {"Namespace": "shop", "MetricName": "Orders", "Dimensions": [{"Name": "Shop", "Value": "one"}]}
    stat = {"Metric": metric, "Period": 60, "Stat": "p99"}
    of_metric = {**metric, "Statistic": "Sum", "Period": 60}
    of_queries = {
        "Metrics": [
            {"Id": "part", "MetricStat": stat, "ReturnData": False},
            {"Id": "ratio", "Expression": "part / 2", "Label": "Ratio", "ReturnData": True},
        ]
    }
    for name, settings in (("of-metric", of_metric), ("of-queries", of_queries)):
        cloudwatch.put_metric_alarm(AlarmName=name, **common, **settings)
        (description,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        assert description.items() >= {**common, **settings, "ActionsEnabled": True}.items()
        assert description["InsufficientDataActions"] == []
        assert not description.keys() & {"EvaluateLowSampleCountPercentile", "ExtendedStatistic", "Unit"}


def test_composite_alarms_are_described_only_on_request(cloudwatch: Any) -> None:
    put(cloudwatch, "kinds-part")
    cloudwatch.put_composite_alarm(AlarmName="kinds-composite", AlarmRule="ALARM(kinds-part)")

    def names(*kinds: str) -> tuple[list[str], list[str]]:
        types: dict[str, Any] = {"AlarmTypes": kinds} if kinds else {}
        response = cloudwatch.describe_alarms(AlarmNamePrefix="kinds-", **types)
        return (
            [alarm["AlarmName"] for alarm in response["MetricAlarms"]],
            [alarm["AlarmName"] for alarm in response["CompositeAlarms"]],
        )

    assert names() == (["kinds-part"], [])
    assert names("CompositeAlarm") == ([], ["kinds-composite"])
    assert names("MetricAlarm", "CompositeAlarm") == (["kinds-part"], ["kinds-composite"])


def test_rules_of_missing_alarms_are_refused(cloudwatch: Any) -> None:
    with pytest.raises(ClientError) as error:
        cloudwatch.put_composite_alarm(AlarmName="wrong", AlarmRule="ALARM(missing)")
    assert error.value.response["Error"]["Code"] == "ValidationError"
    assert cloudwatch.describe_alarms(AlarmNames=["wrong"], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"] == []


def test_updating_an_alarm_keeps_its_state_and_tags(cloudwatch: Any) -> None:
    put(cloudwatch, "again", Tags=[{"Key": "a", "Value": "1"}])
    assert cloudwatch.describe_alarms(AlarmNames=["again"])["MetricAlarms"][0]["StateValue"] == "INSUFFICIENT_DATA"
    cloudwatch.set_alarm_state(AlarmName="again", StateValue="ALARM", StateReason="fire")
    put(cloudwatch, "again", AlarmDescription="changed", Tags=[{"Key": "a", "Value": "2"}])
    (description,) = cloudwatch.describe_alarms(AlarmNames=["again"])["MetricAlarms"]
    assert (description["AlarmDescription"], description["StateValue"], description["StateReason"]) == (
        "changed",
        "ALARM",
        "fire",
    )
    assert cloudwatch.list_tags_for_resource(ResourceARN=description["AlarmArn"])["Tags"] == [
        {"Key": "a", "Value": "1"}
    ]
    assert description["Metrics"][0]["Expression"] == 'SELECT SUM(Failed) FROM "AWS/Events"'


def test_an_alarm_is_deleted_with_its_tags(cloudwatch: Any) -> None:
    put(cloudwatch, "gone", Tags=[{"Key": "a", "Value": "1"}])
    cloudwatch.delete_alarms(AlarmNames=["gone"])
    assert cloudwatch.describe_alarms(AlarmNames=["gone"])["MetricAlarms"] == []
    with pytest.raises(ClientError, match="gone"):
        cloudwatch.delete_alarms(AlarmNames=["gone"])
    put(cloudwatch, "gone")
    (description,) = cloudwatch.describe_alarms(AlarmNames=["gone"])["MetricAlarms"]
    assert cloudwatch.list_tags_for_resource(ResourceARN=description["AlarmArn"])["Tags"] == []


def test_alarms_can_be_described_while_others_are_put(aws: LocalAws, cloudwatch: Any) -> None:
    put(cloudwatch, "before")
    described = iter(aws.backend("cloudwatch").alarms.values())
    next(described)
    put(cloudwatch, "meanwhile")
    assert "meanwhile" not in {alarm.name for alarm in described}
