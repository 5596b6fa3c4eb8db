"""Every zone has its own of everything, and nothing flows that is not in the table of flows."""

from ipaddress import IPv4Network
from typing import Any

import pytest

from stacks.network.endpoints import ENDPOINTS, SECRETS
from stacks.network.flows import ALLOWED_FLOWS, INTERNET, PURPOSES, S3, Flow
from stacks.network.network_acls import acl_rules
from stacks.network.subnets import AddressPlan, SubnetKind
from stacks.settings import Environment
from tests.integration.deployed import DeployedEnvironment, Response, only_one
from tests.integration.expectations import expect, expect_each

KINDS: tuple[SubnetKind, ...] = ("public", "app", "data")


@pytest.fixture(scope="session")
def routes(found: DeployedEnvironment) -> dict[str, list[Response]]:
    """The routes of each subnet that has a table of its own."""
    return {
        association["SubnetId"]: table["Routes"]
        for table in found.in_vpc("describe_route_tables", "RouteTables")
        for association in table["Associations"]
        if "SubnetId" in association
    }


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_a_subnet_in_every_zone(
    settings: Environment, subnets: dict[SubnetKind, dict[str, str]], found: DeployedEnvironment, kind: SubnetKind
):
    zones = sorted(subnets[kind].values())
    expect(f"zones of {kind} subnets", {found.ec2("vpc", found.vpc["VpcId"]): zones}, sorted(settings.network.zones))


def test_no_subnet_gives_public_addresses(found: DeployedEnvironment):
    given = {
        found.ec2("subnet", s["SubnetId"]): s["MapPublicIpOnLaunch"]
        for s in found.in_vpc("describe_subnets", "Subnets")
    }
    expect("gives public addresses", given, False)


def test_public_subnets_lead_to_the_internet_gateway(
    found: DeployedEnvironment, subnets: dict[SubnetKind, dict[str, str]], routes: dict[str, list[Response]]
):
    ways = {
        found.ec2("subnet", subnet): {
            route["DestinationCidrBlock"]
            for route in routes.get(subnet, [])
            if route.get("GatewayId", "").startswith("igw-") and route.get("State") == "active"
        }
        for subnet in subnets["public"]
    }
    expect("leads to an internet gateway", ways, {str(INTERNET)})


def test_tasks_leave_by_a_nat_gateway_of_their_own_zone(
    found: DeployedEnvironment,
    settings: Environment,
    subnets: dict[SubnetKind, dict[str, str]],
    routes: dict[str, list[Response]],
):
    gateways = found.list_all("ec2", "describe_nat_gateways", "NatGateways")
    zones = {
        gateway["NatGatewayId"]: subnets["public"].get(gateway["SubnetId"])
        for gateway in gateways
        if gateway["State"] == "available"
    }
    left_by = {
        found.ec2("subnet", subnet): [
            zones.get(route["NatGatewayId"]) for route in routes.get(subnet, []) if "NatGatewayId" in route
        ]
        for subnet in subnets["app"]
    }
    own = settings.network.nat_per_zone
    expect_each(
        "zones of the NAT gateways that it leads to",
        left_by,
        {
            found.ec2("subnet", subnet): [zone if own else settings.network.zones[0]]
            for subnet, zone in subnets["app"].items()
        },
    )


def test_data_subnets_have_no_way_out(
    found: DeployedEnvironment, subnets: dict[SubnetKind, dict[str, str]], routes: dict[str, list[Response]]
):
    ways = {
        found.ec2("subnet", subnet): [route for route in routes.get(subnet, [{}]) if route.get("GatewayId") != "local"]
        for subnet in subnets["data"]
    }
    expect("routes beside the VPC's own", ways, [])


@pytest.mark.parametrize("party", PURPOSES)
def test_security_group_is_the_table_of_flows(
    found: DeployedEnvironment, settings: Environment, groups: dict[str, str], party: str
):
    group = only_one(f"security group of {party}", [id for id, one in groups.items() if one == party])
    rules = found.list_all(
        "ec2", "describe_security_group_rules", "SecurityGroupRules", Filters=[{"Name": "group-id", "Values": [group]}]
    )
    peers = {**groups, **{one["PrefixListId"]: S3 for one in prefix_lists(found)}}
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
        f"rules of {party}", {found.ec2("security-group", group): allowed}, flows_of(party, [*ALLOWED_FLOWS, *egress])
    )


def flows_of(party: str, flows: list[Flow]) -> set[tuple[str, str, str, int, int]]:
    """What the table of flows says of one party."""
    out_of = {("out to", str(flow.target), "tcp", flow.port, flow.port) for flow in flows if flow.source == party}
    into = {("in from", str(flow.source), "tcp", flow.port, flow.port) for flow in flows if flow.target == party}
    return out_of | into


def peer_of(rule: Response) -> str:
    group = rule.get("ReferencedGroupInfo", {}).get("GroupId")
    return group or rule.get("PrefixListId") or rule.get("CidrIpv4") or rule.get("CidrIpv6") or "nobody"


def prefix_lists(found: DeployedEnvironment) -> list[Response]:
    """S3's, within the Region."""
    name = f"com.amazonaws.{found.settings.region}.s3"
    filters = [{"Name": "prefix-list-name", "Values": [name]}]
    lists = found.list_all("ec2", "describe_prefix_lists", "PrefixLists", Filters=filters)
    return [one for one in lists if one["PrefixListName"] == name]


def test_what_has_no_group_of_its_own_reaches_nothing_and_nobody(found: DeployedEnvironment):
    group = only_one("default group", found.in_vpc("describe_security_groups", "SecurityGroups", group_name="default"))
    expect(
        "rules",
        {found.ec2("security-group", group["GroupId"]): group["IpPermissions"] + group["IpPermissionsEgress"]},
        [],
    )


@pytest.mark.parametrize("kind", KINDS)
def test_network_acl_is_the_second_wall(
    found: DeployedEnvironment, settings: Environment, subnets: dict[SubnetKind, dict[str, str]], kind: SubnetKind
):
    acl = only_one(
        f"network ACL of the {kind} subnets",
        [
            acl
            for acl in found.in_vpc("describe_network_acls", "NetworkAcls")
            if {association["SubnetId"] for association in acl["Associations"]} == set(subnets[kind])
        ],
    )
    allowed = {
        ("out to" if entry["Egress"] else "in from", entry["CidrBlock"], *what_of(entry))
        for entry in acl["Entries"]
        if entry["RuleAction"] == "allow"
    }
    rules = acl_rules(AddressPlan.for_vpc(settings.network.cidr), settings.network.egress)[kind]
    expect(
        f"entries of the {kind} subnets",
        {found.ec2("network-acl", acl["NetworkAclId"]): allowed},
        {
            ("in from", str(INTERNET), "icmp", 3, 4),  # path MTU discovery
            ("out to", str(INTERNET), "icmp", 3, 4),
            *(("in from", str(rule.cidr), "tcp", *rule.port_range) for rule in rules.ingress),
            *(("out to", str(rule.cidr), "tcp", *rule.port_range) for rule in rules.egress),
        },
    )


def what_of(entry: Response) -> tuple[str, int | None, int | None]:
    """Protocol, and first and last port; of ICMP, type and code."""
    # IANA's numbers, which EC2 answers with.
    if entry["Protocol"] == "1":
        return "icmp", entry.get("IcmpTypeCode", {}).get("Type"), entry.get("IcmpTypeCode", {}).get("Code")
    protocol = "tcp" if entry["Protocol"] == "6" else entry["Protocol"]
    return protocol, entry.get("PortRange", {}).get("From"), entry.get("PortRange", {}).get("To")


def test_only_nat_gateways_and_the_load_balancer_have_public_addresses(found: DeployedEnvironment):
    public = {
        interface["NetworkInterfaceId"]: interface.get("Description", "")
        for interface in found.in_vpc("describe_network_interfaces", "NetworkInterfaces")
        if interface.get("Association", {}).get("PublicIp")
    }
    of_nat = {
        address.get("NetworkInterfaceId")
        for gateway in found.list_all("ec2", "describe_nat_gateways", "NatGateways")
        for address in gateway["NatGatewayAddresses"]
    }
    others = {found.ec2("network-interface", id): why for id, why in public.items() if id not in of_nat}
    # What the load balancer's interfaces say of themselves.
    expect_each("has a public address", others, {arn: why for arn, why in others.items() if why.startswith("ELB app/")})


def test_services_of_aws_are_reached_within_the_vpc(found: DeployedEnvironment, settings: Environment):
    endpoints = found.in_vpc("describe_vpc_endpoints", "VpcEndpoints")
    kinds = {
        endpoint["ServiceName"]: (endpoint["VpcEndpointType"], endpoint["State"], endpoint.get("PrivateDnsEnabled"))
        for endpoint in endpoints
    }
    region = settings.region
    wanted: dict[str, Any] = {
        f"com.amazonaws.{region}.{one.service}": ("Interface", "available", True) for one in (*ENDPOINTS, SECRETS)
    }
    expect_each("endpoint", kinds, {**wanted, f"com.amazonaws.{region}.s3": ("Gateway", "available", False)})


def test_endpoints_have_an_address_in_every_zone(found: DeployedEnvironment, subnets: dict[SubnetKind, dict[str, str]]):
    endpoints = found.in_vpc("describe_vpc_endpoints", "VpcEndpoints", vpc_endpoint_type="Interface")
    expect(
        "subnets",
        {found.ec2("vpc-endpoint", e["VpcEndpointId"]): set(e["SubnetIds"]) for e in endpoints},
        set(subnets["app"]),
    )


def test_all_flows_are_logged(found: DeployedEnvironment):
    logs = [
        (log["TrafficType"], log["FlowLogStatus"], log["MaxAggregationInterval"])
        for log in found.list_all(
            "ec2", "describe_flow_logs", "FlowLogs", Filters=[{"Name": "resource-id", "Values": [found.vpc["VpcId"]]}]
        )
    ]
    expect("flow logs, with their seconds", {found.ec2("vpc", found.vpc["VpcId"]): logs}, [("ALL", "ACTIVE", 60)])


def test_the_vpc_has_the_range_of_the_settings(found: DeployedEnvironment, settings: Environment):
    expect("range", {found.ec2("vpc", found.vpc["VpcId"]): IPv4Network(found.vpc["CidrBlock"])}, settings.network.cidr)
