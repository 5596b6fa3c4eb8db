"""Current usage of the quotas in a Region, counted by place as in `demand`."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from operations.account import Account
from operations.preflight.demand import Amounts, Demand

Count = Callable[[Account, Demand], Amounts]


def paginate(account: Account, service: str, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    """All items of a paginated operation."""
    for page in account.client(service).get_paginator(operation).paginate(**arguments):
        yield from page[key]


def count_listed(service: str, operation: str, key: str, **wanted: Any) -> Count:
    """Count the items of an operation, or those with these values."""

    def count(account: Account, _: Demand) -> Amounts:
        items = paginate(account, service, operation, key)
        return {"": sum(all(item.get(name) == value for name, value in wanted.items()) for item in items)}

    return count


def none_used(*_: object) -> Amounts:
    """No usage: the quota applies to resources of the stacks only."""
    return {}


def elastic_ips(account: Account, _: Demand) -> Amounts:
    """Elastic IP addresses."""
    return {"": len(account.client("ec2").describe_addresses()["Addresses"])}


def nat_gateways(account: Account, _: Demand) -> Amounts:
    """NAT gateways that are not deleted, by zone."""
    zones = {
        subnet["SubnetId"]: subnet["AvailabilityZone"]
        for subnet in paginate(account, "ec2", "describe_subnets", "Subnets")
    }
    filters = [{"Name": "state", "Values": ["pending", "available", "deleting"]}]
    gateways = paginate(account, "ec2", "describe_nat_gateways", "NatGateways", Filter=filters)
    return Counter(zones[gateway["SubnetId"]] for gateway in gateways)


def interface_endpoints(account: Account, demand: Demand) -> Amounts:
    """Interface endpoints of the platform's VPC."""
    vpc = demand.id_of("aws_vpc")
    if vpc is None:
        return {}
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "vpc-endpoint-type", "Values": ["Interface"]}]
    return {"": len(list(paginate(account, "ec2", "describe_vpc_endpoints", "VpcEndpoints", Filters=filters)))}


def cache_nodes(account: Account, _: Demand) -> Amounts:
    """Nodes of all cache clusters. Each node of a replication group is a cluster."""
    clusters = paginate(account, "elasticache", "describe_cache_clusters", "CacheClusters")
    return {"": sum(cluster["NumCacheNodes"] for cluster in clusters)}


def customer_keys(account: Account, _: Demand) -> Amounts:
    """KMS keys without AWS managed keys, which have aliases that start with `alias/aws/`."""
    keys = {key["KeyId"] for key in paginate(account, "kms", "list_keys", "Keys")}
    aliases = paginate(account, "kms", "list_aliases", "Aliases")
    return {"": len(keys - {each.get("TargetKeyId") for each in aliases if each["AliasName"].startswith("alias/aws/")})}


def reserved_concurrency(account: Account, _: Demand) -> Amounts:
    """Reserved concurrency of all functions."""
    limit = account.client("lambda").get_account_settings()["AccountLimit"]
    return {"": limit["ConcurrentExecutions"] - limit["UnreservedConcurrentExecutions"]}


def vcpus(provider: str) -> Count:
    """vCPUs of the tasks on a Fargate capacity provider."""

    def count(account: Account, _: Demand) -> Amounts:
        ecs, units = account.client("ecs"), 0
        for cluster in paginate(account, "ecs", "list_clusters", "clusterArns"):
            for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster, launchType="FARGATE"):
                if page["taskArns"]:  # at most 100, the limit of DescribeTasks
                    tasks = ecs.describe_tasks(cluster=cluster, tasks=page["taskArns"])["tasks"]
                    units += sum(
                        int(task["cpu"]) for task in tasks if task.get("capacityProviderName", "FARGATE") == provider
                    )
        return {"": units / 1024}

    return count
