"""Customer managed keys: an explicit policy, a new version a year, a month to change one's mind."""

from cdktf_cdktf_provider_aws.kms_alias import KmsAlias
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.provider import AwsProvider

from stacks.foundation.key_administration import ADMINISTRATION
from stacks.parts.policies import EVERYONE, Condition, Principal, Statement, account, allow, deny, document
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
    key = KmsKey(
        tier,
        f"key-{purpose}",
        description=f"Encrypts {protects}",
        policy=document(tier, f"key-{purpose}-policy", *_owners(tier), *users),
        enable_key_rotation=True,
        rotation_period_in_days=365,  # PCI DSS 3.7.4: a year or less
        deletion_window_in_days=30,  # KMS's longest: time to notice (PCI DSS 3.7.5)
        lifecycle=tier.kept(),
        provider=provider,
    )
    alias = KmsAlias(
        tier,
        f"alias-{purpose}",
        name=f"alias/{tier.names.of_resource(purpose)}",
        target_key_id=key.id,
        provider=provider,
    )
    tier.publish(f"{purpose}_key_arn", key, "arn", f"KMS key that encrypts {protects}")
    tier.offer(alias, "arn")
    return key


def _owners(tier: TierStack) -> list[Statement]:
    return [
        # Without it, IAM could grant nothing on the key, and to lose the administrators would be to lose the key.
        allow("EnableIamPolicies", ["kms:*"], ["*"], to=account(tier.settings.account)),
        allow(
            "AdministerWithoutUse",
            ADMINISTRATION,
            ["*"],
            to=Principal("AWS", tier.settings.foundation.key_administrators),
        ),
        # A grant made by hand would pass by every review of policies.
        deny(
            "OnlyServicesMakeGrants",
            ["kms:CreateGrant"],
            ["*"],
            to=EVERYONE,
            when=[
                Condition("Bool", "kms:GrantIsForAWSResource", ["false"]),
                Condition("Null", "kms:ViaService", ["true"]),
            ],
        ),
    ]
