"""CloudWatch: composite alarms, alarm types in DescribeAlarms, and alarm states that survive updates.

It evaluates no alarms.
"""

import re
from typing import Any, cast

from moto.cloudwatch.models import Alarm, CloudWatchBackend, cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult

from local_aws.extension import ApiError, Extension

SUPPRESSION = {
    "ActionsSuppressor": "actions_suppressor",
    "ActionsSuppressorWaitPeriod": "actions_suppressor_wait_period",
    "ActionsSuppressorExtensionPeriod": "actions_suppressor_extension_period",
}


class Alarms(dict[str, Alarm]):
    """Alarms by name. Iteration uses a copy, because concurrent requests and scaling policies put alarms."""

    def values(self) -> Any:
        return list(super().values())


class Backend(CloudWatchBackend):
    """Adds updates of alarms, which moto replaces instead."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.alarms = Alarms()

    def put_metric_alarm(self, name: str, *arguments: Any, **settings: Any) -> Alarm:
        existing = self.alarms.get(name)
        if existing:
            settings["tags"] = None  # AWS applies tags to new alarms only
        alarm = super().put_metric_alarm(name, *arguments, **settings)
        if existing:
            for state in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history"):
                setattr(alarm, state, getattr(existing, state))
        else:
            # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
            alarm.state_value = "INSUFFICIENT_DATA"
        return alarm

    def delete_alarms(self, alarm_names: list[str]) -> None:
        if missing := [name for name in alarm_names if name not in self.alarms]:
            raise ApiError("ResourceNotFound", f"Alarms not found: {', '.join(missing)}")
        for name in alarm_names:
            self.tagger.delete_all_tags_for_resource(self.alarms[name].alarm_arn)
        super().delete_alarms(alarm_names)

    def validate_alarm_rule(self, rule: str) -> None:
        """Refuse a rule that refers to missing alarms."""
        references = re.findall(r"\b(?:ALARM|OK|INSUFFICIENT_DATA)\(\s*['\"]?([^'\")]+?)['\"]?\s*\)", rule)
        missing = [name for name in references if name.rpartition(":alarm:")[2] not in self.alarms]
        if missing:
            raise ApiError("ValidationError", f"Alarms of the alarm rule do not exist: {', '.join(missing)}")


class Responses(CloudWatchResponse):
    """Adds the actions on composite alarms."""

    @property
    def backend(self) -> Backend:
        return cast(Backend, cloudwatch_backends[self.current_account][self.region])

    def put_composite_alarm(self) -> EmptyResult:
        self.backend.validate_alarm_rule(self._get_param("AlarmRule"))
        self.put_metric_alarm()
        alarm = cast(Any, self.backend.alarms[self._get_param("AlarmName")])
        for name, attribute in SUPPRESSION.items():
            setattr(alarm, attribute, self._get_param(name))
        return EmptyResult()

    def describe_alarms(self) -> ActionResult:
        described = cast(dict[str, list[Alarm]], super().describe_alarms().result)
        # The default is metric alarms only.
        kinds = self._get_param("AlarmTypes") or ["MetricAlarm"]
        return ActionResult(
            {
                "MetricAlarms": described["MetricAlarms"] if "MetricAlarm" in kinds else [],
                "CompositeAlarms": described["CompositeAlarms"] if "CompositeAlarm" in kinds else [],
            }
        )


EXTENSION = Extension(
    "cloudwatch",
    Responses,
    Backend,
    gaps={
        "aws_cloudwatch_composite_alarm": "was not implemented",
        "aws_cloudwatch_metric_alarm": "left its tags behind when it was deleted",
    },
)
