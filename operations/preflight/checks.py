"""What must be so before a deployment, quotas apart: a table of checks, each of which tells what it found."""

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
from operations.scan.checkov import ScanError
from operations.scan.waivers import WAIVERS, waivers
from synthesized.platform import Resource

INSTANCE_CLASS = "db.serverless"
"""Instances of Aurora Serverless v2."""
EXPIRY_WARNING = timedelta(days=30)
"""In which a waiver can be decided again without haste."""
CLOUDTRAIL_SUFFIX = "via CloudTrail"
"""End of the `detail-type` of events that only a trail brings to EventBridge."""


@dataclass(frozen=True)
class CheckContext:
    """What is looked at."""

    account: Account
    demand: Demand

    def bodies(self, type_: str) -> list[dict[str, Any]]:
        """Of all resources of a type."""
        return [resource.body for resource in self.demand.platform.of_type(type_)]


def zones(subject: CheckContext) -> Iterator[CheckResult]:
    """The settings' zones are open to the account."""
    settings = subject.account.settings
    usable = available_zones(subject.account)
    missing = [zone for zone in settings.network.zones if zone not in usable]
    yield CheckResult(
        "zones",
        Status.STOP if missing else Status.OK,
        f"not open to this account: {', '.join(missing)}" if missing else ", ".join(settings.network.zones),
        f"name others in network.zones; {settings.region} has {', '.join(usable)}" if missing else "",
    )


def database(subject: CheckContext) -> Iterator[CheckResult]:
    """Aurora Serverless v2 of the cluster's version is to be had in each zone."""
    for cluster in subject.bodies("aws_rds_cluster"):
        wanted: str = cluster["engine_version"]
        options = paginate(
            *(subject.account, "rds", "describe_orderable_db_instance_options", "OrderableDBInstanceOptions"),
            Engine=cluster["engine"],
            DBInstanceClass=INSTANCE_CLASS,
        )
        # A major version stands for the newest of its minor versions.
        offered = {
            zone["Name"]
            for option in options
            if option["EngineVersion"] == wanted or option["EngineVersion"].startswith(f"{wanted}.")
            for zone in option["AvailabilityZones"]
        }
        missing = [zone for zone in subject.account.settings.network.zones if zone not in offered]
        yield CheckResult(
            f"{cluster['engine']} {wanted} on {INSTANCE_CLASS}",
            Status.STOP if missing else Status.OK,
            f"not offered in {', '.join(missing)}" if missing else "offered in each zone",
            f"offered in: {', '.join(sorted(offered)) or 'no zone of this Region'}" if missing else "",
        )


def cache(subject: CheckContext) -> Iterator[CheckResult]:
    """The cache's node type is to be had in the Region; of zones ElastiCache does not tell."""
    elasticache = subject.account.client("elasticache")
    for group in subject.bodies("aws_elasticache_replication_group"):
        node_type = group["node_type"]
        answer = call_or_none(
            elasticache.describe_reserved_cache_nodes_offerings, "InvalidParameterValue", CacheNodeType=node_type
        )
        offered = bool(answer and answer["ReservedCacheNodesOfferings"])
        yield CheckResult(
            f"nodes of type {node_type}",
            Status.OK if offered else Status.STOP,
            f"{'offered' if offered else 'not offered'} in {subject.account.settings.region}",
            "" if offered else "choose another cache.node_type",
        )


def buckets(subject: CheckContext) -> Iterator[CheckResult]:
    """The names of the buckets that are to be made are free: they are unique in all of AWS."""
    s3, account = subject.account.client("s3"), subject.account.settings.account
    there: list[CheckResult] = []
    missing = subject.demand.missing("aws_s3_bucket")
    for bucket in missing:
        name = bucket.body["bucket"]
        try:
            if call_or_none(s3.head_bucket, "404", Bucket=name, ExpectedBucketOwner=account) is None:
                continue
        except ClientError as error:
            # S3 says no more of what is another's; 301 and 400 that it is in another Region.
            if error_code(error) not in {"301", "400", "403"}:
                raise
            remedy = (
                "see whose it is (aws s3api get-bucket-location); no other name will do for this account and Region"
            )
            there.append(
                CheckResult(f"bucket {name}", Status.STOP, "there, and not this account's, or not to be seen", remedy)
            )
        else:
            if bucket.tier not in subject.demand.states:  # which could not be read
                continue
            remedy = f"python -m operations orphans {subject.account.settings.name} says how it is imported"
            there.append(CheckResult(f"bucket {name}", Status.STOP, "there, and in no state", remedy))
    yield from there or [CheckResult("names of buckets", Status.OK, f"no other account has one of {len(missing)}")]


def hosted_zone(subject: CheckContext) -> Iterator[CheckResult]:
    """The public zone of the service's domain is there, once."""
    name = f"{subject.account.settings.service.hosted_zone}."
    listed = subject.account.client("route53").list_hosted_zones_by_name(DNSName=name)["HostedZones"]
    there = [zone for zone in listed if zone["Name"] == name and not zone["Config"]["PrivateZone"]]
    remedy = (
        f"make it, and name its name servers in the zone above it: aws route53 create-hosted-zone --name {name} "
        "--caller-reference $(date +%s)"
        if not there
        else "Terraform cannot tell which one is meant: delete those that no name server leads to"
    )
    yield CheckResult(
        f"hosted zone {name}",
        Status.OK if len(there) == 1 else Status.STOP,
        f"{len(there)} public zones of this name" if len(there) != 1 else "there",
        "" if len(there) == 1 else remedy,
    )


def bootstrapped(subject: CheckContext) -> Iterator[CheckResult]:
    """State bucket, its key, boundary and key administrators are as bootstrap makes them."""
    steps = list(steps_of(subject.account))
    open_ = [step for step in steps if step.apply or step.is_refused]
    yield CheckResult(
        "state bucket, its key, boundary, key administrators",
        Status.STOP if open_ else Status.OK,
        "; ".join(f"{step.name}: {step.current}" for step in open_) or "as bootstrap makes them",
        f"python -m operations bootstrap {subject.account.settings.name}" if open_ else "",
    )


def locks(subject: CheckContext) -> Iterator[CheckResult]:
    """Nobody holds a lock of a state."""
    held = [lock.stack for lock in Locks(subject.account).held()]
    yield CheckResult(
        "locks of the states",
        Status.STOP if held else Status.OK,
        f"held: {', '.join(held)}" if held else "none",
        f"python -m operations lock {subject.account.settings.name}" if held else "",
    )


def trail(subject: CheckContext) -> Iterator[CheckResult]:
    """Where rules wait for events that come through CloudTrail, a trail brings them."""
    waiting = [rule for rule in subject.demand.platform.of_type("aws_cloudwatch_event_rule") if _needs_trail(rule)]
    if not waiting or subject.bodies("aws_cloudtrail"):
        yield CheckResult("trail", Status.OK, "one of the stacks' own" if waiting else "no rule needs one")
        return
    cloudtrail = subject.account.client("cloudtrail")
    there = cloudtrail.describe_trails(includeShadowTrails=True)["trailList"]
    logging = [trail for trail in there if cloudtrail.get_trail_status(Name=trail["TrailARN"])["IsLogging"]]
    names = ", ".join(rule.body["name"] for rule in waiting)
    yield CheckResult(
        "trail",
        Status.OK if logging else Status.WARNING,
        logging[0]["TrailARN"]
        if logging
        else f"none logs in this Region, so that these never hear of anything: {names}",
        "" if logging else "let the account have a trail of management events (aws cloudtrail create-trail)",
    )


def _needs_trail(rule: Resource) -> bool:
    return CLOUDTRAIL_SUFFIX in rule.body.get("event_pattern", "")


def waivers_in_force(_subject: CheckContext) -> Iterator[CheckResult]:
    """No rule of checkov's is waived beyond the day that was agreed."""
    today = datetime.now(UTC).date()
    try:
        waived = waivers()
    except ScanError as error:
        yield CheckResult("waivers", Status.STOP, str(error), "write it as the others are")
        return
    expired = [waiver for waiver in waived if waiver.expires < today]
    ending = [waiver for waiver in waived if today <= waiver.expires < today + EXPIRY_WARNING]
    late = expired or ending
    yield CheckResult(
        "waivers",
        Status.STOP if expired else Status.WARNING if ending else Status.OK,
        "; ".join(f"{waiver.check} of {', '.join(waiver.resources)}: until {waiver.expires}" for waiver in late)
        or f"{len(waived)} in force",
        f"mend what they excuse, or decide again, in {WAIVERS.name}" if late else "",
    )


@dataclass(frozen=True)
class PreflightCheck:
    """A row of the table."""

    name: str
    """Said where it cannot be made."""
    run: Callable[[CheckContext], Iterable[CheckResult]]


CHECKS = (
    PreflightCheck("zones", zones),
    PreflightCheck("versions of the database", database),
    PreflightCheck("node types of the cache", cache),
    PreflightCheck("names of buckets", buckets),
    PreflightCheck("hosted zone", hosted_zone),
    PreflightCheck("state bucket, its key, boundary, key administrators", bootstrapped),
    PreflightCheck("locks of the states", locks),
    PreflightCheck("trail", trail),
    PreflightCheck("waivers", waivers_in_force),
)
