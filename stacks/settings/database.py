"""Settings of the database tier: version, capacity, readers, backups."""

from typing import Annotated

from annotated_types import Ge, Le, MultipleOf

from stacks.settings.section import InProduction, Matching, NotBelow, Section, Unit

# Aurora Serverless v2 scales in steps of half an ACU (2 GiB of memory with the processor that goes with it), to 256.
Capacity = Annotated[float, Unit("ACU of 2 GiB"), MultipleOf(0.5), Le(256)]
# Aurora's limit: fifteen readers a cluster.
Readers = Annotated[int, Unit("instances"), Ge(0), Le(15)]

SUPPORTED_MAJOR_VERSIONS = ("16", "17")


class DatabaseSettings(Section):
    """Aurora PostgreSQL Serverless v2."""

    engine_version: Annotated[
        str,
        Matching(
            rf"(?:{'|'.join(SUPPORTED_MAJOR_VERSIONS)})(?:\.\d+)?",
            f"a major version of {', '.join(SUPPORTED_MAJOR_VERSIONS)}, with or without a minor one",
        ),
    ] = "17"
    """A major version alone lets AWS choose the minor one and upgrade it in the maintenance window."""

    name: Annotated[
        str,
        Matching(
            r"(?!postgres$|rdsadmin$|template[01]$)[a-z][a-z0-9_]{0,62}",
            "1 to 63 small letters, digits and underscores, a letter first, and no name of PostgreSQL's own",
        ),
    ] = "globecart"
    """The database within the cluster, that RDS makes with it; tasks find it in `DATABASE_NAME`."""

    minimum_capacity: Annotated[
        Capacity, Ge(0), InProduction("below it a failover meets a cold buffer cache", at_least=2)
    ] = 2
    """What an idle instance keeps, and a failover begins with. 0 pauses an idle cluster; its next connection waits for
    about 15 seconds."""

    maximum_capacity: Annotated[
        Capacity,
        Ge(1),
        InProduction("below it a sale exhausts the connections", at_least=16),
        NotBelow("minimum_capacity"),
    ] = 16
    """What load may bring, and you pay for at most. The number of connections follows from it."""

    readers: Annotated[Readers, InProduction("a failover needs an instance to fail over to", at_least=1)] = 1
    """Fixed readers, in the zones after the writer's. The first takes over when the writer is lost."""

    maximum_readers: Annotated[Readers, NotBelow("readers")] = 3
    """Readers that load may add, the fixed ones counted in; equal to `readers` turns this off."""

    backup_days: Annotated[
        int,
        Unit("days"),
        Ge(7),
        Le(35),
        InProduction("it is the longest that Aurora keeps for a restore to any second", at_least=35),
    ] = 35
    """For how long back the cluster can be restored to any second: mistakes are found late."""

    @property
    def major_version(self) -> str:
        """The version's first number, which names the parameter group family."""
        return self.engine_version.partition(".")[0]
