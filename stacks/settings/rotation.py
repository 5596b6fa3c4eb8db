"""Settings of the rotation tier: how often, whose roles, within which limits."""

from typing import Annotated

from annotated_types import Ge, Le

from lambda_rotation import configuration
from stacks.settings.section import Matching, Section, Unit

# PostgreSQL and RDS keep these beginnings for themselves.
ROLE = rf"(?!pg_|rds){configuration.ROLE_PATTERN}"


class RotationSettings(Section):
    """The rotation of the application's database credential."""

    days: Annotated[int, Unit("days"), Ge(1), Le(90)] = 30
    """From one rotation to the next; an alarm tells of a credential that is a day older (PCI DSS 8.6.3)."""

    schedule: Annotated[str, Matching(r"|(?:rate|cron)\([^()]{3,200}\)", "rate(...) or cron(...), in UTC")] = ""
    """When to rotate, where the day or the hour matters, as outside of sales; at least every `days`."""

    owner: Annotated[str, Matching(ROLE, "small letters, digits and underscores, 60 at most, a letter first")] = (
        "application"
    )
    """Role that owns the application's schema, which has its name; `_a` and `_b` at its end are the two logins that
    take turns."""

    adopted: Annotated[str, Matching(rf"|{ROLE}", "the name of a role, in small letters, digits and underscores")] = ""
    """A login that is there already, whose place the two take: its objects go to the owner."""

    connection_limit: Annotated[int, Unit("connections"), Ge(1), Le(5000)] = 400
    """Connections that each login may have at a time, so that some are left to the rotation and to people."""

    minimum_age_hours: Annotated[int, Unit("hours"), Ge(1), Le(24)] = 1
    """A younger credential is not replaced: tasks must have been redeployed before theirs is changed."""

    reserved_concurrency: Annotated[int, Unit("executions at a time"), Ge(1), Le(10)] | None = None
    """Of the function, so that others of the account cannot keep it from running; none by default, since a new account
    has too little to reserve any."""
