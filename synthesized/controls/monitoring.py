"""PCI DSS 10.7, 11.5 and 12.10: alarms and notifications."""

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
"""RDS event categories that must be subscribed to, by source type."""
PUBLISHERS = {"PublishAlarms": "cloudwatch.amazonaws.com", "PublishEvents": "events.amazonaws.com"}
"""Service principals that publish to the topic, by the Sid of the statement that allows them."""


def _rules_without_targets(document: Document) -> Iterable[str]:
    with_target = {target["rule"] for target in document.of_type("aws_cloudwatch_event_target").values()}
    for address in document.of_type("aws_cloudwatch_event_rule"):
        if f"${{{address}.name}}" not in with_target:
            yield f"{address}: has no aws_cloudwatch_event_target"


def _unsubscribed_database_events(document: Document) -> Iterable[str]:
    subscribed = {
        subscription["source_type"]: set(subscription.get("event_categories") or [])
        for subscription in document.of_type("aws_db_event_subscription").values()
        if subscription.get("enabled") is not False
    }
    for source, categories in WATCHED_SOURCES.items():
        for category in sorted(set(categories) - subscribed.get(source, set())):
            yield f"aws_db_event_subscription: event_categories: none has {category} of {source}"


def _topics_without_subscription(document: Document) -> Iterable[str]:
    for address in document.unreferenced("aws_sns_topic.arn", "aws_sns_topic_subscription.topic_arn"):
        if address in document.of_type("aws_sns_topic.foundation"):
            yield f"{address}: has no aws_sns_topic_subscription"


CONTROLS = (
    Control(
        name="alarm-actions",
        requirements=("10.4.1.1", "10.7.2", "10.7.3", "12.10.5"),
        summary="Every alarm and event rule notifies the alarm topic, including failed rotations.",
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
            Removal("aws_cloudwatch_metric_alarm.rotation_alarm-errors", "failed rotations have no alarm"),
        ],
    ),
    Control(
        name="database-changes",
        requirements=("11.5.2",),
        summary="RDS reports changes, failures and deletions of databases and their parameters to the alarm topic.",
        checks=[
            Relation(f"event subscriptions for {', '.join(WATCHED_SOURCES)}", _unsubscribed_database_events),
            Every("aws_db_event_subscription", {"sns_topic": referring_to("aws_sns_topic")}),
        ],
        mutations=[
            Removal(
                "aws_db_event_subscription.observability_db-parameter-group-events",
                "there is no subscription for parameter groups",
            ),
            Replacement("aws_db_event_subscription.observability_db-instance-events", "event_categories", ["backup"]),
            Replacement("aws_db_event_subscription", "enabled", False),
            Replacement("aws_db_event_subscription", "sns_topic", "arn:aws:sns:us-west-1:444455556666:x"),
        ],
    ),
    Control(
        name="alarm-subscriptions",
        requirements=("12.10.1",),
        summary="The alarm topic has subscribers, and allows CloudWatch and EventBridge to publish.",
        checks=[
            Relation("the alarm topic has a subscription", _topics_without_subscription),
            Every(
                "aws_sns_topic_policy.foundation",
                {
                    f"policy.statement[sid={sid}].{path}": wanted
                    for sid, publisher in PUBLISHERS.items()
                    for path, wanted in (("effect", "Allow"), ("principals.identifiers", containing(publisher)))
                },
            ),
            # Without access to the key, messages are lost silently.
            Every(
                "aws_kms_key.foundation_key-alarms",
                {"policy.statement[sid=PublishEncrypted].principals.identifiers": containing(*PUBLISHERS.values())},
            ),
        ],
        mutations=[
            Removal("aws_sns_topic_subscription", "the topic has no subscription"),
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
        summary="Every alarm's description gives its reason and a link to its runbook.",
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
