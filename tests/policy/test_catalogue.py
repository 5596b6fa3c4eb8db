"""The catalogue has a row for each type that the stacks have, with what its users need of it."""

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

# By one of these, or the tag `Name`, a resource is told from others of its type: AWS has them in the ARN, or describes
# the resource by them.
TELLING = ("alarm_name", "bucket", "description", "identifier", "name", "port", "user_id")


def lacking(platform: Platform) -> set[str]:
    """What rows lack: fields that a resource needs of its type's row."""
    without = [ZoneOutage(platform, zone) for zone in platform.zones]
    return {f"{each.address}: {field}" for each in platform.resources for field in _needed(each, without)}


def _needed(resource: Resource, without: list[ZoneOutage]) -> Iterator[str]:
    row = row_of(resource.type)
    if row.recovery is None:
        yield "recovery"
    if isinstance(row.recovery, Lookup) and not set(row.recovery.arguments) <= resource.body.keys():
        yield "recovery, by arguments that are always set"
    if not row.has_zone_loss_rule and any(left.affects(resource) for left in without):
        yield "zone_loss or part_of"
    if not (row.in_vpc or row.traffic) and "${aws_security_group." in str(resource.body):
        yield "in_vpc"


@pytest.fixture(scope="module")
def all_there_is(prod: Platform, dev: Platform, otherwise: dict[str, Platform]) -> list[Platform]:
    return [prod, dev, otherwise["prod"]]


def test_no_row_lacks_anything(all_there_is: list[Platform], three_zones: Platform):
    expect_none(each for platform in [*all_there_is, three_zones] for each in sorted(lacking(platform)))


def test_a_type_without_a_row_is_named_with_what_it_needs(prod: Platform):
    body = {
        "subnet_id": "${aws_subnet.network_app-a.id}",
        "vpc_security_group_ids": ["${aws_security_group.network_group-service.id}"],
    }
    planted = with_added(prod, "network", "aws_instance", "planted", body)
    assert lacking(planted) - lacking(prod) == {
        f"aws_instance.network_planted: {field}" for field in ("recovery", "zone_loss or part_of", "in_vpc")
    }


def test_a_lookup_by_an_argument_that_is_not_set_is_named(prod: Platform):
    planted = with_added(prod, "network", "aws_iam_role", "planted", {"name_prefix": "a"})
    assert lacking(planted) - lacking(prod) == {
        "aws_iam_role.network_planted: recovery, by arguments that are always set"
    }


@pytest.mark.derived
def test_no_row_is_of_a_type_that_the_stacks_no_longer_have(all_there_is: list[Platform]):
    there = {resource.type for platform in all_there_is for resource in platform.resources}
    expect_none(f"{type_}: no stack has one" for type_, row in CATALOGUE.items() if row.recovery and type_ not in there)


def test_nothing_goes_around_the_rules_of_the_network(all_there_is: list[Platform]):
    around = [type_ for type_, row in CATALOGUE.items() if row.bypasses_network_rules]
    expect_none(f"{each.address}: goes around rules" for platform in all_there_is for each in platform.of_type(*around))


def test_rows_that_name_other_types_name_rows():
    for type_, row in CATALOGUE.items():
        assert not row.part_of or row_of(row.part_of).zone_loss, type_
        assert {part.type for part in row.separate_resources.values() if part} <= CATALOGUE.keys(), type_


def test_of_each_type_every_resource_can_be_told_from_the_others(prod: Platform):
    def kind(resource: Resource) -> tuple[str, str]:
        return resource.tier, resource.type

    def names(resource: Resource) -> frozenset[Any]:
        told = {resource.body.get(name) for name in TELLING} | {resource.body.get("tags", {}).get("Name")}
        return frozenset(told - {None})

    tagged = prod.of_type(*TAGGED)
    of_kind = Counter(map(kind, tagged))
    of_names = Counter((kind(each), names(each)) for each in tagged)
    expect_none(
        f"{each.address}: tags Name: does not tell it from others of its type"
        for each in tagged
        if of_names[kind(each), names(each)] > 1 or (of_kind[kind(each)] > 1 and not names(each))
    )


def arn(resource: str) -> str:
    service, _, rest = resource.partition(":")
    return f"arn:aws:{service}:us-west-1:123456789012:{rest}"


def test_no_type_is_ignored_that_a_state_should_have():
    for tagged in TAGGED.values():
        example = re.sub(r"\(.*?\)", "a", tagged.arn)
        assert not is_ignored(arn(example)), example


def test_an_arn_may_have_neither_account_nor_region():
    assert [match.type for match in matches_of("arn:aws:s3:::files")] == ["aws_s3_bucket"]
    assert region_of("arn:aws:s3:::files") is None


# What imports and deletes a resource where that is not what stands last in its ARN alone.
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
    ("logs:log-group:/globecart/prod:*", "/globecart/prod", "--identifier '/globecart/prod'"),
    (
        "backup:restore-testing-plan:prod_restores-12345678-1234-1234-1234-123456789012",
        "prod_restores",
        "--type-name AWS::Backup::RestoreTestingPlan --identifier 'prod_restores'",
    ),
    ("ec2:elastic-ip/eipalloc-1", "eipalloc-1", "aws ec2 release-address --allocation-id eipalloc-1"),
]


@pytest.mark.parametrize(("resource", "id", "deletion"), SPECIAL, ids=[resource for resource, *_ in SPECIAL])
def test_terraform_and_cloud_control_each_have_their_own_id(resource: str, id: str, deletion: str):
    named = arn(resource)
    (match,) = matches_of(named)
    assert match.import_id == id.format(arn=named)
    assert match.deletion_command.endswith(deletion.format(arn=named))
