"""Out-of-band changes to CloudWatch resources, one per argument."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change

KINDS = {"MetricAlarm": ("MetricAlarms", "PutMetricAlarm"), "CompositeAlarm": ("CompositeAlarms", "PutCompositeAlarm")}


def _put(kind: str, **changed: Any) -> Change:
    """Put the alarm with changed parameters."""
    listed, action = KINDS[kind]

    def change(aws: LocalAws, state: dict[str, Any]) -> None:
        cloudwatch = aws.client("cloudwatch")
        (alarm,) = cloudwatch.describe_alarms(AlarmNames=[state["id"]], AlarmTypes=[kind])[listed]
        members = cloudwatch.meta.service_model.operation_model(action).input_shape.members
        wanted = {name: value for name, value in alarm.items() if name in members} | changed
        getattr(cloudwatch, "put_metric_alarm" if kind == "MetricAlarm" else "put_composite_alarm")(**wanted)

    return change


_QUERY = {"Id": "any", "Expression": 'SELECT MAX(Other) FROM "AWS/Other"', "Period": 60, "ReturnData": True}

CHANGES: dict[tuple[str, str], Change] = {
    ("aws_cloudwatch_composite_alarm", "alarm_actions"): _put("CompositeAlarm", AlarmActions=[]),
    ("aws_cloudwatch_composite_alarm", "alarm_description"): _put("CompositeAlarm", AlarmDescription="changed"),
    ("aws_cloudwatch_composite_alarm", "alarm_rule"): _put("CompositeAlarm", AlarmRule="FALSE"),
    ("aws_cloudwatch_composite_alarm", "ok_actions"): _put("CompositeAlarm", OKActions=[]),
    ("aws_cloudwatch_metric_alarm", "alarm_actions"): _put("MetricAlarm", AlarmActions=[]),
    ("aws_cloudwatch_metric_alarm", "alarm_description"): _put("MetricAlarm", AlarmDescription="changed"),
    ("aws_cloudwatch_metric_alarm", "comparison_operator"): _put("MetricAlarm", ComparisonOperator="LessThanThreshold"),
    ("aws_cloudwatch_metric_alarm", "datapoints_to_alarm"): _put("MetricAlarm", DatapointsToAlarm=98),
    ("aws_cloudwatch_metric_alarm", "dimensions"): _put(
        "MetricAlarm", Dimensions=[{"Name": "Other", "Value": "other"}]
    ),
    ("aws_cloudwatch_metric_alarm", "evaluation_periods"): _put("MetricAlarm", EvaluationPeriods=99),
    ("aws_cloudwatch_metric_alarm", "insufficient_data_actions"): _put("MetricAlarm", InsufficientDataActions=[]),
    ("aws_cloudwatch_metric_alarm", "metric_name"): _put("MetricAlarm", MetricName="Other"),
    ("aws_cloudwatch_metric_alarm", "metric_query"): _put("MetricAlarm", Metrics=[_QUERY]),
    ("aws_cloudwatch_metric_alarm", "namespace"): _put("MetricAlarm", Namespace="Other"),
    ("aws_cloudwatch_metric_alarm", "ok_actions"): _put("MetricAlarm", OKActions=[]),
    ("aws_cloudwatch_metric_alarm", "period"): _put("MetricAlarm", Period=7200),
    ("aws_cloudwatch_metric_alarm", "statistic"): _put("MetricAlarm", Statistic="SampleCount"),
    ("aws_cloudwatch_metric_alarm", "threshold"): _put("MetricAlarm", Threshold=12345),
    ("aws_cloudwatch_metric_alarm", "treat_missing_data"): _put("MetricAlarm", TreatMissingData="ignore"),
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_cloudwatch_composite_alarm", "alarm_name"): IDENTIFIES,
    ("aws_cloudwatch_metric_alarm", "alarm_name"): IDENTIFIES,
}
