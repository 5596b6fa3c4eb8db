"""Alarms, the composite alarm, and event notifications."""

import json
import re
from typing import Any

import pytest

from stacks.names import GLOBAL_REGION
from stacks.observability.stack import DATABASE_EVENTS
from stacks.parts.state_machines import TRACING_ACTIONS
from synthesized.policy_statements import as_list, statements_of
from tests.event_templates import unescaped_placeholders
from tests.integration.deployed import DeployedEnvironment, Response, only_one
from tests.integration.expectations import AtLeast, Superset, expect
from tests.synthesized import SEARCHABLE

SOURCES = {"aws.acm", "aws.ecs", "aws.health"}
"""Sources of events that are reported."""


@pytest.fixture(scope="session")
def alarms(deployed: DeployedEnvironment) -> list[Response]:
    return deployed.list_own("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmArn", AlarmTypes=["MetricAlarm"])


@pytest.fixture(scope="session")
def composite_alarm(deployed: DeployedEnvironment) -> Response:
    """The composite alarm over all alarms."""
    listed = deployed.list_all("cloudwatch", "describe_alarms", "CompositeAlarms", AlarmTypes=["CompositeAlarm"])
    tagged = [
        one
        for one in listed
        if one["AlarmArn"] in deployed.tags or tags_of(deployed, one) >= deployed.expected_tags.items()
    ]
    return only_one("composite alarm", tagged)


def tags_of(deployed: DeployedEnvironment, alarm: Response) -> Any:
    """Tags of an alarm. The Resource Groups Tagging API does not return composite alarms in every Region."""
    listed = deployed.list_all("cloudwatch", "list_tags_for_resource", "Tags", ResourceARN=alarm["AlarmArn"])
    return {tag["Key"]: tag["Value"] for tag in listed}.items()


@pytest.mark.parametrize("tier", [tier for tier in SEARCHABLE if tier != "foundation"])
def test_tier_has_alarms(deployed: DeployedEnvironment, alarms: list[Response], tier: str):
    count = sum(deployed.tags[alarm["AlarmArn"]].get("Tier") == tier for alarm in alarms)
    expect("alarms", {f"Tier = {tier}": count}, AtLeast(1))


def test_every_alarm_notifies_the_topic(alarms: list[Response], topic: str):
    actions = {one["AlarmArn"]: (one["ActionsEnabled"], one["AlarmActions"], one["OKActions"]) for one in alarms}
    expect("actions enabled, alarm actions, OK actions", actions, (True, [topic], [topic]))


def test_every_alarm_has_a_metric(alarms: list[Response]):
    metrics = {one["AlarmArn"]: bool(one.get("MetricName") or one.get("Metrics")) for one in alarms}
    expect("has a metric", metrics, True)


def test_metric_math_tolerates_late_data(alarms: list[Response]):
    tolerates = {
        one["AlarmArn"]: one.get("DatapointsToAlarm", one["EvaluationPeriods"]) < one["EvaluationPeriods"]
        for one in alarms
        if any("MetricStat" in query for query in one.get("Metrics", []))
    }
    expect("is in alarm before the newest periods are complete", tolerates, True)


def test_high_database_load_is_reported(alarms: list[Response]):
    # CPU utilization is a share of the maximum capacity: it does not rise while statements wait.
    queries = {
        one["AlarmArn"]: query["Expression"]
        for one in alarms
        for query in one.get("Metrics", [])
        if "DBLoad" in query.get("Expression", "")
    }
    expect("query", queries, 'SELECT MAX(DBLoad) FROM "AWS/RDS"')


def test_missing_data_of_the_task_count_is_reported(alarms: list[Response], topic: str):
    # Missing data is no alarm, because there is none until the service exists.
    handling = {
        one["AlarmArn"]: (one["TreatMissingData"], one["InsufficientDataActions"])
        for one in alarms
        if one.get("MetricName") == "RunningTaskCount"
    }
    expect("treatment of missing data, actions", handling, ("missing", [topic]))


def test_sums_on_dashboards_count_a_metric_once(deployed: DeployedEnvironment):
    # Without a schema, a query has every set of dimensions that a metric is published with.
    name = deployed.names.resource_name("platform")
    body = deployed.call("cloudwatch", "get_dashboard", DashboardName=name)["DashboardBody"]
    queries = re.findall(r"SELECT SUM\((\w+)\) FROM (\w*)", body)
    sums = {f"SUM({metric})": source for metric, source in queries}
    expect("source of the sum", sums, "SCHEMA")


def test_composite_alarm_covers_all_alarms(alarms: list[Response], composite_alarm: Response):
    covered = set(re.findall(r'\bALARM\("([^"]+)"\)', composite_alarm["AlarmRule"]))
    expect("covers", {composite_alarm["AlarmArn"]: covered}, {alarm["AlarmArn"] for alarm in alarms})


def test_composite_alarm_covers_lost_data(alarms: list[Response], composite_alarm: Response):
    covered = set(re.findall(r'INSUFFICIENT_DATA\("([^"]+)"\)', composite_alarm["AlarmRule"]))
    silent = {alarm["AlarmArn"] for alarm in alarms if alarm["TreatMissingData"] == "missing"}
    expect("covers lost data of", {composite_alarm["AlarmArn"]: covered}, silent)


def test_composite_alarm_notifies_the_topic(composite_alarm: Response, topic: str):
    actions = (composite_alarm["ActionsEnabled"], composite_alarm["AlarmActions"])
    expect("actions enabled, alarm actions", {composite_alarm["AlarmArn"]: actions}, (True, [topic]))


def test_database_events_are_reported(deployed: DeployedEnvironment, topic: str):
    listed = deployed.list_all("rds", "describe_event_subscriptions", "EventSubscriptionsList")
    kinds = {
        (one["SourceType"], category)
        for one in listed
        if one["SnsTopicArn"] == topic and one["Enabled"]
        for category in one["EventCategoriesList"]
    }
    wanted = {(kind, category) for kind, categories in DATABASE_EVENTS.items() for category in categories}
    expect("database events", {topic: kinds}, wanted)


def test_events_of_other_services_are_reported(deployed: DeployedEnvironment, topic: str):
    rules = [
        deployed.call("events", "describe_rule", Name=name)
        for name in deployed.list_all("events", "list_rule_names_by_target", "RuleNames", TargetArn=topic)
    ]
    sources = {source for one in rules for source in json.loads(one["EventPattern"])["source"]}
    expect("sources of events", {topic: sources}, Superset(SOURCES))
    expect("rule", {one["Arn"]: one["State"] for one in rules}, "ENABLED")


def test_state_machines_may_send_traces(deployed: DeployedEnvironment):
    traced = {
        arn: machine["roleArn"].rpartition("/")[2]
        for arn in deployed.arns("states", "stateMachine")
        for machine in [deployed.call("stepfunctions", "describe_state_machine", stateMachineArn=arn)]
        if machine["tracingConfiguration"]["enabled"]
    }
    allowed = {
        arn: {
            action
            for policy in deployed.list_all("iam", "list_role_policies", "PolicyNames", RoleName=role)
            for statement in statements_of(
                deployed.call("iam", "get_role_policy", RoleName=role, PolicyName=policy)["PolicyDocument"]
            )
            for action in as_list(statement["Action"])
        }
        for arn, role in traced.items()
    }
    expect("actions of the role", allowed, Superset(TRACING_ACTIONS))


def test_placeholders_are_not_within_strings(deployed: DeployedEnvironment, topic: str):
    unescaped = {
        f"{name} {target['Id']}": sorted(unescaped_placeholders(transformer["InputTemplate"]))
        for name in deployed.list_all("events", "list_rule_names_by_target", "RuleNames", TargetArn=topic)
        for target in deployed.list_all("events", "list_targets_by_rule", "Targets", Rule=name)
        if (transformer := target.get("InputTransformer"))
    }
    expect("placeholders within a string", unescaped, list[str]())


def test_health_events_of_global_services_are_forwarded(deployed: DeployedEnvironment):
    regional = deployed if deployed.region == GLOBAL_REGION else DeployedEnvironment(deployed.settings, GLOBAL_REGION)
    wanted = deployed.names.event_bus_arn
    listed = regional.list_all(
        "events", "list_rules", "Rules", NamePrefix=deployed.names.resource_name("global-health")
    )
    found = {
        rule["Arn"]: (rule["State"], [one["Arn"] for one in targets])
        for rule in listed
        for targets in [regional.list_all("events", "list_targets_by_rule", "Targets", Rule=rule["Name"])]
    }
    rules = 0 if deployed.region == GLOBAL_REGION else 1
    expect("rules in us-east-1", {"global-health": len(found)}, rules)
    expect("state, targets", found, ("ENABLED", [wanted]))
