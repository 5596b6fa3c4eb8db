"""Least privilege: every rule holds for all roles and policies of all environments, and finds defects."""

from collections.abc import Callable
from typing import Any

import pytest

from synthesized.platform import Platform
from tests.failures import expect_none
from tests.policy.iam import RULES, secret_readers
from tests.policy.planted import is_noticed, with_added, with_changed, with_statement, with_statement_changed, without

TASK, EXECUTION = "service_service-task", "service_service-execution"
PERMISSIONS, TRUST = f"{TASK}-permissions", f"{TASK}-trust"
CREDENTIAL = "${aws_secretsmanager_secret.rotation_credential.arn}"


@pytest.mark.parametrize("rule", RULES)
def test_rule_holds(everywhere: list[Platform], rule: str):
    for platform in everywhere:
        assert platform.of_type("aws_iam_role")
        expect_none(RULES[rule](platform))


def may(*actions: str, on: tuple[str, ...] = (CREDENTIAL,), **others: Any) -> Callable[[Platform], Platform]:
    """Add a statement to the application's role."""
    statement = {"sid": "Planted", "effect": "Allow", "actions": list(actions), "resources": list(on), **others}
    return lambda prod: with_statement(prod, PERMISSIONS, **statement)


def role(**arguments: Any) -> Callable[[Platform], Platform]:
    """Change arguments of the application's role."""
    return lambda prod: with_changed(prod, f"aws_iam_role.{TASK}", **arguments)


def trusting(**arguments: Any) -> Callable[[Platform], Platform]:
    """Change the trust policy of the application's role."""
    return lambda prod: with_statement_changed(prod, TRUST, "Assume", **arguments)


def attached(arn: str, /, **arguments: Any) -> Callable[[Platform], Platform]:
    """Attach another policy to the application's role, created from the arguments if there are any."""

    def plant(prod: Platform) -> Platform:
        if arguments:
            prod = with_added(prod, "service", "aws_iam_policy", "planted", arguments)
        body = {"role": f"${{aws_iam_role.{TASK}.name}}", "policy_arn": arn}
        return with_added(prod, "service", "aws_iam_role_policy_attachment", "planted", body)

    return plant


def passed(**condition: Any) -> Callable[[Platform], Platform]:
    return may("iam:PassRole", on=("arn:aws:iam::111122223333:role/acme/prod/x",), **condition)


# Rule, violation, defect.
DEFECTS: list[tuple[str, str, Callable[[Platform], Platform]]] = [
    ("wildcard_actions", "Planted: *", may("*")),
    ("wildcard_actions", "Planted: s3:Get*", may("s3:Get*")),
    ("wildcard_actions", "Planted: NotAction", may(not_actions=["iam:*"])),
    ("wildcard_resources", "Planted: s3:GetObject", may("s3:GetObject", on=("*",))),
    ("wildcard_resources", "Planted: s3:GetObject", may("s3:GetObject", on=("arn:aws:s3:::*",))),
    ("wildcard_resources", "kms:Decrypt", may("kms:Decrypt", on=("arn:aws:kms:eu-west-3:111122223333:key/*",))),
    ("wildcard_resources", "sqs:SendMessage", may("sqs:SendMessage", on=("arn:aws:sqs:eu-west-3:*:orders",))),
    ("wildcard_resources", "ec2:CreateNetworkInterface", may("ec2:CreateNetworkInterface", on=("*",))),
    ("wildcard_resources", "names no resource", may("s3:GetObject", on=(), not_resources=["arn:aws:s3:::x/*"])),
    (
        "wildcard_resources",
        "JoinVpc: ec2:CreateNetworkInterface",
        lambda prod: with_statement_changed(prod, "rotation_rotation-permissions", "LeaveVpcAlone", effect="Allow"),
    ),
    ("passing_on", "Planted", passed()),
    (
        "passing_on",
        "Planted",
        passed(condition=[{"test": "StringLike", "variable": "iam:PassedToService", "values": ["*"]}]),
    ),
    (
        "passing_on",
        "Planted",
        may(
            "iam:PassRole",
            on=("arn:aws:iam::111122223333:role/*",),
            condition=[{"test": "StringEquals", "variable": "iam:PassedToService", "values": ["ecs.amazonaws.com"]}],
        ),
    ),
    ("trust", "trusts the service in any account", trusting(condition=[])),
    (
        "trust",
        "trusts the service in any account",
        trusting(condition=[{"test": "StringEquals", "variable": "aws:SourceAccount", "values": ["999999999999"]}]),
    ),
    ("trust", "trusts *", trusting(principals=[{"type": "*", "identifiers": ["*"]}])),
    ("trust", "trusts {'AWS'", trusting(principals=[{"type": "AWS", "identifiers": ["*"]}])),
    (
        "trust",
        "trusts {'Service'",
        trusting(principals=[{"type": "Service", "identifiers": ["ecs-tasks.amazonaws.com", "ec2.amazonaws.com"]}]),
    ),
    ("trust", "sts:TagSession", trusting(actions=["sts:AssumeRole", "sts:TagSession"])),
    ("trust", "trusts {'Service'", lambda prod: with_statement(prod, TRUST, sid="Second", actions=["sts:AssumeRole"])),
    (
        "everyone",
        "aws_sns_topic_policy.foundation_alarms-policy: PublishEvents",
        lambda prod: with_statement_changed(
            prod, "foundation_alarms-access", "PublishEvents", principals=[{"type": "AWS", "identifiers": ["*"]}]
        ),
    ),
    (
        "everyone",
        "aws_kms_key.foundation_key-logs: EncryptTrail",
        lambda prod: with_statement_changed(
            prod, "foundation_key-logs-policy", "EncryptTrail", principals=[{"type": "*", "identifiers": ["*"]}]
        ),
    ),
    (
        "everyone",
        "aws_vpc_endpoint.network_endpoint-secretsmanager: OwnAccount",
        lambda prod: with_statement_changed(prod, "network_endpoint-secretsmanager-policy", "OwnAccount", condition=[]),
    ),
    (
        "everyone",
        "aws_vpc_endpoint.network_endpoint-s3: ImageLayers",
        lambda prod: with_statement_changed(
            prod, "network_endpoint-s3-policy", "ImageLayers", resources=["arn:aws:s3:::*"]
        ),
    ),
    ("bounds", "permissions_boundary", role(permissions_boundary=None)),
    ("bounds", "max_session_duration", role(max_session_duration=43200)),
    ("bounds", "path", role(path="/")),
    ("bounds", "description", role(description="")),
    ("escalation", "EditExistingLambdaFunctionWithRole", may("lambda:UpdateFunctionCode")),
    ("escalation", "CreateEC2WithExistingIP", may("iam:PassRole", "ec2:RunInstances")),
    ("escalation", "iam:PutRolePolicy", may("iam:PutRolePolicy")),
    ("escalation", "kms:PutKeyPolicy", may("kms:PutKeyPolicy")),
    ("escalation", "sts:AssumeRole", may("sts:AssumeRole")),
    ("escalation", "rds-db:connect", may("rds-db:connect")),
    ("escalation", "ssm:GetParameter", may("ssm:GetParameter")),
    (
        "escalation",
        "CreateAccessKey",
        attached(
            "${aws_iam_policy.service_planted.arn}",
            policy='{"Statement": {"Effect": "Allow", "Action": "iam:CreateAccessKey", "Resource": "*"}}',
        ),
    ),
    ("of_aws", "AdministratorAccess", attached("arn:aws:iam::aws:policy/AdministratorAccess")),
    (
        "of_aws",
        "AmazonRDSEnhancedMonitoringRole",
        attached("arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"),
    ),
    (
        "of_aws",
        "1 AWS managed policies, and others",
        lambda prod: with_added(
            prod,
            "database",
            "aws_iam_role_policy",
            "planted",
            {
                "role": "${aws_iam_role.database_database-monitoring.id}",
                "policy": '{"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "x"}]}',
            },
        ),
    ),
    (
        "denials",
        "OnlyServicesMakeGrants: kms:GrantIsForAWSResource",
        lambda prod: with_statement_changed(
            prod,
            "foundation_key-database-policy",
            "OnlyServicesMakeGrants",
            condition=[{"test": "Bool", "variable": "kms:GrantIsForAWSResource", "values": ["false"]}],
        ),
    ),
    (
        "use",
        "aws_sfn_state_machine.service_redeployment-workflow needs xray:GetSamplingRules",
        lambda prod: with_statement_changed(
            prod, "service_redeployment-permissions", "Trace", actions=["xray:PutTraceSegments"]
        ),
    ),
    ("use", "unused", lambda prod: without(prod, "aws_ecs_task_definition.service_task")),
    (
        "use",
        "aws_flow_log.network_flow-log needs logs:PutLogEvents",
        lambda prod: without(prod, "aws_iam_role_policy.network_flow-logs-policy"),
    ),
    (
        "use",
        "database_writer needs logs:PutLogEvents",
        lambda prod: without(prod, "aws_iam_role_policy_attachment.database_database-monitoring-policy"),
    ),
    (
        "use",
        "needs sns:Publish",
        lambda prod: with_statement_changed(prod, "rotation_credential-age-permissions", "Tell", effect="Deny"),
    ),
    (
        "use",
        "needs states:StartExecution on ${aws_sfn_state_machine.service_redeployment-workflow.arn}",
        lambda prod: with_statement_changed(
            prod, "service_redeployment-start-permissions", "Start", resources=[CREDENTIAL]
        ),
    ),
    (
        "use",
        "needs an unknown action to start ${aws_lambda_function.rotation_function.arn}",
        lambda prod: with_changed(
            prod,
            "aws_cloudwatch_event_target.service_credential-rotated-to-redeployment",
            arn="${aws_lambda_function.rotation_function.arn}",
        ),
    ),
    (
        "use",
        "needs an entry in NEEDS for role",
        lambda prod: with_added(prod, "service", "aws_x", "planted", {"role": f"${{aws_iam_role.{TASK}.arn}}"}),
    ),
    ("people", "aws_iam_user.service_planted", lambda prod: with_added(prod, "service", "aws_iam_user", "planted", {})),
]


@pytest.fixture(scope="module")
def before(prod: Platform) -> dict[str, list[str]]:
    """Violations of each rule without a planted defect."""
    return {name: list(rule(prod)) for name, rule in RULES.items()}


@pytest.mark.parametrize(
    ("rule", "violation", "plant"), DEFECTS, ids=[f"{rule}: {violation}" for rule, violation, _ in DEFECTS]
)
def test_rule_finds_the_defect(
    prod: Platform, before: dict[str, list[str]], rule: str, violation: str, plant: Callable[[Platform], Platform]
):
    assert is_noticed(violation, list(RULES[rule](plant(prod))), before[rule])


def test_every_rule_has_a_defect():
    assert {rule for rule, *_ in DEFECTS} == RULES.keys()


# Written by hand, as in docs/security.md.
READERS = {
    "aws_secretsmanager_secret.rotation_credential": {
        "aws_iam_role.rotation_rotation",
        "aws_iam_role.service_service-execution",
    },
    "aws_rds_cluster.database_cluster": {"aws_iam_role.rotation_rotation"},
}


def test_secrets_have_the_expected_readers(everywhere: list[Platform]):
    for platform in everywhere:
        expect_none(
            f"{secret}: secretsmanager:GetSecretValue: for {', '.join(sorted(roles))}, expected: {READERS.get(secret)}"
            for secret, roles in secret_readers(platform).items()
            if roles != READERS.get(secret)
        )
        assert secret_readers(platform).keys() == READERS.keys()


def test_additional_reader_of_a_secret_is_found(prod: Platform):
    planted = may("secretsmanager:GetSecretValue")(prod)
    assert f"aws_iam_role.{TASK}" in secret_readers(planted)["aws_secretsmanager_secret.rotation_credential"]
