"""RDS: clusters with a real database, their settings, parameter groups, and tags."""

import json
from collections.abc import Generator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from botocore.exceptions import ClientError

from local_aws.postgresql import VERSION, free_port
from local_aws.server import LocalAws

NUMBERS = count(1)
MAJOR = VERSION.split(".")[0]


def create_cluster(aws: LocalAws, **settings: Any) -> dict[str, Any]:
    name = f"shop-{next(NUMBERS)}"
    request = {
        "DBClusterIdentifier": name,
        "Engine": "aurora-postgresql",
        "EngineVersion": MAJOR,
        "MasterUsername": "shopkeeper",
        "ManageMasterUserPassword": True,
        "DatabaseName": "shop",
        "Port": free_port("127.0.0.1"),
        **settings,
    }
    arguments = {key: value for key, value in request.items() if value is not None}
    return aws.client("rds").create_db_cluster(**arguments)["DBCluster"]


def described(aws: LocalAws, name: str) -> dict[str, Any]:
    (cluster,) = aws.client("rds").describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
    return cluster


def log_in(aws: LocalAws, cluster: dict[str, Any], host: str = "Endpoint", password: str | None = None):
    login = {"username": cluster["MasterUsername"], "password": password}
    if password is None:
        arn = cluster["MasterUserSecret"]["SecretArn"]
        login = json.loads(aws.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
    return psycopg2.connect(
        host=cluster[host],
        port=cluster["Port"],
        dbname="shop",
        user=login["username"],
        password=login["password"],
        sslmode="verify-full",
        sslrootcert=str(aws.certificates),
    )


@pytest.fixture(scope="module")
def key(aws: LocalAws) -> str:
    return aws.client("kms").create_key()["KeyMetadata"]["Arn"]


@pytest.fixture(scope="module")
def group(aws: LocalAws) -> str:
    rds, name = aws.client("rds"), "shop-parameters"
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName=name,
        DBParameterGroupFamily=f"aurora-postgresql{MAJOR}",
        Description="x",
        Tags=[{"Key": "Team", "Value": "database"}],
    )
    rds.modify_db_cluster_parameter_group(
        DBClusterParameterGroupName=name,
        Parameters=[
            {"ParameterName": "log_min_duration_statement", "ParameterValue": "1000", "ApplyMethod": "immediate"}
        ],
    )
    return name


@pytest.fixture(scope="module")
def zones(aws: LocalAws) -> list[str]:
    """Availability Zones of the subnet group `shop-subnets`."""
    ec2, zones = aws.client("ec2"), ["us-west-1a", "us-west-1b"]
    network = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=network, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for number, zone in enumerate(zones)
    ]
    aws.client("rds").create_db_subnet_group(
        DBSubnetGroupName="shop-subnets", DBSubnetGroupDescription="x", SubnetIds=subnets
    )
    return zones


@pytest.fixture(scope="module")
def cluster(aws: LocalAws, key: str, group: str, zones: list[str]) -> Generator[dict[str, Any]]:
    created = create_cluster(
        aws,
        MasterUserSecretKmsKeyId=key,
        DBClusterParameterGroupName=group,
        DBSubnetGroupName="shop-subnets",
        EngineLifecycleSupport="open-source-rds-extended-support-disabled",
        EnableCloudwatchLogsExports=["postgresql"],
        EnableIAMDatabaseAuthentication=True,
        ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 4},
        DatabaseInsightsMode="standard",
    )
    assert zones == created["AvailabilityZones"]
    yield described(aws, created["DBClusterIdentifier"])
    aws.client("rds").delete_db_cluster(DBClusterIdentifier=created["DBClusterIdentifier"], SkipFinalSnapshot=True)


def test_both_endpoints_serve_the_same_database(aws: LocalAws, cluster: dict[str, Any]):
    assert cluster["Endpoint"] != cluster["ReaderEndpoint"]
    for endpoint, is_replica in (("Endpoint", False), ("ReaderEndpoint", True)):
        with closing(log_in(aws, cluster, endpoint)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_is_in_recovery(), current_setting('log_min_duration_statement')")
            assert cursor.fetchone() == (is_replica, "1s")


def test_the_master_user_secret_is_managed_by_rds_with_the_requested_key(
    aws: LocalAws, cluster: dict[str, Any], key: str
):
    assert cluster["MasterUserSecret"]["KmsKeyId"] == key
    secret = aws.client("secretsmanager").describe_secret(SecretId=cluster["MasterUserSecret"]["SecretArn"])
    assert secret["OwningService"] == "rds"
    assert secret["Name"].startswith("rds!cluster-")
    assert secret["RotationEnabled"]
    assert secret["RotationRules"] == {"AutomaticallyAfterDays": 7}
    assert "RotationLambdaARN" not in secret


def test_the_master_password_can_be_rotated_through_rds_and_secrets_manager(aws: LocalAws, cluster: dict[str, Any]):
    rds, arn = aws.client("rds"), cluster["MasterUserSecret"]["SecretArn"]
    secrets = aws.client("secretsmanager")
    original = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])["password"]
    name = cluster["DBClusterIdentifier"]
    with pytest.raises(ClientError, match="apply immediately"):
        rds.modify_db_cluster(DBClusterIdentifier=name, RotateMasterUserPassword=True)
    rds.modify_db_cluster(DBClusterIdentifier=name, RotateMasterUserPassword=True, ApplyImmediately=True)
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        log_in(aws, cluster, password=original)
    log_in(aws, cluster).close()
    secrets.rotate_secret(SecretId=arn)
    log_in(aws, cluster).close()
    previous = secrets.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")["SecretString"]
    assert json.loads(previous)["password"] != original
    assert secrets.describe_secret(SecretId=arn)["LastRotatedDate"]


def test_settings_are_kept(cluster: dict[str, Any]):
    # RDS selects the minor version.
    assert cluster["EngineVersion"] == "17.7"
    assert cluster["EngineLifecycleSupport"] == "open-source-rds-extended-support-disabled"
    assert cluster["EnabledCloudwatchLogsExports"] == ["postgresql"]
    assert cluster["IAMDatabaseAuthenticationEnabled"] is True
    assert cluster["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 0.5, "MaxCapacity": 4.0}
    assert cluster["DatabaseInsightsMode"] == "standard"
    assert "ScalingConfigurationInfo" not in cluster


def test_a_cluster_can_be_modified(aws: LocalAws, cluster: dict[str, Any]):
    rds, name = aws.client("rds"), cluster["DBClusterIdentifier"]
    rds.modify_db_cluster(
        DBClusterIdentifier=name,
        EnableIAMDatabaseAuthentication=False,
        CloudwatchLogsExportConfiguration={"EnableLogTypes": ["instance"], "DisableLogTypes": ["postgresql"]},
        EngineVersion="17.9",
        ServerlessV2ScalingConfiguration={"MinCapacity": 1, "MaxCapacity": 8},
    )
    changed = described(aws, name)
    assert changed["IAMDatabaseAuthenticationEnabled"] is False
    assert changed["EnabledCloudwatchLogsExports"] == ["instance"]
    assert changed["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 1.0, "MaxCapacity": 8.0}
    assert changed["EngineVersion"] == "17.9"
    log_in(aws, cluster).close()


@pytest.mark.parametrize(
    ("version", "message"),
    [
        # The default minor version of 17 is older than the one that runs.
        ("17", "Cannot upgrade aurora-postgresql from 17.9 to 17.7"),
        ("17.4", "Cannot upgrade aurora-postgresql from 17.9 to 17.4"),
        ("16.13", "Cannot upgrade aurora-postgresql from 17.9 to 16.13"),
        ("18.3", "The AllowMajorVersionUpgrade flag must be present"),
    ],
)
def test_an_older_version_is_refused_with_any_other_change(
    aws: LocalAws, cluster: dict[str, Any], version: str, message: str
):
    rds, name = aws.client("rds"), cluster["DBClusterIdentifier"]
    rds.modify_db_cluster(DBClusterIdentifier=name, EngineVersion="17.9", ApplyImmediately=True)
    with pytest.raises(ClientError, match=message) as error:
        rds.modify_db_cluster(DBClusterIdentifier=name, BackupRetentionPeriod=11, EngineVersion=version)
    assert error.value.response["Error"]["Code"] == "InvalidParameterCombination"
    unchanged = described(aws, name)
    assert unchanged["EngineVersion"] == "17.9"
    assert unchanged["BackupRetentionPeriod"] != 11


@pytest.mark.parametrize("source", ["snapshot", "point in time"])
def test_the_password_of_a_restored_cluster_is_not_managed_until_it_is_modified(
    aws: LocalAws, cluster: dict[str, Any], key: str, source: str
):
    rds, name = aws.client("rds"), cluster["DBClusterIdentifier"]
    restored = f"{name}-{source.replace(' ', '-')}"
    if source == "snapshot":
        rds.create_db_cluster_snapshot(DBClusterSnapshotIdentifier=restored, DBClusterIdentifier=name)
        rds.restore_db_cluster_from_snapshot(
            DBClusterIdentifier=restored, SnapshotIdentifier=restored, Engine="aurora-postgresql"
        )
    else:
        rds.restore_db_cluster_to_point_in_time(
            DBClusterIdentifier=restored, SourceDBClusterIdentifier=name, UseLatestRestorableTime=True
        )
    assert "MasterUserSecret" not in described(aws, restored)
    rds.modify_db_cluster(
        DBClusterIdentifier=restored,
        ManageMasterUserPassword=True,
        MasterUserSecretKmsKeyId=key,
        ApplyImmediately=True,
    )
    managed = described(aws, restored)
    assert managed["MasterUserSecret"]["KmsKeyId"] == key
    assert managed["MasterUserSecret"]["SecretArn"] != cluster["MasterUserSecret"]["SecretArn"]
    log_in(aws, managed).close()
    rds.delete_db_cluster(DBClusterIdentifier=restored, SkipFinalSnapshot=True)


def test_enhanced_monitoring_creates_its_log_group(aws: LocalAws, cluster: dict[str, Any]):
    logs, name = aws.client("logs"), f"{cluster['DBClusterIdentifier']}-monitored"
    settings = {
        "DBInstanceClass": "db.serverless",
        "Engine": "aurora-postgresql",
        "MonitoringInterval": 60,
        "MonitoringRoleArn": "arn:aws:iam::123456789012:role/monitoring",
    }
    for _ in range(2):
        aws.client("rds").create_db_instance(
            DBInstanceIdentifier=name, DBClusterIdentifier=cluster["DBClusterIdentifier"], **settings
        )
        aws.client("rds").delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    (group,) = logs.describe_log_groups(logGroupNamePrefix="RDSOSMetrics")["logGroups"]
    assert (group["retentionInDays"], group.get("kmsKeyId")) == (30, None)


def test_instances_have_the_clusters_endpoints_keep_their_settings_and_block_its_deletion(
    aws: LocalAws, cluster: dict[str, Any], key: str
):
    rds, name = aws.client("rds"), cluster["DBClusterIdentifier"]
    role = "arn:aws:iam::123456789012:role/monitoring"
    for suffix, zone in (("writer", "us-west-1a"), ("reader", "us-west-1b")):
        rds.create_db_instance(
            DBInstanceIdentifier=f"{name}-{suffix}",
            DBClusterIdentifier=name,
            DBInstanceClass="db.serverless",
            Engine="aurora-postgresql",
            AvailabilityZone=zone,
            EnablePerformanceInsights=True,
            PerformanceInsightsKMSKeyId=key,
            PerformanceInsightsRetentionPeriod=7,
            MonitoringInterval=60,
            MonitoringRoleArn=role,
        )
    writer, reader = rds.describe_db_instances(Filters=[{"Name": "db-cluster-id", "Values": [name]}])["DBInstances"]
    assert writer["Endpoint"] == {"Address": cluster["Endpoint"], "Port": cluster["Port"]}
    assert reader["Endpoint"] == {"Address": cluster["ReaderEndpoint"], "Port": cluster["Port"]}
    assert writer["DbiResourceId"] != reader["DbiResourceId"]
    assert writer["CACertificateIdentifier"] == "rds-ca-rsa2048-g1"
    assert writer["PerformanceInsightsEnabled"] is True
    assert writer["PerformanceInsightsKMSKeyId"] == key
    assert writer["PerformanceInsightsRetentionPeriod"] == 7
    assert (writer["MonitoringInterval"], writer["MonitoringRoleArn"]) == (60, role)
    rds.modify_db_instance(
        DBInstanceIdentifier=f"{name}-reader", EnablePerformanceInsights=False, ApplyImmediately=True
    )
    (changed,) = rds.describe_db_instances(DBInstanceIdentifier=f"{name}-reader")["DBInstances"]
    assert changed["PerformanceInsightsEnabled"] is False
    with pytest.raises(ClientError, match="InvalidDBClusterStateFault"):
        rds.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)
    for suffix in ("reader", "writer"):
        rds.delete_db_instance(DBInstanceIdentifier=f"{name}-{suffix}")


def test_an_instance_keeps_its_ca_certificate(aws: LocalAws, cluster: dict[str, Any]):
    rds, name = aws.client("rds"), cluster["DBClusterIdentifier"]
    instance = rds.create_db_instance(
        DBInstanceIdentifier=f"{name}-other",
        DBClusterIdentifier=name,
        DBInstanceClass="db.serverless",
        Engine="aurora-postgresql",
        CACertificateIdentifier="rds-ca-ecc384-g1",
    )["DBInstance"]
    assert instance["CACertificateIdentifier"] == "rds-ca-ecc384-g1"
    rds.delete_db_instance(DBInstanceIdentifier=f"{name}-other")


def test_deleting_a_cluster_stops_its_servers(aws: LocalAws):
    created = create_cluster(
        aws, ManageMasterUserPassword=None, MasterUserPassword="first password", DBClusterParameterGroupName=None
    )
    name = created["DBClusterIdentifier"]
    log_in(aws, created, password="first password").close()
    aws.client("rds").modify_db_cluster(DBClusterIdentifier=name, MasterUserPassword="second password")
    log_in(aws, created, password="second password").close()
    folder: Path = aws.backend("rds").clusters[name].servers.folder
    assert aws.client("rds").delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)["DBCluster"]
    assert not folder.exists()
    with pytest.raises(psycopg2.OperationalError, match="Connection refused"):
        log_in(aws, created, password="second password")
    with pytest.raises(ClientError, match="DBClusterNotFoundFault"):
        described(aws, name)


def test_a_cluster_can_be_stopped_and_started(aws: LocalAws):
    rds, created = aws.client("rds"), create_cluster(aws)
    name = created["DBClusterIdentifier"]
    with pytest.raises(ClientError, match="InvalidDBClusterStateFault"):
        rds.start_db_cluster(DBClusterIdentifier=name)
    assert rds.stop_db_cluster(DBClusterIdentifier=name)["DBCluster"]["Status"] == "stopping"
    with pytest.raises(psycopg2.OperationalError, match="Connection refused"):
        log_in(aws, created)
    assert rds.start_db_cluster(DBClusterIdentifier=name)["DBCluster"]["Status"] == "starting"
    log_in(aws, created).close()
    rds.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)
    with pytest.raises(ClientError, match="DBClusterNotFoundFault"):
        rds.stop_db_cluster(DBClusterIdentifier=name)


def test_errors_have_the_codes_of_aws(aws: LocalAws, cluster: dict[str, Any]):
    rds, name = aws.client("rds"), cluster["DBClusterIdentifier"]
    with pytest.raises(ClientError, match="DBClusterAlreadyExistsFault"):
        create_cluster(aws, DBClusterIdentifier=name)
    with pytest.raises(ClientError, match="DBClusterParameterGroupNotFound"):
        create_cluster(aws, DBClusterParameterGroupName="nowhere")
    with pytest.raises(ClientError, match="DBClusterNotFoundFault"):
        rds.modify_db_cluster(DBClusterIdentifier="nowhere", BackupRetentionPeriod=3)
    with pytest.raises(ClientError, match="DBClusterParameterGroupNotFound"):
        rds.modify_db_cluster(DBClusterIdentifier=name, DBClusterParameterGroupName="nowhere")
    for action in (rds.describe_db_parameters, rds.reset_db_parameter_group):
        with pytest.raises(ClientError, match="DBParameterGroupNotFound"):
            action(DBParameterGroupName="nowhere")
    for action in (rds.describe_db_cluster_parameters, rds.reset_db_cluster_parameter_group):
        with pytest.raises(ClientError, match="DBParameterGroupNotFound"):
            action(DBClusterParameterGroupName="nowhere")


@pytest.mark.parametrize("managed", [True, False])
def test_a_failed_start_leaves_no_cluster(aws: LocalAws, managed: bool):
    rds, name = aws.client("rds"), f"broken-parameters-{managed}".lower()
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName=name, DBParameterGroupFamily=f"aurora-postgresql{MAJOR}", Description="x"
    )
    broken = {"ParameterName": "log_statement", "ParameterValue": "nonsense", "ApplyMethod": "immediate"}
    rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName=name, Parameters=[broken])
    password = {} if managed else {"ManageMasterUserPassword": None, "MasterUserPassword": "long enough"}
    with pytest.raises(ClientError, match="invalid value for parameter"):
        create_cluster(aws, DBClusterIdentifier=name, DBClusterParameterGroupName=name, **password)
    with pytest.raises(ClientError, match="DBClusterNotFoundFault"):
        described(aws, name)


@pytest.mark.parametrize(("value", "source", "method"), [("1", "system", "pending-reboot"), ("0", "user", "immediate")])
def test_a_parameter_that_equals_its_default_stays_the_systems(aws: LocalAws, value: str, source: str, method: str):
    rds, name = aws.client("rds"), f"defaults-{value}"
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName=name, DBParameterGroupFamily=f"aurora-postgresql{MAJOR}", Description="x"
    )
    parameter = {"ParameterName": "rds.force_ssl", "ParameterValue": value}
    rds.modify_db_cluster_parameter_group(
        DBClusterParameterGroupName=name, Parameters=[{**parameter, "ApplyMethod": "immediate"}]
    )
    for asked, found in ((source, [{**parameter, "ApplyMethod": method, "Source": source}]), ("engine-default", [])):
        described = rds.describe_db_cluster_parameters(DBClusterParameterGroupName=name, Source=asked)
        assert described["Parameters"] == found


def test_parameters_can_be_set_and_reset(aws: LocalAws):
    rds = aws.client("rds")
    for kind, key in (
        ("db_cluster_parameter_group", "DBClusterParameterGroupName"),
        ("db_parameter_group", "DBParameterGroupName"),
    ):
        describe = getattr(rds, f"describe_{kind.removesuffix('_group')}s")
        getattr(rds, f"create_{kind}")(
            **{key: "resettable"}, DBParameterGroupFamily=f"aurora-postgresql{MAJOR}", Description="x"
        )
        one, two, three = (
            {"ParameterName": name, "ParameterValue": "1", "ApplyMethod": "immediate"} for name in ("a", "b", "c")
        )
        getattr(rds, f"modify_{kind}")(**{key: "resettable"}, Parameters=[one, two, three])
        assert describe(**{key: "resettable"})["Parameters"] == [
            {**parameter, "Source": "user"} for parameter in (one, two, three)
        ]
        assert describe(**{key: "resettable"}, Source="engine-default")["Parameters"] == []
        getattr(rds, f"reset_{kind}")(**{key: "resettable"}, Parameters=[one])
        assert [one["ParameterName"] for one in describe(**{key: "resettable"}, Source="user")["Parameters"]] == [
            "b",
            "c",
        ]
        getattr(rds, f"reset_{kind}")(**{key: "resettable"}, ResetAllParameters=True)
        assert describe(**{key: "resettable"})["Parameters"] == []


def test_a_subnet_group_can_be_modified(aws: LocalAws, zones: list[str]):
    rds = aws.client("rds")
    (group,) = rds.describe_db_subnet_groups(DBSubnetGroupName="shop-subnets")["DBSubnetGroups"]
    subnets = [subnet["SubnetIdentifier"] for subnet in group["Subnets"]]
    assert len(subnets) == len(zones)
    rds.modify_db_subnet_group(DBSubnetGroupName="shop-subnets", SubnetIds=subnets[:1], DBSubnetGroupDescription="y")
    (group,) = rds.describe_db_subnet_groups(DBSubnetGroupName="shop-subnets")["DBSubnetGroups"]
    assert [subnet["SubnetIdentifier"] for subnet in group["Subnets"]] == subnets[:1]
    assert group["DBSubnetGroupDescription"] == "y"
    with pytest.raises(ClientError, match="DBSubnetGroupNotFoundFault"):
        rds.modify_db_subnet_group(DBSubnetGroupName="nowhere", SubnetIds=subnets)


def test_parameter_groups_are_found_by_tags(aws: LocalAws, group: str):
    tagging = aws.client("resourcegroupstaggingapi")
    response = tagging.get_resources(TagFilters=[{"Key": "Team", "Values": ["database"]}], ResourceTypeFilters=["rds"])
    assert [found["ResourceARN"] for found in response["ResourceTagMappingList"]] == [
        f"arn:aws:rds:us-west-1:123456789012:cluster-pg:{group}"
    ]


def test_an_event_subscription_can_be_modified(aws: LocalAws):
    rds, topic = aws.client("rds"), aws.client("sns").create_topic(Name="events")["TopicArn"]
    rds.create_event_subscription(
        SubscriptionName="failovers", SnsTopicArn=topic, SourceType="db-cluster", EventCategories=["failover"]
    )
    rds.modify_event_subscription(SubscriptionName="failovers", EventCategories=["failure", "failover"], Enabled=False)
    (changed,) = rds.describe_event_subscriptions(SubscriptionName="failovers")["EventSubscriptionsList"]
    assert changed["EventCategoriesList"] == ["failure", "failover"]
    assert changed["Enabled"] is False
    assert changed["SourceType"] == "db-cluster"
    rds.delete_event_subscription(SubscriptionName="failovers")


def test_clusters_of_other_engines_have_no_servers(aws: LocalAws):
    created = create_cluster(aws, Engine="aurora-mysql", EngineVersion="8.0.mysql_aurora.3.08.0")
    name = created["DBClusterIdentifier"]
    assert created["Endpoint"].endswith(".rds.amazonaws.com")
    aws.client("rds").modify_db_cluster(DBClusterIdentifier=name, BackupRetentionPeriod=9)
    assert described(aws, name)["BackupRetentionPeriod"] == 9
    secret = aws.client("secretsmanager").get_secret_value(SecretId=created["MasterUserSecret"]["SecretArn"])
    aws.client("secretsmanager").rotate_secret(SecretId=secret["ARN"])
    assert aws.client("secretsmanager").get_secret_value(SecretId=secret["ARN"])["VersionId"] != secret["VersionId"]
    instance = aws.client("rds").create_db_instance(
        DBInstanceIdentifier=f"{name}-1",
        DBClusterIdentifier=name,
        DBInstanceClass="db.r7g.large",
        Engine="aurora-mysql",
    )["DBInstance"]
    assert instance["Endpoint"]["Address"].endswith(".rds.amazonaws.com")
    aws.client("rds").delete_db_instance(DBInstanceIdentifier=f"{name}-1")
    aws.client("rds").delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)


@pytest.mark.parametrize(
    ("settings", "offered"),
    [
        ({}, ["17.4", "17.5", "17.6", "17.7", "17.9"]),
        ({"DBInstanceClass": "db.serverless", "EngineVersion": "17.7"}, ["17.7"]),
        ({"DBInstanceClass": "db.r7g.large"}, []),
        ({"EngineVersion": "17.8"}, []),
    ],
)
def test_only_the_available_instance_class_is_orderable(aws: LocalAws, settings: dict[str, str], offered: list[str]):
    response = aws.client("rds").describe_orderable_db_instance_options(Engine="aurora-postgresql", **settings)
    options = response["OrderableDBInstanceOptions"]
    assert [option["EngineVersion"] for option in options] == offered
    assert all(option["AvailabilityZones"] == [{"Name": "us-west-1a"}, {"Name": "us-west-1b"}] for option in options)


def test_other_engines_are_not_orderable(aws: LocalAws):
    response = aws.client("rds").describe_orderable_db_instance_options(Engine="mysql")
    assert response["OrderableDBInstanceOptions"] == []
