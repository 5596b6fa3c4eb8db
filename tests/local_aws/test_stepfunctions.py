"""What the local AWS adds to Step Functions."""

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


def check(stepfunctions: Any, definition: str) -> list[tuple[str, str]]:
    answer = stepfunctions.validate_state_machine_definition(definition=definition)
    assert answer["result"] == ("FAIL" if answer["diagnostics"] else "OK")
    return [(one["code"], one["location"]) for one in answer["diagnostics"]]


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
def test_a_machine_whose_ways_lead_somewhere_is_taken(stepfunctions: Any, states: dict[str, Any]) -> None:
    assert check(stepfunctions, json.dumps(machine(**states))) == []


@pytest.mark.parametrize(
    ("definition", "faults"),
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
def test_a_machine_that_cannot_run_is_found_out(
    stepfunctions: Any, definition: str, faults: list[tuple[str, str]]
) -> None:
    assert check(stepfunctions, definition)[: len(faults)] == faults


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
