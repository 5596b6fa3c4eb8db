"""Every tier survives the loss of each Availability Zone, and a defect in any tier is found."""

from collections.abc import Callable
from typing import Any

import pytest

from operations.document.tables import zones_table
from stacks import ROOT
from stacks.settings import load_environments
from synthesized.platform import Platform
from synthesized.zones import NO_ZONE, zone_loss_by_tier
from tests.failures import expect_none
from tests.policy.planted import is_noticed, with_added, with_changed, without
from tests.synthesized import TIERS

pytestmark = pytest.mark.derived

A, B = "eu-west-3a", "eu-west-3b"


def failing_tiers(platform: Platform) -> dict[tuple[str, str], str]:
    """Tiers that do not survive: the reason, by tier and lost zone."""
    return {
        (tier, zone): verdict.reason
        for tier, by_zone in zone_loss_by_tier(platform).items()
        for zone, verdict in by_zone.items()
        if not verdict.survives
    }


def reasons(platform: Platform) -> set[tuple[str, str, str]]:
    """Tier, zone and reason of each tier that does not survive, one entry for each reason."""
    return {(*place, reason) for place, joined in failing_tiers(platform).items() for reason in joined.split("; ")}


@pytest.fixture(scope="module")
def before(prod: Platform) -> set[tuple[str, str, str]]:
    """Failing tiers without a planted defect."""
    return reasons(prod)


def test_production_survives_the_loss_of_any_zone(
    shipped: dict[str, Platform], platforms: dict[str, Platform], three_zones: Platform
):
    production = [settings.name for settings in load_environments(ROOT / "environments") if settings.production]
    for name in production:
        print(f"\n{name}\n{zones_table(shipped[name])}")
    resilient = [*(shipped[name] for name in production), platforms["prod"], platforms["staging"], three_zones]
    expect_none(
        f"{tier}, without {zone}: {reason}" for each in resilient for tier, zone, reason in sorted(reasons(each))
    )


def test_the_reference_has_two_zones_and_the_variant_three(prod: Platform, three_zones: Platform):
    assert prod.zones == [A, B]
    assert len(three_zones.zones) == 3


def test_development_depends_on_its_single_nat_gateway_and_its_single_task(dev: Platform):
    assert failing_tiers(dev) == {
        ("network", A): "no internet route within the zone: app-b",
        ("service", A): "all tasks may be lost until ECS replaces them (minimum: 1)",
        ("service", B): "all tasks may be lost until ECS replaces them (minimum: 1)",
    }


def test_every_zonal_tier_has_a_reason_for_its_survival(prod: Platform):
    reasons = {
        tier: by_zone[A].reason for tier, by_zone in zone_loss_by_tier(prod).items() if by_zone[A].reason != NO_ZONE
    }
    assert reasons == {
        "network": "internet routes: eu-west-3b; 7 interface endpoints: eu-west-3b",
        "database": "can be the writer: reader-1",
        "cache": "nodes per shard: 1 of 2",
        "storage": "mount targets: eu-west-3b",
        "rotation": "function: eu-west-3b",
        "service": "load balancer: eu-west-3b; tasks: 2 of 4; addresses for 4: eu-west-3b",
    }


def changed(address: str, **arguments: Any) -> Callable[[Platform], Platform]:
    return lambda prod: with_changed(prod, address, **arguments)


def within(address: str, argument: str, **arguments: Any) -> Callable[[Platform], Platform]:
    """Change arguments of a nested block."""

    def plant(prod: Platform) -> Platform:
        (found,) = (each.body[argument] for each in prod.resources if each.address == address)
        return with_changed(prod, address, **{argument: {**found, **arguments}})

    return plant


def subnet(kind: str, letter: str) -> str:
    return f"${{aws_subnet.network_{kind}-{letter}.id}}"


READER = "aws_rds_cluster_instance.database_reader-1"
CACHE = "aws_elasticache_replication_group.cache_cache"
SERVICE = "aws_ecs_service.service_service"

# Tier, lost zone, reason, defect.
DEFECTS: list[tuple[str, str, str, Callable[[Platform], Platform]]] = [
    (
        "network",
        A,
        "no internet route within the zone: app-b",
        changed("aws_route.network_app-b-to-nat", nat_gateway_id="${aws_nat_gateway.network_nat-a.id}"),
    ),
    (
        "network",
        A,
        "no internet route within the zone: app-b",
        changed("aws_nat_gateway.network_nat-b", subnet_id=subnet("public", "a")),
    ),
    (
        "network",
        A,
        "no internet route within the zone: app-b",
        lambda prod: without(prod, "aws_route.network_app-b-to-nat"),
    ),
    (
        "network",
        A,
        "no internet route within the zone: app-b",
        changed("aws_route.network_app-b-to-nat", nat_gateway_id=None, vpc_peering_connection_id="pcx-1"),
    ),
    (
        "network",
        A,
        "no internet route within the zone: public-b",
        lambda prod: without(prod, "aws_route_table_association.network_public-b-association"),
    ),
    (
        "network",
        B,
        "not in every remaining zone: endpoint-kms",
        changed("aws_vpc_endpoint.network_endpoint-kms", subnet_ids=[subnet("app", "b")]),
    ),
    ("database", A, "no instance with the writer's capacity", changed(READER, availability_zone=A)),
    ("database", A, "no instance with the writer's capacity", changed(READER, promotion_tier=2)),
    ("database", A, "no instance with the writer's capacity", lambda prod: without(prod, READER)),
    (
        "database",
        A,
        "no instance with the writer's capacity",
        changed("aws_db_subnet_group.database_subnets", subnet_ids=[subnet("data", "a")]),
    ),
    ("cache", A, "a shard may lose all its nodes", changed(CACHE, replicas_per_node_group=0)),
    ("cache", A, "a shard may lose all its nodes", changed(CACHE, multi_az_enabled=False)),
    ("cache", A, "a shard may lose all its nodes", changed(CACHE, automatic_failover_enabled=False)),
    (
        "cache",
        B,
        "a shard may lose all its nodes",
        changed("aws_elasticache_subnet_group.cache_subnets", subnet_ids=[subnet("data", "b")]),
    ),
    ("storage", A, "no mount target: eu-west-3b", lambda prod: without(prod, "aws_efs_mount_target.storage_mount-b")),
    ("storage", B, "One Zone file system", changed("aws_efs_file_system.storage_files", availability_zone_name=B)),
    (
        "rotation",
        B,
        "no subnet: function",
        within("aws_lambda_function.rotation_function", "vpc_config", subnet_ids=[subnet("app", "b")]),
    ),
    (
        "service",
        A,
        "not in every remaining zone: load-balancer",
        changed("aws_lb.service_load-balancer", subnets=[subnet("public", "a")]),
    ),
    (
        "service",
        A,
        "not in every remaining zone: tasks",
        changed("aws_lb_target_group.service_tasks", load_balancing_cross_zone_enabled="false"),
    ),
    (
        "service",
        B,
        "all tasks may be lost until ECS replaces them (minimum: 1)",
        changed("aws_appautoscaling_target.service_task-target", min_capacity=1),
    ),
    ("service", B, "all tasks may be lost until ECS replaces them (minimum: 1)", changed(SERVICE, desired_count=1)),
    (
        "service",
        A,
        "all tasks may be lost until ECS replaces them (minimum: 4)",
        within(SERVICE, "network_configuration", subnets=[subnet("app", "a")]),
    ),
    ("service", A, "addresses for 2 of 8 tasks", changed("aws_subnet.network_app-b", cidr_block="10.0.16.0/28")),
]


@pytest.mark.parametrize(
    ("tier", "zone", "reason", "plant"), DEFECTS, ids=[f"{tier}: {reason}" for tier, _, reason, _ in DEFECTS]
)
def test_defect_fails_its_tier(
    prod: Platform,
    before: set[tuple[str, str, str]],
    tier: str,
    zone: str,
    reason: str,
    plant: Callable[[Platform], Platform],
):
    planted = plant(prod)
    found = reasons(planted)
    assert is_noticed(reason, *([last for *place, last in each if place == [tier, zone]] for each in (found, before)))
    assert {each for each, *_ in found - before} <= {tier}
    lost = [row for row in zones_table(planted).splitlines() if "**lost**" in row]
    assert any(reason in row for row in lost)


@pytest.mark.parametrize("tier", TIERS)
def test_zonal_resource_without_a_rule_fails_its_tier(prod: Platform, before: set[tuple[str, str, str]], tier: str):
    for place in ({"subnet_id": subnet("app", "a")}, {"subnet_mapping": [{"subnet_id": subnet("app", "a")}]}):
        planted = with_added(prod, tier, "aws_planted", "server", place)
        assert reasons(planted) - before == {(tier, A, f"no zone-loss rule covers aws_planted.{tier}_server")}


def test_every_zonal_tier_has_a_defect(prod: Platform):
    zonal = {tier for tier, by_zone in zone_loss_by_tier(prod).items() if by_zone[A].reason != NO_ZONE}
    assert {tier for tier, *_ in DEFECTS} == zonal
