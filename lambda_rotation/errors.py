"""Errors of a rotation. Their messages never contain secret values."""


class RotationError(Exception):
    """A problem, and how to fix it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")
        self.problem = problem
        self.remedy = remedy


class RotationRefusedError(RotationError):
    """The request is invalid for this function's configuration. Nothing was changed; retries fail, too."""


class TooSoonError(RotationError):
    """The current credential is too new: tasks may still use the previous one, which the rotation would change."""


class DatabaseError(RotationError):
    """The database could not be reached or refused a statement. A retry may succeed."""


# Remedies of several errors.
SEE_RUNBOOK = "See docs/rotation.md, a rotation failed"
ROTATE_AGAIN = "Rotate the secret; do not call the function"
