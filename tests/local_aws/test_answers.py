"""`answers.toml`: what AWS makes of what it was sent, and the test that the local AWS does the same."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import local_aws
from local_aws.server import LocalAws

ROOT = Path(local_aws.__file__).parents[1]
ANSWERS: dict[str, dict[str, str]] = tomllib.loads((ROOT / "local_aws" / "answers.toml").read_text(encoding="utf-8"))
KEYS = {"aws", "provider", "source", "local", "test"}


@pytest.mark.parametrize("type_", ANSWERS)
def test_each_answer_names_the_function_that_reads_it_and_a_test(type_: str) -> None:
    answer = ANSWERS[type_]
    assert answer.keys() == KEYS
    assert re.search(r"internal/service/\w+/\w+\.go", answer["provider"])
    file, _, function = answer["test"].partition("::")
    assert f"\ndef {function}(" in (ROOT / file).read_text(encoding="utf-8")


def test_a_schedule_is_completed(aws: LocalAws) -> None:
    scheduler: Any = aws.client("scheduler")
    target = {
        "Arn": "arn:aws:states:us-west-1:123456789012:stateMachine:x",
        "RoleArn": "arn:aws:iam::123456789012:role/x",
    }
    scheduler.create_schedule(
        Name="completed", ScheduleExpression="rate(1 day)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )
    schedule = scheduler.get_schedule(Name="completed")
    assert schedule["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}
    assert (schedule["ScheduleExpressionTimezone"], schedule["GroupName"]) == ("UTC", "default")


POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "x:Put", "Resource": "*", "Principal": {"Service": f"{service}.example.com"}}
            for service in ("events", "delivery")
        ],
    },
    indent=1,
)


def test_a_policy_of_log_groups_is_kept(aws: LocalAws) -> None:
    logs: Any = aws.client("logs")
    logs.put_resource_policy(policyName="kept", policyDocument=POLICY)
    found = logs.describe_resource_policies()["resourcePolicies"]
    assert {"kept": POLICY}.items() <= {each["policyName"]: each["policyDocument"] for each in found}.items()


def test_a_policy_of_a_topic_is_kept(aws: LocalAws) -> None:
    sns: Any = aws.client("sns")
    topic = sns.create_topic(Name="kept")["TopicArn"]
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=POLICY)
    found = sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    assert json.loads(found) == json.loads(POLICY)


def test_a_dashboard_is_kept(aws: LocalAws) -> None:
    cloudwatch: Any = aws.client("cloudwatch")
    body = json.dumps({"widgets": [{"type": "text", "properties": {"markdown": "x"}}]}, indent=1)
    cloudwatch.put_dashboard(DashboardName="kept", DashboardBody=body)
    assert cloudwatch.get_dashboard(DashboardName="kept")["DashboardBody"] == body
