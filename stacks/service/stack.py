"""The application: Fargate tasks in every zone, behind WAF and a load balancer with TLS to customers and to tasks.

The service survives the loss of a zone. ECS rolls a deployment back if it raises this tier's alarms on errors or
latency.
"""

from functools import partial
from typing import NamedTuple

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.data_aws_secretsmanager_secret_versions import DataAwsSecretsmanagerSecretVersions
from cdktf_cdktf_provider_aws.ecs_cluster import EcsCluster, EcsClusterSetting
from cdktf_cdktf_provider_aws.ecs_cluster_capacity_providers import EcsClusterCapacityProviders
from cdktf_cdktf_provider_aws.ecs_service import (
    EcsService,
    EcsServiceAlarms,
    EcsServiceCapacityProviderStrategy,
    EcsServiceDeploymentCircuitBreaker,
    EcsServiceLoadBalancer,
    EcsServiceNetworkConfiguration,
)
from cdktf_cdktf_provider_aws.ecs_task_definition import EcsTaskDefinition
from constructs import Construct

from stacks.cache.stack import CacheStack
from stacks.database.stack import DatabaseStack
from stacks.foundation.stack import FoundationStack
from stacks.network.stack import NetworkStack
from stacks.parts import ports
from stacks.parts.alarms import Alarm, create_alarms
from stacks.parts.autoscaling import scaling_target, track_metric
from stacks.parts.logs import log_group
from stacks.parts.service_roles import ServiceRole
from stacks.rotation.stack import RotationStack
from stacks.service import waf
from stacks.service.load_balancer import LoadBalancer, public_load_balancer
from stacks.service.redeployment import RunningService, first_rotation, redeploy_after_rotation
from stacks.service.task import CONTAINER, HEALTH_PATH, execution_role, task_definition, task_role
from stacks.settings import Environment
from stacks.storage.stack import StorageStack
from stacks.tier import TierStack

ROLLBACK_ALARMS = ("errors", "refused", "latency", "unhealthy")
"""Alarms on which ECS rolls back a deployment in progress."""


class Stores(NamedTuple):
    """Tiers of the tasks' data stores, and of the database credential."""

    database: DatabaseStack
    cache: CacheStack
    storage: StorageStack
    rotation: RotationStack


class ServiceStack(TierStack):
    """ECS cluster and service, task roles, load balancer, certificate, WAF, autoscaling."""

    tier = "service"

    def __init__(
        self,
        scope: Construct,
        settings: Environment,
        *,
        foundation: FoundationStack,
        network: NetworkStack,
        stores: Stores,
    ) -> None:
        super().__init__(scope, settings)
        self.log = log_group(self, "log", self.names.application_log_group, key=foundation.keys.logs)
        self.load_balancer = self._load_balancer(foundation, network)
        self._watch(foundation)
        self.cluster = self._cluster(foundation)
        role = task_role(self, stores.cache, stores.storage)
        self.task_role = role.role
        self.export(self.task_role, "id")
        task = self._task(foundation, stores, role)
        # As late as possible: the first rotation runs while this tier's slow resources are created.
        rotated = first_rotation(self, stores.rotation.secret, depends_on=self.load_balancer.listener)
        self.service = self._service(network, task, rotated)
        self._add_tasks_under_load()
        redeploy_after_rotation(self, foundation, stores.rotation.secret, RunningService(self.cluster, self.service))
        self._publish_names()

    @property
    def dimensions(self) -> dict[str, str]:
        """Dimensions of the service's metrics."""
        return {"ClusterName": self.names.cluster, "ServiceName": self.names.service}

    def _load_balancer(self, foundation: FoundationStack, network: NetworkStack) -> LoadBalancer:
        acl = waf.web_acl(self)
        waf.log_requests(self, acl, foundation.keys.logs)
        return public_load_balancer(
            self,
            network.vpc,
            subnets=list(network.public_subnets.values()),
            group=network.security_groups.load_balancer,
            logs=foundation.log_buckets.delivery,
            acl=acl,
            health_path=HEALTH_PATH,
        )

    def _cluster(self, foundation: FoundationStack) -> EcsCluster:
        insights = log_group(self, "insights-log", self.names.container_insights_log_group, key=foundation.keys.logs)
        return EcsCluster(
            self,
            "cluster",
            name=self.names.cluster,
            setting=[EcsClusterSetting(name="containerInsights", value="enhanced")],
            depends_on=[insights],
        )

    def _task(self, foundation: FoundationStack, stores: Stores, role: ServiceRole) -> EcsTaskDefinition:
        database, cache, storage, rotation = stores
        credential, key = rotation.secret, foundation.keys.secrets
        return task_definition(
            self,
            image=f"{foundation.images.repository_url}{self.settings.service.image}",
            environment={
                "ENVIRONMENT": self.settings.name,
                "AWS_REGION": self.settings.region,
                "DATABASE_WRITER_HOST": database.cluster.endpoint,
                "DATABASE_READER_HOST": database.cluster.reader_endpoint,
                "DATABASE_PORT": str(ports.DATABASE),
                "DATABASE_NAME": database.cluster.database_name,
                "CACHE_HOST": cache.replication_group.configuration_endpoint_address,
                "CACHE_PORT": str(ports.CACHE),
                "CACHE_USER": cache.user.user_name,
                "CACHE_NAME": cache.replication_group.replication_group_id,
            },
            credential=credential,
            files=storage.file_system,
            access_points=storage.access_points,
            execution=execution_role(self, foundation.images, self.log, credential, key),
            task=role,
            log=self.log,
        )

    def _service(
        self, network: NetworkStack, task: EcsTaskDefinition, rotated: DataAwsSecretsmanagerSecretVersions
    ) -> EcsService:
        settings = self.settings.service
        providers = EcsClusterCapacityProviders(
            self, "capacity", cluster_name=self.cluster.name, capacity_providers=["FARGATE", "FARGATE_SPOT"]
        )
        return EcsService(
            self,
            "service",
            name=self.names.service,
            cluster=self.cluster.arn,
            task_definition=task.arn,
            desired_count=settings.minimum_tasks,
            capacity_provider_strategy=self._capacity(),
            # Without it, the provider would replace the service when its capacity provider strategy changes.
            force_new_deployment=True,
            platform_version="LATEST",
            network_configuration=EcsServiceNetworkConfiguration(
                subnets=[subnet.id for subnet in network.app_subnets.values()],
                security_groups=[network.security_groups.service.id],
                assign_public_ip=False,
            ),
            availability_zone_rebalancing="ENABLED",
            load_balancer=[
                EcsServiceLoadBalancer(
                    target_group_arn=self.load_balancer.target_group.arn,
                    container_name=CONTAINER,
                    container_port=ports.SERVICE,
                )
            ],
            health_check_grace_period_seconds=90,
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_circuit_breaker=EcsServiceDeploymentCircuitBreaker(enable=True, rollback=True),
            alarms=EcsServiceAlarms(
                enable=True, rollback=True, alarm_names=[self.alarms[name].alarm_name for name in ROLLBACK_ALARMS]
            ),
            # PCI DSS 2.2.7, 8.4.2: no shell access (ECS Exec) to tasks that handle card payments.
            enable_execute_command=False,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            # Autoscaling changes it.
            lifecycle=TerraformResourceLifecycle(ignore_changes=["desired_count"]),
            # ECS requires that a listener uses the target group.
            depends_on=[providers, self.load_balancer.listener, rotated],
        )

    def _capacity(self) -> list[EcsServiceCapacityProviderStrategy]:
        """On-demand capacity for the minimum; in other environments than production, mostly Spot above it."""
        base = self.settings.service.minimum_tasks
        on_demand = EcsServiceCapacityProviderStrategy(capacity_provider="FARGATE", base=base, weight=1)
        if self.settings.production:
            return [on_demand]
        return [on_demand, EcsServiceCapacityProviderStrategy(capacity_provider="FARGATE_SPOT", weight=3)]

    def _add_tasks_under_load(self) -> None:
        settings = self.settings.service
        lb, targets = self.load_balancer.lb, self.load_balancer.target_group
        target = scaling_target(
            self,
            "task",
            dimension="ecs:service:DesiredCount",
            resource_id=f"service/{self.cluster.name}/{self.service.name}",
            capacity=(settings.minimum_tasks, settings.maximum_tasks),
            depends_on=[self.service],
        )
        track_metric(self, "task-cpu", target, "ECSServiceAverageCPUUtilization", target_value=self._cpu_target())
        track_metric(
            self,
            "task-requests",
            target,
            "ALBRequestCountPerTarget",
            target_value=settings.requests_per_task,
            resource_label=f"{lb.arn_suffix}/{targets.arn_suffix}",
        )

    def _cpu_target(self) -> int:
        """Target in percent: if a zone is lost, the remaining tasks stay below 90 until replacements run."""
        zones = len(self.settings.network.zones)
        return min(60, 90 * (zones - 1) // zones)

    def _watch(self, foundation: FoundationStack) -> None:
        service_alarm = partial(Alarm, dimensions=self.dimensions, period=60, periods=10)
        self.alarms = create_alarms(
            self,
            foundation.alarm_topic,
            [
                *self.load_balancer.alarms(),
                waf.alarm(self),
                service_alarm(
                    name="tasks",
                    namespace="ECS/ContainerInsights",
                    metric="RunningTaskCount",
                    statistic="Minimum",
                    at="most",
                    threshold=self.settings.service.minimum_tasks - 1,
                    unit="tasks, below service.minimum_tasks",
                    # The alarms are created before the service, because ECS rolls back on some of them.
                    treat_missing_data="missing",
                    reason="tasks stop or cannot be placed",
                ),
                service_alarm(
                    name="cpu",
                    namespace="AWS/ECS",
                    metric="CPUUtilization",
                    statistic="Average",
                    threshold=85,
                    unit="percent",
                    treat_missing_data="notBreaching",
                    reason="autoscaling is at service.maximum_tasks, or too slow",
                ),
                service_alarm(
                    name="memory",
                    namespace="AWS/ECS",
                    metric="MemoryUtilization",
                    statistic="Maximum",
                    threshold=90,
                    unit="percent",
                    treat_missing_data="notBreaching",
                    reason="a task will soon be killed because it runs out of memory",
                ),
            ],
        )

    def _publish_names(self) -> None:
        lb = self.load_balancer.lb
        self.publish("load_balancer_name", lb, "name", "The load balancer, as its commands take it")
        self.publish("load_balancer_address", lb, "dns_name", "What the domain's record points to")
        self.publish("cluster_name", self.cluster, "name", "The ECS cluster")
        self.publish("service_name", self.service, "name", "The ECS service")
        self.publish("log_group", self.log, "name", "What the application logs")
        self.export(lb, "arn", "arn_suffix")
        self.export(self.load_balancer.target_group, "arn_suffix")
        self.export(self.load_balancer.certificate, "arn")
        self.export(self.cluster, "arn")
        self.export(self.service, "id")
