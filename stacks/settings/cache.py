"""Settings of the cache tier: node type, shards, replicas."""

from re import fullmatch
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import ValidationInfo, field_validator

from stacks.settings.section import InProduction, Matching, NotBelow, Section, Unit, file_context

# "Auto Scaling Valkey and Redis OSS clusters" in the ElastiCache User Guide; r6gd, which keeps data on disk as well,
# scales by another metric and is left out.
SCALING_NODE_TYPE = r"cache\.(?:c7gn|m5|m6g|m7g|r5|r6g|r7g)\.(?:large|xlarge|2xlarge)"

MAX_NODES = 90
"""Of a cluster, shards times their nodes: AWS's quota "Nodes per cluster per instance type"."""


class CacheSettings(Section):
    """ElastiCache in cluster mode."""

    node_type: Annotated[
        str,
        Matching(r"cache\.[a-z]\d[a-z]*\.(?:micro|small|medium|\d*x?large)", "a node type, such as cache.r7g.large"),
    ] = "cache.r7g.large"
    """Size of every node: its memory is what fits into a shard before keys are dropped."""

    shards: Annotated[
        int, Unit("shards"), Ge(1), Le(MAX_NODES), InProduction("one shard's failover must not stop all", at_least=2)
    ] = 2
    """Parts that the keys are spread over, each with a thread and a memory of its own."""

    maximum_shards: Annotated[int, Unit("shards"), Ge(1), Le(MAX_NODES), NotBelow("shards")] = 4
    """Shards that load may bring; equal to `shards` turns this off, as it must where the node type cannot scale."""

    replicas_per_shard: Annotated[
        int,
        Unit("nodes of a shard"),
        Ge(0),
        Le(5),
        InProduction("a shard without a replica is lost with its node", at_least=1),
    ] = 1
    """Copies of each shard, in other zones. One takes over when the shard's primary is lost."""

    @field_validator("node_type")
    @classmethod
    def _does_not_burst_in_production(cls, node_type: str, info: ValidationInfo) -> str:
        if file_context(info).production and node_type.startswith("cache.t"):
            raise ValueError("allowed in production: a type that does not burst, because credits run out under load")
        return node_type

    @field_validator("replicas_per_shard")
    @classmethod
    def _outlive_a_zone_and_a_node_in_production(cls, replicas: int, info: ValidationInfo) -> int:
        if file_context(info).production and file_context(info).zones > 2 and replicas < 2:
            raise ValueError("allowed in production with three zones: 2 or more, so that a zone lost leaves a replica")
        return replicas

    @field_validator("replicas_per_shard")
    @classmethod
    def _fit_a_cluster(cls, replicas: int, info: ValidationInfo) -> int:
        shards = info.data.get("maximum_shards", 1)
        if shards * (1 + replicas) > MAX_NODES:
            raise ValueError(f"allowed: at most {MAX_NODES} nodes in all {shards} shards, AWS's quota for a cluster")
        return replicas

    @field_validator("maximum_shards")
    @classmethod
    def _equals_shards_unless_the_node_type_can_scale(cls, maximum: int, info: ValidationInfo) -> int:
        shards, node_type = info.data.get("shards", maximum), info.data.get("node_type")
        if maximum > shards and node_type and not fullmatch(SCALING_NODE_TYPE, node_type):
            raise ValueError(f"allowed: shards ({shards}), because {node_type} cannot be scaled by load")
        return maximum

    @property
    def reserved_memory_percent(self) -> int:
        """What ElastiCache keeps of a node's memory for snapshots and failovers: its advice, by the node's size."""
        return {"micro": 50, "small": 30}.get(self.node_type.rpartition(".")[2], 25)
