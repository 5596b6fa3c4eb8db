"""What a policy no longer allows is denied while it is done: to Terraform, the rotation, state machines and tasks."""

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from local_aws.server import LocalAws
from local_aws.services import secretsmanager
from operations.terraform import TerraformError
from rehearsal.deployers import Deployers
from rehearsal.one_environment import Rehearsal, RehearsalError
from tests.changes.copies import Task, in_copies
from tests.changes.mutations import Mutation
from tests.changes.mutations.lookup import named, secret, tagged

Act = Callable[[Rehearsal, LocalAws], str]
"""Something that a rehearsal does; returns what was denied."""


def without(role: str, sid: str) -> Mutation:
    """Take a statement out of the policies of a role, named by the end of its name."""

    def change(aws: LocalAws) -> None:
        iam: Any = aws.client("iam")
        pages = iam.get_paginator("list_roles").paginate()
        (name,) = (one["RoleName"] for page in pages for one in page["Roles"] if one["RoleName"].endswith(f"-{role}"))
        removed = 0
        for own in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=name, PolicyName=own)["PolicyDocument"]
            removed += _remove(document, sid)
            if document["Statement"]:
                iam.put_role_policy(RoleName=name, PolicyName=own, PolicyDocument=json.dumps(document))
            else:
                iam.delete_role_policy(RoleName=name, PolicyName=own)
        for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            arn = attached["PolicyArn"]
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
            if _remove(document, sid):
                removed += 1
                iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)
        assert removed == 1, (name, sid, removed)

    return change


def _remove(document: Any, sid: str) -> int:
    statements = cast(list[Mapping[str, Any]], document["Statement"])
    document["Statement"] = [each for each in statements if each.get("Sid") != sid]
    return len(statements) - len(document["Statement"])


def let_endpoint_deny(aws: LocalAws) -> None:
    """Let the endpoint of Secrets Manager allow another service alone."""
    policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}]}
    endpoint = named(aws, "vpce", "secretsmanager")
    aws.client("ec2").modify_vpc_endpoint(VpcEndpointId=endpoint, PolicyDocument=json.dumps(policy))


def let_key_deny(aws: LocalAws) -> None:
    """Take the account out of the policy of the secrets' key."""
    kms: Any = aws.client("kms")
    (key,) = [each["TargetKeyId"] for each in kms.list_aliases()["Aliases"] if each["AliasName"].endswith("-secrets")]
    document = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    for statement in document["Statement"]:
        if statement["Effect"] == "Allow":
            statement["Principal"] = {"Service": "logs.amazonaws.com"}
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(document))


def rotate(rehearsed: Rehearsal, aws: LocalAws) -> str:
    """The problem of a rotation."""
    secretsmanager.RETRY_DELAYS = ()
    with rehearsed.early_rotation(secret(aws)):
        try:
            rehearsed.rotate(secret(aws))
        except RehearsalError as error:
            return str(error)
    return ""


def redeploy(rehearsed: Rehearsal, aws: LocalAws) -> str:
    """What the state machines did not do, after a new version of the secret, and what was not delivered."""
    client: Any = aws.client("secretsmanager")
    before = len(aws.backend("events").deliveries)
    with rehearsed.checked_state_machines():
        value = client.get_secret_value(SecretId=secret(aws))["SecretString"]
        client.put_secret_value(SecretId=secret(aws), SecretString=value)
    delivered = [delivery.problem for delivery in aws.backend("events").deliveries[before:]]
    return "; ".join([*rehearsed.report.failed_executions, *filter(None, delivered)])


def plan(rehearsed: Rehearsal, aws: LocalAws) -> str:
    """The error of a plan by the plan role."""
    del aws
    with Deployers(rehearsed).acting_as("plan"):
        try:
            rehearsed.deployment.plan(rehearsed.platform.stacks["cache"])
        except TerraformError as error:
            return str(error)
    return ""


def start_tasks(rehearsed: Rehearsal, aws: LocalAws) -> str:
    """The error of a new deployment of the service."""
    del rehearsed
    (service,) = tagged(aws, "ecs", "service")
    client: Any = aws.client("ecs")
    cluster = service.split("/")[1]
    (described,) = client.describe_services(cluster=cluster, services=[service])["services"]
    try:
        client.update_service(cluster=cluster, service=service, taskDefinition=described["taskDefinition"])
    except client.exceptions.ClientError as error:
        return str(error)
    return ""


REMOVALS: Mapping[str, tuple[Mutation, Act, str]] = {
    "the rotation may not read its secret": (
        without("rotation", "RotateCredential"),
        rotate,
        "allows the secretsmanager:",
    ),
    "the rotation may not use the key": (without("rotation", "UseKey"), rotate, "allows the kms:Decrypt action"),
    "the rotation may not read the master's secret": (
        without("rotation", "LogInAsMaster"),
        rotate,
        "allows the secretsmanager:",
    ),
    "the endpoint lets the rotation do nothing": (let_endpoint_deny, rotate, "no VPC endpoint policy allows"),
    "the key lets nobody use it": (let_key_deny, rotate, "no resource-based policy allows the kms:"),
    "the rule may not start the redeployment": (
        without("redeployment-start", "Start"),
        redeploy,
        "to perform: states:StartExecution",
    ),
    "the redeployment may not call ECS": (without("redeployment", "Redeploy"), redeploy, "to perform: ecs:"),
    "the check may not read the secret": (
        without("credential-age", "AskForAge"),
        redeploy,
        "to perform: secretsmanager:DescribeSecret",
    ),
    "the plan role may not read": (without("plan", "Region"), plan, "is not authorized to perform: elasticache:"),
    "the plan role may not read its state": (without("plan", "ReadStates"), plan, "allows the s3:GetObject action"),
    "tasks may not have their secret": (
        without("service-execution", "ReadCredential"),
        start_tasks,
        "to perform: secretsmanager:GetSecretValue",
    ),
    "tasks may not have their image": (without("service-execution", "Pull"), start_tasks, "to perform: ecr:"),
}
"""Removals, what is done then, and what it is denied."""


@pytest.fixture(scope="module")
def outcomes(rehearsed: Rehearsal, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What was denied after each removal, and what without any."""
    unchanged = {act.__name__: (lambda _: None, act) for _, act, _ in REMOVALS.values()}
    changed = {name: (change, act) for name, (change, act, _) in REMOVALS.items()}
    tasks = {name: _outcome(rehearsed, change, act) for name, (change, act) in (unchanged | changed).items()}
    return dict(in_copies(rehearsed.aws, tasks, tmp_path_factory.mktemp("copies")))


def _outcome(rehearsed: Rehearsal, change: Mutation, act: Act) -> Task:
    def task(copy: LocalAws) -> str:
        change(copy)
        outcome = act(rehearsed, copy)
        # Functions and HEAD requests do not repeat what AWS says.
        records = copy.gateway.authorizer.records
        return "; ".join(filter(None, [outcome, *(denied for record in records.values() for denied in record.denied)]))

    return task


@pytest.mark.parametrize("act", [rotate, redeploy, plan, start_tasks])
def test_nothing_is_denied_as_deployed(outcomes: dict[str, str], act: Act):
    assert outcomes[act.__name__] == ""


@pytest.mark.parametrize("removal", REMOVALS)
def test_what_is_no_longer_allowed_is_denied(outcomes: dict[str, str], removal: str):
    assert REMOVALS[removal][2] in outcomes[removal], outcomes[removal]
