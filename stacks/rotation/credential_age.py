"""Daily check of the credential's age. A metric alarm cannot look back more than seven days."""

from cdktf_cdktf_provider_aws.scheduler_schedule import (
    SchedulerSchedule,
    SchedulerScheduleFlexibleTimeWindow,
    SchedulerScheduleTarget,
)
from cdktf_cdktf_provider_aws.secretsmanager_secret import SecretsmanagerSecret

from stacks.foundation.stack import FoundationStack
from stacks.parts.state_machines import State, notify_state, starter_role, state_machine
from stacks.statements import allow
from stacks.tier import TierStack

DAY_MILLISECONDS = 24 * 60 * 60 * 1000
"""A day in milliseconds, JSONata's unit of time."""


def check_age_daily(tier: TierStack, foundation: FoundationStack, secret: SecretsmanagerSecret) -> None:
    """Notify the topic if the credential is a day overdue for rotation, or if its age cannot be determined."""
    description = "Asks daily for the age of the database credential"
    machine = state_machine(
        tier,
        "credential-age",
        _states(tier, foundation, secret),
        permissions=[allow("AskForAge", ["secretsmanager:DescribeSecret"], [secret.arn])],
        topic=foundation.alarm_topic,
        topic_key=foundation.keys.alarms,
        log_key=foundation.keys.logs,
        minutes=5,
        description=description,
    )
    start = starter_role(
        tier,
        "credential-age",
        "scheduler.amazonaws.com",
        machine,
        source_arn=tier.names.arn("scheduler", "schedule-group/default"),
    )
    SchedulerSchedule(
        tier,
        "credential-age-daily",
        name=tier.names.resource_name("credential-age"),
        description=description,
        schedule_expression="rate(1 day)",
        flexible_time_window=SchedulerScheduleFlexibleTimeWindow(mode="OFF"),
        target=SchedulerScheduleTarget(arn=machine.arn, role_arn=start.role.arn),
        depends_on=[start.permissions],
    )


def _states(tier: TierStack, foundation: FoundationStack, secret: SecretsmanagerSecret) -> dict[str, State]:
    oldest, runbook = tier.settings.rotation.days + 1, tier.runbook_reference("credential-age")
    # A secret has no LastRotatedDate before its first rotation.
    rotated = "$exists($states.input.LastRotatedDate) ? $states.input.LastRotatedDate : $states.input.CreatedDate"
    return {
        "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:secretsmanager:describeSecret",
            "Arguments": {"SecretId": secret.arn},
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "TellFailure"}],
            "Next": "IsOld",
        },
        "IsOld": {
            "Type": "Choice",
            "Choices": [
                {"Condition": f"{{% $toMillis({rotated}) < $millis() - {oldest * DAY_MILLISECONDS} %}}", "Next": "Tell"}
            ],
            "Default": "Young",
        },
        "Young": {"Type": "Succeed"},
        "Tell": notify_state(
            foundation.alarm_topic,
            f"{tier.settings.name}: the database credential has not been rotated for {oldest} days. {runbook}",
        ),
        "TellFailure": notify_state(
            foundation.alarm_topic,
            f"{tier.settings.name}: the age of the database credential could not be determined. {runbook}",
            next_state="Failed",
        ),
        "Failed": {"Type": "Fail"},
    }
