"""Grants of the deployment roles, compared with the resources of all tiers."""

from typing import Any

import pytest

from stacks.access.identities import AWS_MANAGED_POLICIES, PASS_ROLE_SERVICES
from synthesized.caller_permissions import CALLER_PERMISSIONS
from synthesized.platform import Platform
from synthesized.roles import roles_of
from tests.policy.decisions import decide
from tests.synthesized import only

IAM = "arn:aws:iam::111122223333"
REGION_AND_ACCOUNT = "eu-west-3:111122223333"
# Region and account by provider.
REGIONS = {"aws.second_region": "eu-west-2:111122223333", "aws.global_region": "us-east-1:111122223333"}


def test_roles_may_be_passed_exactly_to_the_services_that_they_trust(prod: Platform):
    services = {
        service
        for role in roles_of(prod)
        if role.resource.tier != "access"
        for statement in role.trust
        for service in statement["Principal"]["Service"]
    }
    # AWS Backup passes the role for restores on to the service that tests them.
    passed_on = {permission.keys.get("iam:PassedToService") for permission in CALLER_PERMISSIONS} - {None}
    assert set(PASS_ROLE_SERVICES) == services | passed_on


def test_exactly_the_attached_managed_policies_may_be_attached(prod: Platform):
    attached = {
        each.body["policy_arn"] for each in prod.of_type("aws_iam_role_policy_attachment") if each.tier != "access"
    }
    assert set(AWS_MANAGED_POLICIES) == attached


# Resources that are granted by name: IAM action that creates them, resource part of the ARN, argument with the name.
CREATED_BY_NAME: dict[str, tuple[str, str, str]] = {
    "aws_backup_vault": ("backup:CreateBackupVault", "backup-vault:{}", "name"),
    "aws_cloudtrail": ("cloudtrail:CreateTrail", "trail/{}", "name"),
    "aws_cloudwatch_composite_alarm": ("cloudwatch:PutCompositeAlarm", "alarm:{}", "alarm_name"),
    "aws_cloudwatch_event_rule": ("events:PutRule", "rule/{}", "name"),
    "aws_cloudwatch_log_group": ("logs:CreateLogGroup", "log-group:{}", "name"),
    "aws_cloudwatch_metric_alarm": ("cloudwatch:PutMetricAlarm", "alarm:{}", "alarm_name"),
    "aws_db_event_subscription": ("rds:CreateEventSubscription", "es:{}", "name"),
    "aws_db_parameter_group": ("rds:CreateDBParameterGroup", "pg:{}x", "name_prefix"),
    "aws_db_subnet_group": ("rds:CreateDBSubnetGroup", "subgrp:{}", "name"),
    "aws_ecr_repository": ("ecr:CreateRepository", "repository/{}", "name"),
    "aws_ecs_cluster": ("ecs:CreateCluster", "cluster/{}", "name"),
    "aws_ecs_service": ("ecs:CreateService", "service/acme-prod-cluster/{}", "name"),
    "aws_elasticache_parameter_group": ("elasticache:CreateCacheParameterGroup", "parametergroup:{}", "name"),
    "aws_elasticache_replication_group": (
        "elasticache:CreateReplicationGroup",
        "replicationgroup:{}",
        "replication_group_id",
    ),
    "aws_elasticache_subnet_group": ("elasticache:CreateCacheSubnetGroup", "subnetgroup:{}", "name"),
    "aws_elasticache_user": ("elasticache:CreateUser", "user:{}", "user_id"),
    "aws_elasticache_user_group": ("elasticache:CreateUserGroup", "usergroup:{}", "user_group_id"),
    "aws_lambda_function": ("lambda:CreateFunction", "function:{}", "function_name"),
    "aws_rds_cluster": ("rds:CreateDBCluster", "cluster:{}", "cluster_identifier"),
    "aws_rds_cluster_instance": ("rds:CreateDBInstance", "db:{}", "identifier"),
    "aws_rds_cluster_parameter_group": ("rds:CreateDBClusterParameterGroup", "cluster-pg:{}x", "name_prefix"),
    "aws_scheduler_schedule": ("scheduler:CreateSchedule", "schedule/default/{}", "name"),
    "aws_secretsmanager_secret": ("secretsmanager:CreateSecret", "secret:{}-a1b2c3", "name"),
    "aws_sfn_state_machine": ("states:CreateStateMachine", "stateMachine:{}", "name"),
    "aws_sns_topic": ("sns:CreateTopic", "{}", "name"),
    "aws_wafv2_web_acl": ("wafv2:CreateWebACL", "regional/webacl/{}/1", "name"),
}


@pytest.mark.parametrize("type_", CREATED_BY_NAME)
def test_the_apply_role_may_create_resources_by_name(prod: Platform, type_: str):
    action, arn, argument = CREATED_BY_NAME[type_]
    resources = prod.of_type(type_)
    assert resources
    for resource in resources:
        region = REGIONS.get(resource.body.get("provider", ""), REGION_AND_ACCOUNT)
        resource_arn = f"arn:aws:{action.partition(':')[0]}:{region}:{arn.format(resource.body[argument])}"
        context: dict[str, Any] = {"aws__RequestedRegion": region.partition(":")[0]}
        decision = decide(prod, "apply", action, resource_arn, **context)
        assert decision == "allowed", f"{resource.address}: {argument}: {action} of {resource_arn} is {decision}"


def test_the_apply_role_may_create_buckets_aliases_dashboards_and_roles(prod: Platform):
    for bucket in prod.of_type("aws_s3_bucket"):
        decision = decide(prod, "apply", "s3:CreateBucket", f"arn:aws:s3:::{bucket.body['bucket']}")
        assert decision == "allowed", f"{bucket.address}: bucket: s3:CreateBucket is {decision}"
    for alias in prod.of_type("aws_kms_alias"):
        region = "eu-west-2" if "provider" in alias.body else "eu-west-3"
        arn = f"arn:aws:kms:{region}:111122223333:{alias.body['name']}"
        decision = decide(prod, "apply", "kms:CreateAlias", arn)
        assert decision == "allowed", f"{alias.address}: name: kms:CreateAlias is {decision}"
    dashboard = only(prod, "aws_cloudwatch_dashboard")["dashboard_name"]
    arn = f"arn:aws:cloudwatch::111122223333:dashboard/{dashboard}"
    assert decide(prod, "apply", "cloudwatch:PutDashboard", arn) == "allowed"
    for role in prod.of_type("aws_iam_role"):
        if role.tier != "access":
            arn = f"{IAM}:role{role.body['path']}{role.body['name']}"
            bounded = {"iam__PermissionsBoundary": role.body["permissions_boundary"]}
            assert decide(prod, "apply", "iam:CreateRole", arn, **bounded) == "allowed"
