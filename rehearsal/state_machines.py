"""State machines in a rehearsal: the executions that rotations and schedules start, and what becomes of them."""

import time
from collections.abc import Iterable
from typing import Any

from local_aws.server import LocalAws

WAIT_FACTOR = 1 / 60
"""Factor for the waits of state machines: a minute takes a second."""
EXECUTION_TIMEOUT = 60.0
"""Maximum duration of an execution, in seconds."""


def executions(aws: LocalAws, machines: Iterable[str]) -> set[str]:
    """ARNs of all executions of state machines."""
    pages = (
        page
        for machine in machines
        for page in aws.client("stepfunctions").get_paginator("list_executions").paginate(stateMachineArn=machine)
    )
    return {execution["executionArn"] for page in pages for execution in page["executions"]}


def start_scheduled(aws: LocalAws) -> list[str]:
    """Start each state machine that a schedule starts, once; returns the executions' ARNs."""
    scheduler, client = aws.client("scheduler"), aws.client("stepfunctions")
    schedules = [each for page in scheduler.get_paginator("list_schedules").paginate() for each in page["Schedules"]]
    targets = [scheduler.get_schedule(Name=each["Name"], GroupName=each["GroupName"])["Target"] for each in schedules]
    return [
        client.start_execution(stateMachineArn=target["Arn"], input=target.get("Input", "{}"))["executionArn"]
        for target in targets
        if ":stateMachine:" in target["Arn"]
    ]


def find_problem(aws: LocalAws, execution: str) -> str | None:
    """Wait until an execution has ended; returns why it was not successful, or what it published although it was."""
    client, deadline = aws.client("stepfunctions"), time.monotonic() + EXECUTION_TIMEOUT
    while (described := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    machine = described["stateMachineArn"].rpartition(":")[2]
    if described["status"] != "SUCCEEDED":
        reason = ": ".join(described[name] for name in ("error", "cause") if name in described)
        words = (reason or _failed_task(client, execution)).split()
        return " ".join([f"{machine}:", described["status"], *words])
    published = [
        scheduled["parameters"]
        for event in _history(client, execution)
        if (scheduled := event.get("taskScheduledEventDetails")) and scheduled["resourceType"] == "sns"
    ]
    return f"{machine}: published {', '.join(published)}" if published else None


def _failed_task(client: Any, execution: str) -> str:
    """Error and cause of the first task that failed: a Fail state need not repeat them."""
    failed = (event.get("taskFailedEventDetails") for event in _history(client, execution))
    return next((f"{task['error']}: {task['cause']}" for task in failed if task), "")


def _history(client: Any, execution: str) -> list[dict[str, Any]]:
    return client.get_execution_history(executionArn=execution)["events"]
