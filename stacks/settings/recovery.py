"""Settings of the recovery tier: for how long backups are kept, and how hard that is to undo."""

from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import ValidationInfo, field_validator

from stacks.settings.section import InProduction, NotBelow, Section, Unit, file_context

COLD_AFTER_DAYS = 30
"""When a monthly backup of files moves to cold storage."""
COLD_AT_LEAST_DAYS = 90
"""AWS Backup's least. https://docs.aws.amazon.com/aws-backup/latest/devguide/API_Lifecycle.html"""


class RecoverySettings(Section):
    """Backups of the database and the files, apart from the database's own."""

    daily_days: Annotated[
        int, Unit("days"), Ge(7), Le(365), InProduction("a mistake may be found weeks after it was made", at_least=35)
    ] = 35
    """For how long a day's backup is kept. The vault lets nobody delete any that is younger."""

    monthly_days: Annotated[
        # What has moved to cold storage must stay there for a while.
        int,
        Unit("days"),
        Ge(COLD_AFTER_DAYS + COLD_AT_LEAST_DAYS),
        Le(3650),
        InProduction("a month's backup is kept for a year", at_least=365),
        NotBelow("daily_days"),
    ] = 365
    """For how long a month's backup is kept. The vault takes none that is to be kept longer."""

    vault_lock: Literal["governance", "compliance"] = "governance"
    """`governance` can be lifted by whoever IAM allows to. WARNING: `compliance` can be lifted by nobody, neither you
    nor AWS, once seven days have passed: the vaults stay until their last backup is as old as it must be."""

    @field_validator("vault_lock")
    @classmethod
    def _is_undone_where_all_is_disposable(cls, lock: str, info: ValidationInfo) -> str:
        if lock == "compliance" and not file_context(info).protected:
            raise ValueError("allowed without deletion_protection: governance, because nobody could destroy the vaults")
        return lock
