"""The account's event bus for what AWS's own services send: rules that match get the event, and each delivery is noted.

Targets that moto carries get what EventBridge would hand them: its input, a part of the event, or a filled template.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any
from uuid import uuid4

from moto.awslambda.models import lambda_backends
from moto.events.models import EventsBackend, Rule, events_backends
from moto.logs.models import logs_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.stepfunctions.models import stepfunctions_backends

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Delivery:
    """What one target of one rule got."""

    rule: str
    target: str
    """ARN."""
    event: Event
    input: str
    problem: str | None
    """None where it arrived."""


@dataclass
class _Book:
    """Of all deliveries, in the account's own backend so that it ends with it."""

    lock: Lock = field(default_factory=Lock)
    deliveries: list[Delivery] = field(default_factory=list)


def deliveries(account: str, region: str) -> list[Delivery]:
    """What was delivered so far."""
    return list(_book(events_backends[account][region]).deliveries)


def emit(
    account: str, region: str, *, source: str, kind: str, resources: list[str], detail: Mapping[str, str]
) -> Event:
    """Let a service of AWS's send an event.

    Args:
        kind: EventBridge's `detail-type`.
    """
    event: Event = {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": kind,
        "source": source,
        "account": account,
        "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": region,
        "resources": resources,
        "detail": dict(detail),
    }
    backend: EventsBackend = events_backends[account][region]
    for rule in list(backend.event_buses["default"].rules.values()):
        # A rule without a pattern goes by its schedule.
        is_wanted = rule.state == "ENABLED" and rule.event_pattern.get_pattern()
        if is_wanted and rule.event_pattern.matches_event(dict(event)):  # pyright: ignore[reportArgumentType] - its keys are what moto looks for
            for target in list(rule.targets):
                _deliver(backend, rule, target, event)
    return event


def _deliver(backend: EventsBackend, rule: Rule, target: Mapping[str, Any], event: Event) -> None:
    arn = str(target["Arn"])
    text = input_of(target, event, rule)
    problem = None
    try:
        TARGETS.get(arn.split(":")[2], _refuse)(arn, text)
    except Exception as error:  # EventBridge takes note of a delivery that fails, and the sender goes on
        problem = f"{type(error).__name__}: {error}"
    book = _book(backend)
    with book.lock:
        book.deliveries.append(Delivery(rule.name, arn, event, text, problem))


def input_of(target: Mapping[str, Any], event: Event, rule: Rule) -> str:
    """What a target is handed: its constant, a part of the event, a template that is filled, or the whole event."""
    if (constant := target.get("Input")) is not None:
        return constant
    if path := target.get("InputPath"):
        return json.dumps(_at(path, event))
    if not (transformer := target.get("InputTransformer")):
        return json.dumps(event)
    paths: Mapping[str, str] = transformer.get("InputPathsMap") or {}
    values = {name: _at(path, event) for name, path in paths.items()} | {
        "aws.events.rule-arn": rule.arn,
        "aws.events.rule-name": rule.name,
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event": event,
        "aws.events.event.json": event,
    }
    template = str(transformer["InputTemplate"])
    # Within quotes a text stands as it is, elsewhere with quotes of its own.
    pieces = re.split(r'("(?:[^"\\]|\\.)*")', template)
    return "".join(_fill(piece, values, is_quoted=piece.startswith('"')) for piece in pieces)


def _fill(piece: str, values: Mapping[str, Any], *, is_quoted: bool) -> str:
    def value(found: re.Match[str]) -> str:
        if found[1] not in values:
            return found[0]
        written = json.dumps(values[found[1]])
        if not is_quoted:
            return written
        return written[1:-1] if isinstance(values[found[1]], str) else written.replace('"', '\\"')

    return re.sub(r"<([^<>]+)>", value, piece)


def _at(path: str, event: Event) -> Any:
    """A JSONPath of keys and positions, as EventBridge has them; an empty text where there is nothing."""
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
    # A template that is one JSON string is a sentence to people.
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


def _refuse(arn: str, _text: str) -> None:
    raise NotImplementedError(f"the local AWS delivers nothing to {arn}")


TARGETS: Mapping[str, Callable[[str, str], None]] = {
    "lambda": _invoke,
    "logs": _log,
    "sns": _publish,
    "sqs": _send,
    "states": _start_execution,
}


def _book(backend: EventsBackend) -> _Book:
    book = vars(backend).setdefault("deliveries", _Book())
    assert isinstance(book, _Book)  # noqa: S101 - nobody else has this name
    return book
