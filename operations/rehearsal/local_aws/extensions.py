"""What moto is extended by."""

from operations.rehearsal.local_aws import (
    acm,
    applicationautoscaling,
    awslambda,
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
    servicequotas,
    stepfunctions,
    wafv2,
)
from operations.rehearsal.local_aws.extension import Extension

EXTENSIONS: tuple[Extension, ...] = (
    acm.EXTENSION,
    applicationautoscaling.EXTENSION,
    awslambda.EXTENSION,
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
    servicequotas.EXTENSION,
    stepfunctions.EXTENSION,
    wafv2.EXTENSION,
)
