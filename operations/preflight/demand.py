"""What the synthesized stacks will take of an account, but for what their states already have.

Each function counts one thing, by place: a zone, a security group, or "" where the whole Region is one place.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from operations.states import TerraformState
from synthesized.catalogue.vpc import nodes_per_shard
from synthesized.platform import Platform, Resource

Amounts = Mapping[str, float]
"""By place."""

REFERENCE = re.compile(r"\$\{([\w-]+\.[\w-]+)\.")
MIN_UNRESERVED_CONCURRENCY = 100
"""Concurrency that AWS keeps for functions without a reservation, as soon as any is reserved.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"""


@dataclass(frozen=True)
class Demand:
    """The stacks, and what has been made of them."""

    platform: Platform
    states: Mapping[str, TerraformState] = field(default_factory=dict)
    """By tier; without those that could not be read."""

    def without_states(self) -> Self:
        """The same stacks where nothing is deployed yet, as in another Region."""
        return replace(self, states={})

    def missing(self, *types: str) -> list[Resource]:
        """The resources of some types that no state has.

        But for the few in the second Region, which has quotas of its own.
        """
        return [
            resource
            for resource in self.platform.of_type(*types)
            if "provider" not in resource.body and resource.address_in_stack not in self.states.get(resource.tier, {})
        ]

    def id_of(self, type_: str) -> str | None:
        """The id of the one resource of a type, where a state has it."""
        known = (self.states.get(each.tier, {}).get(each.address_in_stack) for each in self.platform.of_type(type_))
        return next((attributes["id"] for attributes in known if attributes), None)

    def resolve(self, expression: str) -> Resource:
        """The resource that an argument refers to."""
        match = REFERENCE.match(expression)
        return next(each for each in self.platform.resources if match and each.address == match[1])


def count_missing(type_: str, **arguments: str) -> Callable[[Demand], Amounts]:
    """How many of a type, with these arguments, are missing."""

    def count(demand: Demand) -> Amounts:
        missing = demand.missing(type_)
        return {"": sum(all(each.body.get(name) == value for name, value in arguments.items()) for each in missing)}

    return count


def nat_gateways(demand: Demand) -> Amounts:
    """By zone."""
    gateways = demand.missing("aws_nat_gateway")
    return Counter(demand.resolve(gateway.body["subnet_id"]).body["availability_zone"] for gateway in gateways)


def security_group_rules(demand: Demand) -> Amounts:
    """Of each security group, in each direction, all that it will have.

    A rule for S3's prefix list counts as one, which is that list's weight:
    https://docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html
    """
    directions = {"ingress": "aws_vpc_security_group_ingress_rule", "egress": "aws_vpc_security_group_egress_rule"}
    return Counter(
        f"{demand.resolve(rule.body['security_group_id']).name}, {direction}"
        for direction, type_ in directions.items()
        for rule in demand.platform.of_type(type_)
    )


def security_groups(demand: Demand) -> Amounts:
    """With the one that a VPC comes with."""
    return {"": len(demand.missing("aws_security_group", "aws_default_security_group"))}


def readers_under_load(demand: Demand) -> Amounts:
    """Database instances that load may add."""
    return {"": _scaling_headroom(demand, "rds:cluster:ReadReplicaCount")}


def cache_nodes(demand: Demand) -> Amounts:
    """Of all shards."""
    groups = demand.missing("aws_elasticache_replication_group")
    return {"": sum(group.body["num_node_groups"] * nodes_per_shard(group.body) for group in groups)}


def cache_nodes_under_load(demand: Demand) -> Amounts:
    """Those of shards that load may add."""
    groups = demand.platform.of_type("aws_elasticache_replication_group")
    nodes = max((nodes_per_shard(group.body) for group in groups), default=0)
    return {"": nodes * _scaling_headroom(demand, "elasticache:replication-group:NodeGroups")}


def concurrency(demand: Demand) -> Amounts:
    """Of functions: what they reserve and what AWS then keeps for others, or one each."""
    functions = demand.missing("aws_lambda_function")
    reserved = sum(function.body.get("reserved_concurrent_executions", 0) for function in functions)
    return {"": reserved + MIN_UNRESERVED_CONCURRENCY if reserved else len(functions)}


def vcpus(provider: str) -> Callable[[Demand], Amounts]:
    """vCPUs of the tasks that a service begins with on a capacity provider."""

    def count(demand: Demand) -> Amounts:
        services = demand.missing("aws_ecs_service")
        return {"": sum(_vcpus(demand, service, service.body["desired_count"], provider) for service in services)}

    return count


def vcpus_under_load(provider: str) -> Callable[[Demand], Amounts]:
    """vCPUs that a service may take beyond those that it begins with: at its most, during a deployment."""

    def count(demand: Demand) -> Amounts:
        targets = _targets(demand, "ecs:service:DesiredCount")
        return {
            "": sum(
                _vcpus(
                    demand,
                    service,
                    target.body["max_capacity"] * service.body["deployment_maximum_percent"] // 100,
                    provider,
                )
                - _vcpus(demand, service, service.body["desired_count"], provider)
                for target, service in zip(targets, demand.platform.of_type("aws_ecs_service"), strict=True)
            )
        }

    return count


def _vcpus(demand: Demand, service: Resource, tasks: int, provider: str) -> float:
    """As ECS spreads tasks: first each provider's base, then by weight, with a whole task for what is left over."""
    strategy = {each["capacity_provider"]: each for each in service.body["capacity_provider_strategy"]}
    if provider not in strategy:
        return 0
    base = min(strategy[provider].get("base", 0), tasks)
    rest = max(0, tasks - sum(each.get("base", 0) for each in strategy.values()))
    weights = sum(each.get("weight", 0) for each in strategy.values())
    share = math.ceil(rest * strategy[provider].get("weight", 0) / weights) if weights else 0
    return (base + share) * int(demand.resolve(service.body["task_definition"]).body["cpu"]) / 1024


def _scaling_headroom(demand: Demand, dimension: str) -> int:
    targets = _targets(demand, dimension)
    return sum(target.body["max_capacity"] - target.body["min_capacity"] for target in targets)


def _targets(demand: Demand, dimension: str) -> list[Resource]:
    targets = demand.platform.of_type("aws_appautoscaling_target")
    return [target for target in targets if target.body["scalable_dimension"] == dimension]
