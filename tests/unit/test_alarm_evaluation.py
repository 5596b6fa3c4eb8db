"""The simulator of alarms gives the results of the examples in CloudWatch's documentation."""

import pytest

from synthesized.platform import Body
from tests.alarm_evaluation import Series, composite_state, evaluate, state_of, states

TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
RETAINED = "retained"
MISSING_DATA: list[tuple[int, str, tuple[str, str, str, str]]] = [
    # Three of three periods.
    (3, "0 - X - X", ("OK", "OK", "OK", "OK")),
    (3, "0 - - - -", ("OK", "OK", "OK", "OK")),
    (3, "- - - - -", ("INSUFFICIENT_DATA", RETAINED, "ALARM", "OK")),
    (3, "0 X X - X", ("ALARM", "ALARM", "ALARM", "ALARM")),
    (3, "- - X - -", ("ALARM", RETAINED, "ALARM", "OK")),
    (3, "- - - - X", ("INSUFFICIENT_DATA", RETAINED, "ALARM", "OK")),  # an earlier edition of the page
    # Two of three periods.
    (2, "0 - X - X", ("ALARM", "ALARM", "ALARM", "ALARM")),
    (2, "0 0 X 0 X", ("ALARM", "ALARM", "ALARM", "ALARM")),
    (2, "0 - X - -", ("OK", "OK", "ALARM", "OK")),
    (2, "- - - - 0", ("OK", "OK", "ALARM", "OK")),
    (2, "- - - X -", ("ALARM", RETAINED, "ALARM", "OK")),
]
"""Both tables of alarms-and-missing-data.html: periods that must breach, data, states by treatment."""


def series(text: str) -> Series:
    return [None if value == "-" else float(value) for value in text.split()]


def alarm(treatment: str = "missing", *, needed: int = 3, **changed: object) -> Body:
    return {
        "metric_name": "Errors",
        "statistic": "Sum",
        "period": 60,
        "comparison_operator": "GreaterThanThreshold",
        "threshold": 3,
        "evaluation_periods": 3,
        "datapoints_to_alarm": needed,
        "treat_missing_data": treatment,
        **changed,
    }


@pytest.mark.parametrize(("needed", "data", "expected"), MISSING_DATA)
def test_missing_data_is_treated_as_in_the_tables(needed: int, data: str, expected: tuple[str, ...]):
    values = series(data.replace("X", "4"))
    assert tuple(state_of(alarm(each, needed=needed), values, RETAINED) for each in TREATMENTS) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("low < sparse", "0 0 1 0"),
        ("low >= 30", "1 0 0 0"),
        ("low + sparse", "50 20 20 0"),  # arithmetic treats missing values as 0
        ("low / sparse", "1.5 - 0 -"),  # a division by zero has no value
        ("sparse * 2", "40 - 40 -"),
        ("FILL(sparse, 7)", "20 7 20 7"),
    ],
)
def test_operators_treat_missing_values_as_in_the_documentation(expression: str, expected: str):
    metrics = {"low": series("30 20 0 0"), "sparse": series("20 - 20 -")}
    assert evaluate(expression, metrics) == series(expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("IF(metric1, metric2, metric3)", "30 0 20 - -"),
        ("IF(metric1, 5, metric3)", "5 5 20 - -"),
        ("IF(metric1, metric2, 5)", "30 0 5 5 -"),
        ("IF(metric1, metric2)", "30 0 - - -"),
    ],
)
def test_if_is_as_in_the_documentation(expression: str, expected: str):
    metrics = {"metric1": series("1 1 0 0 -"), "metric2": series("30 - 0 0 30"), "metric3": series("0 0 20 - 20")}
    assert evaluate(expression, metrics) == series(expected)


def test_an_unknown_function_is_refused():
    with pytest.raises(NotImplementedError, match=r"RATE\(low\)"):
        evaluate("RATE(low)", {"low": [1.0]})


@pytest.mark.parametrize(
    ("statistic", "last"),
    [("Sum", 15), ("Average", 3), ("Minimum", 1), ("Maximum", 6), ("SampleCount", 5), ("p50", 3), ("p99", 6)],
)
def test_a_statistic_is_of_all_samples_in_a_period(statistic: str, last: float):
    body = alarm(statistic=statistic, period=120, evaluation_periods=1, needed=1)
    timelines = {"Errors": [(), (1, 2), (3, 3, 6)]}
    for threshold, state in ((last - 0.1, "ALARM"), (last, "OK")):
        assert states({**body, "threshold": threshold}, timelines, late={"Errors": 0})[-1] == state


def test_the_window_slides_every_minute():
    body = alarm(period=300, evaluation_periods=1, needed=1)
    timelines = {"Errors": [*3 * [[0]], [4], *5 * [[0]]]}
    assert states(body, timelines, late={"Errors": 0}) == [*3 * ["OK"], *5 * ["ALARM"], "OK"]


def test_late_data_is_evaluated_when_it_arrives():
    body = alarm(needed=2, evaluation_periods=2)
    timelines = {"Errors": 6 * [[4]]}
    assert states(body, timelines, late={"Errors": 0})[:2] == ["INSUFFICIENT_DATA", "ALARM"]
    # The first data point is then old enough to count for the second.
    assert states(body, timelines, late={"Errors": 2})[:3] == [*2 * ["INSUFFICIENT_DATA"], "ALARM"]
    # Three minutes late, only the retrieved periods count: with two more, one of these four has data.
    filled = {**body, "treat_missing_data": "notBreaching"}
    assert set(states(filled, timelines, late={"Errors": 3})) == {"OK"}


def test_fill_keeps_an_alarm_in_ok_if_the_newest_period_never_has_data():
    """The documentation warns of it, and proposes M of N."""
    queries = [
        {"id": "errors", "metric": {"metric_name": "Errors", "period": 60, "stat": "Sum"}},
        {"id": "filled", "expression": "FILL(errors, 0)", "return_data": True},
    ]
    timelines = {"Errors": 9 * [[4]]}
    for evaluated, state in ((3, "OK"), (4, "ALARM")):
        body = alarm(metric_query=queries, evaluation_periods=evaluated)
        assert states(body, timelines, late={"Errors": 1})[-1] == state


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        ('ALARM("a") OR ALARM("b")', "ALARM"),
        ('ALARM("a") AND ALARM("b")', "OK"),
        ('ALARM("a") AND NOT OK("b")', "ALARM"),
        ('(OK("a") OR OK("b")) AND INSUFFICIENT_DATA("b")', "OK"),
    ],
)
def test_a_composite_alarm_combines_states(rule: str, state: str):
    assert composite_state(rule, {"a": "ALARM", "b": "INSUFFICIENT_DATA"}) == state
