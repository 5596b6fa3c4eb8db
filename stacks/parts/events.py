"""EventBridge rules that publish a sentence to the alarm topic, from a table of events per tier.

Their targets have no dead-letter queue: EventBridge retries for a day, the alarm `events-lost` notices a message that
it gives up, and nobody would read it later.
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
    """One event to notify people of."""

    name: str
    """Last part of the rule's name, and the heading in the tier's runbook page."""
    source: str
    detail_types: Sequence[str]
    """Values of EventBridge's `detail-type`."""
    resources: Sequence[str] = ()
    """ARNs; empty for any resource of the account."""
    detail: Mapping[str, object] = field(default_factory=dict)
    """Pattern of the event's `detail`."""
    message: str
    """A sentence that is true of every such event."""
    input_paths: Mapping[str, str]
    """JSONPaths of the values that are sent beside the message, by name."""


def event_pattern(
    source: str,
    detail_types: Sequence[str],
    *,
    resources: Sequence[str] = (),
    detail: Mapping[str, object] | None = None,
) -> str:
    """JSON of an event pattern."""
    content: dict[str, object] = {"source": [source], "detail-type": list(detail_types)}
    if resources:
        content["resources"] = list(resources)
    if detail:
        content["detail"] = dict(detail)
    return json.dumps(content)


def input_template(message: str, input_paths: Mapping[str, str]) -> str:
    """A JSON object with the message and the values beside it. Values that an event does not have are empty.

    EventBridge does not escape values within a string, and drops an event whose transformation is not valid JSON.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html#eb-transform-input-issues
    """
    values = "".join(f', "{name}": <{name}>' for name in input_paths)
    return f'{{"message": {json.dumps(message)}{values}}}'


def notify(tier: TierStack, topic: SnsTopic, events: Sequence[Event]) -> None:
    """Create a rule per event that publishes its message to the topic."""
    topic_arn = topic.arn
    for event in events:
        rule = CloudwatchEventRule(
            tier,
            f"event-{event.name}",
            name=tier.names.resource_name(event.name),
            description=f"{', '.join(event.detail_types)}: notifies the alarm topic",
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
                input_template=input_template(
                    f"{tier.settings.name}: {event.message} {tier.runbook_reference(event.name)}", event.input_paths
                ),
            ),
        )
