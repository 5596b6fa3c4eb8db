"""The rotation in a rehearsal, with the real function and a real database: under load, and with faults."""

import json
import os
from collections.abc import Generator
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from rich.console import Console

from local_aws.postgresql import VERSION, free_port, wait_until
from local_aws.server import LocalAws
from local_aws.services import secretsmanager
from rehearsal import logins, one_environment, state_machines
from rehearsal.faults import FaultInjection
from rehearsal.one_environment import Rehearsal, RehearsalError, open_rehearsal
from tests.local_aws.conftest import LOADER, create_role, reset_afterwards
from tests.rehearsal.fake_project import FakeProject

TAGS = [{"Key": key, "Value": value} for key, value in (("Environment", "dev"), ("ManagedBy", "cdktf"))]
ROTATION = [*TAGS, {"Key": "Tier", "Value": "rotation"}]
SERVICE = [{"key": tag["Key"], "value": tag["Value"]} for tag in (*TAGS, {"Key": "Tier", "Value": "service"})]


@pytest.fixture(scope="module")
def rehearsal(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Generator[Rehearsal]:
    """An environment with a database, its rotation, and a state machine that rotations start."""
    with pytest.MonkeyPatch.context() as patch, reset_afterwards(aws):
        patch.setattr("botocore.session.create_loader", lambda *_: LOADER)
        FakeProject(tmp_path_factory.mktemp("stage") / "project", patch)
        with open_rehearsal("dev", Console(file=StringIO())) as rehearsal:
            create_redeployment(rehearsal.aws)
            create_check(rehearsal.aws, create_rotation(rehearsal.aws, create_database(rehearsal.aws)))
            yield rehearsal


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secretsmanager, "RETRY_DELAYS", (0.01,))
    monkeypatch.setattr(one_environment, "ROTATION_INTERVAL", 0.3)
    monkeypatch.setattr(one_environment, "CACHE_SECONDS", (0.0, 0.2))
    monkeypatch.setattr(logins, "PAUSE", 0.2)


def create_database(aws: LocalAws) -> dict[str, Any]:
    return aws.client("rds").create_db_cluster(
        DBClusterIdentifier="shop",
        Engine="aurora-postgresql",
        EngineVersion=VERSION.split(".")[0],
        MasterUsername="shopkeeper",
        ManageMasterUserPassword=True,
        DatabaseName="shop",
        Port=free_port("127.0.0.1"),
    )["DBCluster"]


def create_rotation(aws: LocalAws, database: dict[str, Any]) -> str:
    """Create the secret and the function as in stacks/rotation/stack.py; returns the secret."""
    secrets, functions = aws.client("secretsmanager"), aws.client("lambda")
    secret = secrets.create_secret(Name="credential", Tags=ROTATION)["ARN"]
    function = functions.create_function(
        FunctionName="rotation",
        Runtime="python3.13",
        Handler="lambda_rotation.handler.handle",
        Role=create_role(aws, "rotation", "lambda.amazonaws.com"),
        Code={"ZipFile": Path(os.environ["ROTATION_PACKAGE"]).read_bytes()},
        Timeout=60,
        Environment={
            "Variables": {
                "SECRET_ARN": secret,
                "MASTER_SECRET_ARN": database["MasterUserSecret"]["SecretArn"],
                "DATABASE_ENGINE": "postgres",
                "DATABASE_HOST": database["Endpoint"],
                "DATABASE_READER_HOST": database["ReaderEndpoint"],
                "DATABASE_PORT": str(database["Port"]),
                "DATABASE_NAME": "shop",
                "OWNER_ROLE": "shop",
                "CONNECTION_LIMIT": "-1",
                "MINIMUM_AGE": "3600",
            }
        },
    )["FunctionArn"]
    functions.add_permission(
        FunctionName="rotation",
        StatementId="SecretsManager",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
    )
    secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function, RotationRules={"AutomaticallyAfterDays": 30})
    backend = aws.backend("secretsmanager")
    wait_until(lambda: not backend.is_rotating(secret))
    assert backend.rotations[-1].problem is None
    return secret


def create_redeployment(aws: LocalAws) -> None:
    """Create the service, the state machine and the event rule as in stacks/service/."""
    ecs, service = aws.client("ecs"), {"Cluster": "shop", "Service": "shop"}
    ecs.create_cluster(clusterName="shop")
    ecs.register_task_definition(family="shop", containerDefinitions=[{"name": "web", "image": "web", "memory": 128}])
    ecs.create_service(cluster="shop", serviceName="shop", taskDefinition="shop", desiredCount=1, tags=SERVICE)
    machine = create_state_machine(aws, "redeployment", "ecs:updateService", {**service, "ForceNewDeployment": True})
    pattern = {"source": ["aws.secretsmanager"], "detail": {"labelUpdated": ["AWSCURRENT"]}}
    aws.client("events").put_rule(Name="new-credential", EventPattern=json.dumps(pattern))
    starter = create_role(aws, "starter", "events.amazonaws.com")
    targets = [{"Id": "redeployment", "Arn": machine, "RoleArn": starter}]
    aws.client("events").put_targets(Rule="new-credential", Targets=targets)


def create_check(aws: LocalAws, secret: str) -> None:
    """Create the state machine and its schedule as in stacks/rotation/credential_age.py."""
    machine = create_state_machine(aws, "age", "secretsmanager:describeSecret", {"SecretId": secret})
    aws.client("scheduler").create_schedule(
        Name="age",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": machine, "RoleArn": create_role(aws, "scheduler", "scheduler.amazonaws.com")},
    )


def create_state_machine(aws: LocalAws, name: str, action: str, arguments: dict[str, Any]) -> str:
    task = {"Type": "Task", "Resource": f"arn:aws:states:::aws-sdk:{action}", "Arguments": arguments, "End": True}
    return aws.client("stepfunctions").create_state_machine(
        name=name,
        definition=json.dumps({"QueryLanguage": "JSONata", "StartAt": "Only", "States": {"Only": task}}),
        roleArn=create_role(aws, name, "states.amazonaws.com"),
        tags=SERVICE,
    )["stateMachineArn"]


def may_rotate_early(rehearsal: Rehearsal) -> bool:
    described = rehearsal.aws.client("secretsmanager").describe_secret(SecretId=rehearsal.secret())
    return "RotateEarlyUntil" in {tag["Key"] for tag in described["Tags"]}


class Replaying(Rehearsal):
    """A rehearsal whose rotations are replaced by the given functions, in order."""

    def rotate(self, secret: str) -> None:
        vars(self)["ends"].pop(0)(secret)


def replaying(rehearsal: Rehearsal, *ends: Any) -> Rehearsal:
    other = Replaying(**vars(rehearsal))
    vars(other)["ends"] = list(ends)
    return other


def test_logins_succeed_while_the_credential_is_rotated(rehearsal: Rehearsal):
    secret = rehearsal.secret()
    before = rehearsal.credential(secret)
    rehearsal.rotate_under_load(times=2)
    after = rehearsal.credential(secret)
    assert rehearsal.report.rotations == 2
    # The rotation alternates between two users.
    assert (after.username, after.password != before.password) == (before.username, True)
    rehearsal.log_in(after).close()
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        rehearsal.log_in(before)
    assert rehearsal.report.failed_logins == 0
    assert rehearsal.report.logins > 2
    # Without that of the first rotation, in the fixture.
    assert (rehearsal.report.failed_executions, rehearsal.report.redeployments) == ([], 2)
    assert rehearsal.report.scheduled_executions == 1
    assert rehearsal.report.failed_executions == []
    assert not may_rotate_early(rehearsal)


def test_failed_logins_and_missing_redeployments_are_counted(rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch):
    client = rehearsal.aws.client("events")
    rule = client.list_targets_by_rule(Rule="new-credential")["Targets"]
    missing = rule[0]["Arn"].replace("redeployment", "missing")
    client.put_targets(Rule="new-credential", Targets=[{"Id": "redeployment", "Arn": missing}])

    def forgets(secret: str) -> None:
        """Change the password in the secret only, not in the database."""
        value = json.loads(rehearsal.aws.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
        rehearsal.aws.client("secretsmanager").put_secret_value(
            SecretId=secret, SecretString=json.dumps({**value, "password": "another"})
        )

    good = rehearsal.credential(rehearsal.secret())
    monkeypatch.setattr(rehearsal.report, "rotations", 0)
    try:
        replaying(rehearsal, forgets).rotate_under_load(times=1)
    finally:
        client.put_targets(Rule="new-credential", Targets=rule)
        rehearsal.aws.client("secretsmanager").put_secret_value(SecretId=rehearsal.secret(), SecretString=good.dump())
    assert 0 < rehearsal.report.failed_logins < rehearsal.report.logins
    assert (rehearsal.report.rotations, rehearsal.report.redeployments) == (1, 0)
    assert rehearsal.report.failed_executions == ["ECS has started no deployment after the rotations"]


@pytest.mark.parametrize(
    ("states", "problem"),
    [
        ({"Only": {"Type": "Fail", "Error": "Late", "Cause": "no\n  time"}}, "age: FAILED Late: no time"),
        ({"Only": {"Type": "Fail"}}, "age: FAILED"),
        (
            {
                "Only": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::aws-sdk:secretsmanager:describeSecret",
                    "Arguments": {"SecretId": "missing"},
                    "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Failed"}],
                    "Next": "Failed",
                },
                "Failed": {"Type": "Fail"},
            },
            "age: FAILED SecretsManager.ResourceNotFoundException: Secrets Manager can't find the specified secret",
        ),
        (
            {
                "Only": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::sns:publish",
                    "Arguments": {"TopicArn": "TOPIC", "Message": "overdue"},
                    "End": True,
                }
            },
            'age: published {"TopicArn": "TOPIC", "Message": "overdue"}',
        ),
        ({"Only": {"Type": "Wait", "Seconds": 3600, "End": True}}, "age: RUNNING"),
    ],
)
def test_an_execution_that_does_not_do_its_work_is_a_problem(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch, states: dict[str, Any], problem: str
):
    monkeypatch.setattr(state_machines, "EXECUTION_TIMEOUT", 2.0)
    client = rehearsal.aws.client("stepfunctions")
    topic = rehearsal.aws.client("sns").create_topic(Name="alarms")["TopicArn"]
    (machine,) = (
        each["stateMachineArn"] for each in client.list_state_machines()["stateMachines"] if each["name"] == "age"
    )
    definition = client.describe_state_machine(stateMachineArn=machine)["definition"]
    broken = json.dumps({"QueryLanguage": "JSONata", "StartAt": "Only", "States": states}).replace("TOPIC", topic)
    client.update_state_machine(stateMachineArn=machine, definition=broken)
    try:
        with rehearsal.checked_state_machines():
            pass
    finally:
        client.update_state_machine(stateMachineArn=machine, definition=definition)
    assert rehearsal.report.scheduled_executions == 0
    found = rehearsal.report.failed_executions[0]
    assert found.startswith(problem.replace("TOPIC", topic))


def test_login_verifies_the_server_certificate(rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    credential = rehearsal.credential(rehearsal.secret())
    monkeypatch.setattr(LocalAws, "certificates", tmp_path / "none.pem")
    with pytest.raises(psycopg2.OperationalError, match=r"root certificate file .* does not exist"):
        rehearsal.log_in(credential)


def test_rotation_timeout_is_an_error(rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(one_environment, "ROTATION_TIMEOUT", 0)
    backend, secret = rehearsal.aws.backend("secretsmanager"), rehearsal.secret()
    with pytest.raises(RehearsalError, match=r"^a rotation did not finish within 0 s$"):
        rehearsal.rotate(secret)
    wait_until(lambda: not backend.is_rotating(secret))


def test_rotation_before_the_minimum_age_fails(rehearsal: Rehearsal):
    secret = rehearsal.secret()
    before = rehearsal.credential(secret)
    with pytest.raises(
        RehearsalError, match=r"^rotation failed 2 times: createSecret: .*The credential has been current for"
    ):
        rehearsal.rotate(secret)
    assert rehearsal.credential(secret) == before
    # The failed rotation is retried.
    with rehearsal.early_rotation(secret):
        rehearsal.rotate(secret)
    assert rehearsal.credential(secret) != before


def test_early_rotation_ends_after_an_error(rehearsal: Rehearsal):
    with suppress(ZeroDivisionError), rehearsal.early_rotation(rehearsal.secret()):
        assert may_rotate_early(rehearsal)
        raise ZeroDivisionError
    assert not may_rotate_early(rehearsal)


def test_unavailable_database_fails_only_the_rotation(rehearsal: Rehearsal):
    before = rehearsal.credential(rehearsal.secret())
    outcome = FaultInjection(rehearsal, ("rotation",)).rotate_without_database()
    assert outcome.startswith("rotation failed 2 times: ")
    assert outcome.endswith("; the credential did not change, and the next rotation succeeded")
    after = rehearsal.credential(rehearsal.secret())
    assert after.username != before.username
    rehearsal.log_in(before).close()


def test_successful_rotation_without_database_is_an_error(rehearsal: Rehearsal):
    day = FaultInjection(replaying(rehearsal, lambda _: None), ("rotation",))
    with pytest.raises(RehearsalError, match=r"^a rotation succeeded although the database was down$"):
        day.rotate_without_database()
    # The database is running again.
    rehearsal.log_in(rehearsal.credential(rehearsal.secret())).close()


def test_failed_rotation_that_changes_the_credential_is_an_error(rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch):
    secret = rehearsal.secret()
    good = rehearsal.credential(secret)
    client = rehearsal.aws.client("secretsmanager")

    def fails(_: str) -> None:
        bad = {**json.loads(good.dump()), "password": "another"}
        client.put_secret_value(SecretId=secret, SecretString=json.dumps(bad))
        raise RehearsalError("rotation failed")

    (cluster,) = rehearsal.aws.backend("rds").clusters.values()
    monkeypatch.setattr(type(cluster.servers), "pause", lambda _: None)
    monkeypatch.setattr(type(cluster.servers), "resume", lambda _: None)
    with pytest.raises(RehearsalError, match=r"^a failed rotation changed the credential$"):
        FaultInjection(replaying(rehearsal, fails), ("rotation",)).rotate_without_database()
    client.put_secret_value(SecretId=secret, SecretString=good.dump())
    assert not may_rotate_early(rehearsal)
