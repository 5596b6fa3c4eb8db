"""ECS: services keep all their settings and run tasks in every subnet, registered with the load balancer.

Task definitions are completed as ECS completes them.

A deployment completes at once: the new tasks run, and those of the previous deployment are stopped.
"""

from datetime import datetime
from itertools import cycle, islice
from typing import Any, cast

from botocore import xform_name
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.ecs import models
from moto.ecs.models import Cluster, ClusterFailure, EC2ContainerServiceBackend, Service, Task, ecs_backends
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.elbv2.models import elbv2_backends
from moto.moto_api._internal import mock_random

from local_aws.extension import ApiError, Extension

# Parameters of CreateService that moto ignores, with ECS's defaults.
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html
DEFAULTS: dict[str, Any] = {
    "availabilityZoneRebalancing": "ENABLED",
    "capacityProviderStrategy": [],
    "enableECSManagedTags": False,
    "enableExecuteCommand": False,
    "healthCheckGracePeriodSeconds": 0,
    "placementConstraints": [],
    "placementStrategy": [],
}
DEFAULT_DEPLOYMENT_CONFIGURATION = {
    "deploymentCircuitBreaker": {"enable": False, "rollback": False},
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
    "strategy": "ROLLING",
    "bakeTimeInMinutes": 0,
}
# A change of these starts a new deployment. All other changes apply to the running tasks.
REDEPLOYING_PROPERTIES = (
    "task_definition",
    "network_configuration",
    "load_balancers",
    "platform_version",
    "capacity_provider_strategy",
    "launch_type",
)


class TaskDefinition(models.TaskDefinition):
    """A task definition with the empty lists that ECS adds to container definitions.

    The provider compares them with the configuration, and ignores empty lists of a container only, not those inside
    `linuxParameters` (`containerDefinitionsAreEquivalent` in internal/service/ecs/container_definitions.go).
    ECS's answer: https://github.com/braintrustdata/terraform-aws-braintrust-data-plane/pull/335
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        for container in self.container_definitions:
            container.setdefault("systemControls", [])
            if capabilities := container.get("linuxParameters", {}).get("capabilities"):
                container["linuxParameters"] |= {"capabilities": {"add": [], "drop": []} | capabilities}


class ServiceTask(Task):
    """A task of a service, which runs until it is stopped."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.target_groups: list[str] = []
        self.stopped_at: datetime | None = None

    @property
    def private_ip(self) -> str:
        return _details(self.attachments[0])["privateIPv4Address"]

    def advance(self) -> None:
        """Do nothing: moto would advance the task's status each time it is described."""


class Backend(EC2ContainerServiceBackend):
    """Adds services with running tasks."""

    def running_tasks(self, service: Service) -> list[ServiceTask]:
        tasks = self.tasks.get(service.cluster_name, {}).values()
        group = f"service:{service.name}"
        return [
            task
            for task in tasks
            if isinstance(task, ServiceTask) and task.group == group and task.desired_status == "RUNNING"
        ]

    def start_service(self, service: Service, settings: dict[str, Any]) -> None:
        """Store the settings of a new service and start its tasks."""
        attributes = cast(Any, service)
        for name, default in DEFAULTS.items():
            setattr(attributes, xform_name(name), settings.get(name, default))
        attributes.deployment_configuration = DEFAULT_DEPLOYMENT_CONFIGURATION | settings.get(
            "deploymentConfiguration", {}
        )
        attributes.created_at = utcnow()
        cluster = self._get_cluster(service.cluster_name)
        if not settings.get("launchType"):
            attributes.capacity_provider_strategy = (
                attributes.capacity_provider_strategy or cluster.default_capacity_provider_strategy or []
            )
            if attributes.capacity_provider_strategy:
                service.launch_type = None
        self._deploy(service)

    def update_service(self, service_properties: dict[str, Any]) -> Service:
        service = self._get_service(
            service_properties.get("cluster", "default"), service_properties["service"].split("/")[-1]
        )
        if service.status != "ACTIVE":
            raise ApiError("ServiceNotActiveException", "Service was not ACTIVE.")
        # Omitted parts keep their values.
        if changes := service_properties.get("deployment_configuration"):
            service_properties["deployment_configuration"] = cast(Any, service).deployment_configuration | changes
        if definition := service_properties.get("task_definition"):
            service_properties["task_definition"] = self.describe_task_definition(definition).arn
        forced = service_properties.get("force_new_deployment")
        before = [getattr(service, name) for name in REDEPLOYING_PROPERTIES]
        super().update_service(service_properties)
        if forced or before != [getattr(service, name) for name in REDEPLOYING_PROPERTIES]:
            self._deploy(service)
        else:
            self._scale(service)
        return service

    def delete_service(self, cluster_name: str, service_name: str, force: bool) -> Service:
        service = super().delete_service(cluster_name, service_name.split("/")[-1], force)
        service.desired_count = 0
        self._scale(service)
        service.deployments = []
        return service

    def list_services(
        self, cluster_str: str, scheduling_strategy: str | None = None, launch_type: str | None = None
    ) -> list[str]:
        deleted = {service.arn for service in self.services.values() if service.status == "INACTIVE"}
        arns = super().list_services(cluster_str, scheduling_strategy, launch_type)
        return [arn for arn in arns if arn not in deleted]

    def list_tasks(
        self,
        cluster_str: str | None = None,
        container_instance: str | None = None,
        family: str | None = None,
        started_by: str | None = None,
        service_name: str | None = None,
        desiredStatus: str | None = None,  # noqa: N803 - moto's name
    ) -> list[Task]:
        tasks = super().list_tasks(
            cluster_str, container_instance, family, started_by, None, desiredStatus or "RUNNING"
        )
        group = f"service:{(service_name or '').split('/')[-1]}"
        return [task for task in tasks if not service_name or task.group == group]

    def stop_task(self, cluster_str: str, task_str: str, reason: str) -> Task:
        """Stop a task. A service starts a replacement."""
        task = super().stop_task(cluster_str, task_str, reason)
        if isinstance(task, ServiceTask):
            self._release(task)
            service = self._get_service(cluster_str, task.group.removeprefix("service:"))
            self._scale(service)
        return task

    def describe_clusters(self, cluster_names: list[str]) -> tuple[list[Cluster], list[ClusterFailure]]:
        clusters, failures = super().describe_clusters(cluster_names)
        for cluster in clusters:
            services = [service for service in self.services.values() if service.cluster_name == cluster.name]
            cluster.active_services_count = sum(service.status == "ACTIVE" for service in services)
            tasks = self.tasks.get(cluster.name, {}).values()
            cluster.running_tasks_count = sum(task.desired_status == "RUNNING" for task in tasks)
            cluster.pending_tasks_count = 0
        return clusters, failures

    def _deploy(self, service: Service) -> None:
        """Start new tasks and stop the previous ones."""
        previous = self.running_tasks(service)
        attributes, now = cast(Any, service), utcnow()
        deployment_id = f"ecs-svc/{mock_random.randint(10**18, 10**19)}"
        service.deployments = [
            {
                "id": deployment_id,
                "status": "PRIMARY",
                "taskDefinition": service.task_definition,
                "failedTasks": 0,
                "pendingCount": 0,
                "createdAt": now,
                "capacityProviderStrategy": attributes.capacity_provider_strategy,
                "launchType": service.launch_type,
                "platformVersion": service.platform_version,
                "platformFamily": "Linux",
                "networkConfiguration": service.network_configuration,
                "rolloutState": "COMPLETED",
                "rolloutStateReason": f"ECS deployment {deployment_id} completed.",
            }
        ]
        for task in previous:
            self._stop(task, f"Scaling activity initiated by (deployment {task.started_by})")
        self._scale(service)

    def _scale(self, service: Service) -> None:
        """Start or stop tasks until the desired count is reached."""
        running = self.running_tasks(service)
        subnets = service.network_configuration.get("awsvpcConfiguration", {}).get("subnets", [])
        for subnet in islice(cycle(subnets or [None]), len(running), max(len(running), service.desired_count)):
            self._run(service, subnet)
        for task in running[service.desired_count :]:
            self._stop(task, f"Scaling activity initiated by (deployment {task.started_by})")
        service.running_count, service.pending_count = service.desired_count, 0
        for deployment in service.deployments:
            deployment |= {
                "desiredCount": service.desired_count,
                "runningCount": service.desired_count,
                "updatedAt": utcnow(),
            }
        service.events = [
            {
                "id": str(mock_random.uuid4()),
                "createdAt": utcnow(),
                "message": f"(service {service.name}) has reached a steady state.",
            },
            *service.events,
        ]

    def _run(self, service: Service, subnet: str | None) -> None:
        cluster, attributes = self._get_cluster(service.cluster_name), cast(Any, service)
        definition = self.describe_task_definition(service.task_definition or "")
        networking = service.network_configuration
        if subnet:
            networking = {"awsvpcConfiguration": {**networking["awsvpcConfiguration"], "subnets": [subnet]}}
        providers = [part["capacityProvider"] for part in attributes.capacity_provider_strategy]
        tags = service.tags if service.propagate_tags == "SERVICE" else []
        if service.propagate_tags == "TASK_DEFINITION":
            tags = definition.tags
        if attributes.enable_ecs_managed_tags:
            tags = [
                *tags,
                {"key": "aws:ecs:clusterName", "value": cluster.name},
                {"key": "aws:ecs:serviceName", "value": service.name},
            ]
        task: Any = ServiceTask(
            cluster,
            definition,
            container_instance_arn=None,
            resource_requirements=None,
            backend=self,
            group=f"service:{service.name}",
            launch_type=service.launch_type or "FARGATE",
            started_by=service.deployments[0]["id"],
            tags=tags,
            networking_configuration=networking,
            platform_version=service.platform_version,
            capacity_provider_name=providers[0] if providers else None,
        )
        task.cpu, task.memory = definition.cpu, definition.memory
        task.created_at = task.started_at = utcnow()
        task.health_status, task.connectivity = "HEALTHY", "CONNECTED"
        task.enable_execute_command = attributes.enable_execute_command
        if subnet:
            task.availability_zone = self._network.get_subnet(subnet).availability_zone
        for container in task.containers:
            container.task_arn, container.last_status = task.task_arn, "RUNNING"
        self.tasks.setdefault(cluster.name, {})[task.task_arn] = task
        for balancer in service.load_balancers:
            task.target_groups.append(balancer["targetGroupArn"])
            target = {"Id": task.private_ip, "Port": balancer["containerPort"]}
            self._target_group(balancer["targetGroupArn"]).register([target])

    def _stop(self, task: ServiceTask, reason: str) -> None:
        super().stop_task(task.cluster_name, task.id, reason)
        self._release(task)

    def _release(self, task: ServiceTask) -> None:
        """Deregister a stopped task from its target groups and delete its network interfaces."""
        task.stopped_at = utcnow()
        for arn in task.target_groups:
            if group := self._target_group(arn):
                group.deregister([{"Id": task.private_ip}])
        for attachment in task.attachments:
            self._network.enis.pop(_details(attachment)["networkInterfaceId"], None)
            attachment["status"] = "DELETED"

    def _target_group(self, arn: str) -> Any:
        return elbv2_backends[self.account_id][self.region_name].target_groups.get(arn)

    @property
    def _network(self) -> Any:
        return ec2_backends[self.account_id][self.region_name]


def _details(attachment: dict[str, Any]) -> dict[str, str]:
    return {detail["name"]: detail["value"] for detail in attachment["details"]}


class Responses(EC2ContainerServiceResponse):
    """Adds all parameters of CreateService."""

    @property
    def backend(self) -> Backend:
        return cast(Backend, ecs_backends[self.current_account][self.region])

    def create_service(self) -> ActionResult:
        cluster = self._get_param("cluster", "default").split("/")[-1]
        existing = self.backend.services.get(f"{cluster}:{self._get_param('serviceName')}")
        if existing and existing.status == "ACTIVE":
            raise ApiError("InvalidParameterException", "Creation of service was not idempotent.")
        response = super().create_service()
        self.backend.start_service(cast(dict[str, Service], response.result)["service"], self._get_params())
        return response


EXTENSION = Extension(
    "ecs",
    Responses,
    Backend,
    models=(TaskDefinition,),
    gaps={
        "aws_ecs_service": "dropped half of the settings, and ran no tasks",
        "aws_ecs_task_definition": "lacked the empty lists that ECS adds",
    },
)
