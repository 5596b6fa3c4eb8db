"""Service quotas: a table of quotas, and the check of usage plus demand against each."""

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
    """Service code in Service Quotas."""
    code: str
    """Quota code in Service Quotas, the same in every Region."""
    used: used.Count
    """Current usage."""
    added: Callable[[Demand], Amounts]
    """Added by the stacks."""
    under_load: Callable[[Demand], Amounts] = lambda _: {}
    """Added by auto scaling later."""
    is_zonal: bool = False
    """Whether the quota applies per zone."""


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
    Quota("Elastic IP addresses", "ec2", "L-0263D0A3", used.elastic_ips, added.count_missing("aws_eip")),
    Quota("NAT gateways per zone", "vpc", "L-FE5A380F", used.nat_gateways, added.nat_gateways, is_zonal=True),
    Quota(
        "interface endpoints per VPC",
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
    Quota("rules per security group", "vpc", "L-0EA8095F", used.none_used, added.security_group_rules),
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
            f"{label} vCPUs",
            "fargate",
            code,
            used.vcpus(provider),
            added.vcpus(provider),
            added.vcpus_under_load(provider),
        )
        for label, provider, code in (
            ("Fargate", "FARGATE", "L-3032A538"),
            ("Fargate Spot", "FARGATE_SPOT", "L-36FBB829"),
        )
    ),
)


@dataclass(frozen=True)
class Total:
    """Usage and demand at one place."""

    place: str
    used: float
    added: float
    under_load: float

    @property
    def deployed(self) -> float:
        """Usage after the deployment."""
        return self.used + self.added

    @property
    def maximum(self) -> float:
        """Usage at maximum load."""
        return self.deployed + self.under_load


def check_quota(quota: Quota, account: Account, demand: Demand) -> CheckResult:
    """Check usage plus demand against a quota, at the place with the highest total.

    Raises:
        ClientError: AWS refused a request.
    """
    limit = quota_limit(quota, account)
    total = max(_totals(quota, account, demand), key=lambda place: (place.deployed, place.maximum))
    fits = total.deployed <= limit["Value"]
    status = (
        Status.STOP if not fits and total.added else Status.OK if total.maximum <= limit["Value"] else Status.WARNING
    )
    where = f" ({total.place})" if total.place else ""
    later = f", {total.under_load:g} more under load" if total.under_load else ""
    return CheckResult(
        f"{quota.name}{where}",
        status,
        f"{total.used:g} used, {total.added:g} added{later}; quota {limit['Value']:g}",
        ""
        if status is Status.OK
        else _remedy(quota, account, math.ceil(total.maximum), adjustable=limit["Adjustable"]),
        {
            "service": quota.service,
            "code": quota.code,
            "quota": limit["Value"],
            "used": total.used,
            "added": total.added,
            "under_load": total.under_load,
        },
    )


def quota_limit(quota: Quota, account: Account) -> Any:
    """Read a quota: the account's applied value, or AWS's default if the account has none.

    Raises:
        ClientError: AWS refused the request, or the quota does not exist.
    """
    quotas, codes = account.client("service-quotas"), {"ServiceCode": quota.service, "QuotaCode": quota.code}
    applied = call_or_none(quotas.get_service_quota, "NoSuchResourceException", **codes)
    return (applied or quotas.get_aws_default_service_quota(**codes))["Quota"]


def available_zones(account: Account) -> list[str]:
    """The Availability Zones that are available to the account."""
    zones = account.client("ec2").describe_availability_zones()["AvailabilityZones"]
    kind = "availability-zone"  # not a Local Zone
    return [zone["ZoneName"] for zone in zones if zone["State"] == "available" and zone.get("ZoneType", kind) == kind]


def shortages_in(region: str, account: Account, demand: Demand) -> list[str]:
    """Quotas of a Region that are too low for a deployment of all stacks.

    Raises:
        ClientError: AWS refused a request.
    """
    other_region, everything = account.in_region(region), demand.without_states()
    zones, wanted = len(available_zones(other_region)), len(account.settings.network.zones)
    if zones < wanted:
        return [f"zones: {zones} of {wanted} required"]
    results = (check_quota(quota, other_region, everything) for quota in QUOTAS)
    return [f"{result.name}: {result.detail}" for result in results if result.status is Status.STOP]


def _totals(quota: Quota, account: Account, demand: Demand) -> list[Total]:
    usage, adds, later = quota.used(account, demand), quota.added(demand), quota.under_load(demand)
    if quota.is_zonal:
        usage = _in_zones(usage, adds, account)
    return [Total(place, usage.get(place, 0), adds.get(place, 0), later.get(place, 0)) for place in adds or {"": 0}]


def _in_zones(usage: Amounts, adds: Amounts, account: Account) -> Amounts:
    """Usage by the settings' zones. In another Region, usage of its least used zones stands for them."""
    if account.session.region_name == account.settings.region:
        return usage
    free = sorted(usage.get(zone, 0) for zone in available_zones(account))
    return dict(zip(sorted(adds), free, strict=False))


def _remedy(quota: Quota, account: Account, wanted: int, *, adjustable: bool) -> str:
    if not adjustable:
        return "this quota cannot be raised: use less, or another account or Region"
    return (
        f"aws service-quotas request-service-quota-increase --service-code {quota.service} "
        f"--quota-code {quota.code} --desired-value {wanted} --region {account.session.region_name}"
    )
