"""Buckets that keep logs: versioned, private, TLS only, emptied by age alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from cdktf_cdktf_provider_aws.s3_bucket_lifecycle_configuration import (
    S3BucketLifecycleConfiguration,
    S3BucketLifecycleConfigurationRule,
    S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload,
    S3BucketLifecycleConfigurationRuleExpiration,
    S3BucketLifecycleConfigurationRuleFilter,
    S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration,
    S3BucketLifecycleConfigurationRuleTransition,
)
from cdktf_cdktf_provider_aws.s3_bucket_logging import S3BucketLoggingA
from cdktf_cdktf_provider_aws.s3_bucket_object_lock_configuration import (
    S3BucketObjectLockConfigurationA,
    S3BucketObjectLockConfigurationRuleA,
    S3BucketObjectLockConfigurationRuleDefaultRetentionA,
)
from cdktf_cdktf_provider_aws.s3_bucket_ownership_controls import (
    S3BucketOwnershipControls,
    S3BucketOwnershipControlsRule,
)
from cdktf_cdktf_provider_aws.s3_bucket_policy import S3BucketPolicy
from cdktf_cdktf_provider_aws.s3_bucket_public_access_block import S3BucketPublicAccessBlock
from cdktf_cdktf_provider_aws.s3_bucket_server_side_encryption_configuration import (
    S3BucketServerSideEncryptionConfigurationA,
    S3BucketServerSideEncryptionConfigurationRuleA,
    S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA,
)
from cdktf_cdktf_provider_aws.s3_bucket_versioning import S3BucketVersioningA, S3BucketVersioningVersioningConfiguration

from stacks.parts.deliveries import S3_ACCESS_PREFIX
from stacks.parts.policies import EVERYONE, Condition, Statement, deny, deny_other_accounts, deny_plaintext, document
from stacks.tier import TierStack

# PCI DSS 10.5.1: three months at hand. Glacier Instant Retrieval stays readable at once, at a fifth of the price.
DAYS_BEFORE_ARCHIVE = 90


@dataclass(frozen=True, kw_only=True)
class LogBucket:
    """What one log bucket has of its own.

    AWS's rules differ by who delivers: a load balancer and S3's own access logs need a bucket under S3's key (SSE-S3)
    without Object Lock, AWS Config refuses a default retention, and a trail takes both a key and a lock.
    """

    name: str
    key: KmsKey | None
    """None leaves the encryption to S3's own key."""
    locked: bool
    """Whether nobody deletes a log before its age (PCI DSS 10.3.2)."""
    access_log: S3Bucket | None
    """Where S3 logs who reads the bucket (PCI DSS 10.2.1.3)."""
    policy: Sequence[Statement]
    """Who delivers here."""


def log_bucket(tier: TierStack, spec: LogBucket) -> S3Bucket:
    """Make a log bucket with everything around it."""
    bucket = S3Bucket(
        tier,
        spec.name,
        bucket=tier.names.of_bucket(spec.name),
        object_lock_enabled=spec.locked,
        force_destroy=not tier.settings.deletion_protection,
        lifecycle=tier.kept,
    )
    versioning = _version(tier, spec, bucket)
    _encrypt(tier, spec, bucket)
    _keep_private(tier, spec, bucket)
    _age(tier, spec, bucket, versioning)
    if spec.locked:
        _lock(tier, spec, bucket, versioning)
    if spec.access_log:
        S3BucketLoggingA(
            tier,
            f"{spec.name}-logging",
            bucket=bucket.id,
            target_bucket=spec.access_log.id,
            target_prefix=f"{S3_ACCESS_PREFIX}/{spec.name}/",
        )
    return bucket


def _version(tier: TierStack, spec: LogBucket, bucket: S3Bucket) -> S3BucketVersioningA:
    return S3BucketVersioningA(
        tier,
        f"{spec.name}-versioning",
        bucket=bucket.id,
        versioning_configuration=S3BucketVersioningVersioningConfiguration(status="Enabled"),
    )


def _encrypt(tier: TierStack, spec: LogBucket, bucket: S3Bucket) -> None:
    S3BucketServerSideEncryptionConfigurationA(
        tier,
        f"{spec.name}-encryption",
        bucket=bucket.id,
        rule=[
            S3BucketServerSideEncryptionConfigurationRuleA(
                apply_server_side_encryption_by_default=S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA(
                    sse_algorithm="aws:kms" if spec.key else "AES256",
                    kms_master_key_id=spec.key.arn if spec.key else None,
                ),
                bucket_key_enabled=spec.key is not None,
            )
        ],
    )


def _keep_private(tier: TierStack, spec: LogBucket, bucket: S3Bucket) -> None:
    """PCI DSS 10.3.1: no access list, no public policy, no plaintext, no TLS before 1.2, no other account."""
    block = S3BucketPublicAccessBlock(
        tier,
        f"{spec.name}-public-access",
        bucket=bucket.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
    )
    S3BucketOwnershipControls(
        tier,
        f"{spec.name}-ownership",
        bucket=bucket.id,
        rule=S3BucketOwnershipControlsRule(object_ownership="BucketOwnerEnforced"),
    )
    everything = [bucket.arn, f"{bucket.arn}/*"]
    S3BucketPolicy(
        tier,
        f"{spec.name}-policy",
        bucket=bucket.id,
        policy=document(
            tier,
            f"{spec.name}-access",
            *spec.policy,
            deny_plaintext(["s3:*"], everything),
            deny(
                "DenyOldTls",
                ["s3:*"],
                everything,
                to=EVERYONE,
                when=[Condition("NumericLessThan", "s3:TlsVersion", ["1.2"])],
            ),
            deny_other_accounts(tier.settings.account, ["s3:*"], everything),
            # S3 itself removes what has reached its age; that is no request, and no policy applies to it.
            deny(
                "DenyDeletion",
                ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"],
                [f"{bucket.arn}/*"],
                to=EVERYONE,
            ),
        ),
        # S3 refuses to change both at the same time.
        depends_on=[block],
    )


def _age(tier: TierStack, spec: LogBucket, bucket: S3Bucket, versioning: S3BucketVersioningA) -> None:
    """PCI DSS 10.5.1: kept for as long as the settings say, then removed."""
    days = tier.settings.log_retention_days
    S3BucketLifecycleConfiguration(
        tier,
        f"{spec.name}-lifecycle",
        bucket=bucket.id,
        rule=[
            S3BucketLifecycleConfigurationRule(
                id="age",
                status="Enabled",
                filter=[S3BucketLifecycleConfigurationRuleFilter(prefix="")],
                transition=[
                    S3BucketLifecycleConfigurationRuleTransition(days=DAYS_BEFORE_ARCHIVE, storage_class="GLACIER_IR")
                ]
                if days > DAYS_BEFORE_ARCHIVE
                else None,
                expiration=[S3BucketLifecycleConfigurationRuleExpiration(days=days)],
                noncurrent_version_expiration=[
                    S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration(noncurrent_days=30)
                ],
                abort_incomplete_multipart_upload=[
                    S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload(days_after_initiation=7)
                ],
            )
        ],
        # Rules for noncurrent versions belong to a bucket that has versions.
        depends_on=[versioning],
    )


def _lock(tier: TierStack, spec: LogBucket, bucket: S3Bucket, versioning: S3BucketVersioningA) -> None:
    S3BucketObjectLockConfigurationA(
        tier,
        f"{spec.name}-lock",
        bucket=bucket.id,
        rule=S3BucketObjectLockConfigurationRuleA(
            default_retention=S3BucketObjectLockConfigurationRuleDefaultRetentionA(
                # Compliance mode could not be undone by anybody, not even by closing the tier.
                mode="GOVERNANCE",
                days=tier.settings.log_retention_days,
            )
        ),
        depends_on=[versioning],
    )
