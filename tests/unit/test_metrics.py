"""What alarms and graphs measure is a metric that AWS documents, or that a filter of ours makes.

Any other is no error anywhere: its alarm never rings, its graph is empty.
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
QUERY = re.compile(r'SELECT \w+\((?P<metric>[\w.-]+)\) FROM (?:SCHEMA\()?"(?P<namespace>[\w/]+)"(?:, (?P<by>\w+)\))?')
"""Of Metrics Insights."""


@dataclass(frozen=True)
class Measured:
    """A metric that something looks at."""

    by: str
    namespace: str
    metric: str
    dimensions: dict[str, str]

    @property
    def resource(self) -> tuple[str, frozenset[tuple[str, str]]]:
        return self.namespace, frozenset(self.dimensions.items())


def queried(by: str, expression: str) -> Iterator[Measured]:
    for query in QUERY.finditer(expression):
        yield Measured(by, query["namespace"], query["metric"], {query["by"]: ""} if query["by"] else {})


def by_alarms(platform: Platform) -> Iterator[Measured]:
    for alarm in platform.of_type("aws_cloudwatch_metric_alarm"):
        queries: list[Body] = alarm.body.get("metric_query", [])
        for body in (alarm.body, *(query["metric"] for query in queries if "metric" in query)):
            if "namespace" in body:
                yield Measured(alarm.address, body["namespace"], body["metric_name"], body.get("dimensions") or {})
        for query in queries:
            yield from queried(alarm.address, query.get("expression", ""))


def by_graphs(platform: Platform) -> Iterator[Measured]:
    for widget in json.loads(only(platform, "aws_cloudwatch_dashboard")["dashboard_body"])["widgets"]:
        title = f"dashboard: {widget['properties'].get('title')}"
        for *named, drawn in widget["properties"].get("metrics", []):
            yield from queried(title, drawn.get("expression", ""))
            if named:
                namespace, metric, *dimensions = named
                yield Measured(title, namespace, metric, dict(zip(dimensions[::2], dimensions[1::2], strict=True)))


def made(platform: Platform) -> set[tuple[str, str]]:
    """Namespace and name of the metrics that our filters count."""
    filters = platform.of_type("aws_cloudwatch_log_metric_filter")
    counted = [each.body["metric_transformation"] for each in filters]
    return {(each["namespace"], each["name"]) for each in counted}


def unknown(platform: Platform) -> list[str]:
    """A line for each metric, and each dimension, that there is not."""
    return [
        f"{each.by}: {each.namespace} has no {' and no '.join(sorted(missing))}"
        for each in (*by_alarms(platform), *by_graphs(platform))
        if (each.namespace, each.metric) not in made(platform)
        if (missing := _missing(each))
    ]


def _missing(measured: Measured) -> set[str]:
    metrics, dimensions = DOCUMENTED.get(measured.namespace, (set[str](), set[str]()))
    return {measured.metric} - metrics | measured.dimensions.keys() - dimensions


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_metric_is_documented_or_our_own(platforms: dict[str, Platform], name: str):
    assert not unknown(platforms[name]), "tests/metrics.toml has what AWS documents"


def test_what_is_not_documented_is_found(prod: Platform):
    def planted(name: str, **arguments: object) -> Platform:
        (alarm,) = (each for each in prod.resources if each.address == f"aws_cloudwatch_metric_alarm.{name}")
        others = [each for each in prod.resources if each is not alarm]
        return replace(prod, resources=(*others, replace(alarm, body={**alarm.body, **arguments})))

    cpu = "aws_cloudwatch_metric_alarm.database_alarm-cpu"
    assert unknown(planted("database_alarm-cpu", metric_name="CpuUtilization")) == [
        f"{cpu}: AWS/RDS has no CpuUtilization"
    ]
    assert unknown(planted("database_alarm-cpu", dimensions={"Cluster": "x"})) == [f"{cpu}: AWS/RDS has no Cluster"]
    assert unknown(planted("database_alarm-cpu", namespace="AWS/Rds")) == [
        f"{cpu}: AWS/Rds has no CPUUtilization and no DBClusterIdentifier"
    ]
    returned = {"id": "any", "expression": 'SELECT MAX(CPU) FROM "AWS/ElastiCache"', "return_data": True}
    assert unknown(planted("cache_alarm-cpu", metric_query=[returned])) == [
        "aws_cloudwatch_metric_alarm.cache_alarm-cpu: AWS/ElastiCache has no CPU"
    ]


def test_every_metric_of_our_own_is_watched(prod: Platform):
    assert made(prod) == {(each.namespace, each.metric) for each in by_alarms(prod)} & made(prod) != set()


def test_graphs_and_alarms_measure_the_same_resources(prod: Platform):
    # The cluster is named by the alarms through what RDS answers.
    cluster = only(prod, "aws_rds_cluster")["cluster_identifier"]
    answered = "${aws_rds_cluster.database_cluster.cluster_identifier}"
    alarmed = {
        replace(
            each, dimensions={name: value.replace(answered, cluster) for name, value in each.dimensions.items()}
        ).resource
        for each in by_alarms(prod)
        if any(each.dimensions.values())
    }
    graphed = {each.resource for each in by_graphs(prod) if any(each.dimensions.values())}
    # No alarm is on the topic that alarms go to.
    assert {namespace for namespace, _ in graphed - alarmed} == {"AWS/SNS"}
