"""The check of the credential's age, the redeployment after a rotation, and access to the credential."""

import json

import pytest

from synthesized.platform import Body, Platform
from tests.synthesized import bodies, conditions, container, only, statements

pytestmark = pytest.mark.tiers("rotation", "service")

SECRET = "aws_secretsmanager_secret.rotation_credential"
TOPIC = "${aws_sns_topic.foundation_alarms.arn}"


def definition(platform: Platform, name: str) -> Body:
    machines = {machine["name"]: machine for machine in bodies(platform, "aws_sfn_state_machine").values()}
    return json.loads(machines[f"acme-prod-{name}"]["definition"])


def reachable(states: dict[str, Body], start: str) -> set[str]:
    """States that are reachable from the start."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        state = waiting.pop()
        if state not in found:
            found.add(state)
            body = states[state]
            branches = [*body.get("Choices", []), *body.get("Catch", []), body]
            waiting += [branch[key] for branch in branches for key in ("Next", "Default") if key in branch]
    return found


@pytest.mark.parametrize("name", ["credential-age", "redeployment"])
def test_all_states_are_reachable_and_failures_are_published(prod: Platform, name: str):
    machine = definition(prod, name)
    states = machine["States"]
    assert machine["QueryLanguage"] == "JSONata"
    assert machine["TimeoutSeconds"] <= 3600
    assert reachable(states, machine["StartAt"]) == states.keys()
    for state in states.values():
        if state["Type"] == "Task" and not state["Resource"].endswith("sns:publish"):
            assert state["Catch"] == [{"ErrorEquals": ["States.ALL"], "Next": "TellFailure"}]
    assert states["TellFailure"]["Arguments"]["TopicArn"] == TOPIC
    assert states["TellFailure"]["Next"] == "Failed"


def test_a_credential_a_day_overdue_is_published(prod: Platform):
    states = definition(prod, "credential-age")["States"]
    (old,) = states["IsOld"]["Choices"]
    assert f"$millis() - {31 * 24 * 60 * 60 * 1000}" in old["Condition"]
    assert old["Next"] == "Tell"
    assert states["Ask"]["Arguments"] == {"SecretId": f"${{{SECRET}.arn}}"}
    assert only(prod, "aws_scheduler_schedule")["schedule_expression"] == "rate(1 day)"


def test_the_redeployment_waits_for_a_deployment_in_progress(prod: Platform):
    machine = definition(prod, "redeployment")
    states = machine["States"]
    (deploying,) = states["IsDeploying"]["Choices"]
    assert deploying["Condition"] == "{% $count($states.input.Services[0].Deployments) > 1 %}"
    assert states[deploying["Next"]]["Type"] == "Wait"
    assert states[deploying["Next"]]["Next"] == machine["StartAt"]
    start = states[states["IsDeploying"]["Default"]]
    assert start["Resource"].endswith(":ecs:updateService")
    assert start["Arguments"]["ForceNewDeployment"] is True


def test_a_rotation_starts_the_redeployment(prod: Platform):
    target = bodies(prod, "aws_cloudwatch_event_target", "service")["credential-rotated-to-redeployment"]
    assert target["arn"] == "${aws_sfn_state_machine.service_redeployment-workflow.arn}"
    assert target["role_arn"] == "${aws_iam_role.service_redeployment-start.arn}"


def test_the_redeployment_ends_before_the_next_rotation_may_start(prod: Platform):
    longest = definition(prod, "redeployment")["TimeoutSeconds"]
    assert longest < int(only(prod, "aws_lambda_function")["environment"]["variables"]["MINIMUM_AGE"])


def test_state_machines_have_the_permissions_that_they_need(prod: Platform):
    redeploy = statements(prod, "service", "redeployment-permissions")["Redeploy"]
    assert redeploy["actions"] == ["ecs:DescribeServices", "ecs:UpdateService"]
    assert redeploy["resources"] == ["${aws_ecs_service.service_service.id}"]
    assert conditions(redeploy) == {"ArnLike ecs:cluster": ["${aws_ecs_cluster.service_cluster.arn}"]}
    describe = statements(prod, "rotation", "credential-age-permissions")["AskForAge"]
    assert (describe["actions"], describe["resources"]) == (["secretsmanager:DescribeSecret"], [f"${{{SECRET}.arn}}"])
    for tier, name in (("service", "redeployment"), ("rotation", "credential-age")):
        permissions = statements(prod, tier, f"{name}-permissions")
        assert permissions["Tell"]["resources"] == [TOPIC]
        trust = statements(prod, tier, f"{name}-trust")["Assume"]
        assert conditions(trust)["ArnLike aws:SourceArn"] == [
            f"arn:aws:states:eu-west-3:111122223333:stateMachine:acme-prod-{name}"
        ]


def test_no_task_starts_before_the_first_rotation(prod: Platform):
    (versions,) = (data.body for data in prod.data if data.type == "aws_secretsmanager_secret_versions")
    assert versions["secret_id"] == f"${{{SECRET}.id}}"
    (after,) = versions["lifecycle"]["postcondition"]
    assert 'contains(version.version_stages, "AWSCURRENT")' in after["condition"]
    assert '!contains(version.version_stages, "AWSPENDING")' in after["condition"]
    assert "docs/rotation.md" in after["error_message"]
    # As late as possible, but before the service.
    assert versions["depends_on"] == ["aws_lb_listener.service_https"]
    assert (
        "data.aws_secretsmanager_secret_versions.service_credential-versions"
        in only(prod, "aws_ecs_service")["depends_on"]
    )


def test_the_task_gets_the_credential_from_the_secret(prod: Platform):
    assert container(prod)["secrets"] == [
        {"name": "DATABASE_USERNAME", "valueFrom": f"${{{SECRET}.arn}}:username::"},
        {"name": "DATABASE_PASSWORD", "valueFrom": f"${{{SECRET}.arn}}:password::"},
    ]


def test_ecs_may_read_the_credential_and_the_application_may_not(prod: Platform):
    may = statements(prod, "service", "service-execution-permissions")
    assert may["ReadCredential"]["actions"] == ["secretsmanager:GetSecretValue"]
    assert may["ReadCredential"]["resources"] == [f"${{{SECRET}.arn}}"]
    assert conditions(may["UseKey"]) == {"StringEquals kms:ViaService": ["secretsmanager.eu-west-3.amazonaws.com"]}
    # The application itself must not read it.
    assert "ReadCredential" not in statements(prod, "service", "service-task-permissions")
