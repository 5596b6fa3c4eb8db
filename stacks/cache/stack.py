"""The cache: ElastiCache for Redis in cluster mode, with replicas in other zones and automatic failover.

Replication is asynchronous: a failover loses the last writes, so carts and orders belong in the database. Tasks
authenticate with IAM over TLS; there is no password, and the default user is disabled.
"""

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.elasticache_parameter_group import (
    ElasticacheParameterGroup,
    ElasticacheParameterGroupParameter,
)
from cdktf_cdktf_provider_aws.elasticache_replication_group import (
    ElasticacheReplicationGroup,
    ElasticacheReplicationGroupLogDeliveryConfiguration,
)
from cdktf_cdktf_provider_aws.elasticache_subnet_group import ElasticacheSubnetGroup
from cdktf_cdktf_provider_aws.elasticache_user_group import ElasticacheUserGroup
from constructs import Construct

from stacks.cache.alarms import ALARMS
from stacks.cache.users import ENGINE, application_user, user_group
from stacks.foundation.stack import FoundationStack
from stacks.network.stack import NetworkStack
from stacks.parts import ports
from stacks.parts.alarms import create_alarms
from stacks.parts.autoscaling import scaling_target, track_metric
from stacks.parts.logs import allow_log_delivery, log_group
from stacks.settings import Environment
from stacks.tier import TierStack

ENGINE_VERSION = "7.1"
FAMILY = "redis7"

LOGS = ("slow-log", "engine-log")

SNAPSHOT_DAYS = 7
"""To start with a warm cache after the loss of a shard. Nothing that must be kept is in the cache."""


class CacheStack(TierStack):
    """Replication group, parameter group, users, shard autoscaling."""

    tier = "cache"

    def __init__(
        self, scope: Construct, settings: Environment, *, foundation: FoundationStack, network: NetworkStack
    ) -> None:
        super().__init__(scope, settings)
        logs = self._logs(foundation)
        self.user = application_user(self)
        users = user_group(self, self.user)
        self.replication_group = self._replication_group(foundation, network, logs, users)
        self._add_shards_under_load()
        self.alarms = create_alarms(self, foundation.alarm_topic, ALARMS)
        self._publish_endpoint()

    def _logs(self, foundation: FoundationStack) -> dict[str, CloudwatchLogGroup]:
        return {
            kind: log_group(self, f"log-{kind}", self.names.cache_log_group(kind), key=foundation.keys.logs)
            for kind in LOGS
        }

    def _replication_group(
        self,
        foundation: FoundationStack,
        network: NetworkStack,
        logs: dict[str, CloudwatchLogGroup],
        users: ElasticacheUserGroup,
    ) -> ElasticacheReplicationGroup:
        settings = self.settings.cache
        scales = settings.maximum_shards > settings.shards
        subnets = ElasticacheSubnetGroup(
            self,
            "subnets",
            name=self.names.cache,
            description="Data subnets of every zone",
            subnet_ids=[subnet.id for subnet in network.data_subnets.values()],
        )
        return ElasticacheReplicationGroup(
            self,
            "cache",
            replication_group_id=self.names.cache,
            description="Sessions and cached pages",
            engine=ENGINE,
            engine_version=ENGINE_VERSION,
            node_type=settings.node_type,
            port=ports.CACHE,
            num_node_groups=settings.shards,
            replicas_per_node_group=settings.replicas_per_shard,
            # Cluster mode requires automatic failover, even without replicas.
            automatic_failover_enabled=True,
            multi_az_enabled=settings.replicas_per_shard > 0,
            subnet_group_name=subnets.name,
            security_group_ids=[network.security_groups.cache.id],
            parameter_group_name=self._parameters().name,
            at_rest_encryption_enabled="true",  # a string in the provider's schema
            kms_key_id=foundation.keys.files.arn,
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            user_group_ids=[users.user_group_id],
            log_delivery_configuration=[
                ElasticacheReplicationGroupLogDeliveryConfiguration(
                    log_type=kind, destination_type="cloudwatch-logs", destination=log.name, log_format="json"
                )
                for kind, log in logs.items()
            ],
            snapshot_retention_limit=SNAPSHOT_DAYS,
            snapshot_window=self.settings.windows.backup,
            final_snapshot_identifier=f"{self.names.cache}-final" if self.settings.deletion_protection else None,
            maintenance_window=self.settings.windows.maintenance,
            auto_minor_version_upgrade="true",
            apply_immediately=False,
            lifecycle=self.stateful_lifecycle(*(["num_node_groups"] if scales else [])),
            depends_on=[allow_log_delivery(self, list(logs.values()))],
        )

    def _parameters(self) -> ElasticacheParameterGroup:
        parameters = {
            "cluster-enabled": "yes",
            # When memory is full, evict the least recently used keys that expire anyway: sessions and pages. Refusing
            # writes instead would stop the shop.
            "maxmemory-policy": "volatile-lru",
            "reserved-memory-percent": str(self.settings.cache.reserved_memory_percent),
        }
        return ElasticacheParameterGroup(
            self,
            "parameters",
            name=self.names.cache,
            family=FAMILY,
            description="Cluster mode, what to drop when memory is full, memory kept for snapshots",
            parameter=[
                ElasticacheParameterGroupParameter(name=name, value=value) for name, value in parameters.items()
            ],
        )

    def _add_shards_under_load(self) -> None:
        settings = self.settings.cache
        if settings.maximum_shards == settings.shards:
            return
        target = scaling_target(
            self,
            "shard",
            dimension="elasticache:replication-group:NodeGroups",
            resource_id=f"replication-group/{self.replication_group.replication_group_id}",
            capacity=(settings.shards, settings.maximum_shards),
            depends_on=[self.replication_group],
        )
        # The targets are percentages; ElastiCache allows 35 to 70.
        track_metric(self, "shard-cpu", target, "ElastiCachePrimaryEngineCPUUtilization", target_value=60)
        track_metric(
            self, "shard-memory", target, "ElastiCacheDatabaseMemoryUsageCountedForEvictPercentage", target_value=70
        )

    def _publish_endpoint(self) -> None:
        self.publish(
            "configuration_endpoint",
            self.replication_group,
            "configuration_endpoint_address",
            "Where a cluster client learns of all shards; follows a failover",
        )
        self.publish("port", self.replication_group, "port", "Port of every node")
        self.publish(
            "replication_group_id",
            self.replication_group,
            "replication_group_id",
            "The cache, as ElastiCache's commands take it and as IAM tokens name it",
        )
        self.export(self.replication_group, "arn", "id")
