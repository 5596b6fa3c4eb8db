"""The network tier: subnets, routes, network ACLs, security groups, endpoints, flow logs."""

from collections.abc import Iterator
from ipaddress import IPv4Network

import pytest

from stacks.network.flow_logs import rejected_traffic_pattern
from stacks.network.subnets import AddressPlan
from stacks.settings.network import ZONE_LETTERS as LETTERS
from synthesized.platform import Body, Platform
from tests.failures import expect_none
from tests.synthesized import bodies, conditions, has, only, statements

pytestmark = pytest.mark.tiers("network")

ZONES = {"a": "eu-west-3a", "b": "eu-west-3b"}
ALL = "0.0.0.0/0"


def routes(platform: Platform, kind: str) -> dict[str, Body]:
    return {name: body for name, body in bodies(platform, "aws_route").items() if name.startswith(f"{kind}-")}


def test_there_is_a_subnet_of_each_kind_in_each_zone(prod: Platform):
    subnets = bodies(prod, "aws_subnet")
    assert {name: subnet["availability_zone"] for name, subnet in subnets.items()} == {
        f"{kind}-{letter}": zone for kind in ("public", "app", "data") for letter, zone in ZONES.items()
    }
    assert not any(subnet["map_public_ip_on_launch"] for subnet in subnets.values())


@pytest.mark.parametrize("vpc", ["10.0.0.0/16", "172.16.0.0/17", "192.168.64.0/18"])
def test_subnets_are_disjoint_within_the_vpc_and_large_enough_for_tasks(vpc: str):
    plan = AddressPlan.for_vpc(IPv4Network(vpc))
    ranges = [plan.subnet(kind, f"us-east-1{letter}") for kind in ("app", "data", "public") for letter in LETTERS]
    assert all(subnet.subnet_of(IPv4Network(vpc)) for subnet in ranges)
    assert not any(a.overlaps(b) for position, a in enumerate(ranges) for b in ranges[:position])
    assert all(plan.subnet("app", f"us-east-1{letter}").prefixlen <= 22 for letter in LETTERS)


def test_an_added_zone_changes_no_other_subnet(prod: Platform, variants: dict[str, Platform]):
    before, after = bodies(prod, "aws_subnet"), bodies(variants["prod"], "aws_subnet")
    assert {name: subnet["cidr_block"] for name, subnet in before.items()}.items() <= {
        name: subnet["cidr_block"] for name, subnet in after.items()
    }.items()
    assert len(after) == 9


def test_app_subnets_use_the_nat_gateway_of_their_zone(variants: dict[str, Platform]):
    for letter in "abc":
        route = routes(variants["prod"], "app")[f"app-{letter}-to-nat"]
        assert route["destination_cidr_block"] == ALL
        assert route["route_table_id"] == f"${{aws_route_table.network_app-{letter}-routes.id}}"
        assert route["nat_gateway_id"] == f"${{aws_nat_gateway.network_nat-{letter}.id}}"
        nat = bodies(variants["prod"], "aws_nat_gateway")[f"nat-{letter}"]
        assert nat["subnet_id"] == f"${{aws_subnet.network_public-{letter}.id}}"


def test_a_single_nat_gateway_can_serve_all_zones(dev: Platform):
    assert list(bodies(dev, "aws_nat_gateway")) == ["nat-a"]
    assert {route["nat_gateway_id"] for route in routes(dev, "app").values()} == {"${aws_nat_gateway.network_nat-a.id}"}


def test_data_subnets_have_no_route_to_the_internet(prod: Platform):
    associations = bodies(prod, "aws_route_table_association")
    for letter in ZONES:
        assert associations[f"data-{letter}-association"] == {
            "subnet_id": f"${{aws_subnet.network_data-{letter}.id}}",
            "route_table_id": f"${{aws_route_table.network_data-{letter}-routes.id}}",
        }
    assert not routes(prod, "data")
    assert not any("data" in route["route_table_id"] for route in bodies(prod, "aws_route").values())


def test_each_subnet_has_its_own_route_table(prod: Platform):
    assert len({entry["route_table_id"] for entry in bodies(prod, "aws_route_table_association").values()}) == 6
    assert len({entry["subnet_id"] for entry in bodies(prod, "aws_route_table_association").values()}) == 6


def test_the_defaults_of_the_vpc_are_locked(prod: Platform):
    # An omitted list accepts what is there.
    assert only(prod, "aws_default_security_group").items() >= {"ingress": [], "egress": []}.items()
    assert only(prod, "aws_default_route_table")["route"] == []
    assert not {"ingress", "egress", "subnet_ids"} & only(prod, "aws_default_network_acl").keys()


def allows(platform: Platform, kind: str, direction: str, other: str, port: int) -> bool:
    """Whether a network ACL allows TCP between its subnets and a range, to a port of the receiver."""
    return any(
        rule["action"] == "allow"
        and rule["protocol"] == "tcp"
        and IPv4Network(other).subnet_of(IPv4Network(rule["cidr_block"]))
        and rule["from_port"] <= port <= rule["to_port"]
        for rule in bodies(platform, "aws_network_acl")[f"acl-{kind}"][direction]
    )


APP, DATA, PUBLIC = "10.0.0.0/17", "10.0.128.0/18", "10.0.192.0/19"
CLIENT_PORT = 50000
PATH_MTU = {"protocol": "icmp", "icmp_type": 3, "icmp_code": 4, "cidr_block": ALL, "action": "allow"}
CONNECTIONS = [
    ("internet to load balancer", (None, ALL), ("public", PUBLIC), 443),
    ("redirect", (None, ALL), ("public", PUBLIC), 80),
    ("load balancer to task", ("public", PUBLIC), ("app", APP), 8443),
    ("task to database", ("app", APP), ("data", DATA), 5432),
    ("task to cache", ("app", APP), ("data", DATA), 6379),
    ("task to mount target", ("app", APP), ("app", APP), 2049),
    ("task to endpoint", ("app", APP), ("app", APP), 443),
    ("task to the world through NAT", ("app", APP), (None, ALL), 443),
    ("NAT to the world", ("public", PUBLIC), (None, ALL), 443),
    ("cache node to cache node", ("data", DATA), ("data", DATA), 16379),
]


@pytest.mark.parametrize(
    ("client", "server", "port"), [entry[1:] for entry in CONNECTIONS], ids=[c[0] for c in CONNECTIONS]
)
def test_network_acls_allow_every_connection_and_its_responses(
    prod: Platform, client: tuple[str | None, str], server: tuple[str | None, str], port: int
):
    (client_kind, client_range), (server_kind, server_range) = client, server
    if client_kind:
        assert allows(prod, client_kind, "egress", server_range, port)
        assert allows(prod, client_kind, "ingress", server_range, CLIENT_PORT)
    if server_kind:
        assert allows(prod, server_kind, "ingress", client_range, port)
        assert allows(prod, server_kind, "egress", client_range, CLIENT_PORT)


def test_data_subnets_are_isolated_from_the_internet_and_the_load_balancer(prod: Platform):
    for direction in ("ingress", "egress"):
        for port in (22, 80, 443, 5432, 6379, 8443, CLIENT_PORT):
            assert not allows(prod, "data", direction, ALL, port)
            assert not allows(prod, "data", direction, PUBLIC, port)
    assert not allows(prod, "data", "ingress", APP, 22)


def test_network_acls_allow_path_mtu_discovery(prod: Platform):
    for acl in bodies(prod, "aws_network_acl").values():
        for direction in ("ingress", "egress"):
            assert any(PATH_MTU.items() <= rule.items() for rule in acl[direction])


def test_network_acls_have_at_most_twenty_rules(prod: Platform):
    for acl in bodies(prod, "aws_network_acl").values():
        assert max(len(acl["ingress"]), len(acl["egress"])) <= 20


def test_only_egress_in_the_settings_is_allowed(prod: Platform, variants: dict[str, Platform]):
    variant = variants["prod"]
    added = bodies(variant, "aws_vpc_security_group_egress_rule").keys() - bodies(
        prod, "aws_vpc_security_group_egress_rule"
    )
    rules = [bodies(variant, "aws_vpc_security_group_egress_rule")[name] for name in sorted(added)]
    assert [(rule["cidr_ipv4"], rule["from_port"]) for rule in rules] == [
        ("198.51.100.7/32", 465),
        ("198.51.100.8/32", 8443),
        ("203.0.113.0/24", 443),
    ]
    assert "interface of the payment provider" in rules[2]["description"]
    assert {rule["security_group_id"] for rule in rules} == {"${aws_security_group.network_group-service.id}"}
    for port, range_ in ((465, "198.51.100.7/32"), (8443, "198.51.100.8/32"), (443, "203.0.113.0/24")):
        assert allows(variant, "app", "egress", range_, port)
        assert allows(variant, "public", "ingress", APP, port)
        assert allows(variant, "public", "egress", range_, port)
    assert not allows(prod, "app", "egress", "198.51.100.7/32", 465)


# Expected independently of the table in stacks/network/flows.py: source, target, port.
EXPECTED_FLOWS = {
    (ALL, "load-balancer", 443),
    (ALL, "load-balancer", 80),
    ("load-balancer", "service", 8443),
    ("service", "database", 5432),
    ("service", "cache", 6379),
    ("service", "files", 2049),
    ("service", "endpoints", 443),
    ("service", "secrets-endpoint", 443),
    ("service", "s3", 443),
    ("rotation", "database", 5432),
    ("rotation", "secrets-endpoint", 443),
}


def party(rule: Body, argument: str) -> str:
    group = str(rule.get(argument, ""))
    return group.removeprefix("${aws_security_group.network_group-").removesuffix(".id}")


def other_side(rule: Body) -> tuple[str, str]:
    """The other side of a rule and the argument that names it."""
    if rule.get("prefix_list_id") == "${aws_vpc_endpoint.network_endpoint-s3.prefix_list_id}":
        return "s3", "prefix_list_id"
    if "referenced_security_group_id" in rule:
        return party(rule, "referenced_security_group_id"), "referenced_security_group_id"
    return str(rule.get("cidr_ipv4")), "cidr_ipv4"


def other_flows(platform: Platform, direction: str, expected: set[tuple[str, str, int]]) -> Iterator[str]:
    """Rules of flows that are not expected, and flows that have no rule."""
    type_, found = f"aws_vpc_security_group_{direction}_rule", set[tuple[str, str, int]]()
    for rule in platform.of_type(type_):
        other, argument = other_side(rule.body)
        ends = (party(rule.body, "security_group_id"), other)
        source, target = ends if direction == "egress" else reversed(ends)
        found.add(flow := (source, target, rule.body["from_port"]))
        if flow not in expected:
            yield f"{rule.address}: {argument}: {source} to {target} is not expected on {rule.body['from_port']}"
        if rule.body["ip_protocol"] != "tcp" or rule.body["from_port"] != rule.body["to_port"]:
            yield f"{rule.address}: ip_protocol, from_port, to_port: are not of one TCP port"
    for source, target, port in sorted(expected - found):
        yield f"{type_}: none is from {source} to {target} on {port}"


def test_security_group_rules_are_exactly_those_of_the_flows(prod: Platform):
    expect_none(other_flows(prod, "egress", {flow for flow in EXPECTED_FLOWS if flow[0] != ALL}))
    expect_none(other_flows(prod, "ingress", {flow for flow in EXPECTED_FLOWS if flow[1] != "s3"}))


@pytest.mark.parametrize("direction", ["egress", "ingress"])
def test_unexpected_and_missing_flows_are_found(prod: Platform, direction: str):
    expected = EXPECTED_FLOWS - {("service", "database", 5432)} | {("cache", "files", 22)}
    found = list(other_flows(prod, direction, expected))
    assert any("service to database is not expected on 5432" in problem for problem in found)
    assert any("none is from cache to files on 22" in problem for problem in found)


def test_security_groups_have_no_inline_rules(prod: Platform):
    groups = bodies(prod, "aws_security_group")
    assert len(groups) == 8
    assert not any({"ingress", "egress"} & group.keys() for group in groups.values())
    assert all(group["description"] for group in groups.values())


PULL = {f"ecr:{action}" for action in ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")}
# Actions that tasks and the rotation need of each service.
USED_ACTIONS = {
    "ecr-api": {"ecr:GetAuthorizationToken", *PULL},
    "ecr-dkr": {"ecr:GetAuthorizationToken", *PULL},
    "kms": {"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"},
    "logs": {"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
    "monitoring": {"cloudwatch:PutMetricData"},
    "secretsmanager": {
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetRandomPassword",
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecretVersionStage",
    },
    "sts": {"sts:AssumeRole", "sts:GetCallerIdentity"},
}
ENDPOINTS = ("ecr-api", "ecr-dkr", "kms", "logs", "monitoring", "secretsmanager", "sts")


def test_interface_endpoints_are_in_every_zone(prod: Platform):
    endpoints = bodies(prod, "aws_vpc_endpoint")
    assert endpoints.keys() == {f"endpoint-{name}" for name in (*ENDPOINTS, "s3")}
    for name in ENDPOINTS:
        endpoint = endpoints[f"endpoint-{name}"]
        assert endpoint["service_name"] == f"com.amazonaws.eu-west-3.{name.replace('-', '.')}"
        assert endpoint["vpc_endpoint_type"] == "Interface"
        assert endpoint["private_dns_enabled"] is True
        assert endpoint["subnet_ids"] == [f"${{aws_subnet.network_app-{letter}.id}}" for letter in ZONES]


def test_the_endpoint_of_secrets_manager_has_its_own_security_group(prod: Platform):
    groups = {
        name: body["security_group_ids"]
        for name, body in bodies(prod, "aws_vpc_endpoint").items()
        if "ecr" in name or "secret" in name
    }
    assert groups["endpoint-secretsmanager"] == ["${aws_security_group.network_group-secrets-endpoint.id}"]
    assert groups["endpoint-ecr-api"] == ["${aws_security_group.network_group-endpoints.id}"]


@pytest.mark.parametrize("name", ENDPOINTS)
def test_endpoints_are_limited_to_this_account(prod: Platform, name: str):
    policy = statements(prod, "network", f"endpoint-{name}-policy")
    assert policy.keys() == {"OwnAccount"}
    assert conditions(policy["OwnAccount"]) == {
        "StringEquals aws:PrincipalAccount": ["111122223333"],
        "StringEqualsIfExists aws:ResourceAccount": ["111122223333"],
    }
    assert set(policy["OwnAccount"]["actions"]) == USED_ACTIONS[name]


def test_the_s3_endpoint_is_limited_to_own_buckets_and_image_layers(prod: Platform):
    gateway = bodies(prod, "aws_vpc_endpoint")["endpoint-s3"]
    assert gateway["route_table_ids"] == [f"${{aws_route_table.network_app-{letter}-routes.id}}" for letter in ZONES]
    policy = statements(prod, "network", "endpoint-s3-policy")
    assert conditions(policy["OwnAccount"]).keys() == {
        "StringEquals aws:PrincipalAccount",
        "StringEquals aws:ResourceAccount",
    }
    assert policy["ImageLayers"]["resources"] == ["arn:aws:s3:::prod-eu-west-3-starport-layer-bucket/*"]
    assert policy["ImageLayers"]["actions"] == ["s3:GetObject"]
    assert set(policy["OwnAccount"]["actions"]) == {"s3:GetObject", "s3:ListBucket", "s3:PutObject"}


def test_all_traffic_is_logged_by_a_role_that_can_deliver(prod: Platform):
    assert has(prod, "network", "aws_flow_log", traffic_type="ALL")
    flow_log = only(prod, "aws_flow_log")
    assert flow_log["iam_role_arn"] == "${aws_iam_role.network_flow-logs.arn}"
    assert flow_log["log_destination"] == "${aws_cloudwatch_log_group.network_flow-log-group.arn}"
    deliver = statements(prod, "network", "flow-logs-permissions")["Deliver"]
    assert {"logs:CreateLogStream", "logs:PutLogEvents"} <= set(deliver["actions"])
    assert deliver["resources"] == [
        "${aws_cloudwatch_log_group.network_flow-log-group.arn}",
        "${aws_cloudwatch_log_group.network_flow-log-group.arn}:*",
    ]
    assert flow_log["depends_on"] == ["aws_iam_role_policy.network_flow-logs-policy"]
    attached = bodies(prod, "aws_iam_role_policy")["flow-logs-policy"]
    assert attached["role"] == "${aws_iam_role.network_flow-logs.id}"
    trust = statements(prod, "network", "flow-logs-trust")["Assume"]
    assert trust["actions"] == ["sts:AssumeRole"]
    assert trust["principals"] == [{"type": "Service", "identifiers": ["vpc-flow-logs.amazonaws.com"]}]
    assert conditions(trust) == {
        "StringEquals aws:SourceAccount": ["111122223333"],
        "ArnLike aws:SourceArn": ["arn:aws:ec2:eu-west-3:111122223333:vpc-flow-log/*"],
    }


def test_flow_logs_are_encrypted_and_kept(prod: Platform):
    group = bodies(prod, "aws_cloudwatch_log_group", "network")["flow-log-group"]
    assert group["kms_key_id"] == "${aws_kms_key.foundation_key-logs.arn}"
    assert group["retention_in_days"] == 400


@pytest.mark.parametrize(
    ("vpc", "source"), [("10.0.0.0/16", "10.0.*"), ("10.2.0.0/18", "10.2.*"), ("172.20.128.0/17", "172.20.*")]
)
def test_rejected_traffic_from_the_vpc_is_counted(vpc: str, source: str):
    pattern = rejected_traffic_pattern(IPv4Network(vpc))
    # Fields of a version 2 flow log record, in AWS's order.
    fields = [field.partition("=")[0].strip() for field in pattern.strip("[]").split(",")]
    assert len(fields) == 14
    assert (fields[3], fields[12]) == ("source", "action")
    assert f"source={source}" in pattern
    assert 'action="REJECT"' in pattern
    # Responses of the load balancer to ports that its network ACL does not allow.
    assert ", source_port!=443 && source_port!=80, " in pattern


def test_vpc_subnets_and_nat_addresses_are_outputs(prod: Platform):
    outputs = prod.stacks["network"].document["output"]
    assert {"vpc_id", "nat_address_a", "nat_address_b", "app_subnet_a", "data_subnet_b"} <= outputs.keys()
