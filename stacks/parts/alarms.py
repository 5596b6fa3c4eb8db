"""Alarms, a table a tier: when it rings, why that matters, and where the runbook says what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

from stacks.tier import TierStack

GIB = 2**30


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
    statistic: Literal["Average", "Maximum", "Minimum", "Sum"]
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
        return f"{self.metric} at {self.at} {self._said} for {minutes} min: {self.why}."

    @property
    def _said(self) -> str:
        if self.unit.startswith("bytes"):
            return f"{self.threshold / GIB:g} GiB{self.unit.removeprefix('bytes')}"
        return f"{self.threshold:g} {self.unit}"


def raise_alarms(tier: TierStack, topic: SnsTopic, alarms: Sequence[Alarm]) -> dict[str, CloudwatchMetricAlarm]:
    """Make a tier's alarms, which tell the topic when they ring and when they stop; by name."""
    return {alarm.name: _raise(tier, topic, alarm) for alarm in alarms}


def _raise(tier: TierStack, topic: SnsTopic, alarm: Alarm) -> CloudwatchMetricAlarm:
    raised = CloudwatchMetricAlarm(
        tier,
        f"alarm-{alarm.name}",
        alarm_name=tier.names.of_alarm(tier.tier, alarm.name),
        alarm_description=f"{alarm.description} Runbook: docs/runbooks/{tier.tier}.md#{alarm.runbook or alarm.name}",
        namespace=alarm.namespace,
        metric_name=alarm.metric,
        dimensions=dict(alarm.dimensions) or None,
        statistic=alarm.statistic,
        comparison_operator=f"{'GreaterThan' if alarm.at == 'least' else 'LessThan'}OrEqualToThreshold",
        threshold=alarm.threshold,
        period=alarm.period,
        evaluation_periods=alarm.periods,
        treat_missing_data=alarm.missing,
        alarm_actions=[topic.arn],
        ok_actions=[topic.arn],
    )
    tier.offer(raised, "arn")
    return raised
