"""Secrets Manager: staging labels, rotations and their failures, and events."""

import json
from collections.abc import Generator
from datetime import timedelta
from itertools import count
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.secretsmanager.models import secretsmanager_backends

from local_aws.postgresql import wait_until
from local_aws.server import LocalAws
from local_aws.services import secretsmanager
from local_aws.services.secretsmanager import Backend, Rotation
from local_aws.session import Processes
from tests.local_aws.test_awslambda import create_function, log_messages
from tests.local_aws.test_events import allow_events_to_log

NUMBERS = count(1)
CODE = """
import os
def handle(event, context):
    secret, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    print(step)
    if step == os.environ.get("FAILS"):
        raise ValueError("configured to fail")
    if step not in ("createSecret", "finishSecret"):
        return
    import boto3
    client = boto3.client("secretsmanager")
    if step == "createSecret":
        client.put_secret_value(
            SecretId=secret, ClientRequestToken=token, SecretString=token, VersionStages=["AWSPENDING"]
        )
    if step == "finishSecret" and os.environ.get("SKIPS_FINISH") != "yes":
        stages = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
        current = [version for version, labels in stages.items() if "AWSCURRENT" in labels]
        former = {"RemoveFromVersionId": current[0]} if current else {}
        client.update_secret_version_stage(
            SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token, **former
        )
        client.update_secret_version_stage(SecretId=secret, VersionStage="AWSPENDING", RemoveFromVersionId=token)
"""


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secretsmanager, "RETRY_DELAYS", (0.01, 0.01, 0.01, 0.01))


@pytest.fixture
def client(aws: LocalAws) -> Any:
    return aws.client("secretsmanager")


@pytest.fixture
def secret(client: Any) -> str:
    """ARN of a secret without a version."""
    return client.create_secret(Name=f"secret-{next(NUMBERS)}")["ARN"]


@pytest.fixture(scope="module")
def function(aws: LocalAws) -> str:
    name = create_function(aws, CODE, Timeout=30)
    aws.client("lambda").add_permission(
        FunctionName=name, StatementId="all", Action="lambda:InvokeFunction", Principal="secretsmanager.amazonaws.com"
    )
    return f"arn:aws:lambda:us-west-1:123456789012:function:{name}"


@pytest.fixture
def configure_function(aws: LocalAws, function: str) -> Generator[Any]:
    """Changes the function's environment variables for the test."""

    def configure(**variables: str) -> None:
        aws.client("lambda").update_function_configuration(FunctionName=function, Environment={"Variables": variables})

    yield configure
    configure()


@pytest.fixture
def retry(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Event:
    """The second and last attempt of a rotation waits until this is set, however long the test takes."""
    due = Event()
    monkeypatch.setattr(secretsmanager, "RETRY_DELAYS", (60.0,))
    waiting = SimpleNamespace(wait=lambda delay: not due.wait(delay), set=due.set)  # in place of the end of the session
    monkeypatch.setattr(aws.backend("secretsmanager"), "_closing", waiting)
    return due


def finished_rotation(aws: LocalAws, secret: str) -> Rotation:
    """The latest rotation of a secret, once it is finished."""
    backend: Backend = aws.backend("secretsmanager")
    wait_until(lambda: not backend.is_rotating(secret))
    return [rotation for rotation in backend.rotations if rotation.secret_arn == secret][-1]


def stages(client: Any, secret: str) -> dict[str, str]:
    """Version ID by staging label."""
    versions = client.describe_secret(SecretId=secret).get("VersionIdsToStages", {})
    return {label: version for version, labels in versions.items() for label in labels}


def value(client: Any, secret: str, **version: str) -> str:
    return client.get_secret_value(SecretId=secret, **version)["SecretString"]


def test_the_first_rotation_creates_the_first_version(aws: LocalAws, client: Any, secret: str, function: str):
    response = client.rotate_secret(
        SecretId=secret, RotationLambdaARN=function, RotationRules={"AutomaticallyAfterDays": 30}
    )
    # The rotation continues after the response.
    assert stages(client, secret) == {"AWSPENDING": response["VersionId"]}
    assert "LastRotatedDate" not in client.describe_secret(SecretId=secret)
    rotation = finished_rotation(aws, secret)
    assert rotation.has_succeeded
    assert rotation.attempts == 1
    assert stages(client, secret) == {"AWSCURRENT": response["VersionId"]}
    assert value(client, secret) == response["VersionId"]
    described = client.describe_secret(SecretId=secret)
    assert described["RotationEnabled"] is True
    assert described["RotationLambdaARN"] == function
    assert described["RotationRules"] == {"AutomaticallyAfterDays": 30}
    interval = described["NextRotationDate"] - described["LastRotatedDate"]
    assert timedelta(days=29) < interval <= timedelta(days=30)


def test_each_rotation_moves_the_staging_labels(aws: LocalAws, client: Any, secret: str, function: str):
    first = client.rotate_secret(SecretId=secret, RotationLambdaARN=function)["VersionId"]
    assert finished_rotation(aws, secret).has_succeeded
    second = client.rotate_secret(SecretId=secret, ClientRequestToken="second-" * 5)["VersionId"]
    assert second == "second-" * 5
    assert finished_rotation(aws, secret).has_succeeded
    assert stages(client, secret) == {"AWSCURRENT": second, "AWSPREVIOUS": first}
    assert value(client, secret) == second
    assert value(client, secret, VersionStage="AWSPREVIOUS") == first
    third = client.rotate_secret(SecretId=secret)["VersionId"]
    assert finished_rotation(aws, secret).has_succeeded
    assert stages(client, secret) == {"AWSCURRENT": third, "AWSPREVIOUS": second}
    assert first not in client.describe_secret(SecretId=secret)["VersionIdsToStages"]
    listed = client.list_secret_version_ids(SecretId=secret)
    assert listed["ARN"] == secret
    assert {version["VersionId"] for version in listed["Versions"]} == {second, third}
    all_versions = client.list_secret_version_ids(SecretId=secret, IncludeDeprecated=True)["Versions"]
    assert {version["VersionId"] for version in all_versions} == {first, second, third}


@pytest.mark.parametrize("step", ["createSecret", "testSecret", "finishSecret"])
def test_a_failing_rotation_is_attempted_five_times_and_moves_no_labels(
    aws: LocalAws, client: Any, secret: str, function: str, configure_function: Any, step: str
):
    group = f"/aws/lambda/{function.split(':')[-1]}"
    aws.backend("logs").ensure_log_group(group)
    before = log_messages(aws, group).count(step)
    client.put_secret_value(SecretId=secret, SecretString="previous")
    current = stages(client, secret)["AWSCURRENT"]
    configure_function(FAILS=step)
    pending = client.rotate_secret(SecretId=secret, RotationLambdaARN=function)["VersionId"]
    rotation = finished_rotation(aws, secret)
    assert not rotation.has_succeeded
    assert rotation.attempts == 5
    assert step in str(rotation.problem)
    assert "configured to fail" in str(rotation.problem)
    assert stages(client, secret) == {"AWSCURRENT": current, "AWSPENDING": pending}
    assert value(client, secret) == "previous"
    assert "LastRotatedDate" not in client.describe_secret(SecretId=secret)
    assert log_messages(aws, group).count(step) == before + 5


def test_an_incomplete_rotation_is_repeated_before_another_starts(
    aws: LocalAws, client: Any, secret: str, function: str, configure_function: Any
):
    configure_function(FAILS="setSecret")
    pending = client.rotate_secret(SecretId=secret, RotationLambdaARN=function)["VersionId"]
    with pytest.raises(ClientError, match=r"InvalidRequestException.* A previous rotation isn't complete"):
        client.rotate_secret(SecretId=secret)
    assert client.rotate_secret(SecretId=secret, ClientRequestToken=pending)["VersionId"] == pending
    assert not finished_rotation(aws, secret).has_succeeded
    configure_function()
    with pytest.raises(ClientError, match="That rotation will be reattempted"):
        client.rotate_secret(SecretId=secret)
    assert finished_rotation(aws, secret).has_succeeded
    assert stages(client, secret) == {"AWSCURRENT": pending}


def test_removing_the_pending_label_cancels_a_rotation(
    aws: LocalAws, client: Any, secret: str, function: str, configure_function: Any, retry: Event
):
    configure_function(FAILS="createSecret")
    pending = client.rotate_secret(SecretId=secret, RotationLambdaARN=function)["VersionId"]
    backend: Backend = aws.backend("secretsmanager")
    wait_until(lambda: backend.rotations[-1].problem is not None)
    client.update_secret_version_stage(SecretId=secret, VersionStage="AWSPENDING", RemoveFromVersionId=pending)
    retry.set()
    assert finished_rotation(aws, secret).attempts == 1


def test_a_rotation_fails_unless_its_version_becomes_current(
    aws: LocalAws, client: Any, secret: str, function: str, configure_function: Any
):
    configure_function(SKIPS_FINISH="yes")
    client.rotate_secret(SecretId=secret, RotationLambdaARN=function)
    assert finished_rotation(aws, secret).problem == "finishSecret: did not move AWSCURRENT to the new version"


def test_deleting_the_function_fails_the_rotation(aws: LocalAws, client: Any, secret: str, retry: Event):
    name = create_function(aws, "import time\ndef handle(event, context): raise ValueError", Timeout=30)
    aws.client("lambda").add_permission(
        FunctionName=name, StatementId="all", Action="lambda:InvokeFunction", Principal="secretsmanager.amazonaws.com"
    )
    client.rotate_secret(SecretId=secret, RotationLambdaARN=f"arn:aws:lambda:us-west-1:123456789012:function:{name}")
    backend: Backend = aws.backend("secretsmanager")
    wait_until(lambda: backend.rotations[-1].problem is not None)
    aws.client("lambda").delete_function(FunctionName=name)
    retry.set()
    assert "Function not found" in str(finished_rotation(aws, secret).problem)


def test_scheduling_a_rotation_only_tests_the_function(aws: LocalAws, client: Any, secret: str, function: str):
    client.put_secret_value(SecretId=secret, SecretString="previous")
    before = stages(client, secret)
    client.rotate_secret(
        SecretId=secret,
        RotationLambdaARN=function,
        RotateImmediately=False,
        RotationRules={"ScheduleExpression": "rate(10 days)", "Duration": "2h"},
    )
    assert finished_rotation(aws, secret).attempts == 1
    assert stages(client, secret) == before
    described = client.describe_secret(SecretId=secret)
    assert described["RotationRules"] == {
        "AutomaticallyAfterDays": 10,
        "Duration": "2h",
        "ScheduleExpression": "rate(10 days)",
    }
    assert "LastRotatedDate" not in described


@pytest.mark.parametrize(("schedule", "days"), [("rate(4 hours)", 1), ("cron(0 8 1 * ? *)", None)])
def test_a_schedule_is_kept(aws: LocalAws, client: Any, secret: str, function: str, schedule: str, days: int | None):
    rules = {"ScheduleExpression": schedule}
    client.rotate_secret(SecretId=secret, RotationLambdaARN=function, RotateImmediately=False, RotationRules=rules)
    stored = client.describe_secret(SecretId=secret)["RotationRules"]
    assert stored == {**rules, **({"AutomaticallyAfterDays": days} if days else {})}
    finished_rotation(aws, secret)


def test_a_rotation_requires_permission_to_invoke_the_function(aws: LocalAws, client: Any, secret: str):
    name = create_function(aws, CODE)
    with pytest.raises(ClientError, match=r"AccessDeniedException.* cannot invoke the specified Lambda function"):
        client.rotate_secret(
            SecretId=secret, RotationLambdaARN=f"arn:aws:lambda:us-west-1:123456789012:function:{name}"
        )
    assert "RotationEnabled" not in client.describe_secret(SecretId=secret)


def test_invalid_rotations_are_refused(client: Any, secret: str, function: str):
    with pytest.raises(ClientError, match=r"InvalidRequestException.* doesn't already have a Lambda function ARN"):
        client.rotate_secret(SecretId=secret)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.rotate_secret(SecretId="nowhere")
    rules = {"AutomaticallyAfterDays": 3, "ScheduleExpression": "rate(3 days)"}
    with pytest.raises(ClientError, match="InvalidParameterException"):
        client.rotate_secret(SecretId=secret, RotationLambdaARN=function, RotationRules=rules)
    client.delete_secret(SecretId=secret)
    with pytest.raises(ClientError, match="marked for deletion"):
        client.rotate_secret(SecretId=secret, RotationLambdaARN=function)


def test_a_replica_is_not_rotated(aws: LocalAws, client: Any):
    client.create_secret(Name="replicated", SecretString="x", AddReplicaRegions=[{"Region": "us-west-2"}])
    backend = secretsmanager_backends[aws.account]["us-west-2"]
    with pytest.raises(Exception, match="Operation not permitted on a replica secret"):
        backend.rotate_secret("replicated")


def test_cancelling_rotation_removes_the_next_date(aws: LocalAws, client: Any, secret: str, function: str):
    client.rotate_secret(SecretId=secret, RotationLambdaARN=function, RotationRules={"AutomaticallyAfterDays": 3})
    finished_rotation(aws, secret)
    client.cancel_rotate_secret(SecretId=secret)
    described = client.describe_secret(SecretId=secret)
    assert described["RotationEnabled"] is False
    assert "NextRotationDate" not in described


def test_staging_labels_move_as_in_aws(client: Any, secret: str):
    one = client.put_secret_value(SecretId=secret, SecretString="one")["VersionId"]
    two = client.put_secret_value(SecretId=secret, SecretString="two")["VersionId"]
    assert stages(client, secret) == {"AWSCURRENT": two, "AWSPREVIOUS": one}

    def move(**request: str) -> None:
        client.update_secret_version_stage(SecretId=secret, **request)

    with pytest.raises(ClientError, match="Staging label AWSCURRENT"):
        move(VersionStage="AWSCURRENT", MoveToVersionId=one)
    with pytest.raises(ClientError, match="AWSCURRENT is not attached to version"):
        move(VersionStage="AWSCURRENT", MoveToVersionId=one, RemoveFromVersionId=one)
    with pytest.raises(ClientError, match="can't remove staging label AWSCURRENT"):
        move(VersionStage="AWSCURRENT", RemoveFromVersionId=two)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        move(VersionStage="AWSCURRENT", MoveToVersionId="0" * 36, RemoveFromVersionId=two)
    move(VersionStage="AWSCURRENT", MoveToVersionId=one, RemoveFromVersionId=two)
    assert stages(client, secret) == {"AWSCURRENT": one, "AWSPREVIOUS": two}
    assert value(client, secret) == "one"
    move(VersionStage="AWSCURRENT", MoveToVersionId=one, RemoveFromVersionId=one)
    assert stages(client, secret) == {"AWSCURRENT": one, "AWSPREVIOUS": two}
    move(VersionStage="ours", MoveToVersionId=two)
    assert value(client, secret, VersionStage="ours") == "two"
    three = client.put_secret_value(SecretId=secret, SecretString="three")["VersionId"]
    assert stages(client, secret)["AWSCURRENT"] == three
    assert stages(client, secret)["AWSPREVIOUS"] == one


def test_a_secret_without_a_current_version_has_no_value(client: Any, secret: str):
    with pytest.raises(ClientError, match=r"ResourceNotFoundException.* staging label: AWSCURRENT"):
        value(client, secret)
    pending = client.put_secret_value(SecretId=secret, SecretString="x", VersionStages=["AWSPENDING", "AWSCURRENT"])
    assert value(client, secret, VersionId=pending["VersionId"]) == "x"
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        value(client, "nowhere")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.update_secret(SecretId="nowhere", SecretString="x")


def test_label_moves_emit_events_except_for_pending_and_previous(aws: LocalAws, client: Any, secret: str):
    events, rule = aws.client("events"), f"labels-{next(NUMBERS)}"
    pattern = {"source": ["aws.secretsmanager"], "detail-type": ["Secret Label Updated"], "resources": [secret]}
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    aws.client("logs").create_log_group(logGroupName=f"/aws/events/{rule}")
    group = f"arn:aws:logs:us-west-1:123456789012:log-group:/aws/events/{rule}"
    allow_events_to_log(aws)
    events.put_targets(Rule=rule, Targets=[{"Id": "log", "Arn": group}])
    one = client.put_secret_value(SecretId=secret, SecretString="one")["VersionId"]
    client.put_secret_value(SecretId=secret, SecretString="two", VersionStages=["AWSPENDING"])
    client.update_secret_version_stage(SecretId=secret, VersionStage="ours", MoveToVersionId=one)
    three = client.update_secret(SecretId=secret, SecretString="three")["VersionId"]
    client.update_secret(SecretId=secret, Description="no label moves")
    name = client.describe_secret(SecretId=secret)["Name"]
    delivered = [delivery.event["detail"] for delivery in aws.backend("events").deliveries if delivery.rule == rule]
    assert delivered == [
        {"name": name, "labelUpdated": "AWSCURRENT", "versionId": one},
        {"name": name, "labelUpdated": "ours", "versionId": one},
        {"name": name, "labelUpdated": "AWSCURRENT", "versionId": three},
    ]
    logged = [json.loads(line)["detail"] for line in log_messages(aws, f"/aws/events/{rule}")]
    assert sorted(logged, key=str) == sorted(delivered, key=str)


def test_running_rotations_end_with_the_session(
    aws: LocalAws, client: Any, secret: str, monkeypatch: pytest.MonkeyPatch
):
    name = create_function(aws, "import time\ndef handle(event, context): time.sleep(60)", Timeout=60)
    aws.client("lambda").add_permission(
        FunctionName=name, StatementId="all", Action="lambda:InvokeFunction", Principal="secretsmanager.amazonaws.com"
    )
    monkeypatch.setattr(secretsmanager, "RETRY_DELAYS", (60.0,))
    backend: Backend = aws.backend("secretsmanager")
    monkeypatch.setattr(backend, "_closing", Event())
    monkeypatch.setattr(aws.session, "processes", processes := Processes())
    client.rotate_secret(SecretId=secret, RotationLambdaARN=f"arn:aws:lambda:us-west-1:123456789012:function:{name}")
    wait_until(processes.has_running)
    processes.end()
    backend.close()
    rotation = finished_rotation(aws, secret)
    assert rotation.is_finished
    assert rotation.attempts == 1


def test_a_secret_keeps_its_key_and_its_policy(client: Any) -> None:
    key = "arn:aws:kms:us-west-1:123456789012:key/one"
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*"}]}, indent=1)
    secret = client.create_secret(Name="kept", Description="Kept", KmsKeyId=key)["ARN"]
    assert "ResourcePolicy" not in client.get_resource_policy(SecretId=secret)
    client.put_resource_policy(SecretId=secret, ResourcePolicy=policy, BlockPublicPolicy=True)
    described = client.describe_secret(SecretId=secret)
    assert (described["Description"], described["KmsKeyId"]) == ("Kept", key)
    assert "ReplicationStatus" not in described
    assert client.get_resource_policy(SecretId=secret)["ResourcePolicy"] == policy
