"""Aurora: instances, endpoints, credentials, logs, backups, scaling."""

from typing import Any

import pytest

from stacks.database.parameters import max_connections
from stacks.settings.database import DatabaseSettings
from synthesized.platform import Platform
from tests.synthesized import bodies, conditions, has, only, statements

pytestmark = pytest.mark.tiers("database")


def parameters(platform: Platform, type_: str) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in only(platform, type_)["parameter"]}


def test_the_cluster_is_serverless_aurora_postgresql(prod: Platform):
    assert has(
        prod,
        "database",
        "aws_rds_cluster",
        engine="aurora-postgresql",
        engine_version="17.7",
        serverlessv2_scaling_configuration={"min_capacity": 2, "max_capacity": 64},
    )
    assert {instance["instance_class"] for instance in bodies(prod, "aws_rds_cluster_instance").values()} == {
        "db.serverless"
    }


def test_writer_and_reader_are_in_different_zones(prod: Platform):
    instances = bodies(prod, "aws_rds_cluster_instance")
    assert {name: instance["availability_zone"] for name, instance in instances.items()} == {
        "writer": "eu-west-3a",
        "reader-1": "eu-west-3b",
    }


def test_each_of_three_zones_has_an_instance(variants: dict[str, Platform]):
    instances = bodies(variants["prod"], "aws_rds_cluster_instance").values()
    assert {instance["availability_zone"] for instance in instances} == {"eu-west-3a", "eu-west-3b", "eu-west-3c"}


def test_the_first_reader_scales_with_the_writer(variants: dict[str, Platform]):
    instances = bodies(variants["prod"], "aws_rds_cluster_instance")
    assert {name: instance["promotion_tier"] for name, instance in instances.items()} == {
        "writer": 0,
        "reader-1": 1,
        "reader-2": 2,
    }


def test_readers_are_created_after_the_writer_and_all_after_the_monitoring_policy(variants: dict[str, Platform]):
    permissions = "aws_iam_role_policy_attachment.database_database-monitoring-policy"
    os_metrics = "aws_cloudwatch_log_group.database_log-os-metrics"
    instances = bodies(variants["prod"], "aws_rds_cluster_instance")
    # The first instance of a cluster becomes the writer.
    assert {name: instance["depends_on"] for name, instance in instances.items()} == {
        "writer": [permissions, os_metrics],
        "reader-1": [permissions, "aws_rds_cluster_instance.database_writer", os_metrics],
        "reader-2": [permissions, "aws_rds_cluster_instance.database_writer", os_metrics],
    }


def test_instances_are_private_monitored_and_upgraded_automatically(prod: Platform):
    for instance in bodies(prod, "aws_rds_cluster_instance").values():
        assert instance["publicly_accessible"] is False
        assert instance["auto_minor_version_upgrade"] is True
        assert instance["apply_immediately"] is False
        assert instance["copy_tags_to_snapshot"] is True
        assert instance["monitoring_interval"] == 60
        assert instance["monitoring_role_arn"] == "${aws_iam_role.database_database-monitoring.arn}"
        assert instance["performance_insights_enabled"] is True
        assert instance["performance_insights_kms_key_id"] == "${aws_kms_key.foundation_key-database.arn}"
        assert instance["engine_version"] == "${aws_rds_cluster.database_cluster.engine_version}"


def test_the_cluster_is_in_the_data_subnets_with_its_own_security_group(prod: Platform):
    cluster = only(prod, "aws_rds_cluster")
    assert cluster["vpc_security_group_ids"] == ["${aws_security_group.network_group-database.id}"]
    assert cluster["db_subnet_group_name"] == "${aws_db_subnet_group.database_subnets.name}"
    assert only(prod, "aws_db_subnet_group")["subnet_ids"] == [
        "${aws_subnet.network_data-a.id}",
        "${aws_subnet.network_data-b.id}",
    ]


def test_rds_manages_the_master_credential(prod: Platform):
    cluster = only(prod, "aws_rds_cluster")
    assert cluster["manage_master_user_password"] is True
    assert cluster["master_user_secret_kms_key_id"] == "${aws_kms_key.foundation_key-secrets.arn}"
    assert cluster["master_username"] not in {"admin", "postgres", "root"}
    assert not [argument for argument in cluster if argument.startswith("master_password")]


def test_logins_need_tls_and_scram_or_iam(prod: Platform):
    cluster = parameters(prod, "aws_rds_cluster_parameter_group")
    assert cluster["rds.force_ssl"] == "1"
    assert cluster["ssl_min_protocol_version"] == "TLSv1.2"
    assert cluster["password_encryption"] == "scram-sha-256"
    assert only(prod, "aws_rds_cluster")["iam_database_authentication_enabled"] is True


def test_static_parameters_are_applied_on_reboot(prod: Platform):
    methods = {
        entry["name"]: entry["apply_method"] for entry in only(prod, "aws_rds_cluster_parameter_group")["parameter"]
    }
    # RDS rejects `immediate` for static parameters.
    assert methods["shared_preload_libraries"] == methods["rds.force_ssl"] == "pending-reboot"
    assert methods["log_min_duration_statement"] == "immediate"


def test_parameters_equal_to_the_default_are_applied_on_reboot(prod: Platform):
    """Otherwise every plan would show a change: RDS reports `pending-reboot` for default values."""
    defaults = {"password_encryption": "scram-sha-256", "ssl_min_protocol_version": "TLSv1.2", "track_io_timing": "1"}
    for type_ in ("aws_rds_cluster_parameter_group", "aws_db_parameter_group"):
        for entry in only(prod, type_)["parameter"]:
            if defaults.get(entry["name"]) == entry["value"]:
                assert entry["apply_method"] == "pending-reboot"


def test_logins_changes_and_slow_statements_are_logged(prod: Platform):
    cluster = parameters(prod, "aws_rds_cluster_parameter_group")
    assert "pgaudit" in cluster["shared_preload_libraries"].split(",")
    assert {"ddl", "role"} <= set(cluster["pgaudit.log"].split(","))
    assert cluster["log_connections"] == cluster["log_disconnections"] == "1"
    assert cluster["log_statement"] == "ddl"
    assert int(cluster["log_min_duration_statement"]) > 0
    assert parameters(prod, "aws_db_parameter_group")["track_io_timing"] == "1"


@pytest.mark.parametrize(("name", "version", "major"), [("dev", "17.6", "17"), ("prod", "16.6", "16")])
def test_parameter_groups_follow_the_major_version(variants: dict[str, Platform], name: str, version: str, major: str):
    assert only(variants[name], "aws_rds_cluster")["engine_version"] == version
    for type_ in ("aws_rds_cluster_parameter_group", "aws_db_parameter_group"):
        group = only(variants[name], type_)
        assert group["family"] == f"aurora-postgresql{major}"
        # The old group is in use until the upgrade has finished.
        assert group["lifecycle"] == {"create_before_destroy": True}
        assert group["name_prefix"] == f"acme-{name}-database-{major}-"


def test_log_groups_with_key_and_retention_exist_before_the_cluster(prod: Platform):
    cluster = only(prod, "aws_rds_cluster")
    groups = bodies(prod, "aws_cloudwatch_log_group", "database")
    assert groups.pop("log-os-metrics")["name"] == "RDSOSMetrics"
    assert {group["name"] for group in groups.values()} == {
        f"/aws/rds/cluster/{cluster['cluster_identifier']}/{kind}"
        for kind in cluster["enabled_cloudwatch_logs_exports"]
    }
    assert {group["kms_key_id"] for group in groups.values()} == {"${aws_kms_key.foundation_key-logs.arn}"}
    assert {group["retention_in_days"] for group in groups.values()} == {400}
    assert set(cluster["depends_on"]) == {f"aws_cloudwatch_log_group.database_{name}" for name in groups}


def test_production_has_point_in_time_recovery_for_35_days(prod: Platform):
    cluster = only(prod, "aws_rds_cluster")
    assert cluster["backup_retention_period"] == 35
    assert cluster["delete_automated_backups"] is False
    assert cluster["copy_tags_to_snapshot"] is True


def test_the_backup_is_not_taken_during_maintenance(prod: Platform):
    cluster = only(prod, "aws_rds_cluster")
    assert cluster["preferred_backup_window"] == "08:00-09:00"
    assert cluster["preferred_maintenance_window"] == "sun:10:00-sun:11:00"
    assert cluster["apply_immediately"] is False


def test_the_cluster_is_protected_as_in_the_settings_and_leaves_a_final_snapshot(prod: Platform, dev: Platform):
    for platform, protected in ((prod, True), (dev, False)):
        cluster = only(platform, "aws_rds_cluster")
        assert cluster["deletion_protection"] is protected
        assert cluster["final_snapshot_identifier"].endswith("-database-final")


def test_autoscaling_adds_readers(prod: Platform):
    target = bodies(prod, "aws_appautoscaling_target")["reader-target"]
    assert (target["min_capacity"], target["max_capacity"]) == (1, 3)
    assert target["scalable_dimension"] == "rds:cluster:ReadReplicaCount"
    assert target["resource_id"] == "cluster:${aws_rds_cluster.database_cluster.cluster_identifier}"
    tracking = bodies(prod, "aws_appautoscaling_policy")["reader-cpu"]["target_tracking_scaling_policy_configuration"]
    assert tracking["predefined_metric_specification"] == {"predefined_metric_type": "RDSReaderAverageCPUUtilization"}
    assert tracking["target_value"] == 60


def test_there_is_no_autoscaling_if_the_maximum_equals_the_minimum(dev: Platform):
    scaled = dev.of_type("aws_appautoscaling_target", "aws_appautoscaling_policy")
    assert not [resource for resource in scaled if resource.tier == "database"]


def test_only_an_idle_development_cluster_pauses(prod: Platform, dev: Platform):
    assert "seconds_until_auto_pause" not in only(prod, "aws_rds_cluster")["serverlessv2_scaling_configuration"]
    assert only(dev, "aws_rds_cluster")["serverlessv2_scaling_configuration"] == {
        "min_capacity": 0,
        "max_capacity": 2,
        "seconds_until_auto_pause": 3600,
    }


def test_only_rds_of_this_account_may_assume_the_monitoring_role(prod: Platform):
    trust = statements(prod, "database", "database-monitoring-trust")["Assume"]
    assert trust["actions"] == ["sts:AssumeRole"]
    assert trust["principals"][0]["identifiers"] == ["monitoring.rds.amazonaws.com"]
    assert conditions(trust)["StringEquals aws:SourceAccount"] == ["111122223333"]
    (attached,) = bodies(prod, "aws_iam_role_policy_attachment", "database").values()
    assert attached["policy_arn"].endswith("AmazonRDSEnhancedMonitoringRole")


def test_another_environment_of_the_account_may_have_the_log_group_of_os_metrics(variants: dict[str, Platform]):
    assert "log-os-metrics" not in bodies(variants["dev"], "aws_cloudwatch_log_group", "database")


def test_the_endpoints_are_outputs(prod: Platform):
    outputs = prod.stacks["database"].document["output"]
    values = {name: output["value"] for name, output in outputs.items() if not name.startswith("cross-stack")}
    assert values["writer_endpoint"] == "${aws_rds_cluster.cluster.endpoint}"
    assert values["reader_endpoint"] == "${aws_rds_cluster.cluster.reader_endpoint}"
    assert values["port"] == "${aws_rds_cluster.cluster.port}"
    master_secret = 'try(aws_rds_cluster.cluster.master_user_secret[0].secret_arn, "none")'
    assert values["master_secret_arn"] == f"${{{master_secret}}}"


# "Maximum connections for Aurora Serverless v2" in the Aurora User Guide.
AWS_TABLE = [(1, 189), (4, 823), (8, 1669), (16, 3360), (32, 5000), (256, 5000)]


@pytest.mark.parametrize(("capacity", "documented"), AWS_TABLE)
def test_max_connections_is_close_to_auroras_table(capacity: float, documented: int):
    settings = DatabaseSettings.model_construct(minimum_capacity=1, maximum_capacity=capacity)
    assert 0.95 * documented <= max_connections(settings) <= 1.1 * documented


def test_a_small_minimum_capacity_limits_max_connections():
    settings: dict[str, Any] = {"minimum_capacity": 0.5, "maximum_capacity": 64}
    assert max_connections(DatabaseSettings.model_construct(**settings)) == 2000


def test_failed_logins_are_counted_in_the_postgresql_log(prod: Platform):
    metric_filter = bodies(prod, "aws_cloudwatch_log_metric_filter")["failed-logins"]
    assert metric_filter["log_group_name"] == "${aws_cloudwatch_log_group.database_log-postgresql.name}"
    alarm = bodies(prod, "aws_cloudwatch_metric_alarm", "database")["alarm-failed-logins"]
    transformation = metric_filter["metric_transformation"]
    assert (alarm["namespace"], alarm["metric_name"]) == (transformation["namespace"], transformation["name"])


def test_busy_statements_raise_an_alarm_at_one_session_per_vcpu(prod: Platform, dev: Platform):
    # 64 ACU of 2 GiB, at 8 GiB per vCPU; and dev's half a vCPU, where one busy statement is no incident.
    for platform, sessions in ((prod, 16), (dev, 2)):
        alarm = bodies(platform, "aws_cloudwatch_metric_alarm", "database")["alarm-load"]
        assert [query["expression"] for query in alarm["metric_query"]] == ['SELECT MAX(DBLoad) FROM "AWS/RDS"']
        assert alarm["threshold"] == sessions
