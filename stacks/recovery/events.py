"""AWS Backup events that people are notified of (PCI DSS 12.10.1).

They cover all jobs in the account, including manual restores.
"""

from stacks.parts.events import Event

_JOB = {"what": "$.detail.resourceType", "state": "$.detail.state", "why": "$.detail.statusMessage"}
_RESTORE = {**_JOB, "state": "$.detail.status"}

JOB_EVENTS = (
    Event(
        name="backup-failed",
        source="aws.backup",
        detail_types=["Backup Job State Change"],
        detail={"state": ["ABORTED", "EXPIRED", "FAILED", "PARTIAL"]},
        message="a backup failed, or is not complete.",
        input_paths=_JOB,
    ),
    Event(
        name="copy-failed",
        source="aws.backup",
        detail_types=["Copy Job State Change"],
        detail={"state": ["FAILED", "PARTIAL"]},
        message="a copy of a backup failed, or is not complete.",
        input_paths=_JOB,
    ),
    Event(
        name="restore-failed",
        source="aws.backup",
        detail_types=["Restore Job State Change"],
        detail={"status": ["ABORTED", "FAILED"]},
        message="a restore failed.",
        input_paths=_RESTORE,
    ),
    Event(
        name="restore-not-valid",
        source="aws.backup",
        detail_types=["Restore Job State Change"],
        detail={"validationStatus": ["FAILED"]},
        message="the validation of a restored resource failed.",
        input_paths={"what": _JOB["what"], "why": "$.detail.validationStatusMessage"},
    ),
    Event(
        name="region-settings",
        source="aws.backup",
        detail_types=["Region Setting State Change"],
        message="the resource types that AWS Backup protects were changed.",
        input_paths={"region": "$.region"},
    ),
)
