"""The database: Aurora PostgreSQL Serverless v2, a writer and readers in different zones, one endpoint for each.

A commit is on six copies in three zones before it is answered. When the writer is lost, the first reader takes its
place and both endpoints follow. TLS is forced, the master credential is RDS's own, and every login is logged.
"""

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.db_subnet_group import DbSubnetGroup
from cdktf_cdktf_provider_aws.rds_cluster import RdsCluster, RdsClusterServerlessv2ScalingConfiguration
from cdktf_cdktf_provider_aws.rds_cluster_instance import RdsClusterInstance
from constructs import Construct

from stacks.database.alarms import FAILED_LOGIN_PATTERN, FAILED_LOGINS, database_alarms
from stacks.database.parameters import ENGINE, cluster_parameters, instance_parameters
from stacks.foundation.stack import FoundationStack, Keys
from stacks.network.stack import NetworkStack
from stacks.parts import ports
from stacks.parts.alarms import create_alarms
from stacks.parts.autoscaling import scaling_target, track_metric
from stacks.parts.logs import log_group, metric_filter
from stacks.parts.service_roles import ServiceRole, service_role
from stacks.settings import Environment
from stacks.tier import TierStack

MASTER_USERNAME = "platform_master"
"""PCI DSS 2.2.2: not a name that every attacker tries first."""

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
        self.instances = self._writer_and_readers(foundation.keys, self._monitoring_role())
        self._add_readers_under_load()
        metric_filter(self, "failed-logins", logs["postgresql"], pattern=FAILED_LOGIN_PATTERN, metric=FAILED_LOGINS)
        self.alarms = create_alarms(self, foundation.alarm_topic, database_alarms(self, self.cluster))
        self._publish_endpoints()

    def _logs(self, foundation: FoundationStack) -> dict[str, CloudwatchLogGroup]:
        """Before the cluster, which would make them itself: without our key, and for ever."""
        return {
            kind: log_group(self, f"log-{kind}", self.names.database_log_group(kind), key=foundation.keys.logs)
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
            db_cluster_parameter_group_name=cluster_parameters(self).name,
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
            lifecycle=self.stateful_lifecycle(),
            depends_on=logs,
        )

    def _monitoring_role(self) -> ServiceRole:
        return service_role(
            self,
            "database-monitoring",
            "monitoring.rds.amazonaws.com",
            "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
            # Any instance: Aurora names the readers that it adds itself.
            source_arn=self.names.arn("rds", "db:*"),
            description="Delivers the database's enhanced monitoring to CloudWatch",
        )

    def _writer_and_readers(self, keys: Keys, monitoring: ServiceRole) -> list[RdsClusterInstance]:
        """One in each zone in turn. After a failover a reader writes; the names tell how it began."""
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
                # Aurora keeps tiers 0 and 1 as large as the writer: the first to take over is ready for its load.
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
                performance_insights_retention_period=7,  # days: what AWS gives without a charge
                lifecycle=self.stateful_lifecycle(),
                # A cluster's first instance becomes its writer.
                depends_on=[monitoring.permissions, *instances[:1]],
            )
            instances.append(instance)
        return instances

    def _add_readers_under_load(self) -> None:
        wanted = self.settings.database
        if wanted.maximum_readers == wanted.readers:
            return
        target = scaling_target(
            self,
            "reader",
            dimension="rds:cluster:ReadReplicaCount",
            resource_id=f"cluster:{self.cluster.cluster_identifier}",
            capacity=(wanted.readers, wanted.maximum_readers),
            depends_on=self.instances,  # Aurora adds readers to a cluster that has instances
        )
        track_metric(self, "reader-cpu", target, "RDSReaderAverageCPUUtilization", target_value=60)  # percent

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
        )
        self.export(self.cluster, "arn", "id", "cluster_resource_id")
