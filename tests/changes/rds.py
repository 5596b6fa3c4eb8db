"""RDS: what is changed behind Terraform's back."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change

ON_DELETION = "is told at its deletion alone"


def _cluster(**asked: Any) -> Change:
    return lambda aws, it: aws.client("rds").modify_db_cluster(
        DBClusterIdentifier=it["id"], ApplyImmediately=True, **asked
    )


def _cluster_itself(**held: Any) -> Change:
    return lambda aws, it: vars(aws.backend("rds").clusters[it["id"]]).update(held)


def _instance(**asked: Any) -> Change:
    return lambda aws, it: aws.client("rds").modify_db_instance(
        DBInstanceIdentifier=it["id"], ApplyImmediately=True, **asked
    )


def _instance_itself(**held: Any) -> Change:
    return lambda aws, it: vars(aws.backend("rds").databases[it["id"]]).update(held)


def _cluster_group(**held: Any) -> Change:
    return lambda aws, it: vars(aws.backend("rds").db_cluster_parameter_groups[it["id"]]).update(held)


def _group(**held: Any) -> Change:
    return lambda aws, it: vars(aws.backend("rds").db_parameter_groups[it["id"]]).update(held)


def _subscription(**asked: Any) -> Change:
    return lambda aws, it: aws.client("rds").modify_event_subscription(SubscriptionName=it["id"], **asked)


def _untag(aws: LocalAws, it: dict[str, Any]) -> None:
    aws.client("rds").remove_tags_from_resource(ResourceName=it["arn"], TagKeys=["Project"])


def _another_cluster_group(aws: LocalAws, it: dict[str, Any]) -> None:
    rds = aws.client("rds")
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="another", DBParameterGroupFamily="aurora-postgresql17", Description="Another"
    )
    _cluster(DBClusterParameterGroupName="another")(aws, it)


def _another_group(aws: LocalAws, it: dict[str, Any]) -> None:
    name = f"another-{it['id']}"
    aws.client("rds").create_db_parameter_group(
        DBParameterGroupName=name, DBParameterGroupFamily="aurora-postgresql17", Description="Another"
    )
    _instance(DBParameterGroupName=name)(aws, it)


def _another_subnet_group(aws: LocalAws, it: dict[str, Any]) -> None:
    backend = aws.backend("rds")
    backend.clusters[it["id"]].db_subnet_group_name = "another"


def _another_cluster_parameter(aws: LocalAws, it: dict[str, Any]) -> None:
    aws.client("rds").modify_db_cluster_parameter_group(
        DBClusterParameterGroupName=it["id"],
        Parameters=[{"ParameterName": "rds.force_ssl", "ParameterValue": "0", "ApplyMethod": "pending-reboot"}],
    )


def _another_parameter(aws: LocalAws, it: dict[str, Any]) -> None:
    aws.client("rds").modify_db_parameter_group(
        DBParameterGroupName=it["id"],
        Parameters=[{"ParameterName": "log_temp_files", "ParameterValue": "0", "ApplyMethod": "immediate"}],
    )


def _other_subnets(aws: LocalAws, it: dict[str, Any]) -> None:
    aws.client("rds").modify_db_subnet_group(
        DBSubnetGroupName=it["id"], DBSubnetGroupDescription=it["description"], SubnetIds=it["subnet_ids"][:1]
    )


def _described_otherwise(aws: LocalAws, it: dict[str, Any]) -> None:
    aws.backend("rds").subnet_groups[it["id"]].description = "Another"


def _another_topic(aws: LocalAws, it: dict[str, Any]) -> None:
    topic = aws.client("sns").create_topic(Name="another")["TopicArn"]
    _subscription(SnsTopicArn=topic)(aws, it)


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_rds_cluster", "backup_retention_period"): _cluster(BackupRetentionPeriod=2),
    ("aws_rds_cluster", "copy_tags_to_snapshot"): _cluster(CopyTagsToSnapshot=False),
    ("aws_rds_cluster", "database_name"): _cluster_itself(database_name="another"),
    ("aws_rds_cluster", "db_cluster_parameter_group_name"): _another_cluster_group,
    ("aws_rds_cluster", "db_subnet_group_name"): _another_subnet_group,
    ("aws_rds_cluster", "deletion_protection"): lambda aws, it: _cluster(
        DeletionProtection=not it["deletion_protection"]
    )(aws, it),
    ("aws_rds_cluster", "enabled_cloudwatch_logs_exports"): _cluster(
        CloudwatchLogsExportConfiguration={"DisableLogTypes": ["postgresql"]}
    ),
    ("aws_rds_cluster", "engine"): _cluster_itself(engine="aurora-mysql"),
    ("aws_rds_cluster", "engine_lifecycle_support"): _cluster_itself(
        engine_lifecycle_support="open-source-rds-extended-support"
    ),
    ("aws_rds_cluster", "engine_mode"): _cluster_itself(engine_mode="serverless"),
    ("aws_rds_cluster", "engine_version"): _cluster(EngineVersion="16.4", AllowMajorVersionUpgrade=True),
    ("aws_rds_cluster", "iam_database_authentication_enabled"): _cluster(EnableIAMDatabaseAuthentication=False),
    ("aws_rds_cluster", "kms_key_id"): _cluster_itself(kms_key_id="arn:aws:kms:us-west-1:111122223333:key/another"),
    ("aws_rds_cluster", "master_username"): _cluster_itself(master_username="another"),
    ("aws_rds_cluster", "port"): _cluster_itself(port=5433),
    ("aws_rds_cluster", "preferred_backup_window"): _cluster(PreferredBackupWindow="02:00-03:00"),
    ("aws_rds_cluster", "preferred_maintenance_window"): _cluster(PreferredMaintenanceWindow="mon:03:30-mon:04:30"),
    ("aws_rds_cluster", "serverlessv2_scaling_configuration"): _cluster(
        ServerlessV2ScalingConfiguration={"MinCapacity": 1.5, "MaxCapacity": 3.5}
    ),
    ("aws_rds_cluster", "storage_encrypted"): _cluster_itself(storage_encrypted=False),
    ("aws_rds_cluster", "tags_all"): _untag,
    ("aws_rds_cluster", "vpc_security_group_ids"): _cluster(VpcSecurityGroupIds=["sg-12345678"]),
    ("aws_rds_cluster_instance", "auto_minor_version_upgrade"): _instance(AutoMinorVersionUpgrade=False),
    ("aws_rds_cluster_instance", "availability_zone"): _instance_itself(availability_zone="us-west-1f"),
    ("aws_rds_cluster_instance", "copy_tags_to_snapshot"): _instance(CopyTagsToSnapshot=False),
    ("aws_rds_cluster_instance", "db_parameter_group_name"): _another_group,
    ("aws_rds_cluster_instance", "engine"): _instance_itself(engine="aurora-mysql"),
    ("aws_rds_cluster_instance", "engine_version"): lambda aws, it: _cluster(EngineVersion="16.4")(
        aws, {"id": it["cluster_identifier"]}
    ),
    ("aws_rds_cluster_instance", "instance_class"): _instance(DBInstanceClass="db.r7g.large"),
    ("aws_rds_cluster_instance", "monitoring_interval"): _instance(MonitoringInterval=30),
    ("aws_rds_cluster_instance", "monitoring_role_arn"): _instance(
        MonitoringRoleArn="arn:aws:iam::111122223333:role/another"
    ),
    ("aws_rds_cluster_instance", "performance_insights_enabled"): _instance(EnablePerformanceInsights=False),
    ("aws_rds_cluster_instance", "performance_insights_kms_key_id"): _instance_itself(
        performance_insights_kms_key_id="arn:aws:kms:us-west-1:111122223333:key/another"
    ),
    ("aws_rds_cluster_instance", "performance_insights_retention_period"): _instance_itself(
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
    # Last: new subnets come with a description.
    ("aws_db_subnet_group", "description"): _described_otherwise,
    ("aws_db_subnet_group", "tags_all"): _untag,
    ("aws_db_event_subscription", "event_categories"): _subscription(EventCategories=["deletion"]),
    ("aws_db_event_subscription", "sns_topic"): _another_topic,
    ("aws_db_event_subscription", "source_type"): _subscription(SourceType="db-proxy"),
    ("aws_db_event_subscription", "tags_all"): _untag,
}

COMMON: dict[tuple[str, str], str] = {
    ("aws_rds_cluster_instance", "engine_version"): "is the cluster's",
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_rds_cluster", "apply_immediately"): "says when a change is made",
    ("aws_rds_cluster", "cluster_identifier"): IDENTIFIES,
    ("aws_rds_cluster", "delete_automated_backups"): ON_DELETION,
    ("aws_rds_cluster", "final_snapshot_identifier"): ON_DELETION,
    ("aws_rds_cluster", "manage_master_user_password"): "is not read; master_user_secret is, which is computed",
    ("aws_rds_cluster", "master_user_secret_kms_key_id"): "is not read; master_user_secret is, which is computed",
    ("aws_rds_cluster", "skip_final_snapshot"): ON_DELETION,
    ("aws_rds_cluster_instance", "apply_immediately"): "says when a change is made",
    ("aws_rds_cluster_instance", "cluster_identifier"): "names what it is part of: in another cluster it is another",
    ("aws_rds_cluster_instance", "identifier"): IDENTIFIES,
    ("aws_rds_cluster_parameter_group", "name_prefix"): IDENTIFIES,
    ("aws_db_parameter_group", "name_prefix"): IDENTIFIES,
    ("aws_db_subnet_group", "name"): IDENTIFIES,
    ("aws_db_event_subscription", "name"): IDENTIFIES,
}
