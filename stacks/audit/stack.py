"""The audit trail of all API calls in all Regions, with alarms and events, and the detection services.

Calls that are unusual in normal operation raise alarms. Changes of security controls, findings and noncompliant
resources are sent to the alarm topic as events. Each detection service can be turned off in the settings.
"""

from cdktf_cdktf_provider_aws.cloudtrail import (
    Cloudtrail,
    CloudtrailAdvancedEventSelector,
    CloudtrailAdvancedEventSelectorFieldSelector,
)
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic
from constructs import Construct

from stacks.audit import detection
from stacks.audit.config_recorder import enable_config, noncompliance_event
from stacks.audit.watched_calls import CALL_METRICS, control_change_events
from stacks.foundation.stack import FoundationStack
from stacks.parts.alarms import Alarm, create_alarms
from stacks.parts.events import notify
from stacks.parts.logs import log_group, metric_filter
from stacks.parts.service_roles import service_role
from stacks.settings import Environment
from stacks.statements import allow
from stacks.tier import TierStack

Field = CloudtrailAdvancedEventSelectorFieldSelector


class AuditStack(TierStack):
    """CloudTrail with its alarms; GuardDuty, Security Hub, AWS Config and Inspector as set in the settings."""

    tier = "audit"

    def __init__(self, scope: Construct, settings: Environment, *, foundation: FoundationStack) -> None:
        super().__init__(scope, settings)
        self.log = log_group(self, "log", self.names.trail_log_group, key=foundation.keys.logs)
        self._record_calls(foundation)
        self._watch(foundation.alarm_topic)
        self._notify_of_events(foundation.alarm_topic)
        self._detect(foundation)

    def _record_calls(self, foundation: FoundationStack) -> None:
        """PCI DSS 10.2.1, 10.3.2, 10.3.4.

        Without CloudTrail Insights, which charges for every event that it analyzes: GuardDuty looks for unusual calls,
        and the alarms on calls cover what should not happen at all.
        """
        role, permissions = service_role(
            self,
            "trail-log",
            "cloudtrail.amazonaws.com",
            [allow("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], [f"{self.log.arn}:log-stream:*"])],
            # AWS documents no condition. Using the role in a trail requires iam:PassRole on it.
            # https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html
            source_arn=None,
            description="CloudTrail writes the trail to its log group",
        )
        trail = Cloudtrail(
            self,
            "trail",
            name=self.names.trail,
            s3_bucket_name=foundation.log_buckets.audit.id,
            kms_key_id=foundation.keys.logs.arn,
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_log_file_validation=True,
            enable_logging=True,
            cloud_watch_logs_group_arn=f"{self.log.arn}:*",
            cloud_watch_logs_role_arn=role.arn,
            advanced_event_selector=self._event_selectors(foundation),
            lifecycle=self.stateful_lifecycle(),
            depends_on=[permissions],
        )
        self.publish("trail_arn", trail, "arn", "Trail of every call in every Region")

    def _event_selectors(self, foundation: FoundationStack) -> list[CloudtrailAdvancedEventSelector]:
        """Management events, and data events of all buckets, above all that of the Terraform states.

        Deliveries to the log buckets are excluded: the trail would log its own deliveries endlessly.
        """
        buckets = foundation.log_buckets
        logs = [f"{bucket.arn}/" for bucket in (buckets.audit, buckets.delivery, buckets.config)]
        objects = [
            Field(field="eventCategory", equal_to=["Data"]),
            Field(field="resources.type", equal_to=["AWS::S3::Object"]),
        ]
        return [
            CloudtrailAdvancedEventSelector(
                name="Calls", field_selector=[Field(field="eventCategory", equal_to=["Management"])]
            ),
            CloudtrailAdvancedEventSelector(
                name="Objects of all buckets but those of logs",
                field_selector=[*objects, Field(field="resources.ARN", not_starts_with=logs)],
            ),
            CloudtrailAdvancedEventSelector(
                name="Logs, whoever reads or removes them",
                field_selector=[
                    *objects,
                    Field(field="resources.ARN", starts_with=logs),
                    Field(field="eventName", not_equals=["PutObject"]),
                ],
            ),
        ]

    def _watch(self, topic: SnsTopic) -> None:
        for row in CALL_METRICS:
            metric_filter(self, row.name, self.log, pattern=row.pattern, metric=row.metric)
        self.alarms = create_alarms(
            self,
            topic,
            [
                *(
                    Alarm(
                        name=row.name,
                        namespace=self.names.metric_namespace,
                        metric=row.metric,
                        statistic="Sum",
                        threshold=row.threshold,
                        unit=row.unit,
                        period=300,
                        periods=1,
                        treat_missing_data="notBreaching",
                        reason=row.reason,
                    )
                    for row in CALL_METRICS
                ),
                Alarm(
                    name="trail-silent",
                    namespace="AWS/Logs",
                    metric="IncomingLogEvents",
                    dimensions={"LogGroupName": self.names.trail_log_group},
                    statistic="Sum",
                    at="most",
                    threshold=0,
                    unit="events",
                    period=900,
                    periods=4,
                    # CloudWatch Logs reports no data instead of zero.
                    treat_missing_data="breaching",
                    reason="the trail was stopped or cannot deliver its logs (PCI DSS 10.7.2)",
                ),
            ],
        )

    def _notify_of_events(self, topic: SnsTopic) -> None:
        noncompliance = [noncompliance_event(self.names)] if self.settings.audit.config else []
        notify(self, topic, [*control_change_events(), *detection.FINDING_EVENTS, *noncompliance])

    def _detect(self, foundation: FoundationStack) -> None:
        audit, config_recorder = self.settings.audit, []
        if audit.config:
            bucket, key = foundation.log_buckets.config, foundation.keys.logs
            config_recorder = [enable_config(self, bucket=bucket, key=key)]
        if audit.guardduty:
            detection.enable_guardduty(self)
        if audit.security_hub:
            detection.enable_security_hub(self, depends_on=config_recorder)
        if audit.inspector:
            detection.enable_inspector(self)
