"""Mermaid sequence diagrams of a rotation of the database credential and of the redeployment after it.

The four steps and their descriptions come from the function's handler. `MESSAGES` lists the calls of each step; a test
compares it with the calls of a real rotation. The redeployment is read from the event rule and its state machine.
"""

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from lambda_rotation.handler import STEPS
from synthesized.platform import Body, Platform, PlatformError, Resource

SECRETS, FUNCTION, WRITER, READER, MACHINE = "S", "F", "W", "R", "M"
ENDPOINTS = {"DATABASE_HOST": (WRITER, "endpoint"), "DATABASE_READER_HOST": (READER, "reader_endpoint")}
"""The cluster endpoint in each of the function's environment variables."""

LINE = 34
"""Maximum characters per line."""


class Message(NamedTuple):
    """A call by the function."""

    recipient: str
    text: str
    calls: tuple[str, ...]
    """All AWS operations; of SQL, the beginnings of the significant statements."""


MESSAGES: Mapping[str, tuple[Message, ...]] = {
    "createSecret": (
        Message(
            SECRETS,
            "is this rotation in progress, is the current version old enough?",
            ("DescribeSecret", "GetSecretValue", "GetSecretValue"),
        ),
        Message(SECRETS, "generate a random password", ("GetRandomPassword",)),
        Message(SECRETS, "store the pending version: the other login, its new password", ("PutSecretValue",)),
    ),
    "setSecret": (
        Message(
            SECRETS,
            "read the pending version and the master user's current credential",
            ("DescribeSecret", "GetSecretValue", "GetSecretValue", "GetSecretValue"),
        ),
        Message(
            WRITER,
            "as the master user, in one transaction: roles, schema, password verifier",
            ("connect", "SELECT pg_advisory_xact_lock", "GRANT CONNECT", "ALTER ROLE"),
        ),
        Message(SECRETS, "is this rotation still in progress?", ("DescribeSecret",)),
        Message(WRITER, "commit", ("COMMIT",)),
    ),
    "testSecret": (
        Message(
            SECRETS,
            "read the pending version and the master user's name",
            ("DescribeSecret", "GetSecretValue", "GetSecretValue", "GetSecretValue"),
        ),
        Message(
            WRITER,
            "as the other login: write, try what must be denied, roll back",
            ("connect", "CREATE TABLE", "SAVEPOINT", "ROLLBACK TO SAVEPOINT", "ROLLBACK"),
        ),
        Message(READER, "as the other login: check access to the schema", ("connect", "SELECT has_schema_privilege")),
    ),
    "finishSecret": (
        Message(SECRETS, "read the pending version", ("DescribeSecret", "GetSecretValue", "GetSecretValue")),
        Message(SECRETS, "move AWSCURRENT to it", ("UpdateSecretVersionStage",)),
        Message(SECRETS, "remove AWSPENDING", ("DescribeSecret", "UpdateSecretVersionStage")),
    ),
}


def rotation(platform: Platform) -> str:
    """The rotation of the database credential.

    Raises:
        PlatformError: the rotation differs from the diagram.
    """
    schedule, secret, function = _rotation_resources(platform)
    participants = {
        SECRETS: _label("Secrets Manager", secret),
        FUNCTION: _label("Lambda", function),
        **dict(_endpoints(platform, function)),
    }
    rules = schedule.body["rotation_rules"]
    days = rules.get("automatically_after_days")
    lines = [f"Note over {SECRETS},{FUNCTION}: {f'every {days} days' if days else rules['schedule_expression']}"]
    for step, take in STEPS.items():
        lines.append(f"{SECRETS}->>{FUNCTION}: {step}")
        lines.append(f"Note over {SECRETS},{FUNCTION}: {_wrap(take.__doc__ or '')}")
        lines += [f"{FUNCTION}->>{message.recipient}: {_wrap(message.text)}" for message in MESSAGES[step]]
    return _diagram(participants, lines)


def redeployment(platform: Platform) -> str:
    """The redeployment after a rotation, until tasks have the new version.

    Raises:
        PlatformError: the redeployment differs from the diagram.
    """
    _, secret, _ = _rotation_resources(platform)
    participants = {SECRETS: _label("Secrets Manager", secret)}
    lines: list[str] = []
    for rule, machine in _rotation_rules(platform, secret):
        participants[MACHINE] = _label("Step Functions", machine)
        pattern = json.loads(rule.body["event_pattern"])
        detail = ", ".join(value for values in pattern["detail"].values() for value in values)
        lines.append(f"{SECRETS}-->>{MACHINE}: {pattern['detail-type'][0]}: {detail}<br/>by {rule.label}")
        lines += _machine(platform, machine, participants)
    if not lines:
        raise PlatformError(f"{secret.address}: no rule starts a state machine after a rotation")
    for task in platform.of_type("aws_ecs_task_definition"):
        if f"{secret.address}." in task.body["container_definitions"] and "ecs" in participants:
            lines.append(f"ecs->>{SECRETS}: new tasks start with the current version<br/>{task.label}")
    return _diagram(participants, lines)


def _rotation_resources(platform: Platform) -> tuple[Resource, Resource, Resource]:
    """The schedule, the secret and the function."""
    schedules = platform.of_type("aws_secretsmanager_secret_rotation")
    if len(schedules) != 1:
        raise PlatformError(f"{len(schedules)} secrets are rotated; the diagram shows one")
    (schedule,) = schedules
    secret, function = (platform.resolve(schedule.body[each]) for each in ("secret_id", "rotation_lambda_arn"))
    return schedule, secret, function


def _diagram(participants: Mapping[str, str], lines: Sequence[str]) -> str:
    named = [f"participant {id} as {label}" for id, label in participants.items()]
    return "\n".join(["```mermaid", "sequenceDiagram", *(f"    {line}" for line in [*named, *lines]), "```\n"])


def _wrap(text: str) -> str:
    """A text in lines that are short enough to be legible on GitHub."""
    return "<br/>".join(textwrap.wrap(text, LINE))


def _label(service: str, resource: Resource) -> str:
    return f"{service}<br/>{resource.label}"


def _endpoints(platform: Platform, function: Resource) -> Iterator[tuple[str, str]]:
    variables = function.body["environment"]["variables"]
    for variable, (id, attribute) in ENDPOINTS.items():
        cluster = platform.resolve(variables[variable])
        if variables[variable] != f"${{{cluster.address}.{attribute}}}":
            raise PlatformError(f"{function.address}: {variable} is not the {attribute} of a cluster")
        yield id, _label(f"Aurora, {'writer' if id == WRITER else 'reader'}", cluster)


def _rotation_rules(platform: Platform, secret: Resource) -> Iterator[tuple[Resource, Resource]]:
    """Event rules about the secret, with the state machine that each starts."""
    for target in platform.of_type("aws_cloudwatch_event_target"):
        rule = platform.resolve(target.body["rule"])
        if f"${{{secret.address}." in rule.body.get("event_pattern", "") and ".arn}" in target.body["arn"]:
            machine = platform.resolve(target.body["arn"])
            if machine.type == "aws_sfn_state_machine":
                yield rule, machine


def _machine(platform: Platform, machine: Resource, participants: dict[str, str]) -> list[str]:
    """The states of a state machine on its path without failures, then those that catch failures."""
    definition = json.loads(machine.body["definition"])
    states: Mapping[str, Body] = definition["States"]
    lines: list[str] = []
    starts: dict[str, int] = {}
    name: str | None = definition["StartAt"]
    while name:
        state = states[name]
        starts[name] = len(lines)
        for choice in state.get("Choices", []):
            waits, back = _loop_waits(states, choice["Next"], starts)
            lines.insert(starts[back], f"loop {name}: {_condition(choice)}")
            lines += [*waits, "end"]
        if state["Type"] == "Task":
            lines.append(_task(platform, name, state, participants))
        name = state.get("Default") or state.get("Next")
    handlers = dict.fromkeys(catch["Next"] for state in states.values() for catch in state.get("Catch", []))
    for each in handlers:
        lines += ["opt a state fails", _task(platform, each, states[each], participants), "end"]
    return lines


def _condition(choice: Body) -> str:
    """A choice's JSONata condition, with its input's prefix removed."""
    return choice["Condition"].strip("{}% ").replace("$states.input.", "")


def _loop_waits(states: Mapping[str, Body], name: str, starts: Mapping[str, int]) -> tuple[list[str], str]:
    """The waits on the path from a state back to an earlier one, and that state's name."""
    waits: list[str] = []
    while name not in starts:
        if states[name]["Type"] != "Wait":
            raise PlatformError(f"{name}: is of type {states[name]['Type']}; in a loop, the diagram shows only Wait")
        waits.append(f"Note over {MACHINE}: {name} {states[name]['Seconds']} s")
        name = states[name]["Next"]
    return waits, name


def _task(platform: Platform, name: str, state: Body, participants: dict[str, str]) -> str:
    *_, service, operation = state["Resource"].split(":")
    target = next(
        platform.resolve(value)
        for argument, value in state["Arguments"].items()
        for value in (value if isinstance(value, list) else [value])
        if argument in ("Service", "Services", "TopicArn")
    )
    participants.setdefault(service, _label(service.upper(), target))
    return f"{MACHINE}->>{service}: {name}: {operation}"
