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
        reason="a node's one thread is busy, and every page that asks it waits",
    ),
    _node_alarm(
        name="memory",
        metric="DatabaseMemoryUsagePercentage",
        threshold=85,
        unit="percent",
        period=300,
        reason="a node will soon drop sessions that customers still use",
    ),
    _node_alarm(
        name="evictions",
        metric="Evictions",
        threshold=100,
        unit="keys a minute",
        period=60,
        reason="memory is full and keys go before their time; customers are signed out",
    ),
    _node_alarm(
        name="replication-lag",
        metric="ReplicationLag",
        threshold=5,
        unit="seconds",
        period=60,
        reason="a failover now would lose what was written since",
    ),
    _node_alarm(
        name="connections",
        metric="CurrConnections",
        threshold=MAX_CONNECTIONS * 8 // 10,
        unit="connections, four fifths of what a node takes",
        period=60,
        reason="the next tasks will be refused; a pool leaks or is too large",
    ),
)
