"""Settings of the cache tier: node type, shards, replicas."""

from typing import Annotated

from annotated_types import Ge, Le
from pydantic import ValidationInfo, field_validator

from stacks.settings.section import InProduction, Matching, Section, frame


class CacheSettings(Section):
    """ElastiCache in cluster mode."""

    node_type: Annotated[
        str,
        Matching(r"cache\.[a-z]\d[a-z]*\.(?:micro|small|medium|\d*x?large)", "a node type, such as cache.r7g.large"),
    ] = "cache.r7g.large"
    """Size of every node."""

    shards: Annotated[int, Ge(1), Le(90), InProduction("one shard's failover must not stop all", at_least=2)] = 2
    """Parts that the keys are spread over."""

    replicas_per_shard: Annotated[
        int, Ge(0), Le(5), InProduction("a shard without a replica is lost with its node", at_least=1)
    ] = 1
    """Copies of each shard, in other zones."""

    @field_validator("node_type")
    @classmethod
    def _does_not_burst_in_production(cls, node_type: str, info: ValidationInfo) -> str:
        if frame(info).production and node_type.startswith("cache.t"):
            raise ValueError("allowed in production: a type that does not burst, because credits run out under load")
        return node_type
