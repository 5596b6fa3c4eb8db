"""Out-of-band changes to ECS resources, one per argument."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change

IMMUTABLE = "a revision cannot be changed"


def _update(**changed: Any) -> Change:
    return lambda aws, state: aws.client("ecs").update_service(
        cluster=state["cluster"], service=state["name"], **changed
    )


def _deployments(**changed: Any) -> Change:
    return _update(deploymentConfiguration=changed)


def _fewer_subnets(aws: LocalAws, state: dict[str, Any]) -> None:
    (network,) = state["network_configuration"]
    configuration = {"subnets": network["subnets"][:1], "securityGroups": network["security_groups"]}
    _update(networkConfiguration={"awsvpcConfiguration": {"assignPublicIp": "DISABLED", **configuration}})(aws, state)


def _another_port(aws: LocalAws, state: dict[str, Any]) -> None:
    (balancer,) = state["load_balancer"]
    changed = {"targetGroupArn": balancer["target_group_arn"], "containerName": balancer["container_name"]}
    _update(loadBalancers=[{**changed, "containerPort": 9443}])(aws, state)


def _another_revision(aws: LocalAws, state: dict[str, Any]) -> None:
    ecs = aws.client("ecs")
    current = ecs.describe_task_definition(taskDefinition=state["task_definition"])["taskDefinition"]
    members = ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape.members
    revision = ecs.register_task_definition(**{name: value for name, value in current.items() if name in members})
    _update(taskDefinition=revision["taskDefinition"]["taskDefinitionArn"])(aws, state)


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_ecs_service", "alarms"): _deployments(alarms={"alarmNames": ["other"], "enable": False, "rollback": False}),
    ("aws_ecs_service", "availability_zone_rebalancing"): _update(availabilityZoneRebalancing="DISABLED"),
    ("aws_ecs_service", "capacity_provider_strategy"): _update(
        capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    ),
    ("aws_ecs_service", "deployment_circuit_breaker"): _deployments(
        deploymentCircuitBreaker={"enable": False, "rollback": False}
    ),
    ("aws_ecs_service", "deployment_maximum_percent"): _deployments(maximumPercent=150),
    ("aws_ecs_service", "deployment_minimum_healthy_percent"): _deployments(minimumHealthyPercent=50),
    ("aws_ecs_service", "enable_ecs_managed_tags"): _update(enableECSManagedTags=False),
    ("aws_ecs_service", "enable_execute_command"): _update(enableExecuteCommand=True),
    ("aws_ecs_service", "health_check_grace_period_seconds"): _update(healthCheckGracePeriodSeconds=1),
    ("aws_ecs_service", "load_balancer"): _another_port,
    ("aws_ecs_service", "network_configuration"): _fewer_subnets,
    ("aws_ecs_service", "platform_version"): _update(platformVersion="1.3.0"),
    ("aws_ecs_service", "propagate_tags"): _update(propagateTags="TASK_DEFINITION"),
    ("aws_ecs_service", "task_definition"): _another_revision,
}

UNREAD: dict[tuple[str, str], str] = {
    ("aws_ecs_service", "cluster"): IDENTIFIES,
    ("aws_ecs_service", "desired_count"): "ignore_changes: set by Application Auto Scaling",
    ("aws_ecs_service", "force_new_deployment"): "an option of updates; only in the state",
    ("aws_ecs_service", "name"): IDENTIFIES,
    ("aws_ecs_task_definition", "skip_destroy"): "an option of the deletion; only in the state",
    **{
        ("aws_ecs_task_definition", argument): IMMUTABLE
        for argument in (
            *("container_definitions", "cpu", "execution_role_arn", "family", "memory", "network_mode"),
            *("requires_compatibilities", "runtime_platform", "task_role_arn", "volume"),
        )
    },
}
