"""Customer managed keys: an explicit policy, a new version a year, a month to change one's mind."""

from cdktf_cdktf_provider_aws.kms_alias import KmsAlias
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.provider import AwsProvider

from stacks.foundation.key_policy import key_policy
from stacks.parts.policy_documents import policy_document
from stacks.statements import Statement
from stacks.tier import TierStack


def customer_key(
    tier: TierStack, purpose: str, protects: str, *users: Statement, provider: AwsProvider | None = None
) -> KmsKey:
    """A key for one purpose, with its alias and outputs.

    Args:
        protects: what it encrypts, as people say it.
        provider: of another Region than the environment's own.
        users: AWS services that use the key on their own account. A service that acts for one of our identities needs
            no statement here: that identity's IAM policy decides.
    """
    owners = key_policy(tier.settings.account, tier.settings.foundation.key_administrators)
    key = KmsKey(
        tier,
        f"key-{purpose}",
        description=f"Encrypts {protects}",
        policy=policy_document(tier, f"key-{purpose}-policy", *owners, *users),
        enable_key_rotation=True,
        rotation_period_in_days=365,  # PCI DSS 3.7.4: a year or less
        deletion_window_in_days=30,  # KMS's longest: time to notice (PCI DSS 3.7.5)
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
