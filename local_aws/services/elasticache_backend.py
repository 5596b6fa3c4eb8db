"""ElastiCache's parameter groups, subnet groups, replication groups, clusters, and tags."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from moto.core.resource_tagging import TaggedResource
from moto.ec2.exceptions import InvalidSubnetIdError
from moto.ec2.models import ec2_backends
from moto.elasticache.exceptions import CacheClusterNotFound
from moto.elasticache.models import CacheCluster, CacheSubnetGroup

from local_aws.extension import ApiError
from local_aws.services.elasticache_parameters import CLUSTER_MODE, FAMILIES, ParameterGroup
from local_aws.services.elasticache_replication_groups import ReplicationGroupWithNodes
from local_aws.services.elasticache_users import UsersBackend

# Error of a tag request for a missing resource, by the resource type in its ARN.
NOT_FOUND_ERRORS = {
    "cluster": "CacheClusterNotFound",
    "parametergroup": "CacheParameterGroupNotFound",
    "replicationgroup": "ReplicationGroupNotFoundFault",
    "snapshot": "SnapshotNotFoundFault",
    "subnetgroup": "CacheSubnetGroupNotFoundFault",
    "user": "UserNotFound",
    "usergroup": "UserGroupNotFound",
}


class Backend(UsersBackend):
    """Adds parameter groups, and clusters that are members of replication groups."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.arn_regex = re.compile(rf"^arn:[^:]+:elasticache:[^:]*:\d*:({'|'.join(NOT_FOUND_ERRORS)}):.+$")
        self.parameter_groups: dict[str, ParameterGroup] = {}
        for family in FAMILIES:
            plain = self._add_parameter_group(f"default.{family}", family, f"Default parameter group for {family}")
            clustered = self._add_parameter_group(
                f"{plain.cache_parameter_group_name}.cluster.on",
                family,
                f"Customized default parameter group for {family} with cluster mode on",
            )
            clustered.user_values = {CLUSTER_MODE: "yes"}

    # Parameter groups

    def create_parameter_group(
        self, name: str, family: str, description: str, tags: list[dict[str, str]]
    ) -> ParameterGroup:
        if name in self.parameter_groups:
            raise ApiError("CacheParameterGroupAlreadyExists", f"Cache parameter group {name} already exists")
        group = self._add_parameter_group(name, family, description)
        self.tagging_service.tag_resource(group.arn, tags)
        return group

    def parameter_group(self, name: str) -> ParameterGroup:
        if name not in self.parameter_groups:
            raise ApiError("CacheParameterGroupNotFound", f"CacheParameterGroup not found: {name}")
        return self.parameter_groups[name]

    def delete_parameter_group(self, name: str) -> None:
        group = self.parameter_group(name)
        if any(each.cache_parameter_group_name == name for each in self.replication_groups.values()):
            raise ApiError("InvalidCacheParameterGroupState", f"Cache parameter group {name} is in use")
        self._delete_tags(group.arn)
        del self.parameter_groups[name]

    def _add_parameter_group(self, name: str, family: str, description: str) -> ParameterGroup:
        group = ParameterGroup(name, family, description, self._arn("parametergroup", name))
        self.parameter_groups[name] = group
        return group

    # Subnet groups

    def create_cache_subnet_group(self, *args: Any, **settings: Any) -> CacheSubnetGroup:
        self._check_subnets(settings["subnet_ids"])
        group = super().create_cache_subnet_group(*args, **settings)
        return self._with_zones(group)

    def modify_subnet_group(self, name: str, description: str | None, subnets: Sequence[str]) -> CacheSubnetGroup:
        group = self.describe_cache_subnet_groups(name)[0]
        if subnets:
            self._check_subnets(subnets)
        self.cache_subnet_groups[name] = self._with_zones(
            CacheSubnetGroup(
                self.account_id,
                self.region_name,
                name,
                description or group.cache_subnet_group_description,
                list(subnets or group.subnet_ids),
                group.tags,
            )
        )
        return self.cache_subnet_groups[name]

    def delete_subnet_group(self, name: str) -> None:
        group = self.describe_cache_subnet_groups(name)[0]
        if any(each.cache_subnet_group_name == name for each in self.replication_groups.values()):
            raise ApiError("CacheSubnetGroupInUse", f"Cache subnet group {name} is in use")
        self._delete_tags(group.arn)
        del self.cache_subnet_groups[name]

    def _check_subnets(self, subnets: Sequence[str]) -> None:
        """Refuse subnets that do not exist: moto would invent a VPC for them."""
        try:
            ec2_backends[self.account_id][self.region_name].describe_subnets(subnet_ids=list(subnets))
        except InvalidSubnetIdError as error:
            raise ApiError("InvalidSubnet", str(error)) from error

    def _with_zones(self, group: Any) -> CacheSubnetGroup:
        """Wrap the Availability Zone's name in a structure, as AWS does."""
        for subnet in group.subnets:
            subnet["subnet_availability_zone"] = {"Name": subnet["subnet_availability_zone"]}
        return group

    # Replication groups

    def create_replication_group(self, *_: Any, **settings: Any) -> ReplicationGroupWithNodes:
        name = settings["replication_group_id"]
        if name in self.replication_groups:
            raise ApiError("ReplicationGroupAlreadyExists", f"Replication group {name} already exists.")
        subnets = self.describe_cache_subnet_groups(settings["cache_subnet_group_name"] or "default")[0].subnets
        engine = settings["engine"] or "redis"
        settings["cache_parameter_group_name"] = settings["cache_parameter_group_name"] or f"default.{engine}7"
        self._check_groups(settings["cache_parameter_group_name"], settings["user_group_ids"])
        if self.parameter_group(settings["cache_parameter_group_name"]).cluster_enabled:
            settings["cluster_mode"] = "enabled"
        elif settings["cluster_mode"] == "enabled":
            raise ApiError("InvalidParameterCombination", f"Cluster mode needs a parameter group with {CLUSTER_MODE}")
        zones = [subnet["subnet_availability_zone"]["Name"] for subnet in subnets]
        group = cast(
            ReplicationGroupWithNodes,
            ReplicationGroupWithNodes(
                account_id=self.account_id, region_name=self.region_name, zones=zones, **settings
            ),
        )
        self.tagging_service.tag_resource(group.arn, settings["tags"])
        self.replication_groups[name] = group
        return group

    def replication_group(self, name: str) -> ReplicationGroupWithNodes:
        return cast(ReplicationGroupWithNodes, self.describe_replication_groups(name)[0])

    def update_replication_group(self, name: str, request: Mapping[str, Any]) -> ReplicationGroupWithNodes:
        group = self.replication_group(name)
        parameters = request.get("CacheParameterGroupName", group.cache_parameter_group_name)
        self._check_groups(parameters, request.get("UserGroupIdsToAdd"))
        group.modify(request)
        return group

    def delete_replication_group(
        self, replication_group_id: str, retain_primary_cluster: bool | None
    ) -> ReplicationGroupWithNodes:
        if retain_primary_cluster:
            raise NotImplementedError("RetainPrimaryCluster is not implemented")
        group = self.replication_group(replication_group_id)
        self._delete_tags(group.arn)
        del self.replication_groups[replication_group_id]
        group.status = "deleting"
        return group

    def _check_groups(self, parameters: str, users: Sequence[str] | None) -> None:
        self.parameter_group(parameters)
        for group in users or []:
            self.user_group(group)

    def _groups(self) -> list[ReplicationGroupWithNodes]:
        return cast(list[ReplicationGroupWithNodes], list(self.replication_groups.values()))

    # Clusters: members of replication groups, and standalone clusters

    def describe_cache_clusters(self, cache_cluster_id: str | None = None) -> list[Any]:
        members = [node for group in self._groups() for node in group.nodes()]
        if found := [node for node in members if node["CacheClusterId"] == cache_cluster_id]:
            return found
        return super().describe_cache_clusters(cache_cluster_id) + ([] if cache_cluster_id else members)

    def delete_cache_cluster(self, cache_cluster_id: str) -> CacheCluster:
        if cache_cluster_id not in self.cache_clusters:
            raise CacheClusterNotFound(cache_cluster_id)
        cluster = super().delete_cache_cluster(cache_cluster_id)
        self._delete_tags(cluster.arn)
        del self.cache_clusters[cache_cluster_id]
        return cluster

    # Tags

    def list_tags_for_resource(self, arn: str) -> dict[str, list[dict[str, str]]]:
        return super().list_tags_for_resource(self._tag_holder(arn))

    def add_tags_to_resource(self, arn: str, tags: list[dict[str, str]]) -> None:
        super().add_tags_to_resource(self._tag_holder(arn), tags)

    def remove_tags_from_resource(self, arn: str, tags: list[str]) -> None:
        super().remove_tags_from_resource(self._tag_holder(arn), tags)

    def iter_tagged_resources(self) -> Iterator[TaggedResource]:
        for arn, holder in self._tag_holders().items():
            tags = self.tagging_service.get_tag_dict_for_resource(holder)
            yield TaggedResource(arn, tags, f"elasticache:{arn.split(':')[5]}")

    def tag_resource(self, arn: str, tags: dict[str, str]) -> None:
        super().tag_resource(self._tag_holder(arn), tags)

    def untag_resource(self, arn: str, tag_keys: list[str]) -> None:
        super().untag_resource(self._tag_holder(arn), tag_keys)

    def _tag_holder(self, arn: str) -> str:
        holders = self._tag_holders()
        if self.arn_regex.match(arn) and arn not in holders:
            raise ApiError(NOT_FOUND_ERRORS[arn.split(":")[5]], f"{arn} not found")
        return holders.get(arn, arn)

    def _tag_holders(self) -> dict[str, str]:
        """ARN of the resource that has the tags, by ARN. Member clusters have the tags of their replication group."""
        resources = [
            *self.cache_clusters.values(),
            *self.cache_subnet_groups.values(),
            *self.parameter_groups.values(),
            *self.replication_groups.values(),
            *self.snapshots.values(),
            *self.users.values(),
        ]
        return {
            **{resource.arn: resource.arn for resource in resources},
            **{group["ARN"]: group["ARN"] for group in self.user_groups.values()},
            **{node["ARN"]: group.arn for group in self._groups() for node in group.nodes()},
        }
