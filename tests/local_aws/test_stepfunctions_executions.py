"""Executions of state machines, as AWS documents them.

https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
"""

import json
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.postgresql import wait_until
from local_aws.server import LocalAws
from local_aws.services import stepfunctions
from local_aws.services.stepfunctions_interpreter import EvaluationError, evaluate
from tests.local_aws.conftest import ACCOUNT, REGION, create_role, error_code

SDK = "arn:aws:states:::aws-sdk"
ALL = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
CAUGHT = {"Caught": {"Type": "Succeed", "Output": "{% $states.input.Error %}"}}
MISSING = {"Type": "Task", "Resource": f"{SDK}:secretsmanager:describeSecret", "Arguments": {"SecretId": "missing"}}
LONG = {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}
NUMBERS = count()
Run = Callable[..., dict[str, Any]]


def create(aws: LocalAws, states: Mapping[str, Any], *actions: str) -> str:
    """A state machine that starts with its first state, and may do some actions, by default all."""
    name = f"machine-{next(NUMBERS)}"
    role = create_role(aws, name.replace("machine", "workflow"), "states.amazonaws.com", *actions)
    definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}
    created = aws.client("stepfunctions").create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=role
    )
    return created["stateMachineArn"]


def start(aws: LocalAws, states: Mapping[str, Any], **arguments: Any) -> str:
    started = aws.client("stepfunctions").start_execution(stateMachineArn=create(aws, states), **arguments)
    return started["executionArn"]


def describe(aws: LocalAws, execution: str) -> dict[str, Any]:
    return aws.client("stepfunctions").describe_execution(executionArn=execution)


@pytest.fixture
def run(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs states with shortened waits; returns the description of the execution, with its output parsed."""
    monkeypatch.setattr(aws.session, "wait_factor", 0.001)

    def run_states(states: Mapping[str, Any], **received: Any) -> dict[str, Any]:
        execution = start(aws, states, input=json.dumps(received))
        wait_until(lambda: describe(aws, execution)["status"] != "RUNNING")
        described = describe(aws, execution)
        return described | {"output": json.loads(described.get("output", "null"))}

    return run_states


def branch(state: Mapping[str, Any]) -> dict[str, Any]:
    return {"StartAt": "Only", "States": {"Only": {**state, "End": True}}}


@pytest.mark.parametrize(
    ("states", "output"),
    [
        ({"Pass": {"Type": "Pass", "End": True}}, {"text": 'a "b"\n', "number": 2}),
        (
            {"Pass": {"Type": "Pass", "Output": {"doubled": "{% $states.input.number * 2 %}"}, "End": True}},
            {"doubled": 4},
        ),
        ({"Succeed": {"Type": "Succeed", "Output": "{% $states.context.StateMachine.Name != '' %}"}}, True),
        (
            {
                "Assign": {"Type": "Pass", "Assign": {"kept": "{% $states.input.text %}"}, "Next": "Wait"},
                "Wait": {"Type": "Wait", "Seconds": "{% $count([1..60]) %}", "Output": "{% $kept %}", "End": True},
            },
            'a "b"\n',
        ),
        (
            {
                "Choice": {
                    "Type": "Choice",
                    "Choices": [
                        {"Condition": "{% $states.input.number > 2 %}", "Next": "More"},
                        {"Condition": "{% $states.input.number > 1 %}", "Next": "Two"},
                    ],
                    "Default": "More",
                },
                "Two": {"Type": "Succeed", "Output": "two"},
                "More": {"Type": "Succeed", "Output": "more"},
            },
            "two",
        ),
        (
            {
                "Parallel": {
                    "Type": "Parallel",
                    "Branches": [
                        branch({"Type": "Pass", "Output": 1}),
                        branch({"Type": "Wait", "Seconds": 9, "Output": 2}),
                    ],
                    "End": True,
                }
            },
            [1, 2],
        ),
        (
            {
                "Map": {
                    "Type": "Map",
                    "Items": "{% [1..$states.input.number] %}",
                    "ItemProcessor": branch({"Type": "Pass", "Output": "{% $states.input + 1 %}"}),
                    "End": True,
                }
            },
            [2, 3],
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_state_has_its_output(run: Run, states: dict[str, Any], output: Any):
    described = run(states, text='a "b"\n', number=2)
    assert (described["status"], described["output"]) == ("SUCCEEDED", output)
    assert described["stopDate"] >= described["startDate"]


@pytest.mark.parametrize(
    ("state", "error", "cause"),
    [
        ({"Type": "Fail"}, None, None),
        ({"Type": "Fail", "Error": "Late", "Cause": "{% 'after ' & 3 & ' days' %}"}, "Late", "after 3 days"),
        (
            {"Type": "Choice", "Choices": [{"Condition": "{% 1 < 'a' %}", "Next": "State"}], "Default": "State"},
            "States.QueryEvaluationError",
            'T2009: The values 1 and "a" either side of operator',
        ),
        (
            {"Type": "Choice", "Choices": [{"Condition": "{% 'true' %}", "Next": "State"}], "Default": "State"},
            "States.Runtime",
            "Expected Condition to produce a boolean",
        ),
    ],
)
def test_a_state_fails_its_execution(run: Run, state: dict[str, Any], error: str | None, cause: str | None):
    described = run({"State": state})
    assert (described["status"], described.get("error")) == ("FAILED", error)
    assert (cause or "") in described.get("cause", "")


def test_a_task_calls_the_sdk_in_pascal_case_with_iso_times(run: Run, aws: LocalAws):
    arn = aws.client("secretsmanager").create_secret(Name="described", SecretString="{}")["ARN"]
    described = run({"Ask": MISSING | {"Arguments": {"SecretId": "{% $states.input.id %}"}, "End": True}}, id=arn)
    secret = described["output"]
    assert (secret["Arn"], secret["Name"], "ResponseMetadata" in secret) == (arn, "described", False)
    assert list(secret["VersionIdsToStages"].values()) == [["AWSCURRENT"]]
    assert secret["CreatedDate"].endswith("Z")
    assert datetime.fromisoformat(secret["CreatedDate"]).tzinfo


def test_a_task_calls_actions_without_input_or_output(run: Run):
    summary = run({"Summary": {"Type": "Task", "Resource": f"{SDK}:iam:getAccountSummary", "End": True}})["output"]
    assert summary["SummaryMap"]["Users"] == 0
    group = {"Type": "Task", "Resource": f"{SDK}:cloudwatchlogs:createLogGroup", "End": True}
    assert run({"Create": group | {"Arguments": {"LogGroupName": "/created"}}})["output"] == {}


def test_a_task_starts_a_deployment(run: Run, aws: LocalAws):
    ecs = aws.client("ecs")
    cluster = ecs.create_cluster(clusterName="shop")["cluster"]["clusterArn"]
    container = {"name": "web", "image": "web", "memory": 128}
    ecs.register_task_definition(family="web", containerDefinitions=[container])
    service = {"Cluster": cluster, "Service": "web"}
    ecs.create_service(cluster=cluster, serviceName="web", taskDefinition="web", desiredCount=1)
    look = {
        "Type": "Task",
        "Resource": f"{SDK}:ecs:describeServices",
        "Arguments": {"Cluster": cluster, "Services": ["web"]},
        "Output": "{% $states.result.Services[0].Deployments.Id %}",
        "End": True,
    }
    redeploy = {
        "Type": "Task",
        "Resource": f"{SDK}:ecs:updateService",
        "Arguments": {**service, "ForceNewDeployment": True},
        "Output": {},
        "End": True,
    }
    before = run({"Look": look})["output"]
    assert run({"Redeploy": redeploy})["output"] == {}
    after = run({"Look": look})["output"]
    assert before.startswith("ecs-svc/")
    assert before != after


def test_a_task_acts_as_the_role_of_its_state_machine(aws: LocalAws):
    machine = create(aws, {"Ask": MISSING | {"End": True}}, "secretsmanager:GetSecretValue")
    execution = aws.client("stepfunctions").start_execution(stateMachineArn=machine)["executionArn"]
    wait_until(lambda: describe(aws, execution)["status"] == "FAILED")
    assert "is not authorized to perform: secretsmanager:DescribeSecret" in describe(aws, execution)["cause"]


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (MISSING, "SecretsManager.ResourceNotFoundException"),
        (
            {"Type": "Task", "Resource": f"{SDK}:ecs:listTasks", "Arguments": {"Cluster": "missing"}},
            "Ecs.ClusterNotFoundException",
        ),
        (
            {
                "Type": "Task",
                "Resource": f"{SDK}:sfn:describeStateMachine",
                "Arguments": {"StateMachineArn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:missing"},
            },
            "Sfn.StateMachineDoesNotExistException",
        ),
        # An error that the service's model does not declare.
        (
            {"Type": "Task", "Resource": f"{SDK}:ec2:describeVpcs", "Arguments": {"VpcIds": ["vpc-missing"]}},
            "Ec2.Ec2Exception",
        ),
        (
            {
                "Type": "Task",
                "Resource": "arn:aws:states:::sns:publish",
                "Arguments": {"TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:missing", "Message": "{% 'a' & 1 %}"},
            },
            "SNS.NotFoundException",
        ),
        (MISSING | {"Arguments": {"SecretId": "{% $states.input.id %}"}}, "States.QueryEvaluationError"),
    ],
)
def test_a_catcher_gets_the_name_of_the_error(run: Run, state: dict[str, Any], error: str):
    states = {"State": state | {"Catch": ALL, "Next": "Caught"}, **CAUGHT}
    assert run(states)["output"] == error


def test_a_message_is_published(run: Run, aws: LocalAws):
    topic = aws.client("sns").create_topic(Name="published")["TopicArn"]
    publish = {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "End": True}
    assert run({"Publish": publish | {"Arguments": {"TopicArn": topic, "Message": "late"}}})["status"] == "SUCCEEDED"
    ((_, message, *_),) = aws.backend("sns").topics[topic].sent_notifications
    assert message == "late"


def test_a_wrong_argument_is_caught_only_by_its_name(run: Run):
    wrong = MISSING | {"Arguments": {"Secret": "x"}, "Next": "Caught"}
    assert run({"Ask": wrong | {"Catch": ALL}, **CAUGHT})["error"] == "States.Runtime"
    named = [{"ErrorEquals": ["States.Runtime"], "Next": "Caught"}]
    assert run({"Ask": wrong | {"Catch": named}, **CAUGHT})["output"] == "States.Runtime"


def test_an_error_is_retried_until_no_attempt_is_left(run: Run, aws: LocalAws):
    before = aws.gateway.calls["secretsmanager:DescribeSecret"]
    retry = [{"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 60, "MaxAttempts": 2}]
    described = run({"Ask": MISSING | {"Retry": retry, "End": True}})
    assert described["error"] == "SecretsManager.ResourceNotFoundException"
    assert aws.gateway.calls["secretsmanager:DescribeSecret"] == before + 3


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("$states.nothing", "returned nothing"),
        ("function($x) { $x }", "is a function"),
        ("$count", "is a function"),
        ("1 +", "S0207"),
        ("$toMillis('tomorrow')", "D3110"),
        ("$eval('1')", "T1006"),
        # Operators of JSONata 2.1, which Step Functions lacks.
        ("$states.nothing ?: 1", "S0201|S0211"),
        ("$states.nothing ?? 1", "S0201|S0211"),
    ],
)
@pytest.mark.usefixtures("aws")
def test_an_expression_that_step_functions_refuses_fails(expression: str, problem: str):
    with pytest.raises(EvaluationError, match=problem):
        evaluate(expression, {"states": {}})


@pytest.mark.usefixtures("aws")
def test_an_expression_fails_without_its_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("local_aws.services.stepfunctions_interpreter.JSONATA", tmp_path / "none.js")
    with pytest.raises(EvaluationError, match="Cannot find module"):
        evaluate("1", {})


def test_a_resource_that_does_not_exist_is_refused(aws: LocalAws):
    for resource in (f"{SDK}:ecs:updateServce", f"{SDK}:ecz:updateService"):
        states = {"Task": {"Type": "Task", "Resource": resource, "End": True}}
        with pytest.raises(ClientError, match=r"\(InvalidDefinition\).*not recognized"):
            create(aws, states)


def test_waits_take_their_time_by_default(aws: LocalAws):
    execution = start(aws, LONG)
    assert describe(aws, execution)["status"] == "RUNNING"
    client = aws.client("stepfunctions")
    stopped = client.stop_execution(executionArn=execution, error="Stop", cause="enough")
    described = describe(aws, execution)
    assert (described["status"], described["error"], described["cause"]) == ("ABORTED", "Stop", "enough")
    assert described["stopDate"] == stopped["stopDate"]
    history = client.get_execution_history(executionArn=execution)["events"]
    assert [event["type"] for event in history] == ["ExecutionStarted", "WaitStateEntered", "ExecutionAborted"]


def test_an_execution_is_started_once_per_name(aws: LocalAws):
    client, machine = aws.client("stepfunctions"), create(aws, LONG)
    first = client.start_execution(stateMachineArn=machine, name="once", input="{}")["executionArn"]
    assert first == machine.replace(":stateMachine:", ":execution:") + ":once"
    assert client.start_execution(stateMachineArn=machine, name="once", input="{}")["executionArn"] == first
    again = {"stateMachineArn": machine, "name": "once", "input": "[]"}
    assert error_code(client.start_execution, **again) == "ExecutionAlreadyExists"
    assert error_code(client.start_execution, **again | {"name": "x", "input": "{"}) == "InvalidExecutionInput"
    other = client.start_execution(stateMachineArn=machine)["executionArn"]
    client.delete_state_machine(stateMachineArn=machine)
    assert other != first
    assert error_code(client.describe_execution, executionArn=first) == "ExecutionDoesNotExist"


def test_a_change_does_not_affect_running_executions(aws: LocalAws):
    client, machine = aws.client("stepfunctions"), create(aws, LONG)
    execution = client.start_execution(stateMachineArn=machine)["executionArn"]
    other = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    client.update_state_machine(stateMachineArn=machine, definition=other)
    assert describe(aws, execution)["status"] == "RUNNING"
    client.stop_execution(executionArn=execution)


def test_events_of_an_execution_are_delivered(run: Run, aws: LocalAws):
    pattern = {"source": ["aws.states"], "detail": {"status": ["FAILED", "SUCCEEDED"]}}
    events, topic = aws.client("events"), aws.client("sns").create_topic(Name="ended")["TopicArn"]
    events.put_rule(Name="ended", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="ended", Targets=[{"Id": "topic", "Arn": topic}])
    try:
        failed = run({"Fail": {"Type": "Fail", "Error": "Late", "Cause": "no time"}}, number=1)
        run({"Succeed": {"Type": "Succeed", "Output": "done"}})
    finally:
        events.remove_targets(Rule="ended", Ids=["topic"])
        events.delete_rule(Name="ended")
    failure, success = (each.event for each in aws.backend("events").deliveries if each.rule == "ended")
    assert failure["detail-type"] == "Step Functions Execution Status Change"
    assert failure["resources"] == [failed["executionArn"]]
    assert failure["detail"] == {
        "executionArn": failed["executionArn"],
        "stateMachineArn": failed["stateMachineArn"],
        "name": failed["name"],
        "status": "FAILED",
        "startDate": int(failed["startDate"].timestamp() * 1000),
        "stopDate": int(failed["stopDate"].timestamp() * 1000),
        "input": '{"number": 1}',
        "output": None,
        "error": "Late",
        "cause": "no time",
    }
    assert (success["detail"]["status"], success["detail"]["output"]) == ("SUCCEEDED", '"done"')


@pytest.mark.usefixtures("aws_reset_afterwards")
def test_executions_end_with_the_session(tmp_path: Path):
    with LocalAws(ACCOUNT, REGION, tmp_path) as own:
        execution = own.backend("stepfunctions").describe_execution(start(own, LONG))
        assert execution.status == "RUNNING"
    assert execution.status == "ABORTED"


def test_an_execution_that_does_not_stop_is_abandoned(aws: LocalAws, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stepfunctions, "STOP_TIMEOUT", 0.0)
    execution = aws.backend("stepfunctions").describe_execution(start(aws, LONG))
    execution.abort()
    assert execution.status == "RUNNING"
    monkeypatch.undo()
    execution.abort()


def test_a_forked_process_does_not_run_the_executions_of_its_parent(aws: LocalAws, monkeypatch: pytest.MonkeyPatch):
    execution, parent = start(aws, LONG), os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    assert describe(aws, execution)["status"] == "ABORTED"
    forked = start(aws, {"Succeed": {"Type": "Succeed"}})
    wait_until(lambda: describe(aws, forked)["status"] == "SUCCEEDED")
    monkeypatch.undo()
    aws.client("stepfunctions").stop_execution(executionArn=execution)
