"""Changes of what the local AWS adds to GuardDuty."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import Change


def _detector(**changed: Any) -> Change:
    return lambda aws, state: aws.client("guardduty").update_detector(DetectorId=state["id"], **changed)


def _is_turned(aws: LocalAws, state: dict[str, Any]) -> None:
    turned = {"ENABLED": "DISABLED", "DISABLED": "ENABLED"}[state["status"]]
    aws.client("guardduty").update_detector(
        DetectorId=state["detector_id"], Features=[{"Name": state["name"], "Status": turned}]
    )


def _is_tagged(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.client("guardduty").tag_resource(ResourceArn=state["arn"], Tags={"Changed": "yes"})


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_guardduty_detector", "enable"): _detector(Enable=False),
    ("aws_guardduty_detector", "finding_publishing_frequency"): _detector(FindingPublishingFrequency="SIX_HOURS"),
    ("aws_guardduty_detector", "tags"): _is_tagged,
    ("aws_guardduty_detector_feature", "status"): _is_turned,
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_guardduty_detector_feature", "detector_id"): "identity: a feature is found by its detector and its name",
    ("aws_guardduty_detector_feature", "name"): "identity: a feature is found by its detector and its name",
}
