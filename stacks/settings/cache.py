"""Settings of the cache tier: node type, shards, replicas."""

from re import fullmatch
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import ValidationInfo, field_validator

from stacks.settings.section import InProduction, Matching, NotBelow, Section, Unit, file_context

# "Auto Scaling Valkey and Redis OSS clusters" in the ElastiCache User Guide. r6gd has data tiering, scales by another
# metric and is left out.
SCALING_NODE_TYPE = r"cache\.(?:c7gn|m5|m6g|m7g|r5|r6g|r7g)\.(?:large|xlarge|2xlarge)"

MAX_NODES = 90
"""Nodes in all shards of a cluster: AWS's quota "Nodes per cluster per instance type"."""


class CacheSettings(Section):
    """ElastiCache in cluster mode."""

    node_type: Annotated[
        str,
        Matching(r"cache\.[a-z]\d[a-z]*\.(?:micro|small|medium|\d*x?large)", "a node type, such as cache.r7g.large"),
    ] = "cache.r7g.large"
    """Size of every node. Its memory limits what a shard holds before keys are evicted."""

    shards: Annotated[
        int, Unit("shards"), Ge(1), Le(MAX_NODES), InProduction("a failover must not stop the whole cache", at_least=2)
    ] = 2
    """Shards that the keys are spread over; each has its own thread and memory."""

    maximum_shards: Annotated[int, Unit("shards"), Ge(1), Le(MAX_NODES), NotBelow("shards")] = 4
    """Maximum number of shards. If equal to `shards`, autoscaling is off; some node types require that."""

    replicas_per_shard: Annotated[
        int,
        Unit("nodes"),
        Ge(0),
        Le(5),
        InProduction("a shard without a replica is lost with its node", at_least=1),
    ] = 1
    """Replicas of each shard, in other Availability Zones. One takes over when the primary fails."""

    @field_validator("node_type")
    @classmethod
    def _is_not_burstable_in_production(cls, node_type: str, info: ValidationInfo) -> str:
        if file_context(info).production and node_type.startswith("cache.t"):
            raise ValueError("allowed in production: a type that is not burstable, because CPU credits run out")
        return node_type

    @field_validator("replicas_per_shard")
    @classmethod
    def _survive_the_loss_of_a_zone_in_production(cls, replicas: int, info: ValidationInfo) -> int:
        if file_context(info).production and file_context(info).zones > 2 and replicas < 2:
            raise ValueError("allowed in production with three zones: 2 or more, to keep a replica when a zone is lost")
        return replicas

    @field_validator("replicas_per_shard")
    @classmethod
    def _fit_the_cluster_quota(cls, replicas: int, info: ValidationInfo) -> int:
        shards = info.data.get("maximum_shards", 1)
        if shards * (1 + replicas) > MAX_NODES:
            raise ValueError(f"allowed: {MAX_NODES} nodes at most in all {shards} shards, AWS's quota for a cluster")
        return replicas

    @field_validator("maximum_shards")
    @classmethod
    def _equals_shards_unless_the_node_type_supports_autoscaling(cls, maximum: int, info: ValidationInfo) -> int:
        shards, node_type = info.data.get("shards", maximum), info.data.get("node_type")
        if maximum > shards and node_type and not fullmatch(SCALING_NODE_TYPE, node_type):
            raise ValueError(f"allowed: shards ({shards}), because {node_type} does not support autoscaling")
        return maximum

    @property
    def reserved_memory_percent(self) -> int:
        """Memory reserved for snapshots and failovers, as ElastiCache recommends for the node size."""
        return {"micro": 50, "small": 30}.get(self.node_type.rpartition(".")[2], 25)
