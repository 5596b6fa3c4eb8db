"""The dashboard: layout, and consistency with the alarms."""

import json
from itertools import combinations

import pytest

from synthesized.platform import Body, Platform
from tests.synthesized import TIERS, only

pytestmark = pytest.mark.tiers("observability")


def alarm_arns(platform: Platform) -> set[str]:
    return {f"${{{alarm.address}.arn}}" for alarm in platform.of_type("aws_cloudwatch_metric_alarm")}


def widgets(platform: Platform) -> list[Body]:
    return json.loads(only(platform, "aws_cloudwatch_dashboard")["dashboard_body"])["widgets"]


def covered(widget: Body) -> set[tuple[int, int]]:
    return {
        (x, y)
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    }


def test_widgets_fit_the_grid_and_do_not_overlap(platforms: dict[str, Platform]):
    for platform in platforms.values():
        placed = [covered(widget) for widget in widgets(platform)]
        assert all(x < 24 for cells in placed for x, _ in cells)
        assert not any(one & other for one, other in combinations(placed, 2))
        # Rows have no gaps.
        rows = {y for cells in placed for _, y in cells}
        assert sum(map(len, placed)) == 24 * len(rows)
        assert rows == set(range(len(rows)))


def test_alarms_are_at_the_top(prod: Platform):
    healthy, ringing = (widget for widget in widgets(prod) if widget["type"] == "alarm")
    assert {healthy["y"], ringing["y"]} == {0}
    assert healthy["properties"]["alarms"] == ["${aws_cloudwatch_composite_alarm.observability_platform-healthy.arn}"]
    assert set(ringing["properties"]["alarms"]) == alarm_arns(prod)
    assert ringing["properties"]["states"] == ["ALARM", "INSUFFICIENT_DATA"]
    # CloudWatch's limit for a widget.
    assert len(ringing["properties"]["alarms"]) <= 100


def test_every_tier_has_a_row(prod: Platform):
    titles = [widget["properties"]["markdown"] for widget in widgets(prod) if widget["type"] == "text"]
    assert sorted(titles) == sorted(f"### {tier.title()}" for tier in TIERS if tier not in {"observability", "access"})


def test_every_graph_has_a_title_a_region_and_labels(prod: Platform):
    graphs = [widget["properties"] for widget in widgets(prod) if widget["type"] == "metric"]
    assert len(graphs) >= 20
    for graph in graphs:
        assert graph["title"]
        assert graph["region"] == "us-west-1"
        for metric in graph["metrics"]:
            assert metric[-1]["label"]
            # A metric has a namespace, a name, pairs of dimensions, and options; a query has only options.
            assert len(metric) == 1 or len(metric) % 2 == 1


def test_graphs_and_alarms_use_the_same_dimensions(prod: Platform):
    """A wrong dimension causes no error, only an empty graph."""

    def measured(namespace: str, dimensions: dict[str, str]) -> tuple[str, frozenset[tuple[str, str]]]:
        # Alarms refer to the cluster's attribute, graphs contain its computed name.
        cluster = only(prod, "aws_rds_cluster")["cluster_identifier"]
        answered = "${aws_rds_cluster.database_cluster.cluster_identifier}"
        return namespace, frozenset((name, value.replace(answered, cluster)) for name, value in dimensions.items())

    alarmed = {
        measured(body["namespace"], body.get("dimensions", {}))
        for alarm in prod.of_type("aws_cloudwatch_metric_alarm")
        for body in [
            alarm.body,
            *(query["metric"] for query in alarm.body.get("metric_query", []) if "metric" in query),
        ]
        if "namespace" in body
    }
    graphed = {
        measured(metric[0], dict(zip(metric[2:-1:2], metric[3:-1:2], strict=True)))
        for widget in widgets(prod)
        for metric in widget["properties"].get("metrics", [])
        if len(metric) > 1
    }
    # The alarm topic itself has no alarm.
    assert {namespace for namespace, _ in graphed - alarmed} == {"AWS/SNS"}
