"""ElastiCache's parameter groups: the defaults of each family, and the values that a group sets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local_aws.extension import ApiError

# Valkey 7.2 and Redis OSS 7 have the same parameters.
# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html
_VERSION_7 = {
    "acl-pubsub-default": "allchannels",
    "activedefrag": "no",
    "active-defrag-cycle-max": "75",
    "active-defrag-cycle-min": "5",
    "active-defrag-ignore-bytes": "104857600",
    "active-defrag-max-scan-fields": "1000",
    "active-defrag-threshold-lower": "10",
    "active-defrag-threshold-upper": "100",
    "active-expire-effort": "1",
    "activerehashing": "yes",
    "appendfsync": "everysec",
    "appendonly": "no",
    "client-output-buffer-limit-normal-hard-limit": "0",
    "client-output-buffer-limit-normal-soft-limit": "0",
    "client-output-buffer-limit-normal-soft-seconds": "0",
    "client-output-buffer-limit-pubsub-hard-limit": "33554432",
    "client-output-buffer-limit-pubsub-soft-limit": "8388608",
    "client-output-buffer-limit-pubsub-soft-seconds": "60",
    "client-query-buffer-limit": "1073741824",
    "close-on-replica-write": "yes",
    "cluster-allow-pubsubshard-when-down": "yes",
    "cluster-allow-reads-when-down": "no",
    "cluster-enabled": "no",
    "cluster-require-full-coverage": "no",
    "databases": "16",
    "hash-max-listpack-entries": "512",
    "hash-max-listpack-value": "64",
    "hll-sparse-max-bytes": "3000",
    "latency-tracking": "no",
    "lazyfree-lazy-eviction": "no",
    "lazyfree-lazy-expire": "no",
    "lazyfree-lazy-server-del": "no",
    "lazyfree-lazy-user-del": "no",
    "lfu-decay-time": "1",
    "lfu-log-factor": "10",
    "list-compress-depth": "0",
    "list-max-listpack-size": "-2",
    "maxclients": "65000",
    "maxmemory-policy": "volatile-lru",
    "maxmemory-samples": "3",
    "min-replicas-max-lag": "10",
    "min-replicas-to-write": "0",
    "notify-keyspace-events": "",
    "proto-max-bulk-len": "536870912",
    "repl-backlog-size": "1048576",
    "repl-backlog-ttl": "3600",
    "repl-timeout": "60",
    "replica-ignore-maxmemory": "yes",
    "replica-lazy-flush": "no",
    "reserved-memory-percent": "25",
    "set-max-intset-entries": "512",
    "slowlog-log-slower-than": "10000",
    "slowlog-max-len": "128",
    "stream-node-max-bytes": "4096",
    "stream-node-max-entries": "100",
    "tcp-keepalive": "300",
    "timeout": "0",
    "tracking-table-max-keys": "1000000",
    "zset-max-listpack-entries": "128",
    "zset-max-listpack-value": "64",
}
FAMILIES: Mapping[str, Mapping[str, str]] = {"redis7": _VERSION_7, "valkey7": _VERSION_7}
CLUSTER_MODE = "cluster-enabled"


@dataclass
class ParameterGroup:
    """A family's parameters, with the values that users have set."""

    cache_parameter_group_name: str
    cache_parameter_group_family: str
    description: str
    arn: str
    is_global: bool = False
    user_values: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.cache_parameter_group_family not in FAMILIES:
            raise NotImplementedError(f"The parameters of {self.cache_parameter_group_family} are not known")

    @property
    def cluster_enabled(self) -> bool:
        """Whether replication groups with these parameters are in cluster mode."""
        return {**self.defaults, **self.user_values}[CLUSTER_MODE] == "yes"

    @property
    def defaults(self) -> Mapping[str, str]:
        return FAMILIES[self.cache_parameter_group_family]

    def describe(self, source: str | None) -> list[dict[str, Any]]:
        """All parameters, or those of one source: `user`, even if the value is the family's default, or `system`.

        TestAccElastiCacheParameterGroup_switchReservedMemoryParameter of the provider sets such a value.
        """
        parameters = [
            {
                "ParameterName": name,
                "ParameterValue": self.user_values.get(name, default),
                "Source": "user" if name in self.user_values else "system",
                "DataType": "integer" if default.lstrip("-").isdigit() else "string",
                "IsModifiable": True,
            }
            for name, default in self.defaults.items()
        ]
        return [parameter for parameter in parameters if source in {None, parameter["Source"]}]

    def modify(self, parameters: Iterable[Mapping[str, str]]) -> None:
        """Set parameters. Nothing changes if one of them is invalid."""
        user_values = {each["ParameterName"]: each["ParameterValue"] for each in parameters}
        self._check(user_values)
        self.user_values |= user_values

    def reset(self, parameters: Iterable[Mapping[str, str]] | None) -> None:
        """Reset parameters, by default all, to the family's defaults."""
        names = set(self.user_values) if parameters is None else {each["ParameterName"] for each in parameters}
        self._check(names)
        self.user_values = {name: value for name, value in self.user_values.items() if name not in names}

    def _check(self, names: Iterable[str]) -> None:
        name = self.cache_parameter_group_name
        if name.startswith("default."):
            raise ApiError("InvalidParameterValue", f"The parameter group {name} cannot be modified")
        if unknown := sorted(set(names) - set(self.defaults)):
            raise ApiError("InvalidParameterValue", f"{self.cache_parameter_group_family} has no {unknown}")
