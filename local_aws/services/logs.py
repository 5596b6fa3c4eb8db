"""CloudWatch Logs: query definitions, KMS key updates, and metric filters that publish metrics and can be updated."""

from typing import Any, cast

from moto.cloudwatch.models import cloudwatch_backends
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import unix_time_millis, utcfromtimestamp, utcnow
from moto.logs.models import LogGroup, LogsBackend, logs_backends
from moto.logs.responses import LogsResponse
from moto.moto_api._internal import mock_random

from local_aws.extension import ApiError, Extension
from local_aws.filter_patterns import PatternError, parse


class Backend(LogsBackend):
    """Adds query definitions, by ID, and corrects metric filters."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.query_definitions: dict[str, dict[str, Any]] = {}

    def log_group(self, name: str) -> LogGroup:
        if name not in self.groups:
            raise ApiError("ResourceNotFoundException", "The specified log group does not exist.")
        return self.groups[name]

    def query_definition(self, query_id: str) -> dict[str, Any]:
        if query_id not in self.query_definitions:
            raise ApiError("ResourceNotFoundException", "The specified query definition does not exist.")
        return self.query_definitions[query_id]

    def put_metric_filter(
        self, filter_name: str, filter_pattern: str, log_group_name: str, metric_transformations: str
    ) -> None:
        self.log_group(log_group_name)
        try:
            parse(filter_pattern)
        except PatternError as error:
            raise ApiError("InvalidParameterException", f"Invalid metric filter pattern: {error}") from error
        super().delete_metric_filter(filter_name, log_group_name)
        super().put_metric_filter(filter_name, filter_pattern, log_group_name, metric_transformations)
        self.filters.metric_filters[-1]["creationTime"] = int(unix_time_millis(utcnow()))

    def describe_metric_filters(
        self,
        prefix: str | None = None,
        log_group_name: str | None = None,
        metric_name: str | None = None,
        metric_namespace: str | None = None,
    ) -> list[dict[str, Any]]:
        if log_group_name:
            self.log_group(log_group_name)
        return super().describe_metric_filters(prefix, log_group_name, metric_name, metric_namespace)

    def delete_metric_filter(self, filter_name: str | None = None, log_group_name: str | None = None) -> None:
        self.log_group(log_group_name or "")
        found = super().describe_metric_filters(filter_name, log_group_name)
        if not any(each["filterName"] == filter_name for each in found):
            raise ApiError("ResourceNotFoundException", "The specified metric filter does not exist.")
        super().delete_metric_filter(filter_name, log_group_name)

    def put_log_events(
        self, log_group_name: str, log_stream_name: str, log_events: list[dict[str, Any]]
    ) -> tuple[str, dict[str, Any]]:
        result = super().put_log_events(log_group_name, log_stream_name, log_events)
        for metric_filter in self.filters.metric_filters:
            if metric_filter["logGroupName"] == log_group_name:
                for event in log_events:
                    self._publish(metric_filter, event)
        return result

    def _publish(self, metric_filter: dict[str, Any], event: dict[str, Any]) -> None:
        """Publish the value if the event matches, and otherwise the default value."""
        pattern, message = parse(metric_filter["filterPattern"]), event["message"]
        matches = pattern.matches(message)
        for metric in metric_filter["metricTransformations"]:
            value = pattern.value(metric["metricValue"], message) if matches else metric.get("defaultValue")
            dimensions = {
                name: pattern.value(selector, message) for name, selector in metric.get("dimensions", {}).items()
            }
            if value is not None:
                datum = {
                    "MetricName": metric["metricName"],
                    "Value": float(value),
                    "Unit": metric.get("unit", "None"),
                    "Timestamp": utcfromtimestamp(event["timestamp"] / 1000),
                    "Dimensions": [{"Name": name, "Value": each} for name, each in dimensions.items()],
                }
                metrics = cloudwatch_backends[self.account_id][self.region_name]
                metrics.put_metric_data(metric["metricNamespace"], [datum])

    def delete_log_group(self, log_group_name: str) -> None:
        super().delete_log_group(log_group_name)
        filters = self.filters.metric_filters
        filters[:] = [each for each in filters if each["logGroupName"] != log_group_name]


class Responses(LogsResponse):
    """Adds the actions on query definitions and KMS keys."""

    @property
    def backend(self) -> Backend:
        return cast(Backend, logs_backends[self.current_account][self.region])

    def put_query_definition(self) -> ActionResult:
        query_id = self._get_param("queryDefinitionId")
        if query_id:
            self.backend.query_definition(query_id)
        else:
            query_id = str(mock_random.uuid4())
        self.backend.query_definitions[query_id] = {
            "queryDefinitionId": query_id,
            "name": self._get_param("name"),
            "queryString": self._get_param("queryString"),
            "queryLanguage": self._get_param("queryLanguage", "CWLI"),
            "logGroupNames": self._get_param("logGroupNames", []),
            "lastModified": int(unix_time_millis(utcnow())),
        }
        return ActionResult({"queryDefinitionId": query_id})

    def describe_query_definitions(self) -> ActionResult:
        prefix = self._get_param("queryDefinitionNamePrefix", "")
        language = self._get_param("queryLanguage")
        queries = [
            query
            for query in self.backend.query_definitions.values()
            if query["name"].startswith(prefix) and language in {None, query["queryLanguage"]}
        ]
        return ActionResult({"queryDefinitions": queries})

    def delete_query_definition(self) -> ActionResult:
        query = self.backend.query_definition(self._get_param("queryDefinitionId"))
        del self.backend.query_definitions[query["queryDefinitionId"]]
        return ActionResult({"success": True})

    def associate_kms_key(self) -> EmptyResult:
        self.backend.log_group(self._get_param("logGroupName")).kms_key_id = self._get_param("kmsKeyId")
        return EmptyResult()

    def disassociate_kms_key(self) -> EmptyResult:
        self.backend.log_group(self._get_param("logGroupName")).kms_key_id = None
        return EmptyResult()


EXTENSION = Extension(
    "logs",
    Responses,
    Backend,
    gaps={
        "aws_cloudwatch_log_group": "could not change its KMS key",
        "aws_cloudwatch_log_metric_filter": "was duplicated on update, and published no metrics",
        "aws_cloudwatch_query_definition": "was not implemented",
    },
)
