"""How CloudWatch evaluates an alarm on metric math: the expression for each period, then the state.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from synthesized.platform import Body

Series = Sequence[float | None]
"""Values by period, oldest first. None is no data."""

EXTRA_PERIODS = 2
"""CloudWatch retrieves more periods than it evaluates; two more in the examples of its documentation."""
OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda dividend, divisor: dividend / divisor if divisor else None,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
}
COMPARISONS = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def state(alarm: Body, metrics: Mapping[str, Series]) -> str:
    """State of an alarm on metric math.

    Args:
        metrics: the metrics' values by ID, for all periods that CloudWatch retrieves.
    """
    (returned,) = (query for query in alarm["metric_query"] if query.get("return_data"))
    values = [
        _value(ast.parse(returned["expression"], mode="eval").body, dict(zip(metrics, period, strict=True)))
        for period in zip(*metrics.values(), strict=True)
    ]
    periods = alarm["evaluation_periods"]
    breaches = COMPARISONS[alarm["comparison_operator"]]
    breaching = [breaches(value, alarm["threshold"]) for value in values if value is not None][-periods:]
    if not breaching and alarm["treat_missing_data"] == "missing":
        return "INSUFFICIENT_DATA"
    # Missing data counts only if there is too little data in all periods that CloudWatch retrieves.
    breaching += [alarm["treat_missing_data"] == "breaching"] * (periods - len(breaching))
    return "ALARM" if sum(breaching) >= alarm.get("datapoints_to_alarm", periods) else "OK"


def _value(node: ast.AST, metrics: Mapping[str, float | None]) -> float | None:
    """Value of an expression in one period. Without an operand there is no result, except that of FILL."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=metric):
            return metrics[metric]
        case (
            ast.BinOp(left=left, op=operation, right=right)
            | ast.Compare(left=left, ops=[operation], comparators=[right])
        ):
            first, second = _value(left, metrics), _value(right, metrics)
            return None if first is None or second is None else OPERATORS[type(operation)](first, second)
        case ast.Call(func=ast.Name(id="FILL"), args=[filled, default]):
            value = _value(filled, metrics)
            return _value(default, metrics) if value is None else value
        case ast.Call(func=ast.Name(id="IF"), args=[condition, *results]):
            holds = _value(condition, metrics)
            chosen = None if holds is None else [*results, None][0 if holds else 1]
            return None if chosen is None else _value(chosen, metrics)
        case _:
            raise NotImplementedError(ast.unparse(node))
