"""EventBridge: events of AWS services are matched against rules and delivered to targets, and deliveries are recorded.

Targets that moto implements receive what EventBridge would send: the event, a part of it, a transformed event, or a
constant. Failed deliveries count as FailedInvocations.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any, NoReturn, cast
from uuid import uuid4

from moto.awslambda.models import lambda_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.events.exceptions import InvalidEventPatternException, ValidationException
from moto.events.models import EventPattern, EventsBackend, Rule, events_backends
from moto.events.responses import EventsHandler
from moto.logs.models import logs_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.stepfunctions.models import stepfunctions_backends

from local_aws import session
from local_aws.actions import Call
from local_aws.extension import Extension
from local_aws.service_uses import TARGET_ACTIONS, Use, target_checks

Event = Mapping[str, Any]
PLACEHOLDER = re.compile(r"<([^<>]+)>")
PATH_STEP = re.compile(r"\.([\w/-]+)|\[(\d+)\]")
"""A key or an index of a JSONPath."""
PREDEFINED_VARIABLES = (
    "aws.events.rule-arn",
    "aws.events.rule-name",
    "aws.events.event.ingestion-time",
    "aws.events.event",
    "aws.events.event.json",
)
"""https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html#eb-transform-input-predefined"""
MATCH_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "anything-but": (str, int, float, list, dict),
    "cidr": str,
    "equals-ignore-case": str,
    "exists": bool,
    "numeric": list,
    "prefix": (str, dict),
    "suffix": (str, dict),
    "wildcard": str,
}
"""Types of the values of comparison operators.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""
NUMERIC_OPERATORS = {"<", "<=", "=", ">", ">="}


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


class Pattern(EventPattern):
    """An event pattern. In moto, an unknown operator matches everything, an empty array exists, and fields of objects
    in an array do not.
    """

    @classmethod
    def load(cls, raw_pattern: str | None) -> "Pattern":
        pattern = cast(Pattern, super().load(raw_pattern))
        _check_filters(pattern.get_pattern())
        return pattern

    @staticmethod
    def _flatten_dict(node: Any, prefix: str = "", result: dict[str, Any] | None = None) -> dict[str, Any]:
        """Values by path; those of all objects in an array together."""
        flat = {} if result is None else result
        for key, value in node.items():
            path = f"{prefix}.{key}" if prefix else key
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, dict):
                    Pattern._flatten_dict(each, path, flat)
                else:
                    flat.setdefault(path, []).append(each)
        return flat


def _check_filters(pattern: Mapping[str, Any]) -> None:
    """Refuse operators that EventBridge does not have, and values that they do not take."""
    for key, value in pattern.items():
        for each in value if isinstance(value, list) else [value]:
            if key == "$or":
                Pattern.load(json.dumps(each))  # moto does not check these
            elif isinstance(value, dict):
                _check_filters(each)
            elif isinstance(each, dict):
                for operator, operand in cast(dict[str, Any], each).items():
                    _check_operator(operator, operand)


def _check_operator(operator: str, operand: Any) -> None:
    if operator not in MATCH_TYPES:
        raise InvalidEventPatternException(f"Unrecognized match type {operator}")
    if not isinstance(operand, MATCH_TYPES[operator]):
        raise InvalidEventPatternException(f"Value of {operator} has another type")
    if operator == "numeric":
        for sign, number in zip_longest(operand[::2], operand[1::2]):
            if sign not in NUMERIC_OPERATORS:
                raise InvalidEventPatternException(f"Bad numeric range operator: {sign}")
            if not isinstance(number, int | float):
                raise InvalidEventPatternException(f"Value of {sign} must be numeric")


class Backend(EventsBackend):
    """Adds events of AWS services, on the default event bus."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.deliveries: list[Delivery] = []
        """Deliveries, oldest first."""

    def emit(self, *, source: str, detail_type: str, resources: list[str], detail: Mapping[str, Any]) -> Event:
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
        self.deliver(event)
        return event

    def deliver(self, event: Event) -> None:
        """Deliver an event to the targets of the rules that it matches."""
        for rule in list(self.event_buses["default"].rules.values()):
            # A rule without an event pattern is a schedule.
            can_match = rule.state == "ENABLED" and rule.event_pattern.get_pattern()
            if can_match and rule.event_pattern.matches_event(dict(event)):  # pyright: ignore[reportArgumentType] - moto declares a TypedDict, whose keys an Event has
                for target in list(rule.targets):
                    delivery = _deliver(rule, target, event)
                    self.deliveries.append(delivery)
                    if delivery.problem:
                        self._count_failure(rule)

    def put_rule(self, *args: Any, event_pattern: str | None = None, **kwargs: Any) -> Rule:
        pattern = Pattern.load(event_pattern)
        rule = super().put_rule(*args, event_pattern=event_pattern, **kwargs)
        rule.event_pattern = pattern
        return rule

    def put_targets(self, name: str, event_bus_arn: str | None, targets: list[dict[str, Any]]) -> None:
        for target in targets:
            transformer = target.get("InputTransformer", {})
            paths: dict[str, str] = transformer.get("InputPathsMap", {})
            for path in (target.get("InputPath", "$"), *paths.values()):
                _check_path(path)
            names = {*PREDEFINED_VARIABLES, *paths}
            for unknown in set(PLACEHOLDER.findall(transformer.get("InputTemplate", ""))) - names:
                raise ValidationException(
                    f"InputTemplate for target {target['Id']} contains invalid placeholder {unknown}."
                )
        super().put_targets(name, event_bus_arn, targets)

    def _count_failure(self, rule: Rule) -> None:
        """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html"""
        dimensions = [{"Name": "RuleName", "Value": rule.name}]
        failure = {"MetricName": "FailedInvocations", "Dimensions": dimensions, "Value": 1, "Unit": "Count"}
        cloudwatch_backends[self.account_id][self.region_name].put_metric_data("AWS/Events", [failure])


def _deliver(rule: Rule, target: Mapping[str, Any], event: Event) -> Delivery:
    arn, text = str(target["Arn"]), target_input(target, event, rule)
    problem = None
    try:
        _check_json(text)
        authorize(rule, target)
        TARGETS.get(arn.split(":")[2], _reject_target)(arn, text)
    except Exception as error:  # as in EventBridge, a failed delivery does not fail the sender
        problem = f"{type(error).__name__}: {error}"
    return Delivery(rule.name, arn, event, text, problem)


# Actions of EventBridge by itself on targets whose policy lets it, by service. On others, it acts as the target's role.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-manage-iam-access.html
ACTIONS_BY_ITSELF = {
    "lambda": "lambda:InvokeFunction",
    "logs": "logs:PutLogEvents",
    "sns": "sns:Publish",
    "sqs": "sqs:SendMessage",
}


def authorize(rule: Rule, target: Mapping[str, Any]) -> None:
    """Check that EventBridge may deliver to a target.

    Raises:
        ApiError: it may not.
    """
    arn = str(target["Arn"])
    _, _, service, region, account, *_ = arn.split(":")
    authorizer = session.current().authorizer
    if service in TARGET_ACTIONS:
        use = Use(str(target.get("RoleArn")), "events.amazonaws.com", rule.arn, target_checks(arn))
        authorizer.check_role(use, Call(service, "", {}, account, region))
    elif action := ACTIONS_BY_ITSELF.get(service):
        resource = f"{arn.removesuffix(':*')}:log-stream:{rule.name}" if service == "logs" else arn
        authorizer.check_service("events.amazonaws.com", action, resource, rule.arn, region)


def _check_json(text: str) -> None:
    """Raise an error for a text that is neither JSON nor lines of JSON, which EventBridge does not deliver."""
    try:
        json.loads(text)
    except ValueError:
        lines = text.splitlines()
        if not lines:
            raise
        for line in lines:
            json.loads(line)


def target_input(target: Mapping[str, Any], event: Event, rule: Rule) -> str:
    """Input of a target: the event, a part of it, a transformed event, or a constant."""
    if (constant := target.get("Input")) is not None:
        return constant
    if path := target.get("InputPath"):
        return json.dumps(_resolve_path(path, event))
    if not (transformer := target.get("InputTransformer")):
        return json.dumps(event)
    paths: Mapping[str, str] = transformer.get("InputPathsMap") or {}
    variables = [rule.arn, rule.name, event["time"], _without_detail(event), event]
    values = {name: _resolve_path(path, event) for name, path in paths.items()} | dict(
        zip(PREDEFINED_VARIABLES, variables, strict=True)
    )
    template = str(transformer["InputTemplate"])
    pieces = re.split(r'("(?:[^"\\]|\\.)*")', template)
    fill_string = _fill_text if template.startswith('"') else _fill_string
    return "".join((fill_string if piece.startswith('"') else _fill_json)(piece, values) for piece in pieces)


def _without_detail(event: Event) -> Event:
    """Value of `<aws.events.event>`: the event without its detail, with `detailType` for `detail-type`."""
    return {"detailType" if key == "detail-type" else key: event[key] for key in event if key != "detail"}


def _fill_json(piece: str, values: Mapping[str, Any]) -> str:
    """Replace placeholders outside of strings, with JSON."""
    return PLACEHOLDER.sub(lambda found: _compact_json(values[found[1]]), piece)


def _fill_string(piece: str, values: Mapping[str, Any]) -> str:
    """Replace placeholders in a string, with the text itself, which is not escaped, or with JSON.

    EventBridge does not escape the quotes of JSON, either: a string with an object or an array is not valid.
    https://github.com/localstack/localstack/blob/main/tests/aws/services/events/test_events_inputs.py, tested on AWS
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html#eb-transform-input-issues
    """

    def value(found: re.Match[str]) -> str:
        filled = values[found[1]]
        return filled if isinstance(filled, str) else _compact_json(filled)

    return PLACEHOLDER.sub(value, piece)


def _fill_text(piece: str, values: Mapping[str, Any]) -> str:
    """Replace placeholders in a template of strings alone: there, objects and arrays lose their quotes."""
    plain = {
        name: filled if isinstance(filled, str) else _compact_json(filled).replace('"', "")
        for name, filled in values.items()
    }
    return _fill_string(piece, plain)


def _compact_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _check_path(path: str) -> None:
    """Refuse a JSONPath of other steps than keys and indexes. Wildcards are missing here, others in EventBridge, too.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    """
    if not path.startswith("$") or PATH_STEP.sub("", path[1:]):
        raise ValidationException(f"JSONPath {path} has other steps than .key and [index]")


def _resolve_path(path: str, event: Event) -> Any:
    """Value at a JSONPath, or an empty string if the event has no value there."""
    found: Any = event
    for key, position in PATH_STEP.findall(path):
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
    # A JSON string is sent as plain text, lines of JSON strings as they are.
    is_string = len(text.splitlines()) == 1 and isinstance(json.loads(text), str)
    sns_backends[account][region].publish(json.loads(text) if is_string else text, arn)


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


def _forward(arn: str, text: str) -> None:
    """Deliver to the default event bus of another Region.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-region.html
    """
    _, _, _, region, account, bus = arn.split(":")
    if bus != "event-bus/default":
        _reject_target(arn, text)
    cast(Backend, events_backends[account][region]).deliver(json.loads(text))


def _reject_target(arn: str, _text: str) -> NoReturn:
    raise NotImplementedError(f"delivery to {arn} is not implemented")


TARGETS: Mapping[str, Callable[[str, str], None]] = {
    "events": _forward,
    "lambda": _invoke,
    "logs": _log,
    "sns": _publish,
    "sqs": _send,
    "states": _start_execution,
}


EXTENSION = Extension("events", EventsHandler, Backend)
