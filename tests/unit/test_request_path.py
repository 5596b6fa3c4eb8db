"""The path of a request through the synthesized platform: from the domain to the task and its data."""

from dataclasses import dataclass
from functools import cached_property

import pytest

from synthesized.platform import Platform, Resource
from synthesized.reachability import INTERNET, S3, Party, Reachability
from tests.synthesized import container, only


@dataclass(frozen=True)
class Path:
    """The path of a request in one environment."""

    platform: Platform

    @cached_property
    def reachability(self) -> Reachability:
        return Reachability(self.platform)

    def the(self, type_: str) -> Resource:
        """The only resource of a type."""
        found = self.platform.of_type(type_)
        assert len(found) == 1, f"{type_}: one expected, found: {', '.join(each.name for each in found)}"
        return found[0]

    def expect(self, source: Resource | Party, target: Resource | Party, port: int) -> None:
        """Fail unless every address of the source can connect to every address of the target and receives responses."""
        __tracebackhide__ = True
        assert self.reaches(source, target, port), f"{_name(target)}: port {port}: {_name(source)} cannot connect"

    def reaches(self, source: Resource | Party, target: Resource | Party, port: int) -> bool:
        ports = self.reachability.ports(self.party(source), self.party(target), all)
        return any(first <= port <= last for first, last in ports)

    def party(self, of: Resource | Party) -> Party:
        return of if isinstance(of, Party) else self.reachability.parties[of.label]

    @cached_property
    def balancer(self) -> Resource:
        """Target of the domain's DNS record."""
        records = [
            record.body["alias"] for record in self.platform.of_type("aws_route53_record") if "alias" in record.body
        ]
        return self.platform.resolve(records[0]["name"])

    @cached_property
    def service(self) -> Resource:
        return self.the("aws_ecs_service")

    @cached_property
    def targets(self) -> Resource:
        """Target group of the listener on port 443."""
        (https,) = (each.body for each in self.platform.of_type("aws_lb_listener") if each.body["port"] == 443)
        (forward,) = https["default_action"]
        assert forward["type"] == "forward"
        return self.platform.resolve(forward["target_group_arn"])

    @cached_property
    def variables(self) -> dict[str, str]:
        """Environment variables of the container."""
        return {entry["name"]: entry["value"] for entry in container(self.platform)["environment"]}


def _name(of: Resource | Party) -> str:
    return of.name if isinstance(of, Party) else of.address


@pytest.fixture(scope="module")
def paths(everywhere: list[Platform]) -> list[Path]:
    return [Path(platform) for platform in everywhere]


def test_customers_reach_the_load_balancer_through_waf(paths: list[Path]):
    for path in paths:
        ports = {listener.body["port"] for listener in path.platform.of_type("aws_lb_listener")}
        assert ports == {80, 443}
        for port in ports:
            path.expect(INTERNET, path.balancer, port)
        association = only(path.platform, "aws_wafv2_web_acl_association")
        assert path.platform.resolve(association["resource_arn"]) == path.balancer


def test_the_listener_forwards_to_the_containers_port(paths: list[Path]):
    for path in paths:
        definition = container(path.platform)
        (port,) = (mapping["containerPort"] for mapping in definition["portMappings"])
        (registered,) = path.service.body["load_balancer"]
        assert registered["container_name"] == definition["name"]
        assert registered["container_port"] == port == path.targets.body["port"]
        assert path.platform.resolve(registered["target_group_arn"]) == path.targets
        task = path.platform.resolve(path.service.body["task_definition"])
        assert task.type == "aws_ecs_task_definition"
        path.expect(path.balancer, path.service, port)


def test_the_task_reaches_writer_and_reader(paths: list[Path]):
    for path in paths:
        for variable, attribute in (("DATABASE_WRITER_HOST", "endpoint"), ("DATABASE_READER_HOST", "reader_endpoint")):
            reference = path.variables[variable]
            assert reference.endswith(f".{attribute}}}")
            cluster = path.platform.resolve(reference)
            assert int(path.variables["DATABASE_PORT"]) == cluster.body["port"]
            path.expect(path.service, cluster, cluster.body["port"])


def test_the_rotation_creates_the_tasks_credential_in_its_database(paths: list[Path]):
    for path in paths:
        function = path.the("aws_lambda_function")
        function_variables = function.body["environment"]["variables"]
        for secret in container(path.platform)["secrets"]:
            arn = secret["valueFrom"].removesuffix("::").rpartition(":")[0]
            assert arn == function_variables["SECRET_ARN"]
        assert function_variables["DATABASE_HOST"] == path.variables["DATABASE_WRITER_HOST"]
        assert function_variables["DATABASE_READER_HOST"] == path.variables["DATABASE_READER_HOST"]
        cluster = path.platform.resolve(function_variables["DATABASE_HOST"])
        path.expect(function, cluster, cluster.body["port"])


def test_the_task_reaches_the_cache_with_an_existing_user(paths: list[Path]):
    for path in paths:
        cache = path.platform.resolve(path.variables["CACHE_HOST"])
        assert int(path.variables["CACHE_PORT"]) == cache.body["port"]
        path.expect(path.service, cache, cache.body["port"])
        (group,) = cache.body["user_group_ids"]
        user = path.platform.resolve(path.variables["CACHE_USER"])
        users = path.platform.resolve(group).body["user_ids"]
        assert user in [path.platform.resolve(reference) for reference in users]


def test_the_task_reaches_its_files_in_its_own_zone(paths: list[Path]):
    for path in paths:
        mounts = {mount.body["subnet_id"]: mount for mount in path.platform.of_type("aws_efs_mount_target")}
        assert mounts.keys() == set(path.service.body["network_configuration"]["subnets"])
        for mount in mounts.values():
            path.expect(path.service, mount, 2049)


def test_the_task_reaches_the_endpoints_that_it_needs_to_start(paths: list[Path]):
    """Interface endpoints for image, log and credential in each of its subnets; S3's gateway endpoint for layers."""
    for path in paths:
        endpoints = {
            endpoint.body["service_name"].split(".", 3)[3]: endpoint
            for endpoint in path.platform.of_type("aws_vpc_endpoint")
        }
        for name in ("ecr.api", "ecr.dkr", "logs", "secretsmanager"):
            assert name in endpoints, f"aws_vpc_endpoint: service_name: there is none for {name}"
            endpoint = endpoints[name]
            assert endpoint.body["subnet_ids"] == path.service.body["network_configuration"]["subnets"]
            assert endpoint.body["private_dns_enabled"] is True
            path.expect(path.service, endpoint, 443)
        path.expect(path.service, S3, 443)


def test_a_port_without_a_rule_is_not_reachable(paths: list[Path]):
    for path in paths:
        assert not path.reaches(path.balancer, path.service, 8080)
        assert not path.reaches(path.balancer, path.the("aws_rds_cluster"), 5432)
