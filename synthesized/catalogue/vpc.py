"""Resources with addresses in the VPC, one class per service: placement, TLS enforcement, and zones."""

from collections.abc import Iterator, Sequence
from math import ceil
from typing import NamedTuple, Protocol

from synthesized.platform import Body, Platform, Resource
from synthesized.policy_statements import as_list
from synthesized.roles import read_statements

HTTPS = 443


class Placement(NamedTuple):
    """Security groups and subnets of a resource, as Terraform references."""

    security_groups: Sequence[str]
    subnets: Sequence[str]
    is_public: bool = False
    """Whether it has public addresses. They are reachable if its subnets route to an internet gateway."""


class InVpc(Protocol):
    """A type of resource with addresses in the VPC."""

    @property
    def service(self) -> str:
        """Short name of the AWS service, for pictures."""
        ...

    def placement(self, platform: Platform, body: Body, /) -> Placement:
        """Security groups and subnets."""
        ...

    def refuses_plaintext(self, platform: Platform, resource: Resource, port: int, /) -> bool:
        """Whether the port accepts TLS only."""
        ...

    def describe_in_zone(self, platform: Platform, resource: Resource, zone: str, /) -> Iterator[str]:
        """Short descriptions of what the resource has in a zone, for pictures."""
        ...


class Aurora:
    """An Aurora cluster. Each instance names its zone."""

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
    """A replication group. ElastiCache spreads the nodes of each shard evenly over the zones."""

    service = "ElastiCache"

    def placement(self, platform: Platform, group: Body) -> Placement:
        return Placement(group["security_group_ids"], platform.resolve(group["subnet_group_name"]).body["subnet_ids"])

    def refuses_plaintext(self, _platform: Platform, group: Resource, _port: int) -> bool:
        return group.body.get("transit_encryption_mode") == "required"

    def describe_in_zone(self, platform: Platform, group: Resource, _: str) -> Iterator[str]:
        nodes = nodes_per_shard(group.body)
        yield f"{_share(nodes, len(self.placement(platform, group.body).subnets))} of {nodes} nodes per shard"


class Efs:
    """An EFS mount target."""

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
    """A Lambda function, possibly outside of the VPC. It accepts no connections: Lambda's API invokes it."""

    service = "Lambda"

    def placement(self, _: Platform, function: Body) -> Placement:
        network = function.get("vpc_config", {})
        return Placement(network.get("security_group_ids", []), network.get("subnet_ids", []))

    def refuses_plaintext(self, *_: object) -> bool:
        return True

    def describe_in_zone(self, *_: object) -> Iterator[str]:
        yield "network interface"


class Fargate:
    """An ECS service on Fargate. ECS spreads tasks evenly over the zones."""

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
    """An Application Load Balancer, with an address in each of its zones."""

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
    """An interface endpoint: HTTPS only. A gateway endpoint has no address: it is a route."""

    service = "PrivateLink"

    def placement(self, _: Platform, endpoint: Body) -> Placement:
        return Placement(endpoint.get("security_group_ids", []), endpoint.get("subnet_ids", []))

    def refuses_plaintext(self, _platform: Platform, _endpoint: Resource, port: int) -> bool:
        return port == HTTPS

    def describe_in_zone(self, _platform: Platform, endpoint: Resource, _zone: str) -> Iterator[str]:
        yield endpoint.name.removeprefix("endpoint-")


def nodes_per_shard(group: Body) -> int:
    """The primary and its replicas."""
    return 1 + group.get("replicas_per_node_group", 0)


def minimum_tasks(platform: Platform, service: Resource) -> int:
    """Lower bound of an ECS service's task count."""
    minimums = [
        each.body["min_capacity"]
        for each in platform.of_type("aws_appautoscaling_target")
        if service.address in str(each.body["resource_id"])
    ]
    return min([*minimums, service.body["desired_count"]])


def _share(count: int, zones: int) -> str:
    """How many of a count are in each zone, as in `2` or `1 to 2`."""
    least, most = count // zones, ceil(count / zones)
    return str(least) if least == most else f"{least} to {most}"
