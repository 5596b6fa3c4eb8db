"""Errors of a rotation. Their messages never contain secret values."""


class RotationError(Exception):
    """A problem, and how to fix it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")
        self.problem = problem
        self.remedy = remedy


class RotationRefusedError(RotationError):
    """The rotation cannot succeed until somebody fixes the cause. Nothing was changed."""


class TooSoonError(RotationError):
    """The current credential is too new: tasks may still use the previous one, which the rotation would change."""


class DatabaseError(RotationError):
    """The database could not be reached, refused a statement, or failed the verification. A retry may succeed."""


# Remedies that several errors share.
SEE_RUNBOOK = 'See "A rotation failed" in docs/rotation.md'
ROTATE_AGAIN = "Start a rotation with `aws secretsmanager rotate-secret`; do not invoke the function"
