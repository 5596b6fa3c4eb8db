"""Mutations for test_network.py: subnets, routes, security groups, network ACLs, endpoints, flow logs."""

from ipaddress import ip_network
from typing import Any

from local_aws.server import LocalAws
from stacks.network.flows import PURPOSES
from tests.changes.mutations import Mutation, Related
from tests.changes.mutations.lookup import named


def subnet(aws: LocalAws, name: str) -> Any:
    """moto's object of a subnet."""
    id = named(aws, "subnet", name)
    (one,) = (by_id[id] for by_id in aws.backend("ec2").subnets.values() if id in by_id)
    return one


def move_to_other_zone(kind: str) -> Mutation:
    """Change a subnet's zone, which no API action can."""

    def change(aws: LocalAws) -> None:
        moved, other = subnet(aws, f"{kind}-a"), subnet(aws, f"{kind}-b")
        # The model derives the zone's name and ID from this attribute.
        moved._availability_zone = other._availability_zone

    return change


def assign_public_addresses(aws: LocalAws) -> None:
    aws.client("ec2").modify_subnet_attribute(
        SubnetId=named(aws, "subnet", "public-a"), MapPublicIpOnLaunch={"Value": True}
    )


def delete_internet_route(aws: LocalAws) -> None:
    aws.client("ec2").delete_route(RouteTableId=named(aws, "rtb", "public-a"), DestinationCidrBlock="0.0.0.0/0")


def use_nat_gateway_of_other_zone(aws: LocalAws) -> None:
    aws.client("ec2").replace_route(
        RouteTableId=named(aws, "rtb", "app-a"),
        DestinationCidrBlock="0.0.0.0/0",
        NatGatewayId=named(aws, "nat", "nat-b"),
    )


def route_data_subnet_to_nat_gateway(aws: LocalAws) -> None:
    aws.client("ec2").create_route(
        RouteTableId=named(aws, "rtb", "data-b"),
        DestinationCidrBlock="0.0.0.0/0",
        NatGatewayId=named(aws, "nat", "nat-b"),
    )


def allow_ssh(group: str) -> Mutation:
    """Allow SSH from anywhere."""
    anywhere = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    return lambda aws: aws.client("ec2").authorize_security_group_ingress(
        GroupId=named(aws, "sg", group), IpPermissions=[anywhere]
    )


def allow_smtp(kind: str) -> Mutation:
    """Allow SMTP to anywhere."""
    return lambda aws: aws.client("ec2").create_network_acl_entry(
        NetworkAclId=named(aws, "acl", kind),
        RuleNumber=500,
        Protocol="6",
        RuleAction="allow",
        Egress=True,
        CidrBlock="0.0.0.0/0",
        PortRange={"From": 25, "To": 25},
    )


def associate_public_address(aws: LocalAws) -> None:
    """Give a public address to an interface that looks like one of another load balancer."""
    ec2 = aws.client("ec2")
    interface = ec2.create_network_interface(
        SubnetId=named(aws, "subnet", "app-a"), Description="ELB app/another/50dc6c495c0c9188"
    )["NetworkInterface"]
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=interface["NetworkInterfaceId"])


def delete_endpoint(aws: LocalAws) -> None:
    aws.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[named(aws, "vpce", "monitoring")])


def remove_endpoint_from_zone(aws: LocalAws) -> None:
    aws.client("ec2").modify_vpc_endpoint(
        VpcEndpointId=named(aws, "vpce", "kms"), RemoveSubnetIds=[named(aws, "subnet", "app-a")]
    )


def delete_flow_logs(aws: LocalAws) -> None:
    aws.client("ec2").delete_flow_logs(FlowLogIds=[named(aws, "fl", "flow-logs")])


def open_default_acl(aws: LocalAws) -> None:
    ec2, vpc = aws.client("ec2"), named(aws, "vpc", "vpc")
    filters = [{"Name": "default", "Values": ["true"]}, {"Name": "vpc-id", "Values": [vpc]}]
    (acl,) = ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    ec2.create_network_acl_entry(
        NetworkAclId=acl["NetworkAclId"],
        RuleNumber=100,
        Protocol="-1",
        RuleAction="allow",
        Egress=False,
        CidrBlock="0.0.0.0/0",
    )


def route_main_table_to_nat_gateway(aws: LocalAws) -> None:
    ec2, vpc = aws.client("ec2"), named(aws, "vpc", "vpc")
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    (main,) = (one for one in tables if any(each["Main"] for each in one["Associations"]))
    ec2.create_route(
        RouteTableId=main["RouteTableId"],
        DestinationCidrBlock="0.0.0.0/0",
        NatGatewayId=named(aws, "nat", "nat-a"),
    )


def count_responses_to_scanners(aws: LocalAws) -> None:
    logs = aws.client("logs")
    (group,) = (one["LogGroupName"] for one in aws.client("ec2").describe_flow_logs()["FlowLogs"])
    (one,) = logs.describe_metric_filters(logGroupName=group)["metricFilters"]
    logs.put_metric_filter(
        logGroupName=group,
        filterName=one["filterName"],
        filterPattern=one["filterPattern"].replace("source_port!=443", "source_port"),
        metricTransformations=one["metricTransformations"],
    )


def widen_vpc_range(aws: LocalAws) -> None:
    vpc = aws.backend("ec2").vpcs[named(aws, "vpc", "vpc")]
    vpc.cidr_block = str(ip_network(vpc.cidr_block).supernet())


MUTATIONS: dict[str, Mutation] = {
    **{f"test_there_is_a_subnet_in_every_zone[{kind}]": move_to_other_zone(kind) for kind in ("public", "app", "data")},
    "test_subnets_assign_no_public_addresses": assign_public_addresses,
    "test_public_subnets_route_to_an_internet_gateway": delete_internet_route,
    "test_app_subnets_route_to_the_nat_gateway_of_the_settings": use_nat_gateway_of_other_zone,
    "test_data_subnets_have_no_routes_out_of_the_vpc": route_data_subnet_to_nat_gateway,
    **{
        f"test_security_group_rules_match_the_table_of_flows[{party}]": allow_ssh(party.replace("_", "-"))
        for party in PURPOSES
    },
    "test_default_security_group_has_no_rules": allow_ssh("default-locked"),
    "test_default_network_acl_allows_nothing": open_default_acl,
    "test_main_route_table_leads_nowhere": route_main_table_to_nat_gateway,
    **{f"test_network_acl_entries[{kind}]": allow_smtp(kind) for kind in ("public", "app", "data")},
    "test_only_nat_gateways_and_the_load_balancer_have_public_addresses": associate_public_address,
    "test_vpc_endpoints_are_those_of_the_stacks": delete_endpoint,
    "test_endpoints_have_an_address_in_every_zone": remove_endpoint_from_zone,
    "test_flow_logs_record_all_traffic": delete_flow_logs,
    "test_only_rejected_requests_from_within_the_vpc_are_counted": count_responses_to_scanners,
    "test_cidr_block_of_the_vpc": widen_vpc_range,
}
RELATED: Related = {
    "test_flow_logs_record_all_traffic": {
        "test_network.py::test_only_rejected_requests_from_within_the_vpc_are_counted": "the flow log names the group",
    },
    "test_there_is_a_subnet_in_every_zone[public]": {
        "test_network.py::test_app_subnets_route_to_the_nat_gateway_of_the_settings": "NAT gateways move with a subnet",
    },
    "test_there_is_a_subnet_in_every_zone[app]": {
        "test_network.py::test_app_subnets_route_to_the_nat_gateway_of_the_settings": "tasks move with their subnet",
        "test_storage.py::test_there_is_a_mount_target_in_every_zone": "a mount target moves with its subnet",
    },
}
