"""The catalogue has a complete row for each resource type that the stacks have."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from synthesized.catalogue.arns import region_of
from synthesized.catalogue.matches import is_ignored, matches_of
from synthesized.catalogue.row import Lookup
from synthesized.catalogue.table import CATALOGUE, TAGGED, row_of
from synthesized.catalogue.zone_loss import ZoneOutage
from synthesized.platform import Platform, Resource
from tests.failures import expect_none
from tests.policy.planted import with_added

# Arguments that distinguish resources of one type, besides the tag `Name`: AWS returns them in the ARN or in the
# description of the resource.
IDENTIFYING = ("alarm_name", "bucket", "description", "identifier", "name", "port", "user_id")


def missing_columns(platform: Platform) -> set[str]:
    """Columns that the row of a resource's type lacks, by resource."""
    outages = [ZoneOutage(platform, zone) for zone in platform.zones]
    return {f"{each.address}: {column}" for each in platform.resources for column in _missing_columns(each, outages)}


def _missing_columns(resource: Resource, outages: list[ZoneOutage]) -> Iterator[str]:
    row = row_of(resource.type)
    if row.recovery is None:
        yield "recovery"
    if isinstance(row.recovery, Lookup) and not set(row.recovery.arguments) <= resource.body.keys():
        yield "recovery by arguments that are always set"
    if not row.has_zone_loss_rule and any(outage.affects(resource) for outage in outages):
        yield "zone_loss or part_of"
    if not (row.in_vpc or row.traffic or row.placed_like) and "${aws_security_group." in str(resource.body):
        yield "in_vpc"


@pytest.fixture(scope="module")
def platforms_with_every_type(
    prod_with_own_tiers: Platform, dev: Platform, variants: dict[str, Platform]
) -> list[Platform]:
    return [prod_with_own_tiers, dev, variants["prod"]]


def test_every_row_is_complete(platforms_with_every_type: list[Platform], three_zones: Platform):
    expect_none(
        each for platform in [*platforms_with_every_type, three_zones] for each in sorted(missing_columns(platform))
    )


def test_type_without_a_row_is_found_with_its_missing_columns(prod: Platform):
    body = {
        "subnet_id": "${aws_subnet.network_app-a.id}",
        "vpc_security_group_ids": ["${aws_security_group.network_group-service.id}"],
    }
    planted = with_added(prod, "network", "aws_instance", "planted", body)
    assert missing_columns(planted) - missing_columns(prod) == {
        f"aws_instance.network_planted: {column}" for column in ("recovery", "zone_loss or part_of", "in_vpc")
    }


def test_lookup_by_an_argument_that_is_not_set_is_found(prod: Platform):
    planted = with_added(prod, "network", "aws_iam_role", "planted", {"name_prefix": "a"})
    assert missing_columns(planted) - missing_columns(prod) == {
        "aws_iam_role.network_planted: recovery by arguments that are always set"
    }


@pytest.mark.derived
def test_every_row_is_of_a_type_that_the_stacks_have(platforms_with_every_type: list[Platform]):
    used = {resource.type for platform in platforms_with_every_type for resource in platform.resources}
    expect_none(f"{type_}: no stack has one" for type_, row in CATALOGUE.items() if row.recovery and type_ not in used)


def test_no_resource_bypasses_the_rules_of_the_network(platforms_with_every_type: list[Platform]):
    bypassing = [type_ for type_, row in CATALOGUE.items() if row.bypasses_network_rules]
    expect_none(
        f"{each.address}: bypasses the network's rules"
        for platform in platforms_with_every_type
        for each in platform.of_type(*bypassing)
    )


def test_types_that_a_row_refers_to_have_rows():
    for type_, row in CATALOGUE.items():
        assert not row.part_of or row_of(row.part_of).zone_loss, type_
        assert not row.placed_like or row_of(row.placed_like).in_vpc, type_
        assert {part.type for part in row.separate_resources.values() if part} <= CATALOGUE.keys(), type_


def test_resources_of_a_type_can_be_distinguished(prod: Platform):
    def kind(resource: Resource) -> tuple[str, str]:
        return resource.tier, resource.type

    def names(resource: Resource) -> frozenset[Any]:
        found = {resource.body.get(name) for name in IDENTIFYING} | {resource.body.get("tags", {}).get("Name")}
        return frozenset(found - {None})

    tagged = prod.of_type(*TAGGED)
    of_kind = Counter(map(kind, tagged))
    of_names = Counter((kind(each), names(each)) for each in tagged)
    expect_none(
        f"{each.address}: tags Name: does not distinguish it from others of its type"
        for each in tagged
        if of_names[kind(each), names(each)] > 1 or (of_kind[kind(each)] > 1 and not names(each))
    )


def arn(resource: str) -> str:
    service, _, rest = resource.partition(":")
    return f"arn:aws:{service}:eu-west-3:123456789012:{rest}"


def test_arns_that_belong_in_a_state_are_not_ignored():
    for type_, tagged in TAGGED.items():
        example = arn(re.sub(r"\(.*?\)", "a", tagged.arn).replace(r"[\w-]{36}", "a" * 36))
        assert type_ in {match.type for match in matches_of(example)}, example
        assert not is_ignored(example), example


def test_arn_without_account_and_region_is_matched():
    assert [match.type for match in matches_of("arn:aws:s3:::files")] == ["aws_s3_bucket"]
    assert region_of("arn:aws:s3:::files") is None


# Types whose IDs or deletion commands are not those of the default, or whose ARN pattern is unusual.
SPECIAL = [
    ("ecs:service/prod/web", "prod/web", "--type-name AWS::ECS::Service --identifier '{arn}|prod'"),
    ("events:rule/rotated", "default/rotated", "--type-name AWS::Events::Rule --identifier '{arn}'"),
    ("cloudtrail:trail/calls", "{arn}", "--type-name AWS::CloudTrail::Trail --identifier 'calls'"),
    ("guardduty:detector/0a1b", "0a1b", "--type-name AWS::GuardDuty::Detector --identifier '0a1b'"),
    ("sns:alarms", "{arn}", "--type-name AWS::SNS::Topic --identifier '{arn}'"),
    (
        "wafv2:regional/webacl/firewall/0a1b",
        "0a1b/firewall/REGIONAL",
        "--type-name AWS::WAFv2::WebACL --identifier 'firewall|0a1b|REGIONAL'",
    ),
    ("logs:log-group:/acme/prod:*", "/acme/prod", "--identifier '/acme/prod'"),
    (
        "backup:restore-testing-plan:prod_restores-12345678-1234-1234-1234-123456789012",
        "prod_restores",
        "--type-name AWS::Backup::RestoreTestingPlan --identifier 'prod_restores'",
    ),
    ("ec2:elastic-ip/eipalloc-1", "eipalloc-1", "aws ec2 release-address --allocation-id eipalloc-1"),
]


@pytest.mark.parametrize(("resource", "id", "deletion"), SPECIAL, ids=[resource for resource, *_ in SPECIAL])
def test_ids_for_terraform_import_and_for_deletion(resource: str, id: str, deletion: str):
    full = arn(resource)
    (match,) = matches_of(full)
    assert match.import_id == id.format(arn=full)
    assert match.deletion_command.endswith(deletion.format(arn=full))
