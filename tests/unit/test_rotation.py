"""The rotation tier: secret, function, schedule. See test_redeployment.py for what follows a rotation."""

import pytest

from synthesized.platform import Platform
from tests.synthesized import conditions, only, statements

pytestmark = pytest.mark.tiers("rotation")

SECRET = "aws_secretsmanager_secret.rotation_credential"
FUNCTION_ARN = "arn:aws:lambda:eu-west-3:111122223333:function:acme-prod-rotation"
MASTER_SECRET = "aws_rds_cluster.database_cluster.master_user_secret[0].secret_arn"
TOPIC = "${aws_sns_topic.foundation_alarms.arn}"


def test_terraform_manages_no_version_of_the_secret(platforms: dict[str, Platform]):
    """Terraform would add a removed old version again and overwrite the current one."""
    for name, platform in platforms.items():
        assert only(platform, "aws_secretsmanager_secret")["name"] == f"acme-{name}-database-credential"
        assert not platform.of_type("aws_secretsmanager_secret_version")
        assert not [data for data in platform.data if data.type == "aws_secretsmanager_secret_version"]


def test_the_secret_has_a_key_and_a_recovery_window(prod: Platform, dev: Platform):
    secret = only(prod, "aws_secretsmanager_secret")
    assert secret["kms_key_id"] == "${aws_kms_key.foundation_key-secrets.arn}"
    assert secret["recovery_window_in_days"] == 30
    assert secret["lifecycle"] == {"prevent_destroy": True}
    assert only(dev, "aws_secretsmanager_secret")["recovery_window_in_days"] == 0


def test_other_accounts_the_public_and_plaintext_are_refused(prod: Platform):
    policy = only(prod, "aws_secretsmanager_secret_policy")
    assert policy["block_public_policy"] is True
    access = statements(prod, "rotation", "credential-access")
    assert all(statement["effect"] == "Deny" for statement in access.values())
    assert conditions(access["DenyOtherAccounts"])["StringNotEquals aws:PrincipalAccount"] == ["111122223333"]
    assert access["DenyPlaintext"]["actions"] == ["secretsmanager:*"]


def test_runtime_and_architecture_match_the_package(prod: Platform):
    function = only(prod, "aws_lambda_function")
    assert function["runtime"] == "python3.13"
    assert function["architectures"] == ["arm64"]
    assert function["handler"] == "lambda_rotation.handler.handle"
    assert function["filename"].startswith("assets/")
    assert function["source_code_hash"] == f'${{filebase64sha256("{function["filename"]}")}}'
    assert (prod.stacks["rotation"].folder / function["filename"]).stat().st_size < 8_000_000


def test_the_function_is_in_every_zone_with_its_security_group(variants: dict[str, Platform]):
    assert only(variants["prod"], "aws_lambda_function")["vpc_config"] == {
        "subnet_ids": [f"${{aws_subnet.network_app-{letter}.id}}" for letter in "cba"],
        "security_group_ids": ["${aws_security_group.network_group-rotation.id}"],
    }


def test_the_functions_environment_contains_no_secret(prod: Platform):
    function = only(prod, "aws_lambda_function")
    variables = function["environment"]["variables"]
    cluster = "aws_rds_cluster.database_cluster"
    assert variables == {
        "SECRET_ARN": f"${{{SECRET}.arn}}",
        "MASTER_SECRET_ARN": f"${{{MASTER_SECRET}}}",
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


def test_a_restored_database_without_master_secret_stops_the_plan(prod: Platform):
    (condition,) = only(prod, "aws_lambda_function")["lifecycle"]["precondition"]
    assert condition["condition"] == f'${{({MASTER_SECRET} != "none")}}'


def test_the_function_logs_json_to_our_log_group_and_is_traced(prod: Platform):
    function = only(prod, "aws_lambda_function")
    log = "${aws_cloudwatch_log_group.rotation_log.name}"
    assert function["logging_config"]["log_format"] == "JSON"
    assert function["logging_config"]["log_group"] == log
    assert function["tracing_config"] == {"mode": "Active"}
    # Before the function, which needs it to connect to the VPC.
    assert function["depends_on"] == ["aws_iam_role_policy.rotation_rotation-policy"]


def test_settings_reach_the_function(variants: dict[str, Platform]):
    function = only(variants["prod"], "aws_lambda_function")
    assert function["reserved_concurrent_executions"] == 2
    variables = function["environment"]["variables"]
    assert (variables["OWNER_ROLE"], variables["ADOPTED_ROLE"]) == ("shop", "old_shop")
    assert (variables["CONNECTION_LIMIT"], variables["MINIMUM_AGE"]) == ("10", "7200")
    rules = only(variants["prod"], "aws_secretsmanager_secret_rotation")["rotation_rules"]
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
    # RDS's secret has no rotation function, so the condition would deny access.
    assert "condition" not in may["LogInAsMaster"]
    assert may["LogInAsMaster"]["resources"] == [f"${{{MASTER_SECRET}}}"]
    assert not {"secretsmanager:PutSecretValue"} & set(may["LogInAsMaster"]["actions"])
    assert conditions(may["UseKey"]) == {"StringEquals kms:ViaService": ["secretsmanager.eu-west-3.amazonaws.com"]}
    everywhere = {sid for sid, statement in may.items() if statement["resources"] == ["*"]}
    assert everywhere == {"MakePassword", "Trace", "JoinVpc", "LeaveVpcAlone"}
    assert may["LeaveVpcAlone"]["effect"] == "Deny"
    assert may["LeaveVpcAlone"]["actions"] == may["JoinVpc"]["actions"]
    assert conditions(may["LeaveVpcAlone"]) == {"ArnEquals lambda:SourceFunctionArn": [FUNCTION_ARN]}


def test_the_computed_function_name_is_the_functions(prod: Platform):
    assert only(prod, "aws_lambda_function")["function_name"] == FUNCTION_ARN.rpartition(":")[2]


def test_only_secrets_manager_may_invoke_the_function_for_this_secret(prod: Platform):
    assert only(prod, "aws_lambda_permission") == {
        "statement_id": "SecretsManager",
        "action": "lambda:InvokeFunction",
        "function_name": "${aws_lambda_function.rotation_function.function_name}",
        "principal": "secretsmanager.amazonaws.com",
        "source_account": "111122223333",
        "source_arn": f"${{{SECRET}.arn}}",
    }


def test_the_credential_is_rotated_at_once_and_every_thirty_days(platforms: dict[str, Platform]):
    for platform in platforms.values():
        assert only(platform, "aws_secretsmanager_secret_rotation") == {
            "secret_id": f"${{{SECRET}.id}}",
            "rotation_lambda_arn": "${aws_lambda_function.rotation_function.arn}",
            "rotate_immediately": True,
            "rotation_rules": {"automatically_after_days": 30},
            # The first rotation starts immediately and needs the permission.
            "depends_on": ["aws_lambda_permission.rotation_permission"],
        }
