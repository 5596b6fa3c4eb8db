"""Out-of-band changes to CloudWatch Logs resources, one per argument."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change


def _another_key(aws: LocalAws, state: dict[str, Any]) -> None:
    other = f"arn:aws:kms:{aws.region}:{aws.account}:key/00000000-0000-0000-0000-000000000000"
    aws.client("logs").associate_kms_key(logGroupName=state["name"], kmsKeyId=other)


def _another_retention(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.client("logs").put_retention_policy(logGroupName=state["name"], retentionInDays=3653)


def _filter(**changed: Any) -> Change:
    def change(aws: LocalAws, state: dict[str, Any]) -> None:
        logs, group = aws.client("logs"), state["log_group_name"]
        filters = logs.describe_metric_filters(logGroupName=group, filterNamePrefix=state["name"])["metricFilters"]
        current = next(one for one in filters if one["filterName"] == state["name"])
        kept = {
            name: current[name] for name in ("filterName", "filterPattern", "logGroupName", "metricTransformations")
        }
        logs.put_metric_filter(**kept | changed)

    return change


def _query(**changed: Any) -> Change:
    def change(aws: LocalAws, state: dict[str, Any]) -> None:
        logs = aws.client("logs")
        queries = logs.describe_query_definitions(queryDefinitionNamePrefix=state["name"])["queryDefinitions"]
        current = next(one for one in queries if one["queryDefinitionId"] == state["query_definition_id"])
        kept = {name: current[name] for name in ("queryDefinitionId", "name", "queryString", "logGroupNames")}
        logs.put_query_definition(**kept | changed)

    return change


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_cloudwatch_log_group", "kms_key_id"): _another_key,
    ("aws_cloudwatch_log_group", "retention_in_days"): _another_retention,
    ("aws_cloudwatch_log_metric_filter", "metric_transformation"): _filter(
        metricTransformations=[{"metricName": "Other", "metricNamespace": "other", "metricValue": "2"}]
    ),
    ("aws_cloudwatch_log_metric_filter", "pattern"): _filter(filterPattern="other"),
    ("aws_cloudwatch_query_definition", "log_group_names"): _query(logGroupNames=["other"]),
    ("aws_cloudwatch_query_definition", "query_string"): _query(queryString="limit 1"),
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_cloudwatch_log_group", "name"): IDENTIFIES,
    ("aws_cloudwatch_log_group", "skip_destroy"): "used by destroy; only in the state",
    ("aws_cloudwatch_log_metric_filter", "log_group_name"): IDENTIFIES,
    ("aws_cloudwatch_log_metric_filter", "name"): IDENTIFIES,
    ("aws_cloudwatch_query_definition", "name"): IDENTIFIES,
}
