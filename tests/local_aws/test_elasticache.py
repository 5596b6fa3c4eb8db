"""ElastiCache: parameter groups, users, subnet groups, replication groups, clusters and tags."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from local_aws.services.elasticache_replication_groups import short_region

TAGS = [{"Key": "Environment", "Value": "test"}]


@pytest.fixture(scope="module")
def cache(aws: LocalAws) -> Any:
    return aws.client("elasticache")


@pytest.fixture(scope="module")
def subnets(aws: LocalAws) -> list[str]:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.50.0.0/16")["Vpc"]["VpcId"]
    return [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.50.{number}.0/24", AvailabilityZone=f"us-west-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate("ab")
    ]


@pytest.fixture(scope="module")
def network(cache: Any, subnets: list[str]) -> str:
    cache.create_cache_subnet_group(
        CacheSubnetGroupName="data", CacheSubnetGroupDescription="Data subnets", SubnetIds=subnets
    )
    return "data"


@pytest.fixture(scope="module")
def clustered(cache: Any) -> str:
    cache.create_cache_parameter_group(
        CacheParameterGroupName="clustered", CacheParameterGroupFamily="redis7", Description="Cluster mode"
    )
    cache.modify_cache_parameter_group(
        CacheParameterGroupName="clustered",
        ParameterNameValues=[{"ParameterName": "cluster-enabled", "ParameterValue": "yes"}],
    )
    return "clustered"


@pytest.fixture(scope="module")
def people(cache: Any) -> str:
    create_user(cache, "people-default", UserName="default", NoPasswordRequired=True)
    create_user(cache, "people-app", AuthenticationMode={"Type": "iam"})
    cache.create_user_group(UserGroupId="people", Engine="redis", UserIds=["people-default", "people-app"], Tags=TAGS)
    return "people"


def create_user(cache: Any, name: str, **settings: Any) -> dict[str, Any]:
    return cache.create_user(**{"UserId": name, "UserName": name, "Engine": "redis", "AccessString": "on", **settings})


def create_group(cache: Any, name: str, **settings: Any) -> dict[str, Any]:
    defaults = {
        "ReplicationGroupDescription": "Sessions",
        "CacheNodeType": "cache.t4g.small",
        "Engine": "redis",
        "AutomaticFailoverEnabled": True,
        "CacheSubnetGroupName": "data",
    }
    return cache.create_replication_group(ReplicationGroupId=name, **(defaults | settings))["ReplicationGroup"]


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=code)


def test_a_new_parameter_group_has_the_defaults_of_its_family(cache: Any) -> None:
    created = cache.create_cache_parameter_group(
        CacheParameterGroupName="defaults", CacheParameterGroupFamily="redis7", Description="As is", Tags=TAGS
    )["CacheParameterGroup"]
    parameters = parameters_of(cache, "defaults")
    assert created["ARN"].endswith(":parametergroup:defaults")
    assert parameters["maxmemory-policy"]["ParameterValue"] == "volatile-lru"
    assert {parameter["Source"] for parameter in parameters.values()} == {"system"}


def test_parameters_can_be_set_and_reset(cache: Any) -> None:
    cache.create_cache_parameter_group(
        CacheParameterGroupName="chosen", CacheParameterGroupFamily="redis7", Description="Chosen"
    )
    parameters = [
        {"ParameterName": "timeout", "ParameterValue": "30"},
        {"ParameterName": "appendonly", "ParameterValue": "yes"},
        {"ParameterName": "maxmemory-policy", "ParameterValue": "noeviction"},
    ]
    cache.modify_cache_parameter_group(CacheParameterGroupName="chosen", ParameterNameValues=parameters)
    assert {
        name: parameter["ParameterValue"] for name, parameter in parameters_of(cache, "chosen", "user").items()
    } == {each["ParameterName"]: each["ParameterValue"] for each in parameters}
    cache.reset_cache_parameter_group(CacheParameterGroupName="chosen", ParameterNameValues=parameters[:1])
    assert set(parameters_of(cache, "chosen", "user")) == {"appendonly", "maxmemory-policy"}
    cache.reset_cache_parameter_group(CacheParameterGroupName="chosen", ResetAllParameters=True)
    assert parameters_of(cache, "chosen", "user") == {}


def test_a_parameter_that_is_set_to_its_default_is_the_users(cache: Any) -> None:
    name = "with-defaults"
    cache.create_cache_parameter_group(
        CacheParameterGroupName=name, CacheParameterGroupFamily="redis7", Description="x"
    )
    default = {"ParameterName": "maxmemory-policy", "ParameterValue": "volatile-lru"}
    cache.modify_cache_parameter_group(CacheParameterGroupName=name, ParameterNameValues=[default])
    (read,) = cache.describe_cache_parameters(CacheParameterGroupName=name, Source="user")["Parameters"]
    assert default.items() <= read.items()


def test_unknown_parameters_are_refused(cache: Any, clustered: str) -> None:
    with refused("InvalidParameterValue"):
        cache.modify_cache_parameter_group(
            CacheParameterGroupName=clustered,
            ParameterNameValues=[{"ParameterName": "no-such", "ParameterValue": "1"}],
        )


def test_default_parameter_groups_cannot_be_modified(cache: Any) -> None:
    with refused("InvalidParameterValue"):
        cache.modify_cache_parameter_group(
            CacheParameterGroupName="default.redis7",
            ParameterNameValues=[{"ParameterName": "timeout", "ParameterValue": "1"}],
        )


def test_unknown_families_are_unsupported(aws: LocalAws, cache: Any) -> None:
    with refused("InvalidAction"):
        cache.create_cache_parameter_group(
            CacheParameterGroupName="old", CacheParameterGroupFamily="redis2.6", Description="Old"
        )
    assert aws.gateway.unsupported.pop("elasticache:CreateCacheParameterGroup") == 1


def test_a_parameter_group_in_use_cannot_be_deleted(cache: Any, network: str, clustered: str) -> None:
    create_group(cache, "uses-parameters", CacheParameterGroupName=clustered, CacheSubnetGroupName=network)
    with refused("InvalidCacheParameterGroupState"):
        cache.delete_cache_parameter_group(CacheParameterGroupName=clustered)
    request = {"CacheParameterGroupName": "unused", "CacheParameterGroupFamily": "redis7", "Description": "Unused"}
    cache.create_cache_parameter_group(**request)
    with refused("CacheParameterGroupAlreadyExists"):
        cache.create_cache_parameter_group(**request)
    cache.delete_cache_parameter_group(CacheParameterGroupName="unused")
    names = {
        each["CacheParameterGroupName"] for each in cache.describe_cache_parameter_groups()["CacheParameterGroups"]
    }
    assert {"default.redis7", "default.redis7.cluster.on", clustered} <= names
    assert "unused" not in names
    with refused("CacheParameterGroupNotFound"):
        cache.describe_cache_parameter_groups(CacheParameterGroupName="unused")


def parameters_of(cache: Any, name: str, source: str | None = None) -> dict[str, dict[str, Any]]:
    pages = cache.get_paginator("describe_cache_parameters").paginate(
        CacheParameterGroupName=name, PaginationConfig={"PageSize": 20}, **({"Source": source} if source else {})
    )
    return {each["ParameterName"]: each for page in pages for each in page["Parameters"]}


def test_users_without_a_password_are_described_as_in_aws(cache: Any) -> None:
    assert create_user(cache, "open", NoPasswordRequired=True)["Authentication"]["Type"] == "no-password"
    mode = {"Type": "no-password-required"}
    assert create_user(cache, "open-too", AuthenticationMode=mode)["Authentication"]["Type"] == "no-password"


def test_the_name_of_an_iam_user_must_equal_its_id(cache: Any) -> None:
    assert create_user(cache, "iam", AuthenticationMode={"Type": "iam"})["Authentication"] == {"Type": "iam"}
    with refused("InvalidParameterValue"):
        create_user(cache, "iam-2", UserName="other", AuthenticationMode={"Type": "iam"})


def test_a_user_can_be_modified(cache: Any) -> None:
    create_user(cache, "changing", AuthenticationMode={"Type": "iam"})
    for settings, kind in (
        ({"NoPasswordRequired": True}, "no-password"),
        ({"AuthenticationMode": {"Type": "iam"}}, "iam"),
        ({"Passwords": ["sixteen-letters-1", "sixteen-letters-2"]}, "password"),
        ({"AuthenticationMode": {"Type": "no-password-required"}}, "no-password"),
        ({"AuthenticationMode": {"Type": "password", "Passwords": ["sixteen-letters-3"]}}, "password"),
    ):
        assert cache.modify_user(UserId="changing", **settings)["Authentication"]["Type"] == kind
    assert cache.modify_user(UserId="changing", AccessString="off")["AccessString"] == "off"
    assert cache.modify_user(UserId="changing", AppendAccessString="+get")["AccessString"] == "off -@all +get"
    assert cache.modify_user(UserId="changing", AccessString="on +@all")["AccessString"] == "on +@all"
    assert cache.describe_users(UserId="changing")["Users"][0]["Authentication"] == {
        "Type": "password",
        "PasswordCount": 1,
    }


def test_a_deleted_user_leaves_its_groups(cache: Any) -> None:
    create_user(cache, "leaving-default", UserName="default", NoPasswordRequired=True)
    create_user(cache, "leaving", AuthenticationMode={"Type": "iam"}, Tags=TAGS)
    cache.create_user_group(UserGroupId="left", Engine="Redis", UserIds=["leaving-default", "leaving"])
    assert cache.describe_users(UserId="leaving")["Users"][0]["UserGroupIds"] == ["left"]
    assert cache.delete_user(UserId="leaving")["Status"] == "deleting"
    with refused("UserNotFound"):
        cache.describe_users(UserId="leaving")
    assert cache.describe_user_groups(UserGroupId="left")["UserGroups"][0]["UserIds"] == ["leaving-default"]
    with refused("DefaultUserAssociatedToUserGroup"):
        cache.delete_user(UserId="leaving-default")


def test_a_user_group_requires_one_default_user_and_existing_users(cache: Any, people: str) -> None:
    for users, code in (
        (["people-app"], "DefaultUserRequired"),
        (["people-default", "missing"], "UserNotFound"),
        (["people-default", "default"], "DuplicateUserName"),
    ):
        with refused(code):
            cache.create_user_group(UserGroupId="refused", Engine="redis", UserIds=users)
    with refused("UserGroupAlreadyExists"):
        cache.create_user_group(UserGroupId=people, Engine="redis", UserIds=["people-default"])


def test_a_user_group_can_be_modified_and_is_not_deleted_while_in_use(
    cache: Any, people: str, network: str, clustered: str
) -> None:
    settings = {"CacheParameterGroupName": clustered, "CacheSubnetGroupName": network}
    create_group(cache, "has-users", TransitEncryptionEnabled=True, UserGroupIds=[people], **settings)
    changed = cache.modify_user_group(UserGroupId=people, UserIdsToRemove=["people-app"])
    assert changed["UserIds"] == ["people-default"]
    assert changed["ReplicationGroups"] == ["has-users"]
    changed = cache.modify_user_group(UserGroupId=people, UserIdsToAdd=["people-app"])
    assert changed["UserIds"] == ["people-default", "people-app"]
    with refused("InvalidUserGroupState"):
        cache.delete_user_group(UserGroupId=people)
    cache.modify_replication_group(ReplicationGroupId="has-users", RemoveUserGroups=True)
    assert people in {each["UserGroupId"] for each in cache.describe_user_groups()["UserGroups"]}
    assert cache.delete_user_group(UserGroupId=people)["Status"] == "deleting"
    with refused("UserGroupNotFound"):
        cache.describe_user_groups(UserGroupId=people)


def test_a_subnet_group_has_the_zones_of_existing_subnets(cache: Any, network: str, subnets: list[str]) -> None:
    description = cache.describe_cache_subnet_groups(CacheSubnetGroupName=network)["CacheSubnetGroups"][0]["Subnets"]
    assert {each["SubnetIdentifier"]: each["SubnetAvailabilityZone"]["Name"] for each in description} == dict(
        zip(subnets, ["us-west-1a", "us-west-1b"], strict=True)
    )
    with refused("InvalidSubnet"):
        cache.create_cache_subnet_group(
            CacheSubnetGroupName="made-up", CacheSubnetGroupDescription="-", SubnetIds=["subnet-12345678"]
        )


def test_a_subnet_group_can_be_modified_and_is_not_deleted_while_in_use(cache: Any, subnets: list[str]) -> None:
    cache.create_cache_subnet_group(
        CacheSubnetGroupName="small", CacheSubnetGroupDescription="One", SubnetIds=subnets[:1], Tags=TAGS
    )
    changed = cache.modify_cache_subnet_group(CacheSubnetGroupName="small", SubnetIds=subnets)["CacheSubnetGroup"]
    assert (len(changed["Subnets"]), changed["CacheSubnetGroupDescription"]) == (2, "One")
    changed = cache.modify_cache_subnet_group(CacheSubnetGroupName="small", CacheSubnetGroupDescription="Two")
    assert changed["CacheSubnetGroup"]["CacheSubnetGroupDescription"] == "Two"
    create_group(cache, "in-small", CacheSubnetGroupName="small")
    with refused("CacheSubnetGroupInUse"):
        cache.delete_cache_subnet_group(CacheSubnetGroupName="small")
    cache.delete_replication_group(ReplicationGroupId="in-small")
    cache.delete_cache_subnet_group(CacheSubnetGroupName="small")
    with refused("CacheSubnetGroupNotFoundFault"):
        cache.describe_cache_subnet_groups(CacheSubnetGroupName="small")


def test_cluster_mode_spreads_slots_over_shards_and_nodes_over_zones(cache: Any, network: str, clustered: str) -> None:
    created = create_group(
        cache,
        "spread",
        CacheParameterGroupName=clustered,
        CacheSubnetGroupName=network,
        NumNodeGroups=2,
        ReplicasPerNodeGroup=1,
        MultiAZEnabled=True,
        TransitEncryptionEnabled=True,
        Port=6380,
    )
    assert (created["ClusterEnabled"], created["ClusterMode"], created["MultiAZ"]) == (True, "enabled", "enabled")
    assert [shard["Slots"] for shard in created["NodeGroups"]] == ["0-8191", "8192-16383"]
    assert created["MemberClusters"] == [
        f"spread-{shard}-{node}" for shard in ("0001", "0002") for node in ("001", "002")
    ]
    for shard in created["NodeGroups"]:
        zones = {member["PreferredAvailabilityZone"] for member in shard["NodeGroupMembers"]}
        assert zones == {"us-west-1a", "us-west-1b"}
    address, port = created["ConfigurationEndpoint"].values()
    assert address.startswith("clustercfg.spread.")
    assert address.endswith(".usw1.cache.amazonaws.com")
    assert port == 6380
    assert created["TransitEncryptionMode"] == "required"


def test_a_group_without_cluster_mode_has_a_primary_and_a_reader_endpoint(cache: Any, network: str) -> None:
    created = create_group(cache, "plain", NumCacheClusters=2, CacheSubnetGroupName=network)
    shard = created["NodeGroups"][0]
    assert created["ClusterEnabled"] is False
    assert "ConfigurationEndpoint" not in created
    assert shard["PrimaryEndpoint"]["Address"].startswith("master.plain.")
    assert shard["ReaderEndpoint"]["Address"].startswith("replica.plain.")
    assert [member["CurrentRole"] for member in shard["NodeGroupMembers"]] == ["primary", "replica"]


def test_member_clusters_have_the_settings_of_their_group(cache: Any, network: str, clustered: str) -> None:
    settings = {
        "CacheParameterGroupName": clustered,
        "CacheSubnetGroupName": network,
        "EngineVersion": "7.1",
        "NotificationTopicArn": "arn:aws:sns:us-west-1:123456789012:cache",
        "PreferredMaintenanceWindow": "sun:10:00-sun:11:00",
        "SnapshotRetentionLimit": 3,
        "SnapshotWindow": "08:00-09:00",
    }
    created = create_group(cache, "described", SecurityGroupIds=["sg-1"], **settings)
    node = cache.describe_cache_clusters(CacheClusterId=created["MemberClusters"][0], ShowCacheNodeInfo=True)[
        "CacheClusters"
    ][0]
    assert created["SnapshottingClusterId"] in created["MemberClusters"]
    assert node["EngineVersion"] == "7.1.0"
    assert node["CacheParameterGroup"]["CacheParameterGroupName"] == clustered
    assert node["NotificationConfiguration"]["TopicArn"] == settings["NotificationTopicArn"]
    assert node["SecurityGroups"] == [{"SecurityGroupId": "sg-1", "Status": "active"}]
    assert node["CacheNodes"][0]["CustomerAvailabilityZone"] == node["PreferredAvailabilityZone"]
    for name in ("CacheSubnetGroupName", "PreferredMaintenanceWindow", "SnapshotRetentionLimit", "SnapshotWindow"):
        assert node[name] == settings[name]
    assert node["CacheClusterId"] in {
        each["CacheClusterId"] for each in cache.describe_cache_clusters()["CacheClusters"]
    }


def test_a_replication_group_can_be_modified(cache: Any, network: str, clustered: str) -> None:
    create_group(cache, "changed", CacheParameterGroupName=clustered, CacheSubnetGroupName=network)
    cache.modify_replication_group(
        ReplicationGroupId="changed",
        ReplicationGroupDescription="Carts",
        MultiAZEnabled=True,
        EngineVersion="7.0",
        PreferredMaintenanceWindow="mon:10:00-mon:11:00",
        SecurityGroupIds=["sg-2"],
        ApplyImmediately=True,
    )
    description = described(cache, "changed")
    node = cache.describe_cache_clusters(CacheClusterId="changed-0001-001")["CacheClusters"][0]
    assert (description["Description"], description["MultiAZ"]) == ("Carts", "enabled")
    assert (node["EngineVersion"], node["PreferredMaintenanceWindow"]) == ("7.0.7", "mon:10:00-mon:11:00")
    assert node["SecurityGroups"][0]["SecurityGroupId"] == "sg-2"


def test_log_delivery_is_configured_per_log_type(cache: Any, network: str) -> None:
    def delivery(kind: str, log_group: str) -> dict[str, Any]:
        details = {"CloudWatchLogsDetails": {"LogGroup": log_group}}
        defaults = {"DestinationType": "cloudwatch-logs", "LogFormat": "json"}
        return {"LogType": kind, "DestinationDetails": details, **defaults}

    create_group(cache, "logs", CacheSubnetGroupName=network, LogDeliveryConfigurations=[delivery("slow-log", "slow")])
    cache.modify_replication_group(
        ReplicationGroupId="logs", LogDeliveryConfigurations=[delivery("engine-log", "engine")]
    )
    cache.modify_replication_group(
        ReplicationGroupId="logs", LogDeliveryConfigurations=[{"LogType": "slow-log", "Enabled": False}]
    )
    description = described(cache, "logs")["LogDeliveryConfigurations"]
    assert [(each["LogType"], each["Status"]) for each in description] == [("engine-log", "active")]
    assert description[0]["DestinationDetails"]["CloudWatchLogsDetails"]["LogGroup"] == "engine"


def test_shards_and_replicas_can_be_added_and_removed(cache: Any, network: str, clustered: str) -> None:
    create_group(cache, "grows", CacheParameterGroupName=clustered, CacheSubnetGroupName=network)
    cache.modify_replication_group_shard_configuration(
        ReplicationGroupId="grows", NodeGroupCount=3, ApplyImmediately=True
    )
    cache.increase_replica_count(ReplicationGroupId="grows", NewReplicaCount=2, ApplyImmediately=True)
    assert len(described(cache, "grows")["MemberClusters"]) == 9
    cache.decrease_replica_count(ReplicationGroupId="grows", NewReplicaCount=1, ApplyImmediately=True)
    assert len(described(cache, "grows")["MemberClusters"]) == 6
    assert described(cache, "grows")["NodeGroups"][2]["Slots"] == "10922-16383"


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"CacheParameterGroupName": "nowhere"}, "CacheParameterGroupNotFound"),
        ({"CacheSubnetGroupName": "nowhere"}, "CacheSubnetGroupNotFoundFault"),
        ({"UserGroupIds": ["missing"]}, "UserGroupNotFound"),
        ({"EngineVersion": "9.9"}, "InvalidParameterCombination"),
        ({"ClusterMode": "enabled"}, "InvalidParameterCombination"),
        ({"MultiAZEnabled": True, "AutomaticFailoverEnabled": False}, "InvalidParameterCombination"),
        (
            {"CacheParameterGroupName": "default.redis7.cluster.on", "AutomaticFailoverEnabled": False},
            "InvalidParameterCombination",
        ),
    ],
)
def test_invalid_replication_groups_are_refused(cache: Any, network: str, settings: dict[str, Any], code: str) -> None:
    with refused(code):
        create_group(cache, "impossible", **({"CacheSubnetGroupName": network} | settings))


def test_user_groups_require_encryption_in_transit(cache: Any, network: str) -> None:
    create_user(cache, "tls-default", UserName="default", NoPasswordRequired=True)
    cache.create_user_group(UserGroupId="tls", Engine="redis", UserIds=["tls-default"])
    with refused("InvalidParameterCombination"):
        create_group(cache, "clear", CacheSubnetGroupName=network, UserGroupIds=["tls"])
    create_group(cache, "secret", CacheSubnetGroupName=network, TransitEncryptionEnabled=True)
    cache.modify_replication_group(ReplicationGroupId="secret", UserGroupIdsToAdd=["tls"])
    assert described(cache, "secret")["UserGroupIds"] == ["tls"]
    cache.modify_replication_group(ReplicationGroupId="secret", UserGroupIdsToRemove=["tls"])
    assert described(cache, "secret").get("UserGroupIds", []) == []


def test_unsupported_settings_are_counted(aws: LocalAws, cache: Any, network: str) -> None:
    create_group(cache, "counted", CacheSubnetGroupName=network)
    with refused("InvalidAction.* a modification of AuthToken is not implemented"):
        cache.modify_replication_group(ReplicationGroupId="counted", AuthToken="x" * 16)
    with refused("InvalidAction.* NodeGroupConfiguration is not implemented"):
        create_group(cache, "custom-slots", CacheSubnetGroupName=network, NodeGroupConfiguration=[{"Slots": "0-16383"}])
    with refused("InvalidAction.* RetainPrimaryCluster is not implemented"):
        cache.delete_replication_group(ReplicationGroupId="counted", RetainPrimaryCluster=True)
    with refused("InvalidAction.* The versions of valkey are not known"):
        cache.modify_replication_group(ReplicationGroupId="counted", Engine="valkey", EngineVersion="7.2")
    assert aws.gateway.unsupported.pop("elasticache:ModifyReplicationGroup") == 2
    for action in ("CreateReplicationGroup", "DeleteReplicationGroup"):
        assert aws.gateway.unsupported.pop(f"elasticache:{action}") == 1


def test_deleting_a_group_leaves_only_a_final_snapshot(cache: Any, network: str) -> None:
    created = create_group(cache, "over", CacheSubnetGroupName=network, Tags=TAGS)
    with refused("ReplicationGroupAlreadyExists"):
        create_group(cache, "over", CacheSubnetGroupName=network)
    description = cache.delete_replication_group(ReplicationGroupId="over", FinalSnapshotIdentifier="over-last")
    assert description["ReplicationGroup"]["Status"] == "deleting"
    assert cache.describe_snapshots(SnapshotName="over-last")["Snapshots"][0]["ReplicationGroupId"] == "over"
    with refused("ReplicationGroupNotFoundFault"):
        described(cache, "over")
    with refused("CacheClusterNotFound"):
        cache.describe_cache_clusters(CacheClusterId=created["MemberClusters"][0])
    with refused("ReplicationGroupNotFoundFault"):
        cache.list_tags_for_resource(ResourceName=created["ARN"])


def test_a_standalone_cluster_can_be_deleted(cache: Any) -> None:
    cache.create_cache_cluster(CacheClusterId="alone", CacheNodeType="cache.t4g.small", Engine="redis")
    own = cache.describe_cache_clusters(ShowCacheClustersNotInReplicationGroups=True)["CacheClusters"]
    assert [each["CacheClusterId"] for each in own] == ["alone"]
    cache.delete_cache_cluster(CacheClusterId="alone")
    for action in (cache.describe_cache_clusters, cache.delete_cache_cluster):
        with refused("CacheClusterNotFound"):
            action(CacheClusterId="alone")


def described(cache: Any, name: str) -> dict[str, Any]:
    return cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]


def test_member_clusters_share_the_tags_of_their_group(aws: LocalAws, cache: Any, network: str) -> None:
    created = create_group(cache, "tagged", CacheSubnetGroupName=network, Tags=TAGS)
    cluster = created["ARN"].replace(":replicationgroup:tagged", ":cluster:tagged-001")
    cache.add_tags_to_resource(ResourceName=cluster, Tags=[{"Key": "Owner", "Value": "us"}])
    cache.remove_tags_from_resource(ResourceName=created["ARN"], TagKeys=["Environment"])
    for arn in (cluster, created["ARN"]):
        assert cache.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "Owner", "Value": "us"}]
    tagging = aws.client("resourcegroupstaggingapi")
    tagging.tag_resources(ResourceARNList=[cluster], Tags={"Team": "cache"})
    tagging.untag_resources(ResourceARNList=[cluster], TagKeys=["Owner"])
    assert cache.list_tags_for_resource(ResourceName=created["ARN"])["TagList"] == [{"Key": "Team", "Value": "cache"}]


@pytest.mark.parametrize(
    ("region", "short"), [("us-west-1", "usw1"), ("ap-southeast-2", "apse2"), ("us-gov-west-1", "usgw1")]
)
def test_endpoints_contain_an_abbreviated_region(region: str, short: str) -> None:
    assert short_region(region) == short


@pytest.mark.parametrize(
    ("node_type", "number"), [("cache.r7g.large", 1), ("cache.t4g.small", 1), ("cache.x9.huge", 0)]
)
def test_only_available_node_types_are_offered(cache: Any, node_type: str, number: int):
    offerings = cache.describe_reserved_cache_nodes_offerings(CacheNodeType=node_type)["ReservedCacheNodesOfferings"]
    assert [offering["CacheNodeType"] for offering in offerings] == [node_type] * number


def test_all_node_types_are_offered_by_default(cache: Any):
    assert len(cache.describe_reserved_cache_nodes_offerings()["ReservedCacheNodesOfferings"]) > 20
