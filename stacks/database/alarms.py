"""Alarms of the database: capacity, load, connections, memory, storage, replica lag, deadlocks, failed logins."""

from functools import partial

from cdktf_cdktf_provider_aws.rds_cluster import RdsCluster

from stacks.database.parameters import ACU, max_connections, max_vcpus
from stacks.parts.alarms import GIB, Alarm
from stacks.tier import TierStack

FAILED_LOGINS = "FailedLogins"
# By password, by IAM, and without TLS. Statements and user names, which precede the severity, may contain such words.
FAILED_LOGIN_PATTERN = (
    '?"]:FATAL:  password authentication failed" ?"]:FATAL:  PAM authentication failed" '
    '?"]:FATAL:  no pg_hba.conf entry"'
)


def database_alarms(tier: TierStack, cluster: RdsCluster) -> list[Alarm]:
    """Alarms of an Aurora cluster."""
    cluster_alarm = partial(
        Alarm,
        namespace="AWS/RDS",
        dimensions={"DBClusterIdentifier": cluster.cluster_identifier},
        # A paused cluster reports no metrics.
        treat_missing_data="notBreaching",
    )
    return [
        cluster_alarm(
            name="capacity",
            metric="ACUUtilization",
            statistic="Maximum",
            threshold=90,
            unit="percent of the maximum capacity",
            period=300,
            periods=3,
            reason="the cluster cannot scale up further; raise database.maximum_capacity before customers wait",
        ),
        cluster_alarm(
            name="cpu",
            metric="CPUUtilization",
            statistic="Maximum",
            threshold=80,
            # Of the maximum, not of the current capacity.
            # https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html
            unit="percent of the CPU at maximum capacity",
            period=300,
            periods=3,
            reason="an instance has nearly all the CPU that it may have, and uses it",
        ),
        Alarm(
            name="load",
            namespace="AWS/RDS",
            # By instance only, and autoscaling adds readers.
            metric="DBLoad",
            any_resource=True,
            statistic="Maximum",
            threshold=max(2, max_vcpus(tier.settings.database)),
            unit="active sessions, one per vCPU at maximum capacity",
            period=300,
            periods=3,
            treat_missing_data="notBreaching",  # published only under load
            reason="statements wait for each other, for CPU or for I/O, whatever the capacity",
        ),
        cluster_alarm(
            name="connections",
            metric="DatabaseConnections",
            statistic="Maximum",
            threshold=max_connections(tier.settings.database) * 8 // 10,
            unit="connections, 80% of max_connections",
            period=60,
            periods=5,
            reason="new connections will soon be refused; a connection pool leaks or is too large",
        ),
        cluster_alarm(
            name="replica-lag",
            metric="AuroraReplicaLagMaximum",
            statistic="Maximum",
            threshold=1000,
            unit="milliseconds",
            period=60,
            periods=5,
            reason="readers return outdated data to customers",
        ),
        cluster_alarm(
            name="memory",
            metric="FreeableMemory",
            statistic="Minimum",
            at="most",
            threshold=tier.settings.database.maximum_capacity * ACU // 10,
            unit="bytes, a tenth of the memory at maximum capacity",
            period=300,
            periods=3,
            reason="at maximum capacity, the cluster's working set will no longer fit in memory",
        ),
        cluster_alarm(
            name="local-storage",
            metric="FreeLocalStorage",
            statistic="Minimum",
            at="most",
            threshold=2 * GIB,
            unit="bytes",
            period=300,
            periods=2,
            reason="sorts and logs fill the instance's local storage; it restarts when that is full",
        ),
        cluster_alarm(
            name="deadlocks",
            metric="Deadlocks",
            statistic="Maximum",
            threshold=0.05,
            unit="per second (three per minute)",
            period=60,
            periods=5,
            reason="transactions lock the same rows in different orders, and customers' orders fail",
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
            treat_missing_data="notBreaching",
            reason="tasks use an invalid credential, or somebody is guessing passwords (PCI DSS 10.7.2)",
        ),
    ]
