"""The database: Aurora PostgreSQL Serverless v2 with a writer and readers in different zones.

Aurora stores six copies of all data in three zones. When the writer fails, the first reader takes over, and the writer
and reader endpoints follow. TLS is required, RDS manages the master credential, and every login is logged.
"""

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.db_subnet_group import DbSubnetGroup
from cdktf_cdktf_provider_aws.rds_cluster import RdsCluster, RdsClusterServerlessv2ScalingConfiguration
from cdktf_cdktf_provider_aws.rds_cluster_instance import RdsClusterInstance
from constructs import Construct

from stacks.database.alarms import FAILED_LOGIN_PATTERN, FAILED_LOGINS, database_alarms
from stacks.database.parameters import ENGINE, cluster_parameters, instance_parameters
from stacks.foundation.stack import FoundationStack, Keys
from stacks.names import OS_METRICS_LOG_GROUP
from stacks.network.stack import NetworkStack
from stacks.parts import ports
from stacks.parts.alarms import create_alarms
from stacks.parts.autoscaling import scaling_target, track_metric
from stacks.parts.logs import log_group, metric_filter
from stacks.parts.service_roles import ServiceRole, service_role
from stacks.settings import Environment
from stacks.settings.database import MASTER_USERNAME
from stacks.tier import TierStack

NO_MASTER_SECRET = "none"  # noqa: S105 - not a password
"""Output in place of the master secret's ARN. RDS manages no password of a cluster that was restored, until
`modify-db-cluster --manage-master-user-password`: its restore APIs do not have the parameter.
https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBClusterToPointInTime.html"""

LOGS = ("postgresql", "iam-db-auth-error")


class DatabaseStack(TierStack):
    """Aurora cluster, instances, parameter groups, reader autoscaling."""

    tier = "database"

    def __init__(
        self, scope: Construct, settings: Environment, *, foundation: FoundationStack, network: NetworkStack
    ) -> None:
        super().__init__(scope, settings)
        logs = self._logs(foundation)
        self.cluster = self._cluster(foundation.keys, network, list(logs.values()))
        os_metrics = [self._os_metrics_log(foundation)] if settings.database.os_metrics_log else []
        self.instances = self._writer_and_readers(foundation.keys, self._monitoring_role(), os_metrics)
        self._add_readers_under_load()
        metric_filter(self, "failed-logins", logs["postgresql"], pattern=FAILED_LOGIN_PATTERN, metric=FAILED_LOGINS)
        self.alarms = create_alarms(self, foundation.alarm_topic, database_alarms(self, self.cluster))
        self._publish_endpoints()

    def _logs(self, foundation: FoundationStack) -> dict[str, CloudwatchLogGroup]:
        """Create the log groups before the cluster, which would create them without a KMS key and retention."""
        return {
            kind: log_group(self, f"log-{kind}", self.names.database_log_group(kind), key=foundation.keys.logs)
            for kind in LOGS
        }

    def _os_metrics_log(self, foundation: FoundationStack) -> CloudwatchLogGroup:
        """Create the log group of Enhanced Monitoring before the instances, as above.

        https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_Monitoring.OS.CloudWatchLogs.html
        """
        return log_group(self, "log-os-metrics", OS_METRICS_LOG_GROUP, key=foundation.keys.logs)

    def _cluster(self, keys: Keys, network: NetworkStack, logs: list[CloudwatchLogGroup]) -> RdsCluster:
        settings = self.settings.database
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
            engine_mode="provisioned",  # the value for Serverless v2
            engine_version=settings.engine_version,
            # RDS Extended Support is charged by the hour; a planned upgrade is cheaper.
            engine_lifecycle_support="open-source-rds-extended-support-disabled",
            database_name=settings.name,
            port=ports.DATABASE,
            serverlessv2_scaling_configuration=RdsClusterServerlessv2ScalingConfiguration(
                min_capacity=settings.minimum_capacity,
                max_capacity=settings.maximum_capacity,
                seconds_until_auto_pause=3600 if settings.minimum_capacity == 0 else None,
            ),
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[network.security_groups.database.id],
            db_cluster_parameter_group_name=cluster_parameters(self).name,
            # RDS creates and rotates the password; it is in no plan or state (PCI DSS 8.3.9, 8.6.2).
            master_username=MASTER_USERNAME,
            manage_master_user_password=True,
            master_user_secret_kms_key_id=keys.secrets.arn,
            iam_database_authentication_enabled=True,
            iam_roles=[],  # no role that exports data to S3
            storage_encrypted=True,
            kms_key_id=keys.database.arn,
            enabled_cloudwatch_logs_exports=list(LOGS),
            backup_retention_period=settings.backup_days,
            preferred_backup_window=self.settings.windows.backup,
            preferred_maintenance_window=self.settings.windows.maintenance,
            copy_tags_to_snapshot=True,
            apply_immediately=False,
            delete_automated_backups=not self.settings.deletion_protection,
            deletion_protection=self.settings.deletion_protection,
            skip_final_snapshot=not self.settings.deletion_protection,
            final_snapshot_identifier=f"{self.names.database}-final",
            lifecycle=self.stateful_lifecycle(),
            depends_on=logs,
        )

    def _monitoring_role(self) -> ServiceRole:
        return service_role(
            self,
            "database-monitoring",
            "monitoring.rds.amazonaws.com",
            "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
            # Any instance, because autoscaling names the readers that it adds.
            source_arn=self.names.arn("rds", "db:*"),
            description="Delivers the database's enhanced monitoring to CloudWatch",
        )

    def _writer_and_readers(
        self, keys: Keys, monitoring: ServiceRole, logs: list[CloudwatchLogGroup]
    ) -> list[RdsClusterInstance]:
        """One instance per zone in turn. The names show the initial roles; after a failover, a reader is the writer."""
        parameters = instance_parameters(self)
        zones = self.settings.network.zones
        instances: list[RdsClusterInstance] = []
        for position in range(1 + self.settings.database.readers):
            name = f"reader-{position}" if position else "writer"
            instance = RdsClusterInstance(
                self,
                name,
                identifier=f"{self.names.database}-{name}",
                cluster_identifier=self.cluster.id,
                engine=ENGINE,
                engine_version=self.cluster.engine_version,
                instance_class="db.serverless",
                availability_zone=zones[position % len(zones)],
                # Aurora scales readers in tiers 0 and 1 with the writer, so the first to take over can handle its load.
                promotion_tier=position,
                db_parameter_group_name=parameters.name,
                publicly_accessible=False,
                auto_minor_version_upgrade=True,
                apply_immediately=False,
                preferred_maintenance_window=self.settings.windows.maintenance,
                copy_tags_to_snapshot=True,
                monitoring_interval=60,  # seconds
                monitoring_role_arn=monitoring.role.arn,
                performance_insights_enabled=True,
                performance_insights_kms_key_id=keys.database.arn,
                performance_insights_retention_period=7,  # days: the free tier
                lifecycle=self.stateful_lifecycle(),
                # The first instance of a cluster becomes the writer.
                depends_on=[monitoring.permissions, *instances[:1], *logs],
            )
            instances.append(instance)
        return instances

    def _add_readers_under_load(self) -> None:
        settings = self.settings.database
        if settings.maximum_readers == settings.readers:
            return
        target = scaling_target(
            self,
            "reader",
            dimension="rds:cluster:ReadReplicaCount",
            resource_id=f"cluster:{self.cluster.cluster_identifier}",
            capacity=(settings.readers, settings.maximum_readers),
            depends_on=self.instances,  # autoscaling needs a cluster with instances
        )
        # A percentage of the CPU at maximum capacity: readers grow first, and are added when they have grown.
        track_metric(self, "reader-cpu", target, "RDSReaderAverageCPUUtilization", target_value=60)

    def _publish_endpoints(self) -> None:
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
            missing=NO_MASTER_SECRET,
        )
        self.export(self.cluster, "arn", "id", "cluster_resource_id")
