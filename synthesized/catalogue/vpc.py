"""What has addresses in the VPC, a class a service: where it is, whether it refuses plaintext, what is in a zone."""

from collections.abc import Iterator, Sequence
from math import ceil
from typing import NamedTuple, Protocol

from synthesized.platform import Body, Platform, Resource
from synthesized.policy_statements import as_list
from synthesized.roles import read_statements

HTTPS = 443


class Placement(NamedTuple):
    """Where something is in the VPC: references."""

    security_groups: Sequence[str]
    subnets: Sequence[str]
    is_public: bool = False
    """Whether it has addresses that the internet reaches, where its subnets lead there."""


class InVpc(Protocol):
    """What has addresses in the VPC."""

    @property
    def service(self) -> str:
        """AWS's short name, in pictures."""
        ...

    def placement(self, platform: Platform, body: Body, /) -> Placement:
        """Where one is."""
        ...

    def refuses_plaintext(self, platform: Platform, resource: Resource, port: int, /) -> bool:
        """Whether it takes nothing but TLS on a port."""
        ...

    def describe_in_zone(self, platform: Platform, resource: Resource, zone: str, /) -> Iterator[str]:
        """What of one is in a zone, in words."""
        ...


class Aurora:
    """A cluster; its instances name their zones."""

    service = "Aurora"

    def placement(self, platform: Platform, cluster: Body) -> Placement:
        subnets = platform.resolve(cluster["db_subnet_group_name"]).body["subnet_ids"]
        instances = platform.of_type("aws_rds_cluster_instance")
        is_public = any(each.body.get("publicly_accessible") for each in instances)
        return Placement(cluster["vpc_security_group_ids"], subnets, is_public)

    def refuses_plaintext(self, platform: Platform, cluster: Resource, _: int) -> bool:
        parameters = platform.resolve(cluster.body["db_cluster_parameter_group_name"]).body["parameter"]
        return any((each["name"], each["value"]) == ("rds.force_ssl", "1") for each in parameters)

    def describe_in_zone(self, platform: Platform, cluster: Resource, zone: str) -> Iterator[str]:
        for each in platform.of_type("aws_rds_cluster_instance"):
            if each.body["availability_zone"] == zone and platform.resolve(each.body["cluster_identifier"]) == cluster:
                yield each.name


class ElastiCache:
    """A replication group; nodes of each shard are spread over zones as evenly as can be."""

    service = "ElastiCache"

    def placement(self, platform: Platform, group: Body) -> Placement:
        return Placement(group["security_group_ids"], platform.resolve(group["subnet_group_name"]).body["subnet_ids"])

    def refuses_plaintext(self, _platform: Platform, group: Resource, _port: int) -> bool:
        return group.body.get("transit_encryption_mode") == "required"

    def describe_in_zone(self, platform: Platform, group: Resource, _: str) -> Iterator[str]:
        nodes = nodes_per_shard(group.body)
        yield f"{_share(nodes, len(self.placement(platform, group.body).subnets))} of {nodes} nodes a shard"


class Efs:
    """A mount target."""

    service = "EFS"

    def placement(self, _: Platform, mount: Body) -> Placement:
        return Placement(mount["security_groups"], [mount["subnet_id"]])

    def refuses_plaintext(self, platform: Platform, mount: Resource, _: int) -> bool:
        file_system = platform.resolve(mount.body["file_system_id"])
        return any(
            statement["Effect"] == "Deny"
            and as_list(statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")) == ["false"]
            for policy in platform.of_type("aws_efs_file_system_policy")
            if platform.resolve(policy.body["file_system_id"]) == file_system
            for statement in read_statements(platform, policy.body["policy"])
        )

    def describe_in_zone(self, _platform: Platform, mount: Resource, _zone: str) -> Iterator[str]:
        yield mount.name


class Lambda:
    """A function, which may be outside of the VPC; it is invoked by Lambda's API alone."""

    service = "Lambda"

    def placement(self, _: Platform, function: Body) -> Placement:
        network = function.get("vpc_config", {})
        return Placement(network.get("security_group_ids", []), network.get("subnet_ids", []))

    def refuses_plaintext(self, *_: object) -> bool:
        return True

    def describe_in_zone(self, *_: object) -> Iterator[str]:
        yield "network interface"


class Fargate:
    """A service of ECS's; tasks are spread over zones as evenly as can be."""

    service = "ECS on Fargate"

    def placement(self, _: Platform, service: Body) -> Placement:
        network = service["network_configuration"]
        return Placement(network["security_groups"], network["subnets"], bool(network.get("assign_public_ip")))

    def refuses_plaintext(self, platform: Platform, service: Resource, port: int) -> bool:
        groups = [platform.resolve(each["target_group_arn"]).body for each in service.body["load_balancer"]]
        return any(group["port"] == port and group["protocol"] == "HTTPS" for group in groups)

    def describe_in_zone(self, platform: Platform, service: Resource, _: str) -> Iterator[str]:
        least = minimum_tasks(platform, service)
        yield f"tasks: {_share(least, len(self.placement(platform, service.body).subnets))} of {least} or more"


class Alb:
    """An Application Load Balancer: an address in each of its zones."""

    service = "ALB"

    def placement(self, _: Platform, balancer: Body) -> Placement:
        return Placement(balancer["security_groups"], balancer["subnets"], not balancer.get("internal"))

    def refuses_plaintext(self, platform: Platform, balancer: Resource, port: int) -> bool:
        return any(
            listener.body["port"] == port and listener.body["protocol"] == "HTTPS"
            for listener in platform.of_type("aws_lb_listener")
            if platform.resolve(listener.body["load_balancer_arn"]) == balancer
        )

    def describe_in_zone(self, *_: object) -> Iterator[str]:
        yield "public address"


class PrivateLink:
    """An interface endpoint, where AWS's services answer HTTPS alone; a gateway endpoint is a route."""

    service = "PrivateLink"

    def placement(self, _: Platform, endpoint: Body) -> Placement:
        return Placement(endpoint.get("security_group_ids", []), endpoint.get("subnet_ids", []))

    def refuses_plaintext(self, _platform: Platform, _endpoint: Resource, port: int) -> bool:
        return port == HTTPS

    def describe_in_zone(self, _platform: Platform, endpoint: Resource, _zone: str) -> Iterator[str]:
        yield endpoint.name.removeprefix("endpoint-")


def nodes_per_shard(group: Body) -> int:
    """A primary and its replicas."""
    return 1 + group.get("replicas_per_node_group", 0)


def minimum_tasks(platform: Platform, service: Resource) -> int:
    """Tasks of an ECS service that always run."""
    minimums = [
        each.body["min_capacity"]
        for each in platform.of_type("aws_appautoscaling_target")
        if service.address in str(each.body["resource_id"])
    ]
    return min([*minimums, service.body["desired_count"]])


def _share(count: int, zones: int) -> str:
    """How many of a count are in each zone."""
    least, most = count // zones, ceil(count / zones)
    return str(least) if least == most else f"{least} to {most}"
