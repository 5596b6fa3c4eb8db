"""Out-of-band changes to EC2 resources, one per argument."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import Change

OTHER_VPC = "vpc-00000000000000000"


def _tag(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.client("ec2").create_tags(Resources=[state["id"]], Tags=[{"Key": "Changed", "Value": "behind"}])


def _flow_log(**changed: Any) -> Change:
    return lambda aws, state: vars(aws.backend("ec2").flow_logs[state["id"]]).update(changed)


def _endpoint(**changed: Any) -> Change:
    return lambda aws, state: vars(aws.backend("ec2").vpc_end_points[state["id"]]).update(changed)


def _modify_endpoint(**changed: Any) -> Change:
    return lambda aws, state: aws.client("ec2").modify_vpc_endpoint(VpcEndpointId=state["id"], **changed)


def _remove_from_endpoint(argument: str, parameter: str) -> Change:
    """Remove the first of several values."""

    def change(aws: LocalAws, state: dict[str, Any]) -> None:
        first = sorted(state[argument])[0]
        aws.client("ec2").modify_vpc_endpoint(VpcEndpointId=state["id"], **{parameter: [first]})

    return change


def _delete_acl_entry(*, egress: bool) -> Change:
    def change(aws: LocalAws, state: dict[str, Any]) -> None:
        entries = state["egress" if egress else "ingress"]
        number = min(entry["rule_no"] for entry in entries)
        aws.client("ec2").delete_network_acl_entry(NetworkAclId=state["id"], RuleNumber=number, Egress=egress)

    return change


def _disassociate_subnet(aws: LocalAws, state: dict[str, Any]) -> None:
    """Associate a subnet with the VPC's default network ACL."""
    ec2 = aws.client("ec2")
    (acl,) = ec2.describe_network_acls(NetworkAclIds=[state["id"]])["NetworkAcls"]
    filters = [{"Name": "vpc-id", "Values": [state["vpc_id"]]}, {"Name": "default", "Values": ["true"]}]
    (default,) = ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    ec2.replace_network_acl_association(
        AssociationId=acl["Associations"][0]["NetworkAclAssociationId"], NetworkAclId=default["NetworkAclId"]
    )


def _move_acl(aws: LocalAws, state: dict[str, Any]) -> None:
    aws.backend("ec2").network_acls[state["id"]].vpc_id = OTHER_VPC


RULE = {
    "IpProtocol": "ip_protocol",
    "FromPort": "from_port",
    "ToPort": "to_port",
    "CidrIpv4": "cidr_ipv4",
    "PrefixListId": "prefix_list_id",
    "ReferencedGroupId": "referenced_security_group_id",
    "Description": "description",
}


def _modify_rule(**changed: Any) -> Change:
    def change(aws: LocalAws, state: dict[str, Any]) -> None:
        response = aws.client("ec2").describe_security_group_rules(SecurityGroupRuleIds=[state["id"]])
        (rule,) = response["SecurityGroupRules"]
        if group := rule.get("ReferencedGroupInfo"):
            rule["ReferencedGroupId"] = group["GroupId"]
        wanted = {name: rule[name] for name in RULE if name in rule} | changed
        aws.client("ec2").modify_security_group_rules(
            GroupId=state["security_group_id"],
            SecurityGroupRules=[{"SecurityGroupRuleId": state["id"], "SecurityGroupRule": wanted}],
        )

    return change


def _another_group(aws: LocalAws, state: dict[str, Any]) -> None:
    _modify_rule(ReferencedGroupId=_other_group(aws, state["referenced_security_group_id"]))(aws, state)


def _another_prefix_list(aws: LocalAws, state: dict[str, Any]) -> None:
    lists = [one["PrefixListId"] for one in aws.client("ec2").describe_prefix_lists()["PrefixLists"]]
    other = next(one for one in lists if one != state["prefix_list_id"])
    _modify_rule(PrefixListId=other)(aws, state)


def _move_rule(aws: LocalAws, state: dict[str, Any]) -> None:
    group = aws.backend("ec2").get_security_group_from_id(state["security_group_id"])
    group.get_rule(state["id"]).group_id = _other_group(aws, state["security_group_id"])


def _other_group(aws: LocalAws, group: str) -> str:
    """Another security group of the same VPC."""
    ec2 = aws.client("ec2")
    (known,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [known["VpcId"]]}])["SecurityGroups"]
    return next(one["GroupId"] for one in groups if one["GroupId"] != group)


_RULES: dict[str, Change] = {
    "description": _modify_rule(Description="changed"),
    "from_port": _modify_rule(FromPort=1),
    "ip_protocol": _modify_rule(IpProtocol="udp"),
    "referenced_security_group_id": _another_group,
    "security_group_id": _move_rule,
    "to_port": _modify_rule(ToPort=65535),
}

CHANGES: dict[tuple[str, str], Change] = {
    ("aws_flow_log", "iam_role_arn"): _flow_log(deliver_logs_permission_arn="arn:aws:iam::123456789012:role/other"),
    ("aws_flow_log", "log_destination"): _flow_log(log_destination="arn:aws:logs:us-west-1:123456789012:log-group:x"),
    ("aws_flow_log", "max_aggregation_interval"): _flow_log(max_aggregation_interval=600),
    ("aws_flow_log", "tags"): _tag,
    ("aws_flow_log", "traffic_type"): _flow_log(traffic_type="REJECT"),
    ("aws_flow_log", "vpc_id"): _flow_log(resource_id=OTHER_VPC),
    ("aws_network_acl", "egress"): _delete_acl_entry(egress=True),
    ("aws_network_acl", "ingress"): _delete_acl_entry(egress=False),
    ("aws_network_acl", "subnet_ids"): _disassociate_subnet,
    ("aws_network_acl", "tags"): _tag,
    ("aws_network_acl", "vpc_id"): _move_acl,
    ("aws_vpc_endpoint", "policy"): _modify_endpoint(PolicyDocument='{"Version": "2012-10-17", "Statement": []}'),
    ("aws_vpc_endpoint", "private_dns_enabled"): _modify_endpoint(PrivateDnsEnabled=False),
    ("aws_vpc_endpoint", "route_table_ids"): _remove_from_endpoint("route_table_ids", "RemoveRouteTableIds"),
    ("aws_vpc_endpoint", "security_group_ids"): _remove_from_endpoint("security_group_ids", "RemoveSecurityGroupIds"),
    ("aws_vpc_endpoint", "service_name"): _endpoint(service_name="com.amazonaws.us-west-1.other"),
    ("aws_vpc_endpoint", "subnet_ids"): _remove_from_endpoint("subnet_ids", "RemoveSubnetIds"),
    ("aws_vpc_endpoint", "tags"): _tag,
    ("aws_vpc_endpoint", "vpc_endpoint_type"): _endpoint(vpc_endpoint_type="GatewayLoadBalancer"),
    ("aws_vpc_endpoint", "vpc_id"): _endpoint(vpc_id=OTHER_VPC),
    ("aws_vpc_security_group_egress_rule", "prefix_list_id"): _another_prefix_list,
    ("aws_vpc_security_group_ingress_rule", "cidr_ipv4"): _modify_rule(CidrIpv4="10.255.0.0/16"),
    **{("aws_vpc_security_group_egress_rule", argument): change for argument, change in _RULES.items()},
    **{("aws_vpc_security_group_ingress_rule", argument): change for argument, change in _RULES.items()},
}

UNREAD: dict[tuple[str, str], str] = {}
