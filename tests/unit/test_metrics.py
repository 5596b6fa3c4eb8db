"""Alarms and graphs use metrics that AWS documents or that a metric filter creates.

CloudWatch accepts any other name: the alarm is never raised, the graph is empty.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from synthesized.platform import Body, Platform
from tests.conftest import ENVIRONMENTS
from tests.synthesized import only

DOCUMENTED = {
    namespace: (set(known["metrics"].split()), set(known["dimensions"].split()))
    for namespace, known in tomllib.loads(
        (Path(__file__).parents[1] / "metrics.toml").read_text(encoding="utf-8")
    ).items()
}
"""Metrics and dimensions by namespace."""
QUERY = re.compile(
    r'SELECT \w+\((?P<metric>[\w.-]+)\) FROM (?:SCHEMA\()?"(?P<namespace>[\w/]+)"(?:, (?P<by>[\w, ]+)\))?'
)
"""Query of Metrics Insights."""


@dataclass(frozen=True)
class UsedMetric:
    """A metric that an alarm or a graph uses."""

    user: str
    namespace: str
    metric: str
    dimensions: dict[str, str]

    @property
    def resource(self) -> tuple[str, frozenset[tuple[str, str]]]:
        return self.namespace, frozenset(self.dimensions.items())


def from_query(user: str, expression: str) -> Iterator[UsedMetric]:
    for query in QUERY.finditer(expression):
        dimensions = query["by"].split(", ") if query["by"] else []
        yield UsedMetric(user, query["namespace"], query["metric"], dict.fromkeys(dimensions, ""))


def used_by_alarms(platform: Platform) -> Iterator[UsedMetric]:
    for alarm in platform.of_type("aws_cloudwatch_metric_alarm"):
        queries: list[Body] = alarm.body.get("metric_query", [])
        for body in (alarm.body, *(query["metric"] for query in queries if "metric" in query)):
            if "namespace" in body:
                yield UsedMetric(alarm.address, body["namespace"], body["metric_name"], body.get("dimensions") or {})
        for query in queries:
            yield from from_query(alarm.address, query.get("expression", ""))


def used_by_graphs(platform: Platform) -> Iterator[UsedMetric]:
    for widget in json.loads(only(platform, "aws_cloudwatch_dashboard")["dashboard_body"])["widgets"]:
        title = f"dashboard: {widget['properties'].get('title')}"
        for *metric_parts, options in widget["properties"].get("metrics", []):
            yield from from_query(title, options.get("expression", ""))
            if metric_parts:
                namespace, metric, *dimensions = metric_parts
                yield UsedMetric(title, namespace, metric, dict(zip(dimensions[::2], dimensions[1::2], strict=True)))


def custom_metrics(platform: Platform) -> set[tuple[str, str]]:
    """Namespace and name of the metrics that metric filters create."""
    filters = platform.of_type("aws_cloudwatch_log_metric_filter")
    transformations = [each.body["metric_transformation"] for each in filters]
    return {(each["namespace"], each["name"]) for each in transformations}


def unknown_metrics(platform: Platform) -> list[str]:
    """A line for each use with an unknown metric or dimension."""
    return [
        f"{each.user}: {each.namespace} has no {' and no '.join(sorted(missing))}"
        for each in (*used_by_alarms(platform), *used_by_graphs(platform))
        if (each.namespace, each.metric) not in custom_metrics(platform)
        if (missing := _missing(each))
    ]


def _missing(used: UsedMetric) -> set[str]:
    metrics, dimensions = DOCUMENTED.get(used.namespace, (set[str](), set[str]()))
    return {used.metric} - metrics | used.dimensions.keys() - dimensions


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_metric_is_documented_or_has_a_metric_filter(platforms: dict[str, Platform], name: str):
    assert not unknown_metrics(platforms[name]), "tests/metrics.toml lists the documented metrics"


def test_an_unknown_metric_is_found(prod: Platform):
    def planted(name: str, **arguments: object) -> Platform:
        (alarm,) = (each for each in prod.resources if each.address == f"aws_cloudwatch_metric_alarm.{name}")
        others = [each for each in prod.resources if each is not alarm]
        return replace(prod, resources=(*others, replace(alarm, body={**alarm.body, **arguments})))

    cpu = "aws_cloudwatch_metric_alarm.database_alarm-cpu"
    assert unknown_metrics(planted("database_alarm-cpu", metric_name="CpuUtilization")) == [
        f"{cpu}: AWS/RDS has no CpuUtilization"
    ]
    assert unknown_metrics(planted("database_alarm-cpu", dimensions={"Cluster": "x"})) == [
        f"{cpu}: AWS/RDS has no Cluster"
    ]
    assert unknown_metrics(planted("database_alarm-cpu", namespace="AWS/Rds")) == [
        f"{cpu}: AWS/Rds has no CPUUtilization and no DBClusterIdentifier"
    ]
    returned = {"id": "any", "expression": 'SELECT MAX(CPU) FROM "AWS/ElastiCache"', "return_data": True}
    assert unknown_metrics(planted("cache_alarm-cpu", metric_query=[returned])) == [
        "aws_cloudwatch_metric_alarm.cache_alarm-cpu: AWS/ElastiCache has no CPU"
    ]


def test_every_custom_metric_has_an_alarm(prod: Platform):
    assert (
        custom_metrics(prod)
        == {(each.namespace, each.metric) for each in used_by_alarms(prod)} & custom_metrics(prod)
        != set()
    )


def test_sums_count_every_metric_once(prod: Platform):
    """ElastiCache publishes each metric by cluster, and by cluster and node: without a schema, a sum has both.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html
    """
    graphs = [
        (widget["properties"]["title"], options["expression"])
        for widget in json.loads(only(prod, "aws_cloudwatch_dashboard")["dashboard_body"])["widgets"]
        for *_, options in widget["properties"].get("metrics", [])
        if "expression" in options
    ]
    queries = [
        (alarm.address, query["expression"])
        for alarm in prod.of_type("aws_cloudwatch_metric_alarm")
        # Whether there is any: once or twice is the same.
        if alarm.body["threshold"] > 1
        for query in alarm.body.get("metric_query", [])
        if "expression" in query
    ]
    assert graphs
    assert queries
    assert not [
        f"{user}: {expression}"
        for user, expression in (*graphs, *queries)
        if "SUM(" in expression and "SCHEMA(" not in expression
    ]


TOTALS: dict[str, set[str]] = {"AWS/Backup": {"BackupVaultName", "ResourceType"}}
"""Dimensions without which a metric is a total over resources that each must have a value, by namespace."""


def test_heartbeats_are_not_hidden_in_a_total(platforms: dict[str, Platform]):
    """A sum over several types stays above the threshold when one of them ends."""
    for platform in platforms.values():
        used = [each for each in (*used_by_alarms(platform), *used_by_graphs(platform)) if each.namespace in TOTALS]
        assert used
        assert not [f"{each.user}: {each.metric}" for each in used if each.dimensions.keys() != TOTALS[each.namespace]]


def test_graphs_and_alarms_use_the_same_dimensions(prod: Platform):
    # Alarms refer to the cluster's attribute, graphs contain its computed name.
    cluster = only(prod, "aws_rds_cluster")["cluster_identifier"]
    attribute = "${aws_rds_cluster.database_cluster.cluster_identifier}"
    alarmed = {
        replace(
            each, dimensions={name: value.replace(attribute, cluster) for name, value in each.dimensions.items()}
        ).resource
        for each in used_by_alarms(prod)
        if any(each.dimensions.values())
    }
    graphed = {each.resource for each in used_by_graphs(prod) if any(each.dimensions.values())}
    # The alarm topic itself has no alarm.
    assert {namespace for namespace, _ in graphed - alarmed} == {"AWS/SNS"}
