"""What moto is extended by."""

from operations.rehearsal.local_aws import applicationautoscaling, rds
from operations.rehearsal.local_aws.extension import Extension

EXTENSIONS: tuple[Extension, ...] = (applicationautoscaling.EXTENSION, rds.EXTENSION)
