"""What moto is extended by."""

from operations.rehearsal.local_aws import (
    acm,
    applicationautoscaling,
    cloudwatch,
    ec2,
    ecs,
    logs,
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
    logs.EXTENSION,
    stepfunctions.EXTENSION,
    wafv2.EXTENSION,
)
