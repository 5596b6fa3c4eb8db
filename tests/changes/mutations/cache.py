"""Mutations for test_cache.py: the replication group, its nodes and users, and its scaling."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes.mutations import Mutation, Related
from tests.changes.mutations.database import change_scalable_target, delete_scaling_policy
from tests.changes.mutations.lookup import key, named


def group(aws: LocalAws) -> Any:
    """moto's object of the replication group."""
    (one,) = aws.backend("elasticache").replication_groups.values()
    return one


def set_shards(shards: int, replicas: int) -> Mutation:
    """Set the numbers of shards and replicas."""
    return lambda aws: group(aws).resize(shard_count=shards, replica_count=replicas)


def use_one_zone(aws: LocalAws) -> None:
    one = group(aws)
    one.zones = one.zones[:1]
    one.resize(shard_count=one.shard_count, replica_count=one.replica_count)


def modify_cache(**parameters: Any) -> Mutation:
    """Modify the replication group immediately."""
    return lambda aws: aws.client("elasticache").modify_replication_group(
        ReplicationGroupId=group(aws).replication_group_id, ApplyImmediately=True, **parameters
    )


def change_key(aws: LocalAws) -> None:
    group(aws).kms_key_id = key(aws, "database")


def application_user(aws: LocalAws) -> Any:
    """The application's user, from DescribeUsers."""
    (one,) = (u for u in aws.client("elasticache").describe_users()["Users"] if u["UserName"] != "default")
    return one


def allow_login_without_password(aws: LocalAws) -> None:
    aws.client("elasticache").modify_user(
        UserId=application_user(aws)["UserId"], AuthenticationMode={"Type": "no-password-required"}
    )


def allow_flush(aws: LocalAws) -> None:
    aws.client("elasticache").modify_user(UserId=application_user(aws)["UserId"], AppendAccessString="+flushall")


def use_public_subnets(aws: LocalAws) -> None:
    aws.client("elasticache").modify_cache_subnet_group(
        CacheSubnetGroupName=group(aws).cache_subnet_group_name,
        SubnetIds=[named(aws, "subnet", "public-a"), named(aws, "subnet", "public-b")],
    )


def change_security_group(aws: LocalAws) -> None:
    modify_cache(SecurityGroupIds=[named(aws, "sg", "service")])(aws)


MUTATIONS: dict[str, Mutation] = {
    "test_number_of_shards": set_shards(shards=1, replicas=1),
    "test_number_of_replicas_per_shard": set_shards(shards=2, replicas=2),
    "test_nodes_of_a_shard_are_in_different_zones": use_one_zone,
    "test_cache_has_automatic_failover": modify_cache(MultiAZEnabled=False),
    "test_cache_requires_tls": modify_cache(TransitEncryptionMode="preferred"),
    "test_cache_is_encrypted_with_the_file_key": change_key,
    "test_users_authenticate_with_iam": allow_login_without_password,
    "test_application_user_has_restricted_commands": allow_flush,
    "test_cache_is_in_the_data_subnets": use_public_subnets,
    "test_cache_nodes_have_their_security_group": change_security_group,
    "test_cache_snapshots_are_retained": modify_cache(SnapshotRetentionLimit=1),
    "test_cache_logs_are_delivered": modify_cache(
        LogDeliveryConfigurations=[{"LogType": "slow-log", "Enabled": False}]
    ),
    "test_shards_scale_within_the_settings": change_scalable_target("elasticache", MaxCapacity=90),
    "test_shards_scale_by_cpu_and_memory": delete_scaling_policy("elasticache"),
}
RELATED: Related = {}
