"""Computed names fit AWS's limits with the longest names of environment and Region."""

from fnmatch import fnmatchcase

import pytest

from stacks.names import Names
from synthesized.platform import Platform
from tests.conftest import ENVIRONMENTS
from tests.failures import expect_none
from tests.synthesized import conditions, names_of, statements

# The settings allow 12 characters of an environment, and together 24; no Region has a longer name.
LONGEST = Names("a-12-letters", "another-12-x", "111122223333", "ap-northeast-1")

# AWS's maximum length of names by type.
LIMITS = {
    "aws_backup_vault": ("name", 50),
    "aws_backup_plan": ("name", 50),
    "aws_s3_bucket": ("bucket", 63),
    "aws_iam_role": ("name", 64),
    "aws_rds_cluster": ("cluster_identifier", 63),
    "aws_rds_cluster_instance": ("identifier", 63),
    "aws_sns_topic": ("name", 256),
    "aws_security_group": ("name", 255),
    "aws_elasticache_replication_group": ("replication_group_id", 40),
    "aws_elasticache_user": ("user_id", 40),
    "aws_elasticache_user_group": ("user_group_id", 40),
    "aws_lb": ("name", 32),
    "aws_cloudwatch_event_rule": ("name", 64),
    "aws_wafv2_web_acl": ("name", 128),
    "aws_lambda_function": ("function_name", 64),
    "aws_scheduler_schedule": ("name", 64),
    "aws_sfn_state_machine": ("name", 80),
    "aws_cloudwatch_log_group": ("name", 512),
    "aws_cloudtrail": ("name", 128),
}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_names_fit_awss_limits_with_the_longest_environment_name(platforms: dict[str, Platform], environment: str):
    for type_, (argument, limit) in LIMITS.items():
        resources = platforms[environment].of_type(type_)
        assert resources
        for resource in resources:
            name = resource.body[argument].replace(environment, LONGEST.environment, 1)
            name = name.replace(platforms[environment].company, LONGEST.company, 1)
            assert len(name.replace("eu-west-3", LONGEST.region)) <= limit


def test_the_longest_names_reach_a_limit_and_exceed_none():
    assert max(len(name) - limit for _, name, limit in LONGEST.tightest) == 0


def test_the_logs_key_accepts_every_log_group(prod: Platform):
    (patterns,) = conditions(statements(prod, "foundation", "key-logs-policy")["EncryptLogGroups"]).values()
    names = names_of(prod)
    expect_none(
        f"{group.address}: name: {group.body['name']}"
        for group in prod.of_type("aws_cloudwatch_log_group")
        if not any(fnmatchcase(names.arn("logs", f"log-group:{group.body['name']}"), pattern) for pattern in patterns)
    )


def test_computed_names_are_those_of_the_resources(prod: Platform):
    """Policies and backup plans contain names of resources that do not exist yet."""
    names = names_of(prod)
    (balancer,) = (each.body["name"] for each in prod.of_type("aws_lb"))
    assert fnmatchcase(
        names.arn("elasticloadbalancing", f"loadbalancer/app/{balancer}/1a2b"), names.load_balancer_arn_pattern
    )
    assert {names.vault, names.copy_vault} == {each.body["name"] for each in prod.of_type("aws_backup_vault")}
    statements_of_audit = statements(prod, "foundation", "audit-access").values()
    assert names.bucket_arn("audit") in {arn for statement in statements_of_audit for arn in statement["resources"]}
    for stack in prod.stacks.values():
        assert (stack.backend["bucket"], stack.backend["kms_key_id"]) == (names.state_bucket, names.state_key_alias_arn)
