"""What moto is extended by."""

from operations.rehearsal.local_aws import (
    applicationautoscaling,
    ec2,
    ecs,
    efs,
    elasticache,
    kms,
    s3,
    stepfunctions,
)
from operations.rehearsal.local_aws.extension import Extension

EXTENSIONS: tuple[Extension, ...] = (
    applicationautoscaling.EXTENSION,
    ec2.EXTENSION,
    ecs.EXTENSION,
    efs.EXTENSION,
    elasticache.EXTENSION,
    kms.EXTENSION,
    s3.EXTENSION,
    stepfunctions.EXTENSION,
)
