"""The task definition: one container that runs the application under the contract in `docs/application.md`.

Only a scratch volume and the EFS mounts are writable, and nothing runs as root. ECS injects the database credential
from Secrets Manager when the task starts.
"""

import json
from collections.abc import Mapping

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.ecr_repository import EcrRepository
from cdktf_cdktf_provider_aws.ecs_task_definition import (
    EcsTaskDefinition,
    EcsTaskDefinitionRuntimePlatform,
    EcsTaskDefinitionVolume,
    EcsTaskDefinitionVolumeEfsVolumeConfiguration,
    EcsTaskDefinitionVolumeEfsVolumeConfigurationAuthorizationConfig,
)
from cdktf_cdktf_provider_aws.efs_access_point import EfsAccessPoint
from cdktf_cdktf_provider_aws.efs_file_system import EfsFileSystem
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.secretsmanager_secret import SecretsmanagerSecret

from stacks.cache.stack import CacheStack
from stacks.network.endpoints import IMAGE_PULL, REGISTRY_LOGIN
from stacks.parts import ports
from stacks.parts.service_roles import ServiceRole, service_role
from stacks.statements import allow, string_equals, via_service
from stacks.storage.stack import MOUNT_AND_WRITE, StorageStack
from stacks.tier import TierStack

CONTAINER = "application"
USER = "1000:1000"
SCRATCH = "/tmp"  # noqa: S108 - in the container
HEALTH_PATH = "/healthz"
SECRET_KEYS = ("username", "password")
"""Keys of the secret that become environment variables."""
STOP_TIMEOUT = 60
"""Seconds from SIGTERM to SIGKILL."""


def mount_path(access_point: str) -> str:
    """Path at which an access point is mounted."""
    return f"/mnt/{access_point}"


def task_definition(
    tier: TierStack,
    *,
    image: str,
    environment: Mapping[str, str],
    credential: SecretsmanagerSecret,
    files: EfsFileSystem,
    access_points: Mapping[str, EfsAccessPoint],
    execution: ServiceRole,
    task: ServiceRole,
    log: CloudwatchLogGroup,
) -> EcsTaskDefinition:
    """The task definition.

    Args:
        environment: environment variables in addition to those of ports and paths.
        credential: secret whose user name and password ECS injects as environment variables.
        execution: task execution role.
        task: task role.
    """
    settings = tier.settings.service
    return EcsTaskDefinition(
        tier,
        "task",
        family=tier.names.service,
        requires_compatibilities=["FARGATE"],
        network_mode="awsvpc",
        cpu=str(settings.cpu),
        memory=str(settings.memory),
        runtime_platform=EcsTaskDefinitionRuntimePlatform(
            operating_system_family="LINUX", cpu_architecture=settings.architecture
        ),
        execution_role_arn=execution.role.arn,
        task_role_arn=task.role.arn,
        container_definitions=json.dumps([_container(tier, image, environment, credential, list(access_points), log)]),
        volume=[
            EcsTaskDefinitionVolume(name="scratch"),
            *(_efs_volume(files, *entry) for entry in access_points.items()),
        ],
        # Earlier revisions stay active, so that ECS can roll back to them.
        skip_destroy=True,
        depends_on=[execution.permissions, task.permissions],
    )


def execution_role(
    tier: TierStack, images: EcrRepository, log: CloudwatchLogGroup, credential: SecretsmanagerSecret, key: KmsKey
) -> ServiceRole:
    """Task execution role: permissions that ECS needs to start a task, and the application must not have."""
    return service_role(
        tier,
        "service-execution",
        "ecs-tasks.amazonaws.com",
        [
            allow("LogInToRegistry", [REGISTRY_LOGIN], ["*"]),
            allow("Pull", [action for action in IMAGE_PULL if action != REGISTRY_LOGIN], [images.arn]),
            allow("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], [f"{log.arn}:*"]),
            allow("ReadCredential", ["secretsmanager:GetSecretValue"], [credential.arn]),
            allow("UseKey", ["kms:Decrypt"], [key.arn], when=[via_service("secretsmanager", tier.settings.region)]),
        ],
        source_arn=tier.names.arn("ecs", "*"),
        description="Pulls the image of a task, reads its credential and writes its log",
    )


def task_role(tier: TierStack, cache: CacheStack, storage: StorageStack) -> ServiceRole:
    """Task role: permissions of the application."""
    points = [point.arn for point in storage.access_points.values()]
    return service_role(
        tier,
        "service-task",
        "ecs-tasks.amazonaws.com",
        [
            allow(
                "UseFiles",
                MOUNT_AND_WRITE,
                [storage.file_system.arn],
                when=[string_equals("elasticfilesystem:AccessPointArn", *points)],
            ),
            allow("UseCache", ["elasticache:Connect"], [cache.replication_group.arn, cache.user.arn]),
        ],
        source_arn=tier.names.arn("ecs", "*"),
        description="What the application itself may do: its files, through their access points, and its cache",
    )


def _container(
    tier: TierStack,
    image: str,
    environment: Mapping[str, str],
    credential: SecretsmanagerSecret,
    access_points: list[str],
    log: CloudwatchLogGroup,
) -> dict[str, object]:
    variables = {
        **environment,
        "PORT": str(ports.SERVICE),
        "HEALTH_PATH": HEALTH_PATH,
        **{f"{name.upper()}_PATH": mount_path(name) for name in access_points},
    }
    mounts = {"scratch": SCRATCH, **{name: mount_path(name) for name in access_points}}
    return {
        "name": CONTAINER,
        "image": image,
        "essential": True,
        "user": USER,
        "privileged": False,
        "readonlyRootFilesystem": True,
        # MiB: all of the task's, whose limit Fargate enforces anyway. Rule suites look for a limit of the container.
        "memory": tier.settings.service.memory,
        # PCI DSS 2.2.4. The init process reaps zombies and forwards SIGTERM. ECS adds an empty list of added
        # capabilities; without it here, every plan would replace the task definition and all tasks.
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"add": [], "drop": ["ALL"]}},
        "portMappings": [{"containerPort": ports.SERVICE, "hostPort": ports.SERVICE, "protocol": "tcp"}],
        "environment": [{"name": name, "value": value} for name, value in sorted(variables.items())],
        "secrets": [
            {"name": f"DATABASE_{key.upper()}", "valueFrom": f"{credential.arn}:{key}::"} for key in SECRET_KEYS
        ],
        "mountPoints": [
            {"sourceVolume": volume, "containerPath": path, "readOnly": False} for volume, path in mounts.items()
        ],
        # Seconds.
        "healthCheck": {
            "command": ["CMD", "healthcheck"],
            "interval": 10,
            "timeout": 5,
            "retries": 3,
            "startPeriod": 60,
        },
        "stopTimeout": STOP_TIMEOUT,
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": log.name,
                "awslogs-region": tier.settings.region,
                "awslogs-stream-prefix": CONTAINER,
                # Losing log lines is better than blocking the application when CloudWatch Logs is slow.
                "mode": "non-blocking",
                "max-buffer-size": "25m",
            },
        },
    }


def _efs_volume(files: EfsFileSystem, name: str, point: EfsAccessPoint) -> EcsTaskDefinitionVolume:
    """PCI DSS 4.2.1, 7.3.1: mount through the access point, over TLS, with the task role."""
    return EcsTaskDefinitionVolume(
        name=name,
        efs_volume_configuration=EcsTaskDefinitionVolumeEfsVolumeConfiguration(
            file_system_id=files.id,
            transit_encryption="ENABLED",
            authorization_config=EcsTaskDefinitionVolumeEfsVolumeConfigurationAuthorizationConfig(
                access_point_id=point.id, iam="ENABLED"
            ),
        ),
    )
