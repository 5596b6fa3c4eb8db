"""The cache: shards with replicas in other zones, TLS, no login without IAM, encrypted, kept for a week."""

import pytest

from stacks.cache.stack import LOGS, SNAPSHOT_DAYS
from stacks.cache.users import APPLICATION_ACCESS_STRING
from stacks.network.subnets import SubnetKind
from stacks.settings import Environment
from tests.integration.deployed import DeployedEnvironment, Response, only_one
from tests.integration.expectations import AtLeast, expect, expect_each
from tests.integration.scaling import expect_bounds, expect_policies, scaling_targets


@pytest.fixture(scope="session")
def cache(found: DeployedEnvironment) -> Response:
    return only_one("cache", found.list_own("elasticache", "describe_replication_groups", "ReplicationGroups", "ARN"))


@pytest.fixture(scope="session")
def nodes(found: DeployedEnvironment, cache: Response) -> list[Response]:
    listed = found.list_all("elasticache", "describe_cache_clusters", "CacheClusters")
    return [node for node in listed if node.get("ReplicationGroupId") == cache["ReplicationGroupId"]]


def test_there_are_the_shards_of_the_settings(cache: Response, settings: Environment):
    expect("shards", {cache["ARN"]: len(cache["NodeGroups"])}, AtLeast(settings.cache.shards))


def test_every_shard_has_the_replicas_of_the_settings(cache: Response, settings: Environment):
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


def test_a_replica_takes_over_by_itself(cache: Response, settings: Environment):
    wanted = ("enabled", "enabled" if settings.cache.replicas_per_shard else "disabled")
    expect("failover, and over zones", {cache["ARN"]: (cache["AutomaticFailover"], cache["MultiAZ"])}, wanted)


def test_tls_is_required(cache: Response):
    tls = (cache["TransitEncryptionEnabled"], cache.get("TransitEncryptionMode"))
    expect("TLS", {cache["ARN"]: tls}, (True, "required"))


def test_the_cache_is_encrypted_with_the_key_of_files(cache: Response, keys: dict[str, str]):
    encryption = (cache["AtRestEncryptionEnabled"], cache.get("KmsKeyId"))
    expect("is encrypted, and its key", {cache["ARN"]: encryption}, (True, keys["files"]))


@pytest.fixture(scope="session")
def users(found: DeployedEnvironment, cache: Response) -> list[Response]:
    """Whoever may sign in, and `default`, which ElastiCache asks for."""
    groups = found.list_all("elasticache", "describe_user_groups", "UserGroups")
    members = {id for one in groups if one["UserGroupId"] in cache["UserGroupIds"] for id in one["UserIds"]}
    return [one for one in found.list_all("elasticache", "describe_users", "Users") if one["UserId"] in members]


def test_nobody_signs_in_without_iam(users: list[Response]):
    # `off` is the first word of what a user may do who may not even sign in.
    ways = {
        one["ARN"]: one["Authentication"]["Type"] if one["AccessString"].split()[0] == "on" else "off" for one in users
    }
    expect_each("signs in by", ways, {one["ARN"]: "off" if one["UserName"] == "default" else "iam" for one in users})


def test_the_application_may_not_look_at_or_empty_the_whole(users: list[Response]):
    may = {one["ARN"]: set(one["AccessString"].split()) for one in users if one["UserName"] != "default"}
    expect("may", may, set(APPLICATION_ACCESS_STRING.split()))


def test_the_cache_is_in_the_data_subnets(
    found: DeployedEnvironment, nodes: list[Response], subnets: dict[SubnetKind, dict[str, str]]
):
    names = {node["CacheSubnetGroupName"] for node in nodes}
    listed = found.list_all("elasticache", "describe_cache_subnet_groups", "CacheSubnetGroups")
    within = {
        one["ARN"]: {subnet["SubnetIdentifier"] for subnet in one["Subnets"]}
        for one in listed
        if one["CacheSubnetGroupName"] in names
    }
    expect("subnets", within, set(subnets["data"]))


def test_nodes_have_their_security_group(nodes: list[Response], groups: dict[str, str]):
    parties = {node["ARN"]: [groups.get(one["SecurityGroupId"]) for one in node["SecurityGroups"]] for node in nodes}
    expect("security groups", parties, ["cache"])


def test_snapshots_are_kept(cache: Response, settings: Environment):
    kept = (cache["SnapshotRetentionLimit"], cache["SnapshotWindow"])
    expect("days and window of snapshots", {cache["ARN"]: kept}, (SNAPSHOT_DAYS, settings.windows.backup))


def test_logs_are_delivered(cache: Response):
    deliveries = cache.get("LogDeliveryConfigurations", [])
    active = {one["LogType"] for one in deliveries if one["Status"] == "active"}
    expect("logs delivered", {cache["ARN"]: active}, set(LOGS))


@pytest.fixture(scope="session")
def shards(found: DeployedEnvironment, cache: Response) -> list[Response]:
    resource = f"replication-group/{cache['ReplicationGroupId']}"
    return scaling_targets(found, "elasticache:replication-group:NodeGroups", resource)


def test_shards_are_scaled_within_the_bounds_of_the_settings(
    cache: Response, shards: list[Response], settings: Environment
):
    expect_bounds(shards, cache["ARN"], settings.cache.shards, settings.cache.maximum_shards)


def test_shards_are_added_when_cpu_or_memory_is_high(
    found: DeployedEnvironment, cache: Response, shards: list[Response]
):
    metrics = {
        "ElastiCachePrimaryEngineCPUUtilization": 60,
        "ElastiCacheDatabaseMemoryUsageCountedForEvictPercentage": 70,
    }
    expect_policies(found, shards, cache["ARN"], metrics)
