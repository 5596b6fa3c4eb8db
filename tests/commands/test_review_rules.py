"""review: an example for each rule."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from operations.review.findings import Finding, review
from operations.review.plan import read_plans
from operations.review.rules import (
    ACTION_RULES,
    CAPACITY,
    DATA_LOSS,
    DOWNTIME,
    EXPOSURE,
    OTHER,
    ROTATION,
    RULES,
    Level,
    ReviewRule,
)
from tests.commands.plans import CREATE, DELETE, REPLACE, SUCCESSOR_FIRST, UPDATE, change, nested, plan, write

KEY, OTHER_KEY = "arn:aws:kms:r:1:key/a", "arn:aws:kms:r:1:key/b"

# Type, path, old value, new value, level.
UPDATES: list[tuple[str, str, Any, Any, Level]] = [
    # Data.
    ("aws_lb", "enable_deletion_protection", True, False, DOWNTIME),
    ("aws_cloudwatch_log_group", "retention_in_days", 400, 30, DATA_LOSS),
    ("aws_cloudwatch_log_group", "retention_in_days", 0, 400, DATA_LOSS),
    ("aws_cloudwatch_log_group", "retention_in_days", 30, 0, CAPACITY),
    ("aws_s3_bucket_lifecycle_configuration", "rule/0/expiration/0/days", 400, 30, DATA_LOSS),
    ("aws_s3_bucket_lifecycle_configuration", "rule/0/expiration/0/days", None, 30, DATA_LOSS),
    (
        "aws_s3_bucket_lifecycle_configuration",
        "rule/0/noncurrent_version_expiration/0/noncurrent_days",
        30,
        90,
        CAPACITY,
    ),
    ("aws_s3_bucket_lifecycle_configuration", "rule/0/expiration/0/date", None, "2027-01-01", DATA_LOSS),
    ("aws_s3_bucket_lifecycle_configuration", "rule/0/status", "Disabled", "Enabled", DATA_LOSS),
    ("aws_s3_bucket_lifecycle_configuration", "rule/0/status", None, "Enabled", OTHER),
    ("aws_s3_bucket", "lifecycle_rule", [], [{"enabled": True, "expiration": [{"days": 1}]}], DATA_LOSS),
    ("aws_s3_bucket", "lifecycle_rule", [], [{"enabled": False, "expiration": [{"days": 1}]}], OTHER),
    ("google_storage_bucket", "lifecycle_rule/0/condition/0/age", None, 1, DATA_LOSS),
    ("google_bigquery_dataset", "default_table_expiration_ms", None, 3600000, DATA_LOSS),
    ("azurerm_storage_management_policy", "rule/0/delete_after_days_since_creation_greater_than", 90, 9, DATA_LOSS),
    ("aws_dynamodb_table", "ttl/0/enabled", False, True, DATA_LOSS),
    ("aws_dynamodb_table", "ttl/0/attribute_name", "expires", "created", DATA_LOSS),
    ("aws_dynamodb_table", "ttl/0/enabled", True, False, OTHER),
    ("aws_sqs_queue", "message_retention_seconds", 1209600, 60, DATA_LOSS),
    ("aws_kinesis_stream", "retention_period_hours", 168, 24, DATA_LOSS),
    ("aws_s3_bucket_versioning", "versioning_configuration/0/status", "Enabled", "Suspended", DATA_LOSS),
    ("aws_s3_bucket_object_lock_configuration", "rule/0/default_retention/0/days", 365, 30, DATA_LOSS),
    (
        "aws_s3_bucket_object_lock_configuration",
        "rule/0/default_retention/0/mode",
        "COMPLIANCE",
        "GOVERNANCE",
        DATA_LOSS,
    ),
    ("aws_efs_backup_policy", "backup_policy/0/status", "ENABLED", "DISABLED", DATA_LOSS),
    ("aws_efs_file_system", "protection/0/replication_overwrite", "ENABLED", "DISABLED", DATA_LOSS),
    ("aws_ecr_lifecycle_policy", "policy", '{"rules": []}', '{"rules": [1]}', DATA_LOSS),
    ("aws_backup_plan", "rule/0/lifecycle/0/delete_after", 35, 7, DATA_LOSS),
    ("aws_backup_vault_lock_configuration", "min_retention_days", 35, 7, DATA_LOSS),
    ("aws_kms_key", "is_enabled", True, False, DATA_LOSS),
    ("aws_kms_key", "deletion_window_in_days", 30, 7, DATA_LOSS),
    ("aws_rds_cluster", "backup_retention_period", 35, 7, DATA_LOSS),
    ("aws_rds_cluster", "backup_retention_period", 7, 35, CAPACITY),
    ("aws_rds_cluster", "final_snapshot_identifier", "last", None, DATA_LOSS),
    ("aws_rds_cluster", "deletion_protection", True, False, DATA_LOSS),
    ("aws_rds_cluster", "skip_final_snapshot", False, True, DATA_LOSS),
    ("aws_elasticache_replication_group", "snapshot_retention_limit", 7, 0, DATA_LOSS),
    ("aws_elasticache_replication_group", "snapshot_retention_limit", 0, 7, CAPACITY),
    ("aws_elasticache_replication_group", "final_snapshot_identifier", "last", "", DATA_LOSS),
    ("aws_secretsmanager_secret", "recovery_window_in_days", 30, 0, DATA_LOSS),
    ("aws_s3_bucket", "force_destroy", False, True, DATA_LOSS),
    ("aws_dynamodb_table", "point_in_time_recovery/0/enabled", True, False, DATA_LOSS),
    ("google_sql_database_instance", "settings/0/deletion_protection_enabled", True, False, DATA_LOSS),
    ("azurerm_key_vault", "soft_delete_retention_days", 90, 7, DATA_LOSS),
    # Downtime.
    ("aws_rds_cluster", "engine_version", "17.4", "17.5", DOWNTIME),
    ("aws_rds_cluster", "engine_version", "17.10", "17.9", DOWNTIME),
    ("aws_rds_cluster_instance", "instance_class", "db.r8g.large", "db.r8g.xlarge", DOWNTIME),
    ("aws_rds_cluster", "port", 5432, 5433, DOWNTIME),
    ("aws_db_instance", "ca_cert_identifier", "a", "b", DOWNTIME),
    ("aws_rds_cluster", "db_cluster_parameter_group_name", "a", "b", DOWNTIME),
    ("aws_db_instance", "multi_az", True, False, DOWNTIME),
    ("aws_rds_cluster", "iam_database_authentication_enabled", True, False, DOWNTIME),
    ("aws_rds_cluster_instance", "monitoring_interval", 60, 0, EXPOSURE),
    ("aws_rds_cluster_instance", "performance_insights_enabled", True, False, EXPOSURE),
    ("aws_rds_cluster", "db_subnet_group_name", "a", "b", DOWNTIME),
    ("aws_rds_cluster_parameter_group", "parameter/=rds.force_ssl/value", "1", "0", EXPOSURE),
    ("aws_rds_cluster_parameter_group", "parameter/=ssl_min_protocol_version/value", "TLSv1.2", "TLSv1.1", EXPOSURE),
    ("aws_rds_cluster_parameter_group", "parameter/=pgaudit.log/value", "ddl,role", "none", EXPOSURE),
    ("aws_rds_cluster_parameter_group", "parameter/=shared_preload_libraries/value", "pgaudit", "", DOWNTIME),
    ("aws_db_parameter_group", "parameter/=work_mem/value", "1", "2", CAPACITY),
    ("aws_elasticache_replication_group", "engine_version", "7.0", "7.1", DOWNTIME),
    ("aws_elasticache_replication_group", "node_type", "cache.r7g.large", "cache.r7g.xlarge", DOWNTIME),
    ("aws_elasticache_replication_group", "num_node_groups", 3, 2, DOWNTIME),
    ("aws_elasticache_replication_group", "num_node_groups", 2, 3, CAPACITY),
    ("aws_elasticache_replication_group", "multi_az_enabled", True, False, DOWNTIME),
    ("aws_elasticache_replication_group", "replicas_per_node_group", 2, 1, DOWNTIME),
    ("aws_elasticache_replication_group", "replicas_per_node_group", 1, 2, CAPACITY),
    ("aws_elasticache_replication_group", "parameter_group_name", "a", "b", DOWNTIME),
    ("aws_elasticache_replication_group", "transit_encryption_mode", "required", "preferred", EXPOSURE),
    ("aws_elasticache_replication_group", "log_delivery_configuration", [{"destination": "a"}], [], EXPOSURE),
    ("aws_elasticache_user", "no_password_required", False, True, EXPOSURE),
    ("aws_elasticache_user", "access_string", "on ~a", "on ~*", EXPOSURE),
    ("aws_elasticache_user", "authentication_mode/0/type", "iam", "password", ROTATION),
    ("aws_elasticache_user_group", "user_ids", ["a"], ["a", "b"], EXPOSURE),
    ("aws_elasticache_user_group", "user_ids", ["a", "b"], ["a"], DOWNTIME),
    ("aws_ecs_service", "desired_count", 4, 0, DOWNTIME),
    ("aws_ecs_service", "desired_count", 4, 5, CAPACITY),
    ("aws_ecs_service", "deployment_minimum_healthy_percent", 100, 50, DOWNTIME),
    ("aws_ecs_service", "deployment_circuit_breaker/0/rollback", True, False, DOWNTIME),
    ("aws_ecs_service", "alarms/0/rollback", True, False, DOWNTIME),
    ("aws_ecs_service", "availability_zone_rebalancing", "ENABLED", "DISABLED", DOWNTIME),
    ("aws_ecs_service", "load_balancer", [{"container_port": 8443}], [], DOWNTIME),
    ("aws_ecs_service", "load_balancer", [{"elb_name": "", "a": 1}], [{"elb_name": None, "a": 1}, {"a": 2}], OTHER),
    ("aws_ecs_service", "network_configuration/0/subnets", ["a", "b"], ["a"], DOWNTIME),
    ("aws_ecs_service", "network_configuration/0/security_groups", ["a"], ["b"], EXPOSURE),
    ("aws_ecs_service", "enable_execute_command", False, True, EXPOSURE),
    ("aws_ecs_service", "network_configuration/0/assign_public_ip", False, True, EXPOSURE),
    ("aws_lb", "subnets", ["a", "b"], ["a"], DOWNTIME),
    ("aws_lb", "security_groups", ["a"], ["b"], EXPOSURE),
    ("aws_lb", "internal", True, False, EXPOSURE),
    ("aws_lb", "enable_waf_fail_open", False, True, EXPOSURE),
    ("aws_lb", "drop_invalid_header_fields", True, False, EXPOSURE),
    ("aws_lb", "desync_mitigation_mode", "strictest", "monitor", EXPOSURE),
    ("aws_lb", "access_logs/0/enabled", True, False, EXPOSURE),
    ("aws_lb", "idle_timeout", 60, 5, DOWNTIME),
    ("aws_lb_listener", "protocol", "HTTPS", "HTTP", EXPOSURE),
    ("aws_lb_listener", "ssl_policy", "ELBSecurityPolicy-TLS13-1-2-Res-2021-06", "ELBSecurityPolicy-2016-08", EXPOSURE),
    ("aws_lb_listener", "certificate_arn", "a", "b", DOWNTIME),
    ("aws_lb_listener", "default_action/0/target_group_arn", "a", "b", DOWNTIME),
    ("aws_lb_target_group", "health_check/0/path", "/health", "/", DOWNTIME),
    ("aws_lb_target_group", "deregistration_delay", "60", "5", DOWNTIME),
    ("aws_route53_record", "records", ["192.0.2.1"], ["192.0.2.2"], DOWNTIME),
    ("aws_route", "nat_gateway_id", "nat-1", "nat-2", DOWNTIME),
    ("aws_vpc", "enable_dns_support", True, False, DOWNTIME),
    ("aws_vpc_endpoint", "private_dns_enabled", True, False, DOWNTIME),
    ("aws_vpc_endpoint", "subnet_ids", ["a", "b"], ["a"], DOWNTIME),
    ("aws_network_acl", "subnet_ids", ["a", "b"], ["a"], EXPOSURE),
    ("aws_lambda_function", "runtime", "python3.13", "python3.14", DOWNTIME),
    ("aws_lambda_function", "timeout", 60, 3, DOWNTIME),
    ("aws_lambda_function", "reserved_concurrent_executions", -1, 0, DOWNTIME),
    ("aws_instance", "instance_type", "m8g.large", "m8g.xlarge", DOWNTIME),
    # Exposure.
    ("aws_s3_bucket_public_access_block", "block_public_policy", True, False, EXPOSURE),
    (
        "aws_s3_bucket_server_side_encryption_configuration",
        "rule/0/apply_server_side_encryption_by_default/0/sse_algorithm",
        "aws:kms",
        "AES256",
        EXPOSURE,
    ),
    ("aws_s3_bucket_ownership_controls", "rule/0/object_ownership", "BucketOwnerEnforced", "ObjectWriter", EXPOSURE),
    ("aws_s3_bucket_acl", "acl", "private", "public-read", EXPOSURE),
    ("aws_s3_bucket_public_access_block", "block_public_acls", True, False, EXPOSURE),
    ("google_storage_bucket", "public_access_prevention", "enforced", "inherited", EXPOSURE),
    ("azurerm_storage_account", "allow_nested_items_to_be_public", False, True, EXPOSURE),
    ("azurerm_mssql_server", "public_network_access", "Disabled", "Enabled", EXPOSURE),
    ("aws_key_pair", "public_key", "", "ssh-rsa AAAA", OTHER),
    ("google_compute_network_peering", "export_subnet_routes_with_public_ip", False, True, OTHER),
    ("github_repository", "visibility", "private", "public", EXPOSURE),
    ("github_repository", "private", True, False, EXPOSURE),
    ("aws_db_snapshot", "shared_accounts", [], ["all"], EXPOSURE),
    ("aws_db_cluster_snapshot", "shared_accounts", [], ["999988887777"], EXPOSURE),
    ("azurerm_private_link_service", "allowed_principals", ["a"], ["a", "b"], EXPOSURE),
    ("google_storage_bucket_iam_binding", "members", ["user:a"], ["user:a", "allUsers"], EXPOSURE),
    ("azurerm_network_security_rule", "source_address_prefix", "10.0.0.0/8", "*", EXPOSURE),
    ("aws_s3_bucket_logging", "target_bucket", "a", "b", EXPOSURE),
    ("aws_secretsmanager_secret_policy", "block_public_policy", True, False, EXPOSURE),
    ("aws_secretsmanager_secret", "kms_key_id", KEY, OTHER_KEY, ROTATION),
    ("aws_kms_key", "rotation_period_in_days", 90, 365, EXPOSURE),
    ("aws_kms_key", "bypass_policy_lockout_safety_check", False, True, EXPOSURE),
    ("aws_kms_key", "enable_key_rotation", True, False, EXPOSURE),
    ("aws_ecr_repository", "image_tag_mutability", "IMMUTABLE", "MUTABLE", EXPOSURE),
    ("aws_ecr_repository", "image_scanning_configuration/0/scan_on_push", True, False, EXPOSURE),
    ("aws_flow_log", "traffic_type", "ALL", "REJECT", EXPOSURE),
    ("aws_flow_log", "log_destination", "a", "b", EXPOSURE),
    ("aws_cloudtrail", "is_multi_region_trail", True, False, EXPOSURE),
    ("aws_cloudtrail", "enable_logging", True, False, EXPOSURE),
    ("aws_wafv2_web_acl", "rule", [{"name": "a"}, {"name": "b"}], [{"name": "a"}], EXPOSURE),
    ("aws_wafv2_web_acl", "rule/=a/override_action/0/count", [], [{}], EXPOSURE),
    ("aws_wafv2_web_acl", "rule/=a/action/0/allow", [], [{}], EXPOSURE),
    ("aws_wafv2_web_acl", "rule/=a/statement/0/rate_based_statement/0/limit", 2000, 9000, EXPOSURE),
    ("aws_wafv2_web_acl", "rule/=a/statement/0/rate_based_statement/0/limit", 2000, 10, DOWNTIME),
    ("aws_wafv2_web_acl", "default_action/0/allow", [], [{}], EXPOSURE),
    ("aws_wafv2_web_acl", "rule/=a/priority", 1, 9, EXPOSURE),
    ("aws_wafv2_web_acl_logging_configuration", "log_destination_configs", ["a"], ["b"], EXPOSURE),
    ("aws_wafv2_web_acl_logging_configuration", "redacted_fields", [{"single_header": [{"name": "a"}]}], [], EXPOSURE),
    ("aws_iam_role", "permissions_boundary", "a", None, EXPOSURE),
    ("aws_iam_user", "permissions_boundary", "a", None, EXPOSURE),
    ("aws_iam_role", "managed_policy_arns", [], ["a"], EXPOSURE),
    ("aws_iam_role", "max_session_duration", 3600, 43200, EXPOSURE),
    ("aws_iam_role_policy_attachment", "policy_arn", "a", "b", EXPOSURE),
    ("aws_lambda_permission", "principal", "events.amazonaws.com", "*", EXPOSURE),
    ("aws_lambda_function_url", "authorization_type", "AWS_IAM", "NONE", EXPOSURE),
    ("aws_sfn_state_machine", "logging_configuration/0/level", "ALL", "OFF", EXPOSURE),
    ("aws_ecs_cluster", "setting/=containerInsights/value", "enhanced", "disabled", EXPOSURE),
    ("aws_cloudwatch_metric_alarm", "actions_enabled", True, False, EXPOSURE),
    ("aws_cloudwatch_metric_alarm", "alarm_actions", ["a"], [], EXPOSURE),
    ("aws_cloudwatch_composite_alarm", "alarm_rule", "ALARM(a) OR ALARM(b)", "ALARM(a)", EXPOSURE),
    ("aws_cloudwatch_metric_alarm", "evaluation_periods", 1, 9, EXPOSURE),
    ("aws_cloudwatch_metric_alarm", "treat_missing_data", "breaching", "ignore", EXPOSURE),
    ("aws_cloudwatch_event_rule", "state", "ENABLED", "DISABLED", EXPOSURE),
    ("aws_cloudwatch_event_rule", "event_pattern", '{"source": ["a"]}', '{"source": ["b"]}', EXPOSURE),
    ("aws_cloudwatch_log_metric_filter", "pattern", "ERROR", "FATAL", EXPOSURE),
    ("aws_db_event_subscription", "enabled", True, False, EXPOSURE),
    ("aws_db_event_subscription", "event_categories", ["a", "b"], ["a"], EXPOSURE),
    ("aws_sns_topic_subscription", "filter_policy", "", '{"a": ["b"]}', OTHER),
    ("aws_sns_topic_subscription", "filter_policy", '{"a": ["b"]}', '{"a": ["c"]}', EXPOSURE),
    ("aws_sns_topic", "kms_master_key_id", KEY, None, EXPOSURE),
    ("aws_sns_topic", "kms_master_key_id", KEY, OTHER_KEY, EXPOSURE),
    ("aws_instance", "metadata_options/0/http_tokens", "required", "optional", EXPOSURE),
    ("aws_eks_cluster", "vpc_config/0/public_access_cidrs", [], ["198.51.100.0/24"], EXPOSURE),
    ("aws_cloudfront_distribution", "viewer_certificate/0/minimum_protocol_version", "TLSv1.2_2021", "TLSv1", EXPOSURE),
    ("aws_dms_endpoint", "kms_key_arn", KEY, None, EXPOSURE),
    ("aws_db_instance", "publicly_accessible", False, True, EXPOSURE),
    ("aws_api_gateway_domain_name", "security_policy", "TLS_1_2", "TLS_1_0", EXPOSURE),
    ("aws_rds_cluster", "enabled_cloudwatch_logs_exports", ["postgresql"], [], EXPOSURE),
    ("aws_redshift_cluster", "logging/0/enable", True, False, EXPOSURE),
    ("aws_elasticsearch_domain", "node_to_node_encryption/0/enabled", True, False, EXPOSURE),
    ("azurerm_storage_account", "https_only", True, False, EXPOSURE),
    ("aws_rds_cluster", "vpc_security_group_ids", ["a"], ["b"], EXPOSURE),
    ("google_compute_firewall", "source_ranges", ["10.0.0.0/8"], ["0.0.0.0/0"], EXPOSURE),
    # Rotation.
    ("aws_rds_cluster", "manage_master_user_password", True, False, ROTATION),
    ("aws_secretsmanager_secret_version", "secret_string", "a", "b", ROTATION),
    ("aws_secretsmanager_secret_rotation", "rotation_rules/0/automatically_after_days", 30, 60, ROTATION),
    # Capacity.
    ("aws_appautoscaling_target", "max_capacity", 40, 20, CAPACITY),
    ("aws_appautoscaling_target", "max_capacity", 20, 40, CAPACITY),
    ("aws_appautoscaling_policy", "target_tracking_scaling_policy_configuration/0/target_value", 60, 70, CAPACITY),
    ("aws_ecs_service", "capacity_provider_strategy/0/weight", 1, 2, CAPACITY),
    ("aws_rds_cluster", "serverlessv2_scaling_configuration/0/max_capacity", 64, 32, CAPACITY),
    ("aws_rds_cluster", "serverlessv2_scaling_configuration/0/max_capacity", 64, 128, CAPACITY),
    ("aws_rds_cluster", "serverlessv2_scaling_configuration/0/seconds_until_auto_pause", 300, 600, CAPACITY),
    ("aws_efs_file_system", "throughput_mode", "elastic", "bursting", CAPACITY),
    ("google_compute_instance", "machine_type", "e2-small", "e2-large", CAPACITY),
    ("aws_autoscaling_group", "max_size", 2, 20, CAPACITY),
    # Better or irrelevant.
    ("aws_rds_cluster", "deletion_protection", False, True, OTHER),
    ("aws_lb_listener", "ssl_policy", "ELBSecurityPolicy-2016-08", "ELBSecurityPolicy-TLS13-1-2-Res-2021-06", OTHER),
    ("aws_db_instance", "publicly_accessible", True, False, OTHER),
    ("aws_kms_key", "deletion_window_in_days", "soon", 7, OTHER),
    ("aws_kms_key", "deletion_window_in_days", 10**400, 7, OTHER),
    ("aws_sns_topic", "display_name", "a", "b", OTHER),
    ("aws_sns_topic", "tags/publicly_accessible", False, True, OTHER),
]

# Changes to a task definition, whose revisions are replacements.
OF_REVISIONS: list[tuple[str, Any, Any, Level]] = [
    ("cpu", "2048", "1024", CAPACITY),
    ("cpu", "1024", "2048", CAPACITY),
    ("task_role_arn", "a", "b", EXPOSURE),
    ("volume/=files/efs_volume_configuration/0/transit_encryption", "ENABLED", "DISABLED", EXPOSURE),
]
CONTAINERS: list[tuple[dict[str, Any], dict[str, Any], Level]] = [
    ({}, {"privileged": True}, EXPOSURE),
    ({"readonlyRootFilesystem": True}, {}, EXPOSURE),
    ({"logConfiguration": {"logDriver": "awslogs"}}, {}, EXPOSURE),
    ({"secrets": [{"name": "A", "valueFrom": "a"}]}, {"secrets": [{"name": "A", "valueFrom": "b"}]}, ROTATION),
    ({"image": "a"}, {"image": "b"}, OTHER),
]

# Type, actions, level.
ACTIONS: list[tuple[str, list[str], Level]] = [
    ("aws_kms_key", DELETE, DATA_LOSS),
    ("aws_secretsmanager_secret", DELETE, DATA_LOSS),
    ("aws_cloudwatch_log_group", REPLACE, DATA_LOSS),
    ("aws_rds_cluster", SUCCESSOR_FIRST, DATA_LOSS),
    ("aws_dynamodb_table", DELETE, DATA_LOSS),
    ("aws_elasticache_replication_group", REPLACE, DATA_LOSS),
    ("aws_s3_bucket", DELETE, DATA_LOSS),
    ("aws_sqs_queue", DELETE, DATA_LOSS),
    ("aws_cognito_user_pool", DELETE, DATA_LOSS),
    ("google_sql_database_instance", DELETE, DATA_LOSS),
    ("azurerm_storage_account", REPLACE, DATA_LOSS),
    # By name only.
    ("aws_glacier_vault", DELETE, DATA_LOSS),
    ("kubernetes_namespace", DELETE, DATA_LOSS),
    ("aws_keyspaces_keyspace", DELETE, DATA_LOSS),
    ("aws_lightsail_disk", DELETE, DATA_LOSS),
    ("aws_qldb_ledger", REPLACE, DATA_LOSS),
    ("aws_service_discovery_private_dns_namespace", DELETE, DOWNTIME),
    ("aws_s3_bucket_versioning", DELETE, DATA_LOSS),
    ("aws_efs_backup_policy", REPLACE, DATA_LOSS),
    ("aws_secretsmanager_secret_rotation", DELETE, ROTATION),
    ("aws_secretsmanager_secret_rotation", CREATE, ROTATION),
    ("random_password", REPLACE, ROTATION),
    ("random_bytes", REPLACE, ROTATION),
    ("aws_cloudwatch_metric_alarm", DELETE, EXPOSURE),
    ("aws_flow_log", REPLACE, EXPOSURE),
    ("aws_s3_bucket_public_access_block", DELETE, EXPOSURE),
    ("aws_wafv2_web_acl_association", REPLACE, EXPOSURE),
    ("aws_iam_role_policy_attachment", CREATE, EXPOSURE),
    ("aws_ecs_task_definition", REPLACE, OTHER),
    ("aws_cloudwatch_dashboard", DELETE, OTHER),
    ("aws_appautoscaling_target", DELETE, CAPACITY),
    ("aws_nat_gateway", DELETE, DOWNTIME),
    ("aws_nat_gateway", REPLACE, DOWNTIME),
    ("aws_acm_certificate", SUCCESSOR_FIRST, DOWNTIME),
    ("aws_instance", ["forget"], CAPACITY),
    ("aws_instance", ["create", "forget"], CAPACITY),
    ("aws_instance", ["levitate"], DATA_LOSS),
    ("aws_nat_gateway", CREATE, CAPACITY),
    ("aws_security_group", CREATE, OTHER),
]

# Type, new resource, level.
NEW: list[tuple[str, dict[str, Any], Level]] = [
    ("aws_rds_cluster", {"storage_encrypted": None}, EXPOSURE),
    ("aws_elasticache_replication_group", {"transit_encryption_enabled": False}, EXPOSURE),
    ("aws_db_instance", {"publicly_accessible": True, "storage_encrypted": True}, EXPOSURE),
    ("aws_ecr_repository", {"image_tag_mutability": "MUTABLE"}, EXPOSURE),
    ("aws_ecr_repository", {"image_tag_mutability": "IMMUTABLE", "force_delete": True}, OTHER),
    ("google_thing", {"authorized": ["0.0.0.0/0"]}, EXPOSURE),
    ("aws_route", {"destination_cidr_block": "0.0.0.0/0"}, OTHER),
    ("google_thing", {"authorized": ["0.0.0.0/1", "128.0.0.0/1"]}, EXPOSURE),
    ("aws_s3_bucket_lifecycle_configuration", {"bucket": "a", "rule": [{"expiration": [{"days": 1}]}]}, DATA_LOSS),
    ("aws_s3_bucket_lifecycle_configuration", {"rule": [{"expiration": [{"days": 1}]}]}, OTHER),
    ("aws_s3_bucket_lifecycle_configuration", {"bucket": [1], "rule": [{"expiration": [{"days": 1}]}]}, OTHER),
    (
        "aws_s3_bucket_lifecycle_configuration",
        {"bucket": "a", "rule": [{"status": "Disabled", "expiration": [{"days": 1}]}]},
        OTHER,
    ),
    ("aws_ecr_lifecycle_policy", {"repository": "a", "policy": "{}"}, DATA_LOSS),
    ("google_storage_bucket", {"lifecycle_rule": [{"condition": [{"age": 1}]}]}, OTHER),
    ("aws_iam_role", {"managed_policy_arns": ["arn:aws:iam::aws:policy/AdministratorAccess"]}, EXPOSURE),
    ("aws_iam_role", {"managed_policy_arns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]}, OTHER),
    ("google_project_iam_member", {"role": "roles/owner", "member": "user:a"}, EXPOSURE),
    ("google_project_iam_member", {"role": "roles/viewer", "member": "user:a"}, OTHER),
    ("azurerm_role_assignment", {"role_definition_name": "Owner"}, EXPOSURE),
    ("azurerm_mssql_firewall_rule", {"end_ip_address": "255.255.255.255"}, EXPOSURE),
    ("azurerm_network_security_rule", {"source_address_prefix": "*", "access": "Allow"}, EXPOSURE),
    ("azurerm_network_security_rule", {"source_address_prefix": "*", "access": "Deny"}, OTHER),
    ("azurerm_network_security_rule", {"source_address_prefixes": ["Internet"], "direction": "Outbound"}, OTHER),
    (
        "azurerm_network_security_group",
        {"security_rule": [{"name": "a/b", "access": "Deny", "source_address_prefix": "*"}]},
        OTHER,
    ),
    ("google_compute_firewall", {"source_ranges": ["0.0.0.0/0"], "allow": [{"protocol": "tcp"}]}, EXPOSURE),
    ("google_compute_firewall", {"source_ranges": ["0.0.0.0/0"], "deny": [{"protocol": "all"}]}, OTHER),
    ("github_repository", {"visibility": "public"}, EXPOSURE),
    ("aws_ami_launch_permission", {"group": "all"}, EXPOSURE),
    ("aws_lambda_permission", {"principal": "*"}, EXPOSURE),
    ("aws_sns_topic", {"display_name": "all"}, OTHER),
]


def findings(folder: Path, *changes: dict[str, Any], **more: Any) -> list[Finding]:
    (reviewed,) = read_plans([write(folder, plan(*changes, **more))])
    return list(review(reviewed).findings)


def worst(found: list[Finding]) -> Level:
    return min((finding.level for finding in found), key=lambda level: level.rank, default=OTHER)


def of_update(type_: str, path: str, before: Any, after: Any) -> dict[str, Any]:
    return change(type_, UPDATE, nested(path, before), nested(path, after))


def of_revision(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return change("aws_ecs_task_definition", REPLACE, before, after)


def of_container(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    sides = [{"container_definitions": json.dumps([{"name": "app", **each}])} for each in (before, after)]
    return of_revision(*sides)


@pytest.mark.parametrize(("type_", "path", "before", "after", "level"), UPDATES)
def test_an_argument_has_its_level(tmp_path: Path, type_: str, path: str, before: Any, after: Any, level: Level):
    assert worst(findings(tmp_path, of_update(type_, path, before, after))) is level


@pytest.mark.parametrize(("path", "before", "after", "level"), OF_REVISIONS)
def test_an_argument_of_a_revision_has_its_level(tmp_path: Path, path: str, before: Any, after: Any, level: Level):
    assert worst(findings(tmp_path, of_revision(nested(path, before), nested(path, after)))) is level


@pytest.mark.parametrize(("before", "after", "level"), CONTAINERS)
def test_a_container_definition_is_compared(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], level: Level
):
    assert worst(findings(tmp_path, of_container(before, after))) is level


@pytest.mark.parametrize(("type_", "actions", "level"), ACTIONS)
def test_an_action_has_its_level(tmp_path: Path, type_: str, actions: list[str], level: Level):
    assert worst(findings(tmp_path, change(type_, actions, {"id": "1"}, {}))) is level


@pytest.mark.parametrize(("type_", "new", "level"), NEW)
def test_an_unsafe_new_resource_has_its_level(tmp_path: Path, type_: str, new: dict[str, Any], level: Level):
    assert worst([each for each in findings(tmp_path, change(type_, CREATE, None, new)) if each.argument]) is level


def test_a_lifecycle_of_what_is_new_too_deletes_nothing(tmp_path: Path):
    lifecycle = {"rule": [{"expiration": [{"days": 1}]}]}
    bucket = change("aws_s3_bucket", CREATE, None, {"bucket": "new"})
    versioning = change("aws_s3_bucket_versioning", CREATE, None, {"bucket": "old"})
    levels = {
        bucket_name: worst(
            findings(
                tmp_path,
                bucket,
                versioning,
                change(
                    "aws_s3_bucket_lifecycle_configuration",
                    CREATE,
                    None,
                    {**lifecycle, "bucket": bucket_name},
                    after_unknown={} if bucket_name else {"bucket": True},
                ),
            )
        )
        for bucket_name in ("new", None, "old")
    }
    assert levels == {"new": OTHER, None: OTHER, "old": DATA_LOSS}


def test_a_finding_about_a_list_is_not_repeated_for_its_elements(tmp_path: Path):
    shared = of_update("aws_db_snapshot", "shared_accounts", [], ["all"])
    removed = of_update("aws_ecs_service", "load_balancer", [{"container_port": 8443}], [])
    assert [finding.argument for finding in findings(tmp_path, shared, removed)] == ["load_balancer", "shared_accounts"]


@pytest.mark.parametrize(
    ("before", "after", "operator", "level"),
    [
        (80, 95, "GreaterThanThreshold", EXPOSURE),
        (80, 70, "GreaterThanThreshold", OTHER),
        (20, 10, "LessThanThreshold", EXPOSURE),
        (20, 30, "LessThanThreshold", OTHER),
    ],
)
def test_an_alarm_that_is_triggered_later_is_exposure(
    tmp_path: Path, before: int, after: int, operator: str, level: Level
):
    sides = [{"threshold": value, "comparison_operator": operator} for value in (before, after)]
    assert worst(findings(tmp_path, change("aws_cloudwatch_metric_alarm", UPDATE, *sides))) is level


@pytest.mark.parametrize("actions", [UPDATE, REPLACE, DELETE])
def test_the_rotation_function_is_recognized(tmp_path: Path, actions: list[str]):
    sides = {"memory_size": 256}, {"memory_size": 512}
    ours = findings(tmp_path, change("aws_lambda_function", actions, *sides, address="aws_lambda_function.rotation"))
    others = findings(tmp_path, change("aws_lambda_function", actions, *sides))
    assert ROTATION in {finding.level for finding in ours}
    assert ROTATION not in {finding.level for finding in others}


def test_every_argument_rule_has_an_example(tmp_path: Path):
    sides = (
        {"threshold": 1, "comparison_operator": "GreaterThanThreshold"},
        {"threshold": 2, "comparison_operator": "GreaterThanThreshold"},
    )
    changes = [
        *(of_update(*example[:4]) for example in UPDATES),
        *(of_revision(nested(path, before), nested(path, after)) for path, before, after, _ in OF_REVISIONS),
        *(of_container(before, after) for before, after, _ in CONTAINERS),
        *(change(type_, CREATE, None, new) for type_, new, _ in NEW),
        change("aws_cloudwatch_metric_alarm", UPDATE, *sides),
        change(
            "aws_cloudwatch_metric_alarm",
            UPDATE,
            *({**side, "comparison_operator": "LessThanThreshold"} for side in reversed(sides)),
        ),
    ]
    reported = {(finding.address.partition(".")[0], finding.sentence) for finding in findings(tmp_path, *changes)}
    assert [rule for rule in RULES if not _is_reported(rule, reported)] == []


def _is_reported(rule: ReviewRule, reported: set[tuple[str, str]]) -> bool:
    return any(re.fullmatch(rule.types, type_) and sentence == rule.sentence for type_, sentence in reported)


def test_every_action_rule_has_an_example(tmp_path: Path):
    changes = [change(type_, actions, {"id": "1"}, {}) for type_, actions, _ in ACTIONS]
    changes += [
        change("aws_lambda_function", actions, {}, {}, address="aws_lambda_function.rotation")
        for actions in (DELETE, REPLACE)
    ]
    reported = {finding.sentence for finding in findings(tmp_path, *changes)}
    assert [rule for rule in ACTION_RULES if rule.sentence not in {*reported, ""}] == []
