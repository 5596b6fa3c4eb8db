"""Settings of the recovery tier: retention of backups, vault lock."""

from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import ValidationInfo, field_validator

from stacks.settings.section import InProduction, NotBelow, Section, Unit, file_context

COLD_AFTER_DAYS = 30
"""Days until a monthly backup of files moves to cold storage."""
COLD_AT_LEAST_DAYS = 90
"""AWS Backup's minimum time in cold storage.
https://docs.aws.amazon.com/aws-backup/latest/devguide/API_Lifecycle.html"""


class RecoverySettings(Section):
    """Backups of the database and the files by AWS Backup, in addition to Aurora's own."""

    daily_days: Annotated[
        int, Unit("days"), Ge(7), Le(365), InProduction("a mistake may be noticed weeks later", at_least=35)
    ] = 35
    """Retention of daily backups. Nobody can delete a younger backup from the vault."""

    monthly_days: Annotated[
        int,
        Unit("days"),
        Ge(COLD_AFTER_DAYS + COLD_AT_LEAST_DAYS),
        Le(3650),
        InProduction("monthly backups are kept for a year", at_least=365),
        NotBelow("daily_days"),
    ] = 365
    """Retention of monthly backups; also the longest retention that the vault accepts."""

    vault_lock: Literal["governance", "compliance"] = "governance"
    """`governance` can be removed by anyone with the IAM permission. WARNING: `compliance` cannot be removed by anyone,
    neither you nor AWS, after seven days: the vaults stay until their last backup has expired."""

    @field_validator("vault_lock")
    @classmethod
    def _is_governance_without_deletion_protection(cls, lock: str, info: ValidationInfo) -> str:
        if lock == "compliance" and not file_context(info).protected:
            raise ValueError("allowed without deletion_protection: governance, because nobody could delete the vaults")
        return lock
