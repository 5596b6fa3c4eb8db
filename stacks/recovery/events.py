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
        kinds=["Backup Job State Change"],
        detail={"state": ["ABORTED", "EXPIRED", "FAILED", "PARTIAL"]},
        says="a backup of <what> is <state>: <why>.",
        quoting=_JOB,
    ),
    Event(
        name="copy-failed",
        source="aws.backup",
        kinds=["Copy Job State Change"],
        detail={"state": ["FAILED", "PARTIAL"]},
        says="a copy of a backup of <what> is <state>: <why>.",
        quoting=_JOB,
    ),
    Event(
        name="restore-failed",
        source="aws.backup",
        kinds=["Restore Job State Change"],
        detail={"status": ["ABORTED", "FAILED"]},
        says="a restore of <what> is <state>: <why>.",
        quoting=_RESTORE,
    ),
    Event(
        name="restore-not-valid",
        source="aws.backup",
        kinds=["Restore Job State Change"],
        detail={"validationStatus": ["FAILED"]},
        says="what was restored of <what> is not as it should be: <why>.",
        quoting={"what": _JOB["what"], "why": "$.detail.validationStatusMessage"},
    ),
    Event(
        name="region-settings",
        source="aws.backup",
        kinds=["Region Setting State Change"],
        says="what AWS Backup backs up in <region> was changed.",
        quoting={"region": "$.region"},
    ),
)
