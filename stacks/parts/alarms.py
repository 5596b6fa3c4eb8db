"""CloudWatch alarms from a table per tier: condition, reason, and link to the runbook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Literal

from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import (
    CloudwatchMetricAlarm,
    CloudwatchMetricAlarmMetricQuery,
    CloudwatchMetricAlarmMetricQueryMetric,
)
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

from stacks.tier import TierStack

GIB = 2**30
MINIMUM_REQUESTS = 20
"""Below this, a ratio is noise: at night, one failed request of two is not an outage."""
LATE = 180
"""Seconds until CloudWatch has a data point: the newest periods may have no data yet, or only a part of it."""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """An alarm: the metric reaches the threshold in a number of the last periods."""

    name: str
    """Unique within the tier; also in the construct's id."""
    runbook: str = ""
    """Heading in the tier's runbook page, if it is not the name."""
    metric: str
    namespace: str
    dimensions: Mapping[str, str] = field(default_factory=dict)
    statistic: Literal["Average", "Maximum", "Minimum", "Sum", "p99"]
    share_of: str = ""
    """Another metric of the same resource: the threshold applies to the metric as a percentage of it."""
    sample_count: str = ""
    """A count metric of the same resource: below MINIMUM_REQUESTS, the alarm stays OK."""
    any_resource: bool = False
    """Watch all resources in the namespace, for resources that autoscaling adds and removes."""
    at: Literal["least", "most"] = "least"
    """Whether the alarm is raised at or above the threshold (`least`), or at or below it (`most`)."""
    threshold: float
    unit: str
    period: int
    """Seconds."""
    periods: int
    treat_missing_data: Literal["breaching", "notBreaching", "missing"]
    """An error count without data means no errors; a heartbeat without data means a failure.

    With `missing`, the loss of data is notified, and its absence from the start, before the resource exists, is not.
    """
    reason: str

    @property
    def evaluation_periods(self) -> int:
        """Periods of which `periods` must reach the threshold.

        Those that may still lack data are additional: CloudWatch takes them for not breaching, and metric math has a
        value before all its metrics are complete. If all had to breach, the alarm would stay in OK. A sum is too small
        as long as a part is missing, unless a single event reaches the threshold.
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html (FILL)
        """
        if self.treat_missing_data != "notBreaching":
            return self.periods
        is_partial = self.statistic == "Sum" and self.threshold > 1
        return self.periods + (ceil(LATE / self.period) if is_partial else LATE // self.period)

    @property
    def description(self) -> str:
        """The alarm's condition and reason, which the engineer on call reads first."""
        minutes = self.period * self.periods // 60
        duration = f"{minutes // 60} h" if minutes >= 60 else f"{minutes} min"
        if self.evaluation_periods > self.periods:
            duration = f"{minutes} of {self.period * self.evaluation_periods // 60} min"
        of_what = f" of {self.share_of}" if self.share_of else ""
        return f"{self.metric} at {self.at} {self._formatted_threshold}{of_what} for {duration}: {self.reason}."

    @property
    def _formatted_threshold(self) -> str:
        if self.unit.startswith("bytes"):
            return f"{self.threshold / GIB:g} GiB{self.unit.removeprefix('bytes')}"
        return f"{self.threshold:g} {self.unit}"


def create_alarms(tier: TierStack, topic: SnsTopic, alarms: Sequence[Alarm]) -> dict[str, CloudwatchMetricAlarm]:
    """Create a tier's alarms, which notify the topic of ALARM and OK, and return them by name."""
    actions = [topic.arn]  # read once: each read is a call to the Node process
    return {alarm.name: _create_alarm(tier, actions, alarm) for alarm in alarms}


def metrics_insights_query(function: str, metric: str, namespace: str, dimensions: Sequence[str] = ()) -> str:
    """A CloudWatch Metrics Insights query over all resources of a namespace.

    Args:
        dimensions: the resources' dimensions. A sum needs them if the metric is also published with others, since a
            query without them has all of these.
    """
    source = f'SCHEMA("{namespace}", {", ".join(dimensions)})' if dimensions else f'"{namespace}"'
    return f"SELECT {function}({metric}) FROM {source}"  # noqa: S608 - not user input


def _create_alarm(tier: TierStack, actions: Sequence[str], alarm: Alarm) -> CloudwatchMetricAlarm:
    is_percentile = alarm.statistic.startswith("p")
    queries = _metric_queries(alarm)
    created = CloudwatchMetricAlarm(
        tier,
        f"alarm-{alarm.name}",
        alarm_name=tier.names.alarm_name(f"{tier.tier}-{alarm.name}"),  # sorted by tier
        alarm_description=f"{alarm.description} {tier.runbook_reference(alarm.runbook or alarm.name)}",
        metric_query=queries,
        namespace=None if queries else alarm.namespace,
        metric_name=None if queries else alarm.metric,
        dimensions=None if queries else dict(alarm.dimensions) or None,
        statistic=None if queries or is_percentile else alarm.statistic,
        extended_statistic=alarm.statistic if is_percentile and not queries else None,
        comparison_operator=f"{'GreaterThan' if alarm.at == 'least' else 'LessThan'}OrEqualToThreshold",
        threshold=alarm.threshold,
        period=None if queries else alarm.period,
        evaluation_periods=alarm.evaluation_periods,
        datapoints_to_alarm=alarm.periods if alarm.evaluation_periods > alarm.periods else None,
        treat_missing_data=alarm.treat_missing_data,
        alarm_actions=actions,
        ok_actions=actions,
        insufficient_data_actions=actions if alarm.treat_missing_data == "missing" else None,
    )
    tier.export(created, "arn")
    return created


def _metric_queries(alarm: Alarm) -> list[CloudwatchMetricAlarmMetricQuery] | None:
    """Metric math for alarms on a ratio, a minimum of samples or any resource; None for alarms on a single metric."""
    if alarm.any_resource:
        return [_any_resource_query(alarm)]
    return _ratio_queries(alarm) if alarm.share_of or alarm.sample_count else None


def _ratio_queries(alarm: Alarm) -> list[CloudwatchMetricAlarmMetricQuery]:
    """The metric or its share, and no data if there are too few samples or none yet."""

    def metric(id: str, name: str, statistic: str) -> CloudwatchMetricAlarmMetricQuery:
        return CloudwatchMetricAlarmMetricQuery(
            id=id,
            metric=CloudwatchMetricAlarmMetricQueryMetric(
                namespace=alarm.namespace,
                metric_name=name,
                dimensions=dict(alarm.dimensions),
                stat=statistic,
                period=alarm.period,
            ),
        )

    # A load balancer reports no data instead of zero. The total is not filled: a minute without it has no data yet.
    expression = "100 * FILL(part, 0) / whole" if alarm.share_of else "part"
    return [
        metric("part", alarm.metric, alarm.statistic),
        metric("whole", alarm.share_of or alarm.sample_count, "Sum"),
        CloudwatchMetricAlarmMetricQuery(
            id="judged",
            expression=f"IF(whole >= {MINIMUM_REQUESTS}, {expression})",
            label=f"{alarm.metric} in percent of {alarm.share_of}" if alarm.share_of else alarm.metric,
            return_data=True,
        ),
    ]


def _any_resource_query(alarm: Alarm) -> CloudwatchMetricAlarmMetricQuery:
    function = {"Average": "AVG", "Maximum": "MAX", "Minimum": "MIN", "Sum": "SUM"}[alarm.statistic]
    return CloudwatchMetricAlarmMetricQuery(
        id="any",
        expression=metrics_insights_query(function, alarm.metric, alarm.namespace),
        label=alarm.metric,
        period=alarm.period,
        return_data=True,
    )
