"""Mutations for test_observability.py: alarms, the composite alarm, events."""

import json
from typing import Any

from local_aws.server import LocalAws
from stacks.names import GLOBAL_REGION
from tests.changes.mutations import Mutation, Related
from tests.changes.mutations.lookup import tag, tagged, topic
from tests.synthesized import SEARCHABLE


def change_tier_of_alarms(tier: str) -> Mutation:
    """Change the tag Tier of a tier's alarms."""

    def change(aws: LocalAws) -> None:
        for arn in tagged(aws, "cloudwatch", "alarm", Tier=tier):
            tag(aws, arn, Tier="foundation")

    return change


def alarm(aws: LocalAws) -> str:
    """Name of an alarm."""
    return tagged(aws, "cloudwatch", "alarm", Tier="storage")[0].rpartition(":")[2]


def remove_metric(aws: LocalAws) -> None:
    one = aws.backend("cloudwatch").alarms[alarm(aws)]
    one.metric_name = None


def need_all_periods(aws: LocalAws) -> None:
    """Let an alarm on metric math need all the periods that it evaluates."""
    alarms = aws.backend("cloudwatch").alarms.values()
    one = next(one for one in alarms if any(query.metric_stat for query in one.metric_data_queries))
    one.datapoints_to_alarm = one.evaluation_periods


def composite(aws: LocalAws, **parameters: Any) -> None:
    """Change the composite alarm."""
    cloudwatch = aws.client("cloudwatch")
    (one,) = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    kept = ("AlarmName", "AlarmRule", "AlarmActions", "OKActions", "ActionsEnabled")
    cloudwatch.put_composite_alarm(**{**{name: one[name] for name in kept}, **parameters})


def remove_alarm_from_composite(aws: LocalAws) -> None:
    (one,) = aws.client("cloudwatch").describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    composite(aws, AlarmRule=one["AlarmRule"].partition(" OR ")[2])


def delete_event_subscription(aws: LocalAws) -> None:
    rds = aws.client("rds")
    one = rds.describe_event_subscriptions()["EventSubscriptionsList"][0]
    rds.delete_event_subscription(SubscriptionName=one["CustSubscriptionId"])


def disable_deployment_rule(aws: LocalAws) -> None:
    events = aws.client("events")
    for name in events.list_rule_names_by_target(TargetArn=topic(aws))["RuleNames"]:
        pattern = json.loads(events.describe_rule(Name=name)["EventPattern"])
        if "ECS Deployment State Change" in pattern["detail-type"]:
            events.disable_rule(Name=name)


def disable_global_health_rule(aws: LocalAws) -> None:
    events = aws.client("events", GLOBAL_REGION)
    for rule in events.list_rules()["Rules"]:
        events.disable_rule(Name=rule["Name"])


MUTATIONS: dict[str, Mutation] = {
    **{f"test_tier_has_alarms[{tier}]": change_tier_of_alarms(tier) for tier in SEARCHABLE if tier != "foundation"},
    "test_every_alarm_notifies_the_topic": lambda aws: aws.client("cloudwatch").disable_alarm_actions(
        AlarmNames=[alarm(aws)]
    ),
    "test_every_alarm_has_a_metric": remove_metric,
    "test_metric_math_tolerates_late_data": need_all_periods,
    "test_composite_alarm_covers_all_alarms": remove_alarm_from_composite,
    "test_composite_alarm_notifies_the_topic": lambda aws: composite(aws, AlarmActions=[]),
    "test_database_events_are_reported": delete_event_subscription,
    "test_events_of_other_services_are_reported": disable_deployment_rule,
    "test_health_events_of_global_services_are_forwarded": disable_global_health_rule,
}
RELATED: Related = {}
