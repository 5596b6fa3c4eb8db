"""CloudWatch Logs: query definitions, KMS keys, and metric filters with the metrics that they publish."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from tests.local_aws.conftest import ACCOUNT, REGION, error_code

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def logs(aws: LocalAws) -> Any:
    return aws.client("logs")


def test_a_query_definition_can_be_created_updated_and_deleted(logs: Any) -> None:
    query = {"name": "shop/errors", "queryString": "limit 5", "logGroupNames": ["application"]}
    query_id = logs.put_query_definition(**query)["queryDefinitionId"]
    other = logs.put_query_definition(name="other", queryString="limit 5", queryLanguage="SQL")["queryDefinitionId"]

    def found(**filters: str) -> dict[str, Any]:
        queries = logs.describe_query_definitions(**filters)["queryDefinitions"]
        return {one["queryDefinitionId"]: one for one in queries}

    description = found(queryDefinitionNamePrefix="shop/")
    assert {name: description[query_id][name] for name in query} == query
    assert (list(description), description[query_id]["queryLanguage"]) == ([query_id], "CWLI")
    assert list(found(queryLanguage="SQL")) == [other]
    changed = logs.put_query_definition(queryDefinitionId=query_id, name="shop/errors", queryString="limit 6")
    assert changed["queryDefinitionId"] == query_id
    assert found()[query_id]["queryString"] == "limit 6"
    assert logs.delete_query_definition(queryDefinitionId=query_id)["success"]
    assert list(found()) == [other]


@pytest.mark.parametrize(
    ("action", "request_"),
    [
        ("delete_query_definition", {"queryDefinitionId": "nothing"}),
        ("put_query_definition", {"queryDefinitionId": "nothing", "name": "a", "queryString": "limit 1"}),
        ("associate_kms_key", {"logGroupName": "nothing", "kmsKeyId": KEY}),
        ("describe_metric_filters", {"logGroupName": "nothing"}),
        ("delete_metric_filter", {"logGroupName": "nothing", "filterName": "nothing"}),
    ],
)
def test_actions_on_missing_resources_raise_resource_not_found(
    logs: Any, action: str, request_: dict[str, str]
) -> None:
    with pytest.raises(ClientError) as error:
        getattr(logs, action)(**request_)
    assert error.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_the_key_and_the_retention_of_a_log_group_can_be_changed(logs: Any) -> None:
    logs.create_log_group(logGroupName="keyed")

    def key() -> str | None:
        return describe().get("kmsKeyId")

    def describe() -> dict[str, Any]:
        return logs.describe_log_groups(logGroupNamePrefix="keyed")["logGroups"][0]

    logs.associate_kms_key(logGroupName="keyed", kmsKeyId=KEY)
    assert key() == KEY
    logs.disassociate_kms_key(logGroupName="keyed")
    assert key() is None
    assert "retentionInDays" not in describe()
    logs.put_retention_policy(logGroupName="keyed", retentionInDays=30)
    assert describe()["retentionInDays"] == 30


def test_a_metric_filter_can_be_updated_and_is_deleted_with_its_log_group(logs: Any) -> None:
    logs.create_log_group(logGroupName="filtered")
    metric = [
        {"metricName": "Errors", "metricNamespace": "shop", "metricValue": "1", "defaultValue": 0, "unit": "None"}
    ]

    def put(pattern: str) -> None:
        logs.put_metric_filter(
            logGroupName="filtered", filterName="errors", filterPattern=pattern, metricTransformations=metric
        )

    def found() -> list[dict[str, Any]]:
        return logs.describe_metric_filters(filterNamePrefix="err")["metricFilters"]

    put("first")
    put("second")
    (description,) = found()
    assert (description["filterPattern"], description["metricTransformations"]) == ("second", metric)
    assert description["creationTime"]
    logs.delete_metric_filter(logGroupName="filtered", filterName="errors")
    with pytest.raises(ClientError) as error:
        logs.delete_metric_filter(logGroupName="filtered", filterName="errors")
    assert error.value.response["Error"]["Code"] == "ResourceNotFoundException"
    put("third")
    logs.delete_log_group(logGroupName="filtered")
    assert found() == []
    assert logs.describe_metric_filters()["metricFilters"] == []


def test_a_metric_filter_publishes_a_value_for_each_event(aws: LocalAws, logs: Any) -> None:
    logs.create_log_group(logGroupName="counted")
    logs.create_log_stream(logGroupName="counted", logStreamName="task")
    metrics: list[dict[str, Any]] = [
        {"metricName": "Slow", "metricValue": "1", "defaultValue": 0},
        {"metricName": "Latency", "metricValue": "$.latency", "dimensions": {"Page": "$.page"}},
    ]
    for metric in metrics:
        logs.put_metric_filter(
            logGroupName="counted",
            filterName=metric["metricName"],
            filterPattern="{ $.latency > 100 }",
            metricTransformations=[{"metricNamespace": "counted", **metric}],
        )
    now = datetime.now(UTC)
    events = ['{"latency": 250, "page": "/cart"}', '{"latency": 99, "page": "/"}', "not JSON"]
    logs.put_log_events(
        logGroupName="counted",
        logStreamName="task",
        logEvents=[{"timestamp": int(now.timestamp() * 1000), "message": event} for event in events],
    )

    def statistics(metric: str, **dimensions: str) -> list[tuple[float, float]]:
        datapoints = aws.client("cloudwatch").get_metric_statistics(
            Namespace="counted",
            MetricName=metric,
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=7200,
            Statistics=["Sum", "SampleCount"],
        )["Datapoints"]
        return [(datapoint["Sum"], datapoint["SampleCount"]) for datapoint in datapoints]

    assert statistics("Slow") == [(1, 3)]
    assert statistics("Latency", Page="/cart") == [(250, 1)]


def test_a_filter_pattern_that_aws_refuses_is_refused(logs: Any) -> None:
    logs.create_log_group(logGroupName="strict")
    code = error_code(
        logs.put_metric_filter,
        logGroupName="strict",
        filterName="errors",
        filterPattern="{ $.level = ERROR",
        metricTransformations=[{"metricName": "Errors", "metricNamespace": "shop", "metricValue": "1"}],
    )
    assert code == "InvalidParameterException"
