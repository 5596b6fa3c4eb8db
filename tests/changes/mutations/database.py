"""Mutations for test_database.py: the cluster, its instances and parameters, and its scaling."""

from typing import Any

from local_aws.server import LocalAws
from stacks.names import OS_METRICS_LOG_GROUP
from tests.changes.mutations import Mutation, Related
from tests.changes.mutations.lookup import cluster, instance, key, named


def modify_cluster(**parameters: Any) -> Mutation:
    """Modify the cluster immediately."""
    return lambda aws: aws.client("rds").modify_db_cluster(
        DBClusterIdentifier=cluster(aws).db_cluster_identifier, ApplyImmediately=True, **parameters
    )


def change_instances(**values: Any) -> Mutation:
    """Set attributes of every instance."""

    def change(aws: LocalAws) -> None:
        for one in aws.backend("rds").databases.values():
            vars(one).update(values)

    return change


def set_parameter(name: str, value: str) -> Mutation:
    """Set a parameter of the cluster's group."""

    def change(aws: LocalAws) -> None:
        rds = aws.client("rds")
        (one,) = rds.describe_db_clusters()["DBClusters"]
        rds.modify_db_cluster_parameter_group(
            DBClusterParameterGroupName=one["DBClusterParameterGroup"],
            Parameters=[{"ParameterName": name, "ParameterValue": value, "ApplyMethod": "pending-reboot"}],
        )

    return change


def disable_io_timing(aws: LocalAws) -> None:
    rds = aws.client("rds")
    group = rds.describe_db_instances()["DBInstances"][0]["DBParameterGroups"][0]["DBParameterGroupName"]
    disabled = {"ParameterName": "track_io_timing", "ParameterValue": "0", "ApplyMethod": "pending-reboot"}
    rds.modify_db_parameter_group(DBParameterGroupName=group, Parameters=[disabled])


def keep_os_metrics_for_a_month(aws: LocalAws) -> None:
    aws.backend("logs").groups[OS_METRICS_LOG_GROUP].retention_in_days = 30


def delete_reader(aws: LocalAws) -> None:
    rds = aws.client("rds")
    members = rds.describe_db_clusters()["DBClusters"][0]["DBClusterMembers"]
    (reader,) = (member["DBInstanceIdentifier"] for member in members if not member["IsClusterWriter"])
    rds.delete_db_instance(DBInstanceIdentifier=reader, SkipFinalSnapshot=True)


def merge_endpoints(aws: LocalAws) -> None:
    servers = cluster(aws).servers
    servers.reader_address = servers.writer_address


def change_storage_key(aws: LocalAws) -> None:
    cluster(aws).kms_key_id = key(aws, "files")


def change_insights_key(aws: LocalAws) -> None:
    instance(aws).performance_insights_kms_key_id = key(aws, "files")


def use_public_subnets(aws: LocalAws) -> None:
    rds = aws.client("rds")
    (group,) = rds.describe_db_subnet_groups()["DBSubnetGroups"]
    rds.modify_db_subnet_group(
        DBSubnetGroupName=group["DBSubnetGroupName"],
        SubnetIds=[named(aws, "subnet", "public-a"), named(aws, "subnet", "public-b")],
    )


def change_security_group(aws: LocalAws) -> None:
    modify_cluster(VpcSecurityGroupIds=[named(aws, "sg", "service")])(aws)


def change_master_secret_key(aws: LocalAws) -> None:
    cluster(aws).master_user_secret.secret.kms_key_id = key(aws, "files")


def change_scalable_target(dimension: str, **parameters: Any) -> Mutation:
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
    "test_database_runs_the_version_of_the_settings": modify_cluster(EngineVersion="17.9"),
    "test_instances_are_in_different_zones": change_instances(availability_zone="us-west-1a"),
    "test_writer_and_reader_endpoints_differ": merge_endpoints,
    "test_storage_is_encrypted_with_the_database_key": change_storage_key,
    "test_performance_insights_are_encrypted_with_the_database_key": change_insights_key,
    "test_database_requires_tls": set_parameter("rds.force_ssl", "0"),
    "test_database_parameters_enable_logs": set_parameter("log_connections", "0"),
    "test_database_logs_are_exported": modify_cluster(
        CloudwatchLogsExportConfiguration={"DisableLogTypes": ["iam-db-auth-error"]}
    ),
    "test_instances_have_their_parameters": disable_io_timing,
    "test_log_of_os_metrics_is_encrypted_and_kept": keep_os_metrics_for_a_month,
    "test_no_instance_is_public": change_instances(publicly_accessible=True),
    "test_cluster_is_in_the_data_subnets": use_public_subnets,
    "test_cluster_has_its_security_group": change_security_group,
    "test_backup_retention_of_the_cluster": modify_cluster(BackupRetentionPeriod=1),
    "test_deletion_protection_of_the_cluster": modify_cluster(DeletionProtection=False),
    "test_capacity_of_the_cluster": modify_cluster(
        ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 1}
    ),
    "test_master_secret_is_encrypted_with_the_kms_key_for_secrets": change_master_secret_key,
    "test_iam_authentication_is_enabled": modify_cluster(EnableIAMDatabaseAuthentication=False),
    "test_readers_scale_within_the_settings": change_scalable_target("rds:cluster", MaxCapacity=15),
    "test_readers_scale_by_cpu": delete_scaling_policy("rds"),
}
RELATED: Related = {
    "test_cluster_has_its_security_group": {
        "test_recovery.py::test_restores_stay_in_the_network_and_under_the_key_of_files": "restores use the cluster's",
    },
    "test_log_of_os_metrics_is_encrypted_and_kept": {
        "test_foundation.py::test_retention_of_log_groups": "it is one of the environment's log groups",
    },
    "test_number_of_writers_and_readers": {
        "test_database.py::test_instances_are_in_different_zones": "the only instance of the second zone is gone",
    },
}
