"""The Aurora cluster: instances, endpoints, TLS, encryption, logs, backups, and scaling."""

from typing import Any

import pytest

from stacks.database.parameters import CLUSTER_PARAMETERS, INSTANCE_PARAMETERS
from stacks.database.stack import LOGS
from stacks.names import OS_METRICS_LOG_GROUP
from stacks.network.subnets import SubnetKind
from stacks.settings import Environment
from tests.integration.deployed import DeployedEnvironment, Response, only_one
from tests.integration.expectations import Superset, expect
from tests.integration.scaling import expect_bounds, expect_policies, scaling_targets

TLS = {"rds.force_ssl", "ssl_min_protocol_version"}


@pytest.fixture(scope="session")
def instances(deployed: DeployedEnvironment, cluster: Response) -> list[Response]:
    """All instances of the cluster, including readers added by scaling."""
    members = {member["DBInstanceIdentifier"] for member in cluster["DBClusterMembers"]}
    listed = deployed.list_all("rds", "describe_db_instances", "DBInstances")
    return [instance for instance in listed if instance["DBInstanceIdentifier"] in members]


@pytest.fixture(scope="session")
def cluster_parameters(deployed: DeployedEnvironment, cluster: Response) -> dict[str, str]:
    group = cluster["DBClusterParameterGroup"]
    listed = deployed.list_all("rds", "describe_db_cluster_parameters", "Parameters", DBClusterParameterGroupName=group)
    return {one["ParameterName"]: one["ParameterValue"] for one in listed if "ParameterValue" in one}


def test_number_of_writers_and_readers(cluster: Response, settings: Environment):
    writers = [member["IsClusterWriter"] for member in cluster["DBClusterMembers"]]
    roles = {("writers", writers.count(True)), ("enough readers", writers.count(False) >= settings.database.readers)}
    expect("members", {cluster["DBClusterArn"]: roles}, {("writers", 1), ("enough readers", True)})


def test_database_runs_the_version_of_the_settings(cluster: Response, settings: Environment):
    """RDS refuses any change of a cluster that it has upgraded beyond the settings."""
    expect("engine version", {cluster["DBClusterArn"]: cluster["EngineVersion"]}, settings.database.engine_version)


def test_instances_are_in_different_zones(cluster: Response, instances: list[Response], settings: Environment):
    zones = {instance["AvailabilityZone"] for instance in instances}
    several = min(1 + settings.database.readers, len(settings.network.zones))
    expect("zones", {cluster["DBClusterArn"]: zones}, Superset(settings.network.zones[:several]))


def test_writer_and_reader_endpoints_differ(cluster: Response):
    endpoints = {cluster["Endpoint"], cluster["ReaderEndpoint"]}
    expect(f"different endpoints, of {sorted(endpoints)}", {cluster["DBClusterArn"]: len(endpoints)}, 2)


def test_storage_is_encrypted_with_the_database_key(cluster: Response, keys: dict[str, str]):
    encryption = (cluster["StorageEncrypted"], cluster.get("KmsKeyId"))
    expect("is encrypted, key", {cluster["DBClusterArn"]: encryption}, (True, keys["database"]))


def test_performance_insights_are_encrypted_with_the_database_key(instances: list[Response], keys: dict[str, str]):
    insights = {
        one["DBInstanceArn"]: (one.get("PerformanceInsightsEnabled"), one.get("PerformanceInsightsKMSKeyId"))
        for one in instances
    }
    expect("Performance Insights, key", insights, (True, keys["database"]))


def test_database_requires_tls(cluster: Response, cluster_parameters: dict[str, str]):
    parameters = {name: cluster_parameters.get(name) for name in TLS}
    wanted = {name: CLUSTER_PARAMETERS[name] for name in TLS}
    expect(f"parameters of {cluster['DBClusterParameterGroup']}", {cluster["DBClusterArn"]: parameters}, wanted)


def test_database_parameters_enable_logs(cluster: Response, cluster_parameters: dict[str, str]):
    rest = {name: cluster_parameters.get(name) for name in CLUSTER_PARAMETERS.keys() - TLS}
    wanted = {name: CLUSTER_PARAMETERS[name] for name in CLUSTER_PARAMETERS.keys() - TLS}
    expect(f"parameters of {cluster['DBClusterParameterGroup']}", {cluster["DBClusterArn"]: rest}, wanted)


def test_database_logs_are_exported(cluster: Response):
    exported = set(cluster.get("EnabledCloudwatchLogsExports", []))
    expect("logs exported", {cluster["DBClusterArn"]: exported}, set(LOGS))


def test_instances_have_their_parameters(deployed: DeployedEnvironment, instances: list[Response]):
    measured: dict[str, Any] = {}
    for instance in instances:
        group = instance["DBParameterGroups"][0]["DBParameterGroupName"]
        listed = deployed.list_all("rds", "describe_db_parameters", "Parameters", DBParameterGroupName=group)
        values = {one["ParameterName"]: one.get("ParameterValue") for one in listed}
        measured[instance["DBInstanceArn"]] = {name: values.get(name) for name in INSTANCE_PARAMETERS}
    expect("parameters", measured, INSTANCE_PARAMETERS)


def test_log_of_os_metrics_is_encrypted_and_kept(
    deployed: DeployedEnvironment, settings: Environment, keys: dict[str, str]
):
    if settings.database.os_metrics_log:
        # RDS itself would create it without a key, and for 30 days.
        groups = deployed.list_all("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=OS_METRICS_LOG_GROUP)
        found = {one["arn"]: (one.get("kmsKeyId"), one.get("retentionInDays")) for one in groups}
        expect("key, retention in days", found, (keys["logs"], settings.log_retention_days))


def test_no_instance_is_public(instances: list[Response]):
    expect("is public", {one["DBInstanceArn"]: one["PubliclyAccessible"] for one in instances}, False)


def test_cluster_is_in_the_data_subnets(
    deployed: DeployedEnvironment, cluster: Response, subnets: dict[SubnetKind, dict[str, str]]
):
    name = cluster["DBSubnetGroup"]
    groups = deployed.list_all("rds", "describe_db_subnet_groups", "DBSubnetGroups")
    group = only_one(f"subnet group {name}", [one for one in groups if one["DBSubnetGroupName"] == name])
    group_subnets = {subnet["SubnetIdentifier"] for subnet in group["Subnets"]}
    expect("subnets", {group["DBSubnetGroupArn"]: group_subnets}, set(subnets["data"]))


def test_cluster_has_its_security_group(cluster: Response, groups: dict[str, str]):
    parties = [groups.get(one["VpcSecurityGroupId"]) for one in cluster["VpcSecurityGroups"]]
    expect("security groups", {cluster["DBClusterArn"]: parties}, ["database"])


def test_backup_retention_of_the_cluster(cluster: Response, settings: Environment):
    backups = (cluster["BackupRetentionPeriod"], cluster["PreferredBackupWindow"])
    wanted = (settings.database.backup_days, settings.windows.backup)
    expect("days and window of backups", {cluster["DBClusterArn"]: backups}, wanted)


def test_deletion_protection_of_the_cluster(cluster: Response, settings: Environment):
    protected = {cluster["DBClusterArn"]: cluster["DeletionProtection"]}
    expect("is protected against deletion", protected, settings.deletion_protection)


def test_capacity_of_the_cluster(cluster: Response, settings: Environment):
    capacity = cluster["ServerlessV2ScalingConfiguration"]
    wanted = (settings.database.minimum_capacity, settings.database.maximum_capacity)
    expect("capacity, in ACU", {cluster["DBClusterArn"]: (capacity["MinCapacity"], capacity["MaxCapacity"])}, wanted)


def test_master_secret_is_encrypted_with_the_kms_key_for_secrets(cluster: Response, keys: dict[str, str]):
    master = cluster.get("MasterUserSecret", {})
    expect("key of the master secret", {cluster["DBClusterArn"]: master.get("KmsKeyId")}, keys["secrets"])


def test_iam_authentication_is_enabled(cluster: Response):
    expect("IAM authentication", {cluster["DBClusterArn"]: cluster["IAMDatabaseAuthenticationEnabled"]}, True)


@pytest.fixture(scope="session")
def reader_scaling_targets(deployed: DeployedEnvironment, cluster: Response) -> list[Response]:
    return scaling_targets(deployed, "rds:cluster:ReadReplicaCount", f"cluster:{cluster['DBClusterIdentifier']}")


def test_readers_scale_within_the_settings(
    cluster: Response, reader_scaling_targets: list[Response], settings: Environment
):
    expect_bounds(
        reader_scaling_targets, cluster["DBClusterArn"], settings.database.readers, settings.database.maximum_readers
    )


def test_readers_scale_by_cpu(deployed: DeployedEnvironment, cluster: Response, reader_scaling_targets: list[Response]):
    expect_policies(deployed, reader_scaling_targets, cluster["DBClusterArn"], {"RDSReaderAverageCPUUtilization": 60})
