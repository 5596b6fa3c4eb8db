"""How what the tiers make is known from outside: by its ARN, or, without tags of its own, by what it belongs to."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from operations.aws import Account
from operations.platform import Body


@dataclass(frozen=True)
class Kind:
    """What has tags of its own, as its ARN tells it."""

    arn: str
    """Regular expression of service and resource; its group is the id."""
    type: str
    """Terraform's name of it."""
    deleted: str
    """Cloud Control's name of it, for `aws cloudcontrol delete-resource`."""
    by_arn: bool = False
    """Terraform and Cloud Control want the ARN, not the id."""


KINDS = (
    Kind(r"acm:certificate/(.+)", "aws_acm_certificate", "AWS::CertificateManager::Certificate", by_arn=True),
    Kind(r"cloudwatch:alarm:(.+)", "aws_cloudwatch_composite_alarm", "AWS::CloudWatch::CompositeAlarm"),
    Kind(r"cloudwatch:alarm:(.+)", "aws_cloudwatch_metric_alarm", "AWS::CloudWatch::Alarm"),
    Kind(r"ec2:elastic-ip/(.+)", "aws_eip", "AWS::EC2::EIP"),
    Kind(r"ec2:internet-gateway/(.+)", "aws_internet_gateway", "AWS::EC2::InternetGateway"),
    Kind(r"ec2:natgateway/(.+)", "aws_nat_gateway", "AWS::EC2::NatGateway"),
    Kind(r"ec2:network-acl/(.+)", "aws_network_acl", "AWS::EC2::NetworkAcl"),
    Kind(r"ec2:route-table/(.+)", "aws_route_table", "AWS::EC2::RouteTable"),
    Kind(r"ec2:security-group/(.+)", "aws_security_group", "AWS::EC2::SecurityGroup"),
    # What a VPC comes with: the next apply takes it over again.
    Kind(r"ec2:network-acl/(.+)", "aws_default_network_acl", ""),
    Kind(r"ec2:route-table/(.+)", "aws_default_route_table", ""),
    Kind(r"ec2:security-group/(.+)", "aws_default_security_group", ""),
    Kind(r"ec2:security-group-rule/(.+)", "aws_vpc_security_group_egress_rule", "AWS::EC2::SecurityGroupEgress"),
    Kind(r"ec2:security-group-rule/(.+)", "aws_vpc_security_group_ingress_rule", "AWS::EC2::SecurityGroupIngress"),
    Kind(r"ec2:subnet/(.+)", "aws_subnet", "AWS::EC2::Subnet"),
    Kind(r"ec2:vpc-endpoint/(.+)", "aws_vpc_endpoint", "AWS::EC2::VPCEndpoint"),
    Kind(r"ec2:vpc-flow-log/(.+)", "aws_flow_log", "AWS::EC2::FlowLog"),
    Kind(r"ec2:vpc/(.+)", "aws_vpc", "AWS::EC2::VPC"),
    Kind(r"ecr:repository/(.+)", "aws_ecr_repository", "AWS::ECR::Repository"),
    Kind(r"ecs:cluster/(.+)", "aws_ecs_cluster", "AWS::ECS::Cluster"),
    Kind(r"ecs:service/(.+)", "aws_ecs_service", "AWS::ECS::Service"),
    Kind(r"ecs:task-definition/(.+)", "aws_ecs_task_definition", "AWS::ECS::TaskDefinition", by_arn=True),
    Kind(r"elasticache:parametergroup:(.+)", "aws_elasticache_parameter_group", "AWS::ElastiCache::ParameterGroup"),
    Kind(
        r"elasticache:replicationgroup:(.+)", "aws_elasticache_replication_group", "AWS::ElastiCache::ReplicationGroup"
    ),
    Kind(r"elasticache:subnetgroup:(.+)", "aws_elasticache_subnet_group", "AWS::ElastiCache::SubnetGroup"),
    Kind(r"elasticache:user:(.+)", "aws_elasticache_user", "AWS::ElastiCache::User"),
    Kind(r"elasticache:usergroup:(.+)", "aws_elasticache_user_group", "AWS::ElastiCache::UserGroup"),
    Kind(r"elasticfilesystem:access-point/(.+)", "aws_efs_access_point", "AWS::EFS::AccessPoint"),
    Kind(r"elasticfilesystem:file-system/(.+)", "aws_efs_file_system", "AWS::EFS::FileSystem"),
    Kind(
        r"elasticloadbalancing:listener/(.+)", "aws_lb_listener", "AWS::ElasticLoadBalancingV2::Listener", by_arn=True
    ),
    Kind(r"elasticloadbalancing:loadbalancer/(.+)", "aws_lb", "AWS::ElasticLoadBalancingV2::LoadBalancer", by_arn=True),
    Kind(
        r"elasticloadbalancing:targetgroup/(.+)",
        "aws_lb_target_group",
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        by_arn=True,
    ),
    Kind(r"events:rule/(.+)", "aws_cloudwatch_event_rule", "AWS::Events::Rule"),
    Kind(r"iam:role/(?:.+/)?(.+)", "aws_iam_role", "AWS::IAM::Role"),
    Kind(r"kms:key/(.+)", "aws_kms_key", "AWS::KMS::Key"),
    Kind(r"lambda:function:(.+)", "aws_lambda_function", "AWS::Lambda::Function"),
    Kind(r"logs:log-group:([^:]+)(?::\*)?", "aws_cloudwatch_log_group", "AWS::Logs::LogGroup"),
    Kind(r"rds:cluster-pg:(.+)", "aws_rds_cluster_parameter_group", "AWS::RDS::DBClusterParameterGroup"),
    Kind(r"rds:cluster:(.+)", "aws_rds_cluster", "AWS::RDS::DBCluster"),
    Kind(r"rds:db:(.+)", "aws_rds_cluster_instance", "AWS::RDS::DBInstance"),
    Kind(r"rds:es:(.+)", "aws_db_event_subscription", "AWS::RDS::EventSubscription"),
    Kind(r"rds:pg:(.+)", "aws_db_parameter_group", "AWS::RDS::DBParameterGroup"),
    Kind(r"rds:subgrp:(.+)", "aws_db_subnet_group", "AWS::RDS::DBSubnetGroup"),
    Kind(r"s3:(.+)", "aws_s3_bucket", "AWS::S3::Bucket"),
    Kind(r"secretsmanager:secret:(.+)", "aws_secretsmanager_secret", "AWS::SecretsManager::Secret", by_arn=True),
    Kind(r"sns:(.+)", "aws_sns_topic", "AWS::SNS::Topic", by_arn=True),
    Kind(r"states:stateMachine:(.+)", "aws_sfn_state_machine", "AWS::StepFunctions::StateMachine", by_arn=True),
    Kind(r"wafv2:regional/webacl/(.+)", "aws_wafv2_web_acl", "AWS::WAFv2::WebACL"),
)


def is_leaving(account: Account, arn: str) -> bool:
    """Whether it was deleted already, and AWS keeps it for a while."""
    service, id = arn.split(":")[2], arn.rpartition("/")[2]
    if service == "kms":
        return account.client("kms").describe_key(KeyId=id)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    if service == "secretsmanager":
        return "DeletedDate" in account.client("secretsmanager").describe_secret(SecretId=arn)
    if ":task-definition/" in arn:
        described = account.client("ecs").describe_task_definition(taskDefinition=arn)
        return described["taskDefinition"]["status"] != "ACTIVE"
    return False


Ask = Callable[[Account, Body], str | None]
"""Asks AWS for the one that a body describes: its id for `terraform import`, or None where it is not there."""


def _alias(account: Account, body: Body) -> str | None:
    pages = account.client("kms").get_paginator("list_aliases").paginate()
    return next(
        (alias["AliasName"] for page in pages for alias in page["Aliases"] if alias["AliasName"] == body["name"]), None
    )


def _route(account: Account, body: Body) -> str | None:
    table, to = body["route_table_id"], body["destination_cidr_block"]
    (described,) = account.client("ec2").describe_route_tables(RouteTableIds=[table])["RouteTables"]
    return f"{table}_{to}" if to in {route.get("DestinationCidrBlock") for route in described["Routes"]} else None


def _association(account: Account, body: Body) -> str | None:
    table, subnet = body["route_table_id"], body["subnet_id"]
    (described,) = account.client("ec2").describe_route_tables(RouteTableIds=[table])["RouteTables"]
    associated = {association.get("SubnetId") for association in described["Associations"]}
    return f"{subnet}/{table}" if subnet in associated else None


def _mount_target(account: Account, body: Body) -> str | None:
    targets = account.client("efs").describe_mount_targets(FileSystemId=body["file_system_id"])["MountTargets"]
    return next((target["MountTargetId"] for target in targets if target["SubnetId"] == body["subnet_id"]), None)


def _permission(account: Account, body: Body) -> str | None:
    client = account.client("lambda")
    try:
        policy = json.loads(client.get_policy(FunctionName=body["function_name"])["Policy"])
    except client.exceptions.ResourceNotFoundException:
        return None
    statement = body["statement_id"]
    return (
        f"{body['function_name']}/{statement}" if statement in {each["Sid"] for each in policy["Statement"]} else None
    )


def _query(account: Account, body: Body) -> str | None:
    found = account.client("logs").describe_query_definitions(queryDefinitionNamePrefix=body["name"])
    ids = [query["queryDefinitionId"] for query in found["queryDefinitions"] if query["name"] == body["name"]]
    return account.names.arn("logs", f"query-definition:{ids[0]}") if ids else None


def _schedule(account: Account, body: Body) -> str | None:
    client = account.client("scheduler")
    try:
        schedule = client.get_schedule(Name=body["name"])
    except client.exceptions.ResourceNotFoundException:
        return None
    return f"{schedule['GroupName']}/{schedule['Name']}"


# All else without tags is set anew by the next apply, without harm.
UNTAGGED: Mapping[str, Ask] = {
    "aws_cloudwatch_query_definition": _query,
    "aws_efs_mount_target": _mount_target,
    "aws_kms_alias": _alias,
    "aws_lambda_permission": _permission,
    "aws_route": _route,
    "aws_route_table_association": _association,
    "aws_scheduler_schedule": _schedule,
}
