"""Backup vaults that nobody empties: locked, and with a policy of their own."""

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
"""For so long a lock in compliance mode can still be undone; AWS Backup's least is three."""
COMPLIANCE_WARNING = (
    f"recovery.vault_lock is compliance: {COOLING_OFF_DAYS} days after the deployment nobody can undo it, neither you "
    "nor AWS. The vault and each backup in it then stay until the backup is as old as it must be"
)
DELETION_ACTIONS = (
    "backup:DeleteRecoveryPoint",
    "backup:DisassociateRecoveryPoint",
    "backup:UpdateRecoveryPointLifecycle",
)
"""Ways to be rid of a backup before its age."""


def locked_vault(
    tier: TierStack, id: str, name: str, key: KmsKey, backup: ServiceRole, provider: AwsProvider | None = None
) -> BackupVault:
    """A vault that keeps no backup for less than a day's, and none for more than a month's must be kept.

    PCI DSS 3.2.1, 10.3.2.

    Args:
        backup: makes the backups.
        provider: of another Region than the environment's own.
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
        # Without it, the lock is in governance mode.
        changeable_for_days=COOLING_OFF_DAYS if recovery.vault_lock == "compliance" else None,
        provider=provider,
    )
    if recovery.vault_lock == "compliance":
        Annotations.of(vault).add_warning(COMPLIANCE_WARNING)
    BackupVaultPolicy(
        tier, f"{id}-policy", backup_vault_name=vault.name, policy=_access(tier, id, backup), provider=provider
    )
    tier.publish(f"{id}_arn", vault, "arn", f"Backup vault in the {'second ' if provider else ''}Region")
    return vault


def _access(tier: TierStack, id: str, backup: ServiceRole) -> str:
    account = tier.settings.account
    # At a backup's age AWS Backup deletes it by the role that made it, and by its own where that fails.
    # https://docs.aws.amazon.com/aws-backup/latest/devguide/backup-iam.html
    own = f"arn:aws:iam::{account}:role/aws-service-role/backup.amazonaws.com/*"
    return policy_document(
        tier,
        f"{id}-access",
        deny(
            "DenyDeletion",
            DELETION_ACTIONS,
            ["*"],
            to=EVERYONE,
            when=[Condition("ArnNotLike", "aws:PrincipalArn", [backup.role.arn, own])],
        ),
        deny_other_accounts(account, ["backup:*"], ["*"]),
    )
