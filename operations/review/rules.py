"""Tables of review rules, one row per rule.

The first matching row applies, so specific rows come before general ones. Types and paths are regular expressions that
must match the entire type and the entire path, such as `access_logs/0/enabled`. Elements of a list are identified by
`name` if each has one, else by index.

Arguments: https://registry.terraform.io/providers/hashicorp/aws/latest/docs. Changes that interrupt a service:
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Modifying.html,
https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/replication-group-modify.html
"""

from dataclasses import dataclass
from enum import StrEnum

from operations.review.comparisons import (
    Comparison,
    becomes,
    changed,
    changed_if_set,
    enabled,
    gains,
    higher,
    later,
    leaves,
    loses,
    lower,
    off,
    older,
    on,
    scalar_changed,
    sooner,
    switched_on,
    unset,
    weaker_tls,
)


class Level(StrEnum):
    """Severity of a finding, worst first."""

    DATA_LOSS = "data-loss"
    DOWNTIME = "downtime"
    EXPOSURE = "exposure"
    ROTATION = "rotation"
    CAPACITY = "capacity"
    OTHER = "other"

    @property
    def rank(self) -> int:
        """Position in the order, 0 for the worst."""
        return list(Level).index(self)


DATA_LOSS, DOWNTIME, EXPOSURE, ROTATION, CAPACITY, OTHER = Level


@dataclass(frozen=True)
class ActionRule:
    """Rule for the creation, replacement or deletion of a resource."""

    types: str
    actions: str
    """Regular expression for values of `plan.ACTIONS`."""
    level: Level
    sentence: str
    stack_and_address: str = ".*"
    """Regular expression for stack and address, if the rule applies only to some resources of the type."""


@dataclass(frozen=True)
class ReviewRule:
    """Rule for the change of an argument."""

    types: str
    path: str
    is_worse: Comparison
    level: Level
    sentence: str
    applies_to_new: bool = False
    """Whether the rule also applies to new resources: one without encryption is as bad as one that loses it."""
    applies_to_new_part: bool = False
    """Whether it also applies to new resources that configure an existing one (`PARENTS`), unless they are disabled."""
    where: tuple[str, str] | None = None
    """Another argument and a regular expression for its new value, if the rule applies only to some resources."""


PARENTS = r"bucket|repository|table_name|storage_account_(id|name)|log_group_name|file_system_id|queue_url"
"""Arguments that name the resource which another one configures."""

CREATE, DELETE, FORGET, UPDATE = "create", "delete", "forget", "update"
REPLACE = "replace.*"
DELETE_FIRST = "replace"
DELETE_OR_REPLACE = "delete|replace.*"
ANY = ".*"

KEYS = (
    r"aws_kms_(key|external_key|replica_key|replica_external_key|custom_key_store)|aws_cloudhsm_v2_.*|tls_private_key"
)
SECRETS = r"aws_secretsmanager_secret(_version)?|aws_ssm_parameter"
LOGS = r"aws_cloudwatch_log_(group|stream)|aws_cloudtrail_event_data_store"
DATABASES = (
    r"aws_(rds|docdb|neptune|redshift|memorydb|dax)_(cluster|global_cluster)|aws_db_(instance|snapshot|cluster_snapshot)"
    r"|aws_dynamodb_(table|global_table|table_item)|aws_dsql_cluster|aws_redshiftserverless_namespace"
    r"|aws_opensearchserverless_collection|aws_timestreaminfluxdb_db_instance"
)
CACHES = r"aws_elasticache_(replication_group|cluster|serverless_cache|global_replication_group)"
FILES = (
    r"aws_s3_(bucket|directory_bucket|object|bucket_object)|aws_ebs_snapshot_copy|aws_ami(_copy)?"
    r"|aws_backup_logically_air_gapped_vault"
)
QUEUES = r"aws_sqs_queue|aws_kinesis_(stream|firehose_delivery_stream)|aws_msk_(serverless_)?cluster|aws_mq_broker"
IDENTITIES = (
    r"aws_cognito_(user_pool|identity_pool|user)|aws_directory_service_directory|aws_route53_zone"
    r"|aws_acmpca_certificate_authority"
)
# Types of other providers, and of other AWS services, whose names suggest stored data.
NAMED_LIKE_DATA = (
    r"kubernetes_namespace(_v1)?"
    r"|(?!aws_|.*route_table).*_(bucket|bigtable.*|cluster|cosmosdb.*|database|database_instance|dataset|db|disk"
    r"|file_?system|instance|key_ring|crypto_key|key_vault|key_vault_(key|secret)|registry|repository|secret|secret_version|server|share"
    r"|snapshot|storage|storage_account|storage_container|table|topic|queue|vault|volume|persistent_volume(_claim)?)"
    r"|(?!.*route_table)aws_\w+_(bucket|database|disk|domain|file_system|keyspace|ledger|repository|snapshot|table"
    r"|vault|volume)"
)

# Protections against data loss.
SAFETY_NETS = (
    r"aws_s3_bucket_(versioning|object_lock_configuration|replication_configuration)|aws_efs_(backup_policy"
    r"|replication_configuration)|aws_backup_(plan|selection|vault_lock_configuration|vault_policy)"
    r"|aws_db_instance_automated_backups_replication|aws_dlm_lifecycle_policy"
)
GUARDS = (
    r"aws_s3_bucket_(policy|public_access_block|server_side_encryption_configuration|ownership_controls)"
    r"|aws_s3_account_public_access_block|aws_waf.*|aws_shield_.*|aws_network_acl(_rule|_association)?"
    r"|aws_(efs_file_system|secretsmanager_secret|ecr_repository|ecr_registry|kms_key|sns_topic|sqs_queue|backup_vault)"
    r"_policy|aws_ebs_(encryption_by_default|default_kms_key|snapshot_block_public_access)"
    r"|aws_iam_account_password_policy|aws_organizations_policy(_attachment)?|aws_networkfirewall_.*"
    r"|aws_default_(security_group|network_acl)|aws_ec2_image_block_public_access|aws_ec2_instance_metadata_defaults"
)
WATCHERS = (
    r"aws_cloudwatch_(metric_alarm|composite_alarm|log_metric_filter|log_subscription_filter|event_rule|event_target"
    r"|metric_stream|log_anomaly_detector|log_data_protection_policy|log_delivery.*)|aws_cloudtrail|aws_config_.*"
    r"|aws_(guardduty|securityhub|macie2|accessanalyzer)_.*|aws_inspector.*|aws_flow_log|aws_s3_bucket_logging"
    r"|aws_wafv2_web_acl_logging_configuration|aws_route53_(query_log|resolver_query_log_config.*|health_check)"
    r"|aws_db_event_subscription|aws_sns_topic(_subscription)?|aws_scheduler_schedule|aws_synthetics_canary"
)
# Resources that are replaced without interruption, or do not affect others.
HARMLESS = (
    r"aws_ecs_(task_definition|tag)|aws_launch_(template|configuration)|aws_lambda_layer_version|aws_ec2_tag"
    r"|aws_cloudwatch_(dashboard|query_definition)|aws_resourcegroups_group|aws_budgets_.*|aws_ecr_lifecycle_policy"
    r"|aws_kms_alias|aws_ssm_document|null_resource|terraform_data|time_.*|local_(sensitive_)?file|random_(id|pet|uuid"
    r"|integer|shuffle|string)|aws_iam_instance_profile|aws_xray_.*|aws_sfn_alias|aws_acm_certificate_validation"
)
SCALING = r"aws_appautoscaling_.*|aws_autoscaling_(policy|schedule)"
COSTLY = (
    r"aws_(nat_gateway|eip|vpc_endpoint|lb|alb|elb|instance|spot_instance_request|db_instance|rds_cluster(_instance)?"
    r"|elasticache_(replication_group|cluster|serverless_cache)|memorydb_cluster|ecs_service|eks_(cluster|node_group)"
    r"|msk_cluster|mq_broker|opensearch_domain|redshift_cluster|fsx_\w+_file_system|ec2_transit_gateway.*"
    r"|vpn_(connection|gateway)|autoscaling_group|lambda_provisioned_concurrency_config|kinesis_stream"
    r"|networkfirewall_firewall|wafv2_web_acl|guardduty_detector|shield_protection|acmpca_certificate_authority"
    r"|efs_replication_configuration)"
)
GRANTING = (
    r"aws_iam_(access_key|user_login_profile|.*_attachment|user_group_membership|group_membership|role_policies_exclusive"
    r"|openid_connect_provider|saml_provider)|aws_kms_grant|aws_lambda_(permission|function_url)|aws_ram_.*"
    r"|aws_vpc_peering_connection.*|aws_internet_gateway|aws_ec2_transit_gateway_.*attachment|aws_vpn_.*"
    r"|aws_ssoadmin_(account_assignment|.*attachment)|aws_cloudfront_distribution|aws_s3_bucket_acl"
    r"|aws_vpc_endpoint_service_allowed_principal|aws_lambda_layer_version_permission|aws_ami_launch_permission"
    r"|aws_snapshot_create_volume_permission|azurerm_role_assignment|google_\w+_iam_(member|binding|policy)"
)
ROTATES = r"aws_secretsmanager_secret_rotation"

ROTATING = r"(?i).*rotat.*"
"""Regular expression for stack and address of resources of a rotation."""

ACTION_RULES = (
    # Data and keys.
    ActionRule(KEYS, DELETE_OR_REPLACE, DATA_LOSS, "the key is deleted: data encrypted with it becomes unreadable"),
    ActionRule(SECRETS, DELETE_OR_REPLACE, DATA_LOSS, "the secret is deleted with all versions"),
    ActionRule(LOGS, DELETE_OR_REPLACE, DATA_LOSS, "the logs are deleted"),
    ActionRule(DATABASES, DELETE_OR_REPLACE, DATA_LOSS, "the database is deleted with its data"),
    ActionRule(CACHES, DELETE_OR_REPLACE, DATA_LOSS, "the cache is deleted with its data"),
    ActionRule(FILES, DELETE_OR_REPLACE, DATA_LOSS, "the stored data is deleted"),
    ActionRule(QUEUES, DELETE_OR_REPLACE, DATA_LOSS, "unprocessed messages are deleted"),
    ActionRule(IDENTITIES, DELETE_OR_REPLACE, DATA_LOSS, "its content cannot be recreated"),
    ActionRule(SAFETY_NETS, DELETE, DATA_LOSS, "a protection against data loss is removed"),
    ActionRule(SAFETY_NETS, REPLACE, DATA_LOSS, "a protection against data loss is removed temporarily"),
    # Rotation, before the general rows for downtime.
    ActionRule(ROTATES, DELETE_OR_REPLACE, ROTATION, "the rotation of the secret is removed or restarted"),
    ActionRule(ROTATES, ANY, ROTATION, "the rotation of the secret changes"),
    ActionRule("aws_lambda_function", DELETE_OR_REPLACE, ROTATION, "the rotation function is deleted", ROTATING),
    ActionRule(
        "random_(password|bytes)|aws_iam_access_key",
        DELETE_OR_REPLACE,
        ROTATION,
        "the credential is replaced immediately",
    ),
    # Protection and monitoring.
    ActionRule(WATCHERS, DELETE, EXPOSURE, "notifications or recording stop"),
    ActionRule(WATCHERS, REPLACE, EXPOSURE, "notifications or recording stop until its replacement exists"),
    ActionRule(GUARDS, DELETE, EXPOSURE, "a protection is removed"),
    ActionRule(GUARDS, REPLACE, EXPOSURE, "a protection is removed until its replacement exists"),
    ActionRule(GRANTING, CREATE, EXPOSURE, "grants new access"),
    # Interruptions.
    ActionRule(HARMLESS, ANY, OTHER, ""),
    ActionRule(SCALING, DELETE_OR_REPLACE, CAPACITY, "auto scaling stops, at least until its replacement exists"),
    ActionRule(NAMED_LIKE_DATA, DELETE_OR_REPLACE, DATA_LOSS, "its type suggests stored data, which is deleted"),
    ActionRule(ANY, DELETE, DOWNTIME, "is deleted: whatever uses it stops"),
    ActionRule(
        ANY, DELETE_FIRST, DOWNTIME, "is deleted before its replacement exists: whatever uses it stops in between"
    ),
    ActionRule(ANY, REPLACE, DOWNTIME, "is replaced, the new one first: whatever uses it must switch over"),
    ActionRule(ANY, FORGET, CAPACITY, "is removed from the state: it still exists and costs, but no plan shows it"),
    ActionRule(ANY, "unknown", DATA_LOSS, "an action that this review does not know"),
    ActionRule(COSTLY, CREATE, CAPACITY, "is new and costs"),
)

INVOCATIONS = (
    (r".*_(stop|reboot|restart|terminate|power)(_.*)?", DOWNTIME, "stops or restarts what it acts on"),
    (r".*_(delete|destroy|purge|drop|restore)(_.*)?", DATA_LOSS, "deletes or overwrites what it acts on"),
    (ANY, OTHER, "runs an action: no plan shows its effect"),
)
"""Regular expression for an action's type, level, and sentence."""

DELETED_OUTSIDE = "was deleted outside Terraform: its replacement is empty"

PARAMETERS = r"parameter/[^/]+/value"
RDS_PARAMETERS = r"aws_(rds_cluster|db)_parameter_group"
ALARMS = r"aws_cloudwatch_(metric|composite)_alarm"
DB = r"aws_(rds_cluster|rds_cluster_instance|db_instance|docdb_cluster|neptune_cluster)"

# Arguments of the types that this platform uses.
TYPE_RULES = (
    # Data.
    ReviewRule("aws_lb", "enable_deletion_protection", off, DOWNTIME, "deletion protection is disabled"),
    ReviewRule("aws_cloudwatch_log_group", "retention_in_days", sooner, DATA_LOSS, "older logs are deleted"),
    ReviewRule("aws_cloudwatch_log_group", "retention_in_days", later, CAPACITY, "logs are kept for longer"),
    ReviewRule(
        "aws_s3_bucket.*", r"(lifecycle_)?rule/[^/]+/(status|enabled)", enabled, DATA_LOSS, "objects can expire"
    ),
    ReviewRule("aws_dynamodb_table", r"ttl/.*/enabled", on, DATA_LOSS, "items expire"),
    ReviewRule("aws_dynamodb_table", r"ttl/.*/attribute_name", scalar_changed, DATA_LOSS, "other items expire"),
    ReviewRule(
        "aws_s3_bucket_object_lock_configuration",
        r"rule/.*/(days|years)",
        lower,
        DATA_LOSS,
        "objects are locked for less time",
    ),
    ReviewRule(
        "aws_s3_bucket_object_lock_configuration",
        r"rule/.*/mode",
        leaves("COMPLIANCE"),
        DATA_LOSS,
        "privileged users can delete locked objects",
    ),
    ReviewRule(
        "aws_efs_backup_policy", r"backup_policy/.*/status", leaves("ENABLED"), DATA_LOSS, "is no longer backed up"
    ),
    ReviewRule(
        "aws_efs_file_system",
        r"protection/.*overwrite",
        leaves("ENABLED"),
        DATA_LOSS,
        "can be overwritten by replication",
    ),
    ReviewRule(
        "aws_ecr_lifecycle_policy",
        "policy",
        changed,
        DATA_LOSS,
        "different images are deleted",
        applies_to_new_part=True,
    ),
    ReviewRule(
        "aws_backup_plan",
        r"rule/.*(delete_after|schedule)",
        changed_if_set,
        DATA_LOSS,
        "backup schedule or retention changes",
    ),
    ReviewRule("aws_backup_vault_lock_configuration", r".*days", lower, DATA_LOSS, "backups are locked for less time"),
    ReviewRule(
        "aws_kms_key", "is_enabled", off, DATA_LOSS, "data encrypted with the key is unreadable while it is disabled"
    ),
    ReviewRule(DB, "(final_)?snapshot_identifier", unset, DATA_LOSS, "no final snapshot is configured"),
    ReviewRule("aws_elasticache_.*", "final_snapshot_identifier", unset, DATA_LOSS, "no final snapshot is created"),
    # Downtime.
    ReviewRule(DB, "engine_version", older, DOWNTIME, "older than the version that runs: AWS refuses the deployment"),
    ReviewRule(DB, "engine_version", changed, DOWNTIME, "the engine is upgraded: connections break while it restarts"),
    ReviewRule(
        DB, "instance_class", changed, DOWNTIME, "the instance restarts with another class; a writer fails over"
    ),
    ReviewRule(DB, "port", changed_if_set, DOWNTIME, "the instances restart, on another port"),
    ReviewRule(
        DB,
        "ca_cert_identifier|db_parameter_group_name|parameter_group_name",
        changed_if_set,
        DOWNTIME,
        "the instance must restart",
    ),
    ReviewRule(DB, "db_cluster_parameter_group_name", changed_if_set, DOWNTIME, "each instance must restart"),
    ReviewRule(DB, "multi_az", off, DOWNTIME, "the loss of a zone causes an outage"),
    ReviewRule(DB, "iam_database_authentication_enabled", off, DOWNTIME, "IAM authentication is disabled"),
    ReviewRule(DB, "(monitoring_interval|performance_insights_enabled)", off, EXPOSURE, "monitoring is reduced"),
    ReviewRule(DB, "(db_subnet_group_name|network_type)", changed_if_set, DOWNTIME, "it moves to other subnets"),
    ReviewRule(
        RDS_PARAMETERS, r"parameter/rds\.force_ssl/value", leaves("1"), EXPOSURE, "connections without TLS are accepted"
    ),
    ReviewRule(
        RDS_PARAMETERS,
        r"parameter/ssl_min_protocol_version/value",
        weaker_tls,
        EXPOSURE,
        "older TLS versions are accepted",
    ),
    ReviewRule(
        RDS_PARAMETERS, r"parameter/(log_.*|pgaudit\..*)/value", changed, EXPOSURE, "different statements are logged"
    ),
    ReviewRule(
        RDS_PARAMETERS,
        r"parameter/(shared_preload_libraries|max_.*|rds\..*|wal_.*|shared_buffers)/value",
        changed,
        DOWNTIME,
        "takes effect after a restart",
    ),
    ReviewRule(RDS_PARAMETERS, PARAMETERS, changed, CAPACITY, "a database parameter changes"),
    ReviewRule(
        "aws_elasticache_.*",
        "engine(_version)?",
        changed_if_set,
        DOWNTIME,
        "the engine is upgraded, node by node, with failovers",
    ),
    ReviewRule("aws_elasticache_.*", "node_type", changed, DOWNTIME, "nodes are replaced, with a failover per shard"),
    ReviewRule(
        "aws_elasticache_.*", "num_node_groups", lower, DOWNTIME, "shards are drained and removed; slots are rebalanced"
    ),
    ReviewRule("aws_elasticache_.*", "num_node_groups", higher, CAPACITY, "shards are added; slots are rebalanced"),
    ReviewRule(
        "aws_elasticache_.*",
        "(automatic_failover|multi_az)_enabled",
        off,
        DOWNTIME,
        "the loss of a node or zone causes an outage",
    ),
    ReviewRule(
        "aws_elasticache_.*",
        "replicas_per_node_group|num_cache_clusters",
        lower,
        DOWNTIME,
        "fewer replicas can take over",
    ),
    ReviewRule(
        "aws_elasticache_.*", "parameter_group_name", changed_if_set, DOWNTIME, "some parameters require a restart"
    ),
    ReviewRule(
        "aws_elasticache_.*",
        r"transit_encryption_mode",
        leaves("required"),
        EXPOSURE,
        "connections without TLS are accepted",
    ),
    ReviewRule("aws_elasticache_.*", r"log_delivery_configuration", loses, EXPOSURE, "log delivery stops or moves"),
    ReviewRule(
        "aws_elasticache_user", "no_password_required", on, EXPOSURE, "the user needs no password", applies_to_new=True
    ),
    ReviewRule("aws_elasticache_user", "access_string", changed, EXPOSURE, "the user's permissions change"),
    ReviewRule(
        "aws_elasticache_user", r"authentication_mode/.*", changed, ROTATION, "the user's authentication changes"
    ),
    ReviewRule("aws_elasticache_user_group", "user_ids", gains, EXPOSURE, "more users can log in"),
    ReviewRule("aws_elasticache_user_group", "user_ids", loses, DOWNTIME, "users can no longer log in"),
    ReviewRule("aws_ecs_service", "desired_count", becomes(0), DOWNTIME, "no tasks run"),
    ReviewRule("aws_ecs_service", "desired_count", changed, CAPACITY, "the number of tasks changes"),
    ReviewRule(
        "aws_ecs_service",
        "deployment_minimum_healthy_percent",
        lower,
        DOWNTIME,
        "fewer tasks serve during a deployment",
    ),
    ReviewRule(
        "aws_ecs_service", r"deployment_circuit_breaker/.*", off, DOWNTIME, "a failed deployment is not rolled back"
    ),
    ReviewRule("aws_ecs_service", r"alarms/.*(enable|rollback)", off, DOWNTIME, "alarms do not roll a deployment back"),
    ReviewRule(
        "aws_ecs_service",
        "availability_zone_rebalancing",
        leaves("ENABLED"),
        DOWNTIME,
        "tasks can become concentrated in one zone",
    ),
    ReviewRule("aws_ecs_service", r"load_balancer(/.*)?", loses, DOWNTIME, "it is removed from a load balancer"),
    ReviewRule("aws_ecs_service", r"network_configuration/.*/subnets", loses, DOWNTIME, "tasks leave a subnet"),
    ReviewRule(
        "aws_ecs_(service|cluster)",
        r"enable_execute_command",
        on,
        EXPOSURE,
        "users can run commands in tasks",
        applies_to_new=True,
    ),
    ReviewRule(
        "aws_ecs_task_definition",
        "container_definitions/.*/(privileged|pseudoTerminal|interactive)",
        on,
        EXPOSURE,
        "the container has more privileges",
        applies_to_new=True,
    ),
    ReviewRule(
        "aws_ecs_task_definition",
        "container_definitions/.*/readonlyRootFilesystem",
        off,
        EXPOSURE,
        "the root file system is writable",
    ),
    ReviewRule(
        "aws_ecs_task_definition",
        "container_definitions/.*/logConfiguration",
        unset,
        EXPOSURE,
        "the container does not log",
    ),
    ReviewRule(
        "aws_ecs_task_definition",
        r"container_definitions/[^/]+/secrets(/.*)?",
        changed,
        ROTATION,
        "tasks read other secrets",
    ),
    ReviewRule(
        "aws_ecs_task_definition",
        r"volume/.*/transit_encryption",
        leaves("ENABLED"),
        EXPOSURE,
        "files are transferred unencrypted",
    ),
    ReviewRule(
        "aws_ecs_task_definition",
        "task_role_arn|execution_role_arn",
        changed_if_set,
        EXPOSURE,
        "tasks have another role",
    ),
    ReviewRule("aws_lb", "subnets|subnet_mapping", loses, DOWNTIME, "it leaves a zone"),
    ReviewRule("aws_lb", "internal", off, EXPOSURE, "it faces the internet"),
    ReviewRule(
        "aws_lb",
        "enable_waf_fail_open",
        on,
        EXPOSURE,
        "requests pass when WAF is unavailable",
        applies_to_new=True,
    ),
    ReviewRule("aws_lb", "drop_invalid_header_fields", off, EXPOSURE, "malformed headers reach the application"),
    ReviewRule("aws_lb", "desync_mitigation_mode", becomes("monitor"), EXPOSURE, "ambiguous requests pass"),
    ReviewRule("aws_lb", "idle_timeout", lower, DOWNTIME, "requests that take longer are cut"),
    ReviewRule("aws_lb_listener", "protocol", leaves("HTTPS", "TLS"), EXPOSURE, "it serves without TLS"),
    ReviewRule("aws_lb_listener", "certificate_arn", changed_if_set, DOWNTIME, "the certificate changes"),
    ReviewRule(
        "aws_lb_listener",
        r"port|default_action(/.*)?/(type|target_group_arn)",
        changed_if_set,
        DOWNTIME,
        "requests go elsewhere",
    ),
    ReviewRule(
        "aws_lb_target_group",
        r"health_check/.*/(path|port|protocol|matcher|timeout|interval|unhealthy_threshold)",
        changed_if_set,
        DOWNTIME,
        "targets that fail the new check get no requests",
    ),
    ReviewRule("aws_lb_target_group", r"deregistration_delay", lower, DOWNTIME, "requests in progress are cut sooner"),
    ReviewRule(
        "aws_route53_record", r"records|alias/.*", changed_if_set, DOWNTIME, "the name resolves to another target"
    ),
    ReviewRule("aws_route", r".*_(id|arn|cidr_block)", changed_if_set, DOWNTIME, "traffic is routed elsewhere"),
    ReviewRule(
        "aws_vpc",
        "enable_dns_(hostnames|support)",
        off,
        DOWNTIME,
        "names in the VPC, including its endpoints, no longer resolve",
    ),
    ReviewRule(
        "aws_vpc_endpoint",
        "private_dns_enabled",
        off,
        DOWNTIME,
        "the service's name resolves to addresses outside the VPC",
    ),
    ReviewRule(
        "aws_vpc_endpoint", "(subnet|route_table)_ids", loses, DOWNTIME, "a subnet loses its route to the service"
    ),
    ReviewRule(
        "aws_network_acl|aws_default_network_acl", "subnet_ids", loses, EXPOSURE, "a subnet has another network ACL"
    ),
    ReviewRule(
        "aws_lambda_function",
        "runtime|handler|vpc_config/.*/(subnet_ids|security_group_ids)/?.*",
        changed_if_set,
        DOWNTIME,
        "its next invocation can fail: test it",
    ),
    ReviewRule("aws_lambda_function", "timeout", lower, DOWNTIME, "invocations that take longer are cut"),
    ReviewRule("aws_lambda_function", "reserved_concurrent_executions", becomes(0), DOWNTIME, "it cannot be invoked"),
    # Exposure.
    ReviewRule(
        "aws_s3_bucket_server_side_encryption_configuration",
        r"rule/.*/(sse_algorithm|kms_master_key_id)",
        changed_if_set,
        EXPOSURE,
        "the encryption of objects changes",
    ),
    ReviewRule(
        "aws_s3_bucket_ownership_controls",
        r"rule/.*/object_ownership",
        leaves("BucketOwnerEnforced"),
        EXPOSURE,
        "ACLs are enabled again",
    ),
    ReviewRule(
        "aws_s3_bucket_logging", "target_(bucket|prefix)", changed_if_set, EXPOSURE, "access is logged elsewhere"
    ),
    ReviewRule("aws_secretsmanager_secret_policy", "block_public_policy", off, EXPOSURE, "a public policy is accepted"),
    ReviewRule(
        "aws_secretsmanager_secret",
        "kms_key_id",
        changed,
        ROTATION,
        "the next version of the secret is encrypted with another key",
    ),
    ReviewRule("aws_kms_key", "rotation_period_in_days", higher, EXPOSURE, "the key is rotated less often"),
    ReviewRule("aws_kms_key", "bypass_policy_lockout_safety_check", on, EXPOSURE, "the key can become unmanageable"),
    ReviewRule(
        "aws_ecr_repository",
        "image_tag_mutability",
        becomes("MUTABLE"),
        EXPOSURE,
        "a tag can be moved to another image",
        applies_to_new=True,
    ),
    ReviewRule(
        "aws_ecr_repository", r"image_scanning_configuration/.*/scan_on_push", off, EXPOSURE, "images are not scanned"
    ),
    ReviewRule("aws_flow_log", "traffic_type", leaves("ALL"), EXPOSURE, "less traffic is recorded"),
    ReviewRule("aws_flow_log", "log_destination", changed_if_set, EXPOSURE, "traffic is recorded elsewhere"),
    ReviewRule(
        "aws_cloudtrail",
        "is_multi_region_trail|include_global_service_events|enable_log_file_validation",
        off,
        EXPOSURE,
        "less is recorded, or without integrity validation",
    ),
    ReviewRule("aws_wafv2_web_acl", r"rule", loses, EXPOSURE, "a WAF rule is removed"),
    ReviewRule(
        "aws_wafv2_web_acl",
        r"rule/.*/(override_)?action(_to_use)?/.*/count",
        gains,
        EXPOSURE,
        "WAF counts requests instead of blocking them",
    ),
    ReviewRule("aws_wafv2_web_acl", r"rule/.*/action/.*/allow", gains, EXPOSURE, "WAF allows requests"),
    ReviewRule(
        "aws_wafv2_web_acl",
        r"rule/.*/rate_based_statement/.*/limit",
        higher,
        EXPOSURE,
        "a client can send more requests",
    ),
    ReviewRule(
        "aws_wafv2_web_acl", r"rule/.*/rate_based_statement/.*/limit", lower, DOWNTIME, "clients are blocked sooner"
    ),
    ReviewRule(
        "aws_wafv2_web_acl", r"default_action/.*/allow", gains, EXPOSURE, "WAF allows requests that match no rule"
    ),
    ReviewRule("aws_wafv2_web_acl", r"rule/.*", scalar_changed, EXPOSURE, "a WAF rule changes"),
    ReviewRule(
        "aws_wafv2_web_acl_logging_configuration",
        "log_destination_configs",
        loses,
        EXPOSURE,
        "requests are logged elsewhere",
    ),
    ReviewRule(
        "aws_wafv2_web_acl_logging_configuration",
        "redacted_fields",
        loses,
        EXPOSURE,
        "a field is no longer redacted from logs",
    ),
    ReviewRule("aws_iam_role", "managed_policy_arns", gains, EXPOSURE, "a policy is attached to the role"),
    ReviewRule("aws_iam_role", "max_session_duration", higher, EXPOSURE, "sessions last longer"),
    ReviewRule(r"aws_iam_.*_attachment", "policy_arn", changed, EXPOSURE, "the attached policy changes"),
    ReviewRule(
        "aws_lambda_permission",
        "principal|source_arn|source_account|function_url_auth_type",
        changed,
        EXPOSURE,
        "another principal can invoke the function",
    ),
    ReviewRule(
        "aws_lambda_function_url",
        "authorization_type",
        becomes("NONE"),
        EXPOSURE,
        "anyone can invoke it",
        applies_to_new=True,
    ),
    ReviewRule(
        "aws_sfn_state_machine",
        r"logging_configuration/.*/level",
        changed_if_set,
        EXPOSURE,
        "logging of its executions changes",
    ),
    ReviewRule(
        "aws_ecs_cluster",
        r"setting/containerInsights/value",
        leaves("enabled", "enhanced"),
        EXPOSURE,
        "monitoring is reduced",
    ),
    ReviewRule(ALARMS, "actions_enabled", off, EXPOSURE, "the alarm sends no notifications"),
    ReviewRule(ALARMS, "(alarm|ok|insufficient_data)_actions", loses, EXPOSURE, "the alarm notifies fewer targets"),
    ReviewRule(ALARMS, "alarm_rule", loses, EXPOSURE, "the alarm combines other alarms"),
    ReviewRule(
        ALARMS, "(evaluation_periods|datapoints_to_alarm|period)", higher, EXPOSURE, "the alarm is triggered later"
    ),
    ReviewRule(
        ALARMS,
        "threshold",
        higher,
        EXPOSURE,
        "the alarm is triggered later",
        where=("comparison_operator", "Greater.*"),
    ),
    ReviewRule(
        ALARMS, "threshold", lower, EXPOSURE, "the alarm is triggered later", where=("comparison_operator", "Less.*")
    ),
    ReviewRule(
        ALARMS,
        "comparison_operator|metric_name|namespace|(extended_)?statistic|treat_missing_data|metric_query(/.*)?",
        changed_if_set,
        EXPOSURE,
        "the alarm evaluates something else",
    ),
    ReviewRule(
        "aws_cloudwatch_event_rule", "state", becomes("DISABLED"), EXPOSURE, "the events no longer trigger anything"
    ),
    ReviewRule("aws_cloudwatch_event_rule", "event_pattern", changed_if_set, EXPOSURE, "other events are matched"),
    ReviewRule("aws_cloudwatch_log_metric_filter", "pattern", changed_if_set, EXPOSURE, "other log lines are counted"),
    ReviewRule("aws_db_event_subscription", "enabled", off, EXPOSURE, "no events are sent"),
    ReviewRule("aws_db_event_subscription", "event_categories", loses, EXPOSURE, "fewer events are sent"),
    ReviewRule(
        "aws_sns_topic_subscription",
        "endpoint|filter_policy.*",
        changed_if_set,
        EXPOSURE,
        "notifications have another target or are filtered",
    ),
    ReviewRule(
        "aws_instance",
        r"metadata_options/.*/http_tokens",
        leaves("required"),
        EXPOSURE,
        "credentials can be read without a session token",
    ),
    ReviewRule("aws_instance", "instance_type|user_data.*|ami", changed, DOWNTIME, "the instance stops"),
    ReviewRule(
        "aws_eks_cluster",
        r"vpc_config/.*/(public_access_cidrs|endpoint_public_access)(/.*)?",
        gains,
        EXPOSURE,
        "more sources can reach it",
    ),
    # Rotation.
    ReviewRule(
        "aws_rds_cluster|aws_db_instance",
        "manage_master_user_password|master_user_secret_kms_key_id|master_password.*|master_username|password.*",
        changed,
        ROTATION,
        "the master user's credential or its storage changes",
    ),
    ReviewRule(
        "aws_secretsmanager_secret_version",
        "secret_.*|version_stages",
        changed,
        ROTATION,
        "Terraform writes the secret",
    ),
    # Capacity.
    ReviewRule(r"aws_appautoscaling_(target|policy)", r"(min|max)_capacity", lower, CAPACITY, "scales to fewer"),
    ReviewRule(
        r"aws_appautoscaling_(target|policy)", r"(min|max)_capacity", higher, CAPACITY, "scales to more, which costs"
    ),
    ReviewRule(
        r"aws_appautoscaling_policy",
        r"target_tracking_scaling_policy_configuration/.*",
        changed,
        CAPACITY,
        "the scaling policy changes",
    ),
    ReviewRule(
        "aws_ecs_service", r"capacity_provider_strategy(/.*)?", changed, CAPACITY, "tasks run on other capacity"
    ),
    ReviewRule("aws_ecs_task_definition", "cpu|memory", lower, CAPACITY, "tasks have less CPU or memory"),
    ReviewRule("aws_ecs_task_definition", "cpu|memory", higher, CAPACITY, "tasks have more CPU or memory, which costs"),
    ReviewRule(
        "aws_rds_cluster", r"serverlessv2_scaling_configuration/.*/(min|max)_capacity", lower, CAPACITY, "fewer ACU"
    ),
    ReviewRule(
        "aws_rds_cluster",
        r"serverlessv2_scaling_configuration/.*/(min|max)_capacity",
        higher,
        CAPACITY,
        "more ACU, which cost",
    ),
    ReviewRule(
        "aws_rds_cluster",
        r"serverlessv2_scaling_configuration/.*/seconds_until_auto_pause",
        changed,
        CAPACITY,
        "auto-pause changes",
    ),
    ReviewRule(
        "aws_efs_file_system",
        "throughput_mode|provisioned_throughput.*|lifecycle_policy.*",
        changed,
        CAPACITY,
        "performance or cost changes",
    ),
)

ANYWHERE = r"(.*/)?"
EXPIRIES = (
    ANYWHERE
    + r"([^/]*expiration/(.*/)?([^/]*days|date)|lifecycle_rule/.*age|delete_after_[^/]*days[^/]*|default_ttl_seconds"
    r"|default_(table|partition)_expiration_ms|expiration_(time|ms))"
)
"""Times after which stored data is deleted."""

# Arguments of any type of any provider, by their common names.
GENERIC_RULES = (
    ReviewRule(
        ANY,
        ANYWHERE + r"(enable_)?(deletion|termination)_protection(_enabled)?|disable_api_termination",
        off,
        DATA_LOSS,
        "deletion protection is disabled",
    ),
    ReviewRule(ANY, EXPIRIES, sooner, DATA_LOSS, "data expires, or sooner", applies_to_new_part=True),
    ReviewRule(ANY, EXPIRIES, later, CAPACITY, "data is kept for longer"),
    ReviewRule(
        ANY,
        ANYWHERE + r"(force_(destroy|delete)|skip_final_snapshot|delete_automated_backups|delete_on_termination)",
        on,
        DATA_LOSS,
        "deletion includes the data",
    ),
    ReviewRule(
        ANY,
        ANYWHERE + r".*(backup|snapshot|retention|recovery_window|deletion_window|soft_delete)"
        r".*(seconds|hours|days|period|limit)",
        lower,
        DATA_LOSS,
        "is kept for less time",
    ),
    ReviewRule(
        ANY,
        ANYWHERE + r".*(backup|snapshot|retention).*(seconds|hours|days|period|limit)",
        higher,
        CAPACITY,
        "is kept for longer",
    ),
    ReviewRule(
        ANY,
        ANYWHERE + r"(point_in_time_recovery.*|versioning)/?.*(enabled|status)?",
        off,
        DATA_LOSS,
        "can no longer be restored to the same extent",
    ),
    ReviewRule(
        ANY,
        ANYWHERE
        + r"(.*encrypt(ed|ion(_enabled|_at_rest)?)|[^/]*encrypt[^/]*/.*enabled|enable_key_rotation|.*require_ssl"
        r"|https_only|enforce_https|enable_https_traffic_only|node_to_node_encryption)",
        off,
        EXPOSURE,
        "encryption is disabled",
    ),
    ReviewRule(
        "aws_(rds_cluster|db_instance|efs_file_system|ebs_volume|docdb_cluster|neptune_cluster|redshift_cluster)",
        "(storage_)?encrypted",
        lambda _, after: not after,
        EXPOSURE,
        "is created without encryption",
        applies_to_new=True,
    ),
    ReviewRule(
        "aws_elasticache_replication_group",
        "(at_rest|transit)_encryption_enabled",
        lambda _, after: not after,
        EXPOSURE,
        "is created without encryption",
        applies_to_new=True,
    ),
    ReviewRule(
        ANY,
        ANYWHERE + r"(.*_)?kms_(master_)?key(_id|_arn|_name)?",
        changed_if_set,
        EXPOSURE,
        "is encrypted with another key or not at all",
    ),
    ReviewRule(
        ANY,
        ANYWHERE + r"([^/]*_)?(block|ignore|restrict|prevent|disable)_(.*_)?public(_.*)?|public_access_prevention",
        off,
        EXPOSURE,
        "it can become public",
        applies_to_new=True,
    ),
    ReviewRule(
        ANY,
        ANYWHERE + r"(?!.*(block|ignore|restrict|prevent|disable|export|import)_)([^/]*_)?public(ly)?(_[^/]*)?",
        switched_on,
        EXPOSURE,
        "can be reached from the internet",
        applies_to_new=True,
    ),
    ReviewRule(ANY, ANYWHERE + "(is_)?private", off, EXPOSURE, "is no longer private"),
    ReviewRule(
        ANY,
        ANYWHERE + "shared_accounts|((allowed|trusted|shared)_)(principal|account|organization)[^/]*",
        gains,
        EXPOSURE,
        "is shared with others",
        applies_to_new=True,
    ),
    ReviewRule(
        ANY,
        ANYWHERE + r"(ssl_policy|security_policy|tls_.*version|min.*tls.*|minimum_protocol_version)",
        weaker_tls,
        EXPOSURE,
        "accepts other ciphers or older TLS versions",
    ),
    ReviewRule(
        ANY,
        ANYWHERE + r"enabled_(cloudwatch_)?logs?_.*|enabled_cluster_log_types",
        loses,
        EXPOSURE,
        "fewer logs are written",
    ),
    ReviewRule(
        ANY,
        ANYWHERE + r"(.*log(s|ging)?(_config(uration)?)?(/.*)?(enabled|enable)|logging|access_logs?|enable_logging)",
        off,
        EXPOSURE,
        "logging is disabled",
    ),
    ReviewRule(
        ANY,
        r"(?!ingress|egress)" + ANYWHERE + r"(vpc_)?security_group(_id)?s",
        changed,
        EXPOSURE,
        "its security groups change",
    ),
    ReviewRule(
        ANY, r"permissions_boundary", changed_if_set, EXPOSURE, "the permissions boundary changes or is removed"
    ),
    ReviewRule(
        ANY,
        ANYWHERE
        + r"(allowed_ip.*|authorized_networks|ip_rules|source_(ranges|address_prefix(es)?)|trusted_.*|members?)",
        gains,
        EXPOSURE,
        "more sources are allowed",
    ),
    ReviewRule(
        ANY,
        ANYWHERE
        + r"(instance_(class|type|count|size)|node_(type|count)|number_of_.*nodes|machine_type|vm_size|tier|sku(_name)?"
        r"|(min|max|desired)_(capacity|size|count|instances|replicas)|desired_(count|capacity)|replicas?(_count|_per_.*)?|num_.*|shard_count"
        r"|allocated_storage|max_allocated_storage|(disk|volume|storage)_(size|type)(_gb)?|iops|(provisioned_)?throughput.*"
        r"|(read|write)_capacity|billing_mode|memory(_size)?|cpu|.*_units|ephemeral_storage|.*concurren.*|storage_class"
        r"|performance_insights_retention_period)",
        changed_if_set,
        CAPACITY,
        "its size changes, and so do its capacity and cost",
    ),
)

RULES = TYPE_RULES + GENERIC_RULES

ROTATION_CHANGED = "the rotation function changes"
_NAMED = r"(.*/)?(%s)(/[^/]+)?"
"""A pattern for an argument, or for an element of it."""
INTERNET_ADDED = "newly refers to the internet"
EVERYONE = (
    (_NAMED % r"source_address_prefix(es)?", r"(?i)\*|any|internet", INTERNET_ADDED),
    (_NAMED % r"end_ip(_address)?", r"255\.255\.255\.255", INTERNET_ADDED),
    (ANY, r"allUsers|allAuthenticatedUsers|public-read(-write)?|authenticated-read", "newly open to everyone"),
    (_NAMED % "shared_accounts|groups?", "all", "newly open to everyone"),
    (_NAMED % "visibility(_level)?", "public", "newly open to everyone"),
    (_NAMED % "(principal|allowed_principal|member)s?", r"\*", "newly open to everyone"),
    (
        _NAMED % "(managed_)?policy_arns?",
        r"arn:[\w-]+:iam::aws:policy/(AdministratorAccess|IAMFullAccess|PowerUserAccess)",
        "grants everything, or permissions to all of IAM",
    ),
    (_NAMED % "role", r"roles/(owner|editor|iam\.securityAdmin|resourcemanager\.\w+Admin)", "grants everything"),
    (_NAMED % "role_definition_name", "Owner|Contributor|User Access Administrator", "grants everything"),
)
"""Regular expressions for an argument and a value that opens something to everyone or grants everything; sentence."""
INACTIVE = (
    ("access|action|effect|rule_action", "deny|block"),
    ("direction|type", "outbound|egress"),
    ("status", "disabled"),
    ("enabled", "false"),
    ("disabled", "true"),
    ("deny", r"\[.+"),
)
"""Regular expressions for an argument and a value with which those beside it and below open or delete nothing."""
GRANTS = "its policy grants more"
GRANTS_NEW = "a new policy grants access"
GRANTS_TO_ALL = "its policy grants access to everyone"
GRANTS_EVERYTHING = "its policy grants everything, or all of a service"
GRANTS_UNKNOWN = "its policy is known only after apply"
GRANTS_ASSUMED = "part of its policy is known only after apply; the rest grants no more"
GRANTS_SENSITIVE = "its policy changes; it is sensitive, so the review does not compare it"
OPENS = "allows new traffic"
OPENS_TO_INTERNET = "allows new traffic to or from the internet"
DENIES_LESS = "removes a denial"
HIDDEN = "changes; the values are sensitive, so the review does not compare them"
KNOWN_LATER = "known only after apply, so the review cannot compare it"

REASONS = {
    "replace_because_tainted": "an earlier apply did not complete it",
    "replace_because_cannot_update": "it cannot be changed in place",
    "replace_by_request": "requested with -replace",
    "replace_by_triggers": "triggered by replace_triggered_by",
    "delete_because_no_resource_config": "it was removed from the configuration",
    "delete_because_no_module": "its module was removed from the configuration",
    "delete_because_wrong_repetition": "count or for_each was added or removed",
    "delete_because_count_index": "count was reduced",
    "delete_because_each_key": "its key was removed from for_each",
    "delete_because_no_move_target": "the target of its moved block does not exist",
}
"""Terraform's `action_reason`: https://developer.hashicorp.com/terraform/internals/json-format#plan-representation"""
