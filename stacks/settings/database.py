"""Settings of the database tier: version, capacity, readers, backups."""

from typing import Annotated

from annotated_types import Ge, Le, MultipleOf

from stacks.settings.section import Derived, InProduction, Matching, NotBelow, Section, Unit

# Aurora Serverless v2 scales in steps of 0.5 ACU up to 256. One ACU is 2 GiB of memory with matching CPU.
Capacity = Annotated[float, Unit("ACU of 2 GiB"), MultipleOf(0.5), Le(256)]
# Aurora's limit: 15 readers per cluster.
Readers = Annotated[int, Unit("instances"), Ge(0), Le(15)]

SUPPORTED_MAJOR_VERSIONS = ("16", "17")
LTS_VERSION = "17.7"
"""Long-term support: at least three years from December 2025. PCI DSS 6.3.3 and AWS's own rules demand automatic minor
upgrades, which leave it for a later version when AWS makes that their target.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Updates.LTS.html"""


class DatabaseSettings(Section):
    """Aurora PostgreSQL Serverless v2."""

    engine_version: Annotated[
        str,
        Matching(
            rf"(?:{'|'.join(SUPPORTED_MAJOR_VERSIONS)})\.\d+",
            f"a minor version such as {LTS_VERSION}, of major version {' or '.join(SUPPORTED_MAJOR_VERSIONS)}",
        ),
    ] = LTS_VERSION
    """RDS installs later minor versions itself. `drift` and `preflight` report it, and the setting must follow."""

    name: Annotated[
        str,
        Matching(
            r"(?!postgres$|rdsadmin$|template[01]$)[a-z][a-z0-9_]{0,62}",
            "1 to 63 lowercase letters, digits and underscores, starting with a letter; no name reserved by PostgreSQL",
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

    @property
    def major_version(self) -> str:
        """Major version, as in the name of the parameter group family."""
        return self.engine_version.partition(".")[0]
