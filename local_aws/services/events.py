"""EventBridge: events of AWS services are matched against rules and delivered to targets, and deliveries are recorded.

Targets that moto implements receive what EventBridge would send: constant input, a part of the event, or a transformed
event.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from moto.awslambda.models import lambda_backends
from moto.events.models import EventsBackend, Rule
from moto.events.responses import EventsHandler
from moto.logs.models import logs_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.stepfunctions.models import stepfunctions_backends

from local_aws.extension import Extension

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Delivery:
    """Delivery of an event to a target of a rule."""

    rule: str
    target: str
    """ARN of the target."""
    event: Event
    input: str
    problem: str | None
    """Why the delivery failed."""


class Backend(EventsBackend):
    """Adds events of AWS services, on the default event bus."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.deliveries: list[Delivery] = []
        """Deliveries, oldest first."""

    def emit(self, *, source: str, detail_type: str, resources: list[str], detail: Mapping[str, str]) -> Event:
        """Send an event as an AWS service does."""
        event: Event = {
            "version": "0",
            "id": str(uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": self.account_id,
            "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "region": self.region_name,
            "resources": resources,
            "detail": dict(detail),
        }
        for rule in list(self.event_buses["default"].rules.values()):
            # A rule without an event pattern is a schedule.
            can_match = rule.state == "ENABLED" and rule.event_pattern.get_pattern()
            if can_match and rule.event_pattern.matches_event(dict(event)):  # pyright: ignore[reportArgumentType] - moto reads these keys
                self.deliveries += [_deliver(rule, target, event) for target in list(rule.targets)]
        return event


def _deliver(rule: Rule, target: Mapping[str, Any], event: Event) -> Delivery:
    arn, text = str(target["Arn"]), target_input(target, event, rule)
    problem = None
    try:
        TARGETS.get(arn.split(":")[2], _reject_target)(arn, text)
    except Exception as error:  # as in EventBridge, a failed delivery does not fail the sender
        problem = f"{type(error).__name__}: {error}"
    return Delivery(rule.name, arn, event, text, problem)


def target_input(target: Mapping[str, Any], event: Event, rule: Rule) -> str:
    """Input of a target: a constant, a part of the event, a transformed event, or the full event."""
    if (constant := target.get("Input")) is not None:
        return constant
    if path := target.get("InputPath"):
        return json.dumps(_resolve_path(path, event))
    if not (transformer := target.get("InputTransformer")):
        return json.dumps(event)
    paths: Mapping[str, str] = transformer.get("InputPathsMap") or {}
    values = {name: _resolve_path(path, event) for name, path in paths.items()} | {
        "aws.events.rule-arn": rule.arn,
        "aws.events.rule-name": rule.name,
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event": event,
        "aws.events.event.json": event,
    }
    template = str(transformer["InputTemplate"])
    # Strings are inserted verbatim within quotes, and as JSON strings elsewhere.
    pieces = re.split(r'("(?:[^"\\]|\\.)*")', template)
    return "".join(_fill(piece, values, is_quoted=piece.startswith('"')) for piece in pieces)


def _fill(piece: str, values: Mapping[str, Any], *, is_quoted: bool) -> str:
    def value(found: re.Match[str]) -> str:
        if found[1] not in values:
            return found[0]
        encoded = json.dumps(values[found[1]])
        if not is_quoted:
            return encoded
        return encoded[1:-1] if isinstance(values[found[1]], str) else encoded.replace('"', '\\"')

    return re.sub(r"<([^<>]+)>", value, piece)


def _resolve_path(path: str, event: Event) -> Any:
    """Value at a JSONPath of keys and indexes, EventBridge's subset; an empty string if there is none."""
    found: Any = event
    for key, position in re.findall(r"\.([\w-]+)|\[(\d+)\]", path):
        try:
            found = found[int(position)] if position else found[key]
        except (KeyError, IndexError, TypeError):
            return ""
    return found


def _start_execution(arn: str, text: str) -> None:
    _, _, _, region, account, *_ = arn.split(":")
    stepfunctions_backends[account][region].start_execution(arn, "", text)


def _publish(arn: str, text: str) -> None:
    _, _, _, region, account, *_ = arn.split(":")
    # A transformed event that is a JSON string is sent as plain text.
    message = json.loads(text)
    sns_backends[account][region].publish(message if isinstance(message, str) else text, arn)


def _log(arn: str, text: str) -> None:
    _, _, _, region, account, _, group, *_ = arn.split(":")
    logs = logs_backends[account][region]
    stream = str(uuid4())
    logs.create_log_stream(group, stream)
    at = int(1000 * datetime.now(UTC).timestamp())
    logs.put_log_events(group, stream, [{"timestamp": at, "message": text}])


def _send(arn: str, text: str) -> None:
    _, _, _, region, account, queue = arn.split(":")
    sqs_backends[account][region].send_message(queue, text)


def _invoke(arn: str, text: str) -> None:
    _, _, _, region, account, *_ = arn.split(":")
    lambda_backends[account][region].invoke(arn, None, text, {"X-Amz-Invocation-Type": "Event"}, {})


def _reject_target(arn: str, _text: str) -> None:
    raise NotImplementedError(f"delivery to {arn} is not implemented")


TARGETS: Mapping[str, Callable[[str, str], None]] = {
    "lambda": _invoke,
    "logs": _log,
    "sns": _publish,
    "sqs": _send,
    "states": _start_execution,
}


EXTENSION = Extension("events", EventsHandler, Backend)
