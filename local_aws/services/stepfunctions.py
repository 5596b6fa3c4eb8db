"""Step Functions: validation of state machine definitions, and ListStateMachineVersions."""

import json
from collections.abc import Generator
from typing import Any

from moto.core.responses import ActionResult
from moto.stepfunctions.responses import StepFunctionResponse

from local_aws.extension import Extension

TYPES = {"Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"}
TERMINAL_TYPES = {"Succeed", "Fail"}


class Responses(StepFunctionResponse):
    """Adds the actions that Terraform calls before and after it creates a state machine."""

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
    gaps={"aws_sfn_state_machine": "lacked validation and listing of versions"},
)
