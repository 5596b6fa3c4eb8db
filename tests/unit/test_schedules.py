"""How often a schedule of Secrets Manager rotates."""

import pytest

from stacks.settings.schedules import longest_pause

# From calendars.
PAUSES: list[tuple[str, int | None]] = [
    ("rate(4 hours)", 1),
    ("rate(36 hours)", 2),
    ("rate(1 day)", 1),
    ("rate(45 days)", 45),
    ("cron(0 4/12 * * ? *)", 1),
    # The 29th, then the 1st; in a February of 28 days, the 22nd, then the 1st.
    ("cron(0 8 1/7 * ? *)", 7),
    ("cron(0 16 L * ? *)", 31),
    ("cron(0 3 1 * ? *)", 31),
    ("cron(0 3 1,15 * ? *)", 17),
    ("cron(0 3 1-15 JAN,APR-JUN ? *)", 200),
    ("cron(0 3 25-5 * ? *)", 20),
    ("cron(0 3 ? * SUN#1 *)", 35),
    # 30 November 2009, 29 March 2010.
    ("cron(0 3 ? * mon#5 *)", 119),
    ("cron(0 3 ? * 7L *)", 35),
    ("cron(0 3 ? * L *)", 7),
    # Friday, 29 October 2027, Monday, 3 January 2028.
    ("cron(0 */6 ? 1/3 MON-FRI *)", 66),
    ("cron(0 3 ? * FRI-MON *)", 4),
    # 31 March, 31 May; 30 January, 30 March in a leap year.
    ("cron(0 3 31 * ? *)", 61),
    ("cron(0 3 30 * ? *)", 60),
    ("cron(0 3 29 2 ? *)", 4 * 365 + 1),
    ("cron(0 3 31 2 ? *)", None),
    ("cron(0 3 31 APR,JUN,SEP,NOV ? *)", None),
    ("cron(0 3 30-31 FEB ? *)", None),
]


@pytest.mark.parametrize(("schedule", "days"), PAUSES)
def test_the_longest_pause_is_known(schedule: str, days: int | None):
    assert longest_pause(schedule) == days
