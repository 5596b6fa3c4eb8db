"""Settings of the database tier: version, capacity, readers, backups."""

from typing import Annotated

from annotated_types import Ge, Le, MultipleOf
from pydantic import field_validator

from stacks.settings.section import Derived, InProduction, Matching, NotBelow, Section, Unit

# Aurora Serverless v2 scales in steps of 0.5 ACU up to 256. One ACU is 2 GiB of memory with matching CPU.
Capacity = Annotated[float, Unit("ACU of 2 GiB"), MultipleOf(0.5), Le(256)]
# Aurora's limit: 15 readers per cluster.
Readers = Annotated[int, Unit("instances"), Ge(0), Le(15)]

MASTER_USERNAME = "platform_master"
"""PCI DSS 2.2.2: no well-known default name."""

MINOR_VERSIONS = {"16": (1, 2, 3, 4, 6, 8, 9, 10, 11), "17": (4, 5, 6, 7)}
"""Minor versions of Aurora PostgreSQL by supported major version. Later ones are accepted up to `LAST_MINOR_VERSION`:
RDS installs them itself, and `preflight` knows whether RDS offers one.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraPostgreSQLReleaseNotes/AuroraPostgreSQL.Updates.html"""
LAST_MINOR_VERSION = 29
"""PostgreSQL supports a major version for five years, with about four minor versions a year; none has had 25.
https://www.postgresql.org/support/versioning/"""
LTS_VERSION = "17.7"
"""Long-term support: at least three years from December 2025. PCI DSS 6.3.3 and AWS's own rules demand automatic minor
upgrades, which leave it for a later version when AWS makes that their target.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Updates.LTS.html"""


RESERVED_WORDS = (
    "all|analyse|analyze|and|any|array|as|asc|asymmetric|authorization|binary|both|case|cast|check|collate|collation|"
    "column|concurrently|constraint|create|cross|current_catalog|current_date|current_role|current_schema|"
    "current_time|current_timestamp|current_user|default|deferrable|desc|distinct|do|else|end|except|false|fetch|for|"
    "foreign|freeze|from|full|grant|group|having|ilike|in|initially|inner|intersect|into|is|isnull|join|lateral|"
    "leading|left|like|limit|localtime|localtimestamp|natural|not|notnull|null|offset|on|only|or|order|outer|overlaps|"
    "placing|primary|references|returning|right|select|session_user|similar|some|symmetric|system_user|table|"
    "tablesample|then|to|trailing|true|union|unique|user|using|variadic|verbose|when|where|window|with"
)
"""PostgreSQL's reserved key words, as a pattern: RDS refuses them as names of databases.
https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html"""
RESERVED_DATABASES = "postgres|template[01]|rdsadmin|admin"
"""Databases that exist already, and a word that RDS reserves besides PostgreSQL's.
https://github.com/awslabs/aws-saas-boost/issues/180"""


class DatabaseSettings(Section):
    """Aurora PostgreSQL Serverless v2."""

    engine_version: Annotated[
        str,
        Matching(
            rf"(?:{'|'.join(MINOR_VERSIONS)})\.(?:0|[1-9]\d?)",
            f"a minor version such as {LTS_VERSION}, of major version {' or '.join(MINOR_VERSIONS)}",
        ),
    ] = LTS_VERSION
    """RDS installs later minor versions itself. `drift` and `preflight` report it, and the setting must follow."""

    name: Annotated[
        str,
        Matching(
            rf"(?!(?:{RESERVED_WORDS}|{RESERVED_DATABASES})$)[a-z][a-z0-9_]{{0,62}}",
            "1 to 63 lowercase letters, digits and underscores, starting with a letter; no name reserved by PostgreSQL "
            "or RDS",
        ),
        Derived("the company, with underscores"),
    ]
    """Name of the database that RDS creates in the cluster; tasks get it as `DATABASE_NAME`."""

    minimum_capacity: Annotated[
        Capacity, Ge(0), InProduction("a smaller reader has a cold buffer cache after a failover", at_least=2)
    ] = 2
    """Capacity of an idle instance. With 0, an idle cluster pauses, and the next connection waits for about 15 seconds,
    or 30 and more after a day's pause."""

    maximum_capacity: Annotated[
        Capacity,
        Ge(1),
        InProduction("a sale would exhaust the connections", at_least=16),
        NotBelow("minimum_capacity"),
    ] = 16
    """Maximum capacity of an instance. `max_connections` follows from it."""

    readers: Annotated[Readers, InProduction("a failover needs a reader", at_least=1)] = 1
    """Fixed readers, each in the next zone after the writer's. The first takes over when the writer fails."""

    maximum_readers: Annotated[Readers, NotBelow("readers")] = 3
    """Maximum number of readers, fixed ones included. If equal to `readers`, autoscaling is off."""

    backup_days: Annotated[
        int,
        Unit("days"),
        Ge(7),
        Le(35),
        InProduction("this is the longest retention that Aurora offers", at_least=35),
    ] = 35
    """Retention of Aurora's own backups: the cluster can be restored to any second of these days."""

    os_metrics_log: bool = True
    """Create the log group `RDSOSMetrics`, which RDS would create without a key and for 30 days. It is the same for all
    databases of an account and Region: false in all their environments but one."""

    @field_validator("engine_version")
    @classmethod
    def _exists(cls, version: str) -> str:
        major, _, minor = version.partition(".")
        known = MINOR_VERSIONS[major]
        if int(minor) not in (*known, *range(known[-1], LAST_MINOR_VERSION + 1)):
            versions = ", ".join(f"{major}.{number}" for number in known)
            raise ValueError(f"allowed: {versions} and later, to {major}.{LAST_MINOR_VERSION}: Aurora has no other")
        return version

    @property
    def major_version(self) -> str:
        """Major version, as in the name of the parameter group family."""
        return self.engine_version.partition(".")[0]
