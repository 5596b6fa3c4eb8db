"""What a command would do, a step at a time: shown before it is done, and not done where it would weaken anything."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError
from rich.table import Table
from rich.text import Text

from operations.errors import error_code
from synthesized.policy_statements import PolicyDocument, Statement, missing_statements

ABSENT = "absent"

# AWS is not yet of one mind: a role that was just made, a bucket that is being changed.
RETRYABLE = {
    *("MalformedPolicyDocument", "MalformedPolicyDocumentException", "NoSuchBucket", "NoSuchEntity"),
    *("NotFoundException", "OperationAborted"),
}
ATTEMPTS, RETRY_SECONDS = 13, 5


@dataclass(frozen=True)
class Step:
    """One thing that must be so: as it is, as it will be, and how it comes to that."""

    name: str
    current: str
    planned: str
    apply: Callable[[], object] | None = None
    """None where nothing is to be done."""
    remedy: str = ""
    """What a person can do about what is there, where the step must leave it."""
    missing_statements: Sequence[Statement] = ()
    """Statements that the policy which is there lacks, as part of the remedy."""

    @property
    def is_refused(self) -> bool:
        """Whether what is there is another's to change."""
        return bool(self.remedy)


def unchanged(what: str, state: str) -> Step:
    """What is as it should be."""
    return Step(what, state, state)


def policy_step(
    what: str, wanted: PolicyDocument, found: PolicyDocument | None, then: str, make: Callable[[], object], remedy: str
) -> Step:
    """A policy that is put where there is none, and left alone where there is one, which may say more but not less."""
    if found is None:
        return Step(what, ABSENT, then, make)
    missing = missing_statements(wanted, found)
    if missing:
        sids = ", ".join(statement["Sid"] for statement in missing)
        return Step(what, f"another, without {sids}", "left as it is", remedy=remedy, missing_statements=missing)
    more = len(missing_statements(found, wanted))
    return unchanged(what, f"{then}; and {more} more of yours" if more else then)


def steps_table(steps: Sequence[Step], title: str) -> Table:
    """What, now, then; what stays as it is, dim."""
    table = Table(title=title, title_justify="left")
    for heading in ("what", "now", "then"):
        table.add_column(heading, overflow="fold")
    for step in steps:
        style = "red" if step.is_refused else "" if step.apply else "dim"
        then = step.planned if step.apply or step.is_refused else "as it is"
        table.add_row(*map(Text, (step.name, step.current, then)), style=style)
    return table


def apply_steps(steps: Sequence[Step], tell: Callable[[str], object]) -> None:
    """Do all that is to be done, in order, and tell each.

    Raises:
        ClientError: AWS refused one; those before it are done, and need not be done again.
    """
    for step in steps:
        if step.apply:
            _retry(step.apply)
            tell(f"done: {step.name}: {step.planned}")


def _retry(make: Callable[[], object]) -> None:
    for _ in range(ATTEMPTS - 1):
        try:
            make()
        except ClientError as error:
            if error_code(error) not in RETRYABLE:
                raise
            time.sleep(RETRY_SECONDS)
        else:
            return
    make()
