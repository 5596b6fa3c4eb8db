"""Monitoring of the whole platform: dashboard, composite alarm, events, saved queries.

Each tier owns its alarms; this one combines them. People are notified of database failovers, failed deployments,
stopped tasks, AWS Health events and expiring certificates as they happen.
"""

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.cloudwatch_composite_alarm import CloudwatchCompositeAlarm
from cdktf_cdktf_provider_aws.cloudwatch_dashboard import CloudwatchDashboard
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktf_cdktf_provider_aws.db_event_subscription import DbEventSubscription
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic
from constructs import Construct

from stacks.foundation.stack import FoundationStack
from stacks.observability import dashboard
from stacks.observability.dashboard import DashboardRow
from stacks.observability.dashboard_rows import dashboard_rows
from stacks.observability.events import forward_global_health_events, platform_events
from stacks.observability.queries import save_queries
from stacks.parts.alarms import Alarm, create_alarms
from stacks.parts.events import notify
from stacks.parts.logs import metric_filter
from stacks.service.stack import ServiceStack
from stacks.settings import Environment
from stacks.storage.stack import StorageStack
from stacks.tier import TierStack

APPLICATION_ERRORS = "ApplicationErrors"
ERROR_PATTERN = '{ $.level = "ERROR" || $.level = "CRITICAL" }'

# Event categories by RDS source type. Security Hub's RDS.19 to RDS.22 (PCI DSS 11.5.2) require configuration changes,
# maintenance and failures.
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
        monitored_tiers: Sequence[TierStack],
    ) -> None:
        """Create the stack.

        Args:
            monitored_tiers: the tiers whose alarms are combined.
        """
        super().__init__(scope, settings)
        self._watch(foundation.alarm_topic, service)
        alarms = [alarm for tier in (*monitored_tiers, self) for alarm in tier.alarms.values()]
        healthy = self._platform_healthy(foundation.alarm_topic, alarms)
        self._notify_of_databases(foundation.alarm_topic)
        notify(self, foundation.alarm_topic, platform_events(service))
        forward_global_health_events(self)
        save_queries(self)
        rows = dashboard_rows(self.names, topic=foundation.alarm_topic, files=storage.file_system, service=service)
        self._dashboard(healthy, [alarm.arn for alarm in alarms], [*rows, *_default_rows(rows, monitored_tiers)])

    def _watch(self, topic: SnsTopic, service: ServiceStack) -> None:
        metric_filter(self, "application-errors", service.log, pattern=ERROR_PATTERN, metric=APPLICATION_ERRORS)
        self.alarms = create_alarms(
            self,
            topic,
            [
                Alarm(
                    name="application-errors",
                    namespace=self.names.metric_namespace,
                    metric=APPLICATION_ERRORS,
                    statistic="Sum",
                    threshold=25,
                    unit="log lines",
                    period=300,
                    periods=1,
                    treat_missing_data="notBreaching",
                    reason="the application logs errors, which customers may already notice",
                ),
                *(
                    Alarm(
                        name=f"workflows-{ended}",
                        runbook="workflows",
                        namespace="AWS/States",
                        metric=metric,
                        any_resource=True,
                        statistic="Sum",
                        threshold=1,
                        unit="executions",
                        period=300,
                        periods=1,
                        treat_missing_data="notBreaching",
                        reason="the redeployment after a rotation, or the daily check of the credential's age, failed",
                    )
                    for ended, metric in (("failed", "ExecutionsFailed"), ("timed-out", "ExecutionsTimedOut"))
                ),
                Alarm(
                    name="events-lost",
                    namespace="AWS/Events",
                    metric="FailedInvocations",
                    any_resource=True,
                    statistic="Sum",
                    threshold=1,
                    unit="events",
                    period=300,
                    periods=1,
                    treat_missing_data="notBreaching",
                    reason="an event could not be delivered to the alarm topic",
                ),
            ],
        )

    def _platform_healthy(self, topic: SnsTopic, alarms: Sequence[CloudwatchMetricAlarm]) -> CloudwatchCompositeAlarm:
        """Composite alarm: notifies when the first alarm is raised or loses its data, and again when all are OK."""
        conditions = [
            *(f'ALARM("{alarm.arn}")' for alarm in alarms),
            # The others take missing data for a good sign, or are raised by it.
            *(f'INSUFFICIENT_DATA("{alarm.arn}")' for alarm in alarms if alarm.treat_missing_data_input == "missing"),
        ]
        return CloudwatchCompositeAlarm(
            self,
            "platform-healthy",
            alarm_name=self.names.alarm_name("platform-healthy"),
            alarm_description=f"At least one alarm is active. {self.runbook_reference('platform-healthy')}",
            alarm_rule=" OR ".join(conditions),
            alarm_actions=[topic.arn],
            ok_actions=[topic.arn],
        )

    def _notify_of_databases(self, topic: SnsTopic) -> None:
        """Subscribe to events of all databases in the account, because autoscaling names the readers that it adds."""
        for kind, categories in DATABASE_EVENTS.items():
            DbEventSubscription(
                self,
                f"{kind}-events",
                name=self.names.resource_name(f"{kind}-events"),
                source_type=kind,
                event_categories=list(categories),
                sns_topic=topic.arn,
            )

    def _dashboard(
        self, healthy: CloudwatchCompositeAlarm, alarms: Sequence[str], shown: Sequence[DashboardRow]
    ) -> None:
        board = CloudwatchDashboard(
            self,
            "dashboard",
            dashboard_name=self.names.resource_name("platform"),
            dashboard_body=dashboard.dashboard_body(
                self.settings.region, health_alarm=healthy.arn, alarms=alarms, rows=shown
            ),
        )
        self.publish("dashboard_name", board, "dashboard_name", "The dashboard in CloudWatch")


def _default_rows(shown: Sequence[DashboardRow], tiers: Sequence[TierStack]) -> list[DashboardRow]:
    """Rows of the tiers that have alarms but no row of their own."""
    titles = {row.title for row in shown}
    return [
        dashboard.alarm_row(tier.tier.title(), {name: alarm.arn for name, alarm in tier.alarms.items()})
        for tier in tiers
        if tier.alarms and tier.tier.title() not in titles
    ]
