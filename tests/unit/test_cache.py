"""The cache: shards and replicas, users, parameters, logs, snapshots, scaling."""

import pytest

from synthesized.platform import Body, Platform
from tests.synthesized import bodies, conditions, has, only, statements

pytestmark = pytest.mark.tiers("cache")


def replication_group(platform: Platform) -> Body:
    return only(platform, "aws_elasticache_replication_group")


def test_the_cache_is_redis_in_cluster_mode(prod: Platform):
    assert has(
        prod,
        "cache",
        "aws_elasticache_replication_group",
        engine="redis",
        engine_version="7.1",
        node_type="cache.r7g.large",
        num_node_groups=2,
        replicas_per_node_group=1,
        port=6379,
    )
    assert parameters(prod)["cluster-enabled"] == "yes"


def test_the_cache_survives_the_loss_of_a_node_or_zone(platforms: dict[str, Platform]):
    for platform in platforms.values():
        group = replication_group(platform)
        assert group["automatic_failover_enabled"] is True
        assert group["multi_az_enabled"] is True
        assert group["replicas_per_node_group"] >= 1
        assert only(platform, "aws_elasticache_subnet_group")["subnet_ids"] == [
            f"${{aws_subnet.network_data-{letter}.id}}" for letter in "ab"
        ]
        assert group["subnet_group_name"] == "${aws_elasticache_subnet_group.cache_subnets.name}"


def test_a_cache_without_replicas_is_not_multi_az(variants: dict[str, Platform]):
    group = replication_group(variants["dev"])
    assert group["replicas_per_node_group"] == 0
    assert group["multi_az_enabled"] is False
    # Cluster mode requires it.
    assert group["automatic_failover_enabled"] is True


def test_the_cache_is_in_its_own_security_group(prod: Platform):
    assert replication_group(prod)["security_group_ids"] == ["${aws_security_group.network_group-cache.id}"]


def test_the_default_user_is_disabled(prod: Platform):
    default = bodies(prod, "aws_elasticache_user")["default"]
    assert default["user_name"] == "default"
    assert default["access_string"].split()[0] == "off"
    assert default["access_string"].endswith("-@all")
    # For "no-password-required" in authentication_mode, ElastiCache returns "no-password": a change in every plan.
    assert default["no_password_required"] is True
    assert "authentication_mode" not in default


def test_the_application_authenticates_with_iam_and_cannot_flush_the_cache(prod: Platform):
    user = bodies(prod, "aws_elasticache_user")["application"]
    assert user["authentication_mode"] == {"type": "iam"}
    # ElastiCache requires equality for IAM authentication.
    assert user["user_id"] == user["user_name"] == "acme-prod-application"
    rules = user["access_string"].split()
    assert rules[:3] == ["on", "~*", "-@all"]
    # Later rules take precedence. Redis's category @dangerous includes KEYS and FLUSHALL.
    assert rules.index("-@dangerous") > max(rules.index("+@read"), rules.index("+@write"))
    assert not {"+@all", "+@admin", "+@dangerous"} & set(rules)
    # Commands on the whole keyspace or server that are not in @dangerous.
    assert {"-scan", "-randomkey", "-dbsize", "-script", "-function"} <= set(rules)


def test_the_user_group_has_exactly_both_users(prod: Platform):
    group = only(prod, "aws_elasticache_user_group")
    assert group["user_ids"] == [
        "${aws_elasticache_user.cache_default.user_id}",
        "${aws_elasticache_user.cache_application.user_id}",
    ]
    assert replication_group(prod)["user_group_ids"] == ["${aws_elasticache_user_group.cache_users.user_group_id}"]


def parameters(platform: Platform) -> dict[str, str]:
    group = only(platform, "aws_elasticache_parameter_group")
    assert group["family"] == "redis7"
    return {entry["name"]: entry["value"] for entry in group["parameter"]}


def test_only_expiring_keys_are_evicted_when_memory_is_full(prod: Platform):
    assert parameters(prod)["maxmemory-policy"] == "volatile-lru"
    assert replication_group(prod)["parameter_group_name"] == "${aws_elasticache_parameter_group.cache_parameters.name}"


# "Managing reserved memory" in the ElastiCache User Guide.
def test_small_nodes_reserve_more_memory(platforms: dict[str, Platform], variants: dict[str, Platform]):
    assert {
        replication_group(platform)["node_type"]: parameters(platform)["reserved-memory-percent"]
        for platform in (*platforms.values(), variants["dev"])
    } == {"cache.r7g.large": "25", "cache.t4g.medium": "25", "cache.t4g.small": "30", "cache.t4g.micro": "50"}


def test_slow_log_and_engine_log_are_delivered(prod: Platform):
    logs = {entry["log_type"]: entry for entry in replication_group(prod)["log_delivery_configuration"]}
    assert logs.keys() == {"slow-log", "engine-log"}
    for kind, log in logs.items():
        assert log["destination_type"] == "cloudwatch-logs"
        assert log["destination"] == f"${{aws_cloudwatch_log_group.cache_log-{kind}.name}}"
    assert replication_group(prod)["depends_on"] == ["aws_cloudwatch_log_resource_policy.cache_log-delivery"]


def test_log_delivery_may_write_only_these_log_groups_for_this_account(prod: Platform):
    deliver = statements(prod, "cache", "log-delivery-policy")["Deliver"]
    assert deliver["principals"] == [{"type": "Service", "identifiers": ["delivery.logs.amazonaws.com"]}]
    assert deliver["resources"] == [
        f"${{aws_cloudwatch_log_group.cache_log-{kind}.arn}}:log-stream:*" for kind in ("slow-log", "engine-log")
    ]
    assert conditions(deliver) == {
        "StringEquals aws:SourceAccount": ["111122223333"],
        "ArnLike aws:SourceArn": ["arn:aws:logs:eu-west-3:111122223333:*"],
    }


def test_snapshots_are_kept_and_taken_outside_maintenance(prod: Platform):
    group = replication_group(prod)
    assert group["snapshot_retention_limit"] >= 7
    assert group["snapshot_window"] == "08:00-09:00"
    assert group["maintenance_window"] == "sun:10:00-sun:11:00"
    assert group["final_snapshot_identifier"] == "acme-prod-cache-final"
    assert group["auto_minor_version_upgrade"] == "true"
    assert group["apply_immediately"] is False


def test_without_deletion_protection_there_is_no_final_snapshot(dev: Platform):
    assert "final_snapshot_identifier" not in replication_group(dev)
    assert "lifecycle" not in replication_group(dev)


def test_autoscaling_adds_shards_and_terraform_ignores_their_number(prod: Platform):
    target = bodies(prod, "aws_appautoscaling_target")["shard-target"]
    assert (target["min_capacity"], target["max_capacity"]) == (2, 4)
    assert target["scalable_dimension"] == "elasticache:replication-group:NodeGroups"
    assert target["resource_id"] == (
        "replication-group/${aws_elasticache_replication_group.cache_cache.replication_group_id}"
    )
    tracked = {
        policy["target_tracking_scaling_policy_configuration"]["predefined_metric_specification"][
            "predefined_metric_type"
        ]: policy["target_tracking_scaling_policy_configuration"]["target_value"]
        for policy in bodies(prod, "aws_appautoscaling_policy").values()
        if policy["scalable_dimension"] == "${aws_appautoscaling_target.cache_shard-target.scalable_dimension}"
    }
    assert tracked == {
        "ElastiCachePrimaryEngineCPUUtilization": 60,
        "ElastiCacheDatabaseMemoryUsageCountedForEvictPercentage": 70,
    }
    assert replication_group(prod)["lifecycle"] == {"prevent_destroy": True, "ignore_changes": ["num_node_groups"]}


def test_without_autoscaling_terraform_manages_the_number_of_shards(dev: Platform):
    assert "shard-target" not in bodies(dev, "aws_appautoscaling_target")


def test_the_endpoint_is_an_output(prod: Platform):
    outputs = prod.stacks["cache"].document["output"]
    assert outputs["configuration_endpoint"]["value"] == (
        "${aws_elasticache_replication_group.cache.configuration_endpoint_address}"
    )
    assert outputs["user_name"]["value"] == "${aws_elasticache_user.application.user_name}"
