"""Guarantees of the whole platform: encryption, availability, copies, monitoring, logging."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from synthesized.platform import Body, Platform
from tests.synthesized import bodies, container, only

# The argument with the KMS key, by type of data store.
AT_REST: dict[str, Callable[[Body], Any]] = {
    "aws_backup_vault": lambda body: body["kms_key_arn"],
    "aws_cloudwatch_log_group": lambda body: body["kms_key_id"],
    "aws_ecr_repository": lambda body: body["encryption_configuration"][0]["kms_key"],
    "aws_efs_file_system": lambda body: body["encrypted"] and body["kms_key_id"],
    "aws_elasticache_replication_group": lambda body: body["at_rest_encryption_enabled"] and body["kms_key_id"],
    "aws_rds_cluster": lambda body: body["storage_encrypted"] and body["kms_key_id"],
    "aws_lambda_function": lambda body: body["kms_key_arn"],
    "aws_secretsmanager_secret": lambda body: body["kms_key_id"],
    "aws_rds_cluster_instance": lambda body: body["performance_insights_kms_key_id"],
    "aws_sns_topic": lambda body: body["kms_master_key_id"],
}
# All types of data stores, including those that are not used. S3 has its own test.
DATA_STORES = {
    *AT_REST,
    "aws_db_instance",
    "aws_dynamodb_table",
    "aws_ebs_volume",
    "aws_elasticache_cluster",
    "aws_elasticache_serverless_cache",
    "aws_kinesis_firehose_delivery_stream",
    "aws_kinesis_stream",
    "aws_opensearch_domain",
    "aws_s3_bucket",
    "aws_sqs_queue",
    "aws_ssm_parameter",
}


def without_our_key(platform: Platform) -> list[str]:
    return [
        store.address
        for store in platform.of_type(*AT_REST)
        if not str(AT_REST[store.type](store.body)).startswith("${aws_kms_key.foundation_key-")
    ]


def test_every_data_store_is_encrypted_with_a_customer_managed_key(platform: Platform):
    assert {store.type for store in platform.of_type(*DATA_STORES)} == {*AT_REST, "aws_s3_bucket"}
    assert not without_our_key(platform)


@pytest.mark.parametrize(
    ("type_", "argument"),
    [("aws_efs_file_system", "encrypted"), ("aws_rds_cluster", "kms_key_id"), ("aws_sns_topic", "kms_master_key_id")],
)
def test_a_data_store_without_a_key_is_found(prod: Platform, type_: str, argument: str):
    (store,) = prod.of_type(type_)
    planted = replace(store, body={**store.body, argument: False})
    others = tuple(resource for resource in prod.resources if resource is not store)
    assert without_our_key(replace(prod, resources=(planted, *others))) == [store.address]


def test_every_bucket_is_encrypted_with_kms_unless_its_source_supports_only_sse_s3(platform: Platform):
    algorithms = {
        name.removesuffix("-encryption"): body["rule"][0]["apply_server_side_encryption_by_default"]["sse_algorithm"]
        for name, body in bodies(platform, "aws_s3_bucket_server_side_encryption_configuration").items()
    }
    assert algorithms == {"audit": "aws:kms", "config": "aws:kms", "delivery": "AES256"}
    assert algorithms.keys() == bodies(platform, "aws_s3_bucket").keys()


def test_every_connection_to_data_is_encrypted(platform: Platform):
    parameters = only(platform, "aws_rds_cluster_parameter_group")["parameter"]
    assert {"rds.force_ssl": "1"}.items() <= {entry["name"]: entry["value"] for entry in parameters}.items()
    cache = only(platform, "aws_elasticache_replication_group")
    assert (cache["transit_encryption_enabled"], cache["transit_encryption_mode"]) == (True, "required")
    mounts = [
        volume["efs_volume_configuration"]
        for volume in only(platform, "aws_ecs_task_definition")["volume"]
        if "efs_volume_configuration" in volume
    ]
    assert {mount["transit_encryption"] for mount in mounts} == {"ENABLED"}
    assert {listener["protocol"] for listener in bodies(platform, "aws_lb_listener").values()} == {"HTTPS", "HTTP"}
    assert only(platform, "aws_lb_target_group")["protocol"] == "HTTPS"
    # Buckets, topic, file system and secret deny requests without TLS.
    refusing = {
        document.name
        for document in platform.data
        if document.type == "aws_iam_policy_document"
        for statement in document.body["statement"]
        if statement["sid"] == "DenyPlaintext"
    }
    assert refusing == {
        "alarms-access",
        "audit-access",
        "config-access",
        "delivery-access",
        "access",
        "credential-access",
    }


def copied_to_second_region(platform: Platform) -> set[str]:
    """Data stores in backup plans that copy all backups to a vault in the second Region."""
    vaults = {f"${{{vault.address}.arn}}" for vault in platform.of_type("aws_backup_vault") if "provider" in vault.body}
    plans = {
        f"${{{plan.address}.id}}"
        for plan in platform.of_type("aws_backup_plan")
        if all(
            vaults & {copy["destination_vault_arn"] for copy in rule.get("copy_action", [])}
            for rule in plan.body["rule"]
        )
    }
    return {
        arn
        for selection in bodies(platform, "aws_backup_selection").values()
        if selection["plan_id"] in plans
        for arn in selection["resources"]
    }


def test_data_without_another_source_is_copied_to_the_second_region(
    shipped: dict[str, Platform], three_zones: Platform
):
    for platform in (shipped["prod"], shipped["staging"], three_zones):
        lasting = platform.of_type("aws_rds_cluster", "aws_efs_file_system")
        assert copied_to_second_region(platform) == {f"${{{store.address}.arn}}" for store in lasting}
        (first, second) = platform.stacks["recovery"].providers
        assert first["region"] != second["region"]


def test_a_data_store_without_copies_is_found(prod: Platform):
    (plan,) = prod.of_type("aws_backup_plan")
    rules = [{name: value for name, value in rule.items() if name != "copy_action"} for rule in plan.body["rule"]]
    others = tuple(resource for resource in prod.resources if resource is not plan)
    planted = replace(plan, body={**plan.body, "rule": rules})
    assert copied_to_second_region(replace(prod, resources=(planted, *others))) == set()


def zones(platform: Platform) -> list[str]:
    return sorted({subnet["availability_zone"] for subnet in bodies(platform, "aws_subnet").values()})


def in_zones(platform: Platform, subnets: list[str]) -> list[str]:
    """Zones of subnets that are given as references."""
    of_subnet = {
        f"${{{subnet.address}.id}}": subnet.body["availability_zone"] for subnet in platform.of_type("aws_subnet")
    }
    return sorted(of_subnet[reference] for reference in subnets)


def test_everything_that_serves_customers_is_in_every_zone(platform: Platform):
    everywhere = zones(platform)
    assert len(everywhere) >= 2
    assert in_zones(platform, only(platform, "aws_lb")["subnets"]) == everywhere
    assert in_zones(platform, only(platform, "aws_ecs_service")["network_configuration"]["subnets"]) == everywhere
    assert in_zones(platform, only(platform, "aws_db_subnet_group")["subnet_ids"]) == everywhere
    assert in_zones(platform, only(platform, "aws_elasticache_subnet_group")["subnet_ids"]) == everywhere
    mounts = bodies(platform, "aws_efs_mount_target").values()
    assert in_zones(platform, [mount["subnet_id"] for mount in mounts]) == everywhere
    for endpoint in bodies(platform, "aws_vpc_endpoint").values():
        if endpoint["vpc_endpoint_type"] == "Interface":
            assert in_zones(platform, endpoint["subnet_ids"]) == everywhere


def test_production_has_a_task_for_every_zone_from_the_start(shipped: dict[str, Platform], three_zones: Platform):
    for platform in (shipped["prod"], three_zones):
        assert only(platform, "aws_ecs_service")["desired_count"] >= len(zones(platform))
        (target,) = (
            body for name, body in bodies(platform, "aws_appautoscaling_target").items() if name == "task-target"
        )
        assert target["min_capacity"] == only(platform, "aws_ecs_service")["desired_count"]


def test_tasks_use_every_access_point(platform: Platform):
    used = {
        volume["efs_volume_configuration"]["authorization_config"]["access_point_id"]
        for volume in only(platform, "aws_ecs_task_definition")["volume"]
        if "efs_volume_configuration" in volume
    }
    points = {f"${{{point.address}.id}}" for point in platform.of_type("aws_efs_access_point")}
    assert used == points != set()
    assert {mount["sourceVolume"] for mount in container(platform)["mountPoints"]} > {"uploads", "documents"}


# CloudWatch namespaces of all services on the path of a request or its data.
MONITORED = {
    "AWS/ApplicationELB",
    "AWS/Backup",
    "AWS/CertificateManager",
    "AWS/ECS",
    "AWS/EFS",
    "AWS/Lambda",
    "AWS/ElastiCache",
    "AWS/NATGateway",
    "AWS/RDS",
    "AWS/WAFV2",
    "ECS/ContainerInsights",
}


def test_every_service_has_alarms(platform: Platform):
    seen = str([alarm.body for alarm in platform.of_type("aws_cloudwatch_metric_alarm")])
    assert not {namespace for namespace in MONITORED if namespace not in seen}


def test_every_service_that_supports_logging_logs(platform: Platform):
    groups = {group.address for group in platform.of_type("aws_cloudwatch_log_group")}
    assert only(platform, "aws_rds_cluster")["enabled_cloudwatch_logs_exports"]
    assert len(only(platform, "aws_elasticache_replication_group")["log_delivery_configuration"]) == 2
    assert only(platform, "aws_flow_log")["traffic_type"] == "ALL"
    assert only(platform, "aws_lb")["access_logs"]["enabled"] is True
    assert only(platform, "aws_lb")["connection_logs"]["enabled"] is True
    assert only(platform, "aws_wafv2_web_acl_logging_configuration")["log_destination_configs"]
    assert container(platform)["logConfiguration"]["options"]["awslogs-group"]
    # Flow logs, two of the database, two of the cache, application, WAF, Container Insights, rotation, two state
    # machines, trail.
    assert len(groups) == 12
