"""Backup vaults with a vault lock and an access policy against deletion."""

from cdktf import Annotations
from cdktf_cdktf_provider_aws.backup_vault import BackupVault
from cdktf_cdktf_provider_aws.backup_vault_lock_configuration import BackupVaultLockConfiguration
from cdktf_cdktf_provider_aws.backup_vault_policy import BackupVaultPolicy
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.provider import AwsProvider

from stacks.parts.policy_documents import policy_document
from stacks.parts.service_roles import ServiceRole
from stacks.statements import EVERYONE, Condition, deny, deny_other_accounts
from stacks.tier import TierStack

COOLING_OFF_DAYS = 7
"""Days in which a lock in compliance mode can still be removed; AWS Backup's minimum is three."""
COMPLIANCE_WARNING = (
    f"recovery.vault_lock is compliance: {COOLING_OFF_DAYS} days after the deployment nobody can remove the lock, "
    "neither you nor AWS. The vault and its backups then stay until their retention ends"
)
DELETION_ACTIONS = (
    "backup:DeleteRecoveryPoint",
    "backup:DisassociateRecoveryPoint",
    "backup:UpdateRecoveryPointLifecycle",
)
"""Actions that remove a backup before its retention ends."""


def locked_vault(
    tier: TierStack, id: str, name: str, key: KmsKey, backup: ServiceRole, provider: AwsProvider | None = None
) -> BackupVault:
    """A locked vault; its minimum and maximum retention are those of daily and monthly backups (PCI DSS 3.2.1, 10.3.2).

    Args:
        backup: role that creates the backups.
        provider: provider of the Region, if it is not the environment's first.
    """
    recovery = tier.settings.recovery
    vault = BackupVault(
        tier,
        id,
        name=name,
        kms_key_arn=key.arn,
        force_destroy=not tier.settings.deletion_protection,
        lifecycle=tier.stateful_lifecycle(),
        provider=provider,
    )
    BackupVaultLockConfiguration(
        tier,
        f"{id}-lock",
        backup_vault_name=vault.name,
        min_retention_days=recovery.daily_days,
        max_retention_days=recovery.monthly_days,
        # If unset, the lock is in governance mode.
        changeable_for_days=COOLING_OFF_DAYS if recovery.vault_lock == "compliance" else None,
        provider=provider,
    )
    if recovery.vault_lock == "compliance":
        Annotations.of(vault).add_warning(COMPLIANCE_WARNING)
    BackupVaultPolicy(
        tier, f"{id}-policy", backup_vault_name=vault.name, policy=_access_policy(tier, id, backup), provider=provider
    )
    tier.publish(f"{id}_arn", vault, "arn", f"Backup vault in the {'second ' if provider else ''}Region")
    return vault


def _access_policy(tier: TierStack, id: str, backup: ServiceRole) -> str:
    account = tier.settings.account
    # AWS Backup deletes expired backups with the role that created them, or with its service-linked role if that fails.
    # https://docs.aws.amazon.com/aws-backup/latest/devguide/backup-iam.html
    service_linked_roles = f"arn:aws:iam::{account}:role/aws-service-role/backup.amazonaws.com/*"
    return policy_document(
        tier,
        f"{id}-access",
        deny(
            "DenyDeletion",
            DELETION_ACTIONS,
            ["*"],
            to=EVERYONE,
            when=[Condition("ArnNotLike", "aws:PrincipalArn", [backup.role.arn, service_linked_roles])],
        ),
        deny_other_accounts(account, ["backup:*"], ["*"]),
    )
