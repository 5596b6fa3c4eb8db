"""Somebody is told: alarms that act, one alarm over all of them, and events."""

import json
import re
from typing import Any

import pytest

from stacks.observability.stack import DATABASE_EVENTS
from tests.integration.deployed import DeployedEnvironment, Response, only_one
from tests.integration.expectations import AtLeast, Superset, expect
from tests.synthesized import SEARCHABLE

SOURCES = {"aws.acm", "aws.ecs", "aws.health"}
"""Of the events that people are told of."""


@pytest.fixture(scope="session")
def alarms(found: DeployedEnvironment) -> list[Response]:
    return found.list_own("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmArn", AlarmTypes=["MetricAlarm"])


@pytest.fixture(scope="session")
def platform_alarm(found: DeployedEnvironment) -> Response:
    """The alarm over all alarms."""
    listed = found.list_all("cloudwatch", "describe_alarms", "CompositeAlarms", AlarmTypes=["CompositeAlarm"])
    tagged = [
        one for one in listed if one["AlarmArn"] in found.tags or tags_of(found, one) >= found.expected_tags.items()
    ]
    return only_one("alarm over all alarms", tagged)


def tags_of(found: DeployedEnvironment, alarm: Response) -> Any:
    """The Resource Groups Tagging API does not tell of composite alarms everywhere."""
    listed = found.list_all("cloudwatch", "list_tags_for_resource", "Tags", ResourceARN=alarm["AlarmArn"])
    return {tag["Key"]: tag["Value"] for tag in listed}.items()


@pytest.mark.parametrize("tier", [tier for tier in SEARCHABLE if tier != "foundation"])
def test_tier_has_alarms(found: DeployedEnvironment, alarms: list[Response], tier: str):
    count = sum(found.tags[alarm["AlarmArn"]].get("Tier") == tier for alarm in alarms)
    expect("alarms", {f"Tier = {tier}": count}, AtLeast(1))


def test_every_alarm_tells_the_topic(alarms: list[Response], topic: str):
    told = {one["AlarmArn"]: (one["ActionsEnabled"], one["AlarmActions"], one["OKActions"]) for one in alarms}
    expect("acts, when it rings, when it stops", told, (True, [topic], [topic]))


def test_no_alarm_waits_for_a_metric_that_is_not_there(alarms: list[Response]):
    metrics = {one["AlarmArn"]: bool(one.get("MetricName") or one.get("Metrics")) for one in alarms}
    expect("has a metric", metrics, True)


def test_one_alarm_gathers_all(alarms: list[Response], platform_alarm: Response):
    gathered = set(re.findall(r'ALARM\("([^"]+)"\)', platform_alarm["AlarmRule"]))
    expect("gathers", {platform_alarm["AlarmArn"]: gathered}, {alarm["AlarmArn"] for alarm in alarms})


def test_the_alarm_over_all_tells_the_topic(platform_alarm: Response, topic: str):
    told = (platform_alarm["ActionsEnabled"], platform_alarm["AlarmActions"])
    expect("acts, and tells", {platform_alarm["AlarmArn"]: told}, (True, [topic]))


def test_events_of_databases_are_told(found: DeployedEnvironment, topic: str):
    listed = found.list_all("rds", "describe_event_subscriptions", "EventSubscriptionsList")
    kinds = {
        (one["SourceType"], category)
        for one in listed
        if one["SnsTopicArn"] == topic and one["Enabled"]
        for category in one["EventCategoriesList"]
    }
    wanted = {(kind, category) for kind, categories in DATABASE_EVENTS.items() for category in categories}
    expect("events of databases", {topic: kinds}, wanted)


def test_events_of_other_services_are_told(found: DeployedEnvironment, topic: str):
    rules = [
        found.call("events", "describe_rule", Name=name)
        for name in found.list_all("events", "list_rule_names_by_target", "RuleNames", TargetArn=topic)
    ]
    sources = {source for one in rules for source in json.loads(one["EventPattern"])["source"]}
    expect("sources of events", {topic: sources}, Superset(SOURCES))
    expect("rule", {one["Arn"]: one["State"] for one in rules}, "ENABLED")
