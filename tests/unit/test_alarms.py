"""Alarms of all tiers: whom they tell, what they say, what silence means to them."""

import re

import pytest

from stacks.parts.alarms import Alarm
from synthesized.platform import Platform, Resource
from tests.conftest import ENVIRONMENTS, VARIANTS
from tests.synthesized import RUNBOOKS, TIERS, only


def alarms(platform: Platform) -> list[Resource]:
    return platform.of_type("aws_cloudwatch_metric_alarm")


def test_every_tier_has_alarms(prod: Platform):
    # What the foundation has is of use to others, whose alarms say so; the roles of `access` do nothing by themselves.
    assert {alarm.tier for alarm in alarms(prod)} == set(TIERS) - {"foundation", "access"}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_alarm_tells_the_topic_when_it_rings_and_when_it_stops(platforms: dict[str, Platform], name: str):
    for alarm in alarms(platforms[name]):
        assert alarm.body["alarm_actions"] == ["${aws_sns_topic.foundation_alarms.arn}"]
        assert alarm.body["ok_actions"] == ["${aws_sns_topic.foundation_alarms.arn}"]
        assert alarm.body.get("actions_enabled", True) is True
        assert alarm.body["treat_missing_data"] in {"breaching", "notBreaching", "missing"}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_alarm_ends_with_an_address_on_its_own_tiers_page(platforms: dict[str, Platform], name: str):
    for alarm in alarms(platforms[name]):
        assert re.search(rf" Runbook: {RUNBOOKS}/{alarm.tier}\.md#[a-z-]+$", alarm.body["alarm_description"])


def test_each_nat_gateway_is_watched(prod: Platform):
    watched = {
        alarm.body["dimensions"]["NatGatewayId"]
        for alarm in alarms(prod)
        if alarm.body.get("metric_name") == "ErrorPortAllocation"
    }
    assert watched == {f"${{aws_nat_gateway.network_nat-{letter}.id}}" for letter in "ab"}


def test_an_alarm_says_when_it_rings_and_why_that_matters():
    alarm = Alarm(
        name="free",
        namespace="AWS/RDS",
        metric="FreeLocalStorage",
        statistic="Minimum",
        at="most",
        threshold=3 * 2**29,
        unit="bytes",
        period=300,
        periods=2,
        missing="breaching",
        why="it fills",
    )
    assert alarm.description == "FreeLocalStorage at most 1.5 GiB for 10 min: it fills."


def test_the_direction_of_an_alarm_is_its_comparison(prod: Platform):
    comparisons = {alarm.body["alarm_name"]: alarm.body["comparison_operator"] for alarm in alarms(prod)}
    assert comparisons["globecart-prod-database-local-storage"] == "LessThanOrEqualToThreshold"
    assert comparisons["globecart-prod-database-cpu"] == "GreaterThanOrEqualToThreshold"
    assert comparisons["globecart-prod-service-tasks"] == "LessThanOrEqualToThreshold"


def test_fewer_tasks_than_always_run_are_an_alarm(prod: Platform, dev: Platform):
    for platform, always in ((prod, 4), (dev, 1)):
        (alarm,) = (alarm.body for alarm in alarms(platform) if alarm.name == "alarm-tasks")
        assert alarm["threshold"] == always - 1
        # No measure at all is no task at all.
        assert alarm["treat_missing_data"] == "breaching"


def test_a_share_is_of_what_the_same_resource_did_in_the_same_time(prod: Platform):
    shares = [
        {query["id"]: query["metric"] for query in alarm.body["metric_query"] if "metric" in query}
        for alarm in alarms(prod)
        if any(query["id"] == "judged" for query in alarm.body.get("metric_query", []))
    ]
    assert shares
    for metrics in shares:
        part, whole = metrics["part"], metrics["whole"]
        assert whole == {**part, "metric_name": whole["metric_name"], "stat": "Sum"}


def test_a_share_and_a_long_time_are_said_as_such():
    alarm = Alarm(
        name="errors",
        namespace="AWS/ApplicationELB",
        metric="Failed",
        share_of="All",
        statistic="Sum",
        threshold=2,
        unit="percent",
        period=3600,
        periods=24,
        missing="notBreaching",
        why="it fails",
    )
    assert alarm.description == "Failed of All at least 2 percent for 24 h: it fails."


def test_descriptions_fit_cloudwatch_with_the_longest_address_of_runbooks(otherwise: dict[str, Platform]):
    wordy, longest = otherwise["prod"], VARIANTS["prod"]["foundation"]["runbooks"]
    composite = only(wordy, "aws_cloudwatch_composite_alarm")
    for body in (*(alarm.body for alarm in alarms(wordy)), composite):
        assert f"Runbook: {longest}/" in body["alarm_description"]
        assert len(body["alarm_description"]) <= 1024


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_platform_is_healthy_while_no_alarm_of_any_tier_rings(platforms: dict[str, Platform], name: str):
    composite = only(platforms[name], "aws_cloudwatch_composite_alarm")
    arns = {f"${{{alarm.address}.arn}}" for alarm in alarms(platforms[name])}
    assert composite["alarm_name"] == f"globecart-{name}-platform-healthy"
    assert set(re.findall(r'ALARM\("(.+?)"\)', composite["alarm_rule"])) == arns
    assert composite["alarm_actions"] == composite["ok_actions"] == ["${aws_sns_topic.foundation_alarms.arn}"]
    # CloudWatch's limit, with the longest ARN that there can be in place of each reference.
    longest = "arn:aws:cloudwatch:ap-northeast-1:111122223333:alarm:globecart-a-12-letters-" + 40 * "x"
    assert len(re.sub(r"\$\{.+?\}", longest, composite["alarm_rule"])) <= 10240
    assert max(len(arn) for arn in arns) < len(longest)
