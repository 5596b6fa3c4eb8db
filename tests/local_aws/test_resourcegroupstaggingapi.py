"""Resource Groups Tagging API: tagged resources, tag keys and tag values."""

from typing import Any

import pytest

from local_aws.server import LocalAws

TAGS = {"Environment": "found", "ManagedBy": "terraform"}
PAIRS = [{"Key": key, "Value": value} for key, value in TAGS.items()]


@pytest.fixture(scope="module")
def tagging(aws: LocalAws) -> Any:
    return aws.client("resourcegroupstaggingapi")


@pytest.fixture(scope="module")
def created(aws: LocalAws) -> dict[str, str]:
    """ARNs by resource type: one resource of each type that moto omits or names differently."""
    return {**create_in_ec2(aws), **create_in_rds(aws), **create_elsewhere(aws)}


def create_in_ec2(aws: LocalAws) -> dict[str, str]:
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


def create_in_rds(aws: LocalAws) -> dict[str, str]:
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


def create_elsewhere(aws: LocalAws) -> dict[str, str]:
    ec2, elb = aws.client("ec2"), aws.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.54.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.54.{number}.0/24", AvailabilityZone=f"us-west-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate("ab")
    ]
    balancer = elb.create_load_balancer(Name="found", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    not_found = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
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
            LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[not_found], Tags=PAIRS
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


def found(tagging: Any, **options: Any) -> list[str]:
    filters = [{"Key": "Environment", "Values": ["found"]}, {"Key": "ManagedBy"}]
    pages = tagging.get_paginator("get_resources").paginate(TagFilters=filters, **options)
    return [each["ResourceARN"] for page in pages for each in page["ResourceTagMappingList"]]


def test_tagged_resources_are_found_once(tagging: Any, created: dict[str, str]) -> None:
    assert sorted(found(tagging)) == sorted(created.values())


def test_resources_are_found_by_type(tagging: Any, created: dict[str, str]) -> None:
    assert {kind: found(tagging, ResourceTypeFilters=[kind]) for kind in created} == {
        kind: [arn] for kind, arn in created.items()
    }


def test_resources_are_found_by_service(tagging: Any, created: dict[str, str]) -> None:
    assert sorted(found(tagging, ResourceTypeFilters=["rds", "ecr"])) == sorted(
        arn for kind, arn in created.items() if kind.startswith(("rds:", "ecr:"))
    )


def test_resources_are_paginated(tagging: Any, created: dict[str, str]) -> None:
    assert sorted(found(tagging, PaginationConfig={"PageSize": 2})) == sorted(created.values())


def test_resources_are_found_by_arn(tagging: Any, created: dict[str, str]) -> None:
    mappings = tagging.get_resources(ResourceARNList=[created["ecr:repository"]])["ResourceTagMappingList"]
    assert [each["ResourceARN"] for each in mappings] == [created["ecr:repository"]]


@pytest.mark.usefixtures("created")
def test_tag_keys_and_values_are_listed_once(tagging: Any) -> None:
    assert tagging.get_tag_keys()["TagKeys"].count("ManagedBy") == 1
    assert tagging.get_tag_values(Key="ManagedBy")["TagValues"] == ["terraform"]


def test_deleted_resources_are_not_found(aws: LocalAws, tagging: Any) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.55.0.0/16")["Vpc"]["VpcId"]
    endpoint = ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName="com.amazonaws.us-west-1.s3",
        VpcEndpointType="Gateway",
        TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "Temporary", "Value": "yes"}]}],
    )["VpcEndpoint"]["VpcEndpointId"]
    filters = {"TagFilters": [{"Key": "Temporary"}]}
    assert len(tagging.get_resources(**filters)["ResourceTagMappingList"]) == 1
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    assert tagging.get_resources(**filters)["ResourceTagMappingList"] == []


def test_a_bucket_is_found_in_its_own_region(aws: LocalAws) -> None:
    for name, region in (("found-here", aws.region), ("found-there", "eu-west-1")):
        s3 = aws.client("s3", region)
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "Of", "Value": "regions"}]})
    for name, region in (("found-here", aws.region), ("found-there", "eu-west-1")):
        client = aws.client("resourcegroupstaggingapi", region)
        found = client.get_resources(TagFilters=[{"Key": "Of", "Values": ["regions"]}])["ResourceTagMappingList"]
        assert [mapping["ResourceARN"] for mapping in found] == [f"arn:aws:s3:::{name}"]
