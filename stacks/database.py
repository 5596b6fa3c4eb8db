"""The database: Aurora PostgreSQL Serverless v2, a writer and readers in different zones, one endpoint for each.

A commit is on six copies in three zones before it is answered. When the writer is lost, the first reader takes its
place and both endpoints follow. TLS is forced, the master credential is RDS's own, and every login is logged.
"""

from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicy,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification,
)
from cdktf_cdktf_provider_aws.appautoscaling_target import AppautoscalingTarget
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.cloudwatch_log_metric_filter import (
    CloudwatchLogMetricFilter,
    CloudwatchLogMetricFilterMetricTransformation,
)
from cdktf_cdktf_provider_aws.db_parameter_group import DbParameterGroup, DbParameterGroupParameter
from cdktf_cdktf_provider_aws.db_subnet_group import DbSubnetGroup
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy_attachment import IamRolePolicyAttachment
from cdktf_cdktf_provider_aws.rds_cluster import RdsCluster, RdsClusterServerlessv2ScalingConfiguration
from cdktf_cdktf_provider_aws.rds_cluster_instance import RdsClusterInstance
from cdktf_cdktf_provider_aws.rds_cluster_parameter_group import (
    RdsClusterParameterGroup,
    RdsClusterParameterGroupParameter,
)
from constructs import Construct

from stacks.foundation import FoundationStack, Keys
from stacks.network import NetworkStack
from stacks.parts import ports
from stacks.parts.alarms import Alarm, raise_alarms
from stacks.parts.logs import log_group
from stacks.parts.roles import service_role_without_policy
from stacks.settings import Environment
from stacks.settings.database import DatabaseSettings
from stacks.tier import TierStack

ENGINE = "aurora-postgresql"
MASTER_USERNAME = "platform_master"
"""PCI DSS 2.2.2: not a name that every attacker tries first."""

LOGS = ("postgresql", "iam-db-auth-error")

# PostgreSQL reads these two when it starts; all others take effect at once.
AT_START = ("rds.force_ssl", "shared_preload_libraries")
CLUSTER_PARAMETERS = {
    "rds.force_ssl": "1",  # PCI DSS 4.2.1: no login without TLS
    "ssl_min_protocol_version": "TLSv1.2",
    "password_encryption": "scram-sha-256",  # PCI DSS 8.3.2: the server keeps a verifier, never the password
    "shared_preload_libraries": "pg_stat_statements,pgaudit",
    "pgaudit.log": "ddl,role",  # PCI DSS 10.2.1.5: who changed what may be done; no card number is kept here
    "log_connections": "1",  # PCI DSS 10.2.1.4
    "log_disconnections": "1",
    "log_statement": "ddl",
    "log_min_duration_statement": "1000",  # milliseconds: what a customer waits for
    "log_lock_waits": "1",
}
INSTANCE_PARAMETERS = {
    "pg_stat_statements.track": "all",  # statements within functions, too
    "track_io_timing": "1",
    "log_temp_files": "65536",  # kilobytes: a sort that outgrows work_mem fills the instance's local storage
}

FAILED_LOGINS = "FailedLogins"
# The second is an attempt without TLS.
FAILED_LOGIN_PATTERN = '?"password authentication failed" ?"no pg_hba.conf entry"'


class DatabaseStack(TierStack):
    """Aurora cluster, instances, parameter groups, reader autoscaling."""

    tier = "database"

    def __init__(
        self, scope: Construct, settings: Environment, *, foundation: FoundationStack, network: NetworkStack
    ) -> None:
        super().__init__(scope, settings)
        logs = self._logs(foundation)
        self.cluster = self._cluster(foundation.keys, network, list(logs.values()))
        self.instances = self._writer_and_readers(foundation.keys, self._monitoring_role())
        self._add_readers_under_load()
        self._count_failed_logins(logs["postgresql"])
        self._watch(foundation)
        self._tell()

    def _logs(self, foundation: FoundationStack) -> dict[str, CloudwatchLogGroup]:
        """Before the cluster, which would make them itself: without our key, and for ever."""
        return {
            kind: log_group(self, f"log-{kind}", self.names.database_log(kind), key=foundation.keys.logs)
            for kind in LOGS
        }

    def _cluster(self, keys: Keys, network: NetworkStack, logs: list[CloudwatchLogGroup]) -> RdsCluster:
        wanted = self.settings.database
        subnets = DbSubnetGroup(
            self,
            "subnets",
            name=self.names.database,
            description="Data subnets of every zone",
            subnet_ids=[subnet.id for subnet in network.data_subnets.values()],
        )
        return RdsCluster(
            self,
            "cluster",
            cluster_identifier=self.names.database,
            engine=ENGINE,
            engine_mode="provisioned",  # what Serverless v2 is called
            engine_version=wanted.engine_version,
            # Extended support is paid by the hour once a version is old; an upgrade on our own day is cheaper.
            engine_lifecycle_support="open-source-rds-extended-support-disabled",
            database_name=wanted.name,
            port=ports.DATABASE,
            serverlessv2_scaling_configuration=RdsClusterServerlessv2ScalingConfiguration(
                min_capacity=wanted.minimum_capacity,
                max_capacity=wanted.maximum_capacity,
                seconds_until_auto_pause=3600 if wanted.minimum_capacity == 0 else None,
            ),
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[network.security_groups.database.id],
            db_cluster_parameter_group_name=self._cluster_parameters().name,
            # RDS makes and rotates it. It is in no plan and in no state (PCI DSS 8.3.9, 8.6.2).
            master_username=MASTER_USERNAME,
            manage_master_user_password=True,
            master_user_secret_kms_key_id=keys.secrets.arn,
            iam_database_authentication_enabled=True,
            storage_encrypted=True,
            kms_key_id=keys.database.arn,
            enabled_cloudwatch_logs_exports=list(LOGS),
            backup_retention_period=wanted.backup_days,
            preferred_backup_window=self.settings.windows.backup,
            preferred_maintenance_window=self.settings.windows.maintenance,
            copy_tags_to_snapshot=True,
            apply_immediately=False,
            delete_automated_backups=not self.settings.deletion_protection,
            deletion_protection=self.settings.deletion_protection,
            skip_final_snapshot=not self.settings.deletion_protection,
            final_snapshot_identifier=f"{self.names.database}-final",
            lifecycle=self.kept,
            depends_on=logs,
        )

    def _cluster_parameters(self) -> RdsClusterParameterGroup:
        return RdsClusterParameterGroup(
            self,
            "cluster-parameters",
            name=f"{self.names.database}-{self.settings.database.major_version}",
            family=f"{ENGINE}{self.settings.database.major_version}",
            description="TLS forced, SCRAM, audit and statement logs",
            parameter=[
                RdsClusterParameterGroupParameter(
                    name=name, value=value, apply_method="pending-reboot" if name in AT_START else "immediate"
                )
                for name, value in CLUSTER_PARAMETERS.items()
            ],
            # A major upgrade comes with a group of its own, which must be there before the old one goes.
            lifecycle={"create_before_destroy": True},
        )

    def _monitoring_role(self) -> IamRole:
        role = service_role_without_policy(
            self,
            "database-monitoring",
            "monitoring.rds.amazonaws.com",
            # Any instance: Aurora names the readers that it adds itself.
            source_arn=self.names.arn("rds", "db:*"),
            why="Delivers the database's enhanced monitoring to CloudWatch",
        )
        IamRolePolicyAttachment(
            self,
            "database-monitoring-policy",
            role=role.name,
            policy_arn="arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
        )
        return role

    def _writer_and_readers(self, keys: Keys, monitoring: IamRole) -> list[RdsClusterInstance]:
        """One in each zone in turn. After a failover a reader writes; the names tell how it began."""
        parameters = self._instance_parameters()
        zones = self.settings.network.zones
        names = ["writer", *(f"reader-{number}" for number in range(1, self.settings.database.readers + 1))]
        return [
            RdsClusterInstance(
                self,
                name,
                identifier=f"{self.names.database}-{name}",
                cluster_identifier=self.cluster.id,
                engine=ENGINE,
                engine_version=self.cluster.engine_version,
                instance_class="db.serverless",
                availability_zone=zones[position % len(zones)],
                # Aurora keeps tiers 0 and 1 as large as the writer: the first to take over is ready for its load.
                promotion_tier=position,
                db_parameter_group_name=parameters.name,
                publicly_accessible=False,
                auto_minor_version_upgrade=True,
                apply_immediately=False,
                preferred_maintenance_window=self.settings.windows.maintenance,
                copy_tags_to_snapshot=True,
                monitoring_interval=60,  # seconds
                monitoring_role_arn=monitoring.arn,
                performance_insights_enabled=True,
                performance_insights_kms_key_id=keys.database.arn,
                performance_insights_retention_period=7,  # days: what AWS gives without a charge
                lifecycle=self.kept,
            )
            for position, name in enumerate(names)
        ]

    def _instance_parameters(self) -> DbParameterGroup:
        return DbParameterGroup(
            self,
            "instance-parameters",
            name=f"{self.names.database}-{self.settings.database.major_version}",
            family=f"{ENGINE}{self.settings.database.major_version}",
            description="Statement statistics and timings",
            parameter=[
                DbParameterGroupParameter(name=name, value=value, apply_method="immediate")
                for name, value in INSTANCE_PARAMETERS.items()
            ],
            lifecycle={"create_before_destroy": True},
        )

    def _add_readers_under_load(self) -> None:
        wanted = self.settings.database
        if wanted.maximum_readers == wanted.readers:
            return
        target = AppautoscalingTarget(
            self,
            "reader-target",
            service_namespace="rds",
            scalable_dimension="rds:cluster:ReadReplicaCount",
            resource_id=f"cluster:{self.cluster.cluster_identifier}",
            min_capacity=wanted.readers,
            max_capacity=wanted.maximum_readers,
            # Aurora adds readers to a cluster that has instances.
            depends_on=self.instances,
        )
        AppautoscalingPolicy(
            self,
            "reader-scaling",
            name=self.names.of_resource("database-readers-cpu"),
            policy_type="TargetTrackingScaling",
            service_namespace=target.service_namespace,
            scalable_dimension=target.scalable_dimension,
            resource_id=target.resource_id,
            target_tracking_scaling_policy_configuration=AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration(
                predefined_metric_specification=AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification(
                    predefined_metric_type="RDSReaderAverageCPUUtilization"
                ),
                target_value=60,  # percent
                scale_out_cooldown=60,  # seconds
                scale_in_cooldown=300,
            ),
        )

    def _count_failed_logins(self, log: CloudwatchLogGroup) -> None:
        CloudwatchLogMetricFilter(
            self,
            "failed-logins",
            name=self.names.of_resource("failed-logins"),
            log_group_name=log.name,
            pattern=FAILED_LOGIN_PATTERN,
            metric_transformation=CloudwatchLogMetricFilterMetricTransformation(
                name=FAILED_LOGINS, namespace=self.names.metrics, value="1", default_value="0"
            ),
        )

    def _watch(self, foundation: FoundationStack) -> None:
        cluster = {"DBClusterIdentifier": self.cluster.cluster_identifier}
        self.alarms = raise_alarms(
            self,
            foundation.alarm_topic,
            [
                Alarm(
                    name="capacity",
                    namespace="AWS/RDS",
                    metric="ACUUtilization",
                    dimensions=cluster,
                    statistic="Maximum",
                    threshold=90,
                    unit="percent of the maximum capacity",
                    period=300,
                    periods=3,
                    missing="notBreaching",
                    why="the cluster cannot grow further; raise database.maximum_capacity before customers wait",
                ),
                Alarm(
                    name="cpu",
                    namespace="AWS/RDS",
                    metric="CPUUtilization",
                    dimensions=cluster,
                    statistic="Maximum",
                    threshold=80,
                    unit="percent",
                    period=300,
                    periods=3,
                    missing="notBreaching",
                    why="an instance is busy with more than it can scale away, often one statement",
                ),
                Alarm(
                    name="connections",
                    namespace="AWS/RDS",
                    metric="DatabaseConnections",
                    dimensions=cluster,
                    statistic="Maximum",
                    threshold=most_connections(self.settings.database) * 8 // 10,
                    unit="connections, four fifths of what an instance takes",
                    period=60,
                    periods=5,
                    missing="notBreaching",
                    why="the next tasks will be refused; a pool leaks or is too large",
                ),
                Alarm(
                    name="replica-lag",
                    namespace="AWS/RDS",
                    metric="AuroraReplicaLagMaximum",
                    dimensions=cluster,
                    statistic="Maximum",
                    threshold=1000,
                    unit="milliseconds",
                    period=60,
                    periods=5,
                    missing="notBreaching",
                    why="readers show customers what is no longer so",
                ),
                Alarm(
                    name="local-storage",
                    namespace="AWS/RDS",
                    metric="FreeLocalStorage",
                    dimensions=cluster,
                    statistic="Minimum",
                    at="most",
                    threshold=2 * GIB,
                    unit="bytes (2 GiB)",
                    period=300,
                    periods=2,
                    missing="notBreaching",
                    why="sorts and logs fill the instance's own disk; when it is full the instance restarts",
                ),
                Alarm(
                    name="deadlocks",
                    namespace="AWS/RDS",
                    metric="Deadlocks",
                    dimensions=cluster,
                    statistic="Maximum",
                    threshold=0.05,
                    unit="a second (three a minute)",
                    period=60,
                    periods=5,
                    missing="notBreaching",
                    why="transactions take the same rows in different orders, and customers' orders fail",
                ),
                Alarm(
                    name="failed-logins",
                    namespace=self.names.metrics,
                    metric=FAILED_LOGINS,
                    statistic="Sum",
                    threshold=10,
                    unit="logins",
                    period=300,
                    periods=1,
                    missing="notBreaching",
                    why="tasks hold a credential that no longer works, or somebody guesses (PCI DSS 10.7.2)",
                ),
            ],
        )

    def _tell(self) -> None:
        self.publish("writer_endpoint", self.cluster, "endpoint", "Where the application writes; follows a failover")
        self.publish("reader_endpoint", self.cluster, "reader_endpoint", "Where it may read, a little behind")
        self.publish("port", self.cluster, "port", "Port of both endpoints")
        self.publish("database_name", self.cluster, "database_name", "Database within the cluster")
        self.publish("cluster_identifier", self.cluster, "cluster_identifier", "The cluster, as RDS's commands take it")
        self.publish(
            "master_secret_arn",
            self.cluster,
            "master_user_secret[0].secret_arn",
            "Secret with the master credential, which RDS makes and rotates",
        )
        self.offer(self.cluster, "arn", "id", "cluster_resource_id")


GIB = 2**30


def most_connections(wanted: DatabaseSettings) -> int:
    """How many connections one instance takes, as Aurora derives `max_connections` from the maximum capacity.

    Source: "Maximum connections for Aurora Serverless v2" in the Aurora User Guide: memory / 9,531,392 bytes, at most
    5,000, and at most 2,000 where the minimum is half an ACU or less. An ACU is 2 GiB, of which Aurora keeps a tenth.
    """
    by_memory = int(wanted.maximum_capacity * 2 * GIB * 0.9 / 9_531_392)
    return min(by_memory, 2000 if wanted.minimum_capacity <= 0.5 else 5000)
