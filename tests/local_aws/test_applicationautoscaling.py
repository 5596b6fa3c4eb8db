"""Application Auto Scaling: scalable targets, policies, and tags."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws

SHARDS = {
    "ServiceNamespace": "elasticache",
    "ResourceId": "replication-group/scaled",
    "ScalableDimension": "elasticache:replication-group:NodeGroups",
}
READERS = {
    "ServiceNamespace": "rds",
    "ResourceId": "cluster:scaled",
    "ScalableDimension": "rds:cluster:ReadReplicaCount",
}
CONFIGURATION = {
    "PredefinedMetricSpecification": {"PredefinedMetricType": "ElastiCachePrimaryEngineCPUUtilization"},
    "TargetValue": 60.0,
}


@pytest.fixture(scope="module")
def scaling(aws: LocalAws) -> Any:
    return aws.client("application-autoscaling")


@pytest.fixture(scope="module", autouse=True)
def cache(aws: LocalAws) -> None:
    ec2, cache = aws.client("ec2"), aws.client("elasticache")
    vpc = ec2.create_vpc(CidrBlock="10.51.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.51.0.0/24")["Subnet"]["SubnetId"]
    cache.create_cache_subnet_group(CacheSubnetGroupName="scaled", CacheSubnetGroupDescription="-", SubnetIds=[subnet])
    cache.create_replication_group(
        ReplicationGroupId="scaled",
        ReplicationGroupDescription="-",
        Engine="redis",
        CacheSubnetGroupName="scaled",
        CacheParameterGroupName="default.redis7.cluster.on",
        AutomaticFailoverEnabled=True,
    )


def register(scaling: Any, target: dict[str, str], **settings: Any) -> str:
    return scaling.register_scalable_target(**(target | {"MinCapacity": 2, "MaxCapacity": 4} | settings))[
        "ScalableTargetARN"
    ]


def put_policy(scaling: Any, name: str, configuration: dict[str, Any] = CONFIGURATION) -> str:
    return scaling.put_scaling_policy(
        PolicyName=name,
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=configuration,
        **SHARDS,
    )["PolicyARN"]


def targets(scaling: Any, target: dict[str, str]) -> list[dict[str, Any]]:
    return scaling.describe_scalable_targets(
        ServiceNamespace=target["ServiceNamespace"], ResourceIds=[target["ResourceId"]]
    )["ScalableTargets"]


def test_a_target_can_be_registered_again(scaling: Any) -> None:
    arn = register(scaling, SHARDS, Tags={"Environment": "test"})
    assert register(scaling, SHARDS, MaxCapacity=6) == arn
    description = targets(scaling, SHARDS)[0]
    assert (description["MinCapacity"], description["MaxCapacity"]) == (2, 6)
    assert description["RoleARN"].endswith("AWSServiceRoleForApplicationAutoScaling_ElastiCacheRG")
    assert set(description["SuspendedState"].values()) == {False}


def test_registering_a_target_again_keeps_its_suspended_state(scaling: Any) -> None:
    register(scaling, READERS, SuspendedState={"DynamicScalingInSuspended": True})
    register(scaling, READERS, MaxCapacity=8)
    suspended = targets(scaling, READERS)[0]["SuspendedState"]
    assert suspended == {
        "DynamicScalingInSuspended": True,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": False,
    }


def test_a_requested_role_is_kept_and_there_is_no_default_for_other_services(scaling: Any) -> None:
    role = "arn:aws:iam::123456789012:role/scaling"
    target = {
        "ServiceNamespace": "lambda",
        "ResourceId": "function:f:live",
        "ScalableDimension": "lambda:function:ProvisionedConcurrency",
    }
    register(scaling, target)
    register(scaling, READERS | {"ResourceId": "cluster:own-role"}, RoleARN=role)
    assert targets(scaling, target)[0]["RoleARN"] == ""
    assert targets(scaling, READERS | {"ResourceId": "cluster:own-role"})[0]["RoleARN"] == role


@pytest.mark.parametrize("resource", ["replication-group/nowhere", "cluster/scaled"])
def test_missing_replication_groups_are_refused(scaling: Any, resource: str) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        register(scaling, SHARDS | {"ResourceId": resource})


def test_unknown_scalable_dimensions_are_refused(scaling: Any) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        register(scaling, SHARDS | {"ScalableDimension": "elasticache:moon:Phases"})


def test_updating_a_policy_keeps_its_arn(scaling: Any) -> None:
    register(scaling, SHARDS)
    arn = put_policy(scaling, "kept")
    put_policy(scaling, "other")
    assert put_policy(scaling, "kept", CONFIGURATION | {"TargetValue": 70.0}) == arn
    description = scaling.describe_scaling_policies(
        ServiceNamespace="elasticache", ResourceId=SHARDS["ResourceId"], PolicyNames=["kept"]
    )["ScalingPolicies"]
    assert [each["PolicyName"] for each in description] == ["kept"]
    assert description[0]["TargetTrackingScalingPolicyConfiguration"] == CONFIGURATION | {"TargetValue": 70.0}
    longer = {"ServiceNamespace": "elasticache", "ResourceId": f"{SHARDS['ResourceId']}-too"}
    assert scaling.describe_scaling_policies(**longer)["ScalingPolicies"] == []


def test_a_policy_requires_a_target(scaling: Any) -> None:
    with pytest.raises(ClientError, match="ObjectNotFoundException"):
        scaling.put_scaling_policy(
            PolicyName="homeless",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=CONFIGURATION,
            **(SHARDS | {"ResourceId": "replication-group/nowhere"}),
        )


def test_deregistering_a_target_deletes_its_policies_and_tags(scaling: Any) -> None:
    arn = register(scaling, SHARDS, Tags={"Environment": "test"})
    put_policy(scaling, "deleted")
    scaling.deregister_scalable_target(**SHARDS)
    assert targets(scaling, SHARDS) == []
    assert scaling.describe_scaling_policies(ServiceNamespace="elasticache")["ScalingPolicies"] == []
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        scaling.list_tags_for_resource(ResourceARN=arn)
    with pytest.raises(ClientError, match="ObjectNotFoundException"):
        scaling.deregister_scalable_target(**SHARDS)
    with pytest.raises(ClientError, match="ObjectNotFoundException"):
        scaling.delete_scaling_policy(PolicyName="deleted", **SHARDS)


def test_targets_can_be_tagged_on_registration_and_later(scaling: Any) -> None:
    target = READERS | {"ResourceId": "cluster:tagged"}
    arn = register(scaling, target, Tags={"Environment": "test"})
    scaling.tag_resource(ResourceARN=arn, Tags={"Owner": "us"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["Environment", "Never"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"Owner": "us"}
