"""Alarms of the database: what it runs out of, how far readers are behind, and who fails to log in."""

from functools import partial

from cdktf_cdktf_provider_aws.rds_cluster import RdsCluster

from stacks.database.parameters import ACU, max_connections
from stacks.parts.alarms import GIB, Alarm
from stacks.tier import TierStack

FAILED_LOGINS = "FailedLogins"
# By password, by IAM, and without TLS.
FAILED_LOGIN_PATTERN = '?"password authentication failed" ?"PAM authentication failed" ?"no pg_hba.conf entry"'


def database_alarms(tier: TierStack, cluster: RdsCluster) -> list[Alarm]:
    """The table, for one cluster."""
    aurora = partial(
        Alarm,
        namespace="AWS/RDS",
        dimensions={"DBClusterIdentifier": cluster.cluster_identifier},
        # A cluster that is paused measures nothing.
        missing="notBreaching",
    )
    return [
        aurora(
            name="capacity",
            metric="ACUUtilization",
            statistic="Maximum",
            threshold=90,
            unit="percent of the maximum capacity",
            period=300,
            periods=3,
            why="the cluster cannot grow further; raise database.maximum_capacity before customers wait",
        ),
        aurora(
            name="cpu",
            metric="CPUUtilization",
            statistic="Maximum",
            threshold=80,
            unit="percent",
            period=300,
            periods=3,
            why="an instance is busy with more than it can scale away, often one statement",
        ),
        aurora(
            name="connections",
            metric="DatabaseConnections",
            statistic="Maximum",
            threshold=max_connections(tier.settings.database) * 8 // 10,
            unit="connections, four fifths of what an instance takes",
            period=60,
            periods=5,
            why="the next tasks will be refused; a pool leaks or is too large",
        ),
        aurora(
            name="replica-lag",
            metric="AuroraReplicaLagMaximum",
            statistic="Maximum",
            threshold=1000,
            unit="milliseconds",
            period=60,
            periods=5,
            why="readers show customers what is no longer so",
        ),
        aurora(
            name="memory",
            metric="FreeableMemory",
            statistic="Minimum",
            at="most",
            threshold=tier.settings.database.maximum_capacity * ACU // 10,
            unit="bytes, a tenth of what the maximum capacity has",
            period=300,
            periods=3,
            why="at its maximum the cluster will read from disk what it used to have in memory",
        ),
        aurora(
            name="local-storage",
            metric="FreeLocalStorage",
            statistic="Minimum",
            at="most",
            threshold=2 * GIB,
            unit="bytes",
            period=300,
            periods=2,
            why="sorts and logs fill the instance's own disk; when it is full the instance restarts",
        ),
        aurora(
            name="deadlocks",
            metric="Deadlocks",
            statistic="Maximum",
            threshold=0.05,
            unit="a second (three a minute)",
            period=60,
            periods=5,
            why="transactions take the same rows in different orders, and customers' orders fail",
        ),
        Alarm(
            name="failed-logins",
            namespace=tier.names.metric_namespace,
            metric=FAILED_LOGINS,
            statistic="Sum",
            threshold=10,
            unit="logins",
            period=300,
            periods=1,
            missing="notBreaching",
            why="tasks hold a credential that no longer works, or somebody guesses (PCI DSS 10.7.2)",
        ),
    ]
