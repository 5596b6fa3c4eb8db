"""Customer managed KMS keys: explicit policy, yearly rotation, deletion only after 30 days."""

from collections.abc import Mapping

from cdktf_cdktf_provider_aws.kms_alias import KmsAlias
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.provider import AwsProvider

from stacks.foundation.key_policy import key_policy
from stacks.parts.policy_documents import policy_document
from stacks.statements import Statement
from stacks.tier import TierStack

KEYS: Mapping[str, str] = {
    "database": "Aurora's storage, snapshots and Performance Insights",
    "files": "EFS file systems and the cache",
    "secrets": "secrets in Secrets Manager",
    "logs": "log groups, the audit archive and Config's records",
    "alarms": "messages of the alarm topic",
    "images": "container images",
    "backup": "recovery points in the backup vault",
}
"""What the foundation's keys encrypt, by purpose."""
SECOND_REGION_KEYS: Mapping[str, str] = {
    "files-replica": "the file system's replica in the second Region",
    "backup-copies": "copies of backups in the second Region",
}


def customer_key(
    tier: TierStack, purpose: str, protects: str, *users: Statement, provider: AwsProvider | None = None
) -> KmsKey:
    """A KMS key with alias and outputs.

    Args:
        purpose: part of the key's alias and ids.
        protects: what it encrypts, for its description.
        users: statements for AWS services that use the key themselves. A service that acts on behalf of a role needs
            none, because the role's IAM policy decides.
        provider: provider of the Region, if it is not the environment's first.
    """
    base = key_policy(tier.settings.account, tier.settings.foundation.key_administrators)
    key = KmsKey(
        tier,
        f"key-{purpose}",
        description=f"Encrypts {protects}",
        policy=policy_document(tier, f"key-{purpose}-policy", *base, *users),
        enable_key_rotation=True,
        rotation_period_in_days=365,  # PCI DSS 3.7.4: a year or less
        deletion_window_in_days=30,  # KMS's maximum: time to notice (PCI DSS 3.7.5)
        lifecycle=tier.stateful_lifecycle(),
        provider=provider,
    )
    alias = KmsAlias(
        tier,
        f"alias-{purpose}",
        name=f"alias/{tier.names.resource_name(purpose)}",
        target_key_id=key.id,
        provider=provider,
    )
    tier.publish(f"{purpose}_key_arn", key, "arn", f"KMS key that encrypts {protects}")
    tier.export(alias, "arn")
    return key
