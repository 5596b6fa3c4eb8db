"""What a person sees of the platform, and what comes to tell them: one dashboard, one alarm for the whole, events.

Each tier owns its alarms; here they are gathered. Failovers, failed deployments, tasks that die, AWS's own troubles and
certificates that run out are told as they happen.
"""

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.cloudwatch_composite_alarm import CloudwatchCompositeAlarm
from cdktf_cdktf_provider_aws.cloudwatch_dashboard import CloudwatchDashboard
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktf_cdktf_provider_aws.db_event_subscription import DbEventSubscription
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic
from constructs import Construct

from stacks.foundation import FoundationStack
from stacks.network import REJECTED_FROM_WITHIN
from stacks.parts import dashboard
from stacks.parts.alarms import Alarm, raise_alarms
from stacks.parts.dashboard import Graph, Line, OfAll, Row
from stacks.parts.events import Event, tell
from stacks.parts.logs import count_in_log
from stacks.parts.queries import save_queries
from stacks.service import ServiceStack
from stacks.settings import Environment
from stacks.storage import StorageStack
from stacks.tier import TierStack

APPLICATION_ERRORS = "ApplicationErrors"
ERROR_PATTERN = '{ $.level = "ERROR" || $.level = "CRITICAL" }'

# RDS's kinds of source, and which of their events. PCI DSS 11.5.2, as Security Hub's RDS.19 to RDS.22 read it, asks for
# changes, maintenance and failures.
DATABASE_EVENTS = {
    "db-cluster": ("failover", "failure", "maintenance"),
    "db-instance": ("availability", "configuration change", "deletion", "failure", "maintenance", "recovery"),
    "db-parameter-group": ("configuration change",),
    "db-security-group": ("configuration change", "failure"),
}


class ObservabilityStack(TierStack):
    """Dashboard, composite alarm, event subscriptions and rules, saved queries."""

    tier = "observability"

    def __init__(
        self,
        scope: Construct,
        settings: Environment,
        *,
        foundation: FoundationStack,
        storage: StorageStack,
        service: ServiceStack,
        watched: Sequence[TierStack],
    ) -> None:
        """Gather what the other tiers have.

        Args:
            watched: the tiers whose alarms are gathered.
        """
        super().__init__(scope, settings)
        self._watch_application(foundation.alarm_topic, service)
        alarms = [alarm for tier in (*watched, self) for alarm in tier.alarms.values()]
        healthy = self._platform_healthy(foundation.alarm_topic, alarms)
        self._tell_of_databases(foundation.alarm_topic)
        self._tell_of_events(foundation.alarm_topic, service)
        save_queries(self)
        self._dashboard(healthy, alarms, self._rows(foundation, storage, service))

    def _watch_application(self, topic: SnsTopic, service: ServiceStack) -> None:
        count_in_log(self, "application-errors", service.log, pattern=ERROR_PATTERN, metric=APPLICATION_ERRORS)
        self.alarms = raise_alarms(
            self,
            topic,
            [
                Alarm(
                    name="application-errors",
                    namespace=self.names.metrics,
                    metric=APPLICATION_ERRORS,
                    statistic="Sum",
                    threshold=25,
                    unit="lines",
                    period=300,
                    periods=1,
                    missing="notBreaching",
                    why="the application reports errors, whether customers see them yet or not",
                )
            ],
        )

    def _platform_healthy(self, topic: SnsTopic, alarms: Sequence[CloudwatchMetricAlarm]) -> CloudwatchCompositeAlarm:
        """Tells when the first alarm of all rings, and once more when the last one has stopped."""
        return CloudwatchCompositeAlarm(
            self,
            "platform-healthy",
            alarm_name=self.names.of_resource("platform-healthy"),
            alarm_description="In alarm while any alarm of any tier is. Runbook: "
            "docs/runbooks/observability.md#platform-healthy",
            alarm_rule=" OR ".join(f'ALARM("{alarm.arn}")' for alarm in alarms),
            alarm_actions=[topic.arn],
            ok_actions=[topic.arn],
        )

    def _tell_of_databases(self, topic: SnsTopic) -> None:
        """Of all in the account, since Aurora names the readers that it adds itself."""
        for kind, categories in DATABASE_EVENTS.items():
            DbEventSubscription(
                self,
                f"{kind}-events",
                name=self.names.of_resource(f"{kind}-events"),
                source_type=kind,
                event_categories=list(categories),
                sns_topic=topic.arn,
            )

    def _tell_of_events(self, topic: SnsTopic, service: ServiceStack) -> None:
        tell(
            self,
            topic,
            [
                Event(
                    name="deployment-failed",
                    source="aws.ecs",
                    kinds=["ECS Deployment State Change"],
                    resources=[service.service.id],
                    detail={"eventName": ["SERVICE_DEPLOYMENT_FAILED"]},
                    says="a deployment failed and is rolled back: <reason>",
                    quoting={"reason": "$.detail.reason"},
                ),
                Event(
                    name="tasks-not-placed",
                    source="aws.ecs",
                    kinds=["ECS Service Action"],
                    resources=[service.service.id],
                    detail={"eventType": ["WARN", "ERROR"]},
                    says="ECS cannot run the service as it should: <what>.",
                    quoting={"what": "$.detail.eventName"},
                ),
                Event(
                    name="task-stopped",
                    source="aws.ecs",
                    kinds=["ECS Task State Change"],
                    detail={
                        "clusterArn": [service.cluster.arn],
                        "lastStatus": ["STOPPED"],
                        # What ECS or a person stops has other codes; but ECS also stops what fails its health checks.
                        "$or": [
                            {"stopCode": ["TaskFailedToStart", "EssentialContainerExited"]},
                            {"stoppedReason": [{"prefix": "Task failed"}]},
                        ],
                    },
                    says="a task stopped by itself: <reason> (<task>).",
                    quoting={"reason": "$.detail.stoppedReason", "task": "$.detail.taskArn"},
                ),
                Event(
                    name="aws-health",
                    source="aws.health",
                    kinds=["AWS Health Event"],
                    detail={"eventTypeCategory": ["issue", "investigation", "scheduledChange"]},
                    says="AWS tells of <code> at <service>.",
                    quoting={"code": "$.detail.eventTypeCode", "service": "$.detail.service"},
                ),
                Event(
                    name="certificate-expiry",
                    source="aws.acm",
                    kinds=[
                        "ACM Certificate Approaching Expiration",
                        "ACM Certificate Expired",
                        "ACM Certificate Renewal Action Required",
                    ],
                    resources=[service.entrance.certificate.arn],
                    says="<what>.",
                    quoting={"what": "$.detail-type"},
                ),
            ],
        )

    def _dashboard(
        self, healthy: CloudwatchCompositeAlarm, alarms: Sequence[CloudwatchMetricAlarm], rows: Sequence[Row]
    ) -> None:
        shown = CloudwatchDashboard(
            self,
            "dashboard",
            dashboard_name=self.names.of_resource("platform"),
            dashboard_body=dashboard.body(
                self.settings.region, healthy=healthy.arn, alarms=[alarm.arn for alarm in alarms], rows=rows
            ),
        )
        self.publish("dashboard_name", shown, "dashboard_name", "The dashboard in CloudWatch")

    def _rows(self, foundation: FoundationStack, storage: StorageStack, service: ServiceStack) -> list[Row]:
        """From the customers inwards."""
        elb, ecs, insights = "AWS/ApplicationELB", "AWS/ECS", "ECS/ContainerInsights"
        balancer = {"LoadBalancer": service.entrance.load_balancer.arn_suffix}
        tasks = {"ClusterName": self.names.cluster, "ServiceName": self.names.service}
        rds, cluster = "AWS/RDS", {"DBClusterIdentifier": self.names.database}
        cache = "AWS/ElastiCache"
        efs, files = "AWS/EFS", {"FileSystemId": storage.file_system.id}
        topic = {"TopicName": foundation.alarm_topic.name}
        acl = {"WebACL": self.names.firewall, "Region": self.settings.region, "Rule": "ALL"}
        return [
            Row(
                "Service",
                [
                    Graph(
                        "Requests a minute",
                        [
                            Line("all", elb, "RequestCount", balancer, "Sum"),
                            Line("failed", elb, "HTTPCode_Target_5XX_Count", balancer, "Sum"),
                            Line("without a task", elb, "HTTPCode_ELB_5XX_Count", balancer, "Sum"),
                            Line("blocked", "AWS/WAFV2", "BlockedRequests", acl, "Sum"),
                        ],
                    ),
                    Graph(
                        "Seconds to an answer",
                        [
                            Line("half of all", elb, "TargetResponseTime", balancer, "p50"),
                            Line("99 of 100", elb, "TargetResponseTime", balancer, "p99"),
                        ],
                    ),
                    Graph(
                        "Tasks",
                        [
                            Line("running", insights, "RunningTaskCount", tasks),
                            Line("desired", insights, "DesiredTaskCount", tasks),
                        ],
                    ),
                    Graph(
                        "Percent of a task",
                        [
                            Line("CPU", ecs, "CPUUtilization", tasks),
                            Line("memory", ecs, "MemoryUtilization", tasks, "Maximum"),
                        ],
                    ),
                ],
            ),
            Row(
                "Database",
                [
                    Graph("Percent of the maximum capacity", [Line("used", rds, "ACUUtilization", cluster, "Maximum")]),
                    Graph("Connections", [Line("most of an instance", rds, "DatabaseConnections", cluster, "Maximum")]),
                    Graph(
                        "Milliseconds that readers lag",
                        [Line("furthest", rds, "AuroraReplicaLagMaximum", cluster, "Maximum")],
                    ),
                    Graph("Deadlocks a second", [Line("deadlocks", rds, "Deadlocks", cluster, "Maximum")]),
                ],
            ),
            Row(
                "Cache",
                [
                    Graph("Percent of a node's CPU", [OfAll("busiest", cache, "EngineCPUUtilization")]),
                    Graph("Percent of a node's memory", [OfAll("fullest", cache, "DatabaseMemoryUsagePercentage")]),
                    Graph("Percent found", [OfAll("least of a node", cache, "CacheHitRate", "MIN")]),
                    Graph("Keys dropped a minute", [OfAll("most of a node", cache, "Evictions")]),
                ],
            ),
            Row(
                "Storage",
                [
                    Graph("Percent of the I/O limit", [Line("used", efs, "PercentIOLimit", files, "Maximum")]),
                    Graph("Bytes a minute", [Line("metered", efs, "MeteredIOBytes", files, "Sum")]),
                    Graph("Connections", [Line("tasks", efs, "ClientConnections", files, "Sum")]),
                ],
            ),
            Row(
                "Network",
                [
                    Graph("Bytes out through NAT", [OfAll("all", "AWS/NATGateway", "BytesOutToDestination", "SUM")]),
                    Graph(
                        "Connections that NAT has no port for",
                        [OfAll("all", "AWS/NATGateway", "ErrorPortAllocation", "SUM")],
                    ),
                    Graph(
                        "Refused from within",
                        [Line("connections", self.names.metrics, REJECTED_FROM_WITHIN, {}, "Sum")],
                    ),
                ],
            ),
            Row(
                "Foundation",
                [
                    Graph(
                        "Messages of the alarm topic",
                        [
                            Line("delivered", "AWS/SNS", "NumberOfNotificationsDelivered", topic, "Sum"),
                            Line("failed", "AWS/SNS", "NumberOfNotificationsFailed", topic, "Sum"),
                        ],
                    ),
                    Graph("Bytes logged a minute", [OfAll("all", "AWS/Logs", "IncomingBytes", "SUM")]),
                ],
            ),
        ]
