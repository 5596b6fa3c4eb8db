"""The state machines of the stacks, run by the local AWS: also where a rehearsal does not take them."""

import time
from collections.abc import Generator
from itertools import count
from typing import Any

import pytest

from local_aws.postgresql import wait_until
from local_aws.server import LocalAws
from synthesized.platform import Platform
from tests.local_aws.conftest import create_role
from tests.synthesized import bodies

pytestmark = pytest.mark.tiers("rotation", "service")

DAY = 24 * 60 * 60
NUMBERS = count()


@pytest.fixture(autouse=True)
def hurry(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws.session, "wait_factor", 0.005)


@pytest.fixture
def deployed(aws: LocalAws) -> Generator[dict[str, str]]:
    """What the definitions refer to, with new resources for each test."""
    name, ecs = f"shop-{next(NUMBERS)}", aws.client("ecs")
    cluster = ecs.create_cluster(clusterName=name)["cluster"]["clusterArn"]
    ecs.register_task_definition(family=name, containerDefinitions=[{"name": "web", "image": "web", "memory": 128}])
    ecs.create_service(cluster=cluster, serviceName=name, taskDefinition=name, desiredCount=1)
    secret = aws.client("secretsmanager").create_secret(Name=name, SecretString="{}")["ARN"]
    yield {
        "aws_ecs_cluster.service_cluster.arn": cluster,
        "aws_ecs_service.service_service.name": name,
        "aws_secretsmanager_secret.rotation_credential.arn": secret,
        "aws_sns_topic.foundation_alarms.arn": aws.client("sns").create_topic(Name=name)["TopicArn"],
    }
    ecs.delete_service(cluster=cluster, service=name, force=True)


def start(aws: LocalAws, prod: Platform, machine: str, deployed: dict[str, str]) -> str:
    """Start a state machine of the stacks; returns the execution."""
    (definition,) = (
        body["definition"]
        for body in bodies(prod, "aws_sfn_state_machine").values()
        if body["name"] == f"acme-prod-{machine}"
    )
    for reference, value in deployed.items():
        definition = definition.replace(f"${{{reference}}}", value)
    assert "${" not in definition
    client, name = aws.client("stepfunctions"), f"{machine}-{next(NUMBERS)}"
    role = create_role(aws, name, "states.amazonaws.com")
    created = client.create_state_machine(name=name, definition=definition, roleArn=role)
    return client.start_execution(stateMachineArn=created["stateMachineArn"])["executionArn"]


def end(aws: LocalAws, execution: str) -> str:
    """Wait for the end of an execution; returns its status."""
    client = aws.client("stepfunctions")
    wait_until(lambda: client.describe_execution(executionArn=execution)["status"] != "RUNNING")
    return client.describe_execution(executionArn=execution)["status"]


def published(aws: LocalAws, deployed: dict[str, str]) -> list[str]:
    topic = aws.backend("sns").topics[deployed["aws_sns_topic.foundation_alarms.arn"]]
    return [message for _, message, *_ in topic.sent_notifications]


def service(aws: LocalAws, deployed: dict[str, str]) -> Any:
    cluster, name = deployed["aws_ecs_cluster.service_cluster.arn"], deployed["aws_ecs_service.service_service.name"]
    return aws.backend("ecs").services[f"{cluster.rpartition('/')[2]}:{name}"]


def test_a_redeployment_waits_for_a_deployment_in_progress(aws: LocalAws, prod: Platform, deployed: dict[str, str]):
    running = service(aws, deployed)
    (before,) = running.deployments
    running.deployments.append(before | {"id": "ecs-svc/1", "status": "ACTIVE"})
    described = aws.gateway.calls["ecs:DescribeServices"]
    execution = start(aws, prod, "redeployment", deployed)
    wait_until(lambda: aws.gateway.calls["ecs:DescribeServices"] >= described + 2)
    assert running.deployments[0]["id"] == before["id"]
    del running.deployments[1]
    assert end(aws, execution) == "SUCCEEDED"
    (after,) = running.deployments
    assert after["id"] != before["id"]
    assert published(aws, deployed) == []


def test_a_redeployment_that_fails_is_published(aws: LocalAws, prod: Platform, deployed: dict[str, str]):
    missing = deployed | {"aws_ecs_service.service_service.name": "missing"}
    assert end(aws, start(aws, prod, "redeployment", missing)) == "FAILED"
    (message,) = published(aws, deployed)
    assert "no new tasks could be started" in message


@pytest.mark.parametrize(("days", "messages"), [(30, 0), (32, 1)])
@pytest.mark.parametrize("date", ["created_date", "last_rotation_date"])
def test_the_age_of_an_overdue_credential_is_published(
    aws: LocalAws, prod: Platform, deployed: dict[str, str], date: str, days: int, messages: int
):
    secret = aws.backend("secretsmanager").secrets[deployed["aws_secretsmanager_secret.rotation_credential.arn"]]
    secret.created_date, secret.rotation_requested = int(time.time()) - 100 * DAY, True
    setattr(secret, date, int(time.time()) - days * DAY)
    assert end(aws, start(aws, prod, "credential-age", deployed)) == "SUCCEEDED"
    found = published(aws, deployed)
    assert len(found) == messages
    assert all("has not been rotated for 31 days" in message for message in found)


def test_an_unknown_age_is_published(aws: LocalAws, prod: Platform, deployed: dict[str, str]):
    missing = deployed | {"aws_secretsmanager_secret.rotation_credential.arn": "missing"}
    assert end(aws, start(aws, prod, "credential-age", missing)) == "FAILED"
    (message,) = published(aws, deployed)
    assert "could not be determined" in message
