"""Events that people are notified of as they happen: a table, a rule each, a sentence to the topic.

They are the services' own events, which EventBridge gets from them whether there is a trail or not.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import (
    CloudwatchEventTarget,
    CloudwatchEventTargetInputTransformer,
)
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

from stacks.tier import TierStack


@dataclass(frozen=True, kw_only=True)
class Event:
    """One row of the table: which event, and what is said of it."""

    name: str
    """Also the heading in the tier's runbook."""
    source: str
    detail_types: Sequence[str]
    """EventBridge's `detail-type`."""
    resources: Sequence[str] = ()
    """ARNs; empty where any of the account's is meant."""
    detail: Mapping[str, object] = field(default_factory=dict)
    """What the event's detail must be, as an event pattern says it."""
    message: str
    """A sentence, with `<names>` of what `quoting` finds."""
    input_paths: Mapping[str, str]
    """JSONPath in the event by name."""


def event_pattern(
    source: str,
    detail_types: Sequence[str],
    *,
    resources: Sequence[str] = (),
    detail: Mapping[str, object] | None = None,
) -> str:
    """An event pattern, as EventBridge takes it."""
    wanted: dict[str, object] = {"source": [source], "detail-type": list(detail_types)}
    if resources:
        wanted["resources"] = list(resources)
    if detail:
        wanted["detail"] = dict(detail)
    return json.dumps(wanted)


def notify(tier: TierStack, topic: SnsTopic, events: Sequence[Event]) -> None:
    """Publish a sentence to the topic for each of the events."""
    topic_arn = topic.arn
    for event in events:
        rule = CloudwatchEventRule(
            tier,
            f"event-{event.name}",
            name=tier.names.resource_name(event.name),
            description=f"{', '.join(event.detail_types)}: tells the alarm topic",
            event_pattern=event_pattern(
                event.source, event.detail_types, resources=event.resources, detail=event.detail
            ),
        )
        CloudwatchEventTarget(
            tier,
            f"event-{event.name}-to-topic",
            rule=rule.name,
            target_id="alarm-topic",
            arn=topic_arn,
            input_transformer=CloudwatchEventTargetInputTransformer(
                input_paths=dict(event.input_paths),
                # A JSON string, so that a person gets a sentence.
                input_template=f'"{tier.settings.name}: {event.message} {tier.runbook_reference(event.name)}"',
            ),
        )
