"""What is looked at before a deployment: counted by hand here, and each thing that can be missing."""

import json
from collections import Counter
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

ANY = "anyname"
"""An environment's name that is nowhere in the stacks but as that."""
NAMED = {quota.name: quota for quota in QUOTAS}


def added(platform: Platform) -> dict[str, dict[str, float]]:
    demand = Demand(platform)
    return {quota.name: dict(quota.added(demand)) for quota in QUOTAS}


def test_what_production_adds(prod: Platform):
    told = added(prod)
    rules = told.pop("rules of a security group")
    endpoints = Counter(endpoint.body["vpc_endpoint_type"] for endpoint in prod.of_type("aws_vpc_endpoint"))
    keys = [key for key in prod.of_type("aws_kms_key") if "provider" not in key.body]
    assert told == {
        "VPCs": {"": 1},
        "internet gateways": {"": 1},
        "elastic IP addresses": {"": 2},
        "NAT gateways of a zone": {"us-west-1a": 1, "us-west-1b": 1},
        "interface endpoints of a VPC": {"": endpoints["Interface"]},
        "gateway endpoints": {"": endpoints["Gateway"]},
        # And the VPC's own.
        "security groups": {"": 1 + len(prod.of_type("aws_security_group"))},
        "load balancers": {"": 1},
        "Aurora clusters": {"": 1},
        "database instances": {"": 2},
        "cache nodes": {"": 4},
        "file systems": {"": 1},
        "KMS keys": {"": len(keys)},
        "Lambda concurrency": {"": 1},
        "Fargate vCPUs": {"": 4},
        "Fargate Spot vCPUs": {"": 0},
    }
    assert rules == Counter(
        f"{prod.resolve(rule.body['security_group_id']).name}, {direction}"
        for direction in ("ingress", "egress")
        for rule in prod.of_type(f"aws_vpc_security_group_{direction}_rule")
    )


def test_what_load_may_add_to_it(prod: Platform):
    demand = Demand(prod)
    more = {quota.name: told for quota in QUOTAS if (told := quota.under_load(demand).get(""))}
    # 3 readers of 1; 4 shards of 2, with a replica each; 40 tasks of 1 vCPU, twice during a deployment, of 4.
    assert more == {"database instances": 2, "cache nodes": 4, "Fargate vCPUs": 76}


def test_what_three_zones_add(otherwise: dict[str, Platform]):
    told = added(otherwise["prod"])
    assert told["elastic IP addresses"] == {"": 3}
    assert told["NAT gateways of a zone"] == {f"us-west-1{zone}": 1 for zone in "abc"}
    assert told["cache nodes"] == {"": 6}


def test_tasks_are_spread_over_on_demand_and_spot_as_ecs_does_it(dev: Platform):
    # The first on demand, and of what is added three in four on Spot: 4 tasks during a deployment, half a vCPU each.
    demand = Demand(dev)
    assert added(dev)["Fargate vCPUs"] == {"": 0.5}
    assert NAMED["Fargate vCPUs"].under_load(demand) == {"": 0.5}
    assert NAMED["Fargate Spot vCPUs"].under_load(demand) == {"": 1.5}


def test_a_reservation_takes_with_it_what_aws_keeps_for_others(otherwise: dict[str, Platform]):
    assert added(otherwise["prod"])["Lambda concurrency"] == {"": 102}


def test_what_a_state_has_is_not_added(prod: Platform):
    states = {"network": {"aws_eip.nat-address-a": {"id": "eipalloc-1"}, "aws_vpc.vpc": {"id": "vpc-1"}}}
    demand = Demand(prod, states)
    assert NAMED["elastic IP addresses"].added(demand) == {"": 1}
    assert NAMED["VPCs"].added(demand) == {"": 0}
    assert demand.id_of("aws_vpc") == "vpc-1"
    assert demand.without_states().id_of("aws_vpc") is None


@pytest.mark.parametrize("quota", QUOTAS, ids=[quota.name for quota in QUOTAS])
def test_the_local_aws_knows_every_quota(aws: LocalAws, quota: Quota):
    found = aws.client("service-quotas").get_service_quota(ServiceCode=quota.service, QuotaCode=quota.code)["Quota"]
    assert (found["ServiceCode"], found["QuotaCode"]) == (quota.service, quota.code)
    assert found["Value"] > 0


def test_an_account_of_ours_is_the_platform_counted_in_aws_as_in_the_stacks(scene: Scene, dev: Platform):
    """Each kind is made once by hand: what is used grows by what was made."""
    account, demand = Account.of(scene.settings), Demand(dev)
    before = {quota.name: dict(quota.used(account, demand)) for quota in QUOTAS}
    ec2 = scene.aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    ec2.create_internet_gateway()
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24", AvailabilityZone="us-west-1b")["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)
    for service, type_ in (("s3", "Gateway"), ("kms", "Interface"), ("sts", "Interface")):
        name = f"com.amazonaws.us-west-1.{service}"
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
    assert grown["NAT gateways of a zone"]["us-west-1b"] == 1
    assert {what: places.get("") for what, places in grown.items() if "zone" not in what} == {
        "VPCs": 1,
        "internet gateways": 1,
        "elastic IP addresses": 1,
        "interface endpoints of a VPC": 2,
        "gateway endpoints": 1,
        "security groups": 1,
        "cache nodes": 1,
        "file systems": 1,
        "KMS keys": 1,
    }


def test_keys_that_aws_made_for_its_services_are_not_the_accounts(scene: Scene, dev: Platform):
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
        {"cpu": "512"},  # started by its launch type alone
        {"cpu": "4096", "capacityProviderName": "FARGATE_SPOT"},
    ]
    scene.intercept("ListClusters", lambda _: {"clusterArns": ["busy", "empty"]})
    scene.intercept("ListTasks", lambda asked: {"taskArns": ["t"] if asked["cluster"] == "busy" else []})
    scene.intercept("DescribeTasks", lambda _: {"tasks": tasks})
    assert usage.vcpus("FARGATE")(account, demand) == {"": 1.5}
    assert usage.vcpus("FARGATE_SPOT")(account, demand) == {"": 4}


@pytest.fixture
def granted(scene: Scene) -> Iterator[dict[tuple[str, str], float]]:
    """What AWS has granted the account."""
    granted = scene.aws.backend("servicequotas").granted
    yield granted
    granted.clear()


def checked(scene: Scene, platform: Platform, *, used: float, quota: float, what: str = "VPCs") -> CheckResult:
    known = NAMED[what]
    scene.aws.backend("servicequotas").granted[known.service, known.code] = quota
    return quotas.check_quota(replace(known, used=lambda *_: {"": used}), Account.of(scene.settings), Demand(platform))


@pytest.mark.usefixtures("granted")
@pytest.mark.parametrize(
    ("what", "used", "quota", "state"),
    [
        ("VPCs", 4, 5, Status.OK),
        ("VPCs", 5, 5, Status.STOP),
        ("database instances", 0, 2, Status.WARNING),
        ("database instances", 0, 1, Status.STOP),
        ("database instances", 0, 4, Status.OK),
        ("Fargate Spot vCPUs", 7, 6, Status.WARNING),  # too much is used already, and nothing is added
    ],
)
def test_a_quota_stops_what_it_has_no_room_for(
    scene: Scene, prod: Platform, what: str, used: float, quota: float, state: Status
):
    assert checked(scene, prod, used=used, quota=quota, what=what).status is state


@pytest.mark.usefixtures("granted")
def test_what_is_told_of_a_quota_is_what_raises_it(scene: Scene, prod: Platform):
    finding = checked(scene, prod, used=3, quota=4, what="database instances")
    assert finding.detail == "3 used, 2 added, 2 more under load; quota 4"
    assert finding.remedy == (
        "aws service-quotas request-service-quota-increase --service-code rds --quota-code L-7B6409FD "
        "--desired-value 7 --region us-west-1"
    )
    assert finding.figures["used"] == 3


def test_a_quota_that_aws_does_not_raise_is_told_so(scene: Scene, prod: Platform):
    scene.intercept("GetServiceQuota", lambda _: {"Quota": {"Value": 0.0, "Adjustable": False}})
    finding = quotas.check_quota(NAMED["VPCs"], Account.of(scene.settings), Demand(prod))
    assert finding.remedy.startswith("AWS does not raise this quota")


def test_where_the_account_never_had_a_quota_of_its_own_awss_is_meant(scene: Scene):
    scene.intercept("GetServiceQuota", refusal("GetServiceQuota", "NoSuchResourceException"))
    assert quotas.quota_limit(NAMED["elastic IP addresses"], Account.of(scene.settings))["Value"] == 5


def test_the_zone_with_the_least_room_is_told(scene: Scene, prod: Platform):
    crowded = replace(NAMED["NAT gateways of a zone"], used=lambda *_: {"us-west-1a": 1, "us-west-1b": 5})
    finding = quotas.check_quota(crowded, Account.of(scene.settings), Demand(prod))
    assert (finding.what, finding.status) == ("NAT gateways of a zone (us-west-1b)", Status.STOP)


def only(monkeypatch: pytest.MonkeyPatch, *chosen: Quota) -> None:
    monkeypatch.setattr(quotas, "QUOTAS", chosen)


def test_another_region_has_room_where_enough_of_its_zones_have(
    scene: Scene, prod: Platform, monkeypatch: pytest.MonkeyPatch
):
    account, demand = Account.of(scene.settings), Demand(prod)
    crowded = {"us-west-2a": 5.0, "us-west-2b": 0.0, "us-west-2c": 0.0, "us-west-2d": 5.0}
    only(monkeypatch, replace(NAMED["NAT gateways of a zone"], used=lambda *_: crowded))
    assert quotas.shortages_in("us-west-2", account, demand) == []
    crowded["us-west-2c"] = 5.0
    assert quotas.shortages_in("us-west-2", account, demand) == [
        "NAT gateways of a zone (us-west-1b): 5 used, 1 added; quota 5"
    ]


def test_another_region_needs_as_many_zones(scene: Scene, prod: Platform):
    zone = {"ZoneName": "us-west-2a", "State": "available", "ZoneType": "availability-zone"}
    local = {"ZoneName": "us-west-2-lax-1a", "State": "available", "ZoneType": "local-zone"}
    closed = {**zone, "ZoneName": "us-west-2b", "State": "impaired"}
    scene.intercept("DescribeAvailabilityZones", lambda _: {"AvailabilityZones": [zone, local, closed]})
    assert quotas.shortages_in("us-west-2", Account.of(scene.settings), Demand(prod)) == [
        "zones: 1, of 2 that are needed"
    ]


# Checks


@pytest.fixture
def subject(scene: Scene, dev: Platform) -> CheckContext:
    return CheckContext(Account.of(scene.settings), Demand(dev, {tier: {} for tier in dev.stacks}))


def found(make: Any, subject: CheckContext) -> CheckResult:
    (finding,) = make(subject)
    return finding


def test_a_zone_that_is_not_open_to_the_account_stops_it(scene: Scene, subject: CheckContext):
    assert found(checks.zones, subject).status is Status.OK
    there = [{"ZoneName": "us-west-1a", "State": "available"}, {"ZoneName": "us-west-1c", "State": "available"}]
    scene.intercept("DescribeAvailabilityZones", lambda _: {"AvailabilityZones": there})
    finding = found(checks.zones, subject)
    assert finding.status is Status.STOP
    assert "us-west-1b" in finding.detail
    assert finding.remedy == "name others in network.zones; us-west-1 has us-west-1a, us-west-1c"


@pytest.mark.parametrize(("version", "state"), [("17.4", Status.OK), ("17", Status.OK), ("16.9", Status.STOP)])
def test_a_version_of_the_database_is_offered_in_each_zone(
    scene: Scene, subject: CheckContext, version: str, state: Status
):
    zones = [{"Name": "us-west-1a"}, {"Name": "us-west-1b"}]
    option = {"EngineVersion": version, "AvailabilityZones": zones}
    scene.intercept("DescribeOrderableDBInstanceOptions", lambda _: {"OrderableDBInstanceOptions": [option]})
    assert found(checks.database, subject).status is state


def test_a_zone_without_the_database_is_named(scene: Scene, subject: CheckContext):
    option = {"EngineVersion": "17.4", "AvailabilityZones": [{"Name": "us-west-1a"}]}
    scene.intercept("DescribeOrderableDBInstanceOptions", lambda _: {"OrderableDBInstanceOptions": [option]})
    finding = found(checks.database, subject)
    assert (finding.status, finding.detail) == (Status.STOP, "not offered in us-west-1b")
    assert finding.remedy == "offered in: us-west-1a"


def test_a_node_type_that_the_region_does_not_have_stops_it(scene: Scene, subject: CheckContext):
    assert found(checks.cache, subject).status is Status.OK
    scene.intercept("DescribeReservedCacheNodesOfferings", lambda _: {"ReservedCacheNodesOfferings": []})
    assert found(checks.cache, subject).status is Status.STOP
    scene.intercept(
        "DescribeReservedCacheNodesOfferings", refusal("DescribeReservedCacheNodesOfferings", "InvalidParameterValue")
    )
    assert found(checks.cache, subject).remedy == "choose another cache.node_type"


def buckets_of(subject: CheckContext) -> list[Resource]:
    return subject.demand.platform.of_type("aws_s3_bucket")


def test_names_of_buckets_are_free(subject: CheckContext):
    assert found(checks.buckets, subject).detail == f"no other account has one of {len(buckets_of(subject))}"


def test_a_bucket_of_ours_that_no_state_has_is_imported(scene: Scene, subject: CheckContext):
    scene.intercept("HeadBucket", lambda asked: {} if "audit" in asked["Bucket"] else None)
    finding = found(checks.buckets, subject)
    assert (finding.status, finding.detail) == (Status.STOP, "there, and in no state")
    assert finding.remedy == f"python -m operations orphans {scene.name} says how it is imported"


def test_a_bucket_of_ours_whose_state_could_not_be_read_may_be_in_it(
    scene: Scene, subject: CheckContext, dev: Platform
):
    scene.intercept("HeadBucket", lambda _: {})
    assert found(checks.buckets, replace(subject, demand=Demand(dev))).status is Status.OK


@pytest.mark.parametrize("code", ["301", "400", "403"])
def test_a_name_that_another_has_stops_it(scene: Scene, subject: CheckContext, code: str):
    scene.intercept("HeadBucket", refusal("HeadBucket", code))
    findings = list(checks.buckets(subject))
    assert len(findings) == len(buckets_of(subject))
    assert {finding.status for finding in findings} == {Status.STOP}


def test_the_hosted_zone_is_there_once(scene: Scene, subject: CheckContext):
    name = scene.settings.service.hosted_zone
    zone = {"Name": f"{name}.", "Config": {"PrivateZone": False}}
    private, other = {**zone, "Config": {"PrivateZone": True}}, {**zone, "Name": f"other.{name}."}
    for zones, state in (
        ([zone, private, other], Status.OK),
        ([private, other], Status.STOP),
        ([zone, zone], Status.STOP),
    ):
        scene.intercept("ListHostedZonesByName", lambda _, zones=zones: {"HostedZones": zones})
        finding = found(checks.hosted_zone, subject)
        assert finding.status is state
        assert bool(finding.remedy) is (state is Status.STOP)


def test_what_bootstrap_makes_must_be_there(scene: Scene, subject: CheckContext):
    finding = found(checks.bootstrapped, subject)
    assert finding.status is Status.STOP
    assert finding.remedy == f"python -m operations bootstrap {scene.name}"
    assert scene.run("bootstrap", "--yes").exit_code == 0
    assert found(checks.bootstrapped, subject).status is Status.OK


def test_a_lock_stops_it(scene: Scene, subject: CheckContext):
    assert scene.run("bootstrap", "--yes").exit_code == 0
    assert found(checks.locks, subject).status is Status.OK
    bucket, key = scene.names.state_bucket, f"{scene.name}/network.tfstate.tflock"
    scene.aws.client("s3").put_object(Bucket=bucket, Key=key, Body=b"{}")
    finding = found(checks.locks, subject)
    assert (finding.status, finding.detail) == (Status.STOP, f"held: {scene.name}-network")


RULE = Resource(
    "aws_cloudwatch_event_rule.audit_root",
    "aws_cloudwatch_event_rule.root",
    "audit",
    "aws_cloudwatch_event_rule",
    "root",
    {"name": "root-signs-in", "event_pattern": json.dumps({"detail-type": ["AWS Console Sign In via CloudTrail"]})},
)


def with_resources(subject: CheckContext, *resources: Resource) -> CheckContext:
    platform = subject.demand.platform
    return replace(subject, demand=Demand(replace(platform, resources=(*platform.resources, *resources))))


def without_audit(subject: CheckContext) -> CheckContext:
    platform = subject.demand.platform
    left = tuple(resource for resource in platform.resources if resource.tier != "audit")
    return replace(subject, demand=Demand(replace(platform, resources=left)))


def test_a_trail_is_needed_where_a_rule_waits_for_its_events(scene: Scene, subject: CheckContext):
    subject = without_audit(subject)
    assert found(checks.trail, subject).detail == "no rule needs one"
    waiting = with_resources(subject, RULE)
    finding = found(checks.trail, waiting)
    assert finding.status is Status.WARNING
    assert "root-signs-in" in finding.detail
    s3, cloudtrail = scene.aws.client("s3"), scene.aws.client("cloudtrail")
    bucket = f"{scene.name}-trail"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-west-1"})
    delivery = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": ["s3:GetBucketAcl", "s3:PutObject"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [delivery]}))
    arn = cloudtrail.create_trail(Name=bucket, S3BucketName=bucket)["TrailARN"]
    assert found(checks.trail, waiting).status is Status.WARNING
    cloudtrail.start_logging(Name=bucket)
    assert found(checks.trail, waiting).detail == arn
    cloudtrail.delete_trail(Name=bucket)


def test_a_trail_of_the_stacks_own_is_one(subject: CheckContext):
    assert found(checks.trail, subject).detail == "one of the stacks' own"
    trail = replace(RULE, type="aws_cloudtrail", body={})
    assert found(checks.trail, with_resources(without_audit(subject), RULE, trail)).detail == "one of the stacks' own"


@pytest.mark.parametrize(
    ("days", "state", "remedy"),
    [
        (-1, Status.STOP, "decide again"),
        (0, Status.WARNING, "decide again"),
        (29, Status.WARNING, ""),
        (30, Status.OK, ""),
    ],
)
def test_a_waiver_is_in_force_until_its_day(
    subject: CheckContext, monkeypatch: pytest.MonkeyPatch, days: int, state: Status, remedy: str
):
    until = datetime.now(UTC).date() + timedelta(days=days)
    waiver = Waiver(check="CKV_AWS_1", resources=("aws_lb.x",), reason="as long as it is tested", expires=until)
    monkeypatch.setattr(checks, "waivers", lambda: (waiver,))
    finding = found(checks.waivers_in_force, subject)
    assert finding.status is state
    assert remedy in finding.remedy
    assert (str(until) in finding.detail) is (state is not Status.OK)


def test_waivers_that_cannot_be_read_stop_it(subject: CheckContext, monkeypatch: pytest.MonkeyPatch):
    def unreadable() -> None:
        raise ScanError("waivers.toml: waiver.0.expires: Field required")

    monkeypatch.setattr(checks, "waivers", unreadable)
    finding = found(checks.waivers_in_force, subject)
    assert (finding.status, finding.detail) == (Status.STOP, "waivers.toml: waiver.0.expires: Field required")


@pytest.mark.parametrize(
    ("check", "operation"), [(checks.buckets, "HeadBucket"), (checks.zones, "DescribeAvailabilityZones")]
)
def test_what_else_aws_refuses_is_not_taken_for_an_answer(
    scene: Scene, subject: CheckContext, check: Any, operation: str
):
    scene.intercept(operation, refusal(operation, "Throttling"))
    with pytest.raises(Exception, match="Throttling"):
        list(check(subject))


# The command


@pytest.fixture(scope="module")
def any_stacks(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stacks of a scene's environment, but that its name is another."""
    folder = tmp_path_factory.mktemp("any")
    with pytest.MonkeyPatch.context() as monkeypatch:
        Scene(aws, folder, ANY, monkeypatch).write()
    synthesize_all(folder, folder / "out")
    return folder / "out"


@pytest.fixture
def stacks(scene: Scene, any_stacks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """An environment whose stacks were written: a name is all that one has of its own."""
    for file in [any_stacks / "manifest.json", *any_stacks.rglob("*.tf.json")]:
        written = tmp_path / "out" / str(file.relative_to(any_stacks)).replace(ANY, scene.name)
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(file.read_text(encoding="utf-8").replace(ANY, scene.name), encoding="utf-8")
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path / "out"))
    return scene


@pytest.fixture
def synthesized(stacks: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """The same in an account that has been bootstrapped."""
    assert stacks.run("bootstrap", "--yes").exit_code == 0
    stacks.intercept(
        "ListHostedZonesByName",
        lambda asked: {"HostedZones": [{"Name": asked["DNSName"], "Config": {"PrivateZone": False}}]},
    )
    # Other tests of this account leave what they made.
    for quota in QUOTAS:
        monkeypatch.setitem(stacks.aws.backend("servicequotas").granted, (quota.service, quota.code), 1000.0)
    return stacks


def test_an_account_with_all_that_is_needed_may_be_deployed_to(synthesized: Scene):
    result = synthesized.run("preflight")
    assert result.exit_code == 0, result.output
    for said in ("credentials", *NAMED):
        assert said in result.output
    assert result.output.endswith("0 unknown, 0 warning, 0 stop\n")


def test_a_quota_stops_it_and_other_regions_that_have_room_are_told(synthesized: Scene):
    synthesized.aws.backend("servicequotas").granted["vpc", "L-F678F1CE"] = 0.0
    result = synthesized.run("preflight")
    assert result.exit_code == 1
    assert "stop: VPCs: aws service-quotas request-service-quota-increase --service-code vpc" in result.output
    assert "--regions REGION,... says which other Regions have room" in result.output
    result = synthesized.run("preflight", "--regions", "us-west-2, eu-west-9")
    assert "us-west-2: has room for all of it" in result.output
    assert "eu-west-9: " in result.output
    assert "--regions REGION" not in result.output


@pytest.mark.parametrize("regions", ["moon-1", "us-west-2,", "us-west-2 eu-west-1"])
def test_what_is_no_region_is_refused_before_anything_is_asked(scene: Scene, regions: str):
    result = scene.run("preflight", "--regions", regions)
    assert result.exit_code == 2
    assert "allowed, each: a Region, such as us-west-1" in " ".join(result.stderr.replace("│", " ").split())


def test_for_machines_it_is_json(synthesized: Scene):
    synthesized.aws.backend("servicequotas").granted["vpc", "L-F678F1CE"] = 0.0
    result = synthesized.run("preflight", "--json", "--regions", "us-west-2")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    (vpcs,) = (finding for finding in told["findings"] if finding["what"] == "VPCs")
    assert (vpcs["status"], vpcs["figures"]["code"], vpcs["figures"]["quota"]) == ("stop", "L-F678F1CE", 0)
    assert told["regions"] == {"us-west-2": []}


def test_what_these_credentials_may_not_ask_is_unknown_with_the_action_and_stops_nothing(synthesized: Scene):
    denied = "User: arn:x is not authorized to perform: servicequotas:GetServiceQuota"
    synthesized.intercept("GetServiceQuota", refusal("GetServiceQuota", "AccessDeniedException", denied))
    result = synthesized.run("preflight")
    assert result.exit_code == 0
    assert "denied: servicequotas:GetServiceQuota; these credentials need it" in " ".join(result.output.split())
    assert f"{len(QUOTAS)} unknown" in result.output


def test_a_state_that_may_not_be_read_is_unknown_and_counted_as_not_deployed(synthesized: Scene):
    synthesized.intercept("GetObject", refusal("GetObject", "AccessDenied", "Access Denied"))
    result = synthesized.run("preflight")
    assert result.exit_code == 0
    assert "state of network" in result.output
    assert "counted as if it were not deployed" in " ".join(result.output.split())


def test_a_state_that_is_none_stops_it(synthesized: Scene):
    key = f"{synthesized.name}/network.tfstate"
    synthesized.aws.client("s3").put_object(Bucket=synthesized.names.state_bucket, Key=key, Body=b"[]")
    result = synthesized.run("preflight")
    assert result.exit_code == 1
    assert "no state of Terraform's" in " ".join(result.output.split())


def test_before_bootstrap_it_says_what_makes_the_bucket(stacks: Scene):
    result = stacks.run("preflight")
    assert result.exit_code == 1
    assert f"python -m operations bootstrap {stacks.name}" in result.output


@pytest.mark.parametrize("command", ["preflight", "drift"])
def test_its_help_says_when_it_is_for_with_an_example_and_its_exit_codes(command: str):
    text = " ".join(CliRunner().invoke(app, [command, "--help"]).output.split())
    for said in ("When: ", f"Example: python -m operations {command} prod", "Exit codes: 0 nothing ", "2 usage."):
        assert said in text
