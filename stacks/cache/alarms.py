"""Alarms of the cache: what a node runs out of, and how far replicas are behind."""

from functools import partial

from stacks.parts.alarms import Alarm

MAX_CONNECTIONS = 65_000
"""Of a node; ElastiCache's fixed `maxclients`."""

# ElastiCache measures node by node, and load brings nodes.
_node = partial(Alarm, namespace="AWS/ElastiCache", of_any=True, statistic="Maximum", missing="notBreaching", periods=3)
ALARMS = (
    _node(
        name="cpu",
        metric="EngineCPUUtilization",
        threshold=80,
        unit="percent",
        period=300,
        why="a node's one thread is busy, and every page that asks it waits",
    ),
    _node(
        name="memory",
        metric="DatabaseMemoryUsagePercentage",
        threshold=85,
        unit="percent",
        period=300,
        why="a node will soon drop sessions that customers still use",
    ),
    _node(
        name="evictions",
        metric="Evictions",
        threshold=100,
        unit="keys a minute",
        period=60,
        why="memory is full and keys go before their time; customers are signed out",
    ),
    _node(
        name="replication-lag",
        metric="ReplicationLag",
        threshold=5,
        unit="seconds",
        period=60,
        why="a failover now would lose what was written since",
    ),
    _node(
        name="connections",
        metric="CurrConnections",
        threshold=MAX_CONNECTIONS * 8 // 10,
        unit="connections, four fifths of what a node takes",
        period=60,
        why="the next tasks will be refused; a pool leaks or is too large",
    ),
)
