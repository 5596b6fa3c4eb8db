"""What moto is extended by."""

from operations.rehearsal.local_aws import applicationautoscaling, ec2, ecs, stepfunctions
from operations.rehearsal.local_aws.extension import Extension

EXTENSIONS: tuple[Extension, ...] = (
    applicationautoscaling.EXTENSION,
    ec2.EXTENSION,
    ecs.EXTENSION,
    stepfunctions.EXTENSION,
)
