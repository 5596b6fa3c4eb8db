"""The rotation tier: the secret, its function, the schedule, the check of its age; and the service's part in it."""

import json

import pytest

from operations.platform import Body, Platform
from tests.conftest import ENVIRONMENTS
from tests.synthesized import bodies, conditions, container, only, statements

pytestmark = pytest.mark.tiers("rotation", "service")

SECRET = "aws_secretsmanager_secret.rotation_credential"
FUNCTION_ARN = "arn:aws:lambda:us-west-1:111122223333:function:globecart-prod-rotation"
TOPIC = "${aws_sns_topic.foundation_alarms.arn}"


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_terraform_owns_no_version_of_the_secret(platforms: dict[str, Platform], name: str):
    """An old version that is pruned would be added again, and would overwrite the current one."""
    assert only(platforms[name], "aws_secretsmanager_secret")["name"] == f"globecart-{name}-database-credential"
    assert not platforms[name].of_type("aws_secretsmanager_secret_version")
    assert not [data for data in platforms[name].data if data.type == "aws_secretsmanager_secret_version"]


def test_the_secret_has_its_own_key_and_time_to_come_back(prod: Platform, dev: Platform):
    secret = only(prod, "aws_secretsmanager_secret")
    assert secret["kms_key_id"] == "${aws_kms_key.foundation_key-secrets.arn}"
    assert secret["recovery_window_in_days"] == 30
    assert secret["lifecycle"] == {"prevent_destroy": True}
    assert only(dev, "aws_secretsmanager_secret")["recovery_window_in_days"] == 0


def test_other_accounts_and_the_public_are_refused(prod: Platform):
    policy = only(prod, "aws_secretsmanager_secret_policy")
    assert policy["block_public_policy"] is True
    access = statements(prod, "rotation", "credential-access")
    assert all(statement["effect"] == "Deny" for statement in access.values())
    assert conditions(access["DenyOtherAccounts"])["StringNotEquals aws:PrincipalAccount"] == ["111122223333"]
    assert access["DenyPlaintext"]["actions"] == ["secretsmanager:*"]


def test_the_function_is_what_the_package_is_built_for(prod: Platform):
    function = only(prod, "aws_lambda_function")
    assert function["runtime"] == "python3.13"
    assert function["architectures"] == ["arm64"]
    assert function["handler"] == "lambda_rotation.handler.handle"
    assert function["filename"].startswith("assets/")
    assert function["source_code_hash"] == f'${{filebase64sha256("{function["filename"]}")}}'
    assert (prod.stacks["rotation"].folder / function["filename"]).stat().st_size < 8_000_000


def test_the_function_is_in_every_zone_and_reaches_what_its_group_may(otherwise: dict[str, Platform]):
    assert only(otherwise["prod"], "aws_lambda_function")["vpc_config"] == {
        "subnet_ids": [f"${{aws_subnet.network_app-{letter}.id}}" for letter in "cba"],
        "security_group_ids": ["${aws_security_group.network_group-rotation.id}"],
    }


def test_the_functions_environment_says_where_and_nothing_secret(prod: Platform):
    function = only(prod, "aws_lambda_function")
    variables = function["environment"]["variables"]
    cluster = "aws_rds_cluster.database_cluster"
    assert variables == {
        "SECRET_ARN": f"${{{SECRET}.arn}}",
        "MASTER_SECRET_ARN": f"${{{cluster}.master_user_secret[0].secret_arn}}",
        "DATABASE_ENGINE": "postgres",
        "DATABASE_HOST": f"${{{cluster}.endpoint}}",
        "DATABASE_READER_HOST": f"${{{cluster}.reader_endpoint}}",
        "DATABASE_PORT": "5432",
        "DATABASE_NAME": f"${{{cluster}.database_name}}",
        "OWNER_ROLE": "application",
        "CONNECTION_LIMIT": "400",
        "MINIMUM_AGE": "3600",
    }
    assert function["kms_key_arn"] == "${aws_kms_key.foundation_key-secrets.arn}"


def test_the_function_logs_json_into_a_log_of_ours_and_is_traced(prod: Platform):
    function = only(prod, "aws_lambda_function")
    log = "${aws_cloudwatch_log_group.rotation_log.name}"
    assert function["logging_config"]["log_format"] == "JSON"
    assert function["logging_config"]["log_group"] == log
    assert function["tracing_config"] == {"mode": "Active"}
    # Before the function, which could not join the VPC without it.
    assert function["depends_on"] == ["aws_iam_role_policy.rotation_rotation-policy"]


def test_settings_reach_the_function(otherwise: dict[str, Platform]):
    function = only(otherwise["prod"], "aws_lambda_function")
    assert function["reserved_concurrent_executions"] == 2
    variables = function["environment"]["variables"]
    assert (variables["OWNER_ROLE"], variables["ADOPTED_ROLE"]) == ("shop", "old_shop")
    assert (variables["CONNECTION_LIMIT"], variables["MINIMUM_AGE"]) == ("10", "7200")
    rules = only(otherwise["prod"], "aws_secretsmanager_secret_rotation")["rotation_rules"]
    assert rules == {"schedule_expression": "cron(0 3 1 * ? *)"}


def test_the_functions_role_may_rotate_this_secret_and_nothing_else(prod: Platform):
    may = statements(prod, "rotation", "rotation-permissions")
    rotate = may["RotateCredential"]
    assert rotate["resources"] == [f"${{{SECRET}.arn}}"]
    assert set(rotate["actions"]) == {
        f"secretsmanager:{action}"
        for action in ("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")
    }
    assert conditions(rotate) == {"StringEquals secretsmanager:resource/AllowRotationLambdaArn": [FUNCTION_ARN]}
    # RDS's own secret has no such function, and would be denied.
    assert "condition" not in may["LogInAsMaster"]
    assert may["LogInAsMaster"]["resources"] == ["${aws_rds_cluster.database_cluster.master_user_secret[0].secret_arn}"]
    assert not {"secretsmanager:PutSecretValue"} & set(may["LogInAsMaster"]["actions"])
    assert conditions(may["UseKey"]) == {"StringEquals kms:ViaService": ["secretsmanager.us-west-1.amazonaws.com"]}
    everywhere = {sid for sid, statement in may.items() if statement["resources"] == ["*"]}
    assert everywhere == {"MakePassword", "Trace", "JoinVpc", "LeaveVpcAlone"}
    assert may["LeaveVpcAlone"]["effect"] == "Deny"
    assert may["LeaveVpcAlone"]["actions"] == may["JoinVpc"]["actions"]
    assert conditions(may["LeaveVpcAlone"]) == {"ArnEquals lambda:SourceFunctionArn": [FUNCTION_ARN]}


def test_a_name_that_is_computed_is_the_functions_own(prod: Platform):
    assert only(prod, "aws_lambda_function")["function_name"] == FUNCTION_ARN.rpartition(":")[2]


def test_secrets_manager_may_call_the_function_for_this_secret(prod: Platform):
    assert only(prod, "aws_lambda_permission") == {
        "statement_id": "SecretsManager",
        "action": "lambda:InvokeFunction",
        "function_name": "${aws_lambda_function.rotation_function.function_name}",
        "principal": "secretsmanager.amazonaws.com",
        "source_account": "111122223333",
        "source_arn": f"${{{SECRET}.arn}}",
    }


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_credential_rotates_at_once_and_every_thirty_days(platforms: dict[str, Platform], name: str):
    assert only(platforms[name], "aws_secretsmanager_secret_rotation") == {
        "secret_id": f"${{{SECRET}.id}}",
        "rotation_lambda_arn": "${aws_lambda_function.rotation_function.arn}",
        "rotate_immediately": True,
        "rotation_rules": {"automatically_after_days": 30},
        # Without it the first rotation would begin before it may.
        "depends_on": ["aws_lambda_permission.rotation_permission"],
    }


def definition(platform: Platform, name: str) -> Body:
    machines = {machine["name"]: machine for machine in bodies(platform, "aws_sfn_state_machine").values()}
    return json.loads(machines[f"globecart-prod-{name}"]["definition"])


def reachable(states: dict[str, Body], start: str) -> set[str]:
    """The states that a machine can come to."""
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
def test_state_machines_hold_together_and_tell_of_every_failure(prod: Platform, name: str):
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


def test_a_credential_a_day_older_than_its_interval_is_told(prod: Platform):
    states = definition(prod, "credential-age")["States"]
    (old,) = states["IsOld"]["Choices"]
    assert f"$millis() - {31 * 24 * 60 * 60 * 1000}" in old["Condition"]
    assert old["Next"] == "Tell"
    assert states["Ask"]["Arguments"] == {"SecretId": f"${{{SECRET}.arn}}"}
    assert only(prod, "aws_scheduler_schedule")["schedule_expression"] == "rate(1 day)"


def test_nothing_happens_while_a_deployment_is_under_way(prod: Platform):
    states = definition(prod, "redeployment")["States"]
    (deploying,) = states["IsDeploying"]["Choices"]
    assert deploying == {"Condition": "{% $count($states.input.Services[0].Deployments) > 1 %}", "Next": "Wait"}
    assert states["Wait"] == {"Type": "Wait", "Seconds": 60, "Next": "Look"}
    assert states["Redeploy"]["Resource"] == "arn:aws:states:::aws-sdk:ecs:updateService"
    assert states["Redeploy"]["Arguments"]["ForceNewDeployment"] is True


def test_a_rotation_starts_new_tasks_without_a_trail(prod: Platform):
    rule = bodies(prod, "aws_cloudwatch_event_rule", "service")["credential-rotated"]
    assert json.loads(rule["event_pattern"]) == {
        "source": ["aws.secretsmanager"],
        "detail-type": ["Secret Label Updated"],
        "resources": [f"${{{SECRET}.arn}}"],
        "detail": {"labelUpdated": ["AWSCURRENT"]},
    }
    target = bodies(prod, "aws_cloudwatch_event_target", "service")["credential-rotated-to-redeployment"]
    assert target["arn"] == "${aws_sfn_state_machine.service_redeployment-workflow.arn}"
    assert target["role_arn"] == "${aws_iam_role.service_redeployment-start.arn}"


def test_the_redeployment_is_over_before_a_credential_may_be_replaced(prod: Platform):
    longest = definition(prod, "redeployment")["TimeoutSeconds"]
    assert longest < int(only(prod, "aws_lambda_function")["environment"]["variables"]["MINIMUM_AGE"])


def test_state_machines_may_do_what_they_do(prod: Platform):
    redeploy = statements(prod, "service", "redeployment-permissions")["Redeploy"]
    assert redeploy["actions"] == ["ecs:DescribeServices", "ecs:UpdateService"]
    assert redeploy["resources"] == ["${aws_ecs_service.service_service.id}"]
    assert conditions(redeploy) == {"ArnLike ecs:cluster": ["${aws_ecs_cluster.service_cluster.arn}"]}
    ask = statements(prod, "rotation", "credential-age-permissions")["AskForAge"]
    assert (ask["actions"], ask["resources"]) == (["secretsmanager:DescribeSecret"], [f"${{{SECRET}.arn}}"])
    for tier, name in (("service", "redeployment"), ("rotation", "credential-age")):
        may = statements(prod, tier, f"{name}-permissions")
        assert may["Tell"]["resources"] == [TOPIC]
        trust = statements(prod, tier, f"{name}-trust")["Assume"]
        assert conditions(trust)["ArnLike aws:SourceArn"] == [
            f"arn:aws:states:us-west-1:111122223333:stateMachine:globecart-prod-{name}"
        ]


def test_no_task_starts_before_the_first_rotation(prod: Platform):
    (versions,) = (data.body for data in prod.data if data.type == "aws_secretsmanager_secret_versions")
    assert versions["secret_id"] == f"${{{SECRET}.id}}"
    (after,) = versions["lifecycle"]["postcondition"]
    assert 'contains(version.version_stages, "AWSCURRENT")' in after["condition"]
    assert '!contains(version.version_stages, "AWSPENDING")' in after["condition"]
    assert "docs/rotation.md" in after["error_message"]
    # Late in the tier, and before the service.
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
    assert conditions(may["UseKey"]) == {"StringEquals kms:ViaService": ["secretsmanager.us-west-1.amazonaws.com"]}
    # The application itself may not read it again.
    assert "ReadCredential" not in statements(prod, "service", "service-task-permissions")
