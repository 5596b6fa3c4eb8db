"""Preflight checks other than quotas."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from operations.account import Account
from operations.bootstrap.command import steps_of
from operations.errors import call_or_none, error_code
from operations.lock import Locks
from operations.preflight.check_result import CheckResult, Status
from operations.preflight.demand import Demand
from operations.preflight.quotas import available_zones
from operations.preflight.usage import paginate
from operations.review.comparisons import older
from operations.scan.checkov import ScanError
from operations.scan.waivers import WAIVERS, waivers
from stacks.settings.database import MINOR_VERSIONS
from synthesized.platform import Resource

INSTANCE_CLASS = "db.serverless"
"""Instance class of Aurora Serverless v2."""
EXPIRY_WARNING = timedelta(days=30)
"""How long before its expiry a waiver is a warning."""
CLOUDTRAIL_SUFFIX = "via CloudTrail"
"""Suffix of the `detail-type` of events that EventBridge receives only through a trail."""


@dataclass(frozen=True)
class CheckContext:
    """The account and the stacks to check."""

    account: Account
    demand: Demand

    def bodies(self, type_: str) -> list[dict[str, Any]]:
        """Bodies of all resources of a type."""
        return [resource.body for resource in self.demand.platform.of_type(type_)]


def zones(context: CheckContext) -> Iterator[CheckResult]:
    """The zones in the settings are available to the account."""
    settings = context.account.settings
    usable = available_zones(context.account)
    missing = [zone for zone in settings.network.zones if zone not in usable]
    yield CheckResult(
        "zones",
        Status.STOP if missing else Status.OK,
        f"not available to this account: {', '.join(missing)}" if missing else ", ".join(settings.network.zones),
        f"choose others for network.zones; {settings.region} has {', '.join(usable)}" if missing else "",
    )


def database(context: CheckContext) -> Iterator[CheckResult]:
    """Aurora Serverless v2 is offered in each zone, in the cluster's version."""
    for cluster in context.bodies("aws_rds_cluster"):
        wanted: str = cluster["engine_version"]
        options = paginate(
            *(context.account, "rds", "describe_orderable_db_instance_options", "OrderableDBInstanceOptions"),
            Engine=cluster["engine"],
            DBInstanceClass=INSTANCE_CLASS,
        )
        zones_by_version: dict[str, set[str]] = {}
        for option in options:
            zones_by_version.setdefault(option["EngineVersion"], set()).update(
                zone["Name"] for zone in option["AvailabilityZones"]
            )
        offered = zones_by_version.get(wanted, set())
        missing = [zone for zone in context.account.settings.network.zones if zone not in offered]
        yield CheckResult(
            f"{cluster['engine']} {wanted} on {INSTANCE_CLASS}",
            Status.STOP if missing else Status.OK,
            f"not offered in {', '.join(missing)}" if missing else "offered in each zone",
            _offer(offered, zones_by_version) if missing else "",
        )


def _offer(zones: set[str], versions: Iterable[str]) -> str:
    """What RDS offers: the zones of the version, or other versions if there are none."""
    if zones:
        return f"offered in: {', '.join(sorted(zones))}"
    numbers = sorted(
        (int(major), int(minor))
        for major, _, minor in (version.partition(".") for version in versions)
        if major in MINOR_VERSIONS and minor.isdecimal()  # there are others, such as 16.4-limitless
    )
    others = ", ".join(f"{major}.{minor}" for major, minor in numbers)
    return f"set database.engine_version to one that is offered: {others or 'none in this Region'}"


def running_database(context: CheckContext) -> Iterator[CheckResult]:
    """The stacks' version is not older than the one that runs, to which RDS may have upgraded the cluster itself.

    The provider sends the stacks' version with every change of a cluster that runs another
    (`resourceClusterUpdate` in internal/service/rds/cluster.go), and RDS refuses an older one.
    """
    rds = context.account.client("rds")
    for cluster in context.bodies("aws_rds_cluster"):
        identifier, wanted = cluster["cluster_identifier"], cluster["engine_version"]
        found = call_or_none(rds.describe_db_clusters, "DBClusterNotFoundFault", DBClusterIdentifier=identifier)
        if found is None:
            continue
        running: str = found["DBClusters"][0]["EngineVersion"]
        is_older = older(running, wanted)
        yield CheckResult(
            f"version of {identifier}",
            Status.STOP if is_older else Status.OK,
            f"runs {running}, and RDS refuses {wanted}" if is_older else running,
            f'set database.engine_version = "{running}"' if is_older else "",
        )


def cache(context: CheckContext) -> Iterator[CheckResult]:
    """The cache's node type is offered in the Region. ElastiCache has no API for zones."""
    elasticache = context.account.client("elasticache")
    for group in context.bodies("aws_elasticache_replication_group"):
        node_type = group["node_type"]
        response = call_or_none(
            elasticache.describe_reserved_cache_nodes_offerings, "InvalidParameterValue", CacheNodeType=node_type
        )
        offered = bool(response and response["ReservedCacheNodesOfferings"])
        yield CheckResult(
            f"nodes of type {node_type}",
            Status.OK if offered else Status.STOP,
            f"{'offered' if offered else 'not offered'} in {context.account.settings.region}",
            "" if offered else "choose another cache.node_type",
        )


def buckets(context: CheckContext) -> Iterator[CheckResult]:
    """The names of new buckets are free. Bucket names are globally unique."""
    s3, account = context.account.client("s3"), context.account.settings.account
    problems: list[CheckResult] = []
    missing = context.demand.missing("aws_s3_bucket")
    for bucket in missing:
        name = bucket.body["bucket"]
        try:
            if call_or_none(s3.head_bucket, "404", Bucket=name, ExpectedBucketOwner=account) is None:
                continue
        except ClientError as error:
            # Another account's bucket is 403; one in another Region is 301 or 400.
            if error_code(error) not in {"301", "400", "403"}:
                raise
            remedy = "find its owner (aws s3api get-bucket-location); the name is fixed for this account and Region"
            problems.append(
                CheckResult(f"bucket {name}", Status.STOP, "exists in another account, or access is denied", remedy)
            )
        else:
            if bucket.tier not in context.demand.states:  # its state could not be read
                continue
            remedy = f"import it: see python -m operations orphans {context.account.settings.name}"
            problems.append(CheckResult(f"bucket {name}", Status.STOP, "exists, but in no state", remedy))
    yield from problems or [CheckResult("bucket names", Status.OK, f"no other account has any of {len(missing)} names")]


def log_groups(context: CheckContext) -> Iterator[CheckResult]:
    """No new log group exists, such as one that AWS created before the stacks: Terraform would fail to create it."""
    logs, problems = context.account.client("logs"), list[CheckResult]()
    missing = context.demand.missing("aws_cloudwatch_log_group")
    for group in missing:
        name = group.body["name"]
        found = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        if name in [each["logGroupName"] for each in found]:
            stack = context.demand.platform.stacks[group.tier].name
            remedy = f"in the folder of {stack}: terraform import '{group.address_in_stack}' '{name}'"
            problems.append(CheckResult(f"log group {name}", Status.STOP, "exists, but in no state", remedy))
    yield from problems or [CheckResult("log groups", Status.OK, f"none of {len(missing)} exists")]


def hosted_zone(context: CheckContext) -> Iterator[CheckResult]:
    """Exactly one public hosted zone has the service's domain."""
    name = f"{context.account.settings.service.hosted_zone}."
    listed = context.account.client("route53").list_hosted_zones_by_name(DNSName=name)["HostedZones"]
    existing = [zone for zone in listed if zone["Name"] == name and not zone["Config"]["PrivateZone"]]
    remedy = (
        f"create it, and delegate to its name servers in the parent zone: aws route53 create-hosted-zone --name {name} "
        "--caller-reference $(date +%s)"
        if not existing
        else "Terraform cannot choose between them: delete those that are not delegated to"
    )
    yield CheckResult(
        f"hosted zone {name}",
        Status.OK if len(existing) == 1 else Status.STOP,
        f"{len(existing)} public zones with this name" if len(existing) != 1 else "exists",
        "" if len(existing) == 1 else remedy,
    )


def bootstrapped(context: CheckContext) -> Iterator[CheckResult]:
    """The resources that bootstrap creates exist and are as required."""
    steps = list(steps_of(context.account))
    pending = [step for step in steps if step.apply or step.is_refused]
    yield CheckResult(
        "bootstrap",
        Status.STOP if pending else Status.OK,
        "; ".join(f"{step.name}: {step.current}" for step in pending) or "complete",
        f"python -m operations bootstrap {context.account.settings.name}" if pending else "",
    )


def locks(context: CheckContext) -> Iterator[CheckResult]:
    """No state is locked."""
    locked = [lock.stack for lock in Locks(context.account).held()]
    yield CheckResult(
        "state locks",
        Status.STOP if locked else Status.OK,
        f"locked: {', '.join(locked)}" if locked else "none",
        f"python -m operations lock {context.account.settings.name}" if locked else "",
    )


def trail(context: CheckContext) -> Iterator[CheckResult]:
    """A trail is logging if an event rule needs CloudTrail events."""
    waiting = [rule for rule in context.demand.platform.of_type("aws_cloudwatch_event_rule") if _needs_trail(rule)]
    if not waiting or context.bodies("aws_cloudtrail"):
        yield CheckResult("trail", Status.OK, "part of the stacks" if waiting else "no rule needs one")
        return
    cloudtrail = context.account.client("cloudtrail")
    existing = cloudtrail.describe_trails(includeShadowTrails=True)["trailList"]
    logging = [trail for trail in existing if cloudtrail.get_trail_status(Name=trail["TrailARN"])["IsLogging"]]
    names = ", ".join(rule.body["name"] for rule in waiting)
    yield CheckResult(
        "trail",
        Status.OK if logging else Status.WARNING,
        logging[0]["TrailARN"] if logging else f"none is logging in this Region, so these rules never match: {names}",
        "" if logging else "create a trail of management events (aws cloudtrail create-trail)",
    )


def _needs_trail(rule: Resource) -> bool:
    return CLOUDTRAIL_SUFFIX in rule.body.get("event_pattern", "")


def waivers_in_force(_subject: CheckContext) -> Iterator[CheckResult]:
    """No waiver of a checkov rule has expired."""
    today = datetime.now(UTC).date()
    try:
        waived = waivers()
    except ScanError as error:
        yield CheckResult("waivers", Status.STOP, str(error), f"correct {WAIVERS.name}")
        return
    expired = [waiver for waiver in waived if waiver.expires < today]
    ending = [waiver for waiver in waived if today <= waiver.expires < today + EXPIRY_WARNING]
    late = expired or ending
    yield CheckResult(
        "waivers",
        Status.STOP if expired else Status.WARNING if ending else Status.OK,
        "; ".join(f"{waiver.check} for {', '.join(waiver.resources)}: until {waiver.expires}" for waiver in late)
        or f"{len(waived)} in force",
        f"fix the findings, or renew the waivers in {WAIVERS.name}" if late else "",
    )


@dataclass(frozen=True)
class PreflightCheck:
    """A row of the table."""

    name: str
    """Name of the result if the check fails."""
    run: Callable[[CheckContext], Iterable[CheckResult]]


CHECKS = (
    PreflightCheck("zones", zones),
    PreflightCheck("database version", database),
    PreflightCheck("running database", running_database),
    PreflightCheck("cache node type", cache),
    PreflightCheck("bucket names", buckets),
    PreflightCheck("log groups", log_groups),
    PreflightCheck("hosted zone", hosted_zone),
    PreflightCheck("bootstrap", bootstrapped),
    PreflightCheck("state locks", locks),
    PreflightCheck("trail", trail),
    PreflightCheck("waivers", waivers_in_force),
)
