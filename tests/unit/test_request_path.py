"""One request, walked through what was synthesized: from the customer's name for the shop to the task and its data."""

import re
from collections.abc import Iterator

import pytest

from operations.platform import Body, Platform, Resource
from tests.synthesized import container, only

REFERENCE = re.compile(r"^\$\{([\w.-]+)\.(\w+)\}$")


def followed(platform: Platform, reference: str) -> Resource:
    """The resource that an expression which is nothing but a reference leads to."""
    match = REFERENCE.match(reference)
    assert match, reference
    (found,) = (resource for resource in platform.resources if resource.address == match[1])
    return found


def each(platform: Platform, type_: str) -> Iterator[Body]:
    return (resource.body for resource in platform.of_type(type_))


def admitted(platform: Platform, source: str, target: str, port: int) -> bool:
    """Whether source may open a connection, and target takes it; both by their groups' rules."""

    def is_on_port(rule: Body) -> bool:
        return rule["ip_protocol"] == "tcp" and rule["from_port"] == port == rule["to_port"]

    out = any(
        rule["security_group_id"] == source and rule.get("referenced_security_group_id") == target
        for rule in each(platform, "aws_vpc_security_group_egress_rule")
        if is_on_port(rule)
    )
    into = any(
        rule["security_group_id"] == target and rule.get("referenced_security_group_id") == source
        for rule in each(platform, "aws_vpc_security_group_ingress_rule")
        if is_on_port(rule)
    )
    return out and into


@pytest.fixture
def balancer(platform: Platform) -> Body:
    """Where the domain's record leads."""
    (alias,) = (record["alias"] for record in each(platform, "aws_route53_record") if "alias" in record)
    return followed(platform, alias["name"]).body


@pytest.fixture
def service(platform: Platform) -> Body:
    return only(platform, "aws_ecs_service")


@pytest.fixture
def targets(platform: Platform) -> Resource:
    """Where the listener of 443 forwards to."""
    (https,) = (listener for listener in each(platform, "aws_lb_listener") if listener["port"] == 443)
    (forward,) = https["default_action"]
    assert forward["type"] == "forward"
    return followed(platform, forward["target_group_arn"])


def group_of(body: Body, argument: str) -> str:
    (group,) = body[argument]
    return group


def test_a_customer_reaches_the_load_balancer_through_the_firewall(platform: Platform, balancer: Body):
    open_ports = {
        rule["from_port"]
        for rule in each(platform, "aws_vpc_security_group_ingress_rule")
        if rule["security_group_id"] == group_of(balancer, "security_groups") and rule.get("cidr_ipv4") == "0.0.0.0/0"
    }
    assert open_ports == {listener["port"] for listener in each(platform, "aws_lb_listener")} == {80, 443}
    association = only(platform, "aws_wafv2_web_acl_association")
    assert followed(platform, association["resource_arn"]).body == balancer


def test_the_load_balancer_is_where_the_internet_is(platform: Platform, balancer: Body):
    for reference in balancer["subnets"]:
        subnet = followed(platform, reference)
        (table,) = (
            association["route_table_id"]
            for association in each(platform, "aws_route_table_association")
            if association["subnet_id"] == reference
        )
        (route,) = (route for route in each(platform, "aws_route") if route["route_table_id"] == table)
        assert followed(platform, route["gateway_id"]).type == "aws_internet_gateway"
        assert subnet.type == "aws_subnet"


def test_the_listener_forwards_to_the_containers_port(
    platform: Platform, balancer: Body, service: Body, targets: Resource
):
    definition = container(platform)
    (port,) = (mapping["containerPort"] for mapping in definition["portMappings"])
    (registered,) = service["load_balancer"]
    assert registered["container_name"] == definition["name"]
    assert registered["container_port"] == port == targets.body["port"]
    assert followed(platform, registered["target_group_arn"]) == targets
    assert followed(platform, service["task_definition"]).type == "aws_ecs_task_definition"
    tasks = group_of(service["network_configuration"], "security_groups")
    assert admitted(platform, group_of(balancer, "security_groups"), tasks, port)


def variables(platform: Platform) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container(platform)["environment"]}


def test_the_task_reaches_writer_and_reader(platform: Platform, service: Body):
    tasks = group_of(service["network_configuration"], "security_groups")
    for variable, attribute in (("DATABASE_WRITER_HOST", "endpoint"), ("DATABASE_READER_HOST", "reader_endpoint")):
        reference = variables(platform)[variable]
        assert reference.endswith(f".{attribute}}}")
        cluster = followed(platform, reference).body
        assert int(variables(platform)["DATABASE_PORT"]) == cluster["port"]
        assert admitted(platform, tasks, group_of(cluster, "vpc_security_group_ids"), cluster["port"])


def test_the_task_has_a_credential_that_the_rotation_makes_for_that_database(platform: Platform):
    function = only(platform, "aws_lambda_function")["environment"]["variables"]
    for secret in container(platform)["secrets"]:
        arn = secret["valueFrom"].removesuffix("::").rpartition(":")[0]
        assert arn == function["SECRET_ARN"]
    assert function["DATABASE_HOST"] == variables(platform)["DATABASE_WRITER_HOST"]
    assert function["DATABASE_READER_HOST"] == variables(platform)["DATABASE_READER_HOST"]
    group = group_of(only(platform, "aws_lambda_function")["vpc_config"], "security_group_ids")
    cluster = followed(platform, function["DATABASE_HOST"]).body
    assert admitted(platform, group, group_of(cluster, "vpc_security_group_ids"), cluster["port"])


def test_the_task_reaches_the_cache_as_a_user_that_it_has(platform: Platform, service: Body):
    tasks = group_of(service["network_configuration"], "security_groups")
    cache = followed(platform, variables(platform)["CACHE_HOST"]).body
    assert int(variables(platform)["CACHE_PORT"]) == cache["port"]
    assert admitted(platform, tasks, group_of(cache, "security_group_ids"), cache["port"])
    users = followed(platform, group_of(cache, "user_group_ids")).body["user_ids"]
    user = followed(platform, variables(platform)["CACHE_USER"])
    assert user in [followed(platform, reference) for reference in users]


def test_the_task_reaches_its_files_in_its_own_zone(platform: Platform, service: Body):
    tasks = group_of(service["network_configuration"], "security_groups")
    mounts = {mount["subnet_id"]: mount for mount in each(platform, "aws_efs_mount_target")}
    assert mounts.keys() == set(service["network_configuration"]["subnets"])
    for mount in mounts.values():
        assert admitted(platform, tasks, group_of(mount, "security_groups"), 2049)


def test_the_task_reaches_what_starts_it(platform: Platform, service: Body):
    """Its image and its log, by endpoints with an address in each of its subnets; layers of images by S3's gateway."""
    tasks = group_of(service["network_configuration"], "security_groups")
    endpoints = {endpoint["service_name"].split(".", 3)[3]: endpoint for endpoint in each(platform, "aws_vpc_endpoint")}
    for name in ("ecr.api", "ecr.dkr", "logs", "secretsmanager"):
        endpoint = endpoints[name]
        assert endpoint["subnet_ids"] == service["network_configuration"]["subnets"]
        assert endpoint["private_dns_enabled"] is True
        assert admitted(platform, tasks, group_of(endpoint, "security_group_ids"), 443)
    tables = {
        association["route_table_id"]
        for association in each(platform, "aws_route_table_association")
        if association["subnet_id"] in service["network_configuration"]["subnets"]
    }
    assert tables <= set(endpoints["s3"]["route_table_ids"])
    assert any(
        rule["security_group_id"] == tasks and "prefix_list_id" in rule and rule["from_port"] == 443
        for rule in each(platform, "aws_vpc_security_group_egress_rule")
    )


def test_a_port_that_no_rule_names_is_not_reached(platform: Platform, balancer: Body, service: Body):
    tasks = group_of(service["network_configuration"], "security_groups")
    assert not admitted(platform, group_of(balancer, "security_groups"), tasks, 8080)
    database = group_of(only(platform, "aws_rds_cluster"), "vpc_security_group_ids")
    assert not admitted(platform, group_of(balancer, "security_groups"), database, 5432)
