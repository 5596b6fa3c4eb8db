"""A rotation of the database credential as a Mermaid sequence: from what was synthesized, and from the function's code.

The function's four steps and what each is for are the handler's. What a step asks of whom is the table below, which a
test holds against the calls of a rotation that is run. What follows a rotation is read from the rule that sees it, and
from the states of the machine that the rule starts.
"""

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from lambda_rotation.handler import STEPS
from synthesized.platform import Body, Platform, PlatformError, Resource

SECRETS, FUNCTION, WRITER, READER, MACHINE = "S", "F", "W", "R", "M"
ENDPOINTS = {"DATABASE_HOST": (WRITER, "endpoint"), "DATABASE_READER_HOST": (READER, "reader_endpoint")}
"""Variables of the function, and the endpoint of a cluster that each holds."""


LINE = 34
"""Characters."""


class Message(NamedTuple):
    """What the function asks of somebody."""

    recipient: str
    text: str
    calls: tuple[str, ...]
    """Operations of AWS's, which are all that it makes; of SQL, how the statements begin that tell what it does."""


MESSAGES: Mapping[str, tuple[Message, ...]] = {
    "createSecret": (
        Message(
            SECRETS,
            "is this rotation under way, and the current version old enough?",
            ("DescribeSecret", "GetSecretValue", "GetSecretValue"),
        ),
        Message(SECRETS, "a random password, please", ("GetRandomPassword",)),
        Message(SECRETS, "the pending version: the other login, its new password", ("PutSecretValue",)),
    ),
    "setSecret": (
        Message(
            SECRETS,
            "the pending version, and the master's credential of this moment",
            ("DescribeSecret", "GetSecretValue", "GetSecretValue", "GetSecretValue"),
        ),
        Message(
            WRITER,
            "as the master, one transaction: roles, schema, verifier of the new password",
            ("connect", "SELECT pg_advisory_xact_lock", "GRANT CONNECT", "ALTER ROLE"),
        ),
        Message(SECRETS, "is this rotation still under way?", ("DescribeSecret",)),
        Message(WRITER, "commit", ("COMMIT",)),
    ),
    "testSecret": (
        Message(
            SECRETS,
            "the pending version, and the master's name",
            ("DescribeSecret", "GetSecretValue", "GetSecretValue", "GetSecretValue"),
        ),
        Message(
            WRITER,
            "as the other login: write, try what must be refused, roll back",
            ("connect", "CREATE TABLE", "SAVEPOINT", "ROLLBACK TO SAVEPOINT", "ROLLBACK"),
        ),
        Message(READER, "as the other login: see the schema", ("connect", "SELECT has_schema_privilege")),
    ),
    "finishSecret": (
        Message(SECRETS, "the pending version", ("DescribeSecret", "GetSecretValue", "GetSecretValue")),
        Message(SECRETS, "AWSCURRENT moves to it", ("UpdateSecretVersionStage",)),
        Message(SECRETS, "AWSPENDING is taken away", ("DescribeSecret", "UpdateSecretVersionStage")),
    ),
}


def rotation(platform: Platform) -> str:
    """The rotation of the one secret that a function of the platform rotates.

    Raises:
        PlatformError: it is not rotated as the picture shows it.
    """
    schedule, secret, function = _rotation_resources(platform)
    participants = {
        SECRETS: _label("Secrets Manager", secret),
        FUNCTION: _label("Lambda", function),
        **dict(_endpoints(platform, function)),
    }
    days = schedule.body["rotation_rules"]["automatically_after_days"]
    lines = [f"Note over {SECRETS},{FUNCTION}: every {days} days"]
    for step, take in STEPS.items():
        lines.append(f"{SECRETS}->>{FUNCTION}: {step}")
        lines.append(f"Note over {SECRETS},{FUNCTION}: {_wrap(take.__doc__ or '')}")
        lines += [f"{FUNCTION}->>{message.recipient}: {_wrap(message.text)}" for message in MESSAGES[step]]
    return _diagram(participants, lines)


def redeployment(platform: Platform) -> str:
    """What follows a rotation, by the rules that see it, until tasks have the new version.

    Raises:
        PlatformError: it is not as the picture shows it.
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
        raise PlatformError(f"{secret.address}: no rule starts anything when it was rotated")
    for task in platform.of_type("aws_ecs_task_definition"):
        if f"{secret.address}." in task.body["container_definitions"] and "ecs" in participants:
            lines.append(f"ecs->>{SECRETS}: new tasks start with the current version<br/>{task.label}")
    return _diagram(participants, lines)


def _rotation_resources(platform: Platform) -> tuple[Resource, Resource, Resource]:
    """Schedule, secret and function."""
    schedules = platform.of_type("aws_secretsmanager_secret_rotation")
    if len(schedules) != 1:
        raise PlatformError(f"{len(schedules)} secrets are rotated; the picture shows the rotation of one")
    (schedule,) = schedules
    secret, function = (platform.resolve(schedule.body[each]) for each in ("secret_id", "rotation_lambda_arn"))
    return schedule, secret, function


def _diagram(participants: Mapping[str, str], lines: Sequence[str]) -> str:
    named = [f"participant {id} as {label}" for id, label in participants.items()]
    return "\n".join(["```mermaid", "sequenceDiagram", *(f"    {line}" for line in [*named, *lines]), "```\n"])


def _wrap(text: str) -> str:
    """A text in lines so short that the picture is legible where GitHub shows it."""
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
    """Rules that see a version of the secret, and the state machines that each starts."""
    for target in platform.of_type("aws_cloudwatch_event_target"):
        rule = platform.resolve(target.body["rule"])
        if f"${{{secret.address}." in rule.body.get("event_pattern", "") and ".arn}" in target.body["arn"]:
            machine = platform.resolve(target.body["arn"])
            if machine.type == "aws_sfn_state_machine":
                yield rule, machine


def _machine(platform: Platform, machine: Resource, participants: dict[str, str]) -> list[str]:
    """The states of a machine as they follow each other where nothing fails."""
    definition = json.loads(machine.body["definition"])
    states: Mapping[str, Body] = definition["States"]
    lines: list[str] = []
    begins: dict[str, int] = {}
    name: str | None = definition["StartAt"]
    while name:
        state = states[name]
        begins[name] = len(lines)
        for choice in state.get("Choices", []):
            waits, back = _loop_waits(states, choice["Next"], begins)
            lines.insert(begins[back], f"loop {name}: {_condition(choice)}")
            lines += [*waits, "end"]
        if state["Type"] == "Task":
            lines.append(_task(platform, name, state, participants))
        name = state.get("Default") or state.get("Next")
    caught = dict.fromkeys(catch["Next"] for state in states.values() for catch in state.get("Catch", []))
    for each in caught:
        lines += ["opt a state fails", _task(platform, each, states[each], participants), "end"]
    return lines


def _condition(choice: Body) -> str:
    """In JSONata, of what the state is given."""
    return choice["Condition"].strip("{}% ").replace("$states.input.", "")


def _loop_waits(states: Mapping[str, Body], name: str, begins: Mapping[str, int]) -> tuple[list[str], str]:
    """What is waited for on the way from a state to one that was there before."""
    waits: list[str] = []
    while name not in begins:
        if states[name]["Type"] != "Wait":
            raise PlatformError(
                f"{name}: is of type {states[name]['Type']}, on a way back the picture shows Wait alone"
            )
        waits.append(f"Note over {MACHINE}: {name} {states[name]['Seconds']} s")
        name = states[name]["Next"]
    return waits, name


def _task(platform: Platform, name: str, state: Body, participants: dict[str, str]) -> str:
    *_, service, operation = state["Resource"].split(":")
    asked = next(
        platform.resolve(value)
        for argument, value in state["Arguments"].items()
        for value in (value if isinstance(value, list) else [value])
        if argument in ("Service", "Services", "TopicArn")
    )
    participants.setdefault(service, _label(service.upper(), asked))
    return f"{MACHINE}->>{service}: {name}: {operation}"
