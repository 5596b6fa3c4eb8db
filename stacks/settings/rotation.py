"""Settings of the rotation tier: schedule, database roles, limits."""

import re
from itertools import pairwise
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import ValidationInfo, field_validator

from lambda_rotation import configuration
from stacks.settings.database import MASTER_USERNAME
from stacks.settings.schedules import longest_pause
from stacks.settings.section import Matching, Section, Unit

ROLE = rf"(?!{MASTER_USERNAME}$){configuration.ROLE_PATTERN}"


# "Rotation schedules" in the Secrets Manager User Guide: every four hours at most, on the hour; one of the days is ?.
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
HOUR = r"(?:[01]?\d|2[0-3])"
DAY_OF_MONTH = r"(?:0?[1-9]|[12]\d|3[01])"
MONTH = r"(?:0?[1-9]|1[0-2]|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))"
DAY_OF_WEEK = r"(?:[1-7]|(?i:sun|mon|tue|wed|thu|fri|sat))"


def _values(value: str) -> str:
    """Pattern of a field of a cron expression: values, ranges, steps, and lists of these."""
    entry = rf"(?:\*|{value}(?:-{value})?)(?:/[1-9]\d?)?"
    return rf"{entry}(?:,{entry})*"


HOURS = rf"(?:{HOUR}(?:,{HOUR})*|(?:\*|{HOUR}(?:-{HOUR})?)/(?:[4-9]|1\d|2[0-3]))"
DAYS = (
    rf"(?:(?:{_values(DAY_OF_MONTH)}|L) {_values(MONTH)} \?"
    rf"|\? {_values(MONTH)} (?:{_values(DAY_OF_WEEK)}|{DAY_OF_WEEK}#[1-5]|{DAY_OF_WEEK}?L))"
)
RATE = r"rate\((?:(?:[4-9]|[1-9]\d{1,2}) hours?|[1-9]\d{0,2} days?)\)"
SCHEDULE = Matching(
    rf"|{RATE}|cron\(0 {HOURS} {DAYS} \*\)",
    "rate(<n> hours), 4 or more; rate(<n> days); or cron(0 <hours> <day of month> <month> <day of week> *) with ? for "
    "one of the days; in UTC",
)


class RotationSettings(Section):
    """Rotation of the application's database credential."""

    days: Annotated[int, Unit("days"), Ge(1), Le(90)] = 30
    """Days between rotations. The alarm topic is notified if a credential is a day overdue (PCI DSS 8.6.3)."""

    schedule: Annotated[str, SCHEDULE] = ""
    """Schedule to use instead of `days`, for example to avoid sales. Must rotate at least every `days`: set `days` to
    31 for a monthly schedule."""

    owner: Annotated[
        str,
        Matching(
            ROLE,
            "up to 60 lowercase letters, digits and underscores, starting with a letter; no name reserved by "
            "PostgreSQL or RDS",
        ),
    ] = "application"
    """Database role that owns the application's schema of the same name. The two logins that alternate have its name
    with `_a` and `_b` appended."""

    adopted: Annotated[
        str,
        Matching(
            rf"|{ROLE}",
            "the name of a role, in lowercase letters, digits and underscores; no name reserved by PostgreSQL or RDS",
        ),
    ] = ""
    """An existing login to replace: the two logins act as it, instead of the owner. Never remove it again."""

    connection_limit: Annotated[int, Unit("connections"), Ge(1), Le(5000)] = 400
    """Connections that each login may have at a time; the rest is left for the rotation and for people."""

    minimum_age_hours: Annotated[int, Unit("hours"), Ge(1), Le(24)] = 1
    """A younger credential is not rotated, so that all tasks have been redeployed since the last rotation."""

    reserved_concurrency: Annotated[int, Unit("executions at a time"), Ge(1), Le(10)] | None = None
    """Reserved concurrency of the function, so that other functions cannot starve it. None by default: a new account
    has too little concurrency to reserve any."""

    @field_validator("schedule")
    @classmethod
    def _has_four_hours_between_rotations(cls, schedule: str) -> str:
        hours = re.match(r"cron\(0 ([\d,]+) ", schedule)
        listed = sorted(int(hour) for hour in hours[1].split(",")) if hours else []
        if any(later - earlier < 4 for earlier, later in pairwise(listed)):
            raise ValueError("allowed: hours that are four or more apart, Secrets Manager's minimum")
        return schedule

    @field_validator("schedule")
    @classmethod
    def _comes_at_least_as_often_as_days(cls, schedule: str, info: ValidationInfo) -> str:
        if schedule and (days := info.data.get("days")):
            pause = longest_pause(schedule)
            if pause is None or pause > days:
                found = "this one never comes" if pause is None else f"of this one, up to {pause} days apart"
                raise ValueError(f"allowed: rotations that are {days} days apart at most (rotation.days); {found}")
        return schedule

    @field_validator("adopted")
    @classmethod
    def _is_no_role_of_the_rotation(cls, adopted: str, info: ValidationInfo) -> str:
        owner = info.data.get("owner")
        if owner and adopted in (roles := (owner, f"{owner}_a", f"{owner}_b")):
            raise ValueError(f"allowed: an existing role; the rotation itself creates {', '.join(roles)}")
        return adopted
