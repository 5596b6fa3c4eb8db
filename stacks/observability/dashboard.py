"""CloudWatch dashboard from a table: one row of graphs per tier."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stacks.parts.alarms import metrics_insights_query

COLUMNS = 24
"""Width of CloudWatch's grid."""
TITLE_HEIGHT = 1
GRAPH_HEIGHT = 5
GRAPHS_PER_ROW = 6
"""Maximum; narrower graphs are unreadable."""
PERIOD = 60
"""Seconds."""

Widget = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """A line in a graph: a metric of one resource."""

    label: str
    namespace: str
    metric: str
    dimensions: dict[str, str]
    statistic: str = "Average"


@dataclass(frozen=True)
class AggregateLine:
    """A line in a graph: a metric aggregated over all resources of a namespace."""

    label: str
    namespace: str
    metric: str
    function: str = "MAX"
    dimensions: Sequence[str] = ()
    """The resources' dimensions: a sum without them counts a metric once for each set that it is published with."""


@dataclass(frozen=True)
class Graph:
    """A graph; all its lines have the same unit."""

    title: str
    lines: Sequence[Line | AggregateLine] = ()
    alarm: str = ""
    """ARN of an alarm whose metric and threshold are shown instead of lines."""


@dataclass(frozen=True)
class DashboardRow:
    """A row of the dashboard: graphs of one tier, side by side."""

    title: str
    graphs: Sequence[Graph]


def alarm_row(title: str, alarms: Mapping[str, str]) -> DashboardRow:
    """Default row of a tier: the metrics of its first alarms.

    Args:
        alarms: ARNs by name.
    """
    return DashboardRow(title, [Graph(name, alarm=arn) for name, arn in alarms.items()][:GRAPHS_PER_ROW])


def dashboard_body(region: str, *, health_alarm: str, alarms: Sequence[str], rows: Sequence[DashboardRow]) -> str:
    """JSON of the dashboard: overall health and active alarms at the top, then the rows.

    Args:
        health_alarm: ARN of the composite alarm.
        alarms: ARNs of all other alarms; only active ones are shown.
    """
    widgets = [
        _alarms("Is the platform healthy?", [health_alarm], x=0, width=6),
        _alarms("Active alarms", alarms, x=6, width=COLUMNS - 6, states=["ALARM", "INSUFFICIENT_DATA"]),
    ]
    y = GRAPH_HEIGHT
    for row in rows:
        widgets.append(_place(0, y, COLUMNS, TITLE_HEIGHT, "text", {"markdown": f"### {row.title}"}))
        width = COLUMNS // len(row.graphs)
        for position, graph in enumerate(row.graphs):
            x = position * width
            remaining = COLUMNS - x if position == len(row.graphs) - 1 else width
            widgets.append(_graph(region, graph, x=x, y=y + TITLE_HEIGHT, width=remaining))
        y += TITLE_HEIGHT + GRAPH_HEIGHT
    return json.dumps({"widgets": widgets})


def _alarms(title: str, alarms: Sequence[str], *, x: int, width: int, states: Sequence[str] = ()) -> Widget:
    properties: dict[str, Any] = {"title": title, "alarms": list(alarms)}
    if states:
        properties |= {"states": list(states), "sortBy": "stateUpdatedTimestamp"}
    return _place(x, 0, width, GRAPH_HEIGHT, "alarm", properties)


def _graph(region: str, graph: Graph, *, x: int, y: int, width: int) -> Widget:
    content = (
        {"annotations": {"alarms": [graph.alarm]}}
        if graph.alarm
        else {
            "period": PERIOD,
            "metrics": [_metric(number, line) for number, line in enumerate(graph.lines)],
            "yAxis": {"left": {"min": 0}},
        }
    )
    properties = {"title": graph.title, "region": region, "view": "timeSeries", **content}
    return _place(x, y, width, GRAPH_HEIGHT, "metric", properties)


def _metric(number: int, line: Line | AggregateLine) -> list[Any]:
    if isinstance(line, AggregateLine):
        query = metrics_insights_query(line.function, line.metric, line.namespace, line.dimensions)
        return [{"id": f"q{number}", "expression": query, "label": line.label}]
    dimensions = [part for dimension in line.dimensions.items() for part in dimension]
    return [line.namespace, line.metric, *dimensions, {"label": line.label, "stat": line.statistic}]


def _place(x: int, y: int, width: int, height: int, kind: str, properties: dict[str, Any]) -> Widget:
    return {"type": kind, "x": x, "y": y, "width": width, "height": height, "properties": properties}
