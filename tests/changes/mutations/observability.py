"""Mutations for test_observability.py: alarms, the composite alarm, events."""

import json
import re
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


def require_all_periods(aws: LocalAws) -> None:
    """Make an alarm on metric math wait until every evaluated period is breaching."""
    alarms = aws.backend("cloudwatch").alarms.values()
    one = next(one for one in alarms if any(query.metric_stat for query in one.metric_data_queries))
    one.datapoints_to_alarm = one.evaluation_periods


def change_alarms(metric: str, *, expression: str | None = None, **changed: Any) -> Mutation:
    """Set attributes of the alarms on a metric, whether they name it or a query does; `expression` in all queries."""

    def change(aws: LocalAws) -> None:
        for one in aws.backend("cloudwatch").alarms.values():
            queries = one.metric_data_queries or []
            if one.metric_name == metric or any(metric in (query.expression or "") for query in queries):
                vars(one).update(changed)
                for query in queries:
                    query.expression = expression or query.expression

    return change


def remove_schema_from_sum(aws: LocalAws) -> None:
    """In one query of the dashboard, replace SCHEMA(namespace, ...) with the namespace."""
    cloudwatch = aws.client("cloudwatch")
    (name,) = (one["DashboardName"] for one in cloudwatch.list_dashboards()["DashboardEntries"])
    body = cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"]
    sums = re.sub(r'(SELECT SUM\(\w+\) FROM )SCHEMA\((\\"[^"]*\\")[^)]*\)', r"\1\2", body, count=1)
    cloudwatch.put_dashboard(DashboardName=name, DashboardBody=sums)


def forbid_sampling(aws: LocalAws) -> None:
    """Remove an action of X-Ray from the role of a state machine."""
    machine = aws.client("stepfunctions").describe_state_machine(
        stateMachineArn=tagged(aws, "states", "stateMachine")[0]
    )
    iam, role = aws.client("iam"), machine["roleArn"].rpartition("/")[2]
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        policy = {"RoleName": role, "PolicyName": name}
        text = json.dumps(iam.get_role_policy(**policy)["PolicyDocument"])
        iam.put_role_policy(**policy, PolicyDocument=text.replace("xray:GetSamplingRules", "xray:GetGroup"))


def put_a_placeholder_into_a_string(aws: LocalAws) -> None:
    events = aws.client("events")
    for name in events.list_rule_names_by_target(TargetArn=topic(aws))["RuleNames"]:
        (target,) = events.list_targets_by_rule(Rule=name)["Targets"]
        if "reason" in target.get("InputTransformer", {}).get("InputPathsMap", {}):
            target["InputTransformer"]["InputTemplate"] = '"because of <reason>"'
            events.put_targets(Rule=name, Targets=[target])


def change_composite(aws: LocalAws, **parameters: Any) -> None:
    """Change the composite alarm."""
    cloudwatch = aws.client("cloudwatch")
    (one,) = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    kept = ("AlarmName", "AlarmRule", "AlarmActions", "OKActions", "ActionsEnabled")
    cloudwatch.put_composite_alarm(**{**{name: one[name] for name in kept}, **parameters})


def remove_alarm_from_composite(aws: LocalAws) -> None:
    (one,) = aws.client("cloudwatch").describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    change_composite(aws, AlarmRule=one["AlarmRule"].partition(" OR ")[2])


def forget_lost_data_in_composite(aws: LocalAws) -> None:
    (one,) = aws.client("cloudwatch").describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    conditions = one["AlarmRule"].split(" OR ")
    change_composite(aws, AlarmRule=" OR ".join(each for each in conditions if each.startswith("ALARM")))


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
    "test_metric_math_tolerates_late_data": require_all_periods,
    "test_high_database_load_is_reported": change_alarms("DBLoad", expression='SELECT AVG(DBLoad) FROM "AWS/RDS"'),
    "test_missing_data_of_the_task_count_is_reported": change_alarms(
        "RunningTaskCount", treat_missing_data="breaching"
    ),
    "test_sums_on_dashboards_count_a_metric_once": remove_schema_from_sum,
    "test_composite_alarm_covers_all_alarms": remove_alarm_from_composite,
    "test_composite_alarm_covers_lost_data": forget_lost_data_in_composite,
    "test_composite_alarm_notifies_the_topic": lambda aws: change_composite(aws, AlarmActions=[]),
    "test_database_events_are_reported": delete_event_subscription,
    "test_events_of_other_services_are_reported": disable_deployment_rule,
    "test_state_machines_may_send_traces": forbid_sampling,
    "test_placeholders_are_not_within_strings": put_a_placeholder_into_a_string,
    "test_health_events_of_global_services_are_forwarded": disable_global_health_rule,
}
RELATED: Related = {
    "test_missing_data_of_the_task_count_is_reported": {
        "test_observability.py::test_composite_alarm_covers_lost_data": "missing data raises the alarm instead",
    },
}
