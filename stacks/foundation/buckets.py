"""S3 buckets for logs: versioned, private, TLS only; objects are deleted only by their lifecycle."""

from collections.abc import Sequence
from typing import Self

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

from stacks.foundation.deliveries import S3_ACCESS_PREFIX
from stacks.parts.policy_documents import policy_document
from stacks.statements import EVERYONE, Condition, Statement, deny, deny_other_accounts, deny_plaintext
from stacks.tier import TierStack

# PCI DSS 10.5.1: three months immediately available. So are objects in Glacier Instant Retrieval, at a fifth of the
# price.
DAYS_BEFORE_ARCHIVE = 90


class LogBucket:
    """A log bucket with its policy, encryption, lifecycle and access logging.

    Requirements differ by log source: load balancers and S3 access logs need SSE-S3 and no Object Lock, AWS Config
    allows no default retention, CloudTrail supports both KMS and Object Lock.
    """

    def __init__(
        self,
        tier: TierStack,
        name: str,
        *,
        delivery_statements: Sequence[Statement],
        key: KmsKey | None,
        object_lock: bool,
        access_log: Self | None,
    ) -> None:
        """Create the bucket.

        Args:
            delivery_statements: policy statements that let AWS services deliver logs.
            key: KMS key; None for SSE-S3.
            object_lock: lock objects until their retention ends (PCI DSS 10.3.2).
            access_log: bucket for the access logs of this one (PCI DSS 10.2.1.3).
        """
        self._tier = tier
        self._name = name
        self.bucket = S3Bucket(
            tier,
            name,
            bucket=tier.names.bucket_name(name),
            object_lock_enabled=object_lock,
            force_destroy=not tier.settings.deletion_protection,
            lifecycle=tier.stateful_lifecycle(),
        )
        self._encrypt(key)
        self.policy = self._keep_private(delivery_statements)
        versioning = self._version()
        self._age(versioning)
        if object_lock:
            self._lock(versioning)
        if access_log:
            self._log_access(access_log)

    def _version(self) -> S3BucketVersioningA:
        return S3BucketVersioningA(
            self._tier,
            f"{self._name}-versioning",
            bucket=self.bucket.id,
            versioning_configuration=S3BucketVersioningVersioningConfiguration(status="Enabled"),
        )

    def _encrypt(self, key: KmsKey | None) -> None:
        S3BucketServerSideEncryptionConfigurationA(
            self._tier,
            f"{self._name}-encryption",
            bucket=self.bucket.id,
            rule=[
                S3BucketServerSideEncryptionConfigurationRuleA(
                    apply_server_side_encryption_by_default=S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA(
                        sse_algorithm="aws:kms" if key else "AES256",
                        kms_master_key_id=key.arn if key else None,
                    ),
                    bucket_key_enabled=key is not None,
                )
            ],
        )

    def _keep_private(self, delivery_statements: Sequence[Statement]) -> S3BucketPolicy:
        """PCI DSS 10.3.1: no ACLs, no public access, no plaintext, TLS 1.2 or later, no other account."""
        block = S3BucketPublicAccessBlock(
            self._tier,
            f"{self._name}-public-access",
            bucket=self.bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
        )
        S3BucketOwnershipControls(
            self._tier,
            f"{self._name}-ownership",
            bucket=self.bucket.id,
            rule=S3BucketOwnershipControlsRule(object_ownership="BucketOwnerEnforced"),
        )
        everything = [self.bucket.arn, f"{self.bucket.arn}/*"]
        return S3BucketPolicy(
            self._tier,
            f"{self._name}-policy",
            bucket=self.bucket.id,
            policy=policy_document(
                self._tier,
                f"{self._name}-access",
                *delivery_statements,
                deny_plaintext(["s3:*"], everything),
                deny(
                    "DenyOldTls",
                    ["s3:*"],
                    everything,
                    to=EVERYONE,
                    when=[Condition("NumericLessThan", "s3:TlsVersion", ["1.2"])],
                ),
                deny_other_accounts(self._tier.settings.account, ["s3:*"], everything),
                # Bucket policies do not apply to lifecycle expiration.
                deny(
                    "DenyDeletion",
                    ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"],
                    [f"{self.bucket.arn}/*"],
                    to=EVERYONE,
                ),
            ),
            # S3 rejects concurrent changes to the two.
            depends_on=[block],
        )

    def _age(self, versioning: S3BucketVersioningA) -> None:
        """PCI DSS 10.5.1: keep logs for the retention of the settings, then delete them."""
        days = self._tier.settings.log_retention_days
        S3BucketLifecycleConfiguration(
            self._tier,
            f"{self._name}-lifecycle",
            bucket=self.bucket.id,
            rule=[
                S3BucketLifecycleConfigurationRule(
                    id="age",
                    status="Enabled",
                    filter=[S3BucketLifecycleConfigurationRuleFilter(prefix="")],
                    transition=[
                        S3BucketLifecycleConfigurationRuleTransition(
                            days=DAYS_BEFORE_ARCHIVE, storage_class="GLACIER_IR"
                        )
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
            # Rules for noncurrent versions require versioning.
            depends_on=[versioning],
        )

    def _lock(self, versioning: S3BucketVersioningA) -> None:
        S3BucketObjectLockConfigurationA(
            self._tier,
            f"{self._name}-lock",
            bucket=self.bucket.id,
            rule=S3BucketObjectLockConfigurationRuleA(
                default_retention=S3BucketObjectLockConfigurationRuleDefaultRetentionA(
                    # Nobody could remove compliance mode, not even to destroy the tier.
                    mode="GOVERNANCE",
                    days=self._tier.settings.log_retention_days,
                )
            ),
            depends_on=[versioning],
        )

    def _log_access(self, to: Self) -> None:
        S3BucketLoggingA(
            self._tier,
            f"{self._name}-logging",
            bucket=self.bucket.id,
            target_bucket=to.bucket.id,
            target_prefix=f"{S3_ACCESS_PREFIX}/{self._name}/",
            # S3 checks that it may deliver to the bucket.
            depends_on=[to.policy],
        )
