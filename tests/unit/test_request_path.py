"""The path of a request through the synthesized platform: from the domain to the task and its data."""

from collections.abc import Callable, Iterator

import pytest

from synthesized.platform import Body, Platform, Resource
from synthesized.reachability import INTERNET, S3, Party, Reachability
from tests.synthesized import container, only

Reaches = Callable[[Resource | Party, Resource | Party, int], bool]


def each(platform: Platform, type_: str) -> Iterator[Body]:
    return (resource.body for resource in platform.of_type(type_))


def the(platform: Platform, type_: str) -> Resource:
    """The only resource of a type."""
    (found,) = platform.of_type(type_)
    return found


@pytest.fixture
def reaches(platform: Platform) -> Reaches:
    """Whether every address of the source can connect to every address of the target and receives responses."""
    reachability = Reachability(platform)

    def party(of: Resource | Party) -> Party:
        return of if isinstance(of, Party) else reachability.parties[of.label]

    def reaches(source: Resource | Party, target: Resource | Party, port: int) -> bool:
        return any(first <= port <= last for first, last in reachability.ports(party(source), party(target), all))

    return reaches


@pytest.fixture
def balancer(platform: Platform) -> Resource:
    """Target of the domain's DNS record."""
    (alias,) = (record["alias"] for record in each(platform, "aws_route53_record") if "alias" in record)
    return platform.resolve(alias["name"])


@pytest.fixture
def service(platform: Platform) -> Resource:
    return the(platform, "aws_ecs_service")


@pytest.fixture
def targets(platform: Platform) -> Resource:
    """Target group of the listener on port 443."""
    (https,) = (listener for listener in each(platform, "aws_lb_listener") if listener["port"] == 443)
    (forward,) = https["default_action"]
    assert forward["type"] == "forward"
    return platform.resolve(forward["target_group_arn"])


def test_customers_reach_the_load_balancer_through_waf(platform: Platform, reaches: Reaches, balancer: Resource):
    ports = {listener["port"] for listener in each(platform, "aws_lb_listener")}
    assert ports == {80, 443}
    for port in ports:
        assert reaches(INTERNET, balancer, port)
    association = only(platform, "aws_wafv2_web_acl_association")
    assert platform.resolve(association["resource_arn"]) == balancer


def test_the_listener_forwards_to_the_containers_port(
    platform: Platform, reaches: Reaches, balancer: Resource, service: Resource, targets: Resource
):
    definition = container(platform)
    (port,) = (mapping["containerPort"] for mapping in definition["portMappings"])
    (registered,) = service.body["load_balancer"]
    assert registered["container_name"] == definition["name"]
    assert registered["container_port"] == port == targets.body["port"]
    assert platform.resolve(registered["target_group_arn"]) == targets
    assert platform.resolve(service.body["task_definition"]).type == "aws_ecs_task_definition"
    assert reaches(balancer, service, port)


def variables(platform: Platform) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container(platform)["environment"]}


def test_the_task_reaches_writer_and_reader(platform: Platform, reaches: Reaches, service: Resource):
    for variable, attribute in (("DATABASE_WRITER_HOST", "endpoint"), ("DATABASE_READER_HOST", "reader_endpoint")):
        reference = variables(platform)[variable]
        assert reference.endswith(f".{attribute}}}")
        cluster = platform.resolve(reference)
        assert int(variables(platform)["DATABASE_PORT"]) == cluster.body["port"]
        assert reaches(service, cluster, cluster.body["port"])


def test_the_rotation_creates_the_tasks_credential_in_its_database(platform: Platform, reaches: Reaches):
    function = the(platform, "aws_lambda_function")
    function_variables = function.body["environment"]["variables"]
    for secret in container(platform)["secrets"]:
        arn = secret["valueFrom"].removesuffix("::").rpartition(":")[0]
        assert arn == function_variables["SECRET_ARN"]
    assert function_variables["DATABASE_HOST"] == variables(platform)["DATABASE_WRITER_HOST"]
    assert function_variables["DATABASE_READER_HOST"] == variables(platform)["DATABASE_READER_HOST"]
    cluster = platform.resolve(function_variables["DATABASE_HOST"])
    assert reaches(function, cluster, cluster.body["port"])


def test_the_task_reaches_the_cache_with_an_existing_user(platform: Platform, reaches: Reaches, service: Resource):
    cache = platform.resolve(variables(platform)["CACHE_HOST"])
    assert int(variables(platform)["CACHE_PORT"]) == cache.body["port"]
    assert reaches(service, cache, cache.body["port"])
    (group,) = cache.body["user_group_ids"]
    user = platform.resolve(variables(platform)["CACHE_USER"])
    assert user in [platform.resolve(reference) for reference in platform.resolve(group).body["user_ids"]]


def test_the_task_reaches_its_files_in_its_own_zone(platform: Platform, reaches: Reaches, service: Resource):
    mounts = {mount.body["subnet_id"]: mount for mount in platform.of_type("aws_efs_mount_target")}
    assert mounts.keys() == set(service.body["network_configuration"]["subnets"])
    for mount in mounts.values():
        assert reaches(service, mount, 2049)


def test_the_task_reaches_the_endpoints_that_it_needs_to_start(platform: Platform, reaches: Reaches, service: Resource):
    """Interface endpoints for image, log and credential in each of its subnets; S3's gateway endpoint for layers."""
    endpoints = {
        endpoint.body["service_name"].split(".", 3)[3]: endpoint for endpoint in platform.of_type("aws_vpc_endpoint")
    }
    for name in ("ecr.api", "ecr.dkr", "logs", "secretsmanager"):
        endpoint = endpoints[name]
        assert endpoint.body["subnet_ids"] == service.body["network_configuration"]["subnets"]
        assert endpoint.body["private_dns_enabled"] is True
        assert reaches(service, endpoint, 443)
    assert reaches(service, S3, 443)


def test_a_port_without_a_rule_is_not_reachable(
    platform: Platform, reaches: Reaches, balancer: Resource, service: Resource
):
    assert not reaches(balancer, service, 8080)
    assert not reaches(balancer, the(platform, "aws_rds_cluster"), 5432)
