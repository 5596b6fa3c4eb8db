"""CloudWatch raises every alarm in an incident, and not in normal operation, even if data arrives late."""

from collections.abc import Iterator, Mapping
from itertools import product
from math import ceil

import pytest

from synthesized.platform import Body, Platform
from tests.alarm_evaluation import QUERY, composite_state, states
from tests.alarm_timelines import TIMELINES, Pattern, minutes
from tests.measurement import unmeasured
from tests.synthesized import only

LATE = 3
"""Minutes until a data point arrives."""
RETRIEVED = (1, 5)
"""Fewest and most periods that CloudWatch is taken to retrieve beyond those that it evaluates: it documents none."""


def alarms(platform: Platform) -> dict[str, Body]:
    bodies = [alarm.body for alarm in platform.of_type("aws_cloudwatch_metric_alarm")]
    return {body["alarm_name"].rpartition("/")[2]: body for body in bodies}


def metrics(alarm: Body) -> list[str]:
    queries: list[Body] = alarm.get("metric_query") or [{"metric": alarm}]
    selects = [QUERY.fullmatch(query.get("expression") or "") for query in queries]
    named = [query["metric"]["metric_name"] for query in queries if query.get("metric")]
    return named + [select["metric"] for select in selects if select]


def by_metric(alarm: Body, pattern: Pattern | Mapping[str, Pattern]) -> Mapping[str, Pattern]:
    patterns = pattern if isinstance(pattern, Mapping) else dict.fromkeys(metrics(alarm), pattern)
    assert set(patterns) == set(metrics(alarm))
    return patterns


def delays(alarm: Body) -> Iterator[dict[str, int]]:
    """Each metric on time or late, independently of the others."""
    names = metrics(alarm)
    for late in product((0, LATE), repeat=len(names)):
        yield dict(zip(names, late, strict=True))


def period(alarm: Body) -> int:
    """Minutes."""
    queries = alarm.get("metric_query") or [alarm]
    (seconds,) = {found for query in queries if (found := query.get("period") or query.get("metric", {}).get("period"))}
    return seconds // 60


def needed(alarm: Body) -> int:
    """Periods that must breach."""
    return alarm.get("datapoints_to_alarm") or alarm["evaluation_periods"]


def limit(alarm: Body, late: Mapping[str, int], *, silent: int) -> int:
    """Minutes within which an incident must raise an alarm: its periods, and the delay in whole periods.

    Args:
        silent: periods that are retrieved in addition, and in which data keeps an alarm on silence in OK.
    """
    return (needed(alarm) + silent + ceil(max(late.values()) / period(alarm))) * period(alarm)


@pytest.mark.parametrize("name", TIMELINES)
@unmeasured
def test_an_alarm_is_raised_in_an_incident_only(prod: Platform, name: str):
    alarm = alarms(prod)[name]
    quiet, incident = (by_metric(alarm, each) for each in (TIMELINES[name].quiet, TIMELINES[name].incident))
    retrieved = (alarm["evaluation_periods"] + max(RETRIEVED)) * period(alarm) + LATE
    a_while = retrieved + max(len(each) if isinstance(each, list) else 1 for each in quiet.values())

    def simulate(*phases: tuple[Mapping[str, Pattern], int], late: Mapping[str, int], extra: int) -> set[str]:
        """States during the phases that follow normal operation."""
        timelines = {
            metric: [each for phase, length in ((quiet, retrieved), *phases) for each in minutes(phase[metric], length)]
            for metric in quiet
        }
        return set(states(alarm, timelines, late=late, extra=extra, since=retrieved))

    for late, extra in product(delays(alarm), RETRIEVED):
        within = limit(alarm, late, silent=extra if TIMELINES[name].incident is None else 0)
        case = f"late: {late}, {extra} more periods"
        assert simulate((quiet, a_while), late=late, extra=extra) == {"OK"}, f"{case}: normal operation"
        raised = "ALARM" in simulate((incident, within), late=late, extra=extra)
        assert raised, f"{case}: not within {within} minutes"
        if needed(alarm) > 1:
            spike = simulate((incident, 1), (quiet, a_while), late=late, extra=extra)
            assert spike == {"OK"}, f"{case}: a single minute"


def test_an_alarm_without_data_has_the_state_that_this_means(prod: Platform):
    for name, alarm in alarms(prod).items():
        nothing = {metric: minutes(None, 60) for metric in metrics(alarm)}
        assert set(states(alarm, nothing, late=dict.fromkeys(nothing, 0))) == {TIMELINES[name].without_data}, name


def test_every_alarm_has_timelines(prod: Platform):
    """tests/alarm_timelines.py needs an entry for each alarm."""
    assert set(TIMELINES) == set(alarms(prod))


def test_the_composite_alarm_is_raised_by_any_alarm(platforms: dict[str, Platform]):
    for platform in platforms.values():
        composite = only(platform, "aws_cloudwatch_composite_alarm")
        found = {f"${{{alarm.address}.arn}}": alarm.body for alarm in platform.of_type("aws_cloudwatch_metric_alarm")}
        calm = dict.fromkeys(found, "OK")
        assert composite_state(composite["alarm_rule"], calm) == "OK"
        for arn, alarm in found.items():
            assert composite_state(composite["alarm_rule"], {**calm, arn: "ALARM"}) == "ALARM", arn
            lost = composite_state(composite["alarm_rule"], {**calm, arn: "INSUFFICIENT_DATA"})
            assert lost == ("ALARM" if alarm["treat_missing_data"] == "missing" else "OK"), arn
