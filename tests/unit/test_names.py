"""Computed names: each is what a resource is really called, and fits AWS's limits at its longest."""

import pytest

from operations.platform import Platform
from stacks.parts.names import Names
from tests.conftest import ENVIRONMENTS
from tests.synthesized import bodies, statements

NAMES = Names(environment="prod", account="111122223333", region="us-west-1")
# 12 characters are the settings' limit; no Region's name is longer than the second.
LONGEST = Names(environment="a-12-letters", account="111122223333", region="ap-northeast-1")

# The trail is made by a tier that is still to come.
COMPUTED: dict[str, tuple[str, str, str]] = {
    "database": (NAMES.database, "aws_rds_cluster", "cluster_identifier"),
    "database_log": (NAMES.database_log("postgresql"), "aws_cloudwatch_log_group", "name"),
    "flow_logs": (NAMES.flow_logs, "aws_cloudwatch_log_group", "name"),
    "metrics": (NAMES.metrics, "aws_cloudwatch_metric_alarm", "namespace"),
    "of_alarm": (NAMES.of_alarm("database", "cpu"), "aws_cloudwatch_metric_alarm", "alarm_name"),
    "of_bucket": (NAMES.of_bucket("audit"), "aws_s3_bucket", "bucket"),
    "of_resource": (NAMES.of_resource("alarms"), "aws_sns_topic", "name"),
    "role_path": (NAMES.role_path, "aws_iam_role", "path"),
}


@pytest.mark.parametrize(("name", "type_", "argument"), COMPUTED.values(), ids=list(COMPUTED))
def test_a_computed_name_is_a_resources_own(prod: Platform, name: str, type_: str, argument: str):
    assert name in {body[argument] for body in bodies(prod, type_).values()}


def test_state_names_are_the_backends_own(prod: Platform):
    for stack in prod.stacks.values():
        assert stack.backend["bucket"] == NAMES.state_bucket
        assert stack.backend["kms_key_id"] == NAMES.state_key


def test_a_buckets_arn_is_that_of_its_policy(prod: Platform):
    policy = statements(prod, "foundation", "audit-access").values()
    assert NAMES.bucket_arn("audit") in {resource for statement in policy for resource in statement["resources"]}


# AWS's limit of characters for the name of a type.
LIMITS = {
    "aws_s3_bucket": ("bucket", 63),
    "aws_iam_role": ("name", 64),
    "aws_rds_cluster": ("cluster_identifier", 63),
    "aws_rds_cluster_instance": ("identifier", 63),
    "aws_sns_topic": ("name", 256),
    "aws_security_group": ("name", 255),
}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_names_fit_awss_limits_however_long_the_environments_is(platforms: dict[str, Platform], environment: str):
    longer_by = len(LONGEST.environment + LONGEST.region) - len(environment + NAMES.region)
    for type_, (argument, limit) in LIMITS.items():
        for body in bodies(platforms[environment], type_).values():
            assert len(body[argument]) + longer_by <= limit


def test_a_load_balancer_could_have_the_longest_name():
    assert len(LONGEST.load_balancer) <= 32
    assert len(LONGEST.state_bucket) <= 63
