"""PCI DSS 10.7, 11.5 and 12.10: somebody is told."""

from collections.abc import Iterable

from synthesized.controls.control import (
    Control,
    Every,
    Relation,
    Removal,
    Replacement,
    Value,
    at_most,
    containing,
    referring_to,
)
from synthesized.controls.document import Document

TOPIC = Value(
    "the alarm topic",
    lambda actions: bool(actions) and all(str(action).startswith("${aws_sns_topic.") for action in actions),
)
WATCHED_SOURCES = {
    "db-cluster": ("failover", "failure"),
    "db-instance": ("configuration change", "deletion", "failure"),
    "db-parameter-group": ("configuration change",),
    "db-security-group": ("configuration change",),
}
"""RDS's kinds of source, and events of theirs that nobody may miss."""
PUBLISHERS = {"PublishAlarms": "cloudwatch.amazonaws.com", "PublishEvents": "events.amazonaws.com"}
"""By the statement that lets them in."""


def _rules_without_targets(document: Document) -> Iterable[str]:
    told = {target["rule"] for target in document.of_type("aws_cloudwatch_event_target").values()}
    for address in document.of_type("aws_cloudwatch_event_rule"):
        if f"${{{address}.name}}" not in told:
            yield f"{address}: has no aws_cloudwatch_event_target"


def _unheard_databases(document: Document) -> Iterable[str]:
    heard = {
        subscription["source_type"]: set(subscription.get("event_categories") or [])
        for subscription in document.of_type("aws_db_event_subscription").values()
        if subscription.get("enabled") is not False
    }
    for kind, events in WATCHED_SOURCES.items():
        for event in sorted(set(events) - heard.get(kind, set())):
            yield f"aws_db_event_subscription: event_categories: none has {event} of a {kind}"


def _unheard_topics(document: Document) -> Iterable[str]:
    for address in document.unreferenced("aws_sns_topic.arn", "aws_sns_topic_subscription.topic_arn"):
        yield f"{address}: has no aws_sns_topic_subscription"


CONTROLS = (
    Control(
        name="alarms-ring",
        requirements=("10.4.1.1", "10.7.2", "10.7.3", "12.10.5"),
        summary="Every alarm and every event goes to the topic; a rotation that fails is told, as all else that fails.",
        checks=[
            Every(
                "aws_cloudwatch_metric_alarm",
                {"alarm_actions": TOPIC, "actions_enabled": Value("not false", lambda on: on is not False)},
            ),
            Every("aws_cloudwatch_composite_alarm", {"alarm_actions": TOPIC}),
            Every(
                "aws_cloudwatch_event_rule", {"state": Value("not disabled", lambda state: state in {None, "ENABLED"})}
            ),
            Relation("every event rule has a target", _rules_without_targets),
            Every(
                "aws_cloudwatch_metric_alarm",
                {"threshold": at_most(1), "statistic": "Sum"},
                where={"namespace": "AWS/Lambda", "metric_name": "Errors"},
            ),
        ],
        mutations=[
            Replacement("aws_cloudwatch_metric_alarm", "alarm_actions", []),
            Replacement("aws_cloudwatch_metric_alarm", "actions_enabled", False),
            Replacement("aws_cloudwatch_composite_alarm", "alarm_actions", None),
            Replacement("aws_cloudwatch_event_rule", "state", "DISABLED"),
            Removal("aws_cloudwatch_event_target", "event rules have no target"),
            Removal("aws_cloudwatch_metric_alarm.rotation_alarm-errors", "nobody is told that a rotation failed"),
        ],
    ),
    Control(
        name="database-changes",
        requirements=("11.5.2",),
        summary="Changes, failures and deletions of databases and their parameters are told as they happen.",
        checks=[
            Relation(f"there is a subscription for each of {', '.join(WATCHED_SOURCES)}", _unheard_databases),
            Every("aws_db_event_subscription", {"sns_topic": referring_to("aws_sns_topic")}),
        ],
        mutations=[
            Removal(
                "aws_db_event_subscription.observability_db-parameter-group-events",
                "nobody hears of changed parameters",
            ),
            Replacement("aws_db_event_subscription.observability_db-instance-events", "event_categories", ["backup"]),
            Replacement("aws_db_event_subscription", "enabled", False),
            Replacement("aws_db_event_subscription", "sns_topic", "arn:aws:sns:us-west-1:444455556666:x"),
        ],
    ),
    Control(
        name="somebody-listens",
        requirements=("12.10.1",),
        summary="The topic has subscribers, and lets in those who publish alarms and events.",
        checks=[
            Relation("every topic has a subscription", _unheard_topics),
            Every(
                "aws_sns_topic_policy",
                {
                    f"policy.statement[sid={sid}].{path}": wanted
                    for sid, publisher in PUBLISHERS.items()
                    for path, wanted in (("effect", "Allow"), ("principals.identifiers", containing(publisher)))
                },
            ),
            # Or messages are lost unseen.
            Every(
                "aws_kms_key.foundation_key-alarms",
                {"policy.statement[sid=PublishEncrypted].principals.identifiers": containing(*PUBLISHERS.values())},
            ),
        ],
        mutations=[
            Removal("aws_sns_topic_subscription", "nobody listens"),
            *(
                Replacement("aws_sns_topic_policy", f"policy.statement[sid={sid}].{path}", value)
                for sid in PUBLISHERS
                for path, value in (("effect", "Deny"), ("principals.identifiers", ["x"]))
            ),
            Replacement(
                "aws_kms_key.foundation_key-alarms",
                "policy.statement[sid=PublishEncrypted].principals.identifiers",
                ["events.amazonaws.com"],
            ),
        ],
    ),
    Control(
        name="runbooks",
        requirements=("12.10.1", "12.10.5"),
        summary="Every alarm says why it rings and which runbook says what to do.",
        checks=[
            Every("aws_cloudwatch_metric_alarm", {"alarm_description": containing("Runbook: https://")}),
            Every("aws_cloudwatch_composite_alarm", {"alarm_description": containing("Runbook: https://")}),
        ],
        mutations=[
            Replacement("aws_cloudwatch_metric_alarm", "alarm_description", "Something is wrong"),
            Replacement("aws_cloudwatch_composite_alarm", "alarm_description", None),
        ],
    ),
)
