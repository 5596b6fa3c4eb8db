"""What is worse than before: tables to extend, a row a rule.

The first row that fits decides; what is special stands before what is general. Types and paths are regular expressions
that match the whole of a type and of a path such as `access_logs/0/enabled`; elements of a list are called by their
`name`, where each has one, or else by their number.

What each argument does: https://registry.terraform.io/providers/hashicorp/aws/latest/docs, and which changes interrupt:
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
    gains,
    higher,
    later,
    leaves,
    loses,
    lower,
    off,
    on,
    scalar_changed,
    sooner,
    unset,
    weaker_tls,
)


class Level(StrEnum):
    """What is at stake, the worst first."""

    DATA_LOSS = "data-loss"
    DOWNTIME = "downtime"
    EXPOSURE = "exposure"
    ROTATION = "rotation"
    CAPACITY = "capacity"
    OTHER = "other"

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return list(Level).index(self)


DATA_LOSS, DOWNTIME, EXPOSURE, ROTATION, CAPACITY, OTHER = Level


@dataclass(frozen=True)
class ActionRule:
    """What it means that something is made, replaced or deleted."""

    types: str
    actions: str
    """Regular expression of `plan.ACTIONS`."""
    level: Level
    sentence: str
    stack_and_address: str = ".*"
    """Regular expression of stack and address, where it holds for some of the type alone."""


@dataclass(frozen=True)
class ReviewRule:
    """What it means that an argument changes."""

    types: str
    path: str
    is_worse: Comparison
    level: Level
    sentence: str
    applies_to_new: bool = False
    """Whether it also holds for what is made: one without encryption is no better than one that loses it."""
    where: tuple[str, str] | None = None
    """Another argument, and the regular expression of what it becomes, where it holds for some of the type alone."""


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
IDENTITIES = r"aws_cognito_(user_pool|identity_pool|user)|aws_route53_zone|aws_acmpca_certificate_authority"
# Of other providers, and of AWS's other services, whatever is called so.
NAMED_LIKE_DATA = (
    r"(?!aws_|.*route_table).*_(bucket|bigtable.*|cluster|cosmosdb.*|database|database_instance|dataset|db|disk|file_?system|instance"
    r"|key_ring|crypto_key|key_vault|key_vault_(key|secret)|registry|repository|secret|secret_version|server|share"
    r"|snapshot|storage|storage_account|storage_container|table|topic|queue|vault|volume|persistent_volume(_claim)?)"
    r"|(?!.*route_table)aws_\w+_(bucket|database|disk|domain|file_system|keyspace|ledger|repository|snapshot|table"
    r"|vault|volume)"
)

# What stands between data and its loss.
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
# What has successors without a gap, or stands still.
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
    r"|aws_vpc_endpoint_service_allowed_principal|aws_lambda_layer_version_permission"
)
ROTATES = r"aws_secretsmanager_secret_rotation"

ROTATING = r"(?i).*rotat.*"
"""Stack or address of what takes part in a rotation."""

ACTION_RULES = (
    # Of what keeps data or keys.
    ActionRule(KEYS, DELETE_OR_REPLACE, DATA_LOSS, "the key goes: what it encrypted cannot be read any more"),
    ActionRule(SECRETS, DELETE_OR_REPLACE, DATA_LOSS, "the secret goes, with its versions"),
    ActionRule(LOGS, DELETE_OR_REPLACE, DATA_LOSS, "the logs go"),
    ActionRule(DATABASES, DELETE_OR_REPLACE, DATA_LOSS, "the database goes, with its data"),
    ActionRule(CACHES, DELETE_OR_REPLACE, DATA_LOSS, "the cache goes, with what it keeps"),
    ActionRule(FILES, DELETE_OR_REPLACE, DATA_LOSS, "what it stores goes with it"),
    ActionRule(QUEUES, DELETE_OR_REPLACE, DATA_LOSS, "what has not been read yet goes with it"),
    ActionRule(IDENTITIES, DELETE_OR_REPLACE, DATA_LOSS, "what it holds cannot be made again"),
    ActionRule(SAFETY_NETS, DELETE, DATA_LOSS, "what kept data from loss is taken away"),
    ActionRule(SAFETY_NETS, REPLACE, DATA_LOSS, "what keeps data from loss is taken away for a while"),
    # Rotation, before the general rows that would take it for downtime.
    ActionRule(ROTATES, DELETE_OR_REPLACE, ROTATION, "the secret is not rotated any more, or starts anew"),
    ActionRule(ROTATES, ANY, ROTATION, "when or how the secret is rotated changes"),
    ActionRule("aws_lambda_function", DELETE_OR_REPLACE, ROTATION, "the function that rotates a secret goes", ROTATING),
    ActionRule(
        "random_password|aws_iam_access_key",
        DELETE_OR_REPLACE,
        ROTATION,
        "the credential is replaced by another, at once",
    ),
    # What protects or watches.
    ActionRule(WATCHERS, DELETE, EXPOSURE, "nobody is told or nothing is recorded any more"),
    ActionRule(WATCHERS, REPLACE, EXPOSURE, "nobody is told or nothing is recorded until its successor is there"),
    ActionRule(GUARDS, DELETE, EXPOSURE, "what it protects is without it"),
    ActionRule(GUARDS, REPLACE, EXPOSURE, "what it protects is without it until its successor is there"),
    ActionRule(GRANTING, CREATE, EXPOSURE, "gives access that was not there"),
    # What stops.
    ActionRule(HARMLESS, ANY, OTHER, ""),
    ActionRule(SCALING, DELETE_OR_REPLACE, CAPACITY, "does not scale any more, or not until its successor is there"),
    ActionRule(NAMED_LIKE_DATA, DELETE_OR_REPLACE, DATA_LOSS, "by its type it keeps data, which goes with it"),
    ActionRule(ANY, DELETE, DOWNTIME, "is deleted: what uses it stops"),
    ActionRule(ANY, DELETE_FIRST, DOWNTIME, "is deleted before its successor is made: what uses it stops meanwhile"),
    ActionRule(ANY, REPLACE, DOWNTIME, "is replaced, its successor first: what uses it must move over"),
    ActionRule(ANY, FORGET, CAPACITY, "is forgotten: it stays and costs, and no plan shows it any more"),
    ActionRule(ANY, "unknown", DATA_LOSS, "Terraform does what this review does not know"),
    ActionRule(COSTLY, CREATE, CAPACITY, "is new, and costs"),
)

DELETED_OUTSIDE = "was deleted behind Terraform's back: what the plan makes instead is empty"

PARAMETERS = r"parameter/[^/]+/value"
RDS_PARAMETERS = r"aws_(rds_cluster|db)_parameter_group"
ALARMS = r"aws_cloudwatch_(metric|composite)_alarm"
DB = r"aws_(rds_cluster|rds_cluster_instance|db_instance|docdb_cluster|neptune_cluster)"

# What AWS does when it changes, of the types that this platform uses.
TYPE_RULES = (
    # Data.
    ReviewRule("aws_lb", "enable_deletion_protection", off, DOWNTIME, "deletion protection goes off"),
    ReviewRule("aws_cloudwatch_log_group", "retention_in_days", sooner, DATA_LOSS, "older logs are deleted"),
    ReviewRule("aws_cloudwatch_log_group", "retention_in_days", later, CAPACITY, "logs are kept for longer"),
    ReviewRule(
        "aws_s3_bucket_lifecycle_configuration", r"rule/.*expiration/.*days", sooner, DATA_LOSS, "older objects go"
    ),
    ReviewRule(
        "aws_s3_bucket_lifecycle_configuration", r"rule/.*expiration/.*days", later, CAPACITY, "objects stay longer"
    ),
    ReviewRule("aws_s3_bucket_versioning", r".*/status", leaves("Enabled"), DATA_LOSS, "no versions are kept any more"),
    ReviewRule(
        "aws_s3_bucket_object_lock_configuration", r"rule/.*/(days|years)", lower, DATA_LOSS, "locked for less time"
    ),
    ReviewRule(
        "aws_s3_bucket_object_lock_configuration", r"rule/.*/mode", leaves("COMPLIANCE"), DATA_LOSS, "who may, deletes"
    ),
    ReviewRule(
        "aws_efs_backup_policy", r"backup_policy/.*/status", leaves("ENABLED"), DATA_LOSS, "is not backed up any more"
    ),
    ReviewRule(
        "aws_efs_file_system",
        r"protection/.*overwrite",
        leaves("ENABLED"),
        DATA_LOSS,
        "may be overwritten by a replica",
    ),
    ReviewRule("aws_ecr_lifecycle_policy", "policy", changed_if_set, DATA_LOSS, "other images are deleted than before"),
    ReviewRule(
        "aws_backup_plan",
        r"rule/.*(delete_after|schedule)",
        changed_if_set,
        DATA_LOSS,
        "backups are made or kept otherwise",
    ),
    ReviewRule("aws_backup_vault_lock_configuration", r".*days", lower, DATA_LOSS, "backups are locked for less time"),
    ReviewRule("aws_kms_key", "is_enabled", off, DATA_LOSS, "what the key encrypted cannot be read meanwhile"),
    ReviewRule(
        "aws_rds_cluster|aws_db_instance", "backup_retention_period", higher, CAPACITY, "backups are kept for longer"
    ),
    ReviewRule(DB, "(final_)?snapshot_identifier", unset, DATA_LOSS, "no last snapshot is named"),
    ReviewRule("aws_elasticache_.*", "snapshot_retention_limit", lower, DATA_LOSS, "backups are kept for less time"),
    ReviewRule("aws_elasticache_.*", "final_snapshot_identifier", unset, DATA_LOSS, "no last snapshot is made"),
    # Downtime.
    ReviewRule(DB, "engine_version", changed, DOWNTIME, "the engine is upgraded: connections break while it restarts"),
    ReviewRule(DB, "instance_class", changed, DOWNTIME, "the instance restarts as another class; a writer fails over"),
    ReviewRule(DB, "port", changed_if_set, DOWNTIME, "the instances restart, on another port"),
    ReviewRule(
        DB,
        "ca_cert_identifier|db_parameter_group_name|parameter_group_name",
        changed_if_set,
        DOWNTIME,
        "takes a restart",
    ),
    ReviewRule(DB, "db_cluster_parameter_group_name", changed_if_set, DOWNTIME, "takes a restart of each instance"),
    ReviewRule(DB, "multi_az", off, DOWNTIME, "the loss of a zone stops it"),
    ReviewRule(DB, "iam_database_authentication_enabled", off, DOWNTIME, "logins by IAM end"),
    ReviewRule(DB, "(monitoring_interval|performance_insights_enabled)", off, EXPOSURE, "it is watched less"),
    ReviewRule(DB, "(db_subnet_group_name|network_type)", changed_if_set, DOWNTIME, "it moves to other subnets"),
    ReviewRule(
        RDS_PARAMETERS, r"parameter/rds\.force_ssl/value", leaves("1"), EXPOSURE, "logins without TLS are taken"
    ),
    ReviewRule(RDS_PARAMETERS, r"parameter/ssl_min_protocol_version/value", weaker_tls, EXPOSURE, "older TLS is taken"),
    ReviewRule(
        RDS_PARAMETERS, r"parameter/(log_.*|pgaudit\..*)/value", changed, EXPOSURE, "other statements are logged"
    ),
    ReviewRule(
        RDS_PARAMETERS,
        r"parameter/(shared_preload_libraries|max_.*|rds\..*|wal_.*|shared_buffers)/value",
        changed,
        DOWNTIME,
        "takes effect with a restart",
    ),
    ReviewRule(RDS_PARAMETERS, PARAMETERS, changed, CAPACITY, "the database works with another parameter"),
    ReviewRule(
        "aws_elasticache_.*",
        "engine(_version)?",
        changed_if_set,
        DOWNTIME,
        "the engine is upgraded, node by node, with failovers",
    ),
    ReviewRule(
        "aws_elasticache_.*", "node_type", changed, DOWNTIME, "nodes are replaced by others, with a failover a shard"
    ),
    ReviewRule(
        "aws_elasticache_.*", "num_node_groups", lower, DOWNTIME, "shards are emptied and removed, while keys move"
    ),
    ReviewRule("aws_elasticache_.*", "num_node_groups", higher, CAPACITY, "more shards, while keys move"),
    ReviewRule(
        "aws_elasticache_.*",
        "(automatic_failover|multi_az)_enabled",
        off,
        DOWNTIME,
        "the loss of a node or zone stops it",
    ),
    ReviewRule(
        "aws_elasticache_.*", "replicas_per_node_group|num_cache_clusters", lower, DOWNTIME, "fewer copies take over"
    ),
    ReviewRule(
        "aws_elasticache_.*", "parameter_group_name", changed_if_set, DOWNTIME, "some parameters take a restart"
    ),
    ReviewRule(
        "aws_elasticache_.*",
        r"transit_encryption_mode",
        leaves("required"),
        EXPOSURE,
        "connections without TLS are taken",
    ),
    ReviewRule(
        "aws_elasticache_.*", r"log_delivery_configuration", loses, EXPOSURE, "logs are not delivered, or elsewhere"
    ),
    ReviewRule(
        "aws_elasticache_user", "no_password_required", on, EXPOSURE, "the user needs no password", applies_to_new=True
    ),
    ReviewRule("aws_elasticache_user", "access_string", changed, EXPOSURE, "the user may do other things"),
    ReviewRule("aws_elasticache_user", r"authentication_mode/.*", changed, ROTATION, "the user logs in otherwise"),
    ReviewRule("aws_elasticache_user_group", "user_ids", gains, EXPOSURE, "more users may log in"),
    ReviewRule("aws_elasticache_user_group", "user_ids", loses, DOWNTIME, "users cannot log in any more"),
    ReviewRule("aws_ecs_service", "desired_count", becomes(0), DOWNTIME, "no task runs any more"),
    ReviewRule("aws_ecs_service", "desired_count", changed, CAPACITY, "another number of tasks runs"),
    ReviewRule(
        "aws_ecs_service",
        "deployment_minimum_healthy_percent",
        lower,
        DOWNTIME,
        "fewer tasks serve during a deployment",
    ),
    ReviewRule(
        "aws_ecs_service", r"deployment_circuit_breaker/.*", off, DOWNTIME, "a deployment that fails is not taken back"
    ),
    ReviewRule("aws_ecs_service", r"alarms/.*(enable|rollback)", off, DOWNTIME, "alarms do not take a deployment back"),
    ReviewRule(
        "aws_ecs_service", "availability_zone_rebalancing", leaves("ENABLED"), DOWNTIME, "tasks may gather in one zone"
    ),
    ReviewRule("aws_ecs_service", r"load_balancer(/.*)?", loses, DOWNTIME, "it leaves a load balancer"),
    ReviewRule("aws_ecs_service", r"network_configuration/.*/subnets", loses, DOWNTIME, "tasks leave a subnet"),
    ReviewRule(
        "aws_ecs_service", r"network_configuration/.*/security_groups", changed, EXPOSURE, "tasks have other groups"
    ),
    ReviewRule(
        "aws_ecs_(service|cluster)",
        r"enable_execute_command",
        on,
        EXPOSURE,
        "people may run commands in tasks",
        applies_to_new=True,
    ),
    ReviewRule(
        "aws_ecs_service",
        r"network_configuration/.*/assign_public_ip",
        on,
        EXPOSURE,
        "tasks have public addresses",
        applies_to_new=True,
    ),
    ReviewRule(
        "aws_ecs_task_definition",
        "container_definitions/.*/(privileged|pseudoTerminal|interactive)",
        on,
        EXPOSURE,
        "the container may do more",
        applies_to_new=True,
    ),
    ReviewRule(
        "aws_ecs_task_definition",
        "container_definitions/.*/readonlyRootFilesystem",
        off,
        EXPOSURE,
        "the root is written to",
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
        "aws_ecs_task_definition", r"volume/.*/transit_encryption", leaves("ENABLED"), EXPOSURE, "files travel in clear"
    ),
    ReviewRule(
        "aws_ecs_task_definition",
        "task_role_arn|execution_role_arn",
        changed_if_set,
        EXPOSURE,
        "tasks act under another role",
    ),
    ReviewRule("aws_lb", "subnets|subnet_mapping", loses, DOWNTIME, "it leaves a zone"),
    ReviewRule("aws_lb", "security_groups", changed, EXPOSURE, "other security groups guard it"),
    ReviewRule("aws_lb", "internal", off, EXPOSURE, "it faces the internet"),
    ReviewRule(
        "aws_lb",
        "enable_waf_fail_open",
        on,
        EXPOSURE,
        "requests pass when the firewall does not answer",
        applies_to_new=True,
    ),
    ReviewRule("aws_lb", "drop_invalid_header_fields", off, EXPOSURE, "malformed headers reach the application"),
    ReviewRule("aws_lb", "desync_mitigation_mode", becomes("monitor"), EXPOSURE, "ambiguous requests pass"),
    ReviewRule("aws_lb", r"(access|connection)_logs/.*/enabled", off, EXPOSURE, "requests are not logged any more"),
    ReviewRule("aws_lb", "idle_timeout", lower, DOWNTIME, "requests that take longer are cut"),
    ReviewRule("aws_lb_listener", "protocol", leaves("HTTPS", "TLS"), EXPOSURE, "it serves without TLS"),
    ReviewRule("aws_lb_listener", "ssl_policy", weaker_tls, EXPOSURE, "it takes other ciphers, or older TLS"),
    ReviewRule("aws_lb_listener", "certificate_arn", changed_if_set, DOWNTIME, "it shows another certificate"),
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
    ReviewRule("aws_lb_target_group", r"deregistration_delay", lower, DOWNTIME, "requests under way are cut sooner"),
    ReviewRule("aws_route53_record", r"records|ttl|alias/.*", changed_if_set, DOWNTIME, "the name leads elsewhere"),
    ReviewRule("aws_route", r".*_(id|arn|cidr_block)", changed_if_set, DOWNTIME, "the traffic goes elsewhere"),
    ReviewRule(
        "aws_vpc",
        "enable_dns_(hostnames|support)",
        off,
        DOWNTIME,
        "names within the VPC, and its endpoints', are not found",
    ),
    ReviewRule("aws_vpc_endpoint", "private_dns_enabled", off, DOWNTIME, "the service's name leads out of the VPC"),
    ReviewRule(
        "aws_vpc_endpoint", "(subnet|route_table)_ids", loses, DOWNTIME, "a subnet does not reach the service this way"
    ),
    ReviewRule(
        "aws_network_acl|aws_default_network_acl", "subnet_ids", loses, EXPOSURE, "a subnet has another network ACL"
    ),
    ReviewRule(
        "aws_lambda_function",
        "runtime|handler|vpc_config/.*/(subnet_ids|security_group_ids)/?.*",
        changed_if_set,
        DOWNTIME,
        "it may fail at its next call: try it",
    ),
    ReviewRule("aws_lambda_function", "timeout", lower, DOWNTIME, "calls that take longer are cut"),
    ReviewRule("aws_lambda_function", "reserved_concurrent_executions", becomes(0), DOWNTIME, "it cannot be called"),
    # Exposure.
    ReviewRule(
        "aws_s3_bucket_public_access_block|aws_s3_account_public_access_block",
        r"(block|ignore|restrict)_.*",
        off,
        EXPOSURE,
        "the bucket may become public",
        applies_to_new=True,
    ),
    ReviewRule(
        "aws_s3_bucket_server_side_encryption_configuration",
        r"rule/.*/(sse_algorithm|kms_master_key_id)",
        changed_if_set,
        EXPOSURE,
        "objects are encrypted otherwise",
    ),
    ReviewRule(
        "aws_s3_bucket_ownership_controls",
        r"rule/.*/object_ownership",
        leaves("BucketOwnerEnforced"),
        EXPOSURE,
        "access lists count again",
    ),
    ReviewRule(
        "aws_s3_bucket_(acl|bucket)",
        "acl",
        becomes("public-read", "public-read-write"),
        EXPOSURE,
        "anybody may read",
        applies_to_new=True,
    ),
    ReviewRule(
        "aws_s3_bucket_logging", "target_(bucket|prefix)", changed_if_set, EXPOSURE, "access is logged elsewhere"
    ),
    ReviewRule("aws_secretsmanager_secret_policy", "block_public_policy", off, EXPOSURE, "a public policy is taken"),
    ReviewRule(
        "aws_secretsmanager_secret",
        "kms_key_id",
        changed,
        ROTATION,
        "the secret is under another key: its next version",
    ),
    ReviewRule("aws_kms_key", "rotation_period_in_days", higher, EXPOSURE, "the key gets a new version less often"),
    ReviewRule("aws_kms_key", "bypass_policy_lockout_safety_check", on, EXPOSURE, "the key may become nobody's"),
    ReviewRule(
        "aws_ecr_repository",
        "image_tag_mutability",
        becomes("MUTABLE"),
        EXPOSURE,
        "a tag may become another image",
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
        "less is recorded, or without proof",
    ),
    ReviewRule("aws_wafv2_web_acl", r"rule", loses, EXPOSURE, "the firewall lacks a rule"),
    ReviewRule(
        "aws_wafv2_web_acl",
        r"rule/.*/(override_)?action(_to_use)?/.*/count",
        gains,
        EXPOSURE,
        "the firewall counts and lets pass",
    ),
    ReviewRule("aws_wafv2_web_acl", r"rule/.*/action/.*/allow", gains, EXPOSURE, "the firewall lets pass"),
    ReviewRule(
        "aws_wafv2_web_acl", r"rule/.*/rate_based_statement/.*/limit", higher, EXPOSURE, "a client may ask more often"
    ),
    ReviewRule(
        "aws_wafv2_web_acl", r"rule/.*/rate_based_statement/.*/limit", lower, DOWNTIME, "clients are refused sooner"
    ),
    ReviewRule(
        "aws_wafv2_web_acl", r"default_action/.*/allow", gains, EXPOSURE, "the firewall lets pass what no rule names"
    ),
    ReviewRule("aws_wafv2_web_acl", r"rule/.*", scalar_changed, EXPOSURE, "the firewall judges otherwise"),
    ReviewRule(
        "aws_wafv2_web_acl_logging_configuration",
        "log_destination_configs",
        loses,
        EXPOSURE,
        "requests are logged elsewhere",
    ),
    ReviewRule(
        "aws_wafv2_web_acl_logging_configuration", "redacted_fields", loses, EXPOSURE, "a field is logged that was not"
    ),
    ReviewRule(
        "aws_iam_role", "permissions_boundary", changed_if_set, EXPOSURE, "another boundary, or none, limits the role"
    ),
    ReviewRule("aws_iam_role", "managed_policy_arns", gains, EXPOSURE, "the role has another policy"),
    ReviewRule("aws_iam_role", "max_session_duration", higher, EXPOSURE, "sessions last longer"),
    ReviewRule(r"aws_iam_.*_attachment", "policy_arn", changed, EXPOSURE, "another policy"),
    ReviewRule(
        "aws_lambda_permission",
        "principal|source_arn|source_account|function_url_auth_type",
        changed,
        EXPOSURE,
        "somebody else may call the function",
    ),
    ReviewRule(
        "aws_lambda_function_url",
        "authorization_type",
        becomes("NONE"),
        EXPOSURE,
        "anybody may call it",
        applies_to_new=True,
    ),
    ReviewRule(
        "aws_sfn_state_machine",
        r"logging_configuration/.*/level",
        changed_if_set,
        EXPOSURE,
        "its runs are logged otherwise",
    ),
    ReviewRule(
        "aws_ecs_cluster",
        r"setting/containerInsights/value",
        leaves("enabled", "enhanced"),
        EXPOSURE,
        "it is watched less",
    ),
    ReviewRule(ALARMS, "actions_enabled", off, EXPOSURE, "the alarm tells nobody"),
    ReviewRule(ALARMS, "(alarm|ok|insufficient_data)_actions", loses, EXPOSURE, "the alarm tells fewer"),
    ReviewRule(ALARMS, "alarm_rule", loses, EXPOSURE, "the alarm stands for other alarms"),
    ReviewRule(ALARMS, "(evaluation_periods|datapoints_to_alarm|period)", higher, EXPOSURE, "the alarm tells later"),
    ReviewRule(
        ALARMS, "threshold", higher, EXPOSURE, "the alarm tells later", where=("comparison_operator", "Greater.*")
    ),
    ReviewRule(ALARMS, "threshold", lower, EXPOSURE, "the alarm tells later", where=("comparison_operator", "Less.*")),
    ReviewRule(
        ALARMS,
        "comparison_operator|metric_name|namespace|(extended_)?statistic|treat_missing_data|metric_query(/.*)?",
        changed_if_set,
        EXPOSURE,
        "the alarm looks at something else",
    ),
    ReviewRule(
        "aws_cloudwatch_event_rule", "state", becomes("DISABLED"), EXPOSURE, "the events start nothing any more"
    ),
    ReviewRule("aws_cloudwatch_event_rule", "event_pattern", changed_if_set, EXPOSURE, "other events are told"),
    ReviewRule("aws_cloudwatch_log_metric_filter", "pattern", changed_if_set, EXPOSURE, "other lines are counted"),
    ReviewRule("aws_db_event_subscription", "enabled", off, EXPOSURE, "events are not told"),
    ReviewRule("aws_db_event_subscription", "event_categories", loses, EXPOSURE, "fewer events are told"),
    ReviewRule(
        "aws_sns_topic_subscription",
        "endpoint|filter_policy.*",
        changed_if_set,
        EXPOSURE,
        "others are told, or of less",
    ),
    ReviewRule("aws_sns_topic", "kms_master_key_id", unset, EXPOSURE, "messages are kept in clear"),
    ReviewRule(
        "aws_instance",
        r"metadata_options/.*/http_tokens",
        leaves("required"),
        EXPOSURE,
        "credentials are had without a token",
    ),
    ReviewRule("aws_instance", "instance_type|user_data.*|ami", changed, DOWNTIME, "the instance stops"),
    ReviewRule(
        "aws_eks_cluster",
        r"vpc_config/.*/(public_access_cidrs|endpoint_public_access)(/.*)?",
        gains,
        EXPOSURE,
        "more reach it",
    ),
    ReviewRule(
        "aws_cloudfront_distribution",
        r"viewer_certificate/.*/minimum_protocol_version",
        weaker_tls,
        EXPOSURE,
        "older TLS",
    ),
    # Rotation.
    ReviewRule(
        "aws_rds_cluster|aws_db_instance",
        "manage_master_user_password|master_user_secret_kms_key_id|master_password.*|master_username|password.*",
        changed,
        ROTATION,
        "the master's credential is another, or kept otherwise",
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
        "scales otherwise",
    ),
    ReviewRule(
        "aws_ecs_service", r"capacity_provider_strategy(/.*)?", changed, CAPACITY, "tasks run on other capacity"
    ),
    ReviewRule("aws_ecs_task_definition", "cpu|memory", lower, CAPACITY, "a task has less"),
    ReviewRule("aws_ecs_task_definition", "cpu|memory", higher, CAPACITY, "a task has more, which costs"),
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
        "pauses otherwise",
    ),
    ReviewRule(
        "aws_efs_file_system",
        "throughput_mode|provisioned_throughput.*|lifecycle_policy.*",
        changed,
        CAPACITY,
        "costs otherwise",
    ),
)

ANYWHERE = r"(.*/)?"

# Of any type of any provider, by what arguments are usually called.
GENERIC_RULES = (
    ReviewRule(
        ANY,
        ANYWHERE + r"(enable_)?(deletion|termination)_protection(_enabled)?|disable_api_termination",
        off,
        DATA_LOSS,
        "deletion protection goes off",
    ),
    ReviewRule(
        ANY,
        ANYWHERE + r"(force_(destroy|delete)|skip_final_snapshot|delete_automated_backups|delete_on_termination)",
        on,
        DATA_LOSS,
        "deletion takes the data along",
    ),
    ReviewRule(
        ANY,
        ANYWHERE
        + r".*(backup|snapshot|retention|recovery_window|deletion_window|soft_delete).*(days|period|limit|in_days)",
        lower,
        DATA_LOSS,
        "is kept for less time",
    ),
    ReviewRule(
        ANY,
        ANYWHERE + r".*(backup|snapshot|retention).*(days|period|limit|in_days)",
        higher,
        CAPACITY,
        "is kept for longer",
    ),
    ReviewRule(
        ANY,
        ANYWHERE + r"(point_in_time_recovery.*|versioning)/?.*(enabled|status)?",
        off,
        DATA_LOSS,
        "cannot be restored as before",
    ),
    ReviewRule(
        ANY,
        ANYWHERE
        + r"(.*encrypt(ed|ion(_enabled|_at_rest)?)|[^/]*encrypt[^/]*/.*enabled|enable_key_rotation|.*require_ssl"
        r"|https_only|enforce_https|enable_https_traffic_only|node_to_node_encryption)",
        off,
        EXPOSURE,
        "encryption goes off",
    ),
    ReviewRule(
        "aws_(rds_cluster|db_instance|efs_file_system|ebs_volume|docdb_cluster|neptune_cluster|redshift_cluster)",
        "(storage_)?encrypted",
        lambda _, after: not after,
        EXPOSURE,
        "is made without encryption",
        applies_to_new=True,
    ),
    ReviewRule(
        "aws_elasticache_replication_group",
        "(at_rest|transit)_encryption_enabled",
        lambda _, after: not after,
        EXPOSURE,
        "is made without encryption",
        applies_to_new=True,
    ),
    ReviewRule(
        ANY,
        ANYWHERE + r"(.*_)?kms_(master_)?key(_id|_arn|_name)?",
        changed_if_set,
        EXPOSURE,
        "is encrypted with another key, or none",
    ),
    ReviewRule(
        ANY,
        ANYWHERE
        + r"(publicly_accessible|map_public_ip_on_launch|associate_public_ip_address|public(_network)?_access.*"
        r"|allow_blob_public_access|public|endpoint_public_access)",
        on,
        EXPOSURE,
        "can be reached from the internet",
        applies_to_new=True,
    ),
    ReviewRule(
        ANY,
        ANYWHERE + r"(ssl_policy|security_policy|tls_.*version|min.*tls.*|minimum_protocol_version)",
        weaker_tls,
        EXPOSURE,
        "takes other ciphers, or older TLS",
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
        "logging goes off",
    ),
    ReviewRule(
        ANY,
        r"(?!ingress|egress)" + ANYWHERE + r"(vpc_)?security_group(_id)?s",
        changed,
        EXPOSURE,
        "other security groups guard it",
    ),
    ReviewRule(ANY, r"permissions_boundary", changed_if_set, EXPOSURE, "another boundary, or none"),
    ReviewRule(
        ANY,
        ANYWHERE
        + r"(allowed_ip.*|authorized_networks|ip_rules|source_(ranges|address_prefix(es)?)|trusted_.*|members?)",
        gains,
        EXPOSURE,
        "more are let in",
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
        "has another size, which changes what it bears and costs",
    ),
)

RULES = TYPE_RULES + GENERIC_RULES

ROTATION_CHANGED = "the function that rotates a secret changes"
INTERNET_ADDED = "speaks of the whole internet, as it did not"
GRANTS = "its policy grants more"
GRANTS_NEW = "a new policy grants"
GRANTS_TO_ALL = "its policy grants to everybody"
GRANTS_EVERYTHING = "its policy grants everything"
GRANTS_UNKNOWN = "what its policy grants is known only after the apply"
GRANTS_ASSUMED = "some of what its policy names is known only after the apply; all else in it grants no more"
GRANTS_SENSITIVE = "its policy changes; what it grants is sensitive"
OPENS = "opens a way"
OPENS_TO_INTERNET = "opens a way to or from the whole internet"
DENIES_LESS = "denies less"
HIDDEN = "changes; the values are sensitive, so for better or worse is not told"
KNOWN_LATER = "known only after the apply, so for better or worse is not told"

REASONS = {
    "replace_because_tainted": "an earlier apply left it half made",
    "replace_because_cannot_update": "AWS cannot change it in place",
    "replace_by_request": "asked for with -replace",
    "replace_by_triggers": "by replace_triggered_by",
    "delete_because_no_resource_config": "it is in no configuration any more",
    "delete_because_no_module": "its module is in no configuration any more",
    "delete_because_wrong_repetition": "count and for_each do not fit it any more",
    "delete_because_count_index": "count is lower",
    "delete_because_each_key": "its key is not in for_each any more",
    "delete_because_no_move_target": "it was moved to what is not there",
}
"""Terraform's `action_reason`: https://developer.hashicorp.com/terraform/internals/json-format#plan-representation"""
