"""Aurora PostgreSQL's own side: the parameters that differ from its defaults, and what follows from its version."""

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.db_parameter_group import DbParameterGroup, DbParameterGroupParameter
from cdktf_cdktf_provider_aws.rds_cluster_parameter_group import (
    RdsClusterParameterGroup,
    RdsClusterParameterGroupParameter,
)

from stacks.parts.alarms import GIB
from stacks.settings.database import DatabaseSettings
from stacks.tier import TierStack

ENGINE = "aurora-postgresql"
ACU = 2 * GIB
"""Memory of one Aurora capacity unit, in bytes."""

# Applied when an instance starts. The first can be no sooner. The others are, in one version or another, the engine's
# own default, for which RDS reports this method whatever it was told: every plan would show a change.
PENDING_REBOOT_PARAMETERS = (
    "shared_preload_libraries",
    "rds.force_ssl",
    "password_encryption",
    "ssl_min_protocol_version",
    "track_io_timing",
)
CLUSTER_PARAMETERS = {
    "rds.force_ssl": "1",  # PCI DSS 4.2.1: no login without TLS
    "ssl_min_protocol_version": "TLSv1.2",
    "password_encryption": "scram-sha-256",  # PCI DSS 8.3.2: the server keeps a verifier, never the password
    "shared_preload_libraries": "pg_stat_statements,pgaudit",
    "pgaudit.log": "ddl,role",  # PCI DSS 10.2.1.5: who changed what may be done; no card number is kept here
    "log_connections": "1",  # PCI DSS 10.2.1.4
    "log_disconnections": "1",
    "log_statement": "ddl",
    "log_min_duration_statement": "1000",  # milliseconds: what a customer waits for
    "log_lock_waits": "1",
}
INSTANCE_PARAMETERS = {
    "pg_stat_statements.track": "all",  # statements within functions, too
    "track_io_timing": "1",
    "log_temp_files": "65536",  # kilobytes: a sort that outgrows work_mem fills the instance's local storage
}


def cluster_parameters(tier: TierStack) -> RdsClusterParameterGroup:
    """Parameters of the cluster, for its major version."""
    version = tier.settings.database.major_version
    return RdsClusterParameterGroup(
        tier,
        "cluster-parameters",
        name_prefix=f"{tier.names.database}-{version}-",
        family=f"{ENGINE}{version}",
        description="TLS forced, SCRAM, audit and statement logs",
        parameter=[
            RdsClusterParameterGroupParameter(name=name, value=value, apply_method=_method(name))
            for name, value in CLUSTER_PARAMETERS.items()
        ],
        # A group that must be replaced, as for a major version, is in use until its successor is.
        lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
    )


def instance_parameters(tier: TierStack) -> DbParameterGroup:
    """Parameters of each instance."""
    version = tier.settings.database.major_version
    return DbParameterGroup(
        tier,
        "instance-parameters",
        name_prefix=f"{tier.names.database}-{version}-",
        family=f"{ENGINE}{version}",
        description="Statement statistics and timings",
        parameter=[
            DbParameterGroupParameter(name=name, value=value, apply_method=_method(name))
            for name, value in INSTANCE_PARAMETERS.items()
        ],
        lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
    )


def _method(parameter: str) -> str:
    return "pending-reboot" if parameter in PENDING_REBOOT_PARAMETERS else "immediate"


def max_connections(wanted: DatabaseSettings) -> int:
    """How many connections one instance takes, as Aurora derives `max_connections` from the maximum capacity.

    Source: "Maximum connections for Aurora Serverless v2" in the Aurora User Guide: memory / 9,531,392 bytes, at most
    5,000, and at most 2,000 where the minimum is half an ACU or less. An ACU is 2 GiB, of which Aurora keeps a tenth.
    """
    by_memory = int(wanted.maximum_capacity * ACU * 0.9 / 9_531_392)
    return min(by_memory, 2000 if wanted.minimum_capacity <= 0.5 else 5000)
