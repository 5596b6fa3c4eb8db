"""S3."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes import Change


def _logs_elsewhere(aws: LocalAws, logging: dict[str, Any]) -> None:
    aws.backend("s3").buckets[logging["bucket"]].logging["TargetBucket"] = "another"


def _logs_under_another_prefix(aws: LocalAws, logging: dict[str, Any]) -> None:
    told = aws.client("s3").get_bucket_logging(Bucket=logging["bucket"])["LoggingEnabled"]
    aws.client("s3").put_bucket_logging(
        Bucket=logging["bucket"],
        BucketLoggingStatus={"LoggingEnabled": told | {"TargetPrefix": logging["target_prefix"] + "other/"}},
    )


def _is_encrypted_as_usual(aws: LocalAws, encryption: dict[str, Any]) -> None:
    """With S3's own key, or with AWS's of KMS where that is what is wanted."""
    wanted = encryption["rule"][0]["apply_server_side_encryption_by_default"][0]["sse_algorithm"]
    algorithm = "AES256" if wanted == "aws:kms" else "aws:kms"
    aws.client("s3").put_bucket_encryption(
        Bucket=encryption["bucket"],
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}]
        },
    )


CHANGES: dict[tuple[str, str], Change] = {
    ("aws_s3_bucket_logging", "target_prefix"): _logs_under_another_prefix,
    ("aws_s3_bucket_logging", "target_bucket"): _logs_elsewhere,
    ("aws_s3_bucket_server_side_encryption_configuration", "rule"): _is_encrypted_as_usual,
}
UNREAD: dict[tuple[str, str], str] = {
    ("aws_s3_bucket_logging", "bucket"): "names it: another bucket's logging is another thing",
    ("aws_s3_bucket_server_side_encryption_configuration", "bucket"): "names it: another bucket's is another thing",
}
