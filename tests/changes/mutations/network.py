"""Mutations for test_network.py: subnets, routes, security groups, network ACLs, endpoints, flow logs."""

from ipaddress import ip_network
from typing import Any

from local_aws.server import LocalAws
from stacks.network.flows import PURPOSES
from tests.changes.mutations import Mutation, Related
from tests.changes.mutations.lookup import named


def subnet(aws: LocalAws, name: str) -> Any:
    """A subnet's model."""
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


def gives_addresses(aws: LocalAws) -> None:
    aws.client("ec2").modify_subnet_attribute(
        SubnetId=named(aws, "subnet", "public-a"), MapPublicIpOnLaunch={"Value": True}
    )


def public_subnet_leads_nowhere(aws: LocalAws) -> None:
    aws.client("ec2").delete_route(RouteTableId=named(aws, "rtb", "public-a"), DestinationCidrBlock="0.0.0.0/0")


def tasks_leave_by_the_other_zone(aws: LocalAws) -> None:
    aws.client("ec2").replace_route(
        RouteTableId=named(aws, "rtb", "app-a"),
        DestinationCidrBlock="0.0.0.0/0",
        NatGatewayId=named(aws, "nat", "nat-b"),
    )


def data_subnet_leads_out(aws: LocalAws) -> None:
    aws.client("ec2").create_route(
        RouteTableId=named(aws, "rtb", "data-b"),
        DestinationCidrBlock="0.0.0.0/0",
        NatGatewayId=named(aws, "nat", "nat-b"),
    )


def group_allows_ssh(group: str) -> Mutation:
    """Allow SSH from anywhere."""
    anywhere = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    return lambda aws: aws.client("ec2").authorize_security_group_ingress(
        GroupId=named(aws, "sg", group), IpPermissions=[anywhere]
    )


def acl_allows_smtp(kind: str) -> Mutation:
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


def something_else_has_a_public_address(aws: LocalAws) -> None:
    ec2 = aws.client("ec2")
    interface = ec2.create_network_interface(SubnetId=named(aws, "subnet", "app-a"))["NetworkInterface"]
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=interface["NetworkInterfaceId"])


def delete_endpoint(aws: LocalAws) -> None:
    aws.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[named(aws, "vpce", "monitoring")])


def endpoint_is_in_one_zone(aws: LocalAws) -> None:
    aws.client("ec2").modify_vpc_endpoint(
        VpcEndpointId=named(aws, "vpce", "kms"), RemoveSubnetIds=[named(aws, "subnet", "app-a")]
    )


def flows_are_not_logged(aws: LocalAws) -> None:
    aws.client("ec2").delete_flow_logs(FlowLogIds=[named(aws, "fl", "flow-logs")])


def default_acl_allows_all(aws: LocalAws) -> None:
    ec2 = aws.client("ec2")
    for acl in ec2.describe_network_acls(Filters=[{"Name": "default", "Values": ["true"]}])["NetworkAcls"]:
        ec2.create_network_acl_entry(
            NetworkAclId=acl["NetworkAclId"],
            RuleNumber=100,
            Protocol="-1",
            RuleAction="allow",
            Egress=False,
            CidrBlock="0.0.0.0/0",
        )


def main_route_table_leads_out(aws: LocalAws) -> None:
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


def vpc_has_another_range(aws: LocalAws) -> None:
    vpc = aws.backend("ec2").vpcs[named(aws, "vpc", "vpc")]
    vpc.cidr_block = str(ip_network(vpc.cidr_block).supernet())


MUTATIONS: dict[str, Mutation] = {
    **{f"test_there_is_a_subnet_in_every_zone[{kind}]": move_to_other_zone(kind) for kind in ("public", "app", "data")},
    "test_subnets_assign_no_public_addresses": gives_addresses,
    "test_public_subnets_route_to_an_internet_gateway": public_subnet_leads_nowhere,
    "test_app_subnets_route_to_a_nat_gateway_in_their_zone": tasks_leave_by_the_other_zone,
    "test_data_subnets_have_no_routes_out_of_the_vpc": data_subnet_leads_out,
    **{
        f"test_security_group_rules_match_the_table_of_flows[{party}]": group_allows_ssh(party.replace("_", "-"))
        for party in PURPOSES
    },
    "test_default_security_group_has_no_rules": group_allows_ssh("default-locked"),
    "test_default_network_acl_allows_nothing": default_acl_allows_all,
    "test_main_route_table_leads_nowhere": main_route_table_leads_out,
    **{f"test_network_acl_entries[{kind}]": acl_allows_smtp(kind) for kind in ("public", "app", "data")},
    "test_only_nat_gateways_and_the_load_balancer_have_public_addresses": something_else_has_a_public_address,
    "test_vpc_endpoints_exist": delete_endpoint,
    "test_endpoints_have_an_address_in_every_zone": endpoint_is_in_one_zone,
    "test_flow_logs_record_all_traffic": flows_are_not_logged,
    "test_rejected_traffic_is_counted_without_responses_to_scanners": count_responses_to_scanners,
    "test_cidr_block_of_the_vpc": vpc_has_another_range,
}
RELATED: Related = {
    "test_there_is_a_subnet_in_every_zone[public]": {
        "test_network.py::test_app_subnets_route_to_a_nat_gateway_in_their_zone": "a NAT gateway moves with its subnet",
    },
    "test_there_is_a_subnet_in_every_zone[app]": {
        "test_network.py::test_app_subnets_route_to_a_nat_gateway_in_their_zone": "tasks move with their subnet",
        "test_storage.py::test_there_is_a_mount_target_in_every_zone": "a mount target moves with its subnet",
    },
}
