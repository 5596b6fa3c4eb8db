"""What moto is extended by."""

from operations.rehearsal.local_aws import (
    acm,
    applicationautoscaling,
    awslambda,
    backup,
    cloudwatch,
    ec2,
    ecs,
    efs,
    elasticache,
    kms,
    logs,
    rds,
    resourcegroupstaggingapi,
    s3,
    secretsmanager,
    stepfunctions,
    wafv2,
)
from operations.rehearsal.local_aws.extension import Extension

EXTENSIONS: tuple[Extension, ...] = (
    acm.EXTENSION,
    applicationautoscaling.EXTENSION,
    awslambda.EXTENSION,
    backup.EXTENSION,
    cloudwatch.EXTENSION,
    ec2.EXTENSION,
    ecs.EXTENSION,
    efs.EXTENSION,
    elasticache.EXTENSION,
    kms.EXTENSION,
    logs.EXTENSION,
    rds.EXTENSION,
    resourcegroupstaggingapi.EXTENSION,
    s3.EXTENSION,
    secretsmanager.EXTENSION,
    stepfunctions.EXTENSION,
    wafv2.EXTENSION,
)
