"""PCI DSS 10: what happened is written down, kept, and kept from being changed."""

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
"""Days: PCI DSS 10.5.1."""
IMMEDIATELY_AVAILABLE_DAYS = 90
"""Days that stay readable at once, of the same requirement."""
ARCHIVE_CLASSES = ("GLACIER", "DEEP_ARCHIVE")
"""Storage classes from which an object must first be restored."""

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
        yield f"aws_s3_bucket_logging: target_bucket: {logged & targets} would log their own delivery"
    for address in document.of_type("aws_s3_bucket"):
        if f"${{{address}.id}}" not in logged | targets:
            yield f"{address}: has no aws_s3_bucket_logging"


def _early_archives(document: Document) -> Iterable[str]:
    for address, body in document.of_type("aws_s3_bucket_lifecycle_configuration").items():
        for rule in body["rule"]:
            for move in rule.get("transition") or []:
                if move["storage_class"] in ARCHIVE_CLASSES and move.get("days", 0) < IMMEDIATELY_AVAILABLE_DAYS:
                    yield f"{address}: transition days: not readable at once after {move.get('days', 0)}"


def unmanaged_log_groups(document: Document) -> Iterable[str]:
    """Groups that AWS would make itself, without retention and key, because ours has another name or is not there."""
    names = {group["name"] for group in document.of_type("aws_cloudwatch_log_group").values()}
    wanted = [
        (address, f"/aws/rds/cluster/{cluster['cluster_identifier']}/{kind}")
        for address, cluster in document.of_type("aws_rds_cluster").items()
        for kind in cluster.get("enabled_cloudwatch_logs_exports") or []
    ]
    wanted += [
        (address, f"/aws/lambda/{body['function_name']}")
        for address, body in document.of_type("aws_lambda_function").items()
    ]
    wanted += [
        (address, f"/aws/ecs/containerinsights/{body['name']}/performance")
        for address, body in document.of_type("aws_ecs_cluster").items()
    ]
    for address, name in wanted:
        if name not in names:
            yield f"{address}: has no aws_cloudwatch_log_group {name}"


def _readable_secrets(document: Document) -> Iterable[str]:
    for address, logging in document.of_type("aws_wafv2_web_acl_logging_configuration").items():
        hidden = set(values(logging, "redacted_fields.single_header.name"))
        for header in sorted(REDACTED - hidden):
            yield f"{address}: redacted_fields: shows the header {header}"
    for address, acl in document.of_type("aws_wafv2_web_acl").items():
        if any(
            values(acl, "visibility_config.sampled_requests_enabled")
            + values(acl, "rule.visibility_config.sampled_requests_enabled")
        ):
            yield f"{address}: sampled_requests_enabled: samples show all headers"


def _unwritten_firewall_logs(document: Document) -> Iterable[str]:
    logged = {
        logging["resource_arn"] for logging in document.of_type("aws_wafv2_web_acl_logging_configuration").values()
    }
    for address in document.of_type("aws_wafv2_web_acl"):
        if f"${{{address}.arn}}" not in logged:
            yield f"{address}: has no aws_wafv2_web_acl_logging_configuration"
    for address, logging in document.of_type("aws_wafv2_web_acl_logging_configuration").items():
        for destination in logging.get("log_destination_configs") or []:
            if not str(document.referenced(destination).get("name")).startswith("aws-waf-logs-"):
                yield f"{address}: log_destination_configs: WAF delivers to no such name as that of {destination}"


CONTROLS = (
    Control(
        name="what-is-logged",
        requirements=("10.2.1", "10.4.2"),
        summary="Load balancer, database, cache, tasks, function and state machines log what is asked of them.",
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
        name="firewall-logs",
        requirements=("10.2.1", "10.4.2"),
        summary="The firewall logs every request and which rule refused it, but nothing that would let a reader be the "
        "customer.",
        checks=[
            Relation("each web ACL logs to a group whose name WAF takes", _unwritten_firewall_logs),
            Relation(
                f"the headers {', '.join(sorted(REDACTED))} are in no log, and no requests are sampled",
                _readable_secrets,
            ),
        ],
        mutations=[
            Removal("aws_wafv2_web_acl_logging_configuration", "the web ACL logs nothing"),
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
        name="private-logs",
        requirements=("1.4.4", "10.3.1", "10.3.2"),
        summary="Log buckets are open to nobody: no access list, no public policy; who reads them is logged in another.",
        checks=[
            Every(
                "aws_s3_bucket_public_access_block",
                dict.fromkeys(
                    ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"), True
                ),
            ),
            Every("aws_s3_bucket_ownership_controls", {"rule.object_ownership": "BucketOwnerEnforced"}),
            Relation("every bucket has both, versions, and an encryption of its own", _open_buckets),
            Relation(
                "every bucket's readers are logged, but those of the bucket that holds these logs", _unlogged_buckets
            ),
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
                "aws_s3_bucket_public_access_block.foundation_config-public-access", "a bucket has no access block"
            ),
            Removal(
                "aws_s3_bucket_server_side_encryption_configuration.foundation_delivery-encryption",
                "a bucket does not say how it is encrypted",
            ),
            Removal("aws_s3_bucket_logging.foundation_audit-logging", "nobody knows who reads the audit archive"),
            Replacement(
                "aws_s3_bucket_logging.foundation_audit-logging",
                "target_bucket",
                "${aws_s3_bucket.foundation_audit.id}",
            ),
        ],
    ),
    Control(
        name="unchangeable-logs",
        requirements=("10.3.2", "10.3.4"),
        summary="Nobody deletes a log before its age: every object has versions, no request may delete, and the audit "
        "archive is under Object Lock.",
        checks=[
            Every("aws_s3_bucket_versioning", {"versioning_configuration.status": "Enabled"}),
            Every(
                "aws_s3_bucket_policy",
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
        summary="Logs are kept for more than twelve months, the last three of them readable at once.",
        checks=[
            Every("aws_cloudwatch_log_group", {"retention_in_days": at_least(MINIMUM_RETENTION_DAYS)}),
            Every(
                "aws_s3_bucket_lifecycle_configuration",
                {"rule.expiration.days": at_least(MINIMUM_RETENTION_DAYS), "rule.status": "Enabled"},
            ),
            Relation(
                f"no log goes to {' or '.join(ARCHIVE_CLASSES)} before day {IMMEDIATELY_AVAILABLE_DAYS}",
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
        name="log-groups-of-ours",
        requirements=("10.5.1",),
        summary="Groups whose name AWS chooses are made before it would make them, without a key and without an end.",
        checks=[Relation("database, function and Container Insights find their groups", unmanaged_log_groups)],
        mutations=[
            Replacement("aws_cloudwatch_log_group.database_log-postgresql", "name", "/globecart/prod/database"),
            Replacement("aws_cloudwatch_log_group.rotation_log", "name", "/globecart/prod/rotation"),
            Replacement("aws_cloudwatch_log_group.service_insights-log", "name", "/globecart/prod/insights"),
        ],
    ),
)
