"""preflight: the demand of the stacks, counted by hand here, and each check."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from local_aws.server import LocalAws
from operations.__main__ import app
from operations.account import Account
from operations.preflight import checks, quotas, usage
from operations.preflight.check_result import CheckResult, Status
from operations.preflight.checks import CheckContext
from operations.preflight.demand import Demand
from operations.preflight.quotas import QUOTAS, Quota
from operations.scan.checkov import ScanError
from operations.scan.waivers import Waiver
from synthesized.platform import Platform, Resource
from tests.commands.conftest import Scene, refusal
from tests.conftest import synthesize_all
from tests.policy.planted import with_added

ANY = "anyname"
"""An environment's name that occurs nowhere else in the stacks."""
NAMED = {quota.name: quota for quota in QUOTAS}


def added(platform: Platform) -> dict[str, dict[str, float]]:
    demand = Demand(platform)
    return {quota.name: dict(quota.added(demand)) for quota in QUOTAS}


def of_tier(platform: Platform, tier: str) -> Platform:
    return replace(platform, resources=tuple(each for each in platform.resources if each.tier == tier))


@pytest.mark.parametrize(
    ("tier", "expected"),
    [
        (
            "network",
            {
                "VPCs": {"": 1},
                "internet gateways": {"": 1},
                "Elastic IP addresses": {"": 2},
                "NAT gateways per zone": {"eu-west-3a": 1, "eu-west-3b": 1},
                "interface endpoints per VPC": {"": 7},
                "gateway endpoints": {"": 1},
                "security groups": {"": 9},
            },
        ),
        ("database", {"Aurora clusters": {"": 1}, "database instances": {"": 2}}),
        ("cache", {"cache nodes": {"": 4}}),
        ("storage", {"file systems": {"": 1}}),
        ("foundation", {"KMS keys": {"": 7}}),
        ("rotation", {"Lambda concurrency": {"": 1}}),
        ("service", {"load balancers": {"": 1}, "Fargate vCPUs": {"": 4}, "Fargate Spot vCPUs": {"": 0}}),
    ],
)
def test_the_demand_of_production(prod: Platform, tier: str, expected: dict[str, dict[str, float]]):
    assert expected.items() <= added(of_tier(prod, tier)).items()


def test_the_demand_of_production_for_security_group_rules(prod: Platform):
    rules = added(prod)["rules per security group"]
    # To the load balancer from the internet on two ports; from the service to its six targets.
    assert rules["group-load-balancer, ingress"] == 2
    assert max(rules.values()) == rules["group-service, egress"] == 6


def test_the_demand_of_production_under_load(prod: Platform):
    demand = Demand(prod)
    more = {quota.name: number for quota in QUOTAS if (number := quota.under_load(demand).get(""))}
    # Readers: 1 to 3. Shards: 2 to 4, with a replica each. Tasks of 1 vCPU: 4 to 40, doubled during a deployment.
    assert more == {"database instances": 2, "cache nodes": 4, "Fargate vCPUs": 76}


def test_a_service_without_auto_scaling_adds_nothing_under_load(prod: Platform):
    (service,) = prod.of_type("aws_ecs_service")
    more = with_added(prod, "service", "aws_ecs_service", "planted", service.body)
    for each in (more, replace(more, resources=more.resources[::-1])):
        assert NAMED["Fargate vCPUs"].under_load(Demand(each)) == {"": 76}


def test_the_demand_of_three_zones(variants: dict[str, Platform]):
    demand = added(variants["prod"])
    assert demand["Elastic IP addresses"] == {"": 3}
    assert demand["NAT gateways per zone"] == {f"eu-west-3{zone}": 1 for zone in "abc"}
    assert demand["cache nodes"] == {"": 6}


def test_tasks_are_distributed_over_on_demand_and_spot_as_by_ecs(dev: Platform):
    # The first task on demand, three in four of the others on Spot. 4 tasks of half a vCPU during a deployment.
    demand = Demand(dev)
    assert added(dev)["Fargate vCPUs"] == {"": 0.5}
    assert NAMED["Fargate vCPUs"].under_load(demand) == {"": 0.5}
    assert NAMED["Fargate Spot vCPUs"].under_load(demand) == {"": 1.5}


def test_a_reservation_includes_the_unreserved_minimum(variants: dict[str, Platform]):
    assert added(variants["prod"])["Lambda concurrency"] == {"": 102}


def test_resources_in_a_state_are_not_added(prod: Platform):
    states = {"network": {"aws_eip.nat-address-a": {"id": "eipalloc-1"}, "aws_vpc.vpc": {"id": "vpc-1"}}}
    demand = Demand(prod, states)
    assert NAMED["Elastic IP addresses"].added(demand) == {"": 1}
    assert NAMED["VPCs"].added(demand) == {"": 0}
    assert demand.id_of("aws_vpc") == "vpc-1"
    assert demand.without_states().id_of("aws_vpc") is None


@pytest.mark.parametrize("quota", QUOTAS, ids=[quota.name for quota in QUOTAS])
def test_the_local_aws_knows_every_quota(aws: LocalAws, quota: Quota):
    found = aws.client("service-quotas").get_service_quota(ServiceCode=quota.service, QuotaCode=quota.code)["Quota"]
    assert (found["ServiceCode"], found["QuotaCode"]) == (quota.service, quota.code)
    assert found["Value"] > 0


def test_usage_grows_with_each_kind_of_resource(scene: Scene, dev: Platform):
    account, demand = Account.of(scene.settings), Demand(dev)
    before = {quota.name: dict(quota.used(account, demand)) for quota in QUOTAS}
    ec2 = scene.aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    ec2.create_internet_gateway()
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24", AvailabilityZone="eu-west-3b")["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)
    for service, type_ in (("s3", "Gateway"), ("kms", "Interface"), ("sts", "Interface")):
        name = f"com.amazonaws.eu-west-3.{service}"
        ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=name, VpcEndpointType=type_)
    scene.aws.client("kms").create_key()
    scene.aws.client("efs").create_file_system()
    elasticache = scene.aws.client("elasticache")
    elasticache.create_cache_cluster(
        CacheClusterId=scene.name, CacheNodeType="cache.t4g.small", Engine="redis", NumCacheNodes=1
    )
    demand = replace(demand, states={"network": {"aws_vpc.vpc": {"id": vpc}}})
    after = {quota.name: dict(quota.used(account, demand)) for quota in QUOTAS}
    grown = {
        what: {place: number - before[what].get(place, 0) for place, number in places.items()}
        for what, places in after.items()
        if places != before[what]
    }
    assert grown["NAT gateways per zone"]["eu-west-3b"] == 1
    assert {what: places.get("") for what, places in grown.items() if "zone" not in what} == {
        "VPCs": 1,
        "internet gateways": 1,
        "Elastic IP addresses": 1,
        "interface endpoints per VPC": 2,
        "gateway endpoints": 1,
        "security groups": 1,
        "cache nodes": 1,
        "file systems": 1,
        "KMS keys": 1,
    }


def test_aws_managed_keys_are_not_counted(scene: Scene, dev: Platform):
    account, demand = Account.of(scene.settings), Demand(dev)
    scene.intercept("ListKeys", lambda _: {"Keys": [{"KeyId": "ours"}, {"KeyId": "theirs"}]})
    aliases = [{"AliasName": "alias/aws/s3", "TargetKeyId": "theirs"}, {"AliasName": "alias/aws/rds"}]
    scene.intercept(
        "ListAliases", lambda _: {"Aliases": [*aliases, {"AliasName": "alias/ours", "TargetKeyId": "ours"}]}
    )
    assert usage.customer_keys(account, demand) == {"": 1}


def test_tasks_are_counted_by_capacity_provider(scene: Scene, dev: Platform):
    account, demand = Account.of(scene.settings), Demand(dev)
    tasks = [
        {"cpu": "1024", "capacityProviderName": "FARGATE"},
        {"cpu": "512"},  # started by launch type, without a capacity provider
        {"cpu": "4096", "capacityProviderName": "FARGATE_SPOT"},
    ]
    scene.intercept("ListClusters", lambda _: {"clusterArns": ["busy", "empty"]})
    scene.intercept("ListTasks", lambda arguments: {"taskArns": ["t"] if arguments["cluster"] == "busy" else []})
    scene.intercept("DescribeTasks", lambda _: {"tasks": tasks})
    assert usage.vcpus("FARGATE")(account, demand) == {"": 1.5}
    assert usage.vcpus("FARGATE_SPOT")(account, demand) == {"": 4}


@pytest.fixture
def granted(scene: Scene) -> Iterator[dict[tuple[str, str], float]]:
    """The account's applied quotas."""
    granted = scene.aws.backend("servicequotas").applied_values
    yield granted
    granted.clear()


def checked(scene: Scene, platform: Platform, *, used: float, quota: float, what: str = "VPCs") -> CheckResult:
    checked_quota = NAMED[what]
    scene.aws.backend("servicequotas").applied_values[checked_quota.service, checked_quota.code] = quota
    return quotas.check_quota(
        replace(checked_quota, used=lambda *_: {"": used}), Account.of(scene.settings), Demand(platform)
    )


@pytest.mark.usefixtures("granted")
@pytest.mark.parametrize(
    ("what", "used", "quota", "status"),
    [
        ("VPCs", 4, 5, Status.OK),
        ("VPCs", 5, 5, Status.STOP),
        ("database instances", 0, 2, Status.WARNING),
        ("database instances", 0, 1, Status.STOP),
        ("database instances", 0, 4, Status.OK),
        ("Fargate Spot vCPUs", 7, 6, Status.WARNING),  # exceeded already, but nothing is added
    ],
)
def test_a_quota_stops_a_deployment_that_exceeds_it(
    scene: Scene, prod: Platform, what: str, used: float, quota: float, status: Status
):
    assert checked(scene, prod, used=used, quota=quota, what=what).status is status


@pytest.mark.usefixtures("granted")
def test_the_remedy_of_a_quota_is_the_command_that_raises_it(scene: Scene, prod: Platform):
    result = checked(scene, prod, used=3, quota=4, what="database instances")
    assert result.detail == "3 used, 2 added, 2 more under load; quota 4"
    assert result.remedy == (
        "aws service-quotas request-service-quota-increase --service-code rds --quota-code L-7B6409FD "
        "--desired-value 7 --region eu-west-3"
    )
    assert result.figures["used"] == 3


def test_a_quota_that_cannot_be_raised_says_so(scene: Scene, prod: Platform):
    scene.intercept("GetServiceQuota", lambda _: {"Quota": {"Value": 0.0, "Adjustable": False}})
    result = quotas.check_quota(NAMED["VPCs"], Account.of(scene.settings), Demand(prod))
    assert result.remedy.startswith("this quota cannot be raised")


def test_without_an_applied_quota_the_default_counts(scene: Scene):
    scene.intercept("GetServiceQuota", refusal("GetServiceQuota", "NoSuchResourceException"))
    assert quotas.quota_limit(NAMED["Elastic IP addresses"], Account.of(scene.settings))["Value"] == 5


def test_the_zone_with_the_highest_total_is_reported(scene: Scene, prod: Platform):
    crowded = replace(NAMED["NAT gateways per zone"], used=lambda *_: {"eu-west-3a": 1, "eu-west-3b": 5})
    result = quotas.check_quota(crowded, Account.of(scene.settings), Demand(prod))
    assert (result.name, result.status) == ("NAT gateways per zone (eu-west-3b)", Status.STOP)


def only(monkeypatch: pytest.MonkeyPatch, *chosen: Quota) -> None:
    monkeypatch.setattr(quotas, "QUOTAS", chosen)


def test_another_region_has_room_if_enough_of_its_zones_have(
    scene: Scene, prod: Platform, monkeypatch: pytest.MonkeyPatch
):
    account, demand = Account.of(scene.settings), Demand(prod)
    crowded = {"us-west-2a": 5.0, "us-west-2b": 0.0, "us-west-2c": 0.0, "us-west-2d": 5.0}
    only(monkeypatch, replace(NAMED["NAT gateways per zone"], used=lambda *_: crowded))
    assert quotas.shortages_in("us-west-2", account, demand) == []
    crowded["us-west-2c"] = 5.0
    assert quotas.shortages_in("us-west-2", account, demand) == [
        "NAT gateways per zone (eu-west-3b): 5 used, 1 added; quota 5"
    ]


def test_another_region_needs_as_many_zones(scene: Scene, prod: Platform):
    zone = {"ZoneName": "us-west-2a", "State": "available", "ZoneType": "availability-zone"}
    local = {"ZoneName": "us-west-2-lax-1a", "State": "available", "ZoneType": "local-zone"}
    closed = {**zone, "ZoneName": "us-west-2b", "State": "impaired"}
    scene.intercept("DescribeAvailabilityZones", lambda _: {"AvailabilityZones": [zone, local, closed]})
    assert quotas.shortages_in("us-west-2", Account.of(scene.settings), Demand(prod)) == ["zones: 1 of 2 required"]


# Checks


@pytest.fixture
def context(scene: Scene, dev: Platform) -> CheckContext:
    return CheckContext(Account.of(scene.settings), Demand(dev, {tier: {} for tier in dev.stacks}))


def found(make: Any, context: CheckContext) -> CheckResult:
    (result,) = make(context)
    return result


def test_an_unavailable_zone_stops_the_deployment(scene: Scene, context: CheckContext):
    assert found(checks.zones, context).status is Status.OK
    available = [{"ZoneName": "eu-west-3a", "State": "available"}, {"ZoneName": "eu-west-3c", "State": "available"}]
    scene.intercept("DescribeAvailabilityZones", lambda _: {"AvailabilityZones": available})
    result = found(checks.zones, context)
    assert result.status is Status.STOP
    assert "eu-west-3b" in result.detail
    assert result.remedy == "choose others for network.zones; eu-west-3 has eu-west-3a, eu-west-3c"


@pytest.mark.parametrize(("version", "status"), [("17.7", Status.OK), ("17.6", Status.STOP), ("17.70", Status.STOP)])
def test_a_database_version_that_is_not_offered_stops_the_deployment(
    scene: Scene, context: CheckContext, version: str, status: Status
):
    zones = [{"Name": "eu-west-3a"}, {"Name": "eu-west-3b"}]
    option = {"EngineVersion": version, "AvailabilityZones": zones}
    scene.intercept("DescribeOrderableDBInstanceOptions", lambda _: {"OrderableDBInstanceOptions": [option]})
    assert found(checks.database, context).status is status


def test_the_versions_that_are_offered_are_listed_if_the_settings_one_is_not(scene: Scene, context: CheckContext):
    offered = ["17.10", "17.9", "16.4-limitless", "16.11", "12.22"]
    options = [{"EngineVersion": version, "AvailabilityZones": [{"Name": "eu-west-3a"}]} for version in offered]
    scene.intercept("DescribeOrderableDBInstanceOptions", lambda _: {"OrderableDBInstanceOptions": options})
    result = found(checks.database, context)
    assert result.remedy == "set database.engine_version to one that is offered: 16.11, 17.9, 17.10"
    scene.intercept("DescribeOrderableDBInstanceOptions", lambda _: {"OrderableDBInstanceOptions": []})
    assert found(checks.database, context).remedy.endswith("offered: none in this Region")


def test_a_zone_without_the_database_is_named(scene: Scene, context: CheckContext):
    option = {"EngineVersion": "17.7", "AvailabilityZones": [{"Name": "eu-west-3a"}]}
    scene.intercept("DescribeOrderableDBInstanceOptions", lambda _: {"OrderableDBInstanceOptions": [option]})
    result = found(checks.database, context)
    assert (result.status, result.detail) == (Status.STOP, "not offered in eu-west-3b")
    assert result.remedy == "offered in: eu-west-3a"


@pytest.mark.parametrize(
    ("running", "status"), [("17.7", Status.OK), ("17.6", Status.OK), ("17.9", Status.STOP), ("17.10", Status.STOP)]
)
def test_a_database_that_rds_has_upgraded_stops_the_deployment(
    scene: Scene, context: CheckContext, running: str, status: Status
):
    assert list(checks.running_database(context)) == []
    scene.intercept("DescribeDBClusters", lambda _: {"DBClusters": [{"EngineVersion": running}]})
    result = found(checks.running_database, context)
    assert result.status is status
    assert result.remedy == (f'set database.engine_version = "{running}"' if status is Status.STOP else "")


def test_a_node_type_that_the_region_does_not_offer_stops_the_deployment(scene: Scene, context: CheckContext):
    assert found(checks.cache, context).status is Status.OK
    scene.intercept("DescribeReservedCacheNodesOfferings", lambda _: {"ReservedCacheNodesOfferings": []})
    assert found(checks.cache, context).status is Status.STOP
    scene.intercept(
        "DescribeReservedCacheNodesOfferings", refusal("DescribeReservedCacheNodesOfferings", "InvalidParameterValue")
    )
    assert found(checks.cache, context).remedy == "choose another cache.node_type"


def buckets_of(context: CheckContext) -> list[Resource]:
    return context.demand.platform.of_type("aws_s3_bucket")


def test_a_log_group_that_aws_created_must_be_imported(scene: Scene, context: CheckContext):
    assert found(checks.log_groups, context).status is Status.OK
    existing = [{"logGroupName": "RDSOSMetrics"}, {"logGroupName": "RDSOSMetrics-2"}]
    scene.intercept("DescribeLogGroups", lambda _: {"logGroups": existing})
    result = found(checks.log_groups, context)
    assert (result.name, result.status) == ("log group RDSOSMetrics", Status.STOP)
    assert "terraform import 'aws_cloudwatch_log_group.log-os-metrics' 'RDSOSMetrics'" in result.remedy


def test_bucket_names_are_free(context: CheckContext):
    assert found(checks.buckets, context).detail == f"no other account has any of {len(buckets_of(context))} names"


def test_a_bucket_of_this_account_in_no_state_must_be_imported(scene: Scene, context: CheckContext):
    scene.intercept("HeadBucket", lambda arguments: {} if "audit" in arguments["Bucket"] else None)
    result = found(checks.buckets, context)
    assert (result.status, result.detail) == (Status.STOP, "exists, but in no state")
    assert result.remedy == f"import it: see python -m operations orphans {scene.name}"


def test_a_bucket_of_this_account_passes_if_its_state_cannot_be_read(
    scene: Scene, context: CheckContext, dev: Platform
):
    scene.intercept("HeadBucket", lambda _: {})
    assert found(checks.buckets, replace(context, demand=Demand(dev))).status is Status.OK


@pytest.mark.parametrize("code", ["301", "400", "403"])
def test_a_bucket_name_of_another_account_stops_the_deployment(scene: Scene, context: CheckContext, code: str):
    scene.intercept("HeadBucket", refusal("HeadBucket", code))
    results = list(checks.buckets(context))
    assert len(results) == len(buckets_of(context))
    assert {result.status for result in results} == {Status.STOP}


def test_exactly_one_public_hosted_zone_is_required(scene: Scene, context: CheckContext):
    name = scene.settings.service.hosted_zone
    zone = {"Name": f"{name}.", "Config": {"PrivateZone": False}}
    private, other = {**zone, "Config": {"PrivateZone": True}}, {**zone, "Name": f"other.{name}."}
    for zones, status in (
        ([zone, private, other], Status.OK),
        ([private, other], Status.STOP),
        ([zone, zone], Status.STOP),
    ):
        scene.intercept("ListHostedZonesByName", lambda _, zones=zones: {"HostedZones": zones})
        result = found(checks.hosted_zone, context)
        assert result.status is status
        assert bool(result.remedy) is (status is Status.STOP)


def test_bootstrap_must_be_complete(scene: Scene, context: CheckContext):
    result = found(checks.bootstrapped, context)
    assert result.status is Status.STOP
    assert result.remedy == f"python -m operations bootstrap {scene.name}"
    assert scene.run("bootstrap", "--yes").exit_code == 0
    assert found(checks.bootstrapped, context).status is Status.OK


def test_a_lock_stops_the_deployment(scene: Scene, context: CheckContext):
    assert scene.run("bootstrap", "--yes").exit_code == 0
    assert found(checks.locks, context).status is Status.OK
    bucket, key = scene.names.state_bucket, f"{scene.name}/network.tfstate.tflock"
    scene.aws.client("s3").put_object(Bucket=bucket, Key=key, Body=b"{}")
    result = found(checks.locks, context)
    assert (result.status, result.detail) == (Status.STOP, f"locked: {scene.name}-network")


RULE = Resource(
    "aws_cloudwatch_event_rule.audit_root",
    "aws_cloudwatch_event_rule.root",
    "audit",
    "aws_cloudwatch_event_rule",
    "root",
    {"name": "root-signs-in", "event_pattern": json.dumps({"detail-type": ["AWS Console Sign In via CloudTrail"]})},
)


def with_resources(context: CheckContext, *resources: Resource) -> CheckContext:
    platform = context.demand.platform
    return replace(context, demand=Demand(replace(platform, resources=(*platform.resources, *resources))))


def without_audit(context: CheckContext) -> CheckContext:
    platform = context.demand.platform
    others = tuple(resource for resource in platform.resources if resource.tier != "audit")
    return replace(context, demand=Demand(replace(platform, resources=others)))


def test_a_rule_for_cloudtrail_events_needs_a_trail(scene: Scene, context: CheckContext):
    context = without_audit(context)
    assert found(checks.trail, context).detail == "no rule needs one"
    with_rule = with_resources(context, RULE)
    result = found(checks.trail, with_rule)
    assert result.status is Status.WARNING
    assert "root-signs-in" in result.detail
    s3, cloudtrail = scene.aws.client("s3"), scene.aws.client("cloudtrail")
    bucket = f"{scene.name}-trail"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    delivery = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": ["s3:GetBucketAcl", "s3:PutObject"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [delivery]}))
    arn = cloudtrail.create_trail(Name=bucket, S3BucketName=bucket)["TrailARN"]
    assert found(checks.trail, with_rule).status is Status.WARNING
    cloudtrail.start_logging(Name=bucket)
    assert found(checks.trail, with_rule).detail == arn
    cloudtrail.delete_trail(Name=bucket)


def test_a_trail_in_the_stacks_is_enough(context: CheckContext):
    assert found(checks.trail, context).detail == "part of the stacks"
    trail = replace(RULE, type="aws_cloudtrail", body={})
    assert found(checks.trail, with_resources(without_audit(context), RULE, trail)).detail == "part of the stacks"


@pytest.mark.parametrize(
    ("days", "status", "remedy"),
    [
        (-1, Status.STOP, "renew the waivers"),
        (0, Status.WARNING, "renew the waivers"),
        (29, Status.WARNING, ""),
        (30, Status.OK, ""),
    ],
)
def test_a_waiver_is_valid_until_its_expiry_date(
    context: CheckContext, monkeypatch: pytest.MonkeyPatch, days: int, status: Status, remedy: str
):
    until = datetime.now(UTC).date() + timedelta(days=days)
    waiver = Waiver(check="CKV_AWS_1", resources=("aws_lb.x",), reason="as long as it is tested", expires=until)
    monkeypatch.setattr(checks, "waivers", lambda: (waiver,))
    result = found(checks.waivers_in_force, context)
    assert result.status is status
    assert remedy in result.remedy
    assert (str(until) in result.detail) is (status is not Status.OK)


def test_invalid_waivers_stop_the_deployment(context: CheckContext, monkeypatch: pytest.MonkeyPatch):
    def unreadable() -> None:
        raise ScanError("waivers.toml: waiver.0.expires: Field required")

    monkeypatch.setattr(checks, "waivers", unreadable)
    result = found(checks.waivers_in_force, context)
    assert (result.status, result.detail) == (Status.STOP, "waivers.toml: waiver.0.expires: Field required")


@pytest.mark.parametrize(
    ("check", "operation"), [(checks.buckets, "HeadBucket"), (checks.zones, "DescribeAvailabilityZones")]
)
def test_another_error_of_aws_is_not_taken_for_a_result(
    scene: Scene, context: CheckContext, check: Any, operation: str
):
    scene.intercept(operation, refusal(operation, "Throttling"))
    with pytest.raises(Exception, match="Throttling"):
        list(check(context))


# The command


@pytest.fixture(scope="module")
def any_stacks(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthesized stacks of an environment named `ANY`."""
    folder = tmp_path_factory.mktemp("any")
    with pytest.MonkeyPatch.context() as monkeypatch:
        Scene(aws, folder, ANY, monkeypatch).write()
    synthesize_all(folder, folder / "out")
    return folder / "out"


@pytest.fixture
def stacks(scene: Scene, any_stacks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """An environment with synthesized stacks: those of `any_stacks` under its own name."""
    for file in [any_stacks / "manifest.json", *any_stacks.rglob("*.tf.json")]:
        written = tmp_path / "out" / str(file.relative_to(any_stacks)).replace(ANY, scene.name)
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(file.read_text(encoding="utf-8").replace(ANY, scene.name), encoding="utf-8")
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path / "out"))
    return scene


@pytest.fixture
def synthesized(stacks: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """The same in a bootstrapped account."""
    assert stacks.run("bootstrap", "--yes").exit_code == 0
    stacks.intercept(
        "ListHostedZonesByName",
        lambda arguments: {"HostedZones": [{"Name": arguments["DNSName"], "Config": {"PrivateZone": False}}]},
    )
    # Other tests leave resources in this account.
    for quota in QUOTAS:
        monkeypatch.setitem(stacks.aws.backend("servicequotas").applied_values, (quota.service, quota.code), 1000.0)
    return stacks


def test_an_account_that_meets_all_requirements_passes(synthesized: Scene):
    result = synthesized.run("preflight")
    assert result.exit_code == 0, result.output
    for name in ("credentials", *NAMED):
        assert name in result.output
    assert result.output.endswith("0 unknown, 0 warning, 0 stop\n")


def test_a_quota_stops_the_deployment_and_other_regions_with_room_are_listed(synthesized: Scene):
    synthesized.aws.backend("servicequotas").applied_values["vpc", "L-F678F1CE"] = 0.0
    result = synthesized.run("preflight")
    assert result.exit_code == 1
    assert "stop: VPCs: aws service-quotas request-service-quota-increase --service-code vpc" in result.output
    assert "use --regions REGION,... to check other Regions" in result.output
    result = synthesized.run("preflight", "--regions", "us-west-2, sa-west-1")
    assert "us-west-2: has room for the platform" in result.output
    assert "sa-west-1: " in result.output
    assert "--regions REGION" not in result.output


@pytest.mark.parametrize("regions", ["moon-1", "us-west-9", "us-west-2,", "us-west-2 eu-west-1"])
def test_an_invalid_region_is_refused_before_any_request(scene: Scene, regions: str):
    result = scene.run("preflight", "--regions", regions)
    assert result.exit_code == 2
    assert "allowed, each: a Region that the installed botocore knows" in " ".join(
        result.stderr.replace("│", " ").split()
    )


def test_json_has_results_and_figures(synthesized: Scene):
    synthesized.aws.backend("servicequotas").applied_values["vpc", "L-F678F1CE"] = 0.0
    result = synthesized.run("preflight", "--json", "--regions", "us-west-2")
    assert result.exit_code == 1
    output = json.loads(result.stdout)
    (vpcs,) = (each for each in output["findings"] if each["name"] == "VPCs")
    assert (vpcs["status"], vpcs["figures"]["code"], vpcs["figures"]["quota"]) == ("stop", "L-F678F1CE", 0)
    assert output["regions"] == {"us-west-2": []}


def test_a_missing_permission_is_unknown_with_the_action_and_stops_nothing(synthesized: Scene):
    denied = "User: arn:x is not authorized to perform: servicequotas:GetServiceQuota"
    synthesized.intercept("GetServiceQuota", refusal("GetServiceQuota", "AccessDeniedException", denied))
    result = synthesized.run("preflight")
    assert result.exit_code == 0
    assert "denied: servicequotas:GetServiceQuota; these credentials need it" in " ".join(result.output.split())
    assert f"{len(QUOTAS)} unknown" in result.output


def test_a_state_without_read_permission_is_unknown_and_counted_as_not_deployed(synthesized: Scene):
    synthesized.intercept("GetObject", refusal("GetObject", "AccessDenied", "Access Denied"))
    result = synthesized.run("preflight")
    assert result.exit_code == 0
    assert "state of network" in result.output
    assert "counted as not deployed" in " ".join(result.output.split())


def test_an_invalid_state_stops_the_deployment(synthesized: Scene):
    key = f"{synthesized.name}/network.tfstate"
    synthesized.aws.client("s3").put_object(Bucket=synthesized.names.state_bucket, Key=key, Body=b"[]")
    result = synthesized.run("preflight")
    assert result.exit_code == 1
    assert "not a Terraform state" in " ".join(result.output.split())


def test_before_bootstrap_the_message_says_to_run_bootstrap(stacks: Scene):
    result = stacks.run("preflight")
    assert result.exit_code == 1
    assert f"python -m operations bootstrap {stacks.name}" in result.output


@pytest.mark.parametrize("command", ["preflight", "drift"])
def test_the_help_says_when_to_run_it_with_an_example_and_exit_codes(command: str):
    text = " ".join(CliRunner().invoke(app, [command, "--help"]).output.split())
    for expected in ("When: ", f"Example: python -m operations {command} prod", "Exit codes: 0 no", "2 usage."):
        assert expected in text
