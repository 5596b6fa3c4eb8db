"""What the local AWS adds to CloudWatch."""

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


def test_a_composite_alarm_is_described_as_it_was_put(cloudwatch: Any) -> None:
    put(cloudwatch, "part")
    part = cloudwatch.describe_alarms(AlarmNames=["part"])["MetricAlarms"][0]["AlarmArn"]
    wanted = {
        "AlarmName": "whole",
        "AlarmRule": f"ALARM({part}) OR NOT OK(part) OR INSUFFICIENT_DATA('part') OR ALARM(\"part\")",
        "AlarmDescription": "anything",
        "AlarmActions": [TOPIC],
        "OKActions": [TOPIC],
        "ActionsSuppressor": "part",
        "ActionsSuppressorWaitPeriod": 60,
        "ActionsSuppressorExtensionPeriod": 120,
    }
    cloudwatch.put_composite_alarm(**wanted, Tags=[{"Key": "Team", "Value": "service"}])
    answer = cloudwatch.describe_alarms(AlarmNames=["whole"], AlarmTypes=["CompositeAlarm"])
    (told,) = answer["CompositeAlarms"]
    assert {name: told[name] for name in wanted} == wanted
    tags = cloudwatch.list_tags_for_resource(ResourceARN=told["AlarmArn"])["Tags"]
    assert tags == [{"Key": "Team", "Value": "service"}]


def test_composite_alarms_are_described_only_when_asked_for(cloudwatch: Any) -> None:
    put(cloudwatch, "kinds-part")
    cloudwatch.put_composite_alarm(AlarmName="kinds-whole", AlarmRule="ALARM(kinds-part)")

    def names(*kinds: str) -> tuple[list[str], list[str]]:
        asked: dict[str, Any] = {"AlarmTypes": kinds} if kinds else {}
        answer = cloudwatch.describe_alarms(AlarmNamePrefix="kinds-", **asked)
        return (
            [alarm["AlarmName"] for alarm in answer["MetricAlarms"]],
            [alarm["AlarmName"] for alarm in answer["CompositeAlarms"]],
        )

    assert names() == (["kinds-part"], [])
    assert names("CompositeAlarm") == ([], ["kinds-whole"])
    assert names("MetricAlarm", "CompositeAlarm") == (["kinds-part"], ["kinds-whole"])


@pytest.mark.parametrize("rule", ["ALARM(nobody)", "ALARM(" + "x" * 10_240 + ")"])
def test_a_rule_that_cannot_hold_is_refused(cloudwatch: Any, rule: str) -> None:
    with pytest.raises(ClientError) as error:
        cloudwatch.put_composite_alarm(AlarmName="wrong", AlarmRule=rule)
    assert error.value.response["Error"]["Code"] == "ValidationError"
    assert cloudwatch.describe_alarms(AlarmNames=["wrong"], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"] == []


def test_an_alarm_that_is_put_again_keeps_its_state_and_its_tags(cloudwatch: Any) -> None:
    put(cloudwatch, "again", Tags=[{"Key": "a", "Value": "1"}])
    cloudwatch.set_alarm_state(AlarmName="again", StateValue="ALARM", StateReason="fire")
    put(cloudwatch, "again", AlarmDescription="changed", Tags=[{"Key": "a", "Value": "2"}])
    (told,) = cloudwatch.describe_alarms(AlarmNames=["again"])["MetricAlarms"]
    assert (told["AlarmDescription"], told["StateValue"], told["StateReason"]) == ("changed", "ALARM", "fire")
    assert cloudwatch.list_tags_for_resource(ResourceARN=told["AlarmArn"])["Tags"] == [{"Key": "a", "Value": "1"}]
    assert told["Metrics"][0]["Expression"] == 'SELECT SUM(Failed) FROM "AWS/Events"'


def test_a_deleted_alarm_is_gone_with_its_tags(cloudwatch: Any) -> None:
    put(cloudwatch, "gone", Tags=[{"Key": "a", "Value": "1"}])
    cloudwatch.delete_alarms(AlarmNames=["gone"])
    assert cloudwatch.describe_alarms(AlarmNames=["gone"])["MetricAlarms"] == []
    with pytest.raises(ClientError, match="gone"):
        cloudwatch.delete_alarms(AlarmNames=["gone"])
    put(cloudwatch, "gone")
    (told,) = cloudwatch.describe_alarms(AlarmNames=["gone"])["MetricAlarms"]
    assert cloudwatch.list_tags_for_resource(ResourceARN=told["AlarmArn"])["Tags"] == []


def test_alarms_are_described_while_others_are_put(aws: LocalAws, cloudwatch: Any) -> None:
    put(cloudwatch, "before")
    described = iter(aws.backend("cloudwatch").alarms.values())
    next(described)
    put(cloudwatch, "meanwhile")
    assert "meanwhile" not in {alarm.name for alarm in described}
