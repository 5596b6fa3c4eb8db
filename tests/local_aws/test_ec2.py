"""EC2: network ACLs, security group rules, flow logs, endpoints and NAT gateways."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from local_aws.services.ec2 import LAST_RULE
from tests.local_aws.conftest import ACCOUNT, REGION

TEXT = "orders and catalogue"


@pytest.fixture(scope="module")
def ec2(aws: LocalAws) -> Any:
    return aws.client("ec2")


@pytest.fixture(scope="module")
def vpc(ec2: Any) -> str:
    return ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]


@pytest.fixture
def acl(ec2: Any, vpc: str) -> str:
    return ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]


@pytest.fixture
def group(ec2: Any, vpc: str, request: pytest.FixtureRequest) -> str:
    return ec2.create_security_group(GroupName=request.node.name, Description="test", VpcId=vpc)["GroupId"]


def entries(ec2: Any, acl: str) -> list[dict[str, Any]]:
    """Entries of a network ACL, without those that deny the rest."""
    described = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Entries"]
    return [each for each in described if each["RuleNumber"] != LAST_RULE]


def entry(acl: str, number: int = 90, **parts: Any) -> dict[str, Any]:
    common = {
        "NetworkAclId": acl,
        "RuleNumber": number,
        "RuleAction": "allow",
        "Egress": False,
        "CidrBlock": "0.0.0.0/0",
    }
    return common | parts


def tcp(**peers: Any) -> list[dict[str, Any]]:
    return [{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, **peers}]


def code_of(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as error:
        call()
    return error.value.response["Error"]["Code"]


def test_an_acl_entry_keeps_its_icmp_type_and_code(ec2: Any, acl: str) -> None:
    ec2.create_network_acl_entry(**entry(acl, Protocol="1", IcmpTypeCode={"Type": 3, "Code": 4}))
    (description,) = entries(ec2, acl)
    assert (description["IcmpTypeCode"], description.get("PortRange")) == ({"Type": 3, "Code": 4}, None)
    ec2.replace_network_acl_entry(**entry(acl, Protocol="6", PortRange={"From": 443, "To": 444}))
    (description,) = entries(ec2, acl)
    assert (description.get("IcmpTypeCode"), description["PortRange"]) == (None, {"From": 443, "To": 444})


def test_a_new_acl_denies_everything(ec2: Any, acl: str) -> None:
    (described,) = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"]
    denied = {"CidrBlock": "0.0.0.0/0", "Protocol": "-1", "RuleAction": "deny", "RuleNumber": LAST_RULE}
    assert described["Entries"] == [denied | {"Egress": True}, denied | {"Egress": False}]


def test_an_acl_entry_can_be_deleted_once(ec2: Any, acl: str) -> None:
    ec2.create_network_acl_entry(**entry(acl, Protocol="-1"))
    ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=90, Egress=False)
    assert entries(ec2, acl) == []
    gone = code_of(lambda: ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=90, Egress=False))
    assert gone == "InvalidNetworkAclEntry.NotFound"


def test_concurrent_requests_create_an_acl_entry_once(aws: LocalAws, ec2: Any, acl: str) -> None:
    clients = [aws.client("ec2") for _ in range(8)]

    def create(client: Any) -> str:
        try:
            client.create_network_acl_entry(**entry(acl, Protocol="-1"))
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "created"

    with ThreadPoolExecutor(len(clients)) as at_once:
        outcomes = sorted(at_once.map(create, clients))
    assert outcomes == [*["NetworkAclEntryAlreadyExists"] * 7, "created"]
    assert len(entries(ec2, acl)) == 1


def peer_of(ec2: Any, kind: str, group: str) -> dict[str, Any]:
    if kind == "IpRanges":
        return {"CidrIp": "10.7.1.0/24"}
    if kind == "UserIdGroupPairs":
        return {"GroupId": group}
    lists = ec2.describe_prefix_lists()["PrefixLists"]
    return {"PrefixListId": next(one["PrefixListId"] for one in lists if one["PrefixListName"].endswith(".s3"))}


@pytest.mark.parametrize("kind", ["IpRanges", "UserIdGroupPairs", "PrefixListIds"])
@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_a_rule_keeps_its_description(ec2: Any, group: str, kind: str, direction: str) -> None:
    peer = peer_of(ec2, kind, group)
    authorize = getattr(ec2, f"authorize_security_group_{direction}")
    created = authorize(GroupId=group, IpPermissions=tcp(**{kind: [{**peer, "Description": TEXT}]}))
    rule = created["SecurityGroupRules"][0]["SecurityGroupRuleId"]

    def description() -> str | None:
        rules = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule])["SecurityGroupRules"]
        return rules[0].get("Description")

    assert description() == TEXT
    duplicate = code_of(
        lambda: authorize(GroupId=group, IpPermissions=tcp(**{kind: [{**peer, "Description": "other"}]}))
    )
    assert duplicate == "InvalidPermission.Duplicate"
    update_description = getattr(ec2, f"update_security_group_rule_descriptions_{direction}")
    update_description(GroupId=group, IpPermissions=tcp(**{kind: [{**peer, "Description": "something else"}]}))
    assert description() == "something else"
    update_description(GroupId=group, IpPermissions=tcp(**{kind: [peer]}))
    assert description() is None
    getattr(ec2, f"revoke_security_group_{direction}")(GroupId=group, IpPermissions=tcp(**{kind: [peer]}))
    assert code_of(description) == "InvalidSecurityGroupRuleId.NotFound"


def test_a_rule_for_a_group_can_be_modified(ec2: Any, vpc: str, group: str) -> None:
    pair = {"GroupId": group, "Description": TEXT}
    created = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=tcp(UserIdGroupPairs=[pair]))
    rule = created["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    other = ec2.create_security_group(GroupName="other", Description="test", VpcId=vpc)["GroupId"]
    wanted = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "ReferencedGroupId": other, "Description": "changed"}
    ec2.modify_security_group_rules(
        GroupId=group, SecurityGroupRules=[{"SecurityGroupRuleId": rule, "SecurityGroupRule": wanted}]
    )
    (description,) = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule])["SecurityGroupRules"]
    assert description["ReferencedGroupInfo"]["GroupId"] == other
    assert (description["Description"], description["FromPort"], description["ToPort"]) == ("changed", 1, 2)


def test_rules_for_prefix_lists_and_addresses_can_be_modified(ec2: Any, group: str) -> None:
    s3 = peer_of(ec2, "PrefixListIds", group)["PrefixListId"]
    lists = ec2.describe_prefix_lists()["PrefixLists"]
    other = next(one["PrefixListId"] for one in lists if one["PrefixListId"] != s3)
    both = tcp(PrefixListIds=[{"PrefixListId": s3, "Description": TEXT}], IpRanges=[{"CidrIp": "10.7.1.0/24"}])
    created = ec2.authorize_security_group_egress(GroupId=group, IpPermissions=both)["SecurityGroupRules"]
    ports = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2}
    wanted: list[dict[str, Any]] = [
        {"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "SecurityGroupRule": {**ports, **peer}}
        for rule, peer in zip(
            sorted(created, key=lambda rule: "PrefixListId" in rule),
            [{"CidrIpv4": "10.7.2.0/24", "Description": TEXT}, {"PrefixListId": other}],
            strict=True,
        )
    ]
    ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=wanted)
    addresses, prefix_list = ec2.describe_security_group_rules(
        SecurityGroupRuleIds=[one["SecurityGroupRuleId"] for one in wanted]
    )["SecurityGroupRules"]
    assert {addresses.get("CidrIpv4"), prefix_list.get("CidrIpv4")} == {"10.7.2.0/24", None}
    assert {addresses.get("PrefixListId"), prefix_list.get("PrefixListId")} == {other, None}
    assert {addresses.get("Description"), prefix_list.get("Description")} == {TEXT, None}


def test_the_default_egress_rule_can_be_described(ec2: Any, group: str) -> None:
    anything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": TEXT}]}]
    assert code_of(lambda: ec2.authorize_security_group_egress(GroupId=group, IpPermissions=anything)) == (
        "InvalidPermission.Duplicate"
    )
    ec2.update_security_group_rule_descriptions_egress(GroupId=group, IpPermissions=anything)
    (rule,) = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    assert rule["Description"] == TEXT


def test_flow_logs_can_be_delivered_to_a_log_group_arn(aws: LocalAws, ec2: Any, vpc: str) -> None:
    aws.client("logs").create_log_group(logGroupName="flows")
    ec2.create_flow_logs(
        ResourceType="VPC",
        ResourceIds=[vpc],
        TrafficType="ALL",
        DeliverLogsPermissionArn=f"arn:aws:iam::{ACCOUNT}:role/flows",
        LogDestination=f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:flows",
    )
    (description,) = ec2.describe_flow_logs(Filters=[{"Name": "resource-id", "Values": [vpc]}])["FlowLogs"]
    assert (description["DeliverLogsStatus"], description["LogGroupName"]) == ("SUCCESS", "flows")
    assert "DestinationOptions" not in description


def test_flow_logs_in_a_bucket_keep_their_options(aws: LocalAws, ec2: Any) -> None:
    aws.client("s3").create_bucket(Bucket="flows", CreateBucketConfiguration={"LocationConstraint": REGION})
    other = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    ec2.create_flow_logs(
        ResourceType="VPC",
        ResourceIds=[other],
        TrafficType="ALL",
        LogDestinationType="s3",
        LogDestination="arn:aws:s3:::flows",
        DestinationOptions={"FileFormat": "parquet"},
    )
    (description,) = ec2.describe_flow_logs(Filters=[{"Name": "resource-id", "Values": [other]}])["FlowLogs"]
    options = {"FileFormat": "parquet", "HiveCompatiblePartitions": False, "PerHourPartition": False}
    assert description["DestinationOptions"] == options


@pytest.mark.parametrize(
    ("kind", "service", "names", "private"),
    [("Interface", "logs", "ipv4", True), ("Gateway", "s3", "service-defined", False)],
)
def test_an_endpoint_is_completed(ec2: Any, vpc: str, kind: str, service: str, names: str, private: bool) -> None:
    created = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.{service}", VpcEndpointType=kind)
    (described,) = ec2.describe_vpc_endpoints(VpcEndpointIds=[created["VpcEndpoint"]["VpcEndpointId"]])["VpcEndpoints"]
    assert (described["IpAddressType"], described["ServiceRegion"]) == ("ipv4", REGION)
    assert (described["DnsOptions"], described["PrivateDnsEnabled"]) == ({"DnsRecordIpType": names}, private)


def test_an_endpoint_can_be_modified(ec2: Any, vpc: str) -> None:
    name = f"com.amazonaws.{REGION}.logs"
    created = ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName=name, VpcEndpointType="Interface", PolicyDocument="{}", PrivateDnsEnabled=True
    )["VpcEndpoint"]["VpcEndpointId"]

    def describe(name: str) -> Any:
        return ec2.describe_vpc_endpoints(VpcEndpointIds=[created])["VpcEndpoints"][0][name]

    ec2.modify_vpc_endpoint(VpcEndpointId=created, PrivateDnsEnabled=False)
    assert (describe("PrivateDnsEnabled"), describe("PolicyDocument")) == (False, "{}")
    ec2.modify_vpc_endpoint(VpcEndpointId=created, ResetPolicy=True)
    assert '"Allow"' in describe("PolicyDocument")


def test_a_vpc_is_deleted_with_its_default_acl(ec2: Any):
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    assert len(ec2.describe_network_acls(Filters=of_vpc)["NetworkAcls"]) == 1
    ec2.delete_vpc(VpcId=vpc)
    assert ec2.describe_network_acls(Filters=of_vpc)["NetworkAcls"] == []


def test_a_vpc_and_its_subnets_have_the_defaults_of_ec2(ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.10.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.10.1.0/24")["Subnet"]["SubnetId"]
    (described,) = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
    assert (described["InstanceTenancy"], described["Ipv6CidrBlockAssociationSet"]) == ("default", [])
    attributes = {"EnableDnsSupport": True, "EnableDnsHostnames": False, "EnableNetworkAddressUsageMetrics": False}
    for name, default in attributes.items():
        attribute = name[0].lower() + name[1:]
        assert ec2.describe_vpc_attribute(VpcId=vpc, Attribute=attribute)[name] == {"Value": default}
    (described,) = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]
    names = {"HostnameType": "ip-name", "EnableResourceNameDnsARecord": False, "EnableResourceNameDnsAAAARecord": False}
    assert described["PrivateDnsNameOptionsOnLaunch"] == names
    assert not described["MapPublicIpOnLaunch"]


def test_a_route_table_has_its_own_routes_and_those_of_ec2(ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.11.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.11.1.0/24")["Subnet"]["SubnetId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    (described,) = ec2.describe_internet_gateways(InternetGatewayIds=[gateway])["InternetGateways"]
    assert described["Attachments"] == [{"State": "available", "VpcId": vpc}]

    (main,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    local = {"DestinationCidrBlock": "10.11.0.0/16", "GatewayId": "local"}
    local |= {"Origin": "CreateRouteTable", "State": "active"}
    assert main["Routes"] == [local]

    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.s3", VpcEndpointType="Gateway", RouteTableIds=[table]
    )
    (described,) = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    first, own, endpoint = described["Routes"]
    assert (first, own["GatewayId"], endpoint["GatewayId"][:5]) == (local, gateway, "vpce-")
    assert "DestinationPrefixListId" in endpoint
    assert [each["SubnetId"] for each in described["Associations"]] == [subnet]


def test_a_nat_gateway_has_its_only_address(ec2: Any, vpc: str) -> None:
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.98.0/24")["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    request: dict[str, str] = {"SubnetId": subnet, "AllocationId": address, "ConnectivityType": "public"}
    gateway = ec2.create_nat_gateway(**request)["NatGateway"]["NatGatewayId"]
    (described,) = ec2.describe_nat_gateways(NatGatewayIds=[gateway])["NatGateways"]
    assert (described["ConnectivityType"], described["SubnetId"]) == ("public", subnet)
    assert [each["AllocationId"] for each in described["NatGatewayAddresses"]] == [address]
    (associated,) = ec2.describe_addresses(AllocationIds=[address])["Addresses"]
    assert (associated["Domain"], associated["InstanceId"]) == ("vpc", "")
    assert associated["NetworkInterfaceId"] == described["NatGatewayAddresses"][0]["NetworkInterfaceId"]


def test_a_new_security_group_allows_all_egress(ec2: Any, group: str) -> None:
    (described,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert described["IpPermissions"] == []
    assert [each["IpRanges"] for each in described["IpPermissionsEgress"]] == [[{"CidrIp": "0.0.0.0/0"}]]


def test_deleting_a_nat_gateway_disassociates_its_address(ec2: Any, vpc: str):
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.99.0/24")["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    request: dict[str, str] = {"SubnetId": subnet, "AllocationId": address}
    first = ec2.create_nat_gateway(**request)["NatGateway"]["NatGatewayId"]
    assert code_of(lambda: ec2.create_nat_gateway(**request)) == "Resource.AlreadyAssociated"
    ec2.delete_nat_gateway(NatGatewayId=first)
    ec2.delete_nat_gateway(NatGatewayId=first)
    (kept,) = ec2.describe_addresses(AllocationIds=[address])["Addresses"]
    assert not kept.get("AssociationId")
    second = ec2.create_nat_gateway(**request)["NatGateway"]["NatGatewayId"]
    assert second != first
