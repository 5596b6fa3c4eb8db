"""The dashboard: layout, and consistency with the alarms."""

import json
from itertools import combinations

import pytest

from stacks.observability import dashboard
from stacks.observability.dashboard import GRAPHS_PER_ROW
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


def test_a_tier_without_a_row_shows_its_first_alarms():
    alarms = {f"alarm-{number}": f"arn:{number}" for number in range(GRAPHS_PER_ROW + 1)}
    body = json.loads(
        dashboard.dashboard_body("eu-west-3", health_alarm="", alarms=[], rows=[dashboard.alarm_row("Mail", alarms)])
    )
    *_, title = (widget for widget in body["widgets"] if widget["type"] == "text")
    graphs = [widget for widget in body["widgets"] if widget["type"] == "metric"]
    assert title["properties"]["markdown"] == "### Mail"
    shown = {graph["properties"]["title"]: graph["properties"]["annotations"]["alarms"] for graph in graphs}
    assert shown == {name: [arn] for name, arn in list(alarms.items())[:GRAPHS_PER_ROW]}


@pytest.mark.parametrize("count", range(1, GRAPHS_PER_ROW + 1))
def test_a_row_is_as_wide_as_the_grid(count: int):
    row = dashboard.alarm_row("Mail", {str(number): "arn" for number in range(count)})
    graphs = json.loads(dashboard.dashboard_body("eu-west-3", health_alarm="", alarms=[], rows=[row]))["widgets"][3:]
    assert sum(graph["width"] for graph in graphs) == dashboard.COLUMNS


def test_every_graph_has_a_title_a_region_and_labels(prod: Platform):
    graphs = [widget["properties"] for widget in widgets(prod) if widget["type"] == "metric"]
    assert len(graphs) >= 20
    for graph in graphs:
        assert graph["title"]
        assert graph["region"] == "eu-west-3"
        for metric in graph.get("metrics", []):  # a default row shows alarms
            assert metric[-1]["label"]
            # A metric has a namespace, a name, pairs of dimensions, and options; a query has only options.
            assert len(metric) == 1 or len(metric) % 2 == 1
