"""ElastiCache: parameter groups, user groups, nodes of replication groups, updates, and deletion."""

from typing import Any, cast

from moto.core.responses import ActionResult, EmptyResult
from moto.elasticache.models import CacheCluster
from moto.elasticache.responses import ElastiCacheResponse

from local_aws.extension import Extension
from local_aws.services.elasticache_backend import Backend

# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html
NODE_TYPES = tuple(
    f"cache.{family}.{size}"
    for families, sizes in (
        (("t3", "t4g"), ("micro", "small", "medium")),
        (("m5", "r5"), ("large", "xlarge", "2xlarge", "4xlarge", "12xlarge", "24xlarge")),
        (
            ("c7gn", "m6g", "m7g", "r6g", "r7g"),
            ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge"),
        ),
    )
    for family in families
    for size in sizes
)
ONE_YEAR = 31536000
"""Seconds."""


class Responses(ElastiCacheResponse):
    """Adds the actions that moto lacks."""

    @property
    def backend(self) -> Backend:
        return cast(Backend, self.elasticache_backend)

    def create_cache_parameter_group(self) -> ActionResult:
        group = self.backend.create_parameter_group(
            self._get_param("CacheParameterGroupName"),
            self._get_param("CacheParameterGroupFamily"),
            self._get_param("Description"),
            self._get_param("Tags", []),
        )
        return ActionResult({"CacheParameterGroup": group})

    def describe_cache_parameter_groups(self) -> ActionResult:
        name = self._get_param("CacheParameterGroupName")
        groups = [self.backend.parameter_group(name)] if name else list(self.backend.parameter_groups.values())
        return self._page("CacheParameterGroups", groups)

    def describe_cache_parameters(self) -> ActionResult:
        group = self.backend.parameter_group(self._get_param("CacheParameterGroupName"))
        return self._page("Parameters", group.describe(self._get_param("Source")))

    def modify_cache_parameter_group(self) -> ActionResult:
        group = self.backend.parameter_group(self._get_param("CacheParameterGroupName"))
        group.modify(self._get_param("ParameterNameValues", []))
        return ActionResult({"CacheParameterGroupName": group.cache_parameter_group_name})

    def reset_cache_parameter_group(self) -> ActionResult:
        group = self.backend.parameter_group(self._get_param("CacheParameterGroupName"))
        everything = self._get_param("ResetAllParameters")
        group.reset(None if everything else self._get_param("ParameterNameValues", []))
        return ActionResult({"CacheParameterGroupName": group.cache_parameter_group_name})

    def delete_cache_parameter_group(self) -> ActionResult:
        self.backend.delete_parameter_group(self._get_param("CacheParameterGroupName"))
        return EmptyResult()

    def modify_user(self) -> ActionResult:
        return ActionResult(self.backend.modify_user(self._get_param("UserId"), self._get_params()))

    def describe_cache_clusters(self) -> ActionResult:
        clusters = self.backend.describe_cache_clusters(self._get_param("CacheClusterId"))
        if self._get_param("ShowCacheClustersNotInReplicationGroups"):
            clusters = [cluster for cluster in clusters if isinstance(cluster, CacheCluster)]
        return self._page("CacheClusters", clusters)

    def create_user_group(self) -> ActionResult:
        return ActionResult(
            self.backend.create_user_group(
                self._get_param("UserGroupId"),
                self._get_param("Engine"),
                self._get_param("UserIds", []),
                self._get_param("Tags", []),
            )
        )

    def describe_user_groups(self) -> ActionResult:
        name = self._get_param("UserGroupId")
        names = [name] if name else self.backend.user_groups
        return self._page("UserGroups", [self.backend.user_group(each) for each in names])

    def modify_user_group(self) -> ActionResult:
        return ActionResult(self.backend.modify_user_group(self._get_param("UserGroupId"), self._get_params()))

    def delete_user_group(self) -> ActionResult:
        return ActionResult(self.backend.delete_user_group(self._get_param("UserGroupId")))

    def modify_cache_subnet_group(self) -> ActionResult:
        group = self.backend.modify_subnet_group(
            self._get_param("CacheSubnetGroupName"),
            self._get_param("CacheSubnetGroupDescription"),
            self._get_param("SubnetIds", []),
        )
        return ActionResult({"CacheSubnetGroup": group})

    def delete_cache_subnet_group(self) -> ActionResult:
        self.backend.delete_subnet_group(self._get_param("CacheSubnetGroupName"))
        return EmptyResult()

    def modify_replication_group(self) -> ActionResult:
        group = self.backend.update_replication_group(self._get_param("ReplicationGroupId"), self._get_params())
        return ActionResult({"ReplicationGroup": group})

    def modify_replication_group_shard_configuration(self) -> ActionResult:
        group = self.backend.replication_group(self._get_param("ReplicationGroupId"))
        group.resize(shard_count=self._get_param("NodeGroupCount"), replica_count=group.replica_count)
        return ActionResult({"ReplicationGroup": group})

    def increase_replica_count(self) -> ActionResult:
        group = self.backend.replication_group(self._get_param("ReplicationGroupId"))
        group.resize(shard_count=group.shard_count, replica_count=self._get_param("NewReplicaCount"))
        return ActionResult({"ReplicationGroup": group})

    decrease_replica_count = increase_replica_count

    def delete_replication_group(self) -> ActionResult:
        if snapshot := self._get_param("FinalSnapshotIdentifier"):
            self.backend.create_snapshot(snapshot, self._get_param("ReplicationGroupId"), None, None, None)
        return super().delete_replication_group()

    def describe_reserved_cache_nodes_offerings(self) -> ActionResult:
        node_type = self._get_param("CacheNodeType")
        offered = [each for each in NODE_TYPES if node_type in {None, each}]
        # Clients use reserved node offerings to find out which node types a Region has.
        offerings = [
            {"ReservedCacheNodesOfferingId": each, "CacheNodeType": each, "Duration": ONE_YEAR} for each in offered
        ]
        return self._page("ReservedCacheNodesOfferings", offerings)

    def _page(self, key: str, items: list[Any]) -> ActionResult:
        """One page of a list. moto's paginator requires a unique attribute of each item."""
        start, size = int(self._get_param("Marker", 0)), self._get_param("MaxRecords", 100)
        more = {"Marker": str(start + size)} if len(items) > start + size else {}
        return ActionResult({key: items[start : start + size], **more})


EXTENSION = Extension(
    "elasticache",
    Responses,
    Backend,
    gaps={
        "aws_elasticache_parameter_group": "was not implemented",
        "aws_elasticache_replication_group": (
            "lacked parameter group cluster mode, slots, zones, member clusters, most updates, and deletion"
        ),
        "aws_elasticache_subnet_group": "could not be updated or deleted; accepted missing subnets",
        "aws_elasticache_user": "lacked updates, deletion and no-password-required",
        "aws_elasticache_user_group": "was not implemented",
    },
)
