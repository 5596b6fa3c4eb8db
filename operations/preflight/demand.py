"""What the synthesized stacks add to an account, beyond what their states already have.

Each function counts one kind of resource by place: a zone, a security group, or "" for the Region.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from operations.states import TerraformState
from synthesized.catalogue.vpc import nodes_per_shard
from synthesized.platform import Platform, Resource

Amounts = Mapping[str, float]
"""Numbers by place."""

MIN_UNRESERVED_CONCURRENCY = 100
"""Concurrency that Lambda keeps unreserved once any is reserved.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"""


@dataclass(frozen=True)
class Demand:
    """The stacks and their states, from which the functions below count the demand."""

    platform: Platform
    states: Mapping[str, TerraformState] = field(default_factory=dict)
    """By tier, without states that could not be read."""

    def without_states(self) -> Self:
        """The same stacks with nothing deployed, as in another Region."""
        return replace(self, states={})

    def missing(self, *types: str) -> list[Resource]:
        """Resources of some types that are in no state.

        Without those in other Regions, which have separate quotas.
        """
        return [
            resource
            for resource in self.platform.of_type(*types)
            if "provider" not in resource.body and resource.address_in_stack not in self.states.get(resource.tier, {})
        ]

    def id_of(self, type_: str) -> str | None:
        """The ID of the only resource of a type, or None if no state has it."""
        known = (self.states.get(each.tier, {}).get(each.address_in_stack) for each in self.platform.of_type(type_))
        return next((attributes["id"] for attributes in known if attributes), None)


def count_missing(type_: str, **arguments: str) -> Callable[[Demand], Amounts]:
    """Count missing resources of a type with these arguments."""

    def count(demand: Demand) -> Amounts:
        missing = demand.missing(type_)
        return {"": sum(all(each.body.get(name) == value for name, value in arguments.items()) for each in missing)}

    return count


def nat_gateways(demand: Demand) -> Amounts:
    """Missing NAT gateways by zone."""
    gateways = demand.missing("aws_nat_gateway")
    return Counter(demand.platform.resolve(gateway.body["subnet_id"]).body["availability_zone"] for gateway in gateways)


def security_group_rules(demand: Demand) -> Amounts:
    """All rules by security group and direction.

    A rule for S3's prefix list counts as one, which is the list's weight:
    https://docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html
    """
    directions = {"ingress": "aws_vpc_security_group_ingress_rule", "egress": "aws_vpc_security_group_egress_rule"}
    return Counter(
        f"{demand.platform.resolve(rule.body['security_group_id']).name}, {direction}"
        for direction, type_ in directions.items()
        for rule in demand.platform.of_type(type_)
    )


def security_groups(demand: Demand) -> Amounts:
    """Missing security groups, including a new VPC's default group."""
    return {"": len(demand.missing("aws_security_group", "aws_default_security_group"))}


def readers_under_load(demand: Demand) -> Amounts:
    """Database instances that auto scaling may add."""
    return {"": _scaling_headroom(demand, "rds:cluster:ReadReplicaCount")}


def cache_nodes(demand: Demand) -> Amounts:
    """Missing cache nodes in all shards."""
    groups = demand.missing("aws_elasticache_replication_group")
    return {"": sum(group.body["num_node_groups"] * nodes_per_shard(group.body) for group in groups)}


def cache_nodes_under_load(demand: Demand) -> Amounts:
    """Cache nodes in shards that auto scaling may add."""
    groups = demand.platform.of_type("aws_elasticache_replication_group")
    nodes = max((nodes_per_shard(group.body) for group in groups), default=0)
    return {"": nodes * _scaling_headroom(demand, "elasticache:replication-group:NodeGroups")}


def concurrency(demand: Demand) -> Amounts:
    """Concurrency of missing functions: what they reserve and must stay unreserved; one each if none reserves any."""
    functions = demand.missing("aws_lambda_function")
    reserved = sum(function.body.get("reserved_concurrent_executions", 0) for function in functions)
    return {"": reserved + MIN_UNRESERVED_CONCURRENCY if reserved else len(functions)}


def vcpus(provider: str) -> Callable[[Demand], Amounts]:
    """vCPUs of a service's initial tasks on a capacity provider."""

    def count(demand: Demand) -> Amounts:
        services = demand.missing("aws_ecs_service")
        return {"": sum(_vcpus(demand, service, service.body["desired_count"], provider) for service in services)}

    return count


def vcpus_under_load(provider: str) -> Callable[[Demand], Amounts]:
    """vCPUs that a service may add to its initial ones: at its maximum capacity, during a deployment."""

    def count(demand: Demand) -> Amounts:
        added = 0.0
        for target in _targets(demand, "ecs:service:DesiredCount"):
            # service/<cluster>/<service>
            service = demand.platform.resolve(target.body["resource_id"].rpartition("/")[2])
            most = target.body["max_capacity"] * service.body["deployment_maximum_percent"] // 100
            added += _vcpus(demand, service, most, provider)
            added -= _vcpus(demand, service, service.body["desired_count"], provider)
        return {"": added}

    return count


def _vcpus(demand: Demand, service: Resource, tasks: int, provider: str) -> float:
    """vCPUs of a number of tasks on one provider.

    ECS fills each provider's base first, then distributes by weight; rounded up.
    """
    strategy = {each["capacity_provider"]: each for each in service.body["capacity_provider_strategy"]}
    if provider not in strategy:
        return 0
    base = min(strategy[provider].get("base", 0), tasks)
    rest = max(0, tasks - sum(each.get("base", 0) for each in strategy.values()))
    weights = sum(each.get("weight", 0) for each in strategy.values())
    share = math.ceil(rest * strategy[provider].get("weight", 0) / weights) if weights else 0
    return (base + share) * int(demand.platform.resolve(service.body["task_definition"]).body["cpu"]) / 1024


def _scaling_headroom(demand: Demand, dimension: str) -> int:
    targets = _targets(demand, dimension)
    return sum(target.body["max_capacity"] - target.body["min_capacity"] for target in targets)


def _targets(demand: Demand, dimension: str) -> list[Resource]:
    targets = demand.platform.of_type("aws_appautoscaling_target")
    return [target for target in targets if target.body["scalable_dimension"] == dimension]
