"""Out-of-band changes to CloudTrail resources, one per argument."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change


def _update(**changed: Any) -> Change:
    return lambda aws, state: aws.client("cloudtrail").update_trail(Name=state["name"], **changed)


def _set(**values: Any) -> Change:
    """Set attributes directly: AWS would check that their values exist."""

    def change(aws: LocalAws, state: dict[str, Any]) -> None:
        vars(aws.backend("cloudtrail").trails[state["name"]]).update(values)

    return change


def _stop_logging(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.client("cloudtrail").stop_logging(Name=state["name"])


def _change_selectors(aws: LocalAws, state: dict[str, Any]) -> None:
    only_calls = {"Name": "Calls", "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}
    aws.client("cloudtrail").put_event_selectors(TrailName=state["name"], AdvancedEventSelectors=[only_calls])


def _add_tag(aws: LocalAws, state: dict[str, Any]) -> None:
    tags = [{"Key": "Changed", "Value": "yes"}]
    aws.client("cloudtrail").add_tags(ResourceId=state["arn"], TagsList=tags)


# In order: a multi-Region trail must include global service events.
CHANGES: dict[tuple[str, str], Change] = {
    ("aws_cloudtrail", "is_multi_region_trail"): _update(IsMultiRegionTrail=False),
    ("aws_cloudtrail", "include_global_service_events"): _update(IncludeGlobalServiceEvents=False),
    ("aws_cloudtrail", "advanced_event_selector"): _change_selectors,
    ("aws_cloudtrail", "enable_log_file_validation"): _update(EnableLogFileValidation=False),
    ("aws_cloudtrail", "enable_logging"): _stop_logging,
    ("aws_cloudtrail", "tags"): _add_tag,
    ("aws_cloudtrail", "cloud_watch_logs_group_arn"): _set(cw_log_group_arn="arn:aws:logs:::log-group:other:*"),
    ("aws_cloudtrail", "cloud_watch_logs_role_arn"): _set(cw_role_arn="arn:aws:iam:::role/other"),
    ("aws_cloudtrail", "kms_key_id"): _set(kms_key_id="arn:aws:kms:::key/other"),
    ("aws_cloudtrail", "s3_bucket_name"): _set(bucket_name="other"),
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_cloudtrail", "name"): IDENTIFIES,
}
