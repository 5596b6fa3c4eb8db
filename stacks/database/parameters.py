"""Parameter groups of Aurora PostgreSQL, and the number of connections that follows from its capacity."""

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
ACUS_PER_VCPU = 4
"""Memory-optimized instance classes have 8 GiB per vCPU."""

# Applied when an instance restarts. The first is static. The others equal the default of some engine version, for which
# RDS always reports `pending-reboot`: with any other method, every plan would show a change.
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
    "pgaudit.log": "ddl,role",  # PCI DSS 10.2.1.5: changes to objects and permissions
    "log_connections": "1",  # PCI DSS 10.2.1.4
    "log_disconnections": "1",
    "log_statement": "ddl",
    "log_min_duration_statement": "1000",  # milliseconds
    "log_lock_waits": "1",
}
INSTANCE_PARAMETERS = {
    "pg_stat_statements.track": "all",  # including statements within functions
    "track_io_timing": "1",
    "log_temp_files": "65536",  # kilobytes: sorts larger than work_mem use the instance's local storage
}


def cluster_parameters(tier: TierStack) -> RdsClusterParameterGroup:
    """Cluster parameter group for the engine's major version."""
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
        # A group that is replaced, such as for a new major version, is in use until the cluster uses the new one.
        lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
    )


def instance_parameters(tier: TierStack) -> DbParameterGroup:
    """Instance parameter group for the engine's major version."""
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


def max_vcpus(settings: DatabaseSettings) -> int:
    """vCPUs of an instance at maximum capacity."""
    return int(settings.maximum_capacity) // ACUS_PER_VCPU


def max_connections(settings: DatabaseSettings) -> int:
    """`max_connections` of an instance, which Aurora derives from the maximum capacity.

    Source: "Maximum connections for Aurora Serverless v2" in the Aurora User Guide: memory / 9,531,392 bytes, at most
    5,000, and at most 2,000 if the minimum capacity is 0.5 ACU or less. One ACU is 2 GiB, of which Aurora reserves a
    tenth.
    """
    by_memory = int(settings.maximum_capacity * ACU * 0.9 / 9_531_392)
    return min(by_memory, 2000 if settings.minimum_capacity <= 0.5 else 5000)
