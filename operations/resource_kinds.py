"""How what the tiers make is known from outside: by its ARN, or, without tags of its own, by what it belongs to."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from operations.account import Account
from operations.errors import found
from stacks.names import Names


@dataclass(frozen=True)
class Kind:
    """What has tags of its own, as its ARN tells it."""

    arn: str
    """Regular expression of service and resource."""
    type: str
    """Terraform's name of it."""
    deleted: str
    """Cloud Control's name of it; or, where that asks for more than the ARN tells, the command that deletes it; or
    nothing, where the next apply takes over what is there."""
    imported: str = "{1}"
    """What Terraform takes: of the ARN, 0, and the expression's groups."""
    identifier: str = "{1}"
    """What Cloud Control takes: of the same."""

    def match(self, arn: str) -> "Match | None":
        """The ARN as one of this kind."""
        match = re.fullmatch(self.arn, resource_of(arn))
        return Match(self, arn, match.groups()) if match else None


@dataclass(frozen=True)
class Match:
    """An ARN as one of a kind."""

    kind: Kind
    arn: str
    groups: tuple[str, ...]

    @property
    def id(self) -> str:
        """As `terraform import` takes it."""
        return self.kind.imported.format(self.arn, *self.groups)

    @property
    def deletion(self) -> str:
        """What deletes it."""
        if not self.kind.deleted.startswith("AWS::"):
            return self.kind.deleted.format(self.arn, *self.groups)
        identifier = self.kind.identifier.format(self.arn, *self.groups)
        return f"aws cloudcontrol delete-resource --type-name {self.kind.deleted} --identifier '{identifier}'"


def resource_of(arn: str) -> str:
    """Service and resource of an ARN."""
    _, _, service, _, _, resource = arn.split(":", 5)
    return f"{service}:{resource}"


def region_of(arn: str) -> str | None:
    """The Region of an ARN; None where it names none, as a bucket's."""
    return arn.split(":")[3] or None


ARN = "{0}"

KINDS = (
    Kind(r"acm:certificate/(.+)", "aws_acm_certificate", "AWS::CertificateManager::Certificate", ARN, ARN),
    Kind(r"backup:backup-plan:(.+)", "aws_backup_plan", "AWS::Backup::BackupPlan"),
    Kind(r"backup:backup-vault:(.+)", "aws_backup_vault", "AWS::Backup::BackupVault"),
    Kind(
        r"backup:restore-testing-plan:(\w+)-[\w-]{36}",
        "aws_backup_restore_testing_plan",
        "AWS::Backup::RestoreTestingPlan",
    ),
    Kind(r"cloudtrail:trail/(.+)", "aws_cloudtrail", "AWS::CloudTrail::Trail", ARN),
    Kind(r"cloudwatch:alarm:(.+)", "aws_cloudwatch_composite_alarm", "AWS::CloudWatch::CompositeAlarm"),
    Kind(r"cloudwatch:alarm:(.+)", "aws_cloudwatch_metric_alarm", "AWS::CloudWatch::Alarm"),
    Kind(r"ec2:elastic-ip/(.+)", "aws_eip", "aws ec2 release-address --allocation-id {1}"),
    Kind(r"ec2:internet-gateway/(.+)", "aws_internet_gateway", "AWS::EC2::InternetGateway"),
    # What a VPC comes with: the next apply takes it over again.
    Kind(r"ec2:network-acl/(.+)", "aws_default_network_acl", ""),
    Kind(r"ec2:route-table/(.+)", "aws_default_route_table", ""),
    Kind(r"ec2:security-group/(.+)", "aws_default_security_group", ""),
    Kind(r"ec2:natgateway/(.+)", "aws_nat_gateway", "AWS::EC2::NatGateway"),
    Kind(r"ec2:network-acl/(.+)", "aws_network_acl", "AWS::EC2::NetworkAcl"),
    Kind(r"ec2:route-table/(.+)", "aws_route_table", "AWS::EC2::RouteTable"),
    Kind(r"ec2:security-group/(.+)", "aws_security_group", "AWS::EC2::SecurityGroup"),
    Kind(r"ec2:security-group-rule/(.+)", "aws_vpc_security_group_egress_rule", "AWS::EC2::SecurityGroupEgress"),
    Kind(r"ec2:security-group-rule/(.+)", "aws_vpc_security_group_ingress_rule", "AWS::EC2::SecurityGroupIngress"),
    Kind(r"ec2:subnet/(.+)", "aws_subnet", "AWS::EC2::Subnet"),
    Kind(r"ec2:vpc-endpoint/(.+)", "aws_vpc_endpoint", "AWS::EC2::VPCEndpoint"),
    Kind(r"ec2:vpc-flow-log/(.+)", "aws_flow_log", "AWS::EC2::FlowLog"),
    Kind(r"ec2:vpc/(.+)", "aws_vpc", "AWS::EC2::VPC"),
    Kind(r"ecr:repository/(.+)", "aws_ecr_repository", "AWS::ECR::Repository"),
    Kind(r"ecs:cluster/(.+)", "aws_ecs_cluster", "AWS::ECS::Cluster"),
    Kind(r"ecs:service/(.+)/(.+)", "aws_ecs_service", "AWS::ECS::Service", "{1}/{2}", "{0}|{1}"),
    Kind(r"ecs:task-definition/(.+)", "aws_ecs_task_definition", "AWS::ECS::TaskDefinition", ARN, ARN),
    Kind(r"elasticache:parametergroup:(.+)", "aws_elasticache_parameter_group", "AWS::ElastiCache::ParameterGroup"),
    Kind(
        r"elasticache:replicationgroup:(.+)", "aws_elasticache_replication_group", "AWS::ElastiCache::ReplicationGroup"
    ),
    Kind(r"elasticache:subnetgroup:(.+)", "aws_elasticache_subnet_group", "AWS::ElastiCache::SubnetGroup"),
    Kind(r"elasticache:user:(.+)", "aws_elasticache_user", "AWS::ElastiCache::User"),
    Kind(r"elasticache:usergroup:(.+)", "aws_elasticache_user_group", "AWS::ElastiCache::UserGroup"),
    Kind(r"elasticfilesystem:access-point/(.+)", "aws_efs_access_point", "AWS::EFS::AccessPoint"),
    Kind(r"elasticfilesystem:file-system/(.+)", "aws_efs_file_system", "AWS::EFS::FileSystem"),
    Kind(r"elasticloadbalancing:listener/(.+)", "aws_lb_listener", "AWS::ElasticLoadBalancingV2::Listener", ARN, ARN),
    Kind(r"elasticloadbalancing:loadbalancer/(.+)", "aws_lb", "AWS::ElasticLoadBalancingV2::LoadBalancer", ARN, ARN),
    Kind(
        r"elasticloadbalancing:targetgroup/(.+)",
        "aws_lb_target_group",
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        ARN,
        ARN,
    ),
    Kind(r"events:rule/(.+)", "aws_cloudwatch_event_rule", "AWS::Events::Rule", "default/{1}", ARN),
    Kind(r"guardduty:detector/([^/]+)", "aws_guardduty_detector", "AWS::GuardDuty::Detector"),
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
    Kind(r"secretsmanager:secret:(.+)", "aws_secretsmanager_secret", "AWS::SecretsManager::Secret", ARN, ARN),
    Kind(r"sns:(.+)", "aws_sns_topic", "AWS::SNS::Topic", ARN, ARN),
    Kind(r"states:stateMachine:(.+)", "aws_sfn_state_machine", "AWS::StepFunctions::StateMachine", ARN, ARN),
    Kind(
        r"wafv2:regional/webacl/(.+)/(.+)",
        "aws_wafv2_web_acl",
        "AWS::WAFv2::WebACL",
        "{2}/{1}/REGIONAL",
        "{1}|{2}|REGIONAL",
    ),
)

# What carries a tier's tags and needs nobody's care, by the expression that an ARN is known by.
PASSED_OVER: Mapping[str, str] = {
    r"application-autoscaling:scalable-target/.+": "the next apply registers it again, without harm",
    r"backup:recovery-point:.+": "a backup outlives what it is of",
    r"config:config-rule/.+": "the next apply puts it again, without harm",
    r"ec2:network-interface/.+": "comes and goes with a task",
    r"ecs:task/.+": "comes and goes with its service",
    r"elasticache:cluster:.+": "a node of a replication group",
    r"elasticache:snapshot:.+": "a backup outlives what it is of",
    r"rds:(?:cluster-)?snapshot:.+": "a backup outlives what it is of",
}


def tagged(
    client: Callable[[str, str], Any], names: Names, tier: str | None = None, kind: str | None = None
) -> Iterator[dict[str, Any]]:
    """What the tiers of an environment have made, in its Regions: ARN and tags, as the Tagging API tells them.

    Args:
        client: of a service in a Region.
        tier: of this one alone.
        kind: of this type alone, as the Tagging API calls it.
    """
    filters = [
        {"Key": "Environment", "Values": [names.environment]},
        {"Key": "ManagedBy", "Values": ["cdktf"]},
        {"Key": "Tier", **({"Values": [tier]} if tier else {})},
    ]
    for region in names.regions:
        pages = client("resourcegroupstaggingapi", region).get_paginator("get_resources")
        for page in pages.paginate(TagFilters=filters, ResourceTypeFilters=[kind] if kind else []):
            yield from page["ResourceTagMappingList"]


def needs_nobody(account: Account, arn: str) -> bool:
    """Whether what carries a tier's tags is no resource that a state should know."""
    return any(re.fullmatch(passed, resource_of(arn)) for passed in PASSED_OVER) or is_leaving(account, arn)


def is_leaving(account: Account, arn: str) -> bool:
    """Whether it was deleted already, and AWS keeps it, or its tags, for a while."""
    service, id = arn.split(":")[2], arn.rpartition("/")[2]
    if service == "kms":
        key = found(account.client("kms", region_of(arn)).describe_key, "NotFoundException", KeyId=id)
        return key is None or key["KeyMetadata"]["KeyState"] == "PendingDeletion"
    if service == "secretsmanager":
        ask = account.client("secretsmanager").describe_secret
        secret = found(ask, "ResourceNotFoundException", SecretId=arn)
        return secret is None or "DeletedDate" in secret
    if ":natgateway/" in arn:
        answer = found(account.client("ec2").describe_nat_gateways, "NatGatewayNotFound", NatGatewayIds=[id])
        return not answer or all(gate["State"] in {"deleting", "deleted"} for gate in answer["NatGateways"])
    if ":cluster/" in arn and service == "ecs":
        clusters = account.client("ecs").describe_clusters(clusters=[arn])["clusters"]
        return all(cluster["status"] == "INACTIVE" for cluster in clusters)
    if ":service/" in arn and service == "ecs":
        cluster = arn.split("/")[1]
        answer = found(
            account.client("ecs").describe_services, "ClusterNotFoundException", cluster=cluster, services=[arn]
        )
        return not answer or all(each["status"] != "ACTIVE" for each in answer["services"])
    if ":task-definition/" in arn:
        described = account.client("ecs").describe_task_definition(taskDefinition=arn)
        return described["taskDefinition"]["status"] != "ACTIVE"
    return False


@dataclass(frozen=True)
class Untagged:
    """What has no tags that can be searched for."""

    arguments: tuple[str, ...]
    """What Terraform is told of it, and what it is known by."""
    ask: Callable[..., str | None]
    """Asks an account for the one with these: its id for `terraform import`, or None where it is not there."""


def _alias(account: Account, name: str) -> str | None:
    pages = (
        page
        for region in account.names.regions
        for page in account.client("kms", region).get_paginator("list_aliases").paginate()
    )
    return next((alias["AliasName"] for page in pages for alias in page["Aliases"] if alias["AliasName"] == name), None)


def _backup_selection(account: Account, plan: str, name: str) -> str | None:
    client = account.client("backup")
    answer = found(client.list_backup_selections, "ResourceNotFoundException", BackupPlanId=plan)
    selections = answer["BackupSelectionsList"] if answer else []
    ids = [each["SelectionId"] for each in selections if each["SelectionName"] == name]
    return f"{plan}|{ids[0]}" if ids else None


def _replication(account: Account, file_system: str) -> str | None:
    ask = account.client("efs").describe_replication_configurations
    answer = found(ask, "ReplicationNotFound", "FileSystemNotFound", FileSystemId=file_system)
    return file_system if answer and answer["Replications"] else None


def _restore_selection(account: Account, plan: str, name: str) -> str | None:
    ask = account.client("backup").get_restore_testing_selection
    names = {"RestoreTestingPlanName": plan, "RestoreTestingSelectionName": name}
    return f"{name}:{plan}" if found(ask, "ResourceNotFoundException", **names) else None


def _policy(account: Account, path: str, name: str) -> str | None:
    arn = f"arn:aws:iam::{account.settings.account}:policy{path}{name}"
    return arn if found(account.client("iam").get_policy, "NoSuchEntity", PolicyArn=arn) else None


def _provider(account: Account, url: str) -> str | None:
    arn = f"arn:aws:iam::{account.settings.account}:oidc-provider/{url.removeprefix('https://')}"
    ask = account.client("iam").get_open_id_connect_provider
    return arn if found(ask, "NoSuchEntity", OpenIDConnectProviderArn=arn) else None


def _role(account: Account, name: str) -> str | None:
    return name if found(account.client("iam").get_role, "NoSuchEntity", RoleName=name) else None


def _route(account: Account, table: str, to: str) -> str | None:
    routes = _of_table(account, table, "Routes")
    return f"{table}_{to}" if to in {route.get("DestinationCidrBlock") for route in routes} else None


def _association(account: Account, table: str, subnet: str) -> str | None:
    associations = _of_table(account, table, "Associations")
    return f"{subnet}/{table}" if subnet in {each.get("SubnetId") for each in associations} else None


def _of_table(account: Account, table: str, what: str) -> list[Mapping[str, str]]:
    ask = account.client("ec2").describe_route_tables
    answer = found(ask, "InvalidRouteTableID.NotFound", RouteTableIds=[table])
    return answer["RouteTables"][0][what] if answer else []


def _hub(account: Account) -> str | None:
    hub = found(account.client("securityhub").describe_hub, "InvalidAccessException")
    return account.settings.account if hub else None


def _mount_target(account: Account, file_system: str, subnet: str) -> str | None:
    answer = found(account.client("efs").describe_mount_targets, "FileSystemNotFound", FileSystemId=file_system)
    targets = answer["MountTargets"] if answer else []
    return next((target["MountTargetId"] for target in targets if target["SubnetId"] == subnet), None)


def _permission(account: Account, function: str, statement: str) -> str | None:
    answer = found(account.client("lambda").get_policy, "ResourceNotFoundException", FunctionName=function)
    statements = json.loads(answer["Policy"])["Statement"] if answer else []
    return f"{function}/{statement}" if statement in {each["Sid"] for each in statements} else None


def _query(account: Account, name: str) -> str | None:
    answer = account.client("logs").describe_query_definitions(queryDefinitionNamePrefix=name)
    ids = [query["queryDefinitionId"] for query in answer["queryDefinitions"] if query["name"] == name]
    return account.names.arn("logs", f"query-definition:{ids[0]}") if ids else None


def _record(account: Account, name: str, type_: str) -> str | None:
    client = account.client("route53")
    pages = client.get_paginator("list_hosted_zones").paginate()
    zones = [zone for page in pages for zone in page["HostedZones"] if not zone["Config"]["PrivateZone"]]
    around = [zone for zone in zones if f".{name}.".endswith(f".{zone['Name']}")]
    if not around:
        return None
    zone = max(around, key=lambda zone: len(zone["Name"]))["Id"].rpartition("/")[2]
    first = client.list_resource_record_sets(
        HostedZoneId=zone, StartRecordName=name, StartRecordType=type_, MaxItems="1"
    )["ResourceRecordSets"]
    is_there = [(record["Name"], record["Type"]) for record in first] == [(f"{name}.", type_)]
    return f"{zone}_{name}_{type_}" if is_there else None


def _schedule(account: Account, name: str) -> str | None:
    schedule = found(account.client("scheduler").get_schedule, "ResourceNotFoundException", Name=name)
    return f"{schedule['GroupName']}/{name}" if schedule else None


# All else without tags is put again by the next apply, without harm.
UNTAGGED: Mapping[str, Untagged] = {
    "aws_backup_restore_testing_selection": Untagged(("restore_testing_plan_name", "name"), _restore_selection),
    "aws_backup_selection": Untagged(("plan_id", "name"), _backup_selection),
    "aws_cloudwatch_query_definition": Untagged(("name",), _query),
    "aws_efs_mount_target": Untagged(("file_system_id", "subnet_id"), _mount_target),
    "aws_efs_replication_configuration": Untagged(("source_file_system_id",), _replication),
    # These have tags, which the Tagging API does not search, or in another Region.
    "aws_iam_openid_connect_provider": Untagged(("url",), _provider),
    "aws_iam_policy": Untagged(("path", "name"), _policy),
    "aws_iam_role": Untagged(("name",), _role),
    "aws_kms_alias": Untagged(("name",), _alias),
    "aws_lambda_permission": Untagged(("function_name", "statement_id"), _permission),
    "aws_route": Untagged(("route_table_id", "destination_cidr_block"), _route),
    "aws_route53_record": Untagged(("name", "type"), _record),
    "aws_route_table_association": Untagged(("route_table_id", "subnet_id"), _association),
    "aws_scheduler_schedule": Untagged(("name",), _schedule),
    "aws_securityhub_account": Untagged((), _hub),
}
