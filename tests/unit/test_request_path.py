"""One request, walked through what was synthesized: from the customer's name for the shop to the task and its data."""

from dataclasses import dataclass
from functools import cached_property

import pytest

from synthesized.platform import Platform, Resource
from synthesized.reachability import INTERNET, S3, Party, Reachability
from tests.synthesized import container, only


@dataclass(frozen=True)
class Path:
    """What a request passes in one environment."""

    platform: Platform

    @cached_property
    def reachability(self) -> Reachability:
        return Reachability(self.platform)

    def the(self, type_: str) -> Resource:
        """The one resource of a type."""
        found = self.platform.of_type(type_)
        assert len(found) == 1, f"{type_}: one is expected; there are: {', '.join(each.name for each in found)}"
        return found[0]

    def expect(self, source: Resource | Party, target: Resource | Party, port: int) -> None:
        """Each address of the one may open a connection to each of the other, and gets its answers."""
        __tracebackhide__ = True
        assert self.reaches(source, target, port), f"{_name(target)}: port {port}: {_name(source)} does not reach it"

    def reaches(self, source: Resource | Party, target: Resource | Party, port: int) -> bool:
        ways = self.reachability.ports(self.party(source), self.party(target), all)
        return any(first <= port <= last for first, last in ways)

    def party(self, of: Resource | Party) -> Party:
        return of if isinstance(of, Party) else self.reachability.parties[of.label]

    @cached_property
    def balancer(self) -> Resource:
        """Where the domain's record leads."""
        records = [
            record.body["alias"] for record in self.platform.of_type("aws_route53_record") if "alias" in record.body
        ]
        return self.platform.resolve(records[0]["name"])

    @cached_property
    def service(self) -> Resource:
        return self.the("aws_ecs_service")

    @cached_property
    def targets(self) -> Resource:
        """Where the listener of 443 forwards to."""
        (https,) = (each.body for each in self.platform.of_type("aws_lb_listener") if each.body["port"] == 443)
        (forward,) = https["default_action"]
        assert forward["type"] == "forward"
        return self.platform.resolve(forward["target_group_arn"])

    @cached_property
    def variables(self) -> dict[str, str]:
        """Of the container's environment."""
        return {entry["name"]: entry["value"] for entry in container(self.platform)["environment"]}


def _name(of: Resource | Party) -> str:
    return of.name if isinstance(of, Party) else of.address


@pytest.fixture(scope="module")
def paths(everywhere: list[Platform]) -> list[Path]:
    return [Path(platform) for platform in everywhere]


def test_a_customer_reaches_the_load_balancer_through_the_firewall(paths: list[Path]):
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


def test_the_task_has_a_credential_that_the_rotation_makes_for_that_database(paths: list[Path]):
    for path in paths:
        function = path.the("aws_lambda_function")
        told = function.body["environment"]["variables"]
        for secret in container(path.platform)["secrets"]:
            arn = secret["valueFrom"].removesuffix("::").rpartition(":")[0]
            assert arn == told["SECRET_ARN"]
        assert told["DATABASE_HOST"] == path.variables["DATABASE_WRITER_HOST"]
        assert told["DATABASE_READER_HOST"] == path.variables["DATABASE_READER_HOST"]
        cluster = path.platform.resolve(told["DATABASE_HOST"])
        path.expect(function, cluster, cluster.body["port"])


def test_the_task_reaches_the_cache_as_a_user_that_it_has(paths: list[Path]):
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


def test_the_task_reaches_what_starts_it(paths: list[Path]):
    """Its image and its log, by endpoints with an address in each of its subnets; layers of images by S3's gateway."""
    for path in paths:
        endpoints = {
            endpoint.body["service_name"].split(".", 3)[3]: endpoint
            for endpoint in path.platform.of_type("aws_vpc_endpoint")
        }
        for name in ("ecr.api", "ecr.dkr", "logs", "secretsmanager"):
            assert name in endpoints, f"aws_vpc_endpoint: service_name: there is none of {name}"
            endpoint = endpoints[name]
            assert endpoint.body["subnet_ids"] == path.service.body["network_configuration"]["subnets"]
            assert endpoint.body["private_dns_enabled"] is True
            path.expect(path.service, endpoint, 443)
        path.expect(path.service, S3, 443)


def test_a_port_that_no_rule_names_is_not_reached(paths: list[Path]):
    for path in paths:
        assert not path.reaches(path.balancer, path.service, 8080)
        assert not path.reaches(path.balancer, path.the("aws_rds_cluster"), 5432)
