"""Events of AWS Backup that people are notified of (PCI DSS 12.10.1).

They are of every job in the account: what is restored by hand is of interest, too.
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
        message="a backup of <what> is <state>: <why>.",
        input_paths=_JOB,
    ),
    Event(
        name="copy-failed",
        source="aws.backup",
        detail_types=["Copy Job State Change"],
        detail={"state": ["FAILED", "PARTIAL"]},
        message="a copy of a backup of <what> is <state>: <why>.",
        input_paths=_JOB,
    ),
    Event(
        name="restore-failed",
        source="aws.backup",
        detail_types=["Restore Job State Change"],
        detail={"status": ["ABORTED", "FAILED"]},
        message="a restore of <what> is <state>: <why>.",
        input_paths=_RESTORE,
    ),
    Event(
        name="restore-not-valid",
        source="aws.backup",
        detail_types=["Restore Job State Change"],
        detail={"validationStatus": ["FAILED"]},
        message="what was restored of <what> is not as it should be: <why>.",
        input_paths={"what": _JOB["what"], "why": "$.detail.validationStatusMessage"},
    ),
    Event(
        name="region-settings",
        source="aws.backup",
        detail_types=["Region Setting State Change"],
        message="what AWS Backup backs up in <region> was changed.",
        input_paths={"region": "$.region"},
    ),
)
