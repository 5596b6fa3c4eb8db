"""Step Functions: validation of definitions, and versions."""

import json
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.local_aws.conftest import ACCOUNT

WAIT = {"Type": "Wait", "Seconds": 1, "Next": "Done"}
DONE = {"Type": "Succeed"}


@pytest.fixture(scope="module")
def stepfunctions(aws: LocalAws) -> Any:
    return aws.client("stepfunctions")


def machine(**states: Any) -> dict[str, Any]:
    return {"QueryLanguage": "JSONata", "StartAt": "Wait", "States": {"Wait": WAIT, "Done": DONE, **states}}


def validate(stepfunctions: Any, definition: str) -> list[tuple[str, str]]:
    response = stepfunctions.validate_state_machine_definition(definition=definition)
    assert response["result"] == ("FAIL" if response["diagnostics"] else "OK")
    return [(one["code"], one["location"]) for one in response["diagnostics"]]


@pytest.mark.parametrize(
    "states",
    [
        {},
        {"Wait": {"Type": "Pass", "End": True}},
        {"Wait": {"Type": "Choice", "Choices": [{"Condition": "{% true %}", "Next": "Done"}], "Default": "Done"}},
        {"Wait": {"Type": "Map", "ItemProcessor": machine(), "End": True}},
        {"Wait": {"Type": "Parallel", "Branches": [machine(), machine()], "Next": "Done"}},
    ],
)
def test_a_valid_definition_has_no_diagnostics(stepfunctions: Any, states: dict[str, Any]) -> None:
    assert validate(stepfunctions, json.dumps(machine(**states))) == []


@pytest.mark.parametrize(
    ("definition", "diagnostics"),
    [
        ("{", [("INVALID_JSON_DESCRIPTION", "")]),
        ("{}", [("MISSING_TRANSITION_TARGET", "/StartAt")]),
        (json.dumps(machine(Done={"Type": "Party"})), [("SCHEMA_VALIDATION_FAILED", "/States/Done/Type")] * 1),
        (
            json.dumps(machine(Wait={"Type": "Task", "Next": "Done", "Catch": [{"Next": "Nowhere"}]})),
            [("MISSING_TRANSITION_TARGET", "/States/Wait")],
        ),
        (json.dumps(machine(Wait={"Type": "Pass"})), [("SCHEMA_VALIDATION_FAILED", "/States/Wait")]),
        (
            json.dumps(machine(Wait={"Type": "Parallel", "End": True, "Branches": [machine(Wait={"Type": "Pass"})]})),
            [("SCHEMA_VALIDATION_FAILED", "/States/Wait/States/Wait")],
        ),
    ],
)
def test_an_invalid_definition_has_diagnostics(
    stepfunctions: Any, definition: str, diagnostics: list[tuple[str, str]]
) -> None:
    assert validate(stepfunctions, definition)[: len(diagnostics)] == diagnostics


def test_a_state_machine_is_completed(stepfunctions: Any) -> None:
    role, definition = f"arn:aws:iam::{ACCOUNT}:role/workflow", json.dumps(machine(), indent=3)
    created = stepfunctions.create_state_machine(name="completed", definition=definition, roleArn=role)
    described = stepfunctions.describe_state_machine(stateMachineArn=created["stateMachineArn"])
    assert (described["definition"], described["type"]) == (definition, "STANDARD")
    assert described["encryptionConfiguration"] == {"type": "AWS_OWNED_KEY"}
    assert described["loggingConfiguration"]["level"] == "OFF"
    assert described["tracingConfiguration"] == {"enabled": False}


def test_versions_are_listed_newest_first(stepfunctions: Any) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/workflow"
    arn = stepfunctions.create_state_machine(name="versioned", definition=json.dumps(machine()), roleArn=role)[
        "stateMachineArn"
    ]

    def versions() -> list[str]:
        found = stepfunctions.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]
        return [version["stateMachineVersionArn"] for version in found]

    assert versions() == []
    for seconds in (2, 3):
        changed = json.dumps(machine(Wait={**WAIT, "Seconds": seconds}))
        stepfunctions.update_state_machine(stateMachineArn=arn, definition=changed, publish=True)
    assert versions() == [f"{arn}:2", f"{arn}:1"]
