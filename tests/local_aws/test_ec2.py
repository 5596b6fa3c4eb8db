"""What the local AWS adds to EC2."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
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
    return ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Entries"]


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


def code_of(refused: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as error:
        refused()
    return error.value.response["Error"]["Code"]


def test_an_acl_tells_which_icmp_it_lets_through(ec2: Any, acl: str) -> None:
    ec2.create_network_acl_entry(**entry(acl, Protocol="1", IcmpTypeCode={"Type": 3, "Code": 4}))
    (told,) = entries(ec2, acl)
    assert (told["IcmpTypeCode"], told.get("PortRange")) == ({"Type": 3, "Code": 4}, None)
    ec2.replace_network_acl_entry(**entry(acl, Protocol="6", PortRange={"From": 443, "To": 444}))
    (told,) = entries(ec2, acl)
    assert (told.get("IcmpTypeCode"), told["PortRange"]) == (None, {"From": 443, "To": 444})


def test_an_acl_entry_is_there_until_it_is_deleted(ec2: Any, acl: str) -> None:
    ec2.create_network_acl_entry(**entry(acl, Protocol="-1"))
    ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=90, Egress=False)
    assert entries(ec2, acl) == []
    gone = code_of(lambda: ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=90, Egress=False))
    assert gone == "InvalidNetworkAclEntry.NotFound"


def test_an_entry_that_is_asked_for_twice_at_once_is_made_once(aws: LocalAws, ec2: Any, acl: str) -> None:
    clients = [aws.client("ec2") for _ in range(8)]

    def ask(client: Any) -> str:
        try:
            client.create_network_acl_entry(**entry(acl, Protocol="-1"))
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "made"

    with ThreadPoolExecutor(len(clients)) as at_once:
        answers = sorted(at_once.map(ask, clients))
    assert answers == [*["NetworkAclEntryAlreadyExists"] * 7, "made"]
    assert len(entries(ec2, acl)) == 1


def peer_of(ec2: Any, kind: str, group: str) -> dict[str, Any]:
    if kind == "IpRanges":
        return {"CidrIp": "10.7.1.0/24"}
    if kind == "UserIdGroupPairs":
        return {"GroupId": group}
    lists = ec2.describe_prefix_lists()["PrefixLists"]
    return {"PrefixListId": next(one["PrefixListId"] for one in lists if one["PrefixListName"].endswith(".s3"))}


@pytest.mark.parametrize("kind", ["IpRanges", "UserIdGroupPairs", "PrefixListIds"])
@pytest.mark.parametrize("way", ["ingress", "egress"])
def test_a_rule_says_what_it_is_for(ec2: Any, group: str, kind: str, way: str) -> None:
    peer = peer_of(ec2, kind, group)
    authorize = getattr(ec2, f"authorize_security_group_{way}")
    made = authorize(GroupId=group, IpPermissions=tcp(**{kind: [{**peer, "Description": TEXT}]}))
    rule = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]

    def description() -> str | None:
        rules = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule])["SecurityGroupRules"]
        return rules[0].get("Description")

    assert description() == TEXT
    again = code_of(lambda: authorize(GroupId=group, IpPermissions=tcp(**{kind: [{**peer, "Description": "other"}]})))
    assert again == "InvalidPermission.Duplicate"
    tell = getattr(ec2, f"update_security_group_rule_descriptions_{way}")
    tell(GroupId=group, IpPermissions=tcp(**{kind: [{**peer, "Description": "something else"}]}))
    assert description() == "something else"
    tell(GroupId=group, IpPermissions=tcp(**{kind: [peer]}))
    assert description() is None
    getattr(ec2, f"revoke_security_group_{way}")(GroupId=group, IpPermissions=tcp(**{kind: [peer]}))
    assert code_of(description) == "InvalidSecurityGroupRuleId.NotFound"


def test_a_rule_for_a_group_can_be_changed(ec2: Any, vpc: str, group: str) -> None:
    pair = {"GroupId": group, "Description": TEXT}
    made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=tcp(UserIdGroupPairs=[pair]))
    rule = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    other = ec2.create_security_group(GroupName="other", Description="test", VpcId=vpc)["GroupId"]
    wanted = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "ReferencedGroupId": other, "Description": "changed"}
    ec2.modify_security_group_rules(
        GroupId=group, SecurityGroupRules=[{"SecurityGroupRuleId": rule, "SecurityGroupRule": wanted}]
    )
    (told,) = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule])["SecurityGroupRules"]
    assert told["ReferencedGroupInfo"]["GroupId"] == other
    assert (told["Description"], told["FromPort"], told["ToPort"]) == ("changed", 1, 2)


def test_a_rule_for_a_prefix_list_or_addresses_can_be_changed(ec2: Any, group: str) -> None:
    s3 = peer_of(ec2, "PrefixListIds", group)["PrefixListId"]
    lists = ec2.describe_prefix_lists()["PrefixLists"]
    other = next(one["PrefixListId"] for one in lists if one["PrefixListId"] != s3)
    both = tcp(PrefixListIds=[{"PrefixListId": s3, "Description": TEXT}], IpRanges=[{"CidrIp": "10.7.1.0/24"}])
    made = ec2.authorize_security_group_egress(GroupId=group, IpPermissions=both)["SecurityGroupRules"]
    ports = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2}
    wanted: list[dict[str, Any]] = [
        {"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "SecurityGroupRule": {**ports, **peer}}
        for rule, peer in zip(
            sorted(made, key=lambda rule: "PrefixListId" in rule),
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


def test_what_every_group_may_do_at_first_is_a_rule_like_others(ec2: Any, group: str) -> None:
    anything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": TEXT}]}]
    assert code_of(lambda: ec2.authorize_security_group_egress(GroupId=group, IpPermissions=anything)) == (
        "InvalidPermission.Duplicate"
    )
    ec2.update_security_group_rule_descriptions_egress(GroupId=group, IpPermissions=anything)
    (rule,) = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    assert rule["Description"] == TEXT


def test_flow_logs_reach_a_log_group_by_its_arn(aws: LocalAws, ec2: Any, vpc: str) -> None:
    aws.client("logs").create_log_group(logGroupName="flows")
    ec2.create_flow_logs(
        ResourceType="VPC",
        ResourceIds=[vpc],
        TrafficType="ALL",
        DeliverLogsPermissionArn=f"arn:aws:iam::{ACCOUNT}:role/flows",
        LogDestination=f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:flows",
    )
    (told,) = ec2.describe_flow_logs(Filters=[{"Name": "resource-id", "Values": [vpc]}])["FlowLogs"]
    assert (told["DeliverLogsStatus"], told["LogGroupName"]) == ("SUCCESS", "flows")
    assert "DestinationOptions" not in told


def test_flow_logs_reach_a_bucket_in_the_form_asked_for(aws: LocalAws, ec2: Any) -> None:
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
    (told,) = ec2.describe_flow_logs(Filters=[{"Name": "resource-id", "Values": [other]}])["FlowLogs"]
    options = {"FileFormat": "parquet", "HiveCompatiblePartitions": False, "PerHourPartition": False}
    assert told["DestinationOptions"] == options


def test_an_endpoint_can_be_changed(ec2: Any, vpc: str) -> None:
    name = f"com.amazonaws.{REGION}.logs"
    made = ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName=name, VpcEndpointType="Interface", PolicyDocument="{}", PrivateDnsEnabled=True
    )["VpcEndpoint"]["VpcEndpointId"]

    def told(name: str) -> Any:
        return ec2.describe_vpc_endpoints(VpcEndpointIds=[made])["VpcEndpoints"][0][name]

    ec2.modify_vpc_endpoint(VpcEndpointId=made, PrivateDnsEnabled=False)
    assert (told("PrivateDnsEnabled"), told("PolicyDocument")) == (False, "{}")
    ec2.modify_vpc_endpoint(VpcEndpointId=made, ResetPolicy=True)
    assert '"Allow"' in told("PolicyDocument")


def test_a_vpcs_default_acl_goes_with_it(ec2: Any):
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    assert len(ec2.describe_network_acls(Filters=of_vpc)["NetworkAcls"]) == 1
    ec2.delete_vpc(VpcId=vpc)
    assert ec2.describe_network_acls(Filters=of_vpc)["NetworkAcls"] == []


def test_the_address_of_a_nat_gateway_that_is_deleted_can_be_another_ones(ec2: Any, vpc: str):
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.99.0/24")["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    made: dict[str, str] = {"SubnetId": subnet, "AllocationId": address}
    first = ec2.create_nat_gateway(**made)["NatGateway"]["NatGatewayId"]
    assert code_of(lambda: ec2.create_nat_gateway(**made)) == "Resource.AlreadyAssociated"
    ec2.delete_nat_gateway(NatGatewayId=first)
    ec2.delete_nat_gateway(NatGatewayId=first)
    (kept,) = ec2.describe_addresses(AllocationIds=[address])["Addresses"]
    assert not kept.get("AssociationId")
    second = ec2.create_nat_gateway(**made)["NatGateway"]["NatGatewayId"]
    assert second != first
