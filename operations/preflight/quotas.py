"""Quotas that a deployment meets: a table, and what the account's own, its use and the stacks come to together."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from operations.account import Account
from operations.errors import call_or_none
from operations.preflight import demand as added
from operations.preflight import usage as used
from operations.preflight.check_result import CheckResult, Status
from operations.preflight.demand import Amounts, Demand


@dataclass(frozen=True)
class Quota:
    """A row of the table."""

    name: str
    service: str
    """As Service Quotas calls it."""
    code: str
    """Of Service Quotas; the same in every Region."""
    used: used.Count
    """What is there now."""
    added: Callable[[Demand], Amounts]
    """What the stacks add."""
    under_load: Callable[[Demand], Amounts] = lambda _: {}
    """What load may add to that later."""
    is_zonal: bool = False
    """Whether places are zones."""


# Names and codes: `aws service-quotas list-aws-default-service-quotas`, and each service's page of
# https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html
QUOTAS = (
    Quota(
        "VPCs", "vpc", "L-F678F1CE", used.count_listed("ec2", "describe_vpcs", "Vpcs"), added.count_missing("aws_vpc")
    ),
    Quota(
        "internet gateways",
        "vpc",
        "L-A4707A72",
        used.count_listed("ec2", "describe_internet_gateways", "InternetGateways"),
        added.count_missing("aws_internet_gateway"),
    ),
    Quota("elastic IP addresses", "ec2", "L-0263D0A3", used.elastic_ips, added.count_missing("aws_eip")),
    Quota("NAT gateways of a zone", "vpc", "L-FE5A380F", used.nat_gateways, added.nat_gateways, is_zonal=True),
    Quota(
        "interface endpoints of a VPC",
        "vpc",
        "L-29B6F2EB",
        used.interface_endpoints,
        added.count_missing("aws_vpc_endpoint", vpc_endpoint_type="Interface"),
    ),
    Quota(
        "gateway endpoints",
        "vpc",
        "L-1B52E74A",
        used.count_listed("ec2", "describe_vpc_endpoints", "VpcEndpoints", VpcEndpointType="Gateway"),
        added.count_missing("aws_vpc_endpoint", vpc_endpoint_type="Gateway"),
    ),
    Quota(
        "security groups",
        "vpc",
        "L-E79EC296",
        used.count_listed("ec2", "describe_security_groups", "SecurityGroups"),
        added.security_groups,
    ),
    Quota("rules of a security group", "vpc", "L-0EA8095F", used.none_used, added.security_group_rules),
    Quota(
        "load balancers",
        "elasticloadbalancing",
        "L-53DA6B97",
        used.count_listed("elbv2", "describe_load_balancers", "LoadBalancers", Type="application"),
        added.count_missing("aws_lb", load_balancer_type="application"),
    ),
    Quota(
        "Aurora clusters",
        "rds",
        "L-952B80B8",
        used.count_listed("rds", "describe_db_clusters", "DBClusters"),
        added.count_missing("aws_rds_cluster"),
    ),
    Quota(
        "database instances",
        "rds",
        "L-7B6409FD",
        used.count_listed("rds", "describe_db_instances", "DBInstances"),
        added.count_missing("aws_rds_cluster_instance"),
        added.readers_under_load,
    ),
    Quota(
        "cache nodes", "elasticache", "L-DFE45DF3", used.cache_nodes, added.cache_nodes, added.cache_nodes_under_load
    ),
    Quota(
        "file systems",
        "elasticfilesystem",
        "L-848C634D",
        used.count_listed("efs", "describe_file_systems", "FileSystems"),
        added.count_missing("aws_efs_file_system"),
    ),
    Quota("KMS keys", "kms", "L-C2F1777E", used.customer_keys, added.count_missing("aws_kms_key")),
    Quota("Lambda concurrency", "lambda", "L-B99A9384", used.reserved_concurrency, added.concurrency),
    *(
        Quota(
            f"{what} vCPUs",
            "fargate",
            code,
            used.vcpus(provider),
            added.vcpus(provider),
            added.vcpus_under_load(provider),
        )
        for what, provider, code in (
            ("Fargate", "FARGATE", "L-3032A538"),
            ("Fargate Spot", "FARGATE_SPOT", "L-36FBB829"),
        )
    ),
)


@dataclass(frozen=True)
class Total:
    """What one place comes to."""

    place: str
    used: float
    added: float
    under_load: float

    @property
    def deployed(self) -> float:
        """When it is deployed."""
        return self.used + self.added

    @property
    def maximum(self) -> float:
        """When load has added what it may."""
        return self.deployed + self.under_load


def check_quota(quota: Quota, account: Account, demand: Demand) -> CheckResult:
    """Whether what is used and what the stacks add is within a quota; told of the place with the least room.

    Raises:
        ClientError: AWS refuses to tell.
    """
    limit = quota_limit(quota, account)
    told = max(_totals(quota, account, demand), key=lambda place: (place.deployed, place.maximum))
    fits = told.deployed <= limit["Value"]
    state = Status.STOP if not fits and told.added else Status.OK if told.maximum <= limit["Value"] else Status.WARNING
    where = f" ({told.place})" if told.place else ""
    later = f", {told.under_load:g} more under load" if told.under_load else ""
    return CheckResult(
        f"{quota.name}{where}",
        state,
        f"{told.used:g} used, {told.added:g} added{later}; quota {limit['Value']:g}",
        "" if state is Status.OK else _remedy(quota, account, math.ceil(told.maximum), adjustable=limit["Adjustable"]),
        {
            "service": quota.service,
            "code": quota.code,
            "quota": limit["Value"],
            "used": told.used,
            "added": told.added,
            "under_load": told.under_load,
        },
    )


def quota_limit(quota: Quota, account: Account) -> Any:
    """A quota as Service Quotas tells it: the account's own, or AWS's where the account never had another.

    Raises:
        ClientError: AWS refuses to tell, or does not know it.
    """
    quotas, named = account.client("service-quotas"), {"ServiceCode": quota.service, "QuotaCode": quota.code}
    own = call_or_none(quotas.get_service_quota, "NoSuchResourceException", **named)
    return (own or quotas.get_aws_default_service_quota(**named))["Quota"]


def available_zones(account: Account) -> list[str]:
    """Zones of a Region that are open to the account."""
    there = account.client("ec2").describe_availability_zones()["AvailabilityZones"]
    kind = "availability-zone"  # no Local Zone
    return [zone["ZoneName"] for zone in there if zone["State"] == "available" and zone.get("ZoneType", kind) == kind]


def shortages_in(region: str, account: Account, demand: Demand) -> list[str]:
    """What a Region has no room for, where all of the stacks would be deployed there.

    Raises:
        ClientError: AWS refuses to tell.
    """
    there, everything = account.in_region(region), demand.without_states()
    zones, wanted = len(available_zones(there)), len(account.settings.network.zones)
    if zones < wanted:
        return [f"zones: {zones}, of {wanted} that are needed"]
    findings = (check_quota(quota, there, everything) for quota in QUOTAS)
    return [f"{finding.what}: {finding.detail}" for finding in findings if finding.status is Status.STOP]


def _totals(quota: Quota, account: Account, demand: Demand) -> list[Total]:
    usage, adds, later = quota.used(account, demand), quota.added(demand), quota.under_load(demand)
    if quota.is_zonal:
        usage = _in_zones(usage, adds, account)
    return [Total(place, usage.get(place, 0), adds.get(place, 0), later.get(place, 0)) for place in adds or {"": 0}]


def _in_zones(usage: Amounts, adds: Amounts, account: Account) -> Amounts:
    """What is used in the zones of the settings; in another Region in as many others, those with the most room."""
    if account.session.region_name == account.settings.region:
        return usage
    free = sorted(usage.get(zone, 0) for zone in available_zones(account))
    return dict(zip(sorted(adds), free, strict=False))


def _remedy(quota: Quota, account: Account, wanted: int, *, adjustable: bool) -> str:
    if not adjustable:
        return "AWS does not raise this quota: use less of it, or another account or Region"
    return (
        f"aws service-quotas request-service-quota-increase --service-code {quota.service} "
        f"--quota-code {quota.code} --desired-value {wanted} --region {account.session.region_name}"
    )
