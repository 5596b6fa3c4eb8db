"""ECS: services, deployments, tasks, and load balancer targets."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws

CLUSTER = "shop"


@dataclass(frozen=True)
class Network:
    """Subnets, security group and target group of tasks."""

    subnets: list[str]
    group: str
    target_group: str

    @property
    def configuration(self) -> dict[str, Any]:
        return {"awsvpcConfiguration": {"subnets": self.subnets, "securityGroups": [self.group]}}


@pytest.fixture(scope="module")
def ecs(aws: LocalAws) -> Any:
    client = aws.client("ecs")
    client.create_cluster(
        clusterName=CLUSTER,
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
    )
    for _ in range(2):
        client.register_task_definition(
            family="application",
            containerDefinitions=[{"name": "application", "image": "shop:1", "memory": 256}],
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            tags=[{"key": "from", "value": "definition"}],
        )
    return client


@pytest.fixture(scope="module")
def network(aws: LocalAws) -> Network:
    ec2, elbv2 = aws.client("ec2"), aws.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=f"{aws.region}{zone}")["Subnet"]
        for number, zone in enumerate("ab")
    ]
    group = ec2.create_security_group(GroupName="tasks", Description="tasks", VpcId=vpc)["GroupId"]
    targets = elbv2.create_target_group(Name="tasks", Protocol="HTTPS", Port=8443, VpcId=vpc, TargetType="ip")
    arn = targets["TargetGroups"][0]["TargetGroupArn"]
    return Network([subnet["SubnetId"] for subnet in subnets], group, arn)


@dataclass(frozen=True)
class Service:
    """Client of a service."""

    ecs: Any
    name: str

    def describe(self) -> dict[str, Any]:
        return self.ecs.describe_services(cluster=CLUSTER, services=[self.name], include=["TAGS"])["services"][0]

    def update(self, **changes: Any) -> None:
        self.ecs.update_service(cluster=CLUSTER, service=self.name, **changes)

    def tasks(self, status: str = "RUNNING") -> list[dict[str, Any]]:
        arns = self.ecs.list_tasks(cluster=CLUSTER, serviceName=self.name, desiredStatus=status)["taskArns"]
        if not arns:
            return []
        return self.ecs.describe_tasks(cluster=CLUSTER, tasks=arns, include=["TAGS"])["tasks"]

    def arns(self) -> set[str]:
        return {task["taskArn"] for task in self.tasks()}

    def deployment(self) -> dict[str, Any]:
        (deployment,) = self.describe()["deployments"]
        return deployment


@pytest.fixture
def service(ecs: Any, network: Network, request: pytest.FixtureRequest) -> Service:
    service = Service(ecs, request.node.name.replace("[", "-").replace("]", "")[-60:])
    create(service, network)
    return service


def create(service: Service, network: Network, **settings: Any) -> None:
    common: dict[str, Any] = {
        "taskDefinition": "application:1",
        "desiredCount": 4,
        "networkConfiguration": network.configuration,
    }
    service.ecs.create_service(cluster=CLUSTER, serviceName=service.name, **common | settings)


def healthy(aws: LocalAws, network: Network) -> set[str]:
    found = aws.client("elbv2").describe_target_health(TargetGroupArn=network.target_group)
    return {
        target["Target"]["Id"]
        for target in found["TargetHealthDescriptions"]
        if target["TargetHealth"]["State"] == "healthy"
    }


def details(task: dict[str, Any], name: str) -> str:
    return next(detail["value"] for detail in task["attachments"][0]["details"] if detail["name"] == name)


def test_a_service_is_described_as_created(ecs: Any, network: Network) -> None:
    deployment = {
        "maximumPercent": 150,
        "minimumHealthyPercent": 50,
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        "alarms": {"alarmNames": ["errors"], "enable": True, "rollback": True},
    }
    settings = {
        "availabilityZoneRebalancing": "DISABLED",
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1, "base": 4}],
        "enableECSManagedTags": True,
        "enableExecuteCommand": True,
        "healthCheckGracePeriodSeconds": 90,
        "propagateTags": "SERVICE",
        "platformVersion": "LATEST",
    }
    service = Service(ecs, "described")
    tags = [{"key": "Team", "value": "service"}]
    create(service, network, **settings, deploymentConfiguration=deployment, tags=tags)
    description = service.describe()
    assert {name: description[name] for name in settings} == settings
    assert deployment.items() <= description["deploymentConfiguration"].items()
    assert "launchType" not in description
    task = service.tasks()[0]
    assert {tag["key"]: tag["value"] for tag in task["tags"]} == {
        "Team": "service",
        "aws:ecs:clusterName": CLUSTER,
        "aws:ecs:serviceName": "described",
    }
    assert (task["capacityProviderName"], task["enableExecuteCommand"]) == ("FARGATE", True)
    with pytest.raises(ClientError, match="not idempotent"):
        create(service, network)


def test_omitted_settings_have_the_defaults_of_ecs(service: Service) -> None:
    description = service.describe()
    assert description["availabilityZoneRebalancing"] == "ENABLED"
    assert description["capacityProviderStrategy"] == [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    assert description["deploymentConfiguration"]["deploymentCircuitBreaker"] == {"enable": False, "rollback": False}
    assert (description["enableECSManagedTags"], description["enableExecuteCommand"]) == (False, False)
    assert service.tasks()[0]["tags"] == []


def test_a_launch_type_replaces_capacity_providers(ecs: Any, network: Network) -> None:
    service = Service(ecs, "launched")
    create(service, network, launchType="FARGATE", propagateTags="TASK_DEFINITION")
    description = service.describe()
    assert (description["launchType"], description["capacityProviderStrategy"]) == ("FARGATE", [])
    task = service.tasks()[0]
    assert (task["launchType"], task.get("capacityProviderName")) == ("FARGATE", None)
    assert task["tags"] == [{"key": "from", "value": "definition"}]


def test_a_service_runs_tasks_in_every_subnet(service: Service, network: Network) -> None:
    description = service.describe()
    assert (description["desiredCount"], description["runningCount"], description["pendingCount"]) == (4, 4, 0)
    deployment = service.deployment()
    assert (deployment["status"], deployment["rolloutState"], deployment["runningCount"]) == ("PRIMARY", "COMPLETED", 4)
    tasks = service.tasks()
    assert Counter(details(task, "subnetId") for task in tasks) == dict.fromkeys(network.subnets, 2)
    assert {task["availabilityZone"][-1] for task in tasks} == {"a", "b"}
    assert {(task["lastStatus"], task["healthStatus"], task["startedBy"]) for task in tasks} == {
        ("RUNNING", "HEALTHY", deployment["id"])
    }
    assert {container["taskArn"] for task in tasks for container in task["containers"]} == service.arns()
    assert "steady state" in description["events"][0]["message"]


@pytest.mark.parametrize(
    "change",
    [
        {"forceNewDeployment": True},
        {"taskDefinition": "application:2"},
        {"platformVersion": "1.4.0"},
        {"capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 2}]},
    ],
    ids=["forced", "definition", "platform", "capacity"],
)
def test_a_new_deployment_replaces_all_tasks(service: Service, change: dict[str, Any]) -> None:
    before, tasks = service.deployment(), service.arns()
    service.update(**change)
    assert service.deployment()["id"] != before["id"]
    assert not service.arns() & tasks
    assert len(service.arns()) == 4
    assert tasks <= {task["taskArn"] for task in service.tasks("STOPPED")}
    assert service.describe()["taskDefinition"].endswith(change.get("taskDefinition", "application:1"))


@pytest.mark.parametrize(
    "change",
    [
        {"healthCheckGracePeriodSeconds": 30},
        {"enableExecuteCommand": True},
        {"availabilityZoneRebalancing": "DISABLED"},
        {"enableECSManagedTags": True},
        {"propagateTags": "SERVICE"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_changes_leave_the_tasks_alone(service: Service, change: dict[str, Any]) -> None:
    tasks = service.arns()
    service.update(**change)
    description = service.describe()
    assert {name: description[name] for name in change} == change
    assert service.arns() == tasks


def test_the_deployment_configuration_can_be_updated_partially(service: Service) -> None:
    service.update(deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}})
    service.update(deploymentConfiguration={"maximumPercent": 150})
    description = service.describe()["deploymentConfiguration"]
    assert (description["maximumPercent"], description["minimumHealthyPercent"]) == (150, 100)
    assert description["deploymentCircuitBreaker"] == {"enable": True, "rollback": False}


def test_a_service_scales(service: Service) -> None:
    tasks = service.arns()
    service.update(desiredCount=6)
    assert service.arns() > tasks
    assert (len(service.arns()), service.describe()["runningCount"], service.deployment()["desiredCount"]) == (6, 6, 6)
    service.update(desiredCount=1)
    assert (len(service.arns()), service.describe()["runningCount"]) == (1, 1)


def test_a_stopped_task_is_replaced(ecs: Any, service: Service) -> None:
    task = service.tasks()[0]["taskArn"]
    ecs.stop_task(cluster=CLUSTER, task=task, reason="broken")
    assert (len(service.arns()), task in service.arns()) == (4, False)
    (stopped,) = service.tasks("STOPPED")
    assert (stopped["taskArn"], stopped["lastStatus"], stopped["stoppedReason"]) == (task, "STOPPED", "broken")
    assert stopped["stoppedAt"]


def test_standalone_tasks_are_not_replaced(ecs: Any, network: Network) -> None:
    started = ecs.run_task(
        cluster=CLUSTER,
        taskDefinition="application",
        launchType="FARGATE",
        networkConfiguration=network.configuration,
        startedBy="manual",
    )["tasks"][0]["taskArn"]
    assert ecs.list_tasks(cluster=CLUSTER, startedBy="manual")["taskArns"] == [started]
    assert ecs.stop_task(cluster=CLUSTER, task=started, reason="done")["task"]["desiredStatus"] == "STOPPED"


def test_running_tasks_are_registered_with_the_load_balancer(aws: LocalAws, ecs: Any, network: Network) -> None:
    service = Service(ecs, "balanced")
    balancer = {"targetGroupArn": network.target_group, "containerName": "application", "containerPort": 8443}
    create(service, network, loadBalancers=[balancer])

    def addresses() -> set[str]:
        return {details(task, "privateIPv4Address") for task in service.tasks()}

    assert healthy(aws, network) == addresses()
    service.update(forceNewDeployment=True)
    assert healthy(aws, network) == addresses()
    aws.client("elbv2").delete_target_group(TargetGroupArn=network.target_group)
    ecs.delete_service(cluster=CLUSTER, service="balanced", force=True)
    assert service.tasks() == []


def test_a_service_is_deleted_with_its_tasks_and_network_interfaces(aws: LocalAws, ecs: Any, service: Service) -> None:
    interfaces = [details(task, "networkInterfaceId") for task in service.tasks()]
    with pytest.raises(ClientError, match="scaled above 0"):
        ecs.delete_service(cluster=CLUSTER, service=service.name)
    arn = service.describe()["serviceArn"]
    assert arn in ecs.list_services(cluster=CLUSTER)["serviceArns"]
    service.update(desiredCount=0)
    ecs.delete_service(cluster=CLUSTER, service=arn)
    description = service.describe()
    assert (description["status"], description["runningCount"], description["deployments"], service.tasks()) == (
        "INACTIVE",
        0,
        [],
        [],
    )
    assert arn not in ecs.list_services(cluster=CLUSTER)["serviceArns"]
    found = aws.client("ec2").describe_network_interfaces()["NetworkInterfaces"]
    assert not {interface["NetworkInterfaceId"] for interface in found} & set(interfaces)
    with pytest.raises(ClientError) as error:
        service.update(desiredCount=1)
    assert error.value.response["Error"]["Code"] == "ServiceNotActiveException"


def test_a_cluster_counts_services_and_tasks(ecs: Any, network: Network) -> None:
    ecs.create_cluster(clusterName="counted")
    networking = network.configuration
    ecs.create_service(
        cluster="counted",
        serviceName="counted",
        taskDefinition="application",
        desiredCount=3,
        networkConfiguration=networking,
        capacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1}],
    )

    def counts() -> tuple[int, ...]:
        (description,) = ecs.describe_clusters(clusters=["counted"])["clusters"]
        return description["activeServicesCount"], description["runningTasksCount"], description["pendingTasksCount"]

    assert counts() == (1, 3, 0)
    ecs.delete_service(cluster="counted", service="counted", force=True)
    assert counts() == (0, 0, 0)


def test_only_network_mode_awsvpc_requires_subnets(ecs: Any) -> None:
    ecs.register_task_definition(
        family="bridged", containerDefinitions=[{"name": "a", "image": "b", "memory": 64}], networkMode="bridge"
    )
    ecs.create_cluster(clusterName="plain")
    ecs.create_service(cluster="plain", serviceName="plain", taskDefinition="bridged", desiredCount=1, launchType="EC2")
    (task,) = ecs.list_tasks(cluster="plain", serviceName="plain")["taskArns"]
    (description,) = ecs.describe_tasks(cluster="plain", tasks=[task])["tasks"]
    assert (description["attachments"], description["launchType"]) == ([], "EC2")
    ecs.delete_service(cluster="plain", service="plain", force=True)
    assert ecs.list_tasks(cluster="plain")["taskArns"] == []


def test_task_definitions_are_completed_as_ecs_completes_them(ecs: Any) -> None:
    """The second container has no capabilities, and gets none."""
    dropping = {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}}
    containers = [
        {"name": "hardened", "image": "shop:1", "memory": 64, "linuxParameters": dropping},
        {"name": "plain", "image": "shop:1", "memory": 64, "linuxParameters": {"initProcessEnabled": True}},
    ]
    registered = ecs.register_task_definition(family="completed", containerDefinitions=containers)["taskDefinition"]
    hardened, plain = registered["containerDefinitions"]
    assert hardened["linuxParameters"] == {**dropping, "capabilities": {"add": [], "drop": ["ALL"]}}
    assert plain["linuxParameters"] == {"initProcessEnabled": True}
    assert [container["systemControls"] for container in (hardened, plain)] == [[], []]
    described = ecs.describe_task_definition(taskDefinition=registered["taskDefinitionArn"])["taskDefinition"]
    assert described["containerDefinitions"] == registered["containerDefinitions"]


def test_a_cluster_keeps_its_settings_and_capacity_providers(ecs: Any) -> None:
    settings, providers = [{"name": "containerInsights", "value": "enhanced"}], ["FARGATE", "FARGATE_SPOT"]
    ecs.create_cluster(clusterName="kept", settings=settings)
    ecs.put_cluster_capacity_providers(cluster="kept", capacityProviders=providers, defaultCapacityProviderStrategy=[])
    (cluster,) = ecs.describe_clusters(clusters=["kept"], include=["SETTINGS", "CONFIGURATIONS"])["clusters"]
    assert (cluster["settings"], cluster["capacityProviders"]) == (settings, providers)
    assert cluster["defaultCapacityProviderStrategy"] == []
    assert "configuration" not in cluster
    ecs.create_cluster(clusterName="completed")
    (completed,) = ecs.describe_clusters(clusters=["completed"], include=["SETTINGS"])["clusters"]
    assert completed["settings"] == [{"name": "containerInsights", "value": "disabled"}]
