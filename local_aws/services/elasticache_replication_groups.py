"""ElastiCache's replication groups: shards, nodes, Availability Zones, slots, endpoints, and updates."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from moto.elasticache.models import ReplicationGroup
from moto.moto_api._internal import mock_random

from local_aws.extension import ApiError

SLOTS = 16384  # https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
# Full version by requested version.
# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/supported-engine-versions.html
VERSIONS = {"redis": {"7.0": "7.0.7", "7.1": "7.1.0"}}
LATEST = "7.1"
ATTRIBUTES = {
    "AutoMinorVersionUpgrade": "auto_minor_version_upgrade",
    "CacheNodeType": "cache_node_type",
    "CacheParameterGroupName": "cache_parameter_group_name",
    "Engine": "engine",
    "IpDiscovery": "ip_discovery",
    "NotificationTopicArn": "notification_topic_arn",
    "PreferredMaintenanceWindow": "preferred_maintenance_window",
    "ReplicationGroupDescription": "description",
    "SecurityGroupIds": "security_group_ids",
    "SnapshotRetentionLimit": "snapshot_retention_limit",
    "SnapshotWindow": "snapshot_window",
    "TransitEncryptionEnabled": "transit_encryption_enabled",
    "TransitEncryptionMode": "transit_encryption_mode",
}
"""Attribute by parameter of ModifyReplicationGroup."""
SWITCHES = {"AutomaticFailoverEnabled": "automatic_failover", "MultiAZEnabled": "multi_az"}
"""Likewise, for attributes that are "enabled" or "disabled"."""
HANDLED_SEPARATELY = {
    "ApplyImmediately",
    "EngineVersion",
    "LogDeliveryConfigurations",
    "RemoveUserGroups",
    "ReplicationGroupId",
    "UserGroupIdsToAdd",
    "UserGroupIdsToRemove",
}
"""Of these, `ApplyImmediately` and `ReplicationGroupId` change no attribute."""


class ReplicationGroupWithNodes(ReplicationGroup):
    """A replication group whose shards cover all slots and whose nodes are spread over the Availability Zones."""

    def __init__(self, *, zones: Sequence[str], **settings: Any) -> None:
        if settings.pop("node_group_configuration", None):
            raise NotImplementedError("NodeGroupConfiguration is not implemented")
        super().__init__(**settings, node_group_configuration=[])
        self.domain = (
            f"{self.replication_group_id}.{mock_random.get_random_hex(6)}.{short_region(settings['region_name'])}"
            ".cache.amazonaws.com"
        )
        self.zones = zones
        self.engine_version = full_version(self.engine, self.engine_version or LATEST)
        self.auto_minor_version_upgrade = settings["auto_minor_version_upgrade"] is not False
        if self.transit_encryption_enabled:
            self.transit_encryption_mode = self.transit_encryption_mode or "required"
        replicas = settings["replicas_per_node_group"]
        self.resize(
            shard_count=settings["num_node_groups"] or 1,
            replica_count=(settings["num_cache_clusters"] or 1) - 1 if replicas is None else replicas,
        )
        self._check()

    @property
    def shard_count(self) -> int:
        return len(self.node_groups)

    @property
    def replica_count(self) -> int:
        """Per shard."""
        return len(self.node_groups[0]["NodeGroupMembers"]) - 1

    def resize(self, *, shard_count: int, replica_count: int) -> None:
        """Set the number of shards, and of replicas per shard."""
        self.node_groups = [self._shard(number, shard_count, replica_count) for number in range(shard_count)]
        self.member_clusters = [
            member["CacheClusterId"] for shard in self.node_groups for member in shard["NodeGroupMembers"]
        ]
        self.snapshotting_cluster_id = self.member_clusters[-1] if self.snapshot_retention_limit else None
        if self.cluster_enabled:
            self.configuration_endpoint = self._endpoint("clustercfg")

    def modify(self, request: Mapping[str, Any]) -> None:
        """Apply ModifyReplicationGroup immediately, regardless of the maintenance window."""
        if unknown := sorted(set(request) - set(ATTRIBUTES) - set(SWITCHES) - HANDLED_SEPARATELY):
            raise NotImplementedError(f"a modification of {', '.join(unknown)} is not implemented")
        for name in ATTRIBUTES.keys() & request.keys():
            setattr(self, ATTRIBUTES[name], request[name])
        for name in SWITCHES.keys() & request.keys():
            setattr(self, SWITCHES[name], "enabled" if request[name] else "disabled")
        if "EngineVersion" in request:
            self.engine_version = full_version(self.engine, request["EngineVersion"])
        removed = self.user_group_ids if request.get("RemoveUserGroups") else request.get("UserGroupIdsToRemove", [])
        kept = [group for group in self.user_group_ids if group not in removed]
        self.user_group_ids = kept + request.get("UserGroupIdsToAdd", [])
        self._deliver_logs(request.get("LogDeliveryConfigurations", []))
        self._check()

    def nodes(self) -> list[dict[str, Any]]:
        """Member clusters, as in DescribeCacheClusters."""
        return [self._node(shard, member) for shard in self.node_groups for member in shard["NodeGroupMembers"]]

    def _check(self) -> None:
        if self.multi_az == "enabled" and self.automatic_failover == "disabled":
            raise ApiError("InvalidParameterCombination", "Multi-AZ requires automatic failover")
        if self.cluster_enabled and self.automatic_failover == "disabled":
            raise ApiError("InvalidParameterCombination", "Cluster mode requires automatic failover")
        if self.user_group_ids and not self.transit_encryption_enabled:
            raise ApiError("InvalidParameterCombination", "User groups require encryption in transit")

    def _deliver_logs(self, configurations: Sequence[Mapping[str, Any]]) -> None:
        types = {each["LogType"] for each in configurations}
        kept = [each for each in self.log_delivery_configurations if each["LogType"] not in types]
        enabled = [dict(each) for each in configurations if each.get("Enabled", True)]
        self.log_delivery_configurations = kept + self._get_log_delivery_configurations(enabled)

    def _shard(self, number: int, shard_count: int, replica_count: int) -> dict[str, Any]:
        shard_id = f"{number + 1:04}"
        members = [self._member(shard_id, number, index) for index in range(replica_count + 1)]
        shard = {"NodeGroupId": shard_id, "Status": "available", "NodeGroupMembers": members}
        if self.cluster_enabled:
            return shard | {"Slots": f"{number * SLOTS // shard_count}-{(number + 1) * SLOTS // shard_count - 1}"}
        return shard | {"PrimaryEndpoint": self._endpoint("master"), "ReaderEndpoint": self._endpoint("replica")}

    def _member(self, shard_id: str, number: int, index: int) -> dict[str, Any]:
        prefix = f"{self.replication_group_id}-{shard_id}" if self.cluster_enabled else self.replication_group_id
        member = {
            "CacheClusterId": f"{prefix}-{index + 1:03}",
            "CacheNodeId": "0001",
            "PreferredAvailabilityZone": self.zones[(number + index) % len(self.zones)],
        }
        if self.cluster_enabled:
            return member
        endpoint = self._endpoint(member["CacheClusterId"])
        return member | {"ReadEndpoint": endpoint, "CurrentRole": "replica" if index else "primary"}

    def _node(self, shard: Mapping[str, Any], member: Mapping[str, Any]) -> dict[str, Any]:
        name, zone = member["CacheClusterId"], member["PreferredAvailabilityZone"]
        parameters = {"CacheParameterGroupName": self.cache_parameter_group_name, "ParameterApplyStatus": "in-sync"}
        topic = {"TopicArn": self.notification_topic_arn, "TopicStatus": "active"}
        return {
            "ARN": self.arn.replace(f":replicationgroup:{self.replication_group_id}", f":cluster:{name}"),
            "AtRestEncryptionEnabled": self.at_rest_encryption_enabled,
            "AuthTokenEnabled": self.auth_token_enabled,
            "AutoMinorVersionUpgrade": self.auto_minor_version_upgrade,
            "CacheClusterCreateTime": self.replication_group_create_time,
            "CacheClusterId": name,
            "CacheClusterStatus": "available",
            "CacheNodes": [
                {
                    "CacheNodeId": member["CacheNodeId"],
                    "CacheNodeStatus": "available",
                    "CustomerAvailabilityZone": zone,
                    "Endpoint": self._endpoint(f"{name}.{shard['NodeGroupId']}"),
                    "ParameterGroupStatus": "in-sync",
                }
            ],
            "CacheNodeType": self.cache_node_type,
            "CacheParameterGroup": parameters,
            "CacheSubnetGroupName": self.cache_subnet_group_name,
            "Engine": self.engine,
            "EngineVersion": self.engine_version,
            "IpDiscovery": self.ip_discovery,
            "NetworkType": self.network_type,
            "NotificationConfiguration": topic if self.notification_topic_arn else None,
            "NumCacheNodes": 1,
            "PreferredAvailabilityZone": zone,
            "PreferredMaintenanceWindow": self.preferred_maintenance_window,
            "ReplicationGroupId": self.replication_group_id,
            "ReplicationGroupLogDeliveryEnabled": bool(self.log_delivery_configurations),
            "SecurityGroups": [
                {"SecurityGroupId": group, "Status": "active"} for group in self.security_group_ids or []
            ],
            "SnapshotRetentionLimit": self.snapshot_retention_limit,
            "SnapshotWindow": self.snapshot_window,
            "TransitEncryptionEnabled": self.transit_encryption_enabled,
            "TransitEncryptionMode": self.transit_encryption_mode,
        }

    def _endpoint(self, name: str) -> dict[str, Any]:
        return {"Address": f"{name}.{self.domain}", "Port": self.port}


def full_version(engine: str, version: str) -> str:
    """A version with its patch level.

    Raises:
        ApiError: there is no such version.
        NotImplementedError: the versions of the engine are not known.
    """
    if engine not in VERSIONS:
        raise NotImplementedError(f"The versions of {engine} are not known")
    known = VERSIONS[engine]
    if version not in known and version not in known.values():
        raise ApiError("InvalidParameterCombination", f"Cannot find version {version} for {engine}")
    return known.get(version, version)


def short_region(region: str) -> str:
    """A Region's abbreviation in endpoints: usw1 for us-west-1, apse2 for ap-southeast-2."""
    area, *words, number = region.split("-")
    return area + "".join(word[0] for word in re.findall("gov|north|south|east|west|central", "-".join(words))) + number
