"""Why a rotation does not go on. No message of these ever holds a secret's value."""


class RotationError(Exception):
    """What is wrong, and what a person does about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")
        self.problem = problem
        self.remedy = remedy


class RotationRefusedError(RotationError):
    """What was asked is not what this function was deployed for. Nothing was changed, and no repetition helps."""


class TooSoonError(RotationError):
    """The current credential is younger than a redeploy takes: tasks may still hold the one that would be changed."""


class DatabaseError(RotationError):
    """The database could not be reached, or did not do what it was told. The next attempt may go through."""


# Remedies of more than one failure.
SEE_RUNBOOK = "docs/rotation.md, a rotation failed"
ROTATE_AGAIN = "Rotate the secret; do not call the function"
