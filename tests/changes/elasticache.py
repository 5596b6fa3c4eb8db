"""Out-of-band changes to ElastiCache resources, one per argument."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change


def _parameter_group(**values: Any) -> Change:
    def change(aws: LocalAws, group: dict[str, Any]) -> None:
        vars(aws.backend("elasticache").parameter_groups[group["name"]]).update(values)

    return change


def _change_parameter(aws: LocalAws, group: dict[str, Any]) -> None:
    aws.client("elasticache").modify_cache_parameter_group(
        CacheParameterGroupName=group["name"],
        ParameterNameValues=[{"ParameterName": "maxmemory-policy", "ParameterValue": "noeviction"}],
    )


def _replication_group(**parameters: Any) -> Change:
    """Modify the replication group with the API."""

    def change(aws: LocalAws, group: dict[str, Any]) -> None:
        aws.client("elasticache").modify_replication_group(
            ReplicationGroupId=group["id"], ApplyImmediately=True, **parameters
        )

    return change


def _stored_replication_group(**values: Any) -> Change:
    """Set attributes that the API cannot change."""

    def change(aws: LocalAws, group: dict[str, Any]) -> None:
        stored = aws.backend("elasticache").replication_groups[group["id"]]
        vars(stored).update(values)
        stored.resize(shard_count=stored.shard_count, replica_count=stored.replica_count)

    return change


def _add_replica(aws: LocalAws, group: dict[str, Any]) -> None:
    aws.client("elasticache").increase_replica_count(
        ReplicationGroupId=group["id"], NewReplicaCount=group["replicas_per_node_group"] + 1, ApplyImmediately=True
    )


def _subnet_group(**parameters: Any) -> Change:
    def change(aws: LocalAws, group: dict[str, Any]) -> None:
        aws.client("elasticache").modify_cache_subnet_group(CacheSubnetGroupName=group["name"], **parameters)

    return change


def _reduce_subnets(aws: LocalAws, group: dict[str, Any]) -> None:
    _subnet_group(SubnetIds=group["subnet_ids"][:1])(aws, group)


def _user(**parameters: Any) -> Change:
    def change(aws: LocalAws, user: dict[str, Any]) -> None:
        aws.client("elasticache").modify_user(UserId=user["user_id"], **parameters)

    return change


def _rename_user(aws: LocalAws, user: dict[str, Any]) -> None:
    aws.backend("elasticache").users[user["user_id"]].name = "another"


def _remove_user(aws: LocalAws, group: dict[str, Any]) -> None:
    backend = aws.backend("elasticache")
    others = [user for user in group["user_ids"] if backend.users[user].name != "default"]
    aws.client("elasticache").modify_user_group(UserGroupId=group["user_group_id"], UserIdsToRemove=others[:1])


def _change_engine(aws: LocalAws, group: dict[str, Any]) -> None:
    aws.client("elasticache").modify_user_group(UserGroupId=group["user_group_id"], Engine="valkey")


def _add_tag(aws: LocalAws, resource: dict[str, Any]) -> None:
    aws.client("elasticache").add_tags_to_resource(
        ResourceName=resource["arn"], Tags=[{"Key": "Changed", "Value": "yes"}]
    )


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_elasticache_parameter_group", "description"): _parameter_group(description="Another"),
    ("aws_elasticache_parameter_group", "family"): _parameter_group(cache_parameter_group_family="valkey7"),
    ("aws_elasticache_parameter_group", "parameter"): _change_parameter,
    ("aws_elasticache_parameter_group", "tags"): _add_tag,
    ("aws_elasticache_replication_group", "at_rest_encryption_enabled"): _stored_replication_group(
        at_rest_encryption_enabled=False
    ),
    ("aws_elasticache_replication_group", "auto_minor_version_upgrade"): _replication_group(
        AutoMinorVersionUpgrade=False
    ),
    ("aws_elasticache_replication_group", "multi_az_enabled"): _replication_group(MultiAZEnabled=False),
    ("aws_elasticache_replication_group", "automatic_failover_enabled"): _stored_replication_group(
        automatic_failover="disabled"
    ),
    ("aws_elasticache_replication_group", "description"): _stored_replication_group(description="Another"),
    ("aws_elasticache_replication_group", "engine"): _stored_replication_group(engine="valkey"),
    ("aws_elasticache_replication_group", "engine_version"): _stored_replication_group(engine_version="7.0.7"),
    ("aws_elasticache_replication_group", "kms_key_id"): _stored_replication_group(
        kms_key_id="arn:aws:kms:us-west-1:111122223333:key/another"
    ),
    ("aws_elasticache_replication_group", "log_delivery_configuration"): _stored_replication_group(
        log_delivery_configurations=[]
    ),
    ("aws_elasticache_replication_group", "maintenance_window"): _stored_replication_group(
        preferred_maintenance_window="wed:10:00-wed:11:00"
    ),
    ("aws_elasticache_replication_group", "node_type"): _stored_replication_group(cache_node_type="cache.r7g.xlarge"),
    ("aws_elasticache_replication_group", "parameter_group_name"): _stored_replication_group(
        cache_parameter_group_name="default.redis7.cluster.on"
    ),
    ("aws_elasticache_replication_group", "port"): _stored_replication_group(port=6399),
    ("aws_elasticache_replication_group", "replicas_per_node_group"): _add_replica,
    ("aws_elasticache_replication_group", "security_group_ids"): _stored_replication_group(
        security_group_ids=["sg-0123456789abcdef0"]
    ),
    ("aws_elasticache_replication_group", "snapshot_retention_limit"): _stored_replication_group(
        snapshot_retention_limit=35
    ),
    ("aws_elasticache_replication_group", "snapshot_window"): _stored_replication_group(snapshot_window="01:00-02:00"),
    ("aws_elasticache_replication_group", "subnet_group_name"): _stored_replication_group(
        cache_subnet_group_name="another"
    ),
    ("aws_elasticache_replication_group", "tags"): _add_tag,
    ("aws_elasticache_replication_group", "transit_encryption_enabled"): _stored_replication_group(
        transit_encryption_enabled=False
    ),
    ("aws_elasticache_replication_group", "transit_encryption_mode"): _stored_replication_group(
        transit_encryption_mode="preferred"
    ),
    ("aws_elasticache_replication_group", "user_group_ids"): _stored_replication_group(user_group_ids=["another"]),
    ("aws_elasticache_subnet_group", "description"): _subnet_group(CacheSubnetGroupDescription="Another"),
    ("aws_elasticache_subnet_group", "subnet_ids"): _reduce_subnets,
    ("aws_elasticache_subnet_group", "tags"): _add_tag,
    ("aws_elasticache_user", "access_string"): _user(AccessString="on ~* +@all"),
    ("aws_elasticache_user", "authentication_mode"): _user(AuthenticationMode={"Type": "no-password-required"}),
    ("aws_elasticache_user", "engine"): _user(Engine="valkey"),
    ("aws_elasticache_user", "tags"): _add_tag,
    ("aws_elasticache_user_group", "engine"): _change_engine,
    ("aws_elasticache_user_group", "tags"): _add_tag,
    ("aws_elasticache_user_group", "user_ids"): _remove_user,
    # Last: the group's default user is identified by this name.
    ("aws_elasticache_user", "user_name"): _rename_user,
}
UNREAD: dict[tuple[str, str], str] = {
    ("aws_elasticache_parameter_group", "name"): IDENTIFIES,
    ("aws_elasticache_replication_group", "apply_immediately"): "an option of updates; only in the state",
    ("aws_elasticache_replication_group", "final_snapshot_identifier"): "used by destroy; only in the state",
    ("aws_elasticache_replication_group", "num_node_groups"): "ignore_changes: set by Application Auto Scaling",
    ("aws_elasticache_replication_group", "replication_group_id"): IDENTIFIES,
    ("aws_elasticache_subnet_group", "name"): IDENTIFIES,
    ("aws_elasticache_user", "no_password_required"): "not read by the provider",
    ("aws_elasticache_user", "user_id"): IDENTIFIES,
    ("aws_elasticache_user_group", "user_group_id"): IDENTIFIES,
}
