"""PCI DSS 10: logs, their retention, and their protection from changes."""

from collections.abc import Iterable

from synthesized.controls.control import (
    IS_SET,
    Control,
    Every,
    Relation,
    Removal,
    Replacement,
    at_least,
    containing,
    one_of,
    referring_to,
)
from synthesized.controls.document import Document, values

MINIMUM_RETENTION_DAYS = 365
"""PCI DSS 10.5.1: twelve months."""
IMMEDIATELY_AVAILABLE_DAYS = 90
"""PCI DSS 10.5.1: the last three months are immediately available."""
ARCHIVE_CLASSES = ("GLACIER", "DEEP_ARCHIVE")
"""S3 storage classes whose objects must be restored before they can be read."""

AUDIT_BUCKET = "aws_s3_bucket.foundation_audit"
REDACTED = {"authorization", "cookie"}


def _open_buckets(document: Document) -> Iterable[str]:
    for type_ in (
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_ownership_controls",
        "aws_s3_bucket_versioning",
    ):
        for address in document.unreferenced("aws_s3_bucket.id", f"{type_}.bucket"):
            yield f"{address}: has no {type_}"


def _unlogged_buckets(document: Document) -> Iterable[str]:
    logging = document.of_type("aws_s3_bucket_logging").values()
    logged, targets = {entry["bucket"] for entry in logging}, {entry.get("target_bucket") for entry in logging}
    if logged & targets:
        yield f"aws_s3_bucket_logging: target_bucket: {logged & targets} would log the delivery of logs"
    for address in document.of_type("aws_s3_bucket"):
        if f"${{{address}.id}}" not in logged | targets:
            yield f"{address}: has no aws_s3_bucket_logging"


def _early_archives(document: Document) -> Iterable[str]:
    for address, body in document.of_type("aws_s3_bucket_lifecycle_configuration").items():
        for rule in body["rule"]:
            for move in rule.get("transition") or []:
                if move["storage_class"] in ARCHIVE_CLASSES and move.get("days", 0) < IMMEDIATELY_AVAILABLE_DAYS:
                    yield f"{address}: transition days: not immediately available after {move.get('days', 0)}"


def unmanaged_log_groups(document: Document) -> Iterable[str]:
    """Log groups that AWS would create itself, without retention and key, because no stack has them."""
    names = {group["name"] for group in document.of_type("aws_cloudwatch_log_group").values()}
    wanted = [
        (address, f"/aws/rds/cluster/{cluster['cluster_identifier']}/{kind}")
        for address, cluster in document.of_type("aws_rds_cluster").items()
        for kind in cluster.get("enabled_cloudwatch_logs_exports") or []
    ]
    wanted += [
        (address, f"/aws/lambda/{body['function_name']}")
        # The boundary knows this name. Others name their group in `logging_config`, which is another control.
        for address, body in document.of_type("aws_lambda_function.rotation").items()
    ]
    wanted += [
        (address, f"/aws/ecs/containerinsights/{body['name']}/performance")
        for address, body in document.of_type("aws_ecs_cluster").items()
    ]
    for address, name in wanted:
        if name not in names:
            yield f"{address}: has no aws_cloudwatch_log_group {name}"


def _logged_secrets(document: Document) -> Iterable[str]:
    for address, logging in document.of_type("aws_wafv2_web_acl_logging_configuration").items():
        hidden = set(values(logging, "redacted_fields.single_header.name"))
        for header in sorted(REDACTED - hidden):
            yield f"{address}: redacted_fields: lacks header {header}"
    for address, acl in document.of_type("aws_wafv2_web_acl").items():
        if any(
            values(acl, "visibility_config.sampled_requests_enabled")
            + values(acl, "rule.visibility_config.sampled_requests_enabled")
        ):
            yield f"{address}: sampled_requests_enabled: samples contain all headers"


def _missing_waf_logs(document: Document) -> Iterable[str]:
    logged = {
        logging["resource_arn"] for logging in document.of_type("aws_wafv2_web_acl_logging_configuration").values()
    }
    for address in document.of_type("aws_wafv2_web_acl"):
        if f"${{{address}.arn}}" not in logged:
            yield f"{address}: has no aws_wafv2_web_acl_logging_configuration"
    for address, logging in document.of_type("aws_wafv2_web_acl_logging_configuration").items():
        for destination in logging.get("log_destination_configs") or []:
            if not str(document.referenced(destination).get("name")).startswith("aws-waf-logs-"):
                yield (
                    f"{address}: log_destination_configs: the name of {destination} does not begin with aws-waf-logs-, "
                    "so WAF cannot deliver to it"
                )


CONTROLS = (
    Control(
        name="logging",
        requirements=("10.2.1", "10.4.2"),
        summary="Load balancer, database, cache, tasks, function and state machines write logs.",
        checks=[
            Every("aws_lb", {"access_logs.enabled": True, "connection_logs.enabled": True}),
            Every(
                "aws_rds_cluster",
                {"enabled_cloudwatch_logs_exports": containing("postgresql")},
            ),
            Every(
                "aws_rds_cluster_parameter_group",
                {
                    "parameter[name=shared_preload_libraries].value": containing("pgaudit"),
                    "parameter[name=pgaudit.log].value": containing("ddl", "role"),
                    "parameter[name=log_connections].value": "1",
                    "parameter[name=log_disconnections].value": "1",
                    "parameter[name=log_statement].value": one_of("ddl", "mod", "all"),
                    "parameter[name=log_min_duration_statement].value": at_least(0),
                },
            ),
            Every(
                "aws_elasticache_replication_group",
                {
                    "log_delivery_configuration[log_type=slow-log].destination": IS_SET,
                    "log_delivery_configuration[log_type=engine-log].destination": IS_SET,
                },
            ),
            Every(
                "aws_ecs_task_definition",
                {
                    "container_definitions.logConfiguration.logDriver": "awslogs",
                    "container_definitions.logConfiguration.options.awslogs-group": referring_to(
                        "aws_cloudwatch_log_group"
                    ),
                },
            ),
            Every("aws_lambda_function", {"logging_config.log_group": referring_to("aws_cloudwatch_log_group")}),
            Every(
                "aws_sfn_state_machine",
                {
                    "logging_configuration.level": one_of("ERROR", "ALL"),
                    "logging_configuration.log_destination": referring_to("aws_cloudwatch_log_group"),
                },
            ),
        ],
        mutations=[
            Replacement("aws_lb", "access_logs.enabled", False),
            Replacement("aws_lb", "connection_logs", None),
            Replacement("aws_rds_cluster", "enabled_cloudwatch_logs_exports", ["iam-db-auth-error"]),
            *(
                Replacement("aws_rds_cluster_parameter_group", f"parameter[name={name}].value", value)
                for name, value in (
                    ("shared_preload_libraries", "pg_stat_statements"),
                    ("pgaudit.log", "none"),
                    ("log_connections", "0"),
                    ("log_disconnections", "0"),
                    ("log_statement", "none"),
                    ("log_min_duration_statement", "-1"),
                )
            ),
            Replacement("aws_elasticache_replication_group", "log_delivery_configuration", []),
            Replacement("aws_ecs_task_definition", "container_definitions.logConfiguration.logDriver", "none"),
            Replacement(
                "aws_ecs_task_definition", "container_definitions.logConfiguration.options.awslogs-group", "elsewhere"
            ),
            Replacement("aws_lambda_function", "logging_config.log_group", None),
            Replacement("aws_sfn_state_machine", "logging_configuration.level", "OFF"),
            Replacement("aws_sfn_state_machine", "logging_configuration", None),
        ],
    ),
    Control(
        name="waf-logs",
        requirements=("10.2.1", "10.4.2"),
        summary="AWS WAF logs every request and the rule that matched, without headers that authenticate customers.",
        checks=[
            Relation("every web ACL logs to a log group that WAF can deliver to", _missing_waf_logs),
            Relation(
                f"the headers {', '.join(sorted(REDACTED))} are redacted, and no requests are sampled", _logged_secrets
            ),
        ],
        mutations=[
            Removal("aws_wafv2_web_acl_logging_configuration", "the web ACL has no logs"),
            Replacement("aws_wafv2_web_acl_logging_configuration", "redacted_fields", None),
            Replacement(
                "aws_wafv2_web_acl_logging_configuration", "redacted_fields", [{"single_header": {"name": "cookie"}}]
            ),
            Replacement(
                "aws_wafv2_web_acl_logging_configuration",
                "log_destination_configs",
                ["${aws_cloudwatch_log_group.service_log.arn}"],
            ),
            Replacement("aws_wafv2_web_acl", "rule[name=common].visibility_config.sampled_requests_enabled", True),
        ],
    ),
    Control(
        name="log-bucket-access",
        requirements=("1.4.4", "10.3.1", "10.3.2"),
        summary="Log buckets have no ACLs and block public access. Access to them is logged in a separate bucket.",
        checks=[
            Every(
                "aws_s3_bucket_public_access_block",
                dict.fromkeys(
                    ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"), True
                ),
            ),
            Every("aws_s3_bucket_ownership_controls", {"rule.object_ownership": "BucketOwnerEnforced"}),
            Relation("every bucket has both, versioning, and an encryption configuration", _open_buckets),
            Relation("every bucket has access logs, except the one that stores them", _unlogged_buckets),
        ],
        mutations=[
            *(
                Replacement("aws_s3_bucket_public_access_block", argument, False)
                for argument in (
                    "block_public_acls",
                    "block_public_policy",
                    "ignore_public_acls",
                    "restrict_public_buckets",
                )
            ),
            Replacement("aws_s3_bucket_ownership_controls", "rule.object_ownership", "ObjectWriter"),
            Removal(
                "aws_s3_bucket_public_access_block.foundation_config-public-access",
                "a bucket has no public access block",
            ),
            Removal(
                "aws_s3_bucket_server_side_encryption_configuration.foundation_delivery-encryption",
                "a bucket has no encryption configuration",
            ),
            Removal("aws_s3_bucket_logging.foundation_audit-logging", "the audit archive has no access logs"),
            Replacement(
                "aws_s3_bucket_logging.foundation_audit-logging",
                "target_bucket",
                "${aws_s3_bucket.foundation_audit.id}",
            ),
        ],
    ),
    Control(
        name="log-integrity",
        requirements=("10.3.2", "10.3.4"),
        summary="Logs cannot be deleted before they expire: buckets have versioning and deny deletion, and the audit "
        "archive has Object Lock.",
        checks=[
            Every("aws_s3_bucket_versioning", {"versioning_configuration.status": "Enabled"}),
            Every(
                "aws_s3_bucket_policy.foundation",
                {
                    "policy.statement[sid=DenyDeletion].effect": "Deny",
                    "policy.statement[sid=DenyDeletion].principals.identifiers": ["*"],
                    "policy.statement[sid=DenyDeletion].condition": None,
                    "policy.statement[sid=DenyDeletion].actions": containing(
                        "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"
                    ),
                },
            ),
            Every(AUDIT_BUCKET, {"object_lock_enabled": True, "force_destroy": False}),
            Every(
                "aws_s3_bucket_object_lock_configuration",
                {"rule.default_retention.days": at_least(MINIMUM_RETENTION_DAYS), "bucket": f"${{{AUDIT_BUCKET}.id}}"},
            ),
        ],
        mutations=[
            Replacement("aws_s3_bucket_versioning", "versioning_configuration.status", "Suspended"),
            Replacement("aws_s3_bucket_policy", "policy.statement[sid=DenyDeletion].effect", "Allow"),
            Replacement("aws_s3_bucket_policy", "policy.statement[sid=DenyDeletion].principals.identifiers", ["x"]),
            Replacement("aws_s3_bucket_policy", "policy.statement[sid=DenyDeletion].actions", ["s3:DeleteObject"]),
            Replacement("aws_s3_bucket_policy", "policy.statement[sid=DenyDeletion].condition", [{"test": "Bool"}]),
            Replacement(AUDIT_BUCKET, "object_lock_enabled", False),
            Replacement(AUDIT_BUCKET, "force_destroy", True),
            Replacement("aws_s3_bucket_object_lock_configuration", "rule.default_retention.days", 90),
            Replacement("aws_s3_bucket_object_lock_configuration", "bucket", "${aws_s3_bucket.foundation_config.id}"),
        ],
    ),
    Control(
        name="retention",
        requirements=("10.5.1",),
        summary="Logs are retained for at least twelve months, with the last three immediately available.",
        checks=[
            Every("aws_cloudwatch_log_group", {"retention_in_days": at_least(MINIMUM_RETENTION_DAYS)}),
            Every(
                "aws_s3_bucket_lifecycle_configuration.foundation",
                {"rule.expiration.days": at_least(MINIMUM_RETENTION_DAYS), "rule.status": "Enabled"},
            ),
            Relation(
                f"no log moves to {' or '.join(ARCHIVE_CLASSES)} before day {IMMEDIATELY_AVAILABLE_DAYS}",
                _early_archives,
            ),
        ],
        mutations=[
            Replacement("aws_cloudwatch_log_group", "retention_in_days", 90),
            Replacement("aws_cloudwatch_log_group", "retention_in_days", None),
            Replacement("aws_s3_bucket_lifecycle_configuration", "rule.expiration", [{"days": 180}]),
            Replacement(
                "aws_s3_bucket_lifecycle_configuration",
                "rule.transition",
                [{"days": 30, "storage_class": "DEEP_ARCHIVE"}],
            ),
            Replacement("aws_s3_bucket_lifecycle_configuration", "rule.status", "Disabled"),
        ],
    ),
    Control(
        name="managed-log-groups",
        requirements=("10.5.1",),
        summary="The stacks create log groups that AWS would otherwise create itself, without a key or retention.",
        checks=[
            Relation(
                "the log groups of database, function and Container Insights are in the stacks", unmanaged_log_groups
            )
        ],
        mutations=[
            Replacement("aws_cloudwatch_log_group.database_log-postgresql", "name", "/acme/prod/database"),
            Replacement("aws_cloudwatch_log_group.rotation_log", "name", "/acme/prod/rotation"),
            Replacement("aws_cloudwatch_log_group.service_insights-log", "name", "/acme/prod/insights"),
        ],
    ),
)
