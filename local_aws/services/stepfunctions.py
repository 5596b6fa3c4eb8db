"""Step Functions: executions that run, validation of state machine definitions, and ListStateMachineVersions."""

import copy
import json
import os
import time
from collections.abc import Generator
from datetime import UTC, datetime
from threading import Event
from typing import Any, cast
from uuid import uuid4

from moto.core.responses import ActionResult
from moto.events.models import events_backends
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend import execution as moto_execution
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.responses import StepFunctionResponse

from local_aws import session
from local_aws.extension import Extension
from local_aws.services import events, stepfunctions_interpreter

stepfunctions_interpreter.install()
TYPES = {"Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"}
TERMINAL_TYPES = {"Succeed", "Fail"}
STOP_TIMEOUT = 10.0
"""Maximum duration of the end of an execution that was stopped, in seconds: that of its last call."""


class Execution(moto_execution.Execution):
    """An execution that emits an event when it begins and when it ends."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._has_ended = Event()
        self._process = os.getpid()

    @property
    def status(self) -> Any:
        """Status. A forked process has no thread that could end an execution."""
        if self._has_ended.is_set():
            return super().status
        return (ExecutionStatus.RUNNING if self._process == os.getpid() else ExecutionStatus.ABORTED).value

    def start(self) -> None:
        self._emit_status()
        super().start()

    def end(self) -> None:
        """Complete the execution after its last state."""
        if self.exec_status == ExecutionStatus.SUCCEEDED:
            self.output = to_json_str(self.output)
        self._has_ended.set()
        self._emit_status()

    def abort(self, error: str | None = None, cause: str | None = None) -> None:
        """Stop the execution, and wait until it has ended."""
        deadline = time.monotonic() + STOP_TIMEOUT
        while self.status == ExecutionStatus.RUNNING.value and time.monotonic() < deadline:
            self.error, self.cause = error, cause
            # There is no environment before its thread has begun.
            if self.exec_worker and self.exec_worker.env:
                self.stop(datetime.now(UTC), error, cause)
            self._has_ended.wait(0.05)

    def _get_start_execution_worker_comm(self) -> moto_execution.BaseExecutionWorkerCommunication:
        return Communication(self)

    def _emit_status(self) -> None:
        """https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html"""
        detail = {
            "executionArn": self.execution_arn,
            "stateMachineArn": self.state_machine_arn,
            "name": self.name,
            "status": self.status,
            "startDate": _milliseconds(self.start_date),
            "stopDate": _milliseconds(self.stop_date),
            "input": self.execution_input,
            "output": self.output,
            "error": self.error,
            "cause": self.cause,
        }
        cast(events.Backend, events_backends[self.account_id][self.region_name]).emit(
            source="aws.states",
            detail_type="Step Functions Execution Status Change",
            resources=[self.execution_arn],
            detail=detail,
        )


def _milliseconds(time_: datetime | None) -> int | None:
    return time_ and int(time_.timestamp() * 1000)


class Communication(moto_execution.BaseExecutionWorkerCommunication):
    """Notifies an execution of its end."""

    def terminated(self) -> None:
        super().terminated()
        cast(Execution, self.execution).end()


class Backend(StepFunctionsParserBackend):
    """Runs executions of state machines."""

    def start_execution(
        self,
        state_machine_arn: str,
        name: str | None = None,
        execution_input: str | None = None,
        trace_header: str | None = None,
    ) -> Execution:
        machine: Any = self.describe_state_machine(state_machine_arn)
        name, text = name or str(uuid4()), execution_input or "{}"
        self._validate_name(name)
        machine._validate_execution_input(text)
        if existing := machine._handle_name_input_idempotency(name, text):
            return existing
        if not self._executions:
            session.current().cleanup.callback(self.close)
        execution = Execution(
            name=name,
            sm_type=machine.sm_type,
            role_arn=machine.roleArn,
            exec_arn=f"{machine.arn.replace(':stateMachine:', ':execution:')}:{name}",
            account_id=self.account_id,
            region_name=self.region_name,
            # As it is now: later changes do not affect this execution.
            state_machine=copy.copy(machine),
            start_date=datetime.now(UTC),
            cloud_watch_logging_session=None,
            input_data=text,
            trace_header=trace_header,
            activity_store={},
        )
        machine.executions.append(execution)
        execution.start()
        return execution

    def delete_state_machine(self, arn: str) -> None:
        for execution in self._executions:
            if execution.state_machine_arn == arn:
                execution.abort()
        super().delete_state_machine(arn)

    def close(self) -> None:
        """Stop all executions."""
        for execution in self._executions:
            execution.abort()

    @property
    def _executions(self) -> list[Execution]:
        machines: list[Any] = self.state_machines
        return [execution for machine in machines for execution in machine.executions]


class Responses(StepFunctionResponse):
    """Adds the actions that Terraform calls before and after it creates a state machine."""

    def stop_execution(self) -> ActionResult:
        execution: Any = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
        execution.abort(self._get_param("error"), self._get_param("cause"))
        return ActionResult({"stopDate": execution.stop_date})

    def validate_state_machine_definition(self) -> ActionResult:
        try:
            diagnostics = [*_diagnose(json.loads(self._get_param("definition")))]
        except ValueError as error:
            diagnostics = [_diagnostic("INVALID_JSON_DESCRIPTION", str(error), "")]
        return ActionResult({"result": "FAIL" if diagnostics else "OK", "diagnostics": diagnostics, "truncated": False})

    def list_state_machine_versions(self) -> ActionResult:
        machine = self.stepfunction_backend.describe_state_machine(self._get_param("stateMachineArn"))
        newest_first = sorted(machine.versions.values(), key=lambda version: version.version, reverse=True)
        return ActionResult(
            {
                "stateMachineVersions": [
                    {"stateMachineVersionArn": version.arn, "creationDate": version.creation_date}
                    for version in newest_first
                ]
            }
        )


def _diagnose(machine: dict[str, Any], place: str = "") -> Generator[dict[str, str]]:
    """Problems in states and transitions. The tasks of states are not validated."""
    states: dict[str, Any] = machine.get("States") or {}
    if machine.get("StartAt") not in states:
        yield _diagnostic("MISSING_TRANSITION_TARGET", "The value of StartAt is not a state", f"{place}/StartAt")
    for name, state in states.items():
        path = f"{place}/States/{name}"
        kind = state.get("Type")
        if kind not in TYPES:
            yield _diagnostic("SCHEMA_VALIDATION_FAILED", f"{kind} is not a state type", f"{path}/Type")
        choices, catches = state.get("Choices", []), state.get("Catch", [])
        targets = [state.get("Next"), state.get("Default"), *(step.get("Next") for step in [*choices, *catches])]
        for target in targets:
            if target is not None and target not in states:
                yield _diagnostic("MISSING_TRANSITION_TARGET", f"{target} is not a state", path)
        if kind not in TERMINAL_TYPES and not state.get("End") and not any(targets):
            yield _diagnostic("SCHEMA_VALIDATION_FAILED", "The state has neither Next nor End", path)
        for inner in [*state.get("Branches", []), *filter(None, [state.get("ItemProcessor"), state.get("Iterator")])]:
            yield from _diagnose(inner, path)


def _diagnostic(code: str, message: str, location: str) -> dict[str, str]:
    return {"severity": "ERROR", "code": code, "message": message, "location": location}


EXTENSION = Extension(
    "stepfunctions",
    Responses,
    Backend,
    gaps={"aws_sfn_state_machine": "lacked validation and listing of versions, and was not run"},
)
