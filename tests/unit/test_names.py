"""Computed names: each is what a resource is really called, and fits AWS's limits at its longest."""

import pytest

from stacks.names import Names
from synthesized.platform import Platform
from tests.conftest import ENVIRONMENTS
from tests.synthesized import statements

NAMES = Names(environment="prod", account="111122223333", region="us-west-1")
# 12 characters are the settings' limit; no Region's name is longer than the second.
LONGEST = Names(environment="a-12-letters", account="111122223333", region="ap-northeast-1")

COMPUTED: dict[str, tuple[str, str, str]] = {
    "database": (NAMES.database, "aws_rds_cluster", "cluster_identifier"),
    "database_log": (NAMES.database_log("postgresql"), "aws_cloudwatch_log_group", "name"),
    "cache": (NAMES.cache, "aws_elasticache_replication_group", "replication_group_id"),
    "cluster": (NAMES.cluster, "aws_ecs_cluster", "name"),
    "container_insights": (NAMES.container_insights, "aws_cloudwatch_log_group", "name"),
    "firewall": (NAMES.firewall, "aws_wafv2_web_acl", "name"),
    "firewall_log": (NAMES.firewall_log, "aws_cloudwatch_log_group", "name"),
    "load_balancer": (NAMES.load_balancer, "aws_lb", "name"),
    "application_log": (NAMES.application_log, "aws_cloudwatch_log_group", "name"),
    "cache_log": (NAMES.cache_log("slow-log"), "aws_cloudwatch_log_group", "name"),
    "flow_logs": (NAMES.flow_logs, "aws_cloudwatch_log_group", "name"),
    "metrics": (NAMES.metrics, "aws_cloudwatch_metric_alarm", "namespace"),
    "of_alarm": (NAMES.of_alarm("database", "cpu"), "aws_cloudwatch_metric_alarm", "alarm_name"),
    "of_bucket": (NAMES.of_bucket("audit"), "aws_s3_bucket", "bucket"),
    "of_resource": (NAMES.of_resource("alarms"), "aws_sns_topic", "name"),
    "vault": (NAMES.vault, "aws_backup_vault", "name"),
    "copies_vault": (NAMES.copies_vault, "aws_backup_vault", "name"),
    "rotation": (NAMES.rotation, "aws_lambda_function", "function_name"),
    "rotation_log": (NAMES.rotation_log, "aws_cloudwatch_log_group", "name"),
    "trail": (NAMES.trail, "aws_cloudtrail", "name"),
    "trail_log": (NAMES.trail_log, "aws_cloudwatch_log_group", "name"),
    "config_role": (NAMES.config_role, "aws_config_configuration_recorder", "role_arn"),
    "workflow_log": (NAMES.workflow_log("redeployment"), "aws_cloudwatch_log_group", "name"),
    "service": (NAMES.service, "aws_ecs_service", "name"),
    "role_path": (NAMES.role_path, "aws_iam_role", "path"),
}


@pytest.mark.parametrize(("name", "type_", "argument"), COMPUTED.values(), ids=list(COMPUTED))
def test_a_computed_name_is_a_resources_own(prod: Platform, name: str, type_: str, argument: str):
    assert name in {resource.body.get(argument) for resource in prod.of_type(type_)}


def test_state_names_are_the_backends_own(prod: Platform):
    for stack in prod.stacks.values():
        assert stack.backend["bucket"] == NAMES.state_bucket
        assert stack.backend["kms_key_id"] == NAMES.state_key


def test_a_buckets_arn_is_that_of_its_policy(prod: Platform):
    policy = statements(prod, "foundation", "audit-access").values()
    assert NAMES.bucket_arn("audit") in {resource for statement in policy for resource in statement["resources"]}


# AWS's limit of characters for the name of a type.
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
def test_names_fit_awss_limits_however_long_the_environments_is(platforms: dict[str, Platform], environment: str):
    for type_, (argument, limit) in LIMITS.items():
        named = platforms[environment].of_type(type_)
        assert named
        for resource in named:
            name = resource.body[argument].replace(environment, LONGEST.environment)
            assert len(name.replace(NAMES.region, LONGEST.region)) <= limit


def test_the_state_bucket_could_have_the_longest_name():
    assert len(LONGEST.state_bucket) <= 63
