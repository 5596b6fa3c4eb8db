"""Changes of what the local AWS adds to CloudTrail."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import Change


def _update(**changed: Any) -> Change:
    return lambda aws, state: aws.client("cloudtrail").update_trail(Name=state["name"], **changed)


def _has(**values: Any) -> Change:
    """What AWS would want to be there first."""

    def change(aws: LocalAws, state: dict[str, Any]) -> None:
        vars(aws.backend("cloudtrail").trails[state["name"]]).update(values)

    return change


def _is_stopped(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.client("cloudtrail").stop_logging(Name=state["name"])


def _records_other_events(aws: LocalAws, state: dict[str, Any]) -> None:
    only_calls = {"Name": "Calls", "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}
    aws.client("cloudtrail").put_event_selectors(TrailName=state["name"], AdvancedEventSelectors=[only_calls])


def _is_tagged(aws: LocalAws, state: dict[str, Any]) -> None:
    tags = [{"Key": "Changed", "Value": "yes"}]
    aws.client("cloudtrail").add_tags(ResourceId=state["arn"], TagsList=tags)


# A trail of all Regions has the global services' events, so that the one must be changed before the other.
CHANGES: dict[tuple[str, str], Change] = {
    ("aws_cloudtrail", "is_multi_region_trail"): _update(IsMultiRegionTrail=False),
    ("aws_cloudtrail", "include_global_service_events"): _update(IncludeGlobalServiceEvents=False),
    ("aws_cloudtrail", "advanced_event_selector"): _records_other_events,
    ("aws_cloudtrail", "enable_log_file_validation"): _update(EnableLogFileValidation=False),
    ("aws_cloudtrail", "enable_logging"): _is_stopped,
    ("aws_cloudtrail", "tags"): _is_tagged,
    ("aws_cloudtrail", "cloud_watch_logs_group_arn"): _has(cw_log_group_arn="arn:aws:logs:::log-group:other:*"),
    ("aws_cloudtrail", "cloud_watch_logs_role_arn"): _has(cw_role_arn="arn:aws:iam:::role/other"),
    ("aws_cloudtrail", "kms_key_id"): _has(kms_key_id="arn:aws:kms:::key/other"),
    ("aws_cloudtrail", "s3_bucket_name"): _has(bucket_name="other"),
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_cloudtrail", "name"): "identity: a trail of another name is another trail",
}
