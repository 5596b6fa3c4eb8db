"""CloudWatch's documented evaluation of alarms, on metrics that are given minute by minute.

The window slides with each evaluation, once a minute:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation-window.html
Missing data, and the tables that tests hold this against:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
Expressions: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html

What the documentation leaves open:

- How many periods are retrieved beyond those that are evaluated: two in its examples.
- The state for `- - - - X`, of which three must breach: not ALARM. An earlier edition says INSUFFICIENT_DATA.
- Its rule on premature alarms would raise `0 - X - -`, of which two must breach, but the table says OK. Here, the rule
  is for ranges without a data point within the threshold.
"""

import ast
import operator
import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import ceil

from synthesized.platform import Body

Timeline = Sequence[Sequence[float]]
"""Samples by minute."""
Series = list[float | None]
"""Values by period, oldest first. None is no data."""

Periods = Callable[[int, int, str], Series]
"""A metric's last periods, from the current minute, the seconds of a period, and the statistic."""

EXTRA_PERIODS = 2
"""Periods that are retrieved beyond those that are evaluated, in the documentation's examples."""
STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "Average": lambda samples: sum(samples) / len(samples),
    "Maximum": max,
    "Minimum": min,
    "SampleCount": len,
    "Sum": sum,
}
QUERY = re.compile(r"SELECT (?P<function>\w+)\((?P<metric>\w+)\) FROM .+")
"""Query of Metrics Insights."""
FUNCTIONS = {"AVG": "Average", "COUNT": "SampleCount", "MAX": "Maximum", "MIN": "Minimum", "SUM": "Sum"}
COMPARISONS = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
OPERATORS: dict[type[ast.AST], Callable[[float, float], float | None]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda dividend, divisor: dividend / divisor if divisor else None,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
}


def states(
    alarm: Body, metrics: Mapping[str, Timeline], *, late: Mapping[str, int], extra: int = EXTRA_PERIODS, since: int = 0
) -> list[str]:
    """States of a metric alarm after each minute.

    Args:
        metrics: timelines of equal length by metric name.
        late: minutes until a data point arrives, by metric name.
        extra: periods that are retrieved beyond those that are evaluated.
        since: first minute in which the alarm exists.
    """
    count = alarm["evaluation_periods"] + extra
    series = {name: _periods(timeline, late[name], count) for name, timeline in metrics.items()}
    result = ["INSUFFICIENT_DATA"]
    for now in range(since + 1, len(next(iter(metrics.values()))) + 1):
        result.append(state_of(alarm, _watched(alarm, series, now), result[-1]))
    return result[1:]


def state_of(alarm: Body, values: Series, current: str) -> str:
    """State of a metric alarm, from all periods that are retrieved and the state until now."""
    periods, treatment = alarm["evaluation_periods"], alarm["treat_missing_data"]
    needed = alarm.get("datapoints_to_alarm") or periods
    is_breaching = COMPARISONS[alarm["comparison_operator"]]
    breaching = [None if value is None else is_breaching(value, alarm["threshold"]) for value in values]
    existing = [each for each in breaching if each is not None][-periods:]
    filled = (periods - len(existing)) * (treatment == "breaching")
    if existing.count(True) + filled >= needed:
        return "ALARM"
    if False in existing or len(existing) == periods or treatment in {"breaching", "notBreaching"}:
        return "OK"
    if treatment == "ignore":
        return current
    is_old = True in breaching and len(breaching) - breaching.index(True) >= needed
    return "ALARM" if is_old else "INSUFFICIENT_DATA"


def composite_state(rule: str, alarms: Mapping[str, str]) -> str:
    """State of a composite alarm, from the states by the names or ARNs in its rule."""
    conditions = re.sub(r'(\w+)\("(.+?)"\)', lambda each: str(alarms[each[2]] == each[1]), rule)
    lower = re.sub(r"\b(AND|OR|NOT)\b", lambda word: word[0].lower(), conditions)
    return "ALARM" if _holds(ast.parse(lower, mode="eval").body) else "OK"


def evaluate(expression: str, series: Mapping[str, Series]) -> Series:
    """Values of an expression of metric math on series of equal length.

    Raises:
        NotImplementedError: the expression uses a function that no alarm here uses.
    """
    return _series(_parse(expression), series)


@cache  # one expression in each of thousands of minutes
def _parse(expression: str) -> ast.AST:
    return ast.parse(expression, mode="eval").body


def _series(node: ast.AST, series: Mapping[str, Series]) -> Series:
    result = _value(node, series)
    assert isinstance(result, list), f"{ast.unparse(node)}: not a time series"
    return result


def _periods(timeline: Timeline, late: int, count: int) -> Periods:
    minutes = [minute for minute, samples in enumerate(timeline) if samples]

    @cache
    def value(start: int, end: int, statistic: str) -> float | None:
        found = minutes[bisect_left(minutes, start) : bisect_left(minutes, end)]
        samples = sorted(sample for minute in found for sample in timeline[minute])
        if not samples:
            return None
        if statistic.startswith("p"):
            return samples[ceil(len(samples) * float(statistic[1:]) / 100) - 1]
        return STATISTICS[statistic](samples)

    def values(now: int, seconds: int, statistic: str) -> Series:
        period = seconds // 60
        starts = (now - age * period for age in range(count, 0, -1))
        return [value(start, min(start + period, now - late), statistic) for start in starts]

    return values


def _watched(alarm: Body, metrics: Mapping[str, Periods], now: int) -> Series:
    """The values that an alarm compares with its threshold: of a metric, a query or an expression."""
    if not alarm.get("metric_query"):
        statistic = alarm.get("statistic") or alarm["extended_statistic"]
        return metrics[alarm["metric_name"]](now, alarm["period"], statistic)
    series: dict[str, Series] = {}
    for query in alarm["metric_query"]:
        if metric := query.get("metric"):
            series[query["id"]] = metrics[metric["metric_name"]](now, metric["period"], metric["stat"])
        elif select := QUERY.fullmatch(query["expression"]):
            series[query["id"]] = metrics[select["metric"]](now, query["period"], FUNCTIONS[select["function"]])
        else:
            series[query["id"]] = evaluate(query["expression"], series)
    (returned,) = (query["id"] for query in alarm["metric_query"] if query.get("return_data"))
    return series[returned]


def _value(node: ast.AST, series: Mapping[str, Series]) -> float | Series:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=metric):
            return series[metric]
        case ast.BinOp(left=left, op=by, right=right) | ast.Compare(left=left, ops=[by], comparators=[right]):
            operate = OPERATORS[type(by)]
            operands = _value(left, series), _value(right, series)
            return _by_period(lambda first, second: operate(first or 0, second or 0), *operands)
        case ast.Call(func=ast.Name(id="FILL"), args=[filled, ast.Constant(value=int() | float() as default)]):
            return [default if value is None else value for value in _series(filled, series)]
        case ast.Call(func=ast.Name(id="IF"), args=[condition, *results]):
            return _by_period(_choose, *(_value(each, series) for each in (condition, *results)))
        case _:
            raise NotImplementedError(ast.unparse(node))


def _by_period(function: Callable[..., float | None], *operands: float | Series) -> Series:
    """Call a function for each period that at least one of the series has."""
    several = [each for each in operands if isinstance(each, list)]
    exists = [any(value is not None for value in values) for values in zip(*several, strict=True)]
    columns = [each if isinstance(each, list) else [each] * len(exists) for each in operands]
    return [function(*values) if any_ else None for any_, *values in zip(exists, *columns, strict=True)]


def _choose(condition: float | None, then: float | None, otherwise: float | None = None) -> float | None:
    """IF: 0 for a missing value if the condition holds, otherwise no value."""
    return None if condition is None else (then or 0) if condition else otherwise


def _holds(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=bool() as value):
            return value
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _holds(operand)
        case ast.BoolOp(op=op, values=values):
            return (all if isinstance(op, ast.And) else any)(map(_holds, values))
        case _:
            raise NotImplementedError(ast.unparse(node))
