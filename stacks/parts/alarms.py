"""Alarms, a table a tier: when it rings, why that matters, and where the runbook says what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
"""To judge by: at night, one failed or slow request of two is not an outage."""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One row of a tier's table: the metric reaches the threshold for so many periods in a row."""

    name: str
    """Within the tier; also the construct's id."""
    runbook: str = ""
    """Heading in the tier's runbook, where it is not the name."""
    metric: str
    namespace: str
    dimensions: Mapping[str, str] = field(default_factory=dict)
    statistic: Literal["Average", "Maximum", "Minimum", "Sum", "p99"]
    share_of: str = ""
    """Another metric of the same resource: the alarm is on the percentage of it that the metric is."""
    among: str = ""
    """A count of the same resource: where it is small, the metric says nothing."""
    of_any: bool = False
    """Of whatever resource of the namespace the account has, for those that come and go under load."""
    at: Literal["least", "most"] = "least"
    """Whether the threshold is reached from below (at least) or from above (at most)."""
    threshold: float
    unit: str
    period: int
    """In seconds."""
    periods: int
    missing: Literal["breaching", "notBreaching", "missing"]
    """What silence means. An error count that nobody writes is no error; a heartbeat that stops is one."""
    why: str

    @property
    def description(self) -> str:
        """What whoever is woken reads first."""
        minutes = self.period * self.periods // 60
        lasting = f"{minutes // 60} h" if minutes >= 60 else f"{minutes} min"
        what = f"{self.metric} of {self.share_of}" if self.share_of else self.metric
        return f"{what} at {self.at} {self._said} for {lasting}: {self.why}."

    @property
    def _said(self) -> str:
        if self.unit.startswith("bytes"):
            return f"{self.threshold / GIB:g} GiB{self.unit.removeprefix('bytes')}"
        return f"{self.threshold:g} {self.unit}"


def create_alarms(tier: TierStack, topic: SnsTopic, alarms: Sequence[Alarm]) -> dict[str, CloudwatchMetricAlarm]:
    """Make a tier's alarms, which tell the topic when they ring and when they stop; by name."""
    told = [topic.arn]  # read once: it is a question to the Node process
    return {alarm.name: _raise(tier, told, alarm) for alarm in alarms}


def metrics_insights_query(function: str, metric: str, namespace: str, dimension: str = "") -> str:
    """A query of Metrics Insights, CloudWatch's SQL, over all resources of a namespace.

    Args:
        by: the dimension that tells them apart, where the namespace also has a total of them all.
    """
    source = f'SCHEMA("{namespace}", {dimension})' if dimension else f'"{namespace}"'
    return f"SELECT {function}({metric}) FROM {source}"  # noqa: S608 - all of it is the code's own


def _raise(tier: TierStack, told: Sequence[str], alarm: Alarm) -> CloudwatchMetricAlarm:
    is_percentile = alarm.statistic.startswith("p")
    computed = [_of_any(alarm)] if alarm.of_any else _guarded(alarm) if alarm.share_of or alarm.among else None
    raised = CloudwatchMetricAlarm(
        tier,
        f"alarm-{alarm.name}",
        alarm_name=tier.names.alarm_name(tier.tier, alarm.name),
        alarm_description=f"{alarm.description} {tier.runbook_reference(alarm.runbook or alarm.name)}",
        metric_query=computed,
        namespace=None if computed else alarm.namespace,
        metric_name=None if computed else alarm.metric,
        dimensions=None if computed else dict(alarm.dimensions) or None,
        statistic=None if computed or is_percentile else alarm.statistic,
        extended_statistic=alarm.statistic if is_percentile and not computed else None,
        comparison_operator=f"{'GreaterThan' if alarm.at == 'least' else 'LessThan'}OrEqualToThreshold",
        threshold=alarm.threshold,
        period=None if computed else alarm.period,
        evaluation_periods=alarm.periods,
        treat_missing_data=alarm.missing,
        alarm_actions=told,
        ok_actions=told,
    )
    tier.export(raised, "arn")
    return raised


def _guarded(alarm: Alarm) -> list[CloudwatchMetricAlarmMetricQuery]:
    """The metric, or its share, where there is enough to judge by."""

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

    # A load balancer writes no zeros.
    judged = "100 * FILL(part, 0) / whole" if alarm.share_of else "part"
    return [
        metric("part", alarm.metric, alarm.statistic),
        metric("whole", alarm.share_of or alarm.among, "Sum"),
        CloudwatchMetricAlarmMetricQuery(
            id="judged",
            expression=f"IF(FILL(whole, 0) >= {MINIMUM_REQUESTS}, {judged}, 0)",
            label=f"{alarm.metric} in percent of {alarm.share_of}" if alarm.share_of else alarm.metric,
            return_data=True,
        ),
    ]


def _of_any(alarm: Alarm) -> CloudwatchMetricAlarmMetricQuery:
    function = {"Average": "AVG", "Maximum": "MAX", "Minimum": "MIN", "Sum": "SUM"}[alarm.statistic]
    return CloudwatchMetricAlarmMetricQuery(
        id="any",
        expression=metrics_insights_query(function, alarm.metric, alarm.namespace),
        label=alarm.metric,
        period=alarm.period,
        return_data=True,
    )
