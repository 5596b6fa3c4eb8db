"""The task: one container that runs the application, as `docs/application.md` promises it to the image.

Nothing in it is writable but a scratch volume and the files' mounts, nothing runs as root, and the one secret that it
gets is put in by ECS at its start, from where it is kept.
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
SCRATCH = "/tmp"  # noqa: S108 - the container's own, where programs write what they do not keep
HEALTH_PATH = "/healthz"
SECRET_KEYS = ("username", "password")
"""Of the credential; where the database is stands in the environment."""
STOP_TIMEOUT = 60
"""Seconds from SIGTERM to SIGKILL."""


def mount_path(use: str) -> str:
    """Where a use of the file system is mounted."""
    return f"/mnt/{use}"


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
        environment: variables beside those of ports and paths.
        credential: secret whose user name and password ECS puts into variables at the task's start.
        execution: what ECS does for the task.
        task: what the application itself may do.
    """
    wanted = tier.settings.service
    return EcsTaskDefinition(
        tier,
        "task",
        family=tier.names.service,
        requires_compatibilities=["FARGATE"],
        network_mode="awsvpc",
        cpu=str(wanted.cpu),
        memory=str(wanted.memory),
        runtime_platform=EcsTaskDefinitionRuntimePlatform(
            operating_system_family="LINUX", cpu_architecture=wanted.architecture
        ),
        execution_role_arn=execution.role.arn,
        task_role_arn=task.role.arn,
        container_definitions=json.dumps([_container(tier, image, environment, credential, list(access_points), log)]),
        volume=[EcsTaskDefinitionVolume(name="scratch"), *(_files(files, *entry) for entry in access_points.items())],
        # An earlier revision stays active: ECS rolls back to it.
        skip_destroy=True,
        depends_on=[execution.permissions, task.permissions],
    )


def execution_role(
    tier: TierStack, images: EcrRepository, log: CloudwatchLogGroup, credential: SecretsmanagerSecret, key: KmsKey
) -> ServiceRole:
    """What ECS does to start a task, and the application itself may not."""
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
    """What the application itself may do."""
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
    uses: list[str],
    log: CloudwatchLogGroup,
) -> dict[str, object]:
    variables = {
        **environment,
        "PORT": str(ports.SERVICE),
        "HEALTH_PATH": HEALTH_PATH,
        **{f"{use.upper()}_PATH": mount_path(use) for use in uses},
    }
    mounts = {"scratch": SCRATCH, **{use: mount_path(use) for use in uses}}
    return {
        "name": CONTAINER,
        "image": image,
        "essential": True,
        "user": USER,
        "privileged": False,
        "readonlyRootFilesystem": True,
        # PCI DSS 2.2.4; the init process reaps what the application leaves behind, and hands SIGTERM on.
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
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
                # A shop that stops because its log is slow loses more than the lines that no longer fit.
                "mode": "non-blocking",
                "max-buffer-size": "25m",
            },
        },
    }


def _files(files: EfsFileSystem, use: str, point: EfsAccessPoint) -> EcsTaskDefinitionVolume:
    """PCI DSS 4.2.1, 7.3.1: over TLS, as the task's role, and through the access point alone."""
    return EcsTaskDefinitionVolume(
        name=use,
        efs_volume_configuration=EcsTaskDefinitionVolumeEfsVolumeConfiguration(
            file_system_id=files.id,
            transit_encryption="ENABLED",
            authorization_config=EcsTaskDefinitionVolumeEfsVolumeConfigurationAuthorizationConfig(
                access_point_id=point.id, iam="ENABLED"
            ),
        ),
    )
