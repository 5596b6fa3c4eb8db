"""What an account uses of its quotas in a Region now: by place, as `demand` counts what the stacks add."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from operations.account import Account
from operations.preflight.demand import Amounts, Demand

Count = Callable[[Account, Demand], Amounts]


def paginate(account: Account, service: str, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    """All that an operation lists."""
    for page in account.client(service).get_paginator(operation).paginate(**arguments):
        yield from page[key]


def count_listed(service: str, operation: str, key: str, **wanted: Any) -> Count:
    """How many of what an operation lists, or of those with these values."""

    def count(account: Account, _: Demand) -> Amounts:
        things = paginate(account, service, operation, key)
        return {"": sum(all(thing.get(name) == value for name, value in wanted.items()) for thing in things)}

    return count


def none_used(*_: object) -> Amounts:
    """Of what is the stacks' own from the start."""
    return {}


def elastic_ips(account: Account, _: Demand) -> Amounts:
    """Elastic IP addresses."""
    return {"": len(account.client("ec2").describe_addresses()["Addresses"])}


def nat_gateways(account: Account, _: Demand) -> Amounts:
    """By zone, those that are not gone."""
    zones = {
        subnet["SubnetId"]: subnet["AvailabilityZone"]
        for subnet in paginate(account, "ec2", "describe_subnets", "Subnets")
    }
    there = [{"Name": "state", "Values": ["pending", "available", "deleting"]}]
    gateways = paginate(account, "ec2", "describe_nat_gateways", "NatGateways", Filter=there)
    return Counter(zones[gateway["SubnetId"]] for gateway in gateways)


def interface_endpoints(account: Account, demand: Demand) -> Amounts:
    """Interface endpoints: their quota is a VPC's."""
    vpc = demand.id_of("aws_vpc")
    if vpc is None:
        return {}
    ours = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "vpc-endpoint-type", "Values": ["Interface"]}]
    return {"": len(list(paginate(account, "ec2", "describe_vpc_endpoints", "VpcEndpoints", Filters=ours)))}


def cache_nodes(account: Account, _: Demand) -> Amounts:
    """Of all clusters; one of a replication group is a node."""
    clusters = paginate(account, "elasticache", "describe_cache_clusters", "CacheClusters")
    return {"": sum(cluster["NumCacheNodes"] for cluster in clusters)}


def customer_keys(account: Account, _: Demand) -> Amounts:
    """Keys but for those that AWS made for its services, which their aliases tell."""
    keys = {key["KeyId"] for key in paginate(account, "kms", "list_keys", "Keys")}
    aliases = paginate(account, "kms", "list_aliases", "Aliases")
    return {"": len(keys - {each.get("TargetKeyId") for each in aliases if each["AliasName"].startswith("alias/aws/")})}


def reserved_concurrency(account: Account, _: Demand) -> Amounts:
    """What functions have reserved."""
    limit = account.client("lambda").get_account_settings()["AccountLimit"]
    return {"": limit["ConcurrentExecutions"] - limit["UnreservedConcurrentExecutions"]}


def vcpus(provider: str) -> Count:
    """vCPUs of the tasks on a Fargate capacity provider."""

    def count(account: Account, _: Demand) -> Amounts:
        ecs, units = account.client("ecs"), 0
        for cluster in paginate(account, "ecs", "list_clusters", "clusterArns"):
            for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster, launchType="FARGATE"):
                if page["taskArns"]:  # a hundred at most, as many as can be described at once
                    tasks = ecs.describe_tasks(cluster=cluster, tasks=page["taskArns"])["tasks"]
                    units += sum(
                        int(task["cpu"]) for task in tasks if task.get("capacityProviderName", "FARGATE") == provider
                    )
        return {"": units / 1024}

    return count
