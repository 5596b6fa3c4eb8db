"""Which AWS service may deliver which logs where: statements of the log buckets' policies and of their key's.

The trail and the Config recorder are made by a later tier; their names are computed.
"""

from stacks.names import Names
from stacks.statements import Statement, allow, arn_like, service_principal, string_equals

S3_ACCESS_PREFIX = "s3-access"
ALB_ACCESS_PREFIX = "alb-access"
ALB_CONNECTION_PREFIX = "alb-connection"


def access_log_statements(names: Names, bucket: str, *, of_buckets: list[str]) -> list[Statement]:
    """Load balancers log requests and connections; S3 logs who reads other buckets."""
    return [
        allow(
            "DeliverLoadBalancerLogs",
            ["s3:PutObject"],
            [
                f"{names.bucket_arn(bucket)}/{prefix}/AWSLogs/{names.account}/*"
                for prefix in (ALB_ACCESS_PREFIX, ALB_CONNECTION_PREFIX)
            ],
            to=service_principal("logdelivery.elasticloadbalancing.amazonaws.com"),
            # AWS's page names this condition and no other; the ARN holds the account.
            when=[arn_like("aws:SourceArn", names.load_balancer_arn_pattern)],
        ),
        allow(
            "DeliverBucketLogs",
            ["s3:PutObject"],
            [f"{names.bucket_arn(bucket)}/{S3_ACCESS_PREFIX}/*"],
            to=service_principal("logging.s3.amazonaws.com"),
            when=[
                string_equals("aws:SourceAccount", names.account),
                arn_like("aws:SourceArn", *map(names.bucket_arn, of_buckets)),
            ],
        ),
    ]


def trail_statements(names: Names, bucket: str) -> list[Statement]:
    """CloudTrail, for this environment's trail alone."""
    cloudtrail = service_principal("cloudtrail.amazonaws.com")
    by_our_trail = string_equals("aws:SourceArn", names.trail_arn)
    return [
        allow("CheckTrailBucket", ["s3:GetBucketAcl"], [names.bucket_arn(bucket)], to=cloudtrail, when=[by_our_trail]),
        allow(
            "DeliverTrail",
            ["s3:PutObject"],
            [f"{names.bucket_arn(bucket)}/AWSLogs/{names.account}/*"],
            to=cloudtrail,
            when=[by_our_trail, string_equals("s3:x-amz-acl", "bucket-owner-full-control")],
        ),
    ]


def config_statements(names: Names, bucket: str) -> list[Statement]:
    """AWS Config, for this account."""
    config = service_principal("config.amazonaws.com")
    own_account = string_equals("aws:SourceAccount", names.account)
    return [
        allow(
            "CheckConfigBucket",
            ["s3:GetBucketAcl", "s3:ListBucket"],
            [names.bucket_arn(bucket)],
            to=config,
            when=[own_account],
        ),
        allow(
            "DeliverConfigRecords",
            ["s3:PutObject"],
            [f"{names.bucket_arn(bucket)}/AWSLogs/{names.account}/Config/*"],
            to=config,
            when=[own_account, string_equals("s3:x-amz-acl", "bucket-owner-full-control")],
        ),
    ]


def key_statements(names: Names) -> list[Statement]:
    """What the deliverers and CloudWatch Logs do with the logs' key."""
    return [
        allow(
            "EncryptLogGroups",
            ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
            ["*"],
            to=service_principal(f"logs.{names.region}.amazonaws.com"),
            when=[arn_like("kms:EncryptionContext:aws:logs:arn", names.arn("logs", "log-group:*"))],
        ),
        # Decrypt, and no encryption context: the bucket's key in S3 (its "bucket key") has a context of its own.
        # https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html
        allow(
            "EncryptTrail",
            ["kms:GenerateDataKey*", "kms:Decrypt", "kms:DescribeKey"],
            ["*"],
            to=service_principal("cloudtrail.amazonaws.com"),
            when=[string_equals("aws:SourceArn", names.trail_arn)],
        ),
        allow(
            "EncryptConfigRecords",
            ["kms:GenerateDataKey*", "kms:Decrypt"],
            ["*"],
            to=service_principal("config.amazonaws.com"),
            when=[string_equals("aws:SourceAccount", names.account)],
        ),
    ]
