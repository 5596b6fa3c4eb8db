"""Out-of-band changes to S3 resources, one per argument."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import IDENTIFIES, Change


def _change_target_bucket(aws: LocalAws, logging: dict[str, Any]) -> None:
    aws.backend("s3").buckets[logging["bucket"]].logging["TargetBucket"] = "another"


def _change_target_prefix(aws: LocalAws, logging: dict[str, Any]) -> None:
    enabled = aws.client("s3").get_bucket_logging(Bucket=logging["bucket"])["LoggingEnabled"]
    aws.client("s3").put_bucket_logging(
        Bucket=logging["bucket"],
        BucketLoggingStatus={"LoggingEnabled": enabled | {"TargetPrefix": logging["target_prefix"] + "other/"}},
    )


def _change_encryption(aws: LocalAws, encryption: dict[str, Any]) -> None:
    """Switch between SSE-S3 and the AWS managed KMS key."""
    wanted = encryption["rule"][0]["apply_server_side_encryption_by_default"][0]["sse_algorithm"]
    algorithm = "AES256" if wanted == "aws:kms" else "aws:kms"
    aws.client("s3").put_bucket_encryption(
        Bucket=encryption["bucket"],
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}]
        },
    )


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_s3_bucket_logging", "target_prefix"): _change_target_prefix,
    ("aws_s3_bucket_logging", "target_bucket"): _change_target_bucket,
    ("aws_s3_bucket_server_side_encryption_configuration", "rule"): _change_encryption,
}
UNREAD: dict[tuple[str, str], str] = {
    ("aws_s3_bucket_logging", "bucket"): IDENTIFIES,
    ("aws_s3_bucket_server_side_encryption_configuration", "bucket"): IDENTIFIES,
}
