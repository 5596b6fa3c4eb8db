"""What moto is extended by."""

from operations.rehearsal.local_aws import (
    acm,
    applicationautoscaling,
    cloudwatch,
    ec2,
    ecs,
    efs,
    elasticache,
    kms,
    logs,
    s3,
    stepfunctions,
    wafv2,
)
from operations.rehearsal.local_aws.extension import Extension

EXTENSIONS: tuple[Extension, ...] = (
    acm.EXTENSION,
    applicationautoscaling.EXTENSION,
    cloudwatch.EXTENSION,
    ec2.EXTENSION,
    ecs.EXTENSION,
    efs.EXTENSION,
    elasticache.EXTENSION,
    kms.EXTENSION,
    logs.EXTENSION,
    s3.EXTENSION,
    stepfunctions.EXTENSION,
    wafv2.EXTENSION,
)
