"""How many resources of each type each tier has in production: at two zones, and at three with two readers.

Written down, so that a change which adds or loses a resource is seen as one.
"""

from collections import Counter

import pytest

from synthesized.platform import Platform

# tier: type: (at two zones, at three)
COUNTS: dict[str, dict[str, tuple[int, int]]] = {
    "access": {
        "aws_iam_openid_connect_provider": (1, 1),
        "aws_iam_policy": (11, 11),
        "aws_iam_role": (2, 2),
        "aws_iam_role_policy_attachment": (12, 12),
    },
    "foundation": {
        "aws_ecr_lifecycle_policy": (1, 1),
        "aws_ecr_repository": (1, 1),
        "aws_ecr_repository_policy": (1, 1),
        "aws_kms_alias": (9, 9),
        "aws_kms_key": (9, 9),
        "aws_s3_bucket": (3, 3),
        "aws_s3_bucket_lifecycle_configuration": (3, 3),
        "aws_s3_bucket_logging": (2, 2),
        "aws_s3_bucket_object_lock_configuration": (1, 1),
        "aws_s3_bucket_ownership_controls": (3, 3),
        "aws_s3_bucket_policy": (3, 3),
        "aws_s3_bucket_public_access_block": (3, 3),
        "aws_s3_bucket_server_side_encryption_configuration": (3, 3),
        "aws_s3_bucket_versioning": (3, 3),
        "aws_sns_topic": (1, 1),
        "aws_sns_topic_policy": (1, 1),
        "aws_sns_topic_subscription": (1, 1),
    },
    "network": {
        "aws_cloudwatch_log_group": (1, 1),
        "aws_cloudwatch_log_metric_filter": (1, 1),
        "aws_cloudwatch_metric_alarm": (3, 4),
        "aws_default_network_acl": (1, 1),
        "aws_default_route_table": (1, 1),
        "aws_default_security_group": (1, 1),
        "aws_eip": (2, 3),
        "aws_flow_log": (1, 1),
        "aws_iam_role": (1, 1),
        "aws_iam_role_policy": (1, 1),
        "aws_internet_gateway": (1, 1),
        "aws_nat_gateway": (2, 3),
        "aws_network_acl": (3, 3),
        "aws_route": (4, 6),
        "aws_route_table": (6, 9),
        "aws_route_table_association": (6, 9),
        "aws_security_group": (8, 8),
        "aws_subnet": (6, 9),
        "aws_vpc": (1, 1),
        "aws_vpc_endpoint": (8, 8),
        "aws_vpc_security_group_egress_rule": (9, 9),
        "aws_vpc_security_group_ingress_rule": (10, 10),
    },
    "database": {
        "aws_appautoscaling_policy": (1, 1),
        "aws_appautoscaling_target": (1, 1),
        "aws_cloudwatch_log_group": (2, 2),
        "aws_cloudwatch_log_metric_filter": (1, 1),
        "aws_cloudwatch_metric_alarm": (8, 8),
        "aws_db_parameter_group": (1, 1),
        "aws_db_subnet_group": (1, 1),
        "aws_iam_role": (1, 1),
        "aws_iam_role_policy_attachment": (1, 1),
        "aws_rds_cluster": (1, 1),
        "aws_rds_cluster_instance": (2, 3),
        "aws_rds_cluster_parameter_group": (1, 1),
    },
    "cache": {
        "aws_appautoscaling_policy": (2, 2),
        "aws_appautoscaling_target": (1, 1),
        "aws_cloudwatch_log_group": (2, 2),
        "aws_cloudwatch_log_resource_policy": (1, 1),
        "aws_cloudwatch_metric_alarm": (5, 5),
        "aws_elasticache_parameter_group": (1, 1),
        "aws_elasticache_replication_group": (1, 1),
        "aws_elasticache_subnet_group": (1, 1),
        "aws_elasticache_user": (2, 2),
        "aws_elasticache_user_group": (1, 1),
    },
    "storage": {
        "aws_cloudwatch_metric_alarm": (2, 2),
        "aws_efs_access_point": (2, 2),
        "aws_efs_backup_policy": (1, 1),
        "aws_efs_file_system": (1, 1),
        "aws_efs_file_system_policy": (1, 1),
        "aws_efs_mount_target": (2, 3),
        "aws_efs_replication_configuration": (1, 1),
    },
    "rotation": {
        "aws_cloudwatch_log_group": (2, 2),
        "aws_cloudwatch_metric_alarm": (3, 3),
        "aws_iam_role": (3, 3),
        "aws_iam_role_policy": (3, 3),
        "aws_lambda_function": (1, 1),
        "aws_lambda_permission": (1, 1),
        "aws_scheduler_schedule": (1, 1),
        "aws_secretsmanager_secret": (1, 1),
        "aws_secretsmanager_secret_policy": (1, 1),
        "aws_secretsmanager_secret_rotation": (1, 1),
        "aws_sfn_state_machine": (1, 1),
    },
    "service": {
        "aws_acm_certificate": (1, 1),
        "aws_acm_certificate_validation": (1, 1),
        "aws_appautoscaling_policy": (2, 2),
        "aws_appautoscaling_target": (1, 1),
        "aws_cloudwatch_event_rule": (1, 1),
        "aws_cloudwatch_event_target": (1, 1),
        "aws_cloudwatch_log_group": (4, 4),
        "aws_cloudwatch_log_resource_policy": (1, 1),
        "aws_cloudwatch_metric_alarm": (9, 9),
        "aws_ecs_cluster": (1, 1),
        "aws_ecs_cluster_capacity_providers": (1, 1),
        "aws_ecs_service": (1, 1),
        "aws_ecs_task_definition": (1, 1),
        "aws_iam_role": (4, 4),
        "aws_iam_role_policy": (4, 4),
        "aws_lb": (1, 1),
        "aws_lb_listener": (2, 2),
        "aws_lb_target_group": (1, 1),
        "aws_route53_record": (2, 2),
        "aws_sfn_state_machine": (1, 1),
        "aws_wafv2_web_acl": (1, 1),
        "aws_wafv2_web_acl_association": (1, 1),
        "aws_wafv2_web_acl_logging_configuration": (1, 1),
    },
    "recovery": {
        "aws_backup_plan": (1, 1),
        "aws_backup_restore_testing_plan": (1, 1),
        "aws_backup_restore_testing_selection": (2, 2),
        "aws_backup_selection": (2, 2),
        "aws_backup_vault": (2, 2),
        "aws_backup_vault_lock_configuration": (2, 2),
        "aws_backup_vault_policy": (2, 2),
        "aws_cloudwatch_event_rule": (5, 5),
        "aws_cloudwatch_event_target": (5, 5),
        "aws_cloudwatch_metric_alarm": (1, 1),
        "aws_iam_role": (2, 2),
        "aws_iam_role_policy_attachment": (2, 2),
    },
    "audit": {
        "aws_cloudtrail": (1, 1),
        "aws_cloudwatch_event_rule": (12, 12),
        "aws_cloudwatch_event_target": (12, 12),
        "aws_cloudwatch_log_group": (1, 1),
        "aws_cloudwatch_log_metric_filter": (10, 10),
        "aws_cloudwatch_metric_alarm": (11, 11),
        "aws_config_config_rule": (24, 24),
        "aws_config_configuration_recorder": (1, 1),
        "aws_config_configuration_recorder_status": (1, 1),
        "aws_config_delivery_channel": (1, 1),
        "aws_guardduty_detector": (1, 1),
        "aws_guardduty_detector_feature": (6, 6),
        "aws_iam_role": (1, 1),
        "aws_iam_role_policy": (1, 1),
        "aws_inspector2_enabler": (1, 1),
        "aws_securityhub_account": (1, 1),
        "aws_securityhub_standards_subscription": (2, 2),
    },
    "observability": {
        "aws_cloudwatch_composite_alarm": (1, 1),
        "aws_cloudwatch_dashboard": (1, 1),
        "aws_cloudwatch_event_rule": (5, 5),
        "aws_cloudwatch_event_target": (5, 5),
        "aws_cloudwatch_log_metric_filter": (1, 1),
        "aws_cloudwatch_metric_alarm": (4, 4),
        "aws_cloudwatch_query_definition": (6, 6),
        "aws_db_event_subscription": (4, 4),
    },
}


@pytest.mark.parametrize("tier", list(COUNTS))
def test_each_tier_has_so_many_of_each_type(prod: Platform, three_zones: Platform, tier: str):
    two, three = (
        Counter(resource.type for resource in platform.resources if resource.tier == tier)
        for platform in (prod, three_zones)
    )
    assert {type_: (two[type_], three[type_]) for type_ in two | three} == COUNTS[tier]


def test_every_tier_is_counted(prod: Platform):
    assert set(prod.stacks) == set(COUNTS)
