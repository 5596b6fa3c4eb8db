"""Guarantees of the whole platform: encryption, availability, copies, monitoring, logging."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from synthesized.controls.document import values
from synthesized.platform import Platform
from tests.failures import expect_none
from tests.policy.planted import is_noticed, with_added, with_changed
from tests.synthesized import bodies, container, only, statements

# The argument with the KMS key and the key's purpose, by type of data store. tests/unit/test_all_stacks.py covers log
# groups and buckets.
AT_REST = {
    "aws_backup_vault": ("kms_key_arn", "backup"),
    "aws_ecr_repository": ("encryption_configuration.kms_key", "images"),
    "aws_efs_file_system": ("kms_key_id", "files"),
    "aws_elasticache_replication_group": ("kms_key_id", "files"),
    "aws_lambda_function": ("kms_key_arn", "secrets"),
    "aws_rds_cluster": ("kms_key_id", "database"),
    "aws_rds_cluster_instance": ("performance_insights_kms_key_id", "database"),
    "aws_secretsmanager_secret": ("kms_key_id", "secrets"),
    "aws_sns_topic": ("kms_master_key_id", "alarms"),
}
# Arguments that enable encryption, by type. Without them the key is not used.
ENABLED_BY = {
    "aws_efs_file_system": ("encrypted", True),
    "aws_elasticache_replication_group": ("at_rest_encryption_enabled", "true"),
    "aws_rds_cluster": ("storage_encrypted", True),
}
# All other types of data stores.
OTHER_DATA_STORES = (
    "aws_db_instance",
    "aws_dynamodb_table",
    "aws_ebs_volume",
    "aws_elasticache_cluster",
    "aws_elasticache_serverless_cache",
    "aws_kinesis_firehose_delivery_stream",
    "aws_kinesis_stream",
    "aws_opensearch_domain",
    "aws_sqs_queue",
    "aws_ssm_parameter",
)


def unencrypted(platform: Platform) -> Iterator[str]:
    """Data stores that are not encrypted with a customer managed key."""
    for store in platform.of_type(*OTHER_DATA_STORES):
        yield f"{store.address}: AT_REST has no argument with the key of an {store.type}"
    for store in platform.of_type(*AT_REST):
        argument, on = ENABLED_BY.get(store.type, ("", None))
        if store.body.get(argument) != on:
            yield f"{store.address}: {argument} = {store.body.get(argument)}, expected: {on}"
        argument, purpose = AT_REST[store.type]
        (key,) = values(store.body, argument)
        if not str(key).startswith(f"${{aws_kms_key.foundation_key-{purpose}"):
            yield f"{store.address}: {argument} = {key}, expected: the key of {purpose}"


def test_every_data_store_is_encrypted_with_a_customer_managed_key(everywhere: list[Platform]):
    for platform in everywhere:
        assert {store.type for store in platform.of_type(*AT_REST)} == AT_REST.keys()
        expect_none(unencrypted(platform))


@pytest.mark.parametrize(
    ("type_", "argument"),
    [("aws_efs_file_system", "encrypted"), ("aws_rds_cluster", "kms_key_id"), ("aws_sns_topic", "kms_master_key_id")],
)
def test_a_data_store_without_a_key_is_found(prod: Platform, type_: str, argument: str):
    (store, *_) = prod.of_type(type_)
    planted = with_changed(prod, store.address, **{argument: False})
    assert is_noticed(f"{store.address}: {argument} = False", [*unencrypted(planted)], [*unencrypted(prod)])


def test_a_data_store_of_another_type_is_found(prod: Platform):
    planted = with_added(prod, "storage", "aws_dynamodb_table", "planted", {})
    assert set(unencrypted(planted)) > set(unencrypted(prod))


def plaintext(platform: Platform) -> Iterator[str]:
    """Connections to data stores that are not encrypted."""
    expected = {
        "aws_elasticache_replication_group": {
            "transit_encryption_enabled": [True],
            "transit_encryption_mode": ["required"],
        },
        "aws_lb_target_group": {"protocol": ["HTTPS"]},
        "aws_lb_listener": {"protocol": ["HTTPS", "HTTP"]},
    }
    for type_, arguments in expected.items():
        for resource in platform.of_type(type_):
            for argument, allowed in arguments.items():
                if resource.body.get(argument) not in allowed:
                    yield f"{resource.address}: {argument} = {resource.body.get(argument)}, expected: {allowed[0]}"
    for group in platform.of_type("aws_rds_cluster_parameter_group"):
        forced = {entry["name"]: entry["value"] for entry in group.body["parameter"]}.get("rds.force_ssl")
        if forced != "1":
            yield f"{group.address}: parameter rds.force_ssl = {forced}, expected: 1"
    for task in platform.of_type("aws_ecs_task_definition"):
        for encryption in values(task.body, "volume.efs_volume_configuration.transit_encryption"):
            if encryption != "ENABLED":
                yield f"{task.address}: volume transit_encryption = {encryption}, expected: ENABLED"


# Buckets, topic, file system and secret deny requests without TLS.
DENYING_PLAINTEXT = (
    *("foundation_alarms-access", "foundation_audit-access", "foundation_config-access", "foundation_delivery-access"),
    *("storage_access", "rotation_credential-access"),
)


def test_every_connection_to_data_is_encrypted(everywhere: list[Platform]):
    for platform in everywhere:
        expect_none(plaintext(platform))
        for document in DENYING_PLAINTEXT:
            tier, _, name = document.partition("_")
            assert statements(platform, tier, name)["DenyPlaintext"]["effect"] == "Deny"


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


# The argument with the subnets, by type of resource that serves customers.
PLACED_BY = {
    "aws_lb": "subnets",
    "aws_ecs_service": "network_configuration.subnets",
    "aws_db_subnet_group": "subnet_ids",
    "aws_elasticache_subnet_group": "subnet_ids",
    "aws_vpc_endpoint": "subnet_ids",
}


def test_everything_that_serves_customers_is_in_every_zone(everywhere: list[Platform]):
    for platform in everywhere:
        assert len(zones(platform)) >= 2
        assert {placed.type for placed in platform.of_type(*PLACED_BY)} == PLACED_BY.keys()
        expect_none(
            f"{placed.address}: {PLACED_BY[placed.type]} are in {found}, expected: {zones(platform)}"
            for placed in platform.of_type(*PLACED_BY)
            if placed.body.get("vpc_endpoint_type") != "Gateway"
            for found in [in_zones(platform, values(placed.body, PLACED_BY[placed.type])[0])]
            if found != zones(platform)
        )
        mounts = bodies(platform, "aws_efs_mount_target").values()
        assert in_zones(platform, [mount["subnet_id"] for mount in mounts]) == zones(platform)


def test_production_has_a_task_for_every_zone_from_the_start(shipped: dict[str, Platform], three_zones: Platform):
    for platform in (shipped["prod"], three_zones):
        assert only(platform, "aws_ecs_service")["desired_count"] >= len(zones(platform))
        target = bodies(platform, "aws_appautoscaling_target")["task-target"]
        assert target["min_capacity"] == only(platform, "aws_ecs_service")["desired_count"]


def test_tasks_use_every_access_point(everywhere: list[Platform]):
    for platform in everywhere:
        used = {
            volume["efs_volume_configuration"]["authorization_config"]["access_point_id"]
            for volume in only(platform, "aws_ecs_task_definition")["volume"]
            if "efs_volume_configuration" in volume
        }
        points = {f"${{{point.address}.id}}" for point in platform.of_type("aws_efs_access_point")}
        assert used == points
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


def test_every_service_has_alarms(everywhere: list[Platform]):
    for platform in everywhere:
        seen = str([alarm.body for alarm in platform.of_type("aws_cloudwatch_metric_alarm")])
        expect_none(
            f"aws_cloudwatch_metric_alarm: namespace: none has {namespace}"
            for namespace in MONITORED
            if namespace not in seen
        )


# Flow logs, two of the database, two of the cache, application, WAF, Container Insights, rotation, two state machines,
# trail.
LOG_GROUPS = 12


def test_every_service_that_supports_logging_logs(everywhere: list[Platform]):
    for platform in everywhere:
        assert only(platform, "aws_rds_cluster")["enabled_cloudwatch_logs_exports"]
        assert len(only(platform, "aws_elasticache_replication_group")["log_delivery_configuration"]) == 2
        assert only(platform, "aws_flow_log")["traffic_type"] == "ALL"
        assert only(platform, "aws_lb")["access_logs"]["enabled"] is True
        assert only(platform, "aws_lb")["connection_logs"]["enabled"] is True
        assert only(platform, "aws_wafv2_web_acl_logging_configuration")["log_destination_configs"]
        assert container(platform)["logConfiguration"]["options"]["awslogs-group"]
        assert len(platform.of_type("aws_cloudwatch_log_group")) >= LOG_GROUPS
