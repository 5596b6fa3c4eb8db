"""Alarms of the cache: CPU, memory, evictions, connections, replication lag."""

from functools import partial

from stacks.parts.alarms import Alarm

MAX_CONNECTIONS = 65_000
"""ElastiCache's fixed `maxclients` of a node."""

# Metrics are per node, and autoscaling adds and removes nodes.
_node_alarm = partial(
    Alarm,
    namespace="AWS/ElastiCache",
    any_resource=True,
    statistic="Maximum",
    treat_missing_data="notBreaching",
    periods=3,
)
ALARMS = (
    _node_alarm(
        name="cpu",
        metric="EngineCPUUtilization",
        threshold=80,
        unit="percent",
        period=300,
        reason="a node's single thread is saturated, and every page that uses it is slow",
    ),
    _node_alarm(
        name="memory",
        metric="DatabaseMemoryUsagePercentage",
        threshold=85,
        unit="percent",
        period=300,
        reason="a node will soon evict sessions of active customers",
    ),
    _node_alarm(
        name="evictions",
        metric="Evictions",
        threshold=100,
        unit="keys per minute",
        period=60,
        reason="memory is full and keys are evicted early; customers are signed out",
    ),
    _node_alarm(
        name="replication-lag",
        metric="ReplicationLag",
        threshold=5,
        unit="seconds",
        period=60,
        reason="a failover now would lose recent writes",
    ),
    _node_alarm(
        name="connections",
        metric="CurrConnections",
        threshold=MAX_CONNECTIONS * 8 // 10,
        unit="connections, 80% of a node's maxclients",
        period=60,
        reason="new connections will soon be refused; a connection pool leaks or is too large",
    ),
)
