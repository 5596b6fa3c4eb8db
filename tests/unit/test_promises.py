"""Guarantees of the whole platform: encryption, availability, copies, monitoring, logging."""

from dataclasses import replace

import pytest

from stacks import ROOT
from stacks.settings import load_environments
from synthesized.catalogue.table import row_of
from synthesized.controls import CONTROLS
from synthesized.controls.control import Control
from synthesized.controls.document import Document, values
from synthesized.platform import Platform
from tests.failures import expect_none
from tests.synthesized import bodies, container, names_of, only

# All types of data stores, including those that are not used. S3 has its own test.
DATA_STORES = (
    "aws_backup_vault",
    "aws_cloudwatch_log_group",
    "aws_db_instance",
    "aws_dynamodb_table",
    "aws_ebs_volume",
    "aws_ecr_repository",
    "aws_efs_file_system",
    "aws_elasticache_cluster",
    "aws_elasticache_replication_group",
    "aws_elasticache_serverless_cache",
    "aws_kinesis_firehose_delivery_stream",
    "aws_kinesis_stream",
    "aws_lambda_function",
    "aws_opensearch_domain",
    "aws_rds_cluster",
    "aws_rds_cluster_instance",
    "aws_secretsmanager_secret",
    "aws_sns_topic",
    "aws_sqs_queue",
    "aws_ssm_parameter",
)
ENCRYPTION = [control for control in CONTROLS if {"3.5.1", "4.2.1"} & set(control.requirements)]


@pytest.mark.parametrize("control", ENCRYPTION, ids=[control.name for control in ENCRYPTION])
def test_data_is_encrypted_at_rest_and_in_transit_in_every_environment(everywhere: list[Platform], control: Control):
    for platform in everywhere:
        expect_none(control.problems(Document.of(platform)))


def test_the_catalogue_knows_the_key_argument_of_every_data_store(everywhere: list[Platform]):
    for platform in everywhere:
        expect_none(
            f"{store.address}: keys: missing in the row of {store.type} in the catalogue"
            for store in platform.of_type(*DATA_STORES)
            if not row_of(store.type).keys
        )


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


def test_data_without_another_source_is_copied_to_the_second_region(everywhere: list[Platform], prod: Platform):
    with_second_region = [each for each in everywhere if names_of(each).second_region]
    for platform in (*with_second_region, prod):
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


def test_production_has_a_task_for_every_zone_from_the_start(
    shipped: dict[str, Platform], prod: Platform, three_zones: Platform
):
    production = {each.name for each in load_environments(ROOT / "environments") if each.production}
    for platform in (*(shipped[name] for name in production), prod, three_zones):
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


def test_every_service_that_supports_logging_logs(everywhere: list[Platform]):
    for platform in everywhere:
        assert only(platform, "aws_rds_cluster")["enabled_cloudwatch_logs_exports"]
        assert len(only(platform, "aws_elasticache_replication_group")["log_delivery_configuration"]) == 2
        assert only(platform, "aws_flow_log")["traffic_type"] == "ALL"
        assert only(platform, "aws_lb")["access_logs"]["enabled"] is True
        assert only(platform, "aws_lb")["connection_logs"]["enabled"] is True
        assert only(platform, "aws_wafv2_web_acl_logging_configuration")["log_destination_configs"]
        assert container(platform)["logConfiguration"]["options"]["awslogs-group"]
