"""The Resource Groups Tagging API of the local AWS."""

from typing import Any

import pytest

from local_aws.server import LocalAws

TAGS = {"Environment": "found", "ManagedBy": "terraform"}
PAIRS = [{"Key": key, "Value": value} for key, value in TAGS.items()]


@pytest.fixture(scope="module")
def tagging(aws: LocalAws) -> Any:
    return aws.client("resourcegroupstaggingapi")


@pytest.fixture(scope="module")
def made(aws: LocalAws) -> dict[str, str]:
    """One thing of every kind that moto's own search passes over or calls by another name: its type and ARN."""
    return {**made_in_ec2(aws), **made_in_rds(aws), **made_elsewhere(aws)}


def made_in_ec2(aws: LocalAws) -> dict[str, str]:
    ec2 = aws.client("ec2")

    def tagged(kind: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": PAIRS}]

    vpc = ec2.create_vpc(CidrBlock="10.52.0.0/16", TagSpecifications=tagged("vpc"))["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="found", Description="-", VpcId=vpc)["GroupId"]
    rule = ec2.authorize_security_group_egress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.52.0.0/16"}]}],
    )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="found", tags=TAGS)
    found = {
        "vpc": vpc,
        "elastic-ip": ec2.allocate_address(Domain="vpc")["AllocationId"],
        "network-acl": ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"],
        "security-group-rule": rule,
        "vpc-endpoint": ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-west-1.s3")["VpcEndpoint"][
            "VpcEndpointId"
        ],
        "vpc-flow-log": ec2.create_flow_logs(
            ResourceIds=[vpc],
            ResourceType="VPC",
            TrafficType="ALL",
            LogGroupName="found",
            DeliverLogsPermissionArn=f"arn:aws:iam::{aws.account}:role/flow",
        )["FlowLogIds"][0],
    }
    ec2.create_tags(Resources=list(found.values()), Tags=PAIRS)
    arns = {f"ec2:{kind}": f"arn:aws:ec2:{aws.region}:{aws.account}:{kind}/{name}" for kind, name in found.items()}
    return arns | {"logs:log-group": f"arn:aws:logs:{aws.region}:{aws.account}:log-group:found"}


def made_in_rds(aws: LocalAws) -> dict[str, str]:
    ec2, rds = aws.client("ec2"), aws.client("rds")
    vpc = ec2.create_vpc(CidrBlock="10.53.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.53.{number}.0/24", AvailabilityZone=f"us-west-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate("ab")
    ]
    rds.create_db_subnet_group(DBSubnetGroupName="found", DBSubnetGroupDescription="-", SubnetIds=subnets, Tags=PAIRS)
    rds.create_db_parameter_group(
        DBParameterGroupName="found", DBParameterGroupFamily="aurora-postgresql17", Description="-", Tags=PAIRS
    )
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="found", DBParameterGroupFamily="aurora-postgresql17", Description="-", Tags=PAIRS
    )
    topic = aws.client("sns").create_topic(Name="found", Tags=PAIRS)["TopicArn"]
    rds.create_event_subscription(SubscriptionName="found", SnsTopicArn=topic, Tags=PAIRS)
    kinds = ("subgrp", "pg", "cluster-pg", "es")
    arns = {f"rds:{kind}": f"arn:aws:rds:{aws.region}:{aws.account}:{kind}:found" for kind in kinds}
    return arns | {"sns:topic": topic}


def made_elsewhere(aws: LocalAws) -> dict[str, str]:
    ec2, elb = aws.client("ec2"), aws.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.54.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.54.{number}.0/24", AvailabilityZone=f"us-west-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate("ab")
    ]
    balancer = elb.create_load_balancer(Name="found", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    waf = aws.client("wafv2").create_web_acl(
        Name="found",
        Scope="REGIONAL",
        DefaultAction={"Block": {}},
        VisibilityConfig={"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "found"},
        Tags=PAIRS,
    )
    return {
        "ecr:repository": aws.client("ecr").create_repository(repositoryName="found", tags=PAIRS)["repository"][
            "repositoryArn"
        ],
        "elasticloadbalancing:listener": elb.create_listener(
            LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[answer], Tags=PAIRS
        )["Listeners"][0]["ListenerArn"],
        "events:rule": aws.client("events").put_rule(Name="found", ScheduleExpression="rate(1 day)", Tags=PAIRS)[
            "RuleArn"
        ],
        "application-autoscaling:scalable-target": aws.client("application-autoscaling").register_scalable_target(
            ServiceNamespace="rds",
            ResourceId="cluster:found",
            ScalableDimension="rds:cluster:ReadReplicaCount",
            MinCapacity=1,
            MaxCapacity=2,
            Tags=TAGS,
        )["ScalableTargetARN"],
        "wafv2:regional/webacl": waf["Summary"]["ARN"],
    }


def found(tagging: Any, **asked: Any) -> list[str]:
    filters = [{"Key": "Environment", "Values": ["found"]}, {"Key": "ManagedBy"}]
    pages = tagging.get_paginator("get_resources").paginate(TagFilters=filters, **asked)
    return [each["ResourceARN"] for page in pages for each in page["ResourceTagMappingList"]]


def test_everything_tagged_is_found_once(tagging: Any, made: dict[str, str]) -> None:
    assert sorted(found(tagging)) == sorted(made.values())


def test_each_kind_is_found_by_its_type(tagging: Any, made: dict[str, str]) -> None:
    assert {kind: found(tagging, ResourceTypeFilters=[kind]) for kind in made} == {
        kind: [arn] for kind, arn in made.items()
    }


def test_a_service_is_found_as_a_whole(tagging: Any, made: dict[str, str]) -> None:
    assert sorted(found(tagging, ResourceTypeFilters=["rds", "ecr"])) == sorted(
        arn for kind, arn in made.items() if kind.startswith(("rds:", "ecr:"))
    )


def test_pages_go_on_where_the_last_ended(tagging: Any, made: dict[str, str]) -> None:
    assert sorted(found(tagging, PaginationConfig={"PageSize": 2})) == sorted(made.values())


def test_things_can_be_asked_for_by_arn(tagging: Any, made: dict[str, str]) -> None:
    mappings = tagging.get_resources(ResourceARNList=[made["ecr:repository"]])["ResourceTagMappingList"]
    assert [each["ResourceARN"] for each in mappings] == [made["ecr:repository"]]


@pytest.mark.usefixtures("made")
def test_keys_and_values_are_told_once(tagging: Any) -> None:
    assert tagging.get_tag_keys()["TagKeys"].count("ManagedBy") == 1
    assert tagging.get_tag_values(Key="ManagedBy")["TagValues"] == ["terraform"]


def test_what_is_deleted_is_not_found(aws: LocalAws, tagging: Any) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.55.0.0/16")["Vpc"]["VpcId"]
    endpoint = ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName="com.amazonaws.us-west-1.s3",
        VpcEndpointType="Gateway",
        TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "Gone", "Value": "soon"}]}],
    )["VpcEndpoint"]["VpcEndpointId"]
    gone = {"TagFilters": [{"Key": "Gone"}]}
    assert len(tagging.get_resources(**gone)["ResourceTagMappingList"]) == 1
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    assert tagging.get_resources(**gone)["ResourceTagMappingList"] == []
