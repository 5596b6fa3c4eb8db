"""What moto is extended by."""

from operations.rehearsal.local_aws import applicationautoscaling, efs, elasticache, kms, resourcegroupstaggingapi, s3
from operations.rehearsal.local_aws.extension import Extension

EXTENSIONS: tuple[Extension, ...] = (
    applicationautoscaling.EXTENSION,
    efs.EXTENSION,
    elasticache.EXTENSION,
    kms.EXTENSION,
    resourcegroupstaggingapi.EXTENSION,
    s3.EXTENSION,
)
