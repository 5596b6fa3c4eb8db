"""RDS: Aurora PostgreSQL is a real PostgreSQL, whose master's secret works; nothing that was asked for is forgotten."""

import copy
import json
import secrets
import string
import time
from typing import Any, cast

from moto.core.common_models import BaseModel
from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
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
from local_aws.postgresql import VERSION, MasterUser, PostgresCluster, ServerError, free_addresses

ENGINE = "aurora-postgresql"
INSTANCE_CLASS = "db.serverless"
CA_CERTIFICATE_IDENTIFIER = "rds-ca-rsa2048-g1"
MANAGED_ROTATION_DAYS = 7
"""How often RDS itself rotates the master's password."""

# What is asked for by one name and answered by another.
RESPONSE_ATTRIBUTES = {
    "enable_performance_insights": "performance_insights_enabled",
    "enable_iam_database_authentication": "iam_auth",
}


def generate_password() -> str:
    """As RDS makes them; without what PostgreSQL's connection strings would have to quote."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(32))


def store_settings(model: BaseModel, asked: dict[str, Any]) -> None:
    """Let a model keep what moto drops."""
    # Without `hasattr`, which would run properties of moto's that raise.
    known = {*vars(model), *dir(type(model))}
    for name, value in asked.items():
        kept = RESPONSE_ATTRIBUTES.get(name, name)
        if value is not None and (kept != name or kept not in known):
            setattr(model, kept, value)


def update_log_exports(model: "DBCluster | DBInstance", asked: dict[str, Any]) -> None:
    """Which logs go to CloudWatch."""
    wanted: Any = asked.get("cloudwatch_logs_export_configuration") or {}
    kept = [kind for kind in model.enabled_cloudwatch_logs_exports if kind not in wanted.get("DisableLogTypes", [])]
    model.enabled_cloudwatch_logs_exports = [*kept, *wanted.get("EnableLogTypes", [])]


class DBCluster(models.DBCluster):
    """A cluster; one of Aurora PostgreSQL is a pair of servers.

    By moto's name: it is a part of the tags of the master's secret.
    """

    def __init__(self, backend: RDSBackend, **settings: Any) -> None:
        super().__init__(backend, **settings)
        self.pair: PostgresCluster | None = None

    @property
    def endpoint(self) -> str:
        return self.pair.writer if self.pair else super().endpoint

    @property
    def reader_endpoint(self) -> str:
        return self.pair.reader if self.pair else super().reader_endpoint

    @property
    def scaling_configuration_info(self) -> dict[str, Any] | None:  # pyright: ignore[reportIncompatibleMethodOverride] - moto's always gives one
        """Of Serverless v1 alone, which Aurora PostgreSQL is not here."""
        return None if self.pair else super().scaling_configuration_info

    def start(self, parameters: dict[str, str], zones: list[str]) -> None:
        """Start the servers."""
        here = session.current()
        logs = here.folder / f"{self.db_cluster_identifier}-{self.url_identifier}"
        logs.mkdir()
        pair = self.pair = PostgresCluster(here.authority, logs, *free_addresses(self.port), self.port, parameters)
        self.availability_zones = zones
        if "." not in self.engine_version and VERSION.split(".")[0] == self.engine_version:
            # AWS answers a request for a major version with the whole.
            self.engine_version = VERSION
        wanted = generate_password() if self.manage_master_user_password else self._master_user_password
        pair.start(MasterUser(str(self.master_username), wanted), self.database_name)
        here.cleanup.callback(pair.stop)
        if self.manage_master_user_password:
            self.write_master_secret(wanted)

    def write_master_secret(self, wanted: str) -> None:
        """Write the master's password into the secret that RDS manages, as its first version."""
        secret = self.master_user_secret.secret
        content = json.dumps({"username": self.master_username, "password": wanted})
        secret.secret_string = content
        (version,) = secret.versions.values()
        version["secret_string"] = content
        secret.rotation_requested = secret.rotation_enabled = True
        secret.auto_rotate_after_days = MANAGED_ROTATION_DAYS
        secret.next_rotation_date = int(time.time()) + MANAGED_ROTATION_DAYS * 86400

    def rotate_master_password(self) -> None:
        """Set another password in the database, if there is one, and in the secret."""
        wanted = generate_password()
        if self.pair:
            self.pair.set_password(str(self.master_username), wanted)
        secret = self.master_user_secret.secret
        content = json.dumps({"username": self.master_username, "password": wanted})
        secretsmanager: Any = self.backend.secretsmanager
        secretsmanager.put_secret_value(secret.arn, content, "", None, ["AWSCURRENT"])
        secret.last_rotation_date = int(time.time())
        secret.next_rotation_date = secret.last_rotation_date + MANAGED_ROTATION_DAYS * 86400


class Instance(DBInstanceClustered):
    """An instance of a cluster."""

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
        pair = cast(DBCluster, self.cluster).pair
        if pair is None:
            return super().address
        return pair.writer if self.is_cluster_writer else pair.reader


class Backend(RDSBackend):
    """With clusters that are servers."""

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
        asked = dict(kwargs)
        if cluster.pair:
            if kwargs.pop("rotate_master_user_password", False):
                if not kwargs.get("apply_immediately"):
                    raise ApiError(
                        "InvalidParameterCombination",
                        "You must specify apply immediately when rotating the master user password.",
                    )
                cluster.rotate_master_password()
            if new := kwargs.get("master_user_password"):
                cluster.pair.set_password(str(cluster.master_username), new)
        changed = super().modify_db_cluster(kwargs)
        store_settings(cluster, asked)
        update_log_exports(cluster, asked)
        return changed

    def delete_db_cluster(self, cluster_identifier: str, snapshot_name: str | None = None) -> models.DBCluster:
        cluster = cast(DBCluster, super().delete_db_cluster(cluster_identifier, snapshot_name))
        if cluster.pair:
            cluster.pair.stop()
        cluster.status = "deleting"
        return cluster

    def stop_db_cluster(self, cluster_identifier: str) -> models.DBCluster:
        cluster, pair = self._require_status(cluster_identifier, "available")
        pair.pause()
        cluster.status = "stopped"
        return _with_status(cluster, "stopping")

    def start_db_cluster(self, cluster_identifier: str) -> models.DBCluster:
        cluster, pair = self._require_status(cluster_identifier, "stopped")
        pair.resume()
        cluster.status = "available"
        return _with_status(cluster, "starting")

    def create_db_instance(self, db_kwargs: dict[str, Any]) -> DBInstance:
        instance = super().create_db_instance(db_kwargs)
        store_settings(instance, db_kwargs)
        return instance

    def modify_db_instance(self, db_instance_identifier: str, db_kwargs: dict[str, Any]) -> DBInstance:
        instance = super().modify_db_instance(db_instance_identifier, db_kwargs)
        store_settings(instance, db_kwargs)
        return instance

    def modify_db_subnet_group(self, subnet_name: str, description: str, subnets: list[Any]) -> DBSubnetGroup:
        if subnet_name not in self.subnet_groups:
            raise DBSubnetGroupNotFoundError(subnet_name)
        # moto loses it.
        group = self.subnet_groups[subnet_name] = super().modify_db_subnet_group(subnet_name, description, subnets)
        return group

    def rotate_master_password(self, secret: FakeSecret) -> None:
        """Set another password for the master whose secret this is."""
        clusters = (cast(DBCluster, cluster) for cluster in self.clusters.values())
        managed = [cluster for cluster in clusters if cluster.manage_master_user_password]
        next(cluster for cluster in managed if cluster.master_user_secret.secret is secret).rotate_master_password()

    def _require_status(self, identifier: str, state: str) -> tuple[DBCluster, PostgresCluster]:
        cluster = cast(DBCluster | None, self.clusters.get(identifier))
        if cluster is None or cluster.pair is None:
            raise DBClusterNotFoundError(identifier)
        cluster.status  # noqa: B018 - what was made is available from the first look on
        if cluster.status != state:
            raise InvalidDBClusterStateFault(f"DbCluster {identifier} is in {cluster.status} state but not in {state}")
        return cluster, cluster.pair

    def _check_group(self, name: str | None) -> None:
        if name and not name.startswith("default.") and name not in self.db_cluster_parameter_groups:
            raise ApiError("DBClusterParameterGroupNotFound", f"DBClusterParameterGroup not found: {name}")

    def _parameters(self, group: str | None) -> dict[str, str]:
        if group is None or group not in self.db_cluster_parameter_groups:
            return {}
        values = self.db_cluster_parameter_groups[group].parameters.values()
        return {value["ParameterName"]: value["ParameterValue"] for value in values}

    def _zones(self, cluster: DBCluster) -> list[str]:
        """Those of its subnets."""
        group = self.subnet_groups.get(cluster.db_subnet_group_name)
        subnets: list[Any] = group._subnets if group else []  # pyright: ignore[reportPrivateUsage] - moto's own
        return sorted({subnet.availability_zone for subnet in subnets}) or cluster.availability_zones


def _with_status(cluster: DBCluster, status: str) -> DBCluster:
    shown = copy.copy(cluster)
    shown.status = status
    return shown


class Responses(RDSResponse):
    """With parameters as they were set, and unset."""

    @property
    def backend(self) -> Backend:
        return cast(Backend, rds_backends[self.current_account][self.region])

    def describe_db_parameters(self) -> ActionResult:
        name = self.params.get("DBParameterGroupName")
        if name not in self.backend.db_parameter_groups:
            raise DBParameterGroupNotFoundError(name)
        return self._user_parameters(self.backend.db_parameter_groups[name].parameters)

    def describe_db_cluster_parameters(self) -> ActionResult:
        name = self.params.get("DBClusterParameterGroupName")
        if name not in self.backend.db_cluster_parameter_groups:
            raise DBClusterParameterGroupNotFoundError(name)
        return self._user_parameters(self.backend.db_cluster_parameter_groups[name].parameters)

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
        if engine != ENGINE or version not in {None, VERSION} or kind not in {None, INSTANCE_CLASS}:
            return ActionResult({"OrderableDBInstanceOptions": []})
        zones = ec2_backends[self.current_account][self.region].describe_availability_zones()
        offered = {
            "Engine": ENGINE,
            "EngineVersion": VERSION,
            "DBInstanceClass": INSTANCE_CLASS,
            "Vpc": True,
            "AvailabilityZones": [{"Name": zone.name} for zone in zones],
        }
        return ActionResult({"OrderableDBInstanceOptions": [offered]})

    def modify_event_subscription(self) -> ActionResult:
        (subscription,) = self.backend.describe_event_subscriptions(self.params["SubscriptionName"])
        for name in ("sns_topic_arn", "source_type", "event_categories", "enabled"):
            if name in self.params:
                setattr(subscription, name, self.params[name])
        return ActionResult({"EventSubscription": subscription})

    def _user_parameters(self, parameters: dict[str, Any]) -> ActionResult:
        """Those that somebody set; of the engine's own hundreds none is known here."""
        if self.params.get("Source") not in {None, "user"}:
            return ActionResult({"Parameters": []})
        return ActionResult({"Parameters": [{**value, "Source": "user"} for value in parameters.values()]})

    def _reset(self, parameters: dict[str, Any]) -> None:
        named = [parameter["ParameterName"] for parameter in self.params.get("Parameters") or []]
        for name in list(parameters) if self.params.get("ResetAllParameters") else named:
            parameters.pop(name, None)


EXTENSION = Extension(
    "rds",
    Responses,
    Backend,
    models=(DBCluster, Instance),
    gaps={
        "aws_rds_cluster": "had no server, an empty v1 scaling configuration, a constant master secret; log exports, "
        "IAM authentication and Database Insights were not changed or not kept",
        "aws_rds_cluster_instance": "had no server; Performance Insights were not kept, another CA was the default",
        "aws_rds_cluster_parameter_group": "parameters had no source and could not be reset; group was not tagged",
        "aws_db_parameter_group": "parameters had no source and could not be reset; group was not tagged",
        "aws_db_event_subscription": "could not be changed",
        "aws_db_subnet_group": "was lost when it was changed, and was not among the tagged resources",
    },
)
