"""Alarms of all tiers: whom they tell, what they say, what silence means to them."""

import re

import pytest

from main import ROOT
from operations.platform import Platform, Resource
from stacks.parts.alarms import Alarm
from tests.conftest import ENVIRONMENTS

# Written out from CloudWatch's lists of metrics: namespace, metric, statistic, period in seconds, periods.
EXPECTED = {
    "network": {
        "nat-ports-a": ("AWS/NATGateway", "ErrorPortAllocation", "Sum", 60, 3),
        "nat-ports-b": ("AWS/NATGateway", "ErrorPortAllocation", "Sum", 60, 3),
        "rejected-from-within": ("globecart/prod", "RejectedFromWithin", "Sum", 300, 1),
    },
    "database": {
        "capacity": ("AWS/RDS", "ACUUtilization", "Maximum", 300, 3),
        "connections": ("AWS/RDS", "DatabaseConnections", "Maximum", 60, 5),
        "cpu": ("AWS/RDS", "CPUUtilization", "Maximum", 300, 3),
        "deadlocks": ("AWS/RDS", "Deadlocks", "Maximum", 60, 5),
        "failed-logins": ("globecart/prod", "FailedLogins", "Sum", 300, 1),
        "local-storage": ("AWS/RDS", "FreeLocalStorage", "Minimum", 300, 2),
        "memory": ("AWS/RDS", "FreeableMemory", "Minimum", 300, 3),
        "replica-lag": ("AWS/RDS", "AuroraReplicaLagMaximum", "Maximum", 60, 5),
    },
}


def alarms(platform: Platform) -> list[Resource]:
    return platform.of_type("aws_cloudwatch_metric_alarm")


def test_each_tier_has_its_alarms(prod: Platform):
    arguments = ("namespace", "metric_name", "statistic", "period", "evaluation_periods")
    assert {
        alarm.body["alarm_name"]: tuple(alarm.body[argument] for argument in arguments) for alarm in alarms(prod)
    } == {f"globecart-prod-{tier}-{name}": expected for tier in EXPECTED for name, expected in EXPECTED[tier].items()}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_alarm_tells_the_topic_when_it_rings_and_when_it_stops(platforms: dict[str, Platform], name: str):
    for alarm in alarms(platforms[name]):
        assert alarm.body["alarm_actions"] == ["${aws_sns_topic.foundation_alarms.arn}"]
        assert alarm.body["ok_actions"] == ["${aws_sns_topic.foundation_alarms.arn}"]
        assert alarm.body.get("actions_enabled", True) is True
        assert alarm.body["treat_missing_data"] in {"breaching", "notBreaching", "missing"}


def headings(tier: str) -> set[str]:
    runbook = (ROOT / "docs" / "runbooks" / f"{tier}.md").read_text(encoding="utf-8")
    return set(re.findall(r"^## (\S+)$", runbook, flags=re.MULTILINE))


def test_every_alarm_names_a_runbook_that_is_there_and_every_runbook_an_alarm(prod: Platform):
    named: dict[str, set[str]] = {}
    for alarm in alarms(prod):
        runbook, heading = alarm.body["alarm_description"].rpartition("Runbook: docs/runbooks/")[2].split("#")
        assert runbook == f"{alarm.tier}.md"
        named.setdefault(alarm.tier, set()).add(heading)
    assert named == {tier: headings(tier) for tier in named}


def test_metrics_of_our_own_are_made_by_a_filter(prod: Platform):
    made = {
        (entry.body["metric_transformation"]["namespace"], entry.body["metric_transformation"]["name"])
        for entry in prod.of_type("aws_cloudwatch_log_metric_filter")
    }
    watched = {
        (alarm.body["namespace"], alarm.body["metric_name"])
        for alarm in alarms(prod)
        if not alarm.body["namespace"].startswith("AWS/")
    }
    assert made == watched != set()


def test_each_nat_gateway_is_watched(prod: Platform):
    watched = {
        alarm.body["dimensions"]["NatGatewayId"]
        for alarm in alarms(prod)
        if alarm.body["metric_name"] == "ErrorPortAllocation"
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
    comparisons = {alarm.name: alarm.body["comparison_operator"] for alarm in alarms(prod)}
    assert comparisons["alarm-local-storage"] == "LessThanOrEqualToThreshold"
    assert comparisons["alarm-cpu"] == "GreaterThanOrEqualToThreshold"


def test_descriptions_fit_cloudwatch(prod: Platform):
    assert all(len(alarm.body["alarm_description"]) <= 1024 for alarm in alarms(prod))
