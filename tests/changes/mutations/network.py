"""Changes for test_network.py: subnets, routes, security groups, network ACLs, endpoints, flow logs."""

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


def is_in_the_other_zone(kind: str) -> Mutation:
    """A subnet moves, which AWS has no action for."""

    def change(aws: LocalAws) -> None:
        moved, other = subnet(aws, f"{kind}-a"), subnet(aws, f"{kind}-b")
        # Both names of it: the zone and its letter.
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


def lets_in(group: str) -> Mutation:
    """SSH from anywhere."""
    anywhere = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    return lambda aws: aws.client("ec2").authorize_security_group_ingress(
        GroupId=named(aws, "sg", group), IpPermissions=[anywhere]
    )


def acl_lets_out(kind: str) -> Mutation:
    """SMTP, to anywhere."""
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


def endpoint_is_gone(aws: LocalAws) -> None:
    aws.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[named(aws, "vpce", "monitoring")])


def endpoint_is_in_one_zone(aws: LocalAws) -> None:
    aws.client("ec2").modify_vpc_endpoint(
        VpcEndpointId=named(aws, "vpce", "kms"), RemoveSubnetIds=[named(aws, "subnet", "app-a")]
    )


def flows_are_not_logged(aws: LocalAws) -> None:
    aws.client("ec2").delete_flow_logs(FlowLogIds=[named(aws, "fl", "flow-logs")])


def vpc_has_another_range(aws: LocalAws) -> None:
    vpc = aws.backend("ec2").vpcs[named(aws, "vpc", "vpc")]
    vpc.cidr_block = str(ip_network(vpc.cidr_block).supernet())


MUTATIONS: dict[str, Mutation] = {
    **{
        f"test_there_is_a_subnet_in_every_zone[{kind}]": is_in_the_other_zone(kind)
        for kind in ("public", "app", "data")
    },
    "test_no_subnet_gives_public_addresses": gives_addresses,
    "test_public_subnets_lead_to_the_internet_gateway": public_subnet_leads_nowhere,
    "test_tasks_leave_by_a_nat_gateway_of_their_own_zone": tasks_leave_by_the_other_zone,
    "test_data_subnets_have_no_way_out": data_subnet_leads_out,
    **{f"test_security_group_is_the_table_of_flows[{party}]": lets_in(party.replace("_", "-")) for party in PURPOSES},
    "test_what_has_no_group_of_its_own_reaches_nothing_and_nobody": lets_in("default-locked"),
    **{f"test_network_acl_is_the_second_wall[{kind}]": acl_lets_out(kind) for kind in ("public", "app", "data")},
    "test_only_nat_gateways_and_the_load_balancer_have_public_addresses": something_else_has_a_public_address,
    "test_services_of_aws_are_reached_within_the_vpc": endpoint_is_gone,
    "test_endpoints_have_an_address_in_every_zone": endpoint_is_in_one_zone,
    "test_all_flows_are_logged": flows_are_not_logged,
    "test_the_vpc_has_the_range_of_the_settings": vpc_has_another_range,
}
RELATED: Related = {
    "test_there_is_a_subnet_in_every_zone[public]": {
        "test_network.py::test_tasks_leave_by_a_nat_gateway_of_their_own_zone": "a NAT gateway moves with its subnet",
    },
    "test_there_is_a_subnet_in_every_zone[app]": {
        "test_network.py::test_tasks_leave_by_a_nat_gateway_of_their_own_zone": "tasks move with their subnet",
        "test_storage.py::test_there_is_a_mount_target_in_every_zone": "a mount target moves with its subnet",
    },
}
