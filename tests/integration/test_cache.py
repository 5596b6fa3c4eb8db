"""The cache: shards and replicas, failover, encryption, IAM authentication, snapshots, and scaling."""

import pytest

from stacks.cache.stack import LOGS, SNAPSHOT_DAYS
from stacks.cache.users import APPLICATION_ACCESS_STRING
from stacks.network.subnets import SubnetKind
from stacks.settings import Environment
from tests.integration.deployed import DeployedEnvironment, Response, only_one
from tests.integration.expectations import AtLeast, expect, expect_each
from tests.integration.scaling import expect_bounds, expect_policies, scaling_targets


@pytest.fixture(scope="session")
def cache(deployed: DeployedEnvironment) -> Response:
    return only_one(
        "cache", deployed.list_own("elasticache", "describe_replication_groups", "ReplicationGroups", "ARN")
    )


@pytest.fixture(scope="session")
def nodes(deployed: DeployedEnvironment, cache: Response) -> list[Response]:
    listed = deployed.list_all("elasticache", "describe_cache_clusters", "CacheClusters")
    return [node for node in listed if node.get("ReplicationGroupId") == cache["ReplicationGroupId"]]


def test_number_of_shards(cache: Response, settings: Environment):
    expect("shards", {cache["ARN"]: len(cache["NodeGroups"])}, AtLeast(settings.cache.shards))


def test_number_of_replicas_per_shard(cache: Response, settings: Environment):
    nodes = {f"{cache['ARN']} {shard['NodeGroupId']}": len(shard["NodeGroupMembers"]) for shard in cache["NodeGroups"]}
    expect("nodes", nodes, 1 + settings.cache.replicas_per_shard)


def test_nodes_of_a_shard_are_in_different_zones(cache: Response, settings: Environment):
    zones = {
        f"{cache['ARN']} {shard['NodeGroupId']}": {
            node["PreferredAvailabilityZone"] for node in shard["NodeGroupMembers"]
        }
        for shard in cache["NodeGroups"]
    }
    several = min(1 + settings.cache.replicas_per_shard, len(settings.network.zones))
    expect_each("zones", zones, {shard: zones[shard] if len(zones[shard]) >= several else several for shard in zones})


def test_cache_has_automatic_failover(cache: Response, settings: Environment):
    wanted = ("enabled", "enabled" if settings.cache.replicas_per_shard else "disabled")
    expect("automatic failover, Multi-AZ", {cache["ARN"]: (cache["AutomaticFailover"], cache["MultiAZ"])}, wanted)


def test_cache_requires_tls(cache: Response):
    tls = (cache["TransitEncryptionEnabled"], cache.get("TransitEncryptionMode"))
    expect("TLS", {cache["ARN"]: tls}, (True, "required"))


def test_cache_is_encrypted_with_the_file_key(cache: Response, keys: dict[str, str]):
    encryption = (cache["AtRestEncryptionEnabled"], cache.get("KmsKeyId"))
    expect("is encrypted, key", {cache["ARN"]: encryption}, (True, keys["files"]))


@pytest.fixture(scope="session")
def users(deployed: DeployedEnvironment, cache: Response) -> list[Response]:
    """Users of the cache, and `default`, which ElastiCache requires."""
    groups = deployed.list_all("elasticache", "describe_user_groups", "UserGroups")
    members = {id for one in groups if one["UserGroupId"] in cache["UserGroupIds"] for id in one["UserIds"]}
    return [one for one in deployed.list_all("elasticache", "describe_users", "Users") if one["UserId"] in members]


def test_users_authenticate_with_iam(users: list[Response]):
    # The access string of a disabled user begins with `off`.
    authentication = {
        one["ARN"]: one["Authentication"]["Type"] if one["AccessString"].split()[0] == "on" else "off" for one in users
    }
    expect_each(
        "authentication",
        authentication,
        {one["ARN"]: "off" if one["UserName"] == "default" else "iam" for one in users},
    )


def test_application_user_has_restricted_commands(users: list[Response]):
    access = {one["ARN"]: set(one["AccessString"].split()) for one in users if one["UserName"] != "default"}
    expect("access string", access, set(APPLICATION_ACCESS_STRING.split()))


def test_cache_is_in_the_data_subnets(
    deployed: DeployedEnvironment, nodes: list[Response], subnets: dict[SubnetKind, dict[str, str]]
):
    names = {node["CacheSubnetGroupName"] for node in nodes}
    listed = deployed.list_all("elasticache", "describe_cache_subnet_groups", "CacheSubnetGroups")
    group_subnets = {
        one["ARN"]: {subnet["SubnetIdentifier"] for subnet in one["Subnets"]}
        for one in listed
        if one["CacheSubnetGroupName"] in names
    }
    expect("subnets", group_subnets, set(subnets["data"]))


def test_cache_nodes_have_their_security_group(nodes: list[Response], groups: dict[str, str]):
    parties = {node["ARN"]: [groups.get(one["SecurityGroupId"]) for one in node["SecurityGroups"]] for node in nodes}
    expect("security groups", parties, ["cache"])


def test_cache_snapshots_are_retained(cache: Response, settings: Environment):
    kept = (cache["SnapshotRetentionLimit"], cache["SnapshotWindow"])
    expect("days and window of snapshots", {cache["ARN"]: kept}, (SNAPSHOT_DAYS, settings.windows.backup))


def test_cache_logs_are_delivered(cache: Response):
    deliveries = cache.get("LogDeliveryConfigurations", [])
    active = {one["LogType"] for one in deliveries if one["Status"] == "active"}
    expect("logs delivered", {cache["ARN"]: active}, set(LOGS))


@pytest.fixture(scope="session")
def shard_scaling_targets(deployed: DeployedEnvironment, cache: Response) -> list[Response]:
    resource = f"replication-group/{cache['ReplicationGroupId']}"
    return scaling_targets(deployed, "elasticache:replication-group:NodeGroups", resource)


def test_shards_scale_within_the_settings(
    cache: Response, shard_scaling_targets: list[Response], settings: Environment
):
    expect_bounds(shard_scaling_targets, cache["ARN"], settings.cache.shards, settings.cache.maximum_shards)


def test_shards_scale_by_cpu_and_memory(
    deployed: DeployedEnvironment, cache: Response, shard_scaling_targets: list[Response]
):
    metrics = {
        "ElastiCachePrimaryEngineCPUUtilization": 60,
        "ElastiCacheDatabaseMemoryUsageCountedForEvictPercentage": 70,
    }
    expect_policies(deployed, shard_scaling_targets, cache["ARN"], metrics)
