"""Rules for all stacks of every environment, and for each rule a test that it finds violations."""

import inspect
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from importlib import import_module

import pytest

from stacks import ROOT
from synthesized.platform import Platform, Stack
from tests.conftest import Platforms
from tests.event_templates import unescaped_placeholders
from tests.failures import expect_none
from tests.policy.planted import is_noticed, with_changed, without
from tests.synthesized import DEFAULT_TAGS, TIERS, tiers_with_own

OPEN_PORTS = {"80", "443"}
Check = Callable[[Platform], Iterable[str]]
INGRESS, EGRESS = "aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"


@pytest.fixture(scope="module")
def all_platforms(shipped: dict[str, Platform], three_zones: Platform, variants: Platforms) -> list[Platform]:
    """The project's environments, production in three zones, and the variants."""
    return [*shipped.values(), three_zones, *variants.values()]


def is_found(check: Check, prod: Platform, type_: str, argument: str, **planted: object) -> bool:
    """Whether a check reports the argument after a change of the first resource of a type."""
    address = prod.of_type(type_)[0].address
    found = check(with_changed(prod, address, **planted))
    return is_noticed(f"{address}: {argument}", list(found), list(check(prod)))


def placeholders_in_strings(platform: Platform) -> Iterator[str]:
    for target in platform.of_type("aws_cloudwatch_event_target"):
        if transformer := target.body.get("input_transformer"):
            for placeholder in unescaped_placeholders(transformer["input_template"]):
                yield f"{target.address}: input_transformer: {placeholder} is within a string"


def test_placeholders_are_not_within_strings(all_platforms: list[Platform]):
    for platform in all_platforms:
        expect_none(placeholders_in_strings(platform))


def test_a_placeholder_within_a_string_is_found(prod: Platform):
    transformer = {"input_paths": {"why": "$.detail.reason"}, "input_template": '{"message": "failed: <why>"}'}
    assert is_found(
        placeholders_in_strings, prod, "aws_cloudwatch_event_target", "input_transformer", input_transformer=transformer
    )


def state_keys(platforms: list[Platform]) -> list[tuple[str, str]]:
    return [
        (stack.backend["bucket"], stack.backend["key"]) for platform in platforms for stack in platform.stacks.values()
    ]


def test_no_two_stacks_share_a_state(shipped: dict[str, Platform]):
    keys = state_keys(list(shipped.values()))
    assert len(keys) == sum(len(tiers_with_own(name)) for name in shipped)
    assert len(set(keys)) == len(keys)


def test_a_shared_state_is_found(prod: Platform):
    assert len(set(state_keys([prod, prod]))) < len(state_keys([prod, prod]))


def test_no_two_environments_share_a_bucket(shipped: dict[str, Platform]):
    buckets = {stack.backend["bucket"] for platform in shipped.values() for stack in platform.stacks.values()}
    assert len(buckets) == len(shipped)


def undescribed_rules(platform: Platform) -> Iterator[str]:
    for rule in platform.of_type(INGRESS, EGRESS):
        if not rule.body.get("description"):
            yield f"{rule.address}: description: does not explain the rule"


def test_every_security_group_rule_has_a_description(all_platforms: list[Platform]):
    for platform in all_platforms:
        assert len(platform.of_type(INGRESS, EGRESS)) >= 19
        expect_none(undescribed_rules(platform))


@pytest.mark.parametrize("type_", [INGRESS, EGRESS])
def test_a_rule_without_a_description_is_found(prod: Platform, type_: str):
    assert is_found(undescribed_rules, prod, type_, "description", description="")


# EC2's pattern: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpRange.html
EC2_DESCRIPTION = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}")


def invalid_descriptions(platform: Platform) -> Iterator[str]:
    for entry in platform.of_type("aws_security_group", INGRESS, EGRESS):
        if not EC2_DESCRIPTION.fullmatch(entry.body.get("description", "")):
            yield f"{entry.address}: description: EC2 rejects {entry.body.get('description')!r}"


def test_ec2_accepts_every_description(all_platforms: list[Platform]):
    for platform in all_platforms:
        expect_none(invalid_descriptions(platform))


@pytest.mark.parametrize("type_", ["aws_security_group", INGRESS, EGRESS])
def test_a_description_that_ec2_rejects_is_found(prod: Platform, type_: str):
    assert is_found(invalid_descriptions, prod, type_, "description", description="the customer's")


LOAD_BALANCER = "${aws_security_group.network_group-load-balancer.id}"


def public_ingress(platform: Platform) -> Iterator[str]:
    """Public ingress rules, except those of customers to the load balancer."""
    for rule in platform.of_type(INGRESS):
        group, *ports = (rule.body.get(argument) for argument in ("security_group_id", "from_port", "to_port"))
        if rule.body.get("cidr_ipv6"):
            yield f"{rule.address}: cidr_ipv6: {rule.body['cidr_ipv6']} to {group}, ports {ports}"
        is_customers = group == LOAD_BALANCER and ports in ([80, 80], [443, 443])
        if str(rule.body.get("cidr_ipv4", "")).endswith("/0") and not is_customers:
            yield f"{rule.address}: cidr_ipv4: {rule.body['cidr_ipv4']} to {group}, ports {ports}"


def test_only_ports_80_and_443_of_the_load_balancer_are_public(all_platforms: list[Platform]):
    for platform in all_platforms:
        expect_none(public_ingress(platform))


@pytest.mark.parametrize(
    ("argument", "planted"),
    [
        ("cidr_ipv4", {"from_port": 22, "to_port": 22, "cidr_ipv4": "0.0.0.0/0"}),
        ("cidr_ipv4", {"security_group_id": "${aws_security_group.x.id}", "cidr_ipv4": "0.0.0.0/0"}),
        ("cidr_ipv6", {"cidr_ipv6": "::/0"}),
    ],
)
def test_another_public_port_is_found(prod: Platform, argument: str, planted: dict[str, object]):
    assert is_found(public_ingress, prod, INGRESS, argument, **planted)


def unrestricted_egress(platform: Platform) -> Iterator[str]:
    """Egress rules to all addresses or for all protocols."""
    for rule in platform.of_type(EGRESS):
        if rule.body.get("cidr_ipv4") == "0.0.0.0/0":
            yield f"{rule.address}: cidr_ipv4: all addresses"
        if rule.body.get("ip_protocol") == "-1":
            yield f"{rule.address}: ip_protocol: all protocols"


def test_no_egress_rule_allows_all_destinations(all_platforms: list[Platform]):
    for platform in all_platforms:
        expect_none(unrestricted_egress(platform))


def test_an_egress_rule_to_all_destinations_is_found(prod: Platform):
    assert is_found(unrestricted_egress, prod, EGRESS, "cidr_ipv4", cidr_ipv4="0.0.0.0/0")
    assert is_found(unrestricted_egress, prod, EGRESS, "ip_protocol", ip_protocol="-1")


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


def untagged(platform: Platform) -> Iterator[str]:
    """Taggable resources that lack default tags, because of their provider or because they override them."""
    for resource in platform.resources:
        providers = {
            f"aws.{provider['alias']}" if "alias" in provider else "aws": provider
            for provider in platform.stacks[resource.tier].providers
        }
        provider = providers[resource.body.get("provider", "aws")]
        tags = {tag for default in provider.get("default_tags", []) for tag in default["tags"]}
        missing = (DEFAULT_TAGS - tags) | (DEFAULT_TAGS & (resource.body.get("tags") or {}).keys())
        if missing and is_taggable(resource.type):
            yield f"{resource.address}: tags: not the default {', '.join(sorted(missing))}"


def test_every_taggable_resource_has_the_default_tags(all_platforms: list[Platform]):
    for platform in all_platforms:
        assert sum(is_taggable(resource.type) for resource in platform.resources) > 50
        expect_none(untagged(platform))


def test_a_resource_without_the_default_tags_is_found(prod: Platform):
    assert is_found(untagged, prod, "aws_vpc", "tags", tags={"Environment": "other"})
    providers = [
        {name: value for name, value in provider.items() if name != "default_tags"}
        for provider in prod.stacks["foundation"].providers
    ]
    bare = replace(prod.stacks["foundation"], document={"provider": {"aws": providers}})
    planted = replace(prod, stacks={**prod.stacks, "foundation": bare})
    assert len(set(untagged(planted)) - set(untagged(prod))) > 10


def unprotected_log_groups(platform: Platform) -> Iterator[str]:
    for group in platform.of_type("aws_cloudwatch_log_group"):
        if group.body.get("kms_key_id") != "${aws_kms_key.foundation_key-logs.arn}":
            yield f"{group.address}: kms_key_id: {group.body.get('kms_key_id')}, expected: the key of logs"
        if not group.body.get("retention_in_days"):
            yield f"{group.address}: retention_in_days: logs never expire"


def test_every_log_group_has_the_logs_key_and_a_retention(all_platforms: list[Platform]):
    for platform in all_platforms:
        assert platform.of_type("aws_cloudwatch_log_group")
        expect_none(unprotected_log_groups(platform))


@pytest.mark.parametrize("argument", ["kms_key_id", "retention_in_days"])
def test_a_log_group_without_key_or_retention_is_found(prod: Platform, argument: str):
    assert is_found(unprotected_log_groups, prod, "aws_cloudwatch_log_group", argument, **{argument: None})


BUCKET_COMPANIONS = (
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_versioning",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_lifecycle_configuration",
)


def incomplete_buckets(platform: Platform) -> Iterator[str]:
    """Buckets that lack a resource that every bucket needs."""
    for bucket in platform.of_type("aws_s3_bucket"):
        companions = {
            each.type
            for each in platform.of_type(*BUCKET_COMPANIONS)
            if each.body["bucket"] == f"${{{bucket.address}.id}}"
        }
        if missing := [type_ for type_ in BUCKET_COMPANIONS if type_ not in companions]:
            yield f"{bucket.address}: has no {', no '.join(missing)}"


def test_every_bucket_has_its_companion_resources(all_platforms: list[Platform]):
    for platform in all_platforms:
        assert platform.of_type("aws_s3_bucket")
        expect_none(incomplete_buckets(platform))


@pytest.mark.parametrize("type_", BUCKET_COMPANIONS)
def test_a_bucket_without_a_companion_resource_is_found(prod: Platform, type_: str):
    (first, *_) = prod.of_type(type_)
    assert is_noticed(
        f"no {type_}", list(incomplete_buckets(without(prod, first.address))), list(incomplete_buckets(prod))
    )


def secret_values(platform: Platform) -> Iterator[str]:
    """Arguments that would put a secret in a plan or state."""
    for resource in platform.resources:
        for argument, value in resource.body.items():
            is_secret = any(word in argument for word in ("password", "secret_string", "auth_token"))
            if value and is_secret and argument not in {"manage_master_user_password", "no_password_required"}:
                yield f"{resource.address}: {argument}: is in every plan and state"


def test_no_argument_contains_a_secret(all_platforms: list[Platform]):
    for platform in all_platforms:
        expect_none(secret_values(platform))


def test_an_argument_with_a_secret_is_found(prod: Platform):
    assert is_found(secret_values, prod, "aws_rds_cluster", "master_password", master_password="x")


def test_answers_of_aws_are_described_for_each_type_of_the_stacks(all_platforms: list[Platform]):
    answers = tomllib.loads((ROOT / "local_aws" / "answers.toml").read_text(encoding="utf-8"))
    assert answers.keys() == {
        resource.type for platform in all_platforms for resource in platform.resources if resource.tier in TIERS
    }


STATED = {
    "aws_default_route_table": {"route": []},
    "aws_default_security_group": {"egress": [], "ingress": []},
    "aws_lb": {"ip_address_type": "ipv4"},
    "aws_rds_cluster": {"iam_roles": []},
    "aws_route_table": {"propagating_vgws": []},
}
"""Arguments that open access. If a stack leaves one out, the provider accepts whatever somebody sets."""


def unstated_arguments(platform: Platform) -> Iterator[str]:
    for type_, arguments in STATED.items():
        for resource in platform.of_type(type_):
            for argument, value in arguments.items():
                if resource.body.get(argument) != value:
                    yield f"{resource.address}: {argument}: expected {value}"


def test_arguments_that_open_access_are_stated(all_platforms: list[Platform]):
    for platform in all_platforms:
        expect_none(unstated_arguments(platform))


@pytest.mark.parametrize(("type_", "argument"), [(type_, each) for type_ in STATED for each in STATED[type_]])
def test_an_argument_that_is_not_stated_is_found(prod: Platform, type_: str, argument: str):
    assert is_found(unstated_arguments, prod, type_, argument, **{argument: None})


ELEMENT = re.compile(r"(\w+)\.([\w-]+)\.(\w+)(?:\[\d+\]|\.\d+)\.")


def breaking_outputs(stack: Stack) -> Iterator[str]:
    """Outputs of elements of lists that AWS fills. While such a list is empty, every plan of the tier fails."""
    for name, output in stack.document.get("output", {}).items():
        for type_, resource, argument in ELEMENT.findall(re.sub(r"try\([^)]*\)", "", output["value"])):
            if argument not in stack.document["resource"][type_][resource]:
                yield f"{type_}.{resource}: {argument}: may be empty, in output {name}"


def test_no_output_breaks_when_aws_returns_an_empty_list(all_platforms: list[Platform]):
    for platform in all_platforms:
        expect_none(problem for stack in platform.stacks.values() for problem in breaking_outputs(stack))


def test_an_output_that_breaks_is_found(prod: Platform):
    output = {"secret": {"value": "${aws_rds_cluster.cluster.master_user_secret[0].secret_arn}"}}
    database = prod.stacks["database"]
    (problem,) = breaking_outputs(replace(database, document={**database.document, "output": output}))
    assert problem == "aws_rds_cluster.cluster: master_user_secret: may be empty, in output secret"
