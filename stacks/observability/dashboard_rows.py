"""Rows of the dashboard: the most important metrics of each tier, starting with those that customers notice."""

from cdktf_cdktf_provider_aws.efs_file_system import EfsFileSystem
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

from stacks.audit import watched_calls
from stacks.names import Names
from stacks.network.flow_logs import REJECTED_FROM_WITHIN
from stacks.observability.dashboard import AggregateLine, DashboardRow, Graph, Line
from stacks.recovery.stack import RESOURCE_TYPES
from stacks.service import waf
from stacks.service.stack import ServiceStack


def dashboard_rows(names: Names, *, topic: SnsTopic, files: EfsFileSystem, service: ServiceStack) -> list[DashboardRow]:
    """One row per tier."""
    return [
        _service(names, service),
        _database(names),
        _cache(),
        _storage(files),
        _rotation(names),
        _recovery(names),
        _network(names),
        _audit(names),
        _foundation(topic),
    ]


def _service(names: Names, service: ServiceStack) -> DashboardRow:
    elb, balancer = "AWS/ApplicationELB", service.load_balancer.dimensions
    ecs, insights, tasks = "AWS/ECS", "ECS/ContainerInsights", service.dimensions
    acl = waf.dimensions(names, names.region)
    return DashboardRow(
        "Service",
        [
            Graph(
                "Requests a minute",
                [
                    Line("all", elb, "RequestCount", balancer, "Sum"),
                    Line("failed", elb, "HTTPCode_Target_5XX_Count", balancer, "Sum"),
                    Line("without a task", elb, "HTTPCode_ELB_5XX_Count", balancer, "Sum"),
                    Line("blocked", "AWS/WAFV2", "BlockedRequests", acl, "Sum"),
                ],
            ),
            Graph(
                "Seconds to an answer",
                [
                    Line("half of all", elb, "TargetResponseTime", balancer, "p50"),
                    Line("99 of 100", elb, "TargetResponseTime", balancer, "p99"),
                ],
            ),
            Graph(
                "Tasks",
                [
                    Line("running", insights, "RunningTaskCount", tasks),
                    Line("desired", insights, "DesiredTaskCount", tasks),
                ],
            ),
            Graph(
                "Percent of a task",
                [
                    Line("CPU", ecs, "CPUUtilization", tasks),
                    Line("memory", ecs, "MemoryUtilization", tasks, "Maximum"),
                ],
            ),
        ],
    )


def _database(names: Names) -> DashboardRow:
    rds, cluster = "AWS/RDS", {"DBClusterIdentifier": names.database}
    return DashboardRow(
        "Database",
        [
            Graph("Percent of the maximum capacity", [Line("used", rds, "ACUUtilization", cluster, "Maximum")]),
            Graph("Connections", [Line("most of an instance", rds, "DatabaseConnections", cluster, "Maximum")]),
            Graph(
                "Milliseconds that readers lag",
                [Line("furthest", rds, "AuroraReplicaLagMaximum", cluster, "Maximum")],
            ),
            Graph("Deadlocks a second", [Line("deadlocks", rds, "Deadlocks", cluster, "Maximum")]),
        ],
    )


def _cache() -> DashboardRow:
    # ElastiCache publishes each metric by cluster as well.
    cache, node = "AWS/ElastiCache", ("CacheClusterId", "CacheNodeId")
    return DashboardRow(
        "Cache",
        [
            Graph("Percent of a node's CPU", [AggregateLine("busiest", cache, "EngineCPUUtilization")]),
            Graph("Percent of a node's memory", [AggregateLine("fullest", cache, "DatabaseMemoryUsagePercentage")]),
            Graph(
                "Keys asked for a minute",
                [
                    AggregateLine("found", cache, "CacheHits", "SUM", node),
                    AggregateLine("missed", cache, "CacheMisses", "SUM", node),
                ],
            ),
            Graph("Keys dropped a minute", [AggregateLine("most of a node", cache, "Evictions")]),
        ],
    )


def _storage(files: EfsFileSystem) -> DashboardRow:
    efs, dimensions = "AWS/EFS", {"FileSystemId": files.id}
    return DashboardRow(
        "Storage",
        [
            Graph("Percent of the I/O limit", [Line("used", efs, "PercentIOLimit", dimensions, "Maximum")]),
            Graph("Bytes a minute", [Line("metered", efs, "MeteredIOBytes", dimensions, "Sum")]),
            Graph("Connections", [Line("tasks", efs, "ClientConnections", dimensions, "Sum")]),
        ],
    )


def _rotation(names: Names) -> DashboardRow:
    function, dimensions = "AWS/Lambda", {"FunctionName": names.rotation}
    return DashboardRow(
        "Rotation",
        [
            Graph(
                "Steps",
                [
                    Line("all", function, "Invocations", dimensions, "Sum"),
                    Line("failed", function, "Errors", dimensions, "Sum"),
                ],
            ),
            Graph("Milliseconds of a step", [Line("longest", function, "Duration", dimensions, "Maximum")]),
        ],
    )


def _recovery(names: Names) -> DashboardRow:
    backup = "AWS/Backup"
    dimensions = {
        name: {"BackupVaultName": names.vault, "ResourceType": type_} for name, type_ in RESOURCE_TYPES.items()
    }
    jobs = (("completed", "NumberOfBackupJobsCompleted"), ("failed", "NumberOfBackupJobsFailed"))
    kept = (("kept", "NumberOfRecoveryPointsCompleted"), ("in cold storage", "NumberOfRecoveryPointsCold"))
    return DashboardRow(
        "Recovery",
        [
            Graph(
                "Backups",
                [
                    Line(f"{name} {ended}", backup, metric, each, "Sum")
                    for name, each in dimensions.items()
                    for ended, metric in jobs
                ],
            ),
            Graph(
                "Backups kept",
                [
                    Line(f"{name} {where}", backup, metric, each, "Maximum")
                    for name, each in dimensions.items()
                    for where, metric in kept
                ],
            ),
        ],
    )


def _network(names: Names) -> DashboardRow:
    nat, gateway = "AWS/NATGateway", ("NatGatewayId",)
    return DashboardRow(
        "Network",
        [
            Graph("Bytes out through NAT", [AggregateLine("all", nat, "BytesOutToDestination", "SUM", gateway)]),
            Graph(
                "Connections that NAT has no port for",
                [AggregateLine("all", nat, "ErrorPortAllocation", "SUM", gateway)],
            ),
            Graph(
                "Refused from within", [Line("connections", names.metric_namespace, REJECTED_FROM_WITHIN, {}, "Sum")]
            ),
        ],
    )


def _audit(names: Names) -> DashboardRow:
    log = {"LogGroupName": names.trail_log_group}
    counted = {
        row.name: Line(row.name.replace("-", " "), names.metric_namespace, row.metric, {}, "Sum")
        for row in watched_calls.CALL_METRICS
    }
    denied = counted.pop("denied-calls")
    return DashboardRow(
        "Audit",
        [
            Graph("Calls that are not part of normal operation", list(counted.values())),
            Graph("Calls that were denied", [denied]),
            Graph("Calls that the trail has", [Line("all", "AWS/Logs", "IncomingLogEvents", log, "Sum")]),
        ],
    )


def _foundation(topic: SnsTopic) -> DashboardRow:
    sns, dimensions = "AWS/SNS", {"TopicName": topic.name}
    return DashboardRow(
        "Foundation",
        [
            Graph(
                "Messages of the alarm topic",
                [
                    Line("delivered", sns, "NumberOfNotificationsDelivered", dimensions, "Sum"),
                    Line("failed", sns, "NumberOfNotificationsFailed", dimensions, "Sum"),
                ],
            ),
            Graph(
                "Bytes logged a minute",
                [AggregateLine("all", "AWS/Logs", "IncomingBytes", "SUM", ("LogGroupName",))],
            ),
        ],
    )
