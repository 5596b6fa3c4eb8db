"""Rules for all stacks of every environment, and for each rule a test that it finds violations."""

import inspect
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache
from importlib import import_module

import pytest

from synthesized.platform import Platform, Resource
from tests.conftest import Platforms
from tests.synthesized import DEFAULT_TAGS, TIERS

OPEN_PORTS = {"80", "443"}
INGRESS, EGRESS = "aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"


@pytest.fixture(scope="module")
def every(shipped: dict[str, Platform], three_zones: Platform, variants: Platforms) -> list[Platform]:
    """The project's environments, production in three zones, and the variants."""
    return [*shipped.values(), three_zones, *variants.values()]


def with_changed(platform: Platform, type_: str, **arguments: object) -> Platform:
    """The platform with changed arguments of the first resource of a type."""
    (first, *_) = platform.of_type(type_)
    planted = replace(first, body={**deepcopy(first.body), **arguments})
    return replace(platform, resources=(planted, *(entry for entry in platform.resources if entry is not first)))


def state_keys(platforms: list[Platform]) -> list[tuple[str, str]]:
    return [
        (stack.backend["bucket"], stack.backend["key"]) for platform in platforms for stack in platform.stacks.values()
    ]


def test_no_two_stacks_share_a_state(shipped: dict[str, Platform]):
    keys = state_keys(list(shipped.values()))
    assert len(keys) == len(TIERS) * len(shipped)
    assert len(set(keys)) == len(keys)


def test_a_shared_state_is_found(prod: Platform):
    assert len(set(state_keys([prod, prod]))) < len(state_keys([prod, prod]))


def test_no_two_environments_share_a_bucket(shipped: dict[str, Platform]):
    buckets = {stack.backend["bucket"] for platform in shipped.values() for stack in platform.stacks.values()}
    assert len(buckets) == len(shipped)


def undescribed_rules(platform: Platform) -> list[str]:
    return [rule.address for rule in platform.of_type(INGRESS, EGRESS) if not rule.body.get("description")]


def test_every_security_group_rule_has_a_description(every: list[Platform]):
    for platform in every:
        assert len(platform.of_type(INGRESS, EGRESS)) >= 19
        assert not undescribed_rules(platform)


@pytest.mark.parametrize("type_", [INGRESS, EGRESS])
def test_a_rule_without_a_description_is_found(prod: Platform, type_: str):
    assert len(undescribed_rules(with_changed(prod, type_, description=""))) == 1


# EC2's pattern: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpRange.html
EC2_DESCRIPTION = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}")


def invalid_descriptions(platform: Platform) -> list[str]:
    return [
        entry.address
        for entry in platform.of_type("aws_security_group", INGRESS, EGRESS)
        if not EC2_DESCRIPTION.fullmatch(entry.body["description"])
    ]


def test_ec2_accepts_every_description(every: list[Platform]):
    for platform in every:
        assert not invalid_descriptions(platform)


def test_a_description_that_ec2_rejects_is_found(prod: Platform):
    for type_ in ("aws_security_group", INGRESS, EGRESS):
        assert invalid_descriptions(with_changed(prod, type_, description="the customer's"))


def public_ingress(platform: Platform) -> set[tuple[str, ...]]:
    arguments = ("security_group_id", "from_port", "to_port", "cidr_ipv4", "cidr_ipv6")
    return {
        tuple(str(rule.body.get(argument)) for argument in arguments)
        for rule in platform.of_type(INGRESS)
        if str(rule.body.get("cidr_ipv4", "")).endswith("/0") or rule.body.get("cidr_ipv6")
    }


def test_only_ports_80_and_443_of_the_load_balancer_are_public(every: list[Platform]):
    group = "${aws_security_group.network_group-load-balancer.id}"
    for platform in every:
        assert public_ingress(platform) == {(group, port, port, "0.0.0.0/0", "None") for port in OPEN_PORTS}


@pytest.mark.parametrize(
    "planted",
    [{"from_port": 22, "to_port": 22}, {"cidr_ipv6": "::/0"}, {"security_group_id": "${aws_security_group.x.id}"}],
)
def test_another_public_port_is_found(prod: Platform, planted: dict[str, object]):
    assert public_ingress(with_changed(prod, INGRESS, **planted)) != public_ingress(prod)


def unrestricted_egress(platform: Platform) -> list[str]:
    """Egress rules to all addresses or for all protocols."""
    return [
        rule.address
        for rule in platform.of_type(EGRESS)
        if rule.body.get("cidr_ipv4") == "0.0.0.0/0" or rule.body["ip_protocol"] == "-1"
    ]


def test_no_egress_rule_allows_all_destinations(every: list[Platform]):
    for platform in every:
        assert not unrestricted_egress(platform)


def test_an_egress_rule_to_all_destinations_is_found(prod: Platform):
    assert unrestricted_egress(with_changed(prod, EGRESS, cidr_ipv4="0.0.0.0/0"))
    assert unrestricted_egress(with_changed(prod, EGRESS, ip_protocol="-1"))


@cache
def is_taggable(type_: str) -> bool:
    """Whether a resource type supports tags, according to the bindings."""
    module = import_module(f"cdktf_cdktf_provider_aws.{type_.removeprefix('aws_')}")
    (binding,) = (
        entry
        for entry in vars(module).values()
        if inspect.isclass(entry) and getattr(entry, "TF_RESOURCE_TYPE", None) == type_
    )
    return "tags" in inspect.signature(binding.__init__).parameters


def untagged(platform: Platform) -> Iterator[Resource]:
    """Taggable resources that lack default tags, because of their provider or because they override them."""
    for resource in platform.resources:
        providers = {
            f"aws.{provider['alias']}" if "alias" in provider else "aws": provider
            for provider in platform.stacks[resource.tier].providers
        }
        provider = providers[resource.body.get("provider", "aws")]
        tags = {tag for default in provider.get("default_tags", []) for tag in default["tags"]}
        overridden = DEFAULT_TAGS & (resource.body.get("tags") or {}).keys()
        if is_taggable(resource.type) and (not tags >= DEFAULT_TAGS or overridden):
            yield resource


def test_every_taggable_resource_has_the_default_tags(every: list[Platform]):
    for platform in every:
        assert sum(is_taggable(resource.type) for resource in platform.resources) > 50
        assert not list(untagged(platform))


def test_a_resource_without_the_default_tags_is_found(prod: Platform):
    overriding = with_changed(prod, "aws_vpc", tags={"Environment": "other"})
    assert [resource.type for resource in untagged(overriding)] == ["aws_vpc"]
    providers = [
        {name: value for name, value in provider.items() if name != "default_tags"}
        for provider in prod.stacks["foundation"].providers
    ]
    bare = replace(prod.stacks["foundation"], document={"provider": {"aws": providers}})
    assert len(list(untagged(replace(prod, stacks={**prod.stacks, "foundation": bare})))) > 10


def unprotected_log_groups(platform: Platform) -> list[str]:
    return [
        group.address
        for group in platform.of_type("aws_cloudwatch_log_group")
        if group.body.get("kms_key_id") != "${aws_kms_key.foundation_key-logs.arn}"
        or not group.body.get("retention_in_days")
    ]


def test_every_log_group_has_the_logs_key_and_a_retention(every: list[Platform]):
    for platform in every:
        assert platform.of_type("aws_cloudwatch_log_group")
        assert not unprotected_log_groups(platform)


def test_a_log_group_without_key_or_retention_is_found(prod: Platform):
    assert unprotected_log_groups(with_changed(prod, "aws_cloudwatch_log_group", kms_key_id=None))
    assert unprotected_log_groups(with_changed(prod, "aws_cloudwatch_log_group", retention_in_days=None))


def secret_values(platform: Platform) -> list[str]:
    """Arguments that would put a secret into a plan or state."""
    return [
        f"{resource.address}.{argument}"
        for resource in platform.resources
        for argument, value in resource.body.items()
        if value and any(word in argument for word in ("password", "secret_string", "auth_token"))
        if argument not in {"manage_master_user_password", "no_password_required"}
    ]


def test_no_argument_contains_a_secret(every: list[Platform]):
    for platform in every:
        assert not secret_values(platform)


def test_an_argument_with_a_secret_is_found(prod: Platform):
    planted = with_changed(prod, "aws_rds_cluster", master_password="x")
    assert secret_values(planted) == ["aws_rds_cluster.database_cluster.master_password"]
