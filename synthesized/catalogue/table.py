"""The catalogue: a row for each resource type that the stacks have, and for types that they must not have.

Grouped by tier, in the order in which pictures list them. A type that several tiers use is listed under the first.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stacks.own_tiers import own_tiers
from synthesized.catalogue import descriptions, lookups, vpc, zone_loss
from synthesized.catalogue.row import Idempotent, Lookup, Row, SeparateResource, Tagged, Traffic

if TYPE_CHECKING:
    from stacks.own_tier import ResourceType

ARN = "{0}"
BUCKET_ARGUMENTS = (
    "lifecycle_rule",
    "logging",
    "object_lock_configuration",
    "replication_configuration",
    "server_side_encryption_configuration",
    "versioning",
)


def peers(rules: Sequence[Mapping[str, Any]]) -> int:
    """Number of peers in a security group's rules: the provider merges rules for the same ports."""
    kinds = ("cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids", "security_groups")
    return sum(sum(len(rule.get(kind) or ()) for kind in kinds) + bool(rule.get("self")) for rule in rules)


CATALOGUE: Mapping[str, Row] = {
    # Foundation.
    "aws_kms_key": Row(
        Tagged(r"kms:key/(.+)", "AWS::KMS::Key", describe=descriptions.key, not_found_codes=("NotFoundException",)),
        noun="KMS key",
    ),
    "aws_kms_alias": Row(Lookup(lookups.alias, ("name",))),
    "aws_s3_bucket": Row(
        Tagged(r"s3:(.+)", "AWS::S3::Bucket"), noun="log bucket", separate_resources=dict.fromkeys(BUCKET_ARGUMENTS)
    ),
    "aws_s3_bucket_lifecycle_configuration": Row(Idempotent("PutBucketLifecycleConfiguration")),
    "aws_s3_bucket_logging": Row(Idempotent("PutBucketLogging")),
    "aws_s3_bucket_object_lock_configuration": Row(Idempotent("PutObjectLockConfiguration")),
    "aws_s3_bucket_ownership_controls": Row(Idempotent("PutBucketOwnershipControls")),
    "aws_s3_bucket_policy": Row(Idempotent("PutBucketPolicy"), denied_without_tls="s3:*"),
    "aws_s3_bucket_public_access_block": Row(Idempotent("PutPublicAccessBlock")),
    "aws_s3_bucket_server_side_encryption_configuration": Row(Idempotent("PutBucketEncryption")),
    "aws_s3_bucket_versioning": Row(Idempotent("PutBucketVersioning")),
    "aws_sns_topic": Row(
        Tagged(r"sns:(.+)", "AWS::SNS::Topic", ARN, ARN), noun="alarm topic", keys={"kms_master_key_id": "alarms"}
    ),
    "aws_sns_topic_policy": Row(Idempotent("SetTopicAttributes"), denied_without_tls="sns:Publish"),
    # Returns the existing subscription.
    "aws_sns_topic_subscription": Row(Idempotent("Subscribe")),
    "aws_ecr_repository": Row(
        Tagged(r"ecr:repository/(.+)", "AWS::ECR::Repository"),
        noun="image repository",
        plural="image repositories",
        keys={"encryption_configuration.kms_key": "images"},
    ),
    "aws_ecr_lifecycle_policy": Row(Idempotent("PutLifecyclePolicy")),
    "aws_ecr_repository_policy": Row(Idempotent("SetRepositoryPolicy")),
    # Audit.
    "aws_cloudtrail": Row(Tagged(r"cloudtrail:trail/(.+)", "AWS::CloudTrail::Trail", ARN), noun="trail"),
    "aws_guardduty_detector": Row(
        Tagged(r"guardduty:detector/([^/]+)", "AWS::GuardDuty::Detector"),
        noun="GuardDuty detector",
        # The older form of the features: AWS gives both the same status.
        separate_resources={"datasources": None},
    ),
    "aws_guardduty_detector_feature": Row(Idempotent("UpdateDetector")),
    "aws_securityhub_account": Row(Lookup(lookups.hub, (), ("InvalidAccessException",))),
    "aws_securityhub_standards_subscription": Row(Idempotent("BatchEnableStandards"), noun="Security Hub standard"),
    "aws_config_config_rule": Row(Idempotent("PutConfigRule", r"config:config-rule/.+"), noun="Config rule"),
    "aws_config_configuration_recorder": Row(Idempotent("PutConfigurationRecorder")),
    "aws_config_configuration_recorder_status": Row(Idempotent("StartConfigurationRecorder")),
    "aws_config_delivery_channel": Row(Idempotent("PutDeliveryChannel")),
    "aws_inspector2_enabler": Row(Idempotent("Enable"), noun="Inspector"),
    # Recovery.
    "aws_backup_vault": Row(
        Tagged(r"backup:backup-vault:(.+)", "AWS::Backup::BackupVault"),
        noun="locked vault",
        keys={"kms_key_arn": "backups"},
    ),
    "aws_backup_vault_lock_configuration": Row(Idempotent("PutBackupVaultLockConfiguration")),
    "aws_backup_vault_policy": Row(Idempotent("PutBackupVaultAccessPolicy")),
    "aws_backup_plan": Row(Tagged(r"backup:backup-plan:(.+)", "AWS::Backup::BackupPlan"), noun="backup plan"),
    "aws_backup_selection": Row(Lookup(lookups.backup_selection, ("plan_id", "name"), ("ResourceNotFoundException",))),
    "aws_backup_restore_testing_plan": Row(
        Tagged(r"backup:restore-testing-plan:(\w+)-[\w-]{36}", "AWS::Backup::RestoreTestingPlan")
    ),
    "aws_backup_restore_testing_selection": Row(
        Lookup(
            lookups.restore_testing_selection, ("restore_testing_plan_name", "name"), ("ResourceNotFoundException",)
        ),
        noun="restore test",
        placed_like="aws_rds_cluster",
    ),
    # Network. The next apply adopts a VPC's default resources.
    "aws_vpc": Row(Tagged(r"ec2:vpc/(.+)", "AWS::EC2::VPC"), zone_loss=zone_loss.internet_egress),
    "aws_default_network_acl": Row(Tagged(r"ec2:network-acl/(.+)", deletion=""), traffic=Traffic.NETWORK_ACL),
    "aws_default_route_table": Row(Tagged(r"ec2:route-table/(.+)", deletion="")),
    "aws_default_security_group": Row(Tagged(r"ec2:security-group/(.+)", deletion=""), traffic=Traffic.SECURITY_GROUP),
    "aws_subnet": Row(Tagged(r"ec2:subnet/(.+)", "AWS::EC2::Subnet"), part_of="aws_vpc"),
    "aws_route_table": Row(
        Tagged(r"ec2:route-table/(.+)", "AWS::EC2::RouteTable"),
        separate_resources={"route": SeparateResource("aws_route", "route_table_id")},
    ),
    "aws_route_table_association": Row(
        Lookup(lookups.association, ("route_table_id", "subnet_id"), ("InvalidRouteTableID.NotFound",)),
        part_of="aws_vpc",
    ),
    "aws_route": Row(
        Lookup(lookups.route, ("route_table_id", "destination_cidr_block"), ("InvalidRouteTableID.NotFound",)),
        part_of="aws_vpc",
    ),
    "aws_internet_gateway": Row(Tagged(r"ec2:internet-gateway/(.+)", "AWS::EC2::InternetGateway")),
    "aws_nat_gateway": Row(
        Tagged(
            r"ec2:natgateway/(.+)",
            "AWS::EC2::NatGateway",
            describe=descriptions.nat_gateway,
            not_found_codes=("NatGatewayNotFound",),
        ),
        part_of="aws_vpc",
    ),
    "aws_eip": Row(Tagged(r"ec2:elastic-ip/(.+)", "aws ec2 release-address --allocation-id {1}")),
    "aws_network_acl": Row(
        Tagged(r"ec2:network-acl/(.+)", "AWS::EC2::NetworkAcl"), part_of="aws_vpc", traffic=Traffic.NETWORK_ACL
    ),
    "aws_security_group": Row(
        Tagged(r"ec2:security-group/(.+)", "AWS::EC2::SecurityGroup"),
        separate_resources={
            "egress": SeparateResource("aws_vpc_security_group_egress_rule", "security_group_id", peers),
            "ingress": SeparateResource("aws_vpc_security_group_ingress_rule", "security_group_id", peers),
        },
        traffic=Traffic.SECURITY_GROUP,
    ),
    "aws_vpc_security_group_egress_rule": Row(
        Tagged(
            r"ec2:security-group-rule/(.+)",
            "AWS::EC2::SecurityGroupEgress",
            describe=descriptions.egress_rule,
            not_found_codes=("InvalidSecurityGroupRuleId.NotFound",),
        ),
        traffic=Traffic.EGRESS_RULE,
    ),
    "aws_vpc_security_group_ingress_rule": Row(
        Tagged(
            r"ec2:security-group-rule/(.+)",
            "AWS::EC2::SecurityGroupIngress",
            describe=descriptions.ingress_rule,
            not_found_codes=("InvalidSecurityGroupRuleId.NotFound",),
        ),
        traffic=Traffic.INGRESS_RULE,
    ),
    "aws_vpc_endpoint": Row(
        Tagged(r"ec2:vpc-endpoint/(.+)", "AWS::EC2::VPCEndpoint"),
        in_vpc=vpc.PrivateLink(),
        zone_loss=zone_loss.endpoints,
    ),
    "aws_flow_log": Row(Tagged(r"ec2:vpc-flow-log/(.+)", "AWS::EC2::FlowLog")),
    # Database.
    "aws_rds_cluster": Row(
        Tagged(r"rds:cluster:(.+)", "AWS::RDS::DBCluster"),
        keys={"kms_key_id": "database", "master_user_secret_kms_key_id": "secrets"},
        # Auto scaling adds others.
        separate_resources={"cluster_members": None},
        in_vpc=vpc.Aurora(),
        zone_loss=zone_loss.database,
    ),
    "aws_rds_cluster_instance": Row(
        Tagged(r"rds:db:(.+)", "AWS::RDS::DBInstance"),
        keys={"performance_insights_kms_key_id": "database"},
        part_of="aws_rds_cluster",
    ),
    "aws_rds_cluster_parameter_group": Row(Tagged(r"rds:cluster-pg:(.+)", "AWS::RDS::DBClusterParameterGroup")),
    "aws_db_parameter_group": Row(Tagged(r"rds:pg:(.+)", "AWS::RDS::DBParameterGroup")),
    "aws_db_subnet_group": Row(Tagged(r"rds:subgrp:(.+)", "AWS::RDS::DBSubnetGroup"), part_of="aws_rds_cluster"),
    "aws_appautoscaling_target": Row(
        Idempotent("RegisterScalableTarget", r"application-autoscaling:scalable-target/.+")
    ),
    "aws_appautoscaling_policy": Row(Idempotent("PutScalingPolicy")),
    # Cache.
    "aws_elasticache_replication_group": Row(
        Tagged(r"elasticache:replicationgroup:(.+)", "AWS::ElastiCache::ReplicationGroup"),
        keys={"kms_key_id": "files and cache"},
        in_vpc=vpc.ElastiCache(),
        zone_loss=zone_loss.cache,
    ),
    "aws_elasticache_parameter_group": Row(
        Tagged(r"elasticache:parametergroup:(.+)", "AWS::ElastiCache::ParameterGroup")
    ),
    "aws_elasticache_subnet_group": Row(
        Tagged(r"elasticache:subnetgroup:(.+)", "AWS::ElastiCache::SubnetGroup"),
        part_of="aws_elasticache_replication_group",
    ),
    "aws_elasticache_user": Row(Tagged(r"elasticache:user:(.+)", "AWS::ElastiCache::User")),
    "aws_elasticache_user_group": Row(Tagged(r"elasticache:usergroup:(.+)", "AWS::ElastiCache::UserGroup")),
    # Storage.
    "aws_efs_file_system": Row(
        Tagged(r"elasticfilesystem:file-system/(.+)", "AWS::EFS::FileSystem"),
        keys={"kms_key_id": "files and cache"},
        zone_loss=zone_loss.files,
    ),
    "aws_efs_access_point": Row(Tagged(r"elasticfilesystem:access-point/(.+)", "AWS::EFS::AccessPoint")),
    "aws_efs_backup_policy": Row(Idempotent("PutBackupPolicy")),
    "aws_efs_file_system_policy": Row(Idempotent("PutFileSystemPolicy"), denied_without_tls="elasticfilesystem:*"),
    "aws_efs_mount_target": Row(
        Lookup(lookups.mount_target, ("file_system_id", "subnet_id"), ("FileSystemNotFound",)),
        in_vpc=vpc.Efs(),
        part_of="aws_efs_file_system",
    ),
    "aws_efs_replication_configuration": Row(
        Lookup(lookups.replication, ("source_file_system_id",), ("ReplicationNotFound", "FileSystemNotFound")),
        noun="replica of files",
        plural="replicas of files",
    ),
    # Rotation.
    "aws_lambda_function": Row(
        Tagged(r"lambda:function:(.+)", "AWS::Lambda::Function"),
        keys={"kms_key_arn": "secrets"},
        in_vpc=vpc.Lambda(),
        zone_loss=zone_loss.functions,
    ),
    "aws_lambda_permission": Row(
        Lookup(lookups.permission, ("function_name", "statement_id"), ("ResourceNotFoundException",))
    ),
    "aws_scheduler_schedule": Row(Lookup(lookups.schedule, ("name",), ("ResourceNotFoundException",))),
    "aws_secretsmanager_secret": Row(
        Tagged(
            r"secretsmanager:secret:(.+)",
            "AWS::SecretsManager::Secret",
            ARN,
            ARN,
            describe=descriptions.secret,
            not_found_codes=("ResourceNotFoundException",),
        ),
        keys={"kms_key_id": "secrets"},
    ),
    "aws_secretsmanager_secret_policy": Row(Idempotent("PutResourcePolicy"), denied_without_tls="secretsmanager:*"),
    "aws_secretsmanager_secret_rotation": Row(Idempotent("RotateSecret")),
    "aws_sfn_state_machine": Row(Tagged(r"states:stateMachine:(.+)", "AWS::StepFunctions::StateMachine", ARN, ARN)),
    # Service.
    "aws_acm_certificate": Row(Tagged(r"acm:certificate/(.+)", "AWS::CertificateManager::Certificate", ARN, ARN)),
    # Creates nothing: waits for the certificate.
    "aws_acm_certificate_validation": Row(Idempotent("DescribeCertificate")),
    "aws_route53_record": Row(Lookup(lookups.record, ("name", "type"))),
    "aws_lb": Row(
        Tagged(r"elasticloadbalancing:loadbalancer/(.+)", "AWS::ElasticLoadBalancingV2::LoadBalancer", ARN, ARN),
        in_vpc=vpc.Alb(),
        zone_loss=zone_loss.load_balancers,
    ),
    "aws_lb_listener": Row(
        Tagged(
            r"elasticloadbalancing:listener/(.+)",
            "AWS::ElasticLoadBalancingV2::Listener",
            ARN,
            ARN,
            describe=descriptions.listener,
            not_found_codes=("ListenerNotFound",),
        )
    ),
    "aws_lb_target_group": Row(
        Tagged(r"elasticloadbalancing:targetgroup/(.+)", "AWS::ElasticLoadBalancingV2::TargetGroup", ARN, ARN)
    ),
    "aws_wafv2_web_acl": Row(
        Tagged(
            r"wafv2:regional/webacl/(.+)/(.+)", "AWS::WAFv2::WebACL", "{2}/{1}/REGIONAL", identifier="{1}|{2}|REGIONAL"
        )
    ),
    "aws_wafv2_web_acl_association": Row(Idempotent("AssociateWebACL")),
    "aws_wafv2_web_acl_logging_configuration": Row(Idempotent("PutLoggingConfiguration")),
    "aws_ecs_cluster": Row(Tagged(r"ecs:cluster/(.+)", "AWS::ECS::Cluster", describe=descriptions.ecs_cluster)),
    "aws_ecs_cluster_capacity_providers": Row(Idempotent("PutClusterCapacityProviders")),
    "aws_ecs_service": Row(
        Tagged(
            r"ecs:service/(.+)/(.+)",
            "AWS::ECS::Service",
            "{1}/{2}",
            identifier="{0}|{1}",
            describe=descriptions.ecs_service,
            not_found_codes=("ClusterNotFoundException",),
        ),
        in_vpc=vpc.Fargate(),
        zone_loss=zone_loss.tasks,
    ),
    "aws_ecs_task_definition": Row(
        Tagged(r"ecs:task-definition/(.+)", "AWS::ECS::TaskDefinition", ARN, ARN, describe=descriptions.task_definition)
    ),
    # Observability.
    "aws_cloudwatch_log_group": Row(
        Tagged(r"logs:log-group:([^:]+)(?::\*)?", "AWS::Logs::LogGroup"), keys={"kms_key_id": "logs"}
    ),
    "aws_cloudwatch_log_metric_filter": Row(Idempotent("PutMetricFilter")),
    "aws_cloudwatch_log_resource_policy": Row(Idempotent("PutResourcePolicy")),
    "aws_cloudwatch_dashboard": Row(Idempotent("PutDashboard"), noun="dashboard"),
    "aws_cloudwatch_composite_alarm": Row(
        Tagged(r"cloudwatch:alarm:(.+)", "AWS::CloudWatch::CompositeAlarm"), noun="composite alarm"
    ),
    "aws_cloudwatch_metric_alarm": Row(Tagged(r"cloudwatch:alarm:(.+)", "AWS::CloudWatch::Alarm"), noun="alarm"),
    "aws_cloudwatch_event_rule": Row(
        Tagged(r"events:rule/(.+)", "AWS::Events::Rule", "default/{1}", ARN), noun="event rule"
    ),
    "aws_cloudwatch_event_target": Row(Idempotent("PutTargets")),
    "aws_db_event_subscription": Row(Tagged(r"rds:es:(.+)", "AWS::RDS::EventSubscription"), noun="event subscription"),
    "aws_cloudwatch_query_definition": Row(
        Lookup(lookups.query_definition, ("name",)), noun="saved query", plural="saved queries"
    ),
    # Roles. The Tagging API does not find them, or only in another Region.
    "aws_iam_role": Row(
        Lookup(lookups.role, ("name",), ("NoSuchEntity",)),
        noun="IAM role",
        separate_resources={
            "inline_policy": SeparateResource("aws_iam_role_policy", "role"),
            "managed_policy_arns": SeparateResource("aws_iam_role_policy_attachment", "role"),
        },
    ),
    "aws_iam_role_policy": Row(Idempotent("PutRolePolicy")),
    "aws_iam_role_policy_attachment": Row(Idempotent("AttachRolePolicy")),
    "aws_iam_policy": Row(Lookup(lookups.policy, ("path", "name"), ("NoSuchEntity",))),
    "aws_iam_openid_connect_provider": Row(Lookup(lookups.oidc_provider, ("url",), ("NoSuchEntity",))),
    # Types that the stacks must not have.
    "aws_security_group_rule": Row(traffic=Traffic.RULE_WITH_TYPE, bypasses_network_rules=True),
    "aws_network_acl_rule": Row(traffic=Traffic.RULE_WITH_EGRESS, bypasses_network_rules=True),
    **dict.fromkeys(
        (
            "aws_default_vpc",
            "aws_dx_gateway_association",
            "aws_ec2_client_vpn_endpoint",
            "aws_ec2_transit_gateway_vpc_attachment",
            "aws_egress_only_internet_gateway",
            "aws_network_acl_association",
            "aws_networkfirewall_firewall",
            "aws_vpc_ipv4_cidr_block_association",
            "aws_vpc_peering_connection",
            "aws_vpclattice_service_network_vpc_association",
            "aws_vpn_gateway",
        ),
        Row(bypasses_network_rules=True),
    ),
}


def row_of_own_type(type_: "ResourceType", tier: str) -> Row:
    """The row of a type that one of the user's own tiers declares."""
    deletable = Tagged(type_.arn, type_.cloud_control) if type_.cloud_control else None
    return Row(
        deletable or Idempotent("apply", type_.arn),
        noun=type_.noun,
        keys={type_.key: tier} if type_.key else {},
        denied_without_tls=type_.denied_without_tls,
    )


ALL_ROWS: Mapping[str, Row] = {
    **{type_.name: row_of_own_type(type_, tier.tier) for tier in own_tiers() for type_ in tier.resource_types},
    **CATALOGUE,
}
"""The catalogue and the types that the user's own tiers declare."""
TAGGED = {type_: row.recovery for type_, row in ALL_ROWS.items() if isinstance(row.recovery, Tagged)}
LOOKUPS = {type_: row.recovery for type_, row in ALL_ROWS.items() if isinstance(row.recovery, Lookup)}
IN_VPC = {type_: row.in_vpc for type_, row in CATALOGUE.items() if row.in_vpc}

# ARNs that carry a tier's tags although Terraform does not manage them: pattern as in `Tagged.arn`, and why.
UNMANAGED_ARNS: Mapping[str, str] = {
    r"backup:recovery-point:.+": "a backup outlives its source",
    r"ec2:network-interface/.+": "belongs to a task",
    r"ecs:task/.+": "belongs to a service",
    r"elasticache:cluster:.+": "a node of a replication group",
    r"elasticache:snapshot:.+": "a backup outlives its source",
    r"rds:(?:cluster-)?snapshot:.+": "a backup outlives its source",
}


def row_of(type_: str) -> Row:
    """The row of a type; an empty row if the catalogue has none."""
    return ALL_ROWS.get(type_, Row())
