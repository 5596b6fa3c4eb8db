"""The service tier: task definition, roles, placement, deployments, autoscaling."""

import pytest

from synthesized.platform import Body, Platform
from tests.synthesized import bodies, conditions, container, has, only, statements

pytestmark = pytest.mark.tiers("service")

POINTS = [f"${{aws_efs_access_point.storage_{use}.arn}}" for use in ("uploads", "documents")]


def service(platform: Platform) -> Body:
    return only(platform, "aws_ecs_service")


def test_the_container_is_hardened(platforms: dict[str, Platform]):
    for platform in platforms.values():
        definition = container(platform)
        assert definition["readonlyRootFilesystem"] is True
        assert definition["privileged"] is False
        assert definition["user"] == "1000:1000"
        assert definition["linuxParameters"] == {
            "initProcessEnabled": True,
            "capabilities": {"add": [], "drop": ["ALL"]},
        }
        assert definition["memory"] == int(only(platform, "aws_ecs_task_definition")["memory"])
        assert service(platform)["enable_execute_command"] is False


def test_the_image_is_the_one_in_the_settings(prod: Platform, dev: Platform):
    repository = "${aws_ecr_repository.foundation_images.repository_url}"
    assert container(prod)["image"].startswith(f"{repository}@sha256:0123456789abcdef")
    assert container(dev)["image"] == f"{repository}:0.1.0"


def test_the_task_has_the_size_and_architecture_of_the_settings(prod: Platform, variants: dict[str, Platform]):
    arguments = {"network_mode": "awsvpc", "requires_compatibilities": ["FARGATE"], "cpu": "1024", "memory": "2048"}
    assert has(prod, "service", "aws_ecs_task_definition", **arguments)
    assert only(prod, "aws_ecs_task_definition")["runtime_platform"]["cpu_architecture"] == "ARM64"
    assert has(variants["prod"], "service", "aws_ecs_task_definition", cpu="4096", memory="8192")
    assert only(variants["prod"], "aws_ecs_task_definition")["runtime_platform"]["cpu_architecture"] == "X86_64"


def test_files_are_mounted_through_their_access_points_over_tls_with_iam(platforms: dict[str, Platform]):
    for platform in platforms.values():
        volumes = {volume["name"]: volume for volume in only(platform, "aws_ecs_task_definition")["volume"]}
        assert volumes.pop("scratch") == {"name": "scratch"}
        assert volumes.keys() == {"uploads", "documents"}
        for use, volume in volumes.items():
            assert volume["efs_volume_configuration"] == {
                "file_system_id": "${aws_efs_file_system.storage_files.id}",
                "transit_encryption": "ENABLED",
                "authorization_config": {
                    "access_point_id": f"${{aws_efs_access_point.storage_{use}.id}}",
                    "iam": "ENABLED",
                },
            }


def test_every_volume_is_mounted_and_every_mount_is_a_volume(prod: Platform):
    mounted = {mount["sourceVolume"]: mount["containerPath"] for mount in container(prod)["mountPoints"]}
    assert mounted.keys() == {volume["name"] for volume in only(prod, "aws_ecs_task_definition")["volume"]}
    assert mounted["scratch"] == "/tmp"  # noqa: S108 - the container's own


def test_the_environment_contains_endpoints_and_no_secret(prod: Platform):
    environment = {entry["name"]: entry["value"] for entry in container(prod)["environment"]}
    cluster = "aws_rds_cluster.database_cluster"
    assert environment["DATABASE_WRITER_HOST"] == f"${{{cluster}.endpoint}}"
    assert environment["DATABASE_READER_HOST"] == f"${{{cluster}.reader_endpoint}}"
    assert environment["CACHE_HOST"] == (
        "${aws_elasticache_replication_group.cache_cache.configuration_endpoint_address}"
    )
    assert environment["CACHE_USER"] == "${aws_elasticache_user.cache_application.user_name}"
    assert not [
        name for name in environment for word in ("PASSWORD", "SECRET", "TOKEN", "KEY", "CREDENTIAL") if word in name
    ]


def test_the_container_logs_to_cloudwatch_logs(prod: Platform):
    log = container(prod)["logConfiguration"]
    assert log["logDriver"] == "awslogs"
    assert log["options"]["awslogs-group"] == "${aws_cloudwatch_log_group.service_log.name}"
    assert log["options"]["awslogs-region"] == "eu-west-3"


def test_earlier_task_definitions_stay_for_rollback(prod: Platform):
    assert only(prod, "aws_ecs_task_definition")["skip_destroy"] is True


def trust(platform: Platform, role: str) -> Body:
    (assume,) = statements(platform, "service", f"{role}-trust").values()
    return assume


def test_ecs_and_the_application_have_separate_roles(prod: Platform):
    task = only(prod, "aws_ecs_task_definition")
    assert task["execution_role_arn"] == "${aws_iam_role.service_service-execution.arn}"
    assert task["task_role_arn"] == "${aws_iam_role.service_service-task.arn}"
    assert task["depends_on"] == [
        "aws_iam_role_policy.service_service-execution-policy",
        "aws_iam_role_policy.service_service-task-policy",
    ]
    for role in ("service-execution", "service-task"):
        assert trust(prod, role)["principals"] == [{"type": "Service", "identifiers": ["ecs-tasks.amazonaws.com"]}]
        assert conditions(trust(prod, role)) == {
            "StringEquals aws:SourceAccount": ["111122223333"],
            "ArnLike aws:SourceArn": ["arn:aws:ecs:eu-west-3:111122223333:*"],
        }


def test_ecs_may_pull_this_image_write_this_log_and_read_this_secret(prod: Platform):
    may = statements(prod, "service", "service-execution-permissions")
    assert {sid: (statement["actions"], statement["resources"]) for sid, statement in may.items()} == {
        # The action supports no resource-level permissions.
        "LogInToRegistry": (["ecr:GetAuthorizationToken"], ["*"]),
        "Pull": (
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            ["${aws_ecr_repository.foundation_images.arn}"],
        ),
        "Log": (
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            ["${aws_cloudwatch_log_group.service_log.arn}:*"],
        ),
        "ReadCredential": (
            ["secretsmanager:GetSecretValue"],
            ["${aws_secretsmanager_secret.rotation_credential.arn}"],
        ),
        "UseKey": (["kms:Decrypt"], ["${aws_kms_key.foundation_key-secrets.arn}"]),
    }


def test_the_application_may_use_its_files_and_its_cache(prod: Platform):
    may = statements(prod, "service", "service-task-permissions")
    assert may.keys() == {"UseFiles", "UseCache"}
    assert set(may["UseFiles"]["actions"]) == {"elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"}
    assert may["UseFiles"]["resources"] == ["${aws_efs_file_system.storage_files.arn}"]
    assert conditions(may["UseFiles"]) == {"StringEquals elasticfilesystem:AccessPointArn": POINTS}
    assert may["UseCache"]["actions"] == ["elasticache:Connect"]
    assert may["UseCache"]["resources"] == [
        "${aws_elasticache_replication_group.cache_cache.arn}",
        "${aws_elasticache_user.cache_application.arn}",
    ]


def test_tasks_are_in_every_zone_and_have_no_public_address(variants: dict[str, Platform]):
    assert service(variants["prod"])["network_configuration"] == {
        "subnets": [f"${{aws_subnet.network_app-{letter}.id}}" for letter in "cba"],
        "security_groups": ["${aws_security_group.network_group-service.id}"],
        "assign_public_ip": False,
    }
    assert service(variants["prod"])["availability_zone_rebalancing"] == "ENABLED"


def test_a_deployment_keeps_all_tasks_and_rolls_back(prod: Platform):
    running = service(prod)
    assert running["deployment_minimum_healthy_percent"] == 100
    assert running["deployment_maximum_percent"] == 200
    assert running["deployment_circuit_breaker"] == {"enable": True, "rollback": True}
    assert running["alarms"] == {
        "enable": True,
        "rollback": True,
        "alarm_names": [
            f"${{aws_cloudwatch_metric_alarm.service_alarm-{name}.alarm_name}}"
            for name in ("errors", "refused", "latency", "unhealthy")
        ],
    }
    assert 60 <= running["health_check_grace_period_seconds"] <= 120
    assert "aws_lb_listener.service_https" in running["depends_on"]


def test_a_change_to_the_capacity_strategy_does_not_replace_the_service(prod: Platform):
    # Without it, the provider replaces the service when its capacity_provider_strategy changes.
    assert service(prod)["force_new_deployment"] is True


def test_autoscaling_manages_the_number_of_tasks(prod: Platform):
    assert service(prod)["desired_count"] == 4
    assert service(prod)["lifecycle"] == {"ignore_changes": ["desired_count"]}
    target = bodies(prod, "aws_appautoscaling_target")["task-target"]
    assert (target["min_capacity"], target["max_capacity"]) == (4, 40)
    assert target["resource_id"] == (
        "service/${aws_ecs_cluster.service_cluster.name}/${aws_ecs_service.service_service.name}"
    )


def tracking(platform: Platform) -> dict[str, Body]:
    return {
        name: policy["target_tracking_scaling_policy_configuration"]
        for name, policy in bodies(platform, "aws_appautoscaling_policy").items()
        if name.startswith("task-")
    }


def test_tasks_follow_cpu_and_requests(prod: Platform):
    cpu, requests = tracking(prod)["task-cpu"], tracking(prod)["task-requests"]
    assert cpu["predefined_metric_specification"] == {"predefined_metric_type": "ECSServiceAverageCPUUtilization"}
    assert requests["predefined_metric_specification"] == {
        "predefined_metric_type": "ALBRequestCountPerTarget",
        "resource_label": "${aws_lb.service_load-balancer.arn_suffix}/${aws_lb_target_group.service_tasks.arn_suffix}",
    }
    assert requests["target_value"] == 1000
    for policy in (cpu, requests):
        assert (policy["scale_out_cooldown"], policy["scale_in_cooldown"]) == (60, 300)


def test_the_remaining_zones_can_take_the_load_of_a_lost_one(prod: Platform, variants: dict[str, Platform]):
    for platform, zones in ((prod, 2), (variants["prod"], 3)):
        at = tracking(platform)["task-cpu"]["target_value"]
        # CPU of the remaining tasks.
        assert at * zones / (zones - 1) <= 90
        assert at <= 60


def test_the_minimum_number_of_tasks_is_on_demand(platforms: dict[str, Platform]):
    strategies = {
        name: {entry["capacity_provider"]: entry for entry in service(platform)["capacity_provider_strategy"]}
        for name, platform in platforms.items()
    }
    assert strategies["prod"].keys() == {"FARGATE"}
    assert {name: strategies[name]["FARGATE"]["base"] for name in strategies} == {"prod": 4, "staging": 2, "dev": 1}
    for name in ("staging", "dev"):
        assert strategies[name]["FARGATE_SPOT"] == {"capacity_provider": "FARGATE_SPOT", "weight": 3}
    assert only(platforms["prod"], "aws_ecs_cluster_capacity_providers")["capacity_providers"] == [
        "FARGATE",
        "FARGATE_SPOT",
    ]


def test_container_insights_uses_our_log_group(prod: Platform):
    cluster = only(prod, "aws_ecs_cluster")
    assert cluster["setting"] == [{"name": "containerInsights", "value": "enhanced"}]
    # Otherwise ECS creates the group, without KMS key and retention.
    assert cluster["depends_on"] == ["aws_cloudwatch_log_group.service_insights-log"]
    assert bodies(prod, "aws_cloudwatch_log_group", "service")["insights-log"]["name"] == (
        f"/aws/ecs/containerinsights/{cluster['name']}/performance"
    )


def test_load_balancer_and_service_are_outputs(prod: Platform):
    outputs = prod.stacks["service"].document["output"]
    assert outputs["load_balancer_name"]["value"] == "${aws_lb.load-balancer.name}"
    assert outputs["load_balancer_address"]["value"] == "${aws_lb.load-balancer.dns_name}"
    assert outputs["service_name"]["value"] == "${aws_ecs_service.service.name}"
