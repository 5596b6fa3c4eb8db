"""How often a schedule of Secrets Manager rotates.

https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
"""

import re
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from math import ceil

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
DATES = [date(2001, 1, 1) + timedelta(days) for days in range(28 * 365 + 7)]
"""28 years, after which weekdays and leap years recur."""
A_WEEK = timedelta(weeks=1)


@cache
def longest_pause(schedule: str) -> int | None:
    """Days that pass between two rotations at most; None if the schedule never rotates.

    Args:
        schedule: `rate(...)` or `cron(...)` in a form that Secrets Manager accepts.
    """
    if rate := re.match(r"rate\((\d+) (hour|day)", schedule):
        return ceil(int(rate[1]) / 24) if rate[2] == "hour" else int(rate[1])
    _, _, days, months, weekdays, _ = schedule.upper().removeprefix("CRON(").split()
    in_months = _numbers(months, 12, MONTHS)
    dates = [each for each in DATES if each.month in in_months and _is_day(each, days, weekdays)]
    if not dates:
        return None
    return max((later - earlier).days for earlier, later in pairwise([*dates, dates[0] + timedelta(len(DATES))]))


def _is_day(day: date, days: str, weekdays: str) -> bool:
    if days == "L":
        return (day + timedelta(1)).month != day.month
    if days != "?":
        return day.day in _numbers(days, 31)
    weekday = day.isoweekday() % 7 + 1
    if weekdays == "L":  # of the week
        return weekday == len(WEEKDAYS)
    if weekdays.endswith("L"):
        return weekday in _numbers(weekdays[:-1], 7, WEEKDAYS) and (day + A_WEEK).month != day.month
    name, _, position = weekdays.partition("#")
    return weekday in _numbers(name, 7, WEEKDAYS) and position in {"", str(ceil(day.day / 7))}


@cache  # of the same field for each day
def _numbers(field: str, last: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    """Numbers that a field names by a list of values, ranges and steps; a range may go on from the first number."""

    def number(value: str) -> int:
        return names.index(value) + 1 if value in names else int(value)

    found: set[int] = set()
    for entry in field.split(","):
        values, _, step = entry.partition("/")
        begin, _, end = values.partition("-")
        low = 1 if begin == "*" else number(begin)
        high = number(end) if end else last if step or begin == "*" else low
        high += last if high < low else 0
        found |= {(each - 1) % last + 1 for each in range(low, high + 1, int(step or 1))}
    return frozenset(found)
