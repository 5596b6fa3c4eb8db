"""Mutations for test_database.py: the cluster, its instances and parameters, and its scaling."""

from typing import Any

from local_aws.server import LocalAws
from stacks.names import OS_METRICS_LOG_GROUP
from tests.changes.mutations import Mutation, Related
from tests.changes.mutations.lookup import cluster, instance, key, named


def cluster_is(**parameters: Any) -> Mutation:
    """Modify the cluster immediately."""
    return lambda aws: aws.client("rds").modify_db_cluster(
        DBClusterIdentifier=cluster(aws).db_cluster_identifier, ApplyImmediately=True, **parameters
    )


def instances_are(**values: Any) -> Mutation:
    """Set attributes of every instance."""

    def change(aws: LocalAws) -> None:
        for one in aws.backend("rds").databases.values():
            vars(one).update(values)

    return change


def parameter(name: str, value: str) -> Mutation:
    """Set a parameter of the cluster's group."""

    def change(aws: LocalAws) -> None:
        rds = aws.client("rds")
        (one,) = rds.describe_db_clusters()["DBClusters"]
        rds.modify_db_cluster_parameter_group(
            DBClusterParameterGroupName=one["DBClusterParameterGroup"],
            Parameters=[{"ParameterName": name, "ParameterValue": value, "ApplyMethod": "pending-reboot"}],
        )

    return change


def instances_time_nothing(aws: LocalAws) -> None:
    rds = aws.client("rds")
    group = rds.describe_db_instances()["DBInstances"][0]["DBParameterGroups"][0]["DBParameterGroupName"]
    off = {"ParameterName": "track_io_timing", "ParameterValue": "0", "ApplyMethod": "pending-reboot"}
    rds.modify_db_parameter_group(DBParameterGroupName=group, Parameters=[off])


def keep_os_metrics_for_a_month(aws: LocalAws) -> None:
    aws.backend("logs").groups[OS_METRICS_LOG_GROUP].retention_in_days = 30


def delete_reader(aws: LocalAws) -> None:
    rds = aws.client("rds")
    members = rds.describe_db_clusters()["DBClusters"][0]["DBClusterMembers"]
    (reader,) = (member["DBInstanceIdentifier"] for member in members if not member["IsClusterWriter"])
    rds.delete_db_instance(DBInstanceIdentifier=reader, SkipFinalSnapshot=True)


def endpoints_are_one(aws: LocalAws) -> None:
    servers = cluster(aws).servers
    servers.reader_address = servers.writer_address


def storage_has_another_key(aws: LocalAws) -> None:
    cluster(aws).kms_key_id = key(aws, "files")


def insights_have_another_key(aws: LocalAws) -> None:
    instance(aws).performance_insights_kms_key_id = key(aws, "files")


def use_public_subnets(aws: LocalAws) -> None:
    rds = aws.client("rds")
    (group,) = rds.describe_db_subnet_groups()["DBSubnetGroups"]
    rds.modify_db_subnet_group(
        DBSubnetGroupName=group["DBSubnetGroupName"],
        SubnetIds=[named(aws, "subnet", "public-a"), named(aws, "subnet", "public-b")],
    )


def change_security_group(aws: LocalAws) -> None:
    cluster_is(VpcSecurityGroupIds=[named(aws, "sg", "service")])(aws)


def master_secret_has_another_key(aws: LocalAws) -> None:
    cluster(aws).master_user_secret.secret.kms_key_id = key(aws, "files")


def scaling(dimension: str, **parameters: Any) -> Mutation:
    """Change the scalable target of a dimension."""

    def change(aws: LocalAws) -> None:
        scaling = aws.client("application-autoscaling")
        namespace = dimension.partition(":")[0]
        (target,) = scaling.describe_scalable_targets(ServiceNamespace=namespace)["ScalableTargets"]
        identifiers = {name: target[name] for name in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
        scaling.register_scalable_target(**identifiers, **parameters)

    return change


def delete_scaling_policy(namespace: str) -> Mutation:
    """Delete the first scaling policy of a service."""

    def change(aws: LocalAws) -> None:
        scaling = aws.client("application-autoscaling")
        policy = scaling.describe_scaling_policies(ServiceNamespace=namespace)["ScalingPolicies"][0]
        identifiers = ("PolicyName", "ServiceNamespace", "ResourceId", "ScalableDimension")
        scaling.delete_scaling_policy(**{name: policy[name] for name in identifiers})

    return change


MUTATIONS: dict[str, Mutation] = {
    "test_number_of_writers_and_readers": delete_reader,
    "test_database_runs_the_version_of_the_settings": cluster_is(EngineVersion="17.9"),
    "test_instances_are_in_different_zones": instances_are(availability_zone="us-west-1a"),
    "test_writer_and_reader_endpoints_differ": endpoints_are_one,
    "test_storage_is_encrypted_with_the_database_key": storage_has_another_key,
    "test_performance_insights_are_encrypted_with_the_database_key": insights_have_another_key,
    "test_database_requires_tls": parameter("rds.force_ssl", "0"),
    "test_database_parameters_enable_logs": parameter("log_connections", "0"),
    "test_database_logs_are_exported": cluster_is(
        CloudwatchLogsExportConfiguration={"DisableLogTypes": ["iam-db-auth-error"]}
    ),
    "test_instances_have_their_parameters": instances_time_nothing,
    "test_log_of_os_metrics_is_encrypted_and_kept": keep_os_metrics_for_a_month,
    "test_no_instance_is_public": instances_are(publicly_accessible=True),
    "test_cluster_is_in_the_data_subnets": use_public_subnets,
    "test_cluster_has_its_security_group": change_security_group,
    "test_backup_retention_of_the_cluster": cluster_is(BackupRetentionPeriod=1),
    "test_deletion_protection_of_the_cluster": cluster_is(DeletionProtection=False),
    "test_capacity_of_the_cluster": cluster_is(ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 1}),
    "test_master_secret_is_encrypted_with_the_secret_key": master_secret_has_another_key,
    "test_iam_authentication_is_enabled": cluster_is(EnableIAMDatabaseAuthentication=False),
    "test_readers_scale_within_the_settings": scaling("rds:cluster", MaxCapacity=15),
    "test_readers_scale_by_cpu": delete_scaling_policy("rds"),
}
RELATED: Related = {
    "test_log_of_os_metrics_is_encrypted_and_kept": {
        "test_foundation.py::test_retention_of_log_groups": "it is one of the environment's log groups",
    },
    "test_number_of_writers_and_readers": {
        "test_database.py::test_instances_are_in_different_zones": "the only instance of the second zone is gone",
    },
}
