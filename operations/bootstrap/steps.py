"""Steps of bootstrap: shown before they are applied, and refused if they would weaken anything."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError
from rich.table import Table
from rich.text import Text

from operations.errors import error_code
from synthesized.policy_statements import PolicyDocument, Statement, missing_statements

ABSENT = "absent"

# Eventual consistency: a role that was just created, a bucket that is being changed.
RETRYABLE = {
    *("MalformedPolicyDocument", "MalformedPolicyDocumentException", "NoSuchBucket", "NoSuchEntity"),
    *("NotFoundException", "OperationAborted"),
}
ATTEMPTS, RETRY_SECONDS = 13, 5


@dataclass(frozen=True)
class Step:
    """A requirement: its current state, its planned state, and the call that brings it there."""

    name: str
    current: str
    planned: str
    apply: Callable[[], object] | None = None
    """None if nothing has to be done."""
    remedy: str = ""
    """What the user can do if the step is refused."""
    missing_statements: Sequence[Statement] = ()
    """Statements that an existing policy lacks."""

    @property
    def is_refused(self) -> bool:
        """Whether the current state is the user's to change."""
        return bool(self.remedy)


def unchanged(name: str, state: str) -> Step:
    """A requirement that is met."""
    return Step(name, state, state)


def policy_step(
    name: str,
    wanted: PolicyDocument,
    existing: PolicyDocument | None,
    planned: str,
    apply: Callable[[], object],
    remedy: str,
) -> Step:
    """Create a policy if there is none. An existing policy is never changed, and refused if it lacks a statement."""
    if existing is None:
        return Step(name, ABSENT, planned, apply)
    missing = missing_statements(wanted, existing)
    if missing:
        sids = ", ".join(statement["Sid"] for statement in missing)
        return Step(name, f"lacks {sids}", "unchanged", remedy=remedy, missing_statements=missing)
    more = len(missing_statements(existing, wanted))
    return unchanged(name, f"{planned}; and {more} more of yours" if more else planned)


def steps_table(steps: Sequence[Step], title: str) -> Table:
    """A table of steps. Unchanged rows are dim, refused ones red."""
    table = Table(title=title, title_justify="left")
    for heading in ("step", "current", "planned"):
        table.add_column(heading, overflow="fold")
    for step in steps:
        style = "red" if step.is_refused else "" if step.apply else "dim"
        planned = step.planned if step.apply or step.is_refused else "unchanged"
        table.add_row(*map(Text, (step.name, step.current, planned)), style=style)
    return table


def apply_steps(steps: Sequence[Step], report: Callable[[str], object]) -> None:
    """Apply steps in order and report each.

    Raises:
        ClientError: AWS refused a step. Those before it are applied; another run continues from there.
    """
    for step in steps:
        if step.apply:
            _retry(step.apply)
            report(f"done: {step.name}: {step.planned}")


def _retry(call: Callable[[], object]) -> None:
    for _ in range(ATTEMPTS - 1):
        try:
            call()
        except ClientError as error:
            if error_code(error) not in RETRYABLE:
                raise
            time.sleep(RETRY_SECONDS)
        else:
            return
    call()
