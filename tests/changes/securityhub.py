"""Out-of-band changes to Security Hub resources, one per argument."""

from typing import Any

from tests.changes import IDENTIFIES, Change


def _update(**changed: Any) -> Change:
    return lambda aws, _: aws.client("securityhub").update_security_hub_configuration(**changed)


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_securityhub_account", "auto_enable_controls"): _update(AutoEnableControls=False),
    ("aws_securityhub_account", "control_finding_generator"): _update(ControlFindingGenerator="STANDARD_CONTROL"),
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_securityhub_account", "enable_default_standards"): "used only when Security Hub is enabled",
    ("aws_securityhub_standards_subscription", "standards_arn"): IDENTIFIES,
}
