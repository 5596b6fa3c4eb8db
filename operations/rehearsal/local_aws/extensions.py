"""What moto is extended by."""

from operations.rehearsal.local_aws import applicationautoscaling, awslambda, rds, secretsmanager
from operations.rehearsal.local_aws.extension import Extension

EXTENSIONS: tuple[Extension, ...] = (
    applicationautoscaling.EXTENSION,
    awslambda.EXTENSION,
    rds.EXTENSION,
    secretsmanager.EXTENSION,
)
