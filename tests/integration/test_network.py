"""Subnets, routes, security groups, network ACLs, endpoints and flow logs."""

from ipaddress import IPv4Network
from typing import Any

import pytest

from stacks.network.endpoints import SECRETS_ENDPOINT, SHARED_ENDPOINTS
from stacks.network.flow_logs import rejected_traffic_pattern
from stacks.network.flows import ALLOWED_FLOWS, INTERNET, PURPOSES, S3, Flow
from stacks.network.network_acls import acl_rules
from stacks.network.subnets import AddressPlan, SubnetKind
from stacks.settings import Environment
from tests.integration.deployed import DeployedEnvironment, Response, only_one
from tests.integration.expectations import expect, expect_each

KINDS: tuple[SubnetKind, ...] = ("public", "app", "data")


@pytest.fixture(scope="session")
def routes(deployed: DeployedEnvironment) -> dict[str, list[Response]]:
    """Routes of each subnet with an explicit route table."""
    return {
        association["SubnetId"]: table["Routes"]
        for table in deployed.in_vpc("describe_route_tables", "RouteTables")
        for association in table["Associations"]
        if "SubnetId" in association
    }


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_a_subnet_in_every_zone(
    settings: Environment, subnets: dict[SubnetKind, dict[str, str]], deployed: DeployedEnvironment, kind: SubnetKind
):
    zones = sorted(subnets[kind].values())
    expect(
        f"zones of {kind} subnets", {deployed.ec2("vpc", deployed.vpc["VpcId"]): zones}, sorted(settings.network.zones)
    )


def test_subnets_assign_no_public_addresses(deployed: DeployedEnvironment):
    assigned = {
        deployed.ec2("subnet", s["SubnetId"]): s["MapPublicIpOnLaunch"]
        for s in deployed.in_vpc("describe_subnets", "Subnets")
    }
    expect("assigns public addresses", assigned, False)


def test_public_subnets_route_to_an_internet_gateway(
    deployed: DeployedEnvironment, subnets: dict[SubnetKind, dict[str, str]], routes: dict[str, list[Response]]
):
    ranges = {
        deployed.ec2("subnet", subnet): {
            route["DestinationCidrBlock"]
            for route in routes.get(subnet, [])
            if route.get("GatewayId", "").startswith("igw-") and route.get("State") == "active"
        }
        for subnet in subnets["public"]
    }
    expect("routes to an internet gateway", ranges, {str(INTERNET)})


def test_app_subnets_route_to_the_nat_gateway_of_the_settings(
    deployed: DeployedEnvironment,
    settings: Environment,
    subnets: dict[SubnetKind, dict[str, str]],
    routes: dict[str, list[Response]],
):
    gateways = deployed.list_all("ec2", "describe_nat_gateways", "NatGateways")
    zones = {
        gateway["NatGatewayId"]: subnets["public"].get(gateway["SubnetId"])
        for gateway in gateways
        if gateway["State"] == "available"
    }
    gateway_zones = {
        deployed.ec2("subnet", subnet): [
            zones.get(route["NatGatewayId"]) for route in routes.get(subnet, []) if "NatGatewayId" in route
        ]
        for subnet in subnets["app"]
    }
    per_zone = settings.network.nat_per_zone
    expect_each(
        "zones of NAT gateways",
        gateway_zones,
        {
            deployed.ec2("subnet", subnet): [zone if per_zone else settings.network.zones[0]]
            for subnet, zone in subnets["app"].items()
        },
    )


def test_data_subnets_have_no_routes_out_of_the_vpc(
    deployed: DeployedEnvironment, subnets: dict[SubnetKind, dict[str, str]], routes: dict[str, list[Response]]
):
    other_routes = {
        deployed.ec2("subnet", subnet): [
            # Without a table of its own, the subnet has the main route table: {} reports that.
            route
            for route in routes.get(subnet, [{}])
            if route.get("GatewayId") != "local"
        ]
        for subnet in subnets["data"]
    }
    expect("routes other than the local one", other_routes, [])


@pytest.mark.parametrize("party", PURPOSES)
def test_security_group_rules_match_the_table_of_flows(
    deployed: DeployedEnvironment, settings: Environment, groups: dict[str, str], party: str
):
    group = only_one(f"security group of {party}", [id for id, one in groups.items() if one == party])
    rules = deployed.list_all(
        "ec2", "describe_security_group_rules", "SecurityGroupRules", Filters=[{"Name": "group-id", "Values": [group]}]
    )
    peers = {**groups, **{one["PrefixListId"]: S3 for one in s3_prefix_lists(deployed)}}
    allowed = {
        (
            "out to" if rule["IsEgress"] else "in from",
            peers.get(peer := peer_of(rule), peer),
            rule["IpProtocol"],
            rule.get("FromPort"),
            rule.get("ToPort"),
        )
        for rule in rules
    }
    egress = [Flow("service", rule.cidr, rule.port, rule.reason) for rule in settings.network.egress]
    expect(
        f"rules of {party}",
        {deployed.ec2("security-group", group): allowed},
        flows_of(party, [*ALLOWED_FLOWS, *egress]),
    )


def flows_of(party: str, flows: list[Flow]) -> set[tuple[str, str, str, int, int]]:
    """Rules of one party in the table of flows."""
    out_of = {("out to", str(flow.target), "tcp", flow.port, flow.port) for flow in flows if flow.source == party}
    into = {("in from", str(flow.source), "tcp", flow.port, flow.port) for flow in flows if flow.target == party}
    return out_of | into


def peer_of(rule: Response) -> str:
    group = rule.get("ReferencedGroupInfo", {}).get("GroupId")
    return group or rule.get("PrefixListId") or rule.get("CidrIpv4") or rule.get("CidrIpv6") or "none"


def s3_prefix_lists(deployed: DeployedEnvironment) -> list[Response]:
    """The prefix list of S3 in the Region."""
    name = f"com.amazonaws.{deployed.settings.region}.s3"
    filters = [{"Name": "prefix-list-name", "Values": [name]}]
    lists = deployed.list_all("ec2", "describe_prefix_lists", "PrefixLists", Filters=filters)
    return [one for one in lists if one["PrefixListName"] == name]


def test_default_security_group_has_no_rules(deployed: DeployedEnvironment):
    group = only_one(
        "default group", deployed.in_vpc("describe_security_groups", "SecurityGroups", group_name="default")
    )
    expect(
        "rules",
        {deployed.ec2("security-group", group["GroupId"]): group["IpPermissions"] + group["IpPermissionsEgress"]},
        [],
    )


def test_default_network_acl_allows_nothing(deployed: DeployedEnvironment):
    acl = only_one("default network ACL", deployed.in_vpc("describe_network_acls", "NetworkAcls", default="true"))
    allowed = [entry for entry in acl["Entries"] if entry["RuleAction"] == "allow"]
    expect("allows", {deployed.ec2("network-acl", acl["NetworkAclId"]): allowed}, list[Response]())


def test_main_route_table_leads_nowhere(deployed: DeployedEnvironment):
    tables = deployed.in_vpc("describe_route_tables", "RouteTables")
    table = only_one("main route table", [one for one in tables if any(each["Main"] for each in one["Associations"])])
    routes = [route.get("GatewayId") for route in table["Routes"]]
    expect("routes", {deployed.ec2("route-table", table["RouteTableId"]): routes}, ["local"])


@pytest.mark.parametrize("kind", KINDS)
def test_network_acl_entries(
    deployed: DeployedEnvironment, settings: Environment, subnets: dict[SubnetKind, dict[str, str]], kind: SubnetKind
):
    acl = only_one(
        f"network ACL of the {kind} subnets",
        [
            acl
            for acl in deployed.in_vpc("describe_network_acls", "NetworkAcls")
            if {association["SubnetId"] for association in acl["Associations"]} == set(subnets[kind])
        ],
    )
    allowed = {
        ("out to" if entry["Egress"] else "in from", entry["CidrBlock"], *protocol_of(entry))
        for entry in acl["Entries"]
        if entry["RuleAction"] == "allow"
    }
    rules = acl_rules(AddressPlan.for_vpc(settings.network.cidr), settings.network.egress)[kind]
    expect(
        f"entries of the {kind} subnets",
        {deployed.ec2("network-acl", acl["NetworkAclId"]): allowed},
        {
            ("in from", str(INTERNET), "icmp", 3, 4),  # path MTU discovery
            ("out to", str(INTERNET), "icmp", 3, 4),
            *(("in from", str(rule.cidr), "tcp", *rule.port_range) for rule in rules.ingress),
            *(("out to", str(rule.cidr), "tcp", *rule.port_range) for rule in rules.egress),
        },
    )


def protocol_of(entry: Response) -> tuple[str, int | None, int | None]:
    """Protocol with first and last port; for ICMP, with type and code."""
    # EC2 returns IANA protocol numbers.
    if entry["Protocol"] == "1":
        return "icmp", entry.get("IcmpTypeCode", {}).get("Type"), entry.get("IcmpTypeCode", {}).get("Code")
    protocol = "tcp" if entry["Protocol"] == "6" else entry["Protocol"]
    return protocol, entry.get("PortRange", {}).get("From"), entry.get("PortRange", {}).get("To")


def test_only_nat_gateways_and_the_load_balancer_have_public_addresses(
    deployed: DeployedEnvironment, balancer: Response
):
    public = {
        interface["NetworkInterfaceId"]: interface.get("Description", "")
        for interface in deployed.in_vpc("describe_network_interfaces", "NetworkInterfaces")
        if interface.get("Association", {}).get("PublicIp")
    }
    of_nat = {
        address.get("NetworkInterfaceId")
        for gateway in deployed.list_all("ec2", "describe_nat_gateways", "NatGateways")
        for address in gateway["NatGatewayAddresses"]
    }
    others = {deployed.ec2("network-interface", id): text for id, text in public.items() if id not in of_nat}
    # AWS describes the network interfaces of a load balancer as "ELB app/<name>/<id>".
    description = f"ELB {balancer['LoadBalancerArn'].partition('loadbalancer/')[2]}"
    expected = {arn: text for arn, text in others.items() if text == description}
    expect_each("has a public address", others, expected)


def test_vpc_endpoints_are_those_of_the_stacks(deployed: DeployedEnvironment, settings: Environment):
    endpoints = deployed.in_vpc("describe_vpc_endpoints", "VpcEndpoints")
    kinds = {
        endpoint["ServiceName"]: (endpoint["VpcEndpointType"], endpoint["State"], endpoint.get("PrivateDnsEnabled"))
        for endpoint in endpoints
    }
    region = settings.region
    wanted: dict[str, Any] = {
        f"com.amazonaws.{region}.{one.service}": ("Interface", "available", True)
        for one in (*SHARED_ENDPOINTS, SECRETS_ENDPOINT)
    }
    expect_each("endpoint", kinds, {**wanted, f"com.amazonaws.{region}.s3": ("Gateway", "available", False)})


def test_endpoints_have_an_address_in_every_zone(
    deployed: DeployedEnvironment, subnets: dict[SubnetKind, dict[str, str]]
):
    endpoints = deployed.in_vpc("describe_vpc_endpoints", "VpcEndpoints", vpc_endpoint_type="Interface")
    expect(
        "subnets",
        {deployed.ec2("vpc-endpoint", e["VpcEndpointId"]): set(e["SubnetIds"]) for e in endpoints},
        set(subnets["app"]),
    )


def test_flow_logs_record_all_traffic(deployed: DeployedEnvironment):
    logs = [
        (log["TrafficType"], log["FlowLogStatus"], log["MaxAggregationInterval"])
        for log in deployed.list_all(
            "ec2",
            "describe_flow_logs",
            "FlowLogs",
            Filters=[{"Name": "resource-id", "Values": [deployed.vpc["VpcId"]]}],
        )
    ]
    expect(
        "traffic type, status and aggregation interval",
        {deployed.ec2("vpc", deployed.vpc["VpcId"]): logs},
        [("ALL", "ACTIVE", 60)],
    )


def test_only_rejected_requests_from_within_the_vpc_are_counted(deployed: DeployedEnvironment, settings: Environment):
    logs = deployed.list_all("ec2", "describe_flow_logs", "FlowLogs")
    group = only_one("flow log", [log for log in logs if log["ResourceId"] == deployed.vpc["VpcId"]])["LogGroupName"]
    filters = deployed.list_all("logs", "describe_metric_filters", "metricFilters", logGroupName=group)
    patterns = {one["filterName"]: one["filterPattern"] for one in filters}
    expect("pattern", patterns, rejected_traffic_pattern(settings.network.cidr))


def test_cidr_block_of_the_vpc(deployed: DeployedEnvironment, settings: Environment):
    expect(
        "CIDR block",
        {deployed.ec2("vpc", deployed.vpc["VpcId"]): IPv4Network(deployed.vpc["CidrBlock"])},
        settings.network.cidr,
    )
