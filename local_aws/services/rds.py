"""RDS: Aurora PostgreSQL clusters are real PostgreSQL servers, with a managed master user secret; settings are kept."""

import copy
import json
import secrets
import string
import time
from typing import Any, cast

from moto.core.common_models import BaseModel
from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.logs.models import logs_backends
from moto.rds import models
from moto.rds.exceptions import (
    DBClusterNotFoundError,
    DBClusterParameterGroupNotFoundError,
    DBParameterGroupNotFoundError,
    DBSubnetGroupNotFoundError,
    InvalidDBClusterStateFault,
)
from moto.rds.models import DBInstance, DBInstanceClustered, DBSubnetGroup, RDSBackend, rds_backends
from moto.rds.responses import RDSResponse
from moto.secretsmanager.models import FakeSecret

from local_aws import session
from local_aws.extension import ApiError, Extension
from local_aws.postgresql import MasterUser, PostgresCluster, ServerError, claim_addresses

ENGINE = "aurora-postgresql"
INSTANCE_CLASS = "db.serverless"
VERSIONS = ("17.4", "17.5", "17.6", "17.7", "17.9")
"""Aurora's versions of PostgreSQL 17. The server is PostgreSQL `VERSION` for each of them.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraPostgreSQLReleaseNotes/AuroraPostgreSQL.Updates.html"""
DEFAULT_VERSIONS = {"17": "17.7"}
"""The minor version that RDS selects for a major version."""
DEFAULT_PARAMETERS = {"rds.force_ssl": "1"}
"""What the family aurora-postgresql17 sets, among what the stacks set, too.
"Security with Amazon Aurora PostgreSQL" in the Aurora User Guide."""
CA_CERTIFICATE_IDENTIFIER = "rds-ca-rsa2048-g1"
OS_METRICS_LOG_GROUP = "RDSOSMetrics"
MANAGED_ROTATION_DAYS = 7
"""Rotation interval of master user passwords that RDS manages."""

# moto's attributes, by request parameter, where the names differ.
RESPONSE_ATTRIBUTES = {
    "enable_performance_insights": "performance_insights_enabled",
    "enable_iam_database_authentication": "iam_auth",
}


def generate_password() -> str:
    """A random password without characters that need quoting in PostgreSQL connection strings."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(32))


def store_settings(model: BaseModel, settings: dict[str, Any]) -> None:
    """Store the settings of a request that moto drops."""
    # Not `hasattr`: it would evaluate properties of moto's, some of which raise.
    known = {*vars(model), *dir(type(model))}
    for name, value in settings.items():
        attribute = RESPONSE_ATTRIBUTES.get(name, name)
        if value is not None and (attribute != name or attribute not in known):
            setattr(model, attribute, value)


def update_log_exports(model: "DBCluster | DBInstance", settings: dict[str, Any]) -> None:
    """Start and stop exports of logs to CloudWatch Logs."""
    changes: Any = settings.get("cloudwatch_logs_export_configuration") or {}
    kept = [kind for kind in model.enabled_cloudwatch_logs_exports if kind not in changes.get("DisableLogTypes", [])]
    model.enabled_cloudwatch_logs_exports = [*kept, *changes.get("EnableLogTypes", [])]


class DBCluster(models.DBCluster):
    """A DB cluster. Aurora PostgreSQL clusters have servers.

    The name is moto's: moto writes it into the tags of the master user secret.
    """

    def __init__(self, backend: RDSBackend, **settings: Any) -> None:
        super().__init__(backend, **settings)
        self.servers: PostgresCluster | None = None

    def get_cfg(self) -> dict[str, Any]:
        """Settings for a restored cluster. moto requires a password, which a managed one does not have."""
        vars(self).setdefault("_master_user_password", generate_password())
        return super().get_cfg()

    @property
    def endpoint(self) -> str:
        return self.servers.writer_address if self.servers else super().endpoint

    @property
    def reader_endpoint(self) -> str:
        return self.servers.reader_address if self.servers else super().reader_endpoint

    @property
    def scaling_configuration_info(self) -> dict[str, Any] | None:  # pyright: ignore[reportIncompatibleMethodOverride] - moto's property is never None
        """Serverless v1 configuration, which servers do not have."""
        return None if self.servers else super().scaling_configuration_info

    def start(self, parameters: dict[str, str], zones: list[str]) -> None:
        """Start the servers, with the parameters of the cluster's parameter group."""
        current = session.current()
        logs = current.folder / f"{self.db_cluster_identifier}-{self.url_identifier}"
        logs.mkdir()
        servers = self.servers = PostgresCluster(
            current.authority, logs, *claim_addresses(self.port, current.cleanup), self.port, parameters
        )
        self.availability_zones = zones
        self.engine_version = DEFAULT_VERSIONS.get(str(self.engine_version), self.engine_version)
        password = generate_password() if self.manage_master_user_password else self._master_user_password
        servers.start(MasterUser(str(self.master_username), password), self.database_name)
        current.cleanup.callback(servers.stop)
        if self.manage_master_user_password:
            self.write_master_secret(password)

    def write_master_secret(self, password: str) -> None:
        """Write the first version of the master user secret."""
        secret = self.master_user_secret.secret
        content = json.dumps({"username": self.master_username, "password": password})
        secret.secret_string = content
        (version,) = secret.versions.values()
        version["secret_string"] = content
        secret.rotation_requested = secret.rotation_enabled = True
        secret.auto_rotate_after_days = MANAGED_ROTATION_DAYS
        secret.next_rotation_date = int(time.time()) + MANAGED_ROTATION_DAYS * 86400

    def start_managing_password(self, servers: PostgresCluster) -> None:
        """Replace the master user's password by one in a new secret."""
        password = generate_password()
        servers.set_password(str(self.master_username), password)
        self.write_master_secret(password)

    def stop_managing_password(self) -> None:
        """Delete the master user secret: RDS's restore APIs do not have `ManageMasterUserPassword`."""
        if self.manage_master_user_password:
            self.master_user_secret.delete_secret()
            del self.master_user_secret
            self.manage_master_user_password = False

    def rotate_master_password(self) -> None:
        """Rotate the master user's password in the secret and, if there are servers, in the database."""
        password = generate_password()
        if self.servers:
            self.servers.set_password(str(self.master_username), password)
        secret = self.master_user_secret.secret
        content = json.dumps({"username": self.master_username, "password": password})
        secretsmanager: Any = self.backend.secretsmanager
        secretsmanager.put_secret_value(secret.arn, content, "", None, ["AWSCURRENT"])
        secret.last_rotation_date = int(time.time())
        secret.next_rotation_date = secret.last_rotation_date + MANAGED_ROTATION_DAYS * 86400


class Instance(DBInstanceClustered):
    """A DB instance of a cluster."""

    def __init__(self, db_cluster_identifier: str, **settings: Any) -> None:
        super().__init__(db_cluster_identifier, **settings)
        self.port = self.cluster.port
        self.dbi_resource_id = "db-" + "".join(
            secrets.choice(string.ascii_uppercase + string.digits) for _ in range(26)
        )
        if self.ca_certificate_identifier == "rds-ca-default":
            self.ca_certificate_identifier = CA_CERTIFICATE_IDENTIFIER

    @property
    def address(self) -> str:
        servers = cast(DBCluster, self.cluster).servers
        if servers is None:
            return super().address
        return servers.writer_address if self.is_cluster_writer else servers.reader_address


class Backend(RDSBackend):
    """Adds servers, and keeps settings."""

    def create_db_cluster(self, kwargs: dict[str, Any]) -> models.DBCluster:
        group = kwargs.get("db_cluster_parameter_group_name")
        self._check_group(group)
        if kwargs["db_cluster_identifier"] in self.clusters:
            raise ApiError("DBClusterAlreadyExistsFault", "DB Cluster already exists")
        cluster = cast(DBCluster, super().create_db_cluster(kwargs))
        store_settings(cluster, kwargs)
        if cluster.engine == ENGINE:
            try:
                cluster.start(self._parameters(group), self._zones(cluster))
            except ServerError as error:
                del self.clusters[cluster.db_cluster_identifier]
                if cluster.manage_master_user_password:
                    cluster.master_user_secret.delete_secret()
                raise ApiError("InvalidParameterValue", str(error)) from error
        return cluster

    def modify_db_cluster(self, kwargs: dict[str, Any]) -> models.DBCluster:
        identifier = kwargs["db_cluster_identifier"]
        if identifier not in self.clusters:
            raise DBClusterNotFoundError(identifier)
        cluster = cast(DBCluster, self.clusters[identifier])
        self._check_group(kwargs.get("db_cluster_parameter_group_name"))
        if cluster.servers and kwargs.get("engine_version"):
            kwargs["engine_version"] = _upgrade(str(cluster.engine_version), kwargs)
        settings = dict(kwargs)
        if cluster.servers:
            if kwargs.pop("rotate_master_user_password", False):
                if not kwargs.get("apply_immediately"):
                    raise ApiError(
                        "InvalidParameterCombination",
                        "You must specify apply immediately when rotating the master user password.",
                    )
                cluster.rotate_master_password()
            if new := kwargs.get("master_user_password"):
                cluster.servers.set_password(str(cluster.master_username), new)
        changed = super().modify_db_cluster(kwargs)
        if cluster.servers and settings.get("manage_master_user_password"):
            cluster.start_managing_password(cluster.servers)
        store_settings(cluster, settings)
        update_log_exports(cluster, settings)
        return changed

    def restore_db_cluster_from_snapshot(self, from_snapshot_id: str, overrides: dict[str, Any]) -> models.DBCluster:
        restored = super().restore_db_cluster_from_snapshot(from_snapshot_id, overrides)
        cast(DBCluster, restored).stop_managing_password()
        return restored

    def restore_db_cluster_to_point_in_time(self, *arguments: Any, **settings: Any) -> models.DBCluster:
        restored = super().restore_db_cluster_to_point_in_time(*arguments, **settings)
        cast(DBCluster, restored).stop_managing_password()
        return restored

    def delete_db_cluster(self, cluster_identifier: str, snapshot_name: str | None = None) -> models.DBCluster:
        cluster = cast(DBCluster, super().delete_db_cluster(cluster_identifier, snapshot_name))
        if cluster.servers:
            cluster.servers.stop()
        cluster.status = "deleting"
        return cluster

    def stop_db_cluster(self, cluster_identifier: str) -> models.DBCluster:
        cluster, servers = self._require_status(cluster_identifier, "available")
        servers.pause()
        cluster.status = "stopped"
        return _with_status(cluster, "stopping")

    def start_db_cluster(self, cluster_identifier: str) -> models.DBCluster:
        cluster, servers = self._require_status(cluster_identifier, "stopped")
        servers.resume()
        cluster.status = "available"
        return _with_status(cluster, "starting")

    def create_db_instance(self, db_kwargs: dict[str, Any]) -> DBInstance:
        instance = super().create_db_instance(db_kwargs)
        store_settings(instance, db_kwargs)
        if db_kwargs.get("monitoring_interval"):
            self._log_os_metrics()
        return instance

    def modify_db_instance(self, db_instance_identifier: str, db_kwargs: dict[str, Any]) -> DBInstance:
        instance = super().modify_db_instance(db_instance_identifier, db_kwargs)
        store_settings(instance, db_kwargs)
        return instance

    def modify_db_subnet_group(self, subnet_name: str, description: str, subnets: list[Any]) -> DBSubnetGroup:
        if subnet_name not in self.subnet_groups:
            raise DBSubnetGroupNotFoundError(subnet_name)
        # moto drops the modified group.
        group = self.subnet_groups[subnet_name] = super().modify_db_subnet_group(subnet_name, description, subnets)
        return group

    def rotate_master_password(self, secret: FakeSecret) -> None:
        """Rotate the password of the master user that this secret belongs to."""
        clusters = (cast(DBCluster, cluster) for cluster in self.clusters.values())
        managed = [cluster for cluster in clusters if cluster.manage_master_user_password]
        next(cluster for cluster in managed if cluster.master_user_secret.secret is secret).rotate_master_password()

    def _log_os_metrics(self) -> None:
        """Create the log group of Enhanced Monitoring unless it exists, as RDS does: without a key, and for 30 days.

        https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_Monitoring.OS.CloudWatchLogs.html
        """
        logs = logs_backends[self.account_id][self.region_name]
        if OS_METRICS_LOG_GROUP not in logs.groups:
            logs.create_log_group(OS_METRICS_LOG_GROUP, {}).set_retention_policy(cast(Any, 30))

    def _require_status(self, identifier: str, state: str) -> tuple[DBCluster, PostgresCluster]:
        cluster = cast(DBCluster | None, self.clusters.get(identifier))
        if cluster is None or cluster.servers is None:
            raise DBClusterNotFoundError(identifier)
        cluster.status  # noqa: B018 - moto makes a new cluster available when its status is first read
        if cluster.status != state:
            raise InvalidDBClusterStateFault(f"DbCluster {identifier} is in {cluster.status} state but not in {state}")
        return cluster, cluster.servers

    def _check_group(self, name: str | None) -> None:
        if name and not name.startswith("default.") and name not in self.db_cluster_parameter_groups:
            raise ApiError("DBClusterParameterGroupNotFound", f"DBClusterParameterGroup not found: {name}")

    def _parameters(self, group: str | None) -> dict[str, str]:
        if group is None or group not in self.db_cluster_parameter_groups:
            return {}
        values = self.db_cluster_parameter_groups[group].parameters.values()
        return {value["ParameterName"]: value["ParameterValue"] for value in values}

    def subnets(self, cluster: DBCluster) -> list[Any]:
        """The subnets of a cluster's subnet group."""
        group = self.subnet_groups.get(cluster.db_subnet_group_name)
        return group._subnets if group else []  # pyright: ignore[reportPrivateUsage] - moto has no other accessor

    def _zones(self, cluster: DBCluster) -> list[str]:
        """Availability Zones of the cluster's subnets."""
        return sorted({subnet.availability_zone for subnet in self.subnets(cluster)}) or cluster.availability_zones


def _upgrade(current: str, request: dict[str, Any]) -> str:
    """The version that a cluster is upgraded to.

    Raises:
        ApiError: it is lower, or a new major version without consent. The messages are RDS's:
            https://github.com/hashicorp/terraform-provider-aws/issues/13389
            https://github.com/reown-com/blockchain-api/pull/1064
    """
    requested: str = request["engine_version"]
    target = DEFAULT_VERSIONS.get(requested, requested)
    (major, *rest), (target_major, *target_rest) = (list(map(int, each.split("."))) for each in (current, target))
    if (target_major, target_rest) < (major, rest):
        raise ApiError("InvalidParameterCombination", f"Cannot upgrade {ENGINE} from {current} to {target}")
    if target_major > major and not request.get("allow_major_version_upgrade"):
        raise ApiError(
            "InvalidParameterCombination",
            "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.",
        )
    return target


def _with_status(cluster: DBCluster, status: str) -> DBCluster:
    described = copy.copy(cluster)
    described.status = status
    return described


class Responses(RDSResponse):
    """Adds sources and resets of parameters, and other missing actions."""

    @property
    def backend(self) -> Backend:
        return cast(Backend, rds_backends[self.current_account][self.region])

    def describe_db_parameters(self) -> ActionResult:
        name = self.params.get("DBParameterGroupName")
        if name not in self.backend.db_parameter_groups:
            raise DBParameterGroupNotFoundError(name)
        return self._parameters(self.backend.db_parameter_groups[name].parameters)

    def describe_db_cluster_parameters(self) -> ActionResult:
        name = self.params.get("DBClusterParameterGroupName")
        if name not in self.backend.db_cluster_parameter_groups:
            raise DBClusterParameterGroupNotFoundError(name)
        return self._parameters(self.backend.db_cluster_parameter_groups[name].parameters)

    def reset_db_parameter_group(self) -> ActionResult:
        name = self.params.get("DBParameterGroupName")
        if name not in self.backend.db_parameter_groups:
            raise DBParameterGroupNotFoundError(name)
        self._reset(self.backend.db_parameter_groups[name].parameters)
        return ActionResult({"DBParameterGroupName": name})

    def reset_db_cluster_parameter_group(self) -> ActionResult:
        name = self.params.get("DBClusterParameterGroupName")
        if name not in self.backend.db_cluster_parameter_groups:
            raise DBClusterParameterGroupNotFoundError(name)
        self._reset(self.backend.db_cluster_parameter_groups[name].parameters)
        return ActionResult({"DBClusterParameterGroupName": name})

    def describe_orderable_db_instance_options(self) -> ActionResult:
        engine, version, kind = (self.params.get(name) for name in ("Engine", "EngineVersion", "DBInstanceClass"))
        is_offered = engine == ENGINE and kind in {None, INSTANCE_CLASS}
        zones = ec2_backends[self.current_account][self.region].describe_availability_zones()
        offered = [
            {
                "Engine": ENGINE,
                "EngineVersion": each,
                "DBInstanceClass": INSTANCE_CLASS,
                "Vpc": True,
                "AvailabilityZones": [{"Name": zone.name} for zone in zones],
            }
            for each in VERSIONS
            if is_offered and version in {None, each}
        ]
        return ActionResult({"OrderableDBInstanceOptions": offered})

    def modify_event_subscription(self) -> ActionResult:
        (subscription,) = self.backend.describe_event_subscriptions(self.params["SubscriptionName"])
        for name in ("sns_topic_arn", "source_type", "event_categories", "enabled"):
            if name in self.params:
                setattr(subscription, name, self.params[name])
        return ActionResult({"EventSubscription": subscription})

    def _parameters(self, parameters: dict[str, Any]) -> ActionResult:
        """Parameters that users have set. Others are not available here.

        What equals the default stays the system's, with the method `pending-reboot`, whichever was sent.
        https://github.com/hashicorp/terraform-provider-aws/issues/39252
        """
        source = self.params.get("Source")
        found = [
            {**value, "Source": "system", "ApplyMethod": "pending-reboot"}
            if DEFAULT_PARAMETERS.get(name) == value["ParameterValue"]
            else {**value, "Source": "user"}
            for name, value in parameters.items()
        ]
        return ActionResult({"Parameters": [each for each in found if source in {None, each["Source"]}]})

    def _reset(self, parameters: dict[str, Any]) -> None:
        names = [parameter["ParameterName"] for parameter in self.params.get("Parameters") or []]
        for name in list(parameters) if self.params.get("ResetAllParameters") else names:
            parameters.pop(name, None)


EXTENSION = Extension(
    "rds",
    Responses,
    Backend,
    models=(DBCluster, Instance),
    gaps={
        "aws_rds_cluster": "had no server, but a constant master secret and an empty v1 scaling configuration; dropped "
        "log exports, IAM authentication and Database Insights, or their updates",
        "aws_rds_cluster_instance": "had no server; dropped Performance Insights, and had another default CA",
        "aws_rds_cluster_parameter_group": "had parameters without a source, and could not be reset or found by tags",
        "aws_db_parameter_group": "had parameters without a source, and could not be reset or found by tags",
        "aws_db_event_subscription": "could not be updated",
        "aws_db_subnet_group": "was lost on update, and could not be found by tags",
    },
)
