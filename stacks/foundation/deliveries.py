"""Policy statements that let AWS services deliver logs to the log buckets and use the logs' key.

A later tier creates the trail and the load balancer, so their ARNs are computed.
"""

from stacks.names import Names
from stacks.statements import Statement, allow, arn_like, service_principal, string_equals

S3_ACCESS_PREFIX = "s3-access"
ALB_ACCESS_PREFIX = "alb-access"
ALB_CONNECTION_PREFIX = "alb-connection"


def access_log_statements(names: Names, bucket: str, *, of_buckets: list[str]) -> list[Statement]:
    """Load balancer logs, and S3 access logs of other buckets."""
    return [
        allow(
            "DeliverLoadBalancerLogs",
            ["s3:PutObject"],
            [
                f"{names.bucket_arn(bucket)}/{prefix}/AWSLogs/{names.account}/*"
                for prefix in (ALB_ACCESS_PREFIX, ALB_CONNECTION_PREFIX)
            ],
            to=service_principal("logdelivery.elasticloadbalancing.amazonaws.com"),
            # AWS documents this condition only; the ARN contains the account.
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
    """CloudTrail, only for this environment's trail."""
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
    """Use of the logs' KMS key by CloudWatch Logs, CloudTrail and AWS Config."""
    return [
        allow(
            "EncryptLogGroups",
            ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
            ["*"],
            to=service_principal(f"logs.{names.region}.amazonaws.com"),
            when=[
                arn_like(
                    "kms:EncryptionContext:aws:logs:arn",
                    *(
                        names.arn("logs", f"log-group:{group}")
                        for group in (*names.log_group_patterns, *names.state_machine_log_groups)
                    ),
                )
            ],
        ),
        # Decrypt without an encryption context: an S3 Bucket Key uses its own context.
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
