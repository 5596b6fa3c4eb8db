"""Out-of-band changes to RDS resources, one per argument."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change

ON_DESTROY = "used by destroy; only in the state"


def _cluster(**parameters: Any) -> Change:
    return lambda aws, state: aws.client("rds").modify_db_cluster(
        DBClusterIdentifier=state["id"], ApplyImmediately=True, **parameters
    )


def _stored_cluster(**attributes: Any) -> Change:
    return lambda aws, state: vars(aws.backend("rds").clusters[state["id"]]).update(attributes)


def _instance(**parameters: Any) -> Change:
    return lambda aws, state: aws.client("rds").modify_db_instance(
        DBInstanceIdentifier=state["id"], ApplyImmediately=True, **parameters
    )


def _stored_instance(**attributes: Any) -> Change:
    return lambda aws, state: vars(aws.backend("rds").databases[state["id"]]).update(attributes)


def _cluster_group(**attributes: Any) -> Change:
    return lambda aws, state: vars(aws.backend("rds").db_cluster_parameter_groups[state["id"]]).update(attributes)


def _group(**attributes: Any) -> Change:
    return lambda aws, state: vars(aws.backend("rds").db_parameter_groups[state["id"]]).update(attributes)


def _subscription(**parameters: Any) -> Change:
    return lambda aws, state: aws.client("rds").modify_event_subscription(SubscriptionName=state["id"], **parameters)


def _untag(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.client("rds").remove_tags_from_resource(ResourceName=state["arn"], TagKeys=["Project"])


def _another_cluster_group(aws: LocalAws, state: dict[str, Any]) -> None:
    rds = aws.client("rds")
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="another", DBParameterGroupFamily="aurora-postgresql17", Description="Another"
    )
    _cluster(DBClusterParameterGroupName="another")(aws, state)


def _another_group(aws: LocalAws, state: dict[str, Any]) -> None:
    name = f"another-{state['id']}"
    aws.client("rds").create_db_parameter_group(
        DBParameterGroupName=name, DBParameterGroupFamily="aurora-postgresql17", Description="Another"
    )
    _instance(DBParameterGroupName=name)(aws, state)


def _another_subnet_group(aws: LocalAws, state: dict[str, Any]) -> None:
    backend = aws.backend("rds")
    backend.clusters[state["id"]].db_subnet_group_name = "another"


def _another_cluster_parameter(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.client("rds").modify_db_cluster_parameter_group(
        DBClusterParameterGroupName=state["id"],
        Parameters=[{"ParameterName": "rds.force_ssl", "ParameterValue": "0", "ApplyMethod": "pending-reboot"}],
    )


def _another_parameter(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.client("rds").modify_db_parameter_group(
        DBParameterGroupName=state["id"],
        Parameters=[{"ParameterName": "log_temp_files", "ParameterValue": "0", "ApplyMethod": "immediate"}],
    )


def _other_subnets(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.client("rds").modify_db_subnet_group(
        DBSubnetGroupName=state["id"], DBSubnetGroupDescription=state["description"], SubnetIds=state["subnet_ids"][:1]
    )


def _change_description(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.backend("rds").subnet_groups[state["id"]].description = "Another"


def _another_topic(aws: LocalAws, state: dict[str, Any]) -> None:
    topic = aws.client("sns").create_topic(Name="another")["TopicArn"]
    _subscription(SnsTopicArn=topic)(aws, state)


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_rds_cluster", "backup_retention_period"): _cluster(BackupRetentionPeriod=2),
    ("aws_rds_cluster", "copy_tags_to_snapshot"): _cluster(CopyTagsToSnapshot=False),
    ("aws_rds_cluster", "database_name"): _stored_cluster(database_name="another"),
    ("aws_rds_cluster", "db_cluster_parameter_group_name"): _another_cluster_group,
    ("aws_rds_cluster", "db_subnet_group_name"): _another_subnet_group,
    ("aws_rds_cluster", "deletion_protection"): lambda aws, state: _cluster(
        DeletionProtection=not state["deletion_protection"]
    )(aws, state),
    ("aws_rds_cluster", "enabled_cloudwatch_logs_exports"): _cluster(
        CloudwatchLogsExportConfiguration={"DisableLogTypes": ["postgresql"]}
    ),
    ("aws_rds_cluster", "engine"): _stored_cluster(engine="aurora-mysql"),
    ("aws_rds_cluster", "engine_lifecycle_support"): _stored_cluster(
        engine_lifecycle_support="open-source-rds-extended-support"
    ),
    ("aws_rds_cluster", "engine_mode"): _stored_cluster(engine_mode="serverless"),
    ("aws_rds_cluster", "engine_version"): _cluster(EngineVersion="17.9"),
    ("aws_rds_cluster", "iam_database_authentication_enabled"): _cluster(EnableIAMDatabaseAuthentication=False),
    ("aws_rds_cluster", "iam_roles"): lambda aws, state: aws.client("rds").add_role_to_db_cluster(
        DBClusterIdentifier=state["id"], RoleArn="arn:aws:iam::111122223333:role/export", FeatureName="s3Export"
    ),
    ("aws_rds_cluster", "kms_key_id"): _stored_cluster(kms_key_id="arn:aws:kms:us-west-1:111122223333:key/another"),
    ("aws_rds_cluster", "master_username"): _stored_cluster(master_username="another"),
    ("aws_rds_cluster", "port"): _stored_cluster(port=5433),
    ("aws_rds_cluster", "preferred_backup_window"): _cluster(PreferredBackupWindow="02:00-03:00"),
    ("aws_rds_cluster", "preferred_maintenance_window"): _cluster(PreferredMaintenanceWindow="mon:03:30-mon:04:30"),
    ("aws_rds_cluster", "serverlessv2_scaling_configuration"): _cluster(
        ServerlessV2ScalingConfiguration={"MinCapacity": 1.5, "MaxCapacity": 3.5}
    ),
    ("aws_rds_cluster", "storage_encrypted"): _stored_cluster(storage_encrypted=False),
    ("aws_rds_cluster", "tags_all"): _untag,
    ("aws_rds_cluster", "vpc_security_group_ids"): _cluster(VpcSecurityGroupIds=["sg-12345678"]),
    ("aws_rds_cluster_instance", "auto_minor_version_upgrade"): _instance(AutoMinorVersionUpgrade=False),
    ("aws_rds_cluster_instance", "availability_zone"): _stored_instance(availability_zone="us-west-1f"),
    ("aws_rds_cluster_instance", "copy_tags_to_snapshot"): _instance(CopyTagsToSnapshot=False),
    ("aws_rds_cluster_instance", "db_parameter_group_name"): _another_group,
    ("aws_rds_cluster_instance", "engine"): _stored_instance(engine="aurora-mysql"),
    ("aws_rds_cluster_instance", "engine_version"): lambda aws, state: _cluster(EngineVersion="17.9")(
        aws, {"id": state["cluster_identifier"]}
    ),
    ("aws_rds_cluster_instance", "instance_class"): _instance(DBInstanceClass="db.r7g.large"),
    ("aws_rds_cluster_instance", "monitoring_interval"): _instance(MonitoringInterval=30),
    ("aws_rds_cluster_instance", "monitoring_role_arn"): _instance(
        MonitoringRoleArn="arn:aws:iam::111122223333:role/another"
    ),
    ("aws_rds_cluster_instance", "performance_insights_enabled"): _instance(EnablePerformanceInsights=False),
    ("aws_rds_cluster_instance", "performance_insights_kms_key_id"): _stored_instance(
        performance_insights_kms_key_id="arn:aws:kms:us-west-1:111122223333:key/another"
    ),
    ("aws_rds_cluster_instance", "performance_insights_retention_period"): _stored_instance(
        performance_insights_retention_period=31
    ),
    ("aws_rds_cluster_instance", "preferred_maintenance_window"): _instance(
        PreferredMaintenanceWindow="mon:03:30-mon:04:30"
    ),
    ("aws_rds_cluster_instance", "promotion_tier"): _instance(PromotionTier=15),
    ("aws_rds_cluster_instance", "publicly_accessible"): _instance(PubliclyAccessible=True),
    ("aws_rds_cluster_instance", "tags_all"): _untag,
    ("aws_rds_cluster_parameter_group", "description"): _cluster_group(description="Another"),
    ("aws_rds_cluster_parameter_group", "family"): _cluster_group(db_parameter_group_family="aurora-postgresql16"),
    ("aws_rds_cluster_parameter_group", "parameter"): _another_cluster_parameter,
    ("aws_rds_cluster_parameter_group", "tags_all"): _untag,
    ("aws_db_parameter_group", "description"): _group(description="Another"),
    ("aws_db_parameter_group", "family"): _group(family="aurora-postgresql16"),
    ("aws_db_parameter_group", "parameter"): _another_parameter,
    ("aws_db_parameter_group", "tags_all"): _untag,
    ("aws_db_subnet_group", "subnet_ids"): _other_subnets,
    # Last: a change of subnets sets the description, too.
    ("aws_db_subnet_group", "description"): _change_description,
    ("aws_db_subnet_group", "tags_all"): _untag,
    ("aws_db_event_subscription", "event_categories"): _subscription(EventCategories=["deletion"]),
    ("aws_db_event_subscription", "sns_topic"): _another_topic,
    ("aws_db_event_subscription", "source_type"): _subscription(SourceType="db-proxy"),
    ("aws_db_event_subscription", "tags_all"): _untag,
}

COMMON: dict[tuple[str, str], str] = {
    ("aws_rds_cluster_instance", "engine_version"): "all instances have the cluster's version",
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_rds_cluster", "apply_immediately"): "an option of updates; only in the state",
    ("aws_rds_cluster", "cluster_identifier"): IDENTIFIES,
    ("aws_rds_cluster", "delete_automated_backups"): ON_DESTROY,
    ("aws_rds_cluster", "final_snapshot_identifier"): ON_DESTROY,
    ("aws_rds_cluster", "manage_master_user_password"): "not read; master_user_secret, which is computed, is",
    ("aws_rds_cluster", "master_user_secret_kms_key_id"): "not read; master_user_secret, which is computed, is",
    ("aws_rds_cluster", "skip_final_snapshot"): ON_DESTROY,
    ("aws_rds_cluster_instance", "apply_immediately"): "an option of updates; only in the state",
    ("aws_rds_cluster_instance", "cluster_identifier"): IDENTIFIES,
    ("aws_rds_cluster_instance", "identifier"): IDENTIFIES,
    ("aws_rds_cluster_parameter_group", "name_prefix"): IDENTIFIES,
    ("aws_db_parameter_group", "name_prefix"): IDENTIFIES,
    ("aws_db_subnet_group", "name"): IDENTIFIES,
    ("aws_db_event_subscription", "name"): IDENTIFIES,
}
