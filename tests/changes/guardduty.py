"""Out-of-band changes to GuardDuty resources, one per argument."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change


def _detector(**changed: Any) -> Change:
    return lambda aws, state: aws.client("guardduty").update_detector(DetectorId=state["id"], **changed)


def _toggle(aws: LocalAws, state: dict[str, Any]) -> None:
    status = {"ENABLED": "DISABLED", "DISABLED": "ENABLED"}[state["status"]]
    aws.client("guardduty").update_detector(
        DetectorId=state["detector_id"], Features=[{"Name": state["name"], "Status": status}]
    )


def _add_tag(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.client("guardduty").tag_resource(ResourceArn=state["arn"], Tags={"Changed": "yes"})


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_guardduty_detector", "enable"): _detector(Enable=False),
    ("aws_guardduty_detector", "finding_publishing_frequency"): _detector(FindingPublishingFrequency="SIX_HOURS"),
    ("aws_guardduty_detector", "tags"): _add_tag,
    ("aws_guardduty_detector_feature", "status"): _toggle,
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_guardduty_detector_feature", "detector_id"): IDENTIFIES,
    ("aws_guardduty_detector_feature", "name"): IDENTIFIES,
}
