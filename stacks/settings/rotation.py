"""Settings of the rotation tier: schedule, database roles, limits."""

from typing import Annotated

from annotated_types import Ge, Le

from lambda_rotation import configuration
from stacks.settings.section import Matching, Section, Unit

# PostgreSQL and RDS reserve these prefixes.
ROLE = rf"(?!pg_|rds){configuration.ROLE_PATTERN}"


class RotationSettings(Section):
    """Rotation of the application's database credential."""

    days: Annotated[int, Unit("days"), Ge(1), Le(90)] = 30
    """Days between rotations. The alarm topic is notified if a credential is a day overdue (PCI DSS 8.6.3)."""

    schedule: Annotated[str, Matching(r"|(?:rate|cron)\([^()]{3,200}\)", "rate(...) or cron(...), in UTC")] = ""
    """Schedule to use instead of `days`, for example to avoid sales; must rotate at least every `days`."""

    owner: Annotated[
        str, Matching(ROLE, "up to 60 lowercase letters, digits and underscores, starting with a letter")
    ] = "application"
    """Database role that owns the application's schema of the same name. The two logins that alternate have its name
    with `_a` and `_b` appended."""

    adopted: Annotated[
        str, Matching(rf"|{ROLE}", "the name of a role, in lowercase letters, digits and underscores")
    ] = ""
    """An existing login to replace: the owner takes over its objects."""

    connection_limit: Annotated[int, Unit("connections"), Ge(1), Le(5000)] = 400
    """Connections that each login may have at a time; the rest is left for the rotation and for people."""

    minimum_age_hours: Annotated[int, Unit("hours"), Ge(1), Le(24)] = 1
    """A younger credential is not rotated, so that all tasks have been redeployed since the last rotation."""

    reserved_concurrency: Annotated[int, Unit("executions at a time"), Ge(1), Le(10)] | None = None
    """Reserved concurrency of the function, so that other functions cannot starve it. None by default: a new account
    has too little concurrency to reserve any."""
