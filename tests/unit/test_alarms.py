"""Alarms of all tiers: metrics, actions, descriptions, missing data."""

import re

from stacks.parts.alarms import Alarm
from synthesized.platform import Body, Platform, Resource
from tests.conftest import VARIANTS
from tests.synthesized import RUNBOOKS, only

# From CloudWatch's documentation: namespace, metric, statistic, period in seconds, periods.
EXPECTED = {
    "network": {
        "nat-ports-a": ("AWS/NATGateway", "ErrorPortAllocation", "Sum", 60, 3),
        "nat-ports-b": ("AWS/NATGateway", "ErrorPortAllocation", "Sum", 60, 3),
        "rejected-from-within": ("globecart/prod", "RejectedFromWithin", "Sum", 300, 1),
    },
    "database": {
        "capacity": ("AWS/RDS", "ACUUtilization", "Maximum", 300, 3),
        "connections": ("AWS/RDS", "DatabaseConnections", "Maximum", 60, 5),
        "cpu": ("AWS/RDS", "CPUUtilization", "Maximum", 300, 3),
        "deadlocks": ("AWS/RDS", "Deadlocks", "Maximum", 60, 5),
        "failed-logins": ("globecart/prod", "FailedLogins", "Sum", 300, 1),
        "local-storage": ("AWS/RDS", "FreeLocalStorage", "Minimum", 300, 2),
        "memory": ("AWS/RDS", "FreeableMemory", "Minimum", 300, 3),
        "replica-lag": ("AWS/RDS", "AuroraReplicaLagMaximum", "Maximum", 60, 5),
    },
    "cache": {
        "connections": ("any of AWS/ElastiCache", "CurrConnections", "MAX", 60, 3),
        "cpu": ("any of AWS/ElastiCache", "EngineCPUUtilization", "MAX", 300, 3),
        "evictions": ("any of AWS/ElastiCache", "Evictions", "MAX", 60, 3),
        "memory": ("any of AWS/ElastiCache", "DatabaseMemoryUsagePercentage", "MAX", 300, 3),
        "replication-lag": ("any of AWS/ElastiCache", "ReplicationLag", "MAX", 60, 3),
    },
    "storage": {
        "io-limit": ("AWS/EFS", "PercentIOLimit", "Maximum", 300, 3),
        "replica-behind": ("AWS/EFS", "TimeSinceLastSync", "Maximum", 300, 3),
    },
    "rotation": {
        "duration": ("AWS/Lambda", "Duration", "Maximum", 300, 1),
        "errors": ("AWS/Lambda", "Errors", "Sum", 300, 1),
        "throttles": ("AWS/Lambda", "Throttles", "Sum", 300, 1),
    },
    "service": {
        "blocked": ("AWS/WAFV2", "BlockedRequests", "Sum", 300, 1),
        "certificate": ("AWS/CertificateManager", "DaysToExpiry", "Minimum", 86400, 1),
        "cpu": ("AWS/ECS", "CPUUtilization", "Average", 60, 10),
        "errors": ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count of RequestCount", "Sum", 60, 3),
        "latency": ("AWS/ApplicationELB", "TargetResponseTime among RequestCount", "p99", 60, 5),
        "memory": ("AWS/ECS", "MemoryUtilization", "Maximum", 60, 10),
        "refused": ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", "Sum", 60, 3),
        "tasks": ("ECS/ContainerInsights", "RunningTaskCount", "Minimum", 60, 10),
        "unhealthy": ("AWS/ApplicationELB", "UnHealthyHostCount", "Maximum", 60, 5),
    },
    "recovery": {
        "no-backup": ("AWS/Backup", "NumberOfBackupJobsCompleted", "Sum", 3600, 33),
    },
    "audit": {
        "bucket-policy-changes": ("globecart/prod", "BucketPolicyChanges", "Sum", 300, 1),
        "console-logins-without-mfa": ("globecart/prod", "ConsoleLoginsWithoutMfa", "Sum", 300, 1),
        "denied-calls": ("globecart/prod", "DeniedCalls", "Sum", 300, 1),
        "failed-console-logins": ("globecart/prod", "FailedConsoleLogins", "Sum", 300, 1),
        "identity-changes": ("globecart/prod", "IdentityChanges", "Sum", 300, 1),
        "key-loss": ("globecart/prod", "KeyLoss", "Sum", 300, 1),
        "network-acl-changes": ("globecart/prod", "NetworkAclChanges", "Sum", 300, 1),
        "root-use": ("globecart/prod", "RootUse", "Sum", 300, 1),
        "route-changes": ("globecart/prod", "RouteChanges", "Sum", 300, 1),
        "security-group-changes": ("globecart/prod", "SecurityGroupChanges", "Sum", 300, 1),
        "trail-silent": ("AWS/Logs", "IncomingLogEvents", "Sum", 900, 4),
    },
    "observability": {
        "application-errors": ("globecart/prod", "ApplicationErrors", "Sum", 300, 1),
        "workflows-failed": ("any of AWS/States", "ExecutionsFailed", "SUM", 300, 1),
        "workflows-timed-out": ("any of AWS/States", "ExecutionsTimedOut", "SUM", 300, 1),
        "events-lost": ("any of AWS/Events", "FailedInvocations", "SUM", 300, 1),
    },
}


def alarms(platform: Platform) -> list[Resource]:
    return platform.of_type("aws_cloudwatch_metric_alarm")


def measured(body: Body) -> tuple[str, str, str, int]:
    """Namespace, metric, statistic and period of an alarm on a metric, metric math or Metrics Insights."""
    if "metric_query" not in body:
        statistic = body.get("statistic") or body["extended_statistic"]
        return body["namespace"], body["metric_name"], statistic, body["period"]
    (returned,) = (query for query in body["metric_query"] if query.get("return_data"))
    if sql := re.fullmatch(r'SELECT (\w+)\((\w+)\) FROM "([\w/]+)"', returned["expression"]):
        return f"any of {sql[3]}", sql[2], sql[1], returned["period"]
    metrics = {query["id"]: query["metric"] for query in body["metric_query"] if "metric" in query}
    part, whole = metrics["part"], metrics["whole"]
    assert part["namespace"] == whole["namespace"]
    assert part["dimensions"] == whole["dimensions"]
    assert part["period"] == whole["period"]
    assert whole["stat"] == "Sum"
    relation = {
        "IF(FILL(whole, 0) >= 20, 100 * FILL(part, 0) / whole, 0)": "of",
        "IF(FILL(whole, 0) >= 20, part, 0)": "among",
    }[returned["expression"]]
    metric = f"{part['metric_name']} {relation} {whole['metric_name']}"
    return part["namespace"], metric, part["stat"], part["period"]


def test_each_tier_has_its_alarms(prod: Platform):
    assert {
        alarm.body["alarm_name"]: (*measured(alarm.body), alarm.body["evaluation_periods"]) for alarm in alarms(prod)
    } == {f"globecart-prod-{tier}-{name}": expected for tier in EXPECTED for name, expected in EXPECTED[tier].items()}


def test_every_alarm_notifies_the_topic_of_alarm_and_ok(platforms: dict[str, Platform]):
    for platform in platforms.values():
        for alarm in alarms(platform):
            assert alarm.body["alarm_actions"] == ["${aws_sns_topic.foundation_alarms.arn}"]
            assert alarm.body["ok_actions"] == ["${aws_sns_topic.foundation_alarms.arn}"]
            assert alarm.body.get("actions_enabled", True) is True
            assert alarm.body["treat_missing_data"] in {"breaching", "notBreaching", "missing"}


def test_every_alarm_ends_with_a_link_to_its_tiers_runbook_page(platforms: dict[str, Platform]):
    for platform in platforms.values():
        for alarm in alarms(platform):
            assert re.search(rf" Runbook: {RUNBOOKS}/{alarm.tier}\.md#[a-z-]+$", alarm.body["alarm_description"])


def test_every_custom_metric_has_a_metric_filter_and_an_alarm(prod: Platform):
    filtered = {
        (entry.body["metric_transformation"]["namespace"], entry.body["metric_transformation"]["name"])
        for entry in prod.of_type("aws_cloudwatch_log_metric_filter")
    }
    alarmed = {measured(alarm.body)[:2] for alarm in alarms(prod)}
    assert filtered == {(namespace, metric) for namespace, metric in alarmed if namespace == "globecart/prod"} != set()


def test_every_nat_gateway_has_an_alarm(prod: Platform):
    gateways = {
        alarm.body["dimensions"]["NatGatewayId"]
        for alarm in alarms(prod)
        if measured(alarm.body)[1] == "ErrorPortAllocation"
    }
    assert gateways == {f"${{aws_nat_gateway.network_nat-{letter}.id}}" for letter in "ab"}


def test_a_description_has_the_condition_and_the_reason():
    alarm = Alarm(
        name="free",
        namespace="AWS/RDS",
        metric="FreeLocalStorage",
        statistic="Minimum",
        at="most",
        threshold=3 * 2**29,
        unit="bytes",
        period=300,
        periods=2,
        treat_missing_data="breaching",
        reason="it fills",
    )
    assert alarm.description == "FreeLocalStorage at most 1.5 GiB for 10 min: it fills."


def test_at_least_and_at_most_determine_the_comparison_operator(prod: Platform):
    comparisons = {alarm.body["alarm_name"]: alarm.body["comparison_operator"] for alarm in alarms(prod)}
    assert comparisons["globecart-prod-database-local-storage"] == "LessThanOrEqualToThreshold"
    assert comparisons["globecart-prod-database-cpu"] == "GreaterThanOrEqualToThreshold"
    assert comparisons["globecart-prod-service-tasks"] == "LessThanOrEqualToThreshold"


def test_an_alarm_is_raised_below_the_minimum_number_of_tasks(prod: Platform, dev: Platform):
    for platform, always in ((prod, 4), (dev, 1)):
        (alarm,) = (alarm.body for alarm in alarms(platform) if alarm.name == "alarm-tasks")
        assert alarm["threshold"] == always - 1
        # No data means no tasks.
        assert alarm["treat_missing_data"] == "breaching"


def test_a_description_names_the_share_and_hours():
    alarm = Alarm(
        name="errors",
        namespace="AWS/ApplicationELB",
        metric="Failed",
        share_of="All",
        statistic="Sum",
        threshold=2,
        unit="percent",
        period=3600,
        periods=24,
        treat_missing_data="notBreaching",
        reason="it fails",
    )
    assert alarm.description == "Failed of All at least 2 percent for 24 h: it fails."


def test_descriptions_fit_cloudwatchs_limit_with_the_longest_runbook_url(variants: dict[str, Platform]):
    platform, longest = variants["prod"], VARIANTS["prod"]["foundation"]["runbooks"]
    composite = only(platform, "aws_cloudwatch_composite_alarm")
    for body in (*(alarm.body for alarm in alarms(platform)), composite):
        assert f"Runbook: {longest}/" in body["alarm_description"]
        assert len(body["alarm_description"]) <= 1024


def test_the_composite_alarm_combines_the_alarms_of_all_tiers(platforms: dict[str, Platform]):
    for name, platform in platforms.items():
        composite = only(platform, "aws_cloudwatch_composite_alarm")
        arns = {f"${{{alarm.address}.arn}}" for alarm in alarms(platform)}
        assert composite["alarm_name"] == f"globecart-{name}-platform-healthy"
        assert set(re.findall(r'ALARM\("(.+?)"\)', composite["alarm_rule"])) == arns
        assert composite["alarm_actions"] == composite["ok_actions"] == ["${aws_sns_topic.foundation_alarms.arn}"]
        # CloudWatch's limit, with the longest possible ARN in place of each reference.
        longest = "arn:aws:cloudwatch:ap-northeast-1:111122223333:alarm:globecart-a-12-letters-" + 40 * "x"
        assert len(re.sub(r"\$\{.+?\}", longest, composite["alarm_rule"])) <= 10240
        assert max(len(arn) for arn in arns) < len(longest)
