"""Changes for test_cache.py: the replication group, its nodes and users, its shards under load."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes.mutations import Mutation, Related
from tests.changes.mutations.database import follows_nothing, scaling
from tests.changes.mutations.lookup import key, named


def group(aws: LocalAws) -> Any:
    """The model of the replication group."""
    (one,) = aws.backend("elasticache").replication_groups.values()
    return one


def is_laid_out(shards: int, replicas: int) -> Mutation:
    """Other shards and replicas."""
    return lambda aws: group(aws).resize(shards=shards, replicas=replicas)


def is_in_one_zone(aws: LocalAws) -> None:
    one = group(aws)
    one.zones = one.zones[:1]
    one.resize(shards=one.shards, replicas=one.replicas)


def cache_is(**asked: Any) -> Mutation:
    """Modify the replication group, at once."""
    return lambda aws: aws.client("elasticache").modify_replication_group(
        ReplicationGroupId=group(aws).replication_group_id, ApplyImmediately=True, **asked
    )


def has_another_key(aws: LocalAws) -> None:
    group(aws).kms_key_id = key(aws, "database")


def application_user(aws: LocalAws) -> Any:
    """As ElastiCache tells of it."""
    (one,) = (u for u in aws.client("elasticache").describe_users()["Users"] if u["UserName"] != "default")
    return one


def somebody_signs_in_without_iam(aws: LocalAws) -> None:
    aws.client("elasticache").modify_user(
        UserId=application_user(aws)["UserId"], AuthenticationMode={"Type": "no-password-required"}
    )


def application_may_flush(aws: LocalAws) -> None:
    aws.client("elasticache").modify_user(UserId=application_user(aws)["UserId"], AppendAccessString="+flushall")


def is_in_other_subnets(aws: LocalAws) -> None:
    aws.client("elasticache").modify_cache_subnet_group(
        CacheSubnetGroupName=group(aws).cache_subnet_group_name,
        SubnetIds=[named(aws, "subnet", "public-a"), named(aws, "subnet", "public-b")],
    )


def has_another_group(aws: LocalAws) -> None:
    cache_is(SecurityGroupIds=[named(aws, "sg", "service")])(aws)


MUTATIONS: dict[str, Mutation] = {
    "test_there_are_the_shards_of_the_settings": is_laid_out(shards=1, replicas=1),
    "test_every_shard_has_the_replicas_of_the_settings": is_laid_out(shards=2, replicas=2),
    "test_nodes_of_a_shard_are_in_different_zones": is_in_one_zone,
    "test_a_replica_takes_over_by_itself": cache_is(MultiAZEnabled=False),
    "test_tls_is_required": cache_is(TransitEncryptionMode="preferred"),
    "test_the_cache_is_encrypted_with_the_key_of_files": has_another_key,
    "test_nobody_signs_in_without_iam": somebody_signs_in_without_iam,
    "test_the_application_may_not_look_at_or_empty_the_whole": application_may_flush,
    "test_the_cache_is_in_the_data_subnets": is_in_other_subnets,
    "test_nodes_have_their_security_group": has_another_group,
    "test_snapshots_are_kept": cache_is(SnapshotRetentionLimit=1),
    "test_logs_are_delivered": cache_is(LogDeliveryConfigurations=[{"LogType": "slow-log", "Enabled": False}]),
    "test_shards_are_scaled_within_the_bounds_of_the_settings": scaling("elasticache", MaxCapacity=90),
    "test_shards_are_added_when_cpu_or_memory_is_high": follows_nothing("elasticache"),
}
RELATED: Related = {}
