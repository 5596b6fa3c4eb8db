"""What a command would do, a step at a time: shown before it is done, and not done where it would weaken anything."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError
from rich.table import Table
from rich.text import Text

from operations.errors import code_of
from synthesized.policies import Document, Statement, lacking

ABSENT = "absent"

# AWS is not yet of one mind: a role that was just made, a bucket that is being changed.
NOT_YET = {
    *("MalformedPolicyDocument", "MalformedPolicyDocumentException", "NoSuchBucket", "NoSuchEntity"),
    *("NotFoundException", "OperationAborted"),
}
TRIES, SECONDS_BETWEEN_TRIES = 13, 5


@dataclass(frozen=True)
class Step:
    """One thing that must be so: as it is, as it will be, and how it comes to that."""

    what: str
    now: str
    then: str
    make: Callable[[], object] | None = None
    """None where nothing is to be done."""
    remedy: str = ""
    """What a person can do about what is there, where the step must leave it."""
    add: Sequence[Statement] = ()
    """Statements that the policy which is there lacks, as part of the remedy."""

    @property
    def refused(self) -> bool:
        """Whether what is there is another's to change."""
        return bool(self.remedy)


def as_it_is(what: str, state: str) -> Step:
    """What is as it should be."""
    return Step(what, state, state)


def policy_step(
    what: str, wanted: Document, found: Document | None, then: str, make: Callable[[], object], remedy: str
) -> Step:
    """A policy that is put where there is none, and left alone where there is one, which may say more but not less."""
    if found is None:
        return Step(what, ABSENT, then, make)
    missing = lacking(wanted, found)
    if missing:
        sids = ", ".join(statement["Sid"] for statement in missing)
        return Step(what, f"another, without {sids}", "left as it is", remedy=remedy, add=missing)
    more = len(lacking(found, wanted))
    return as_it_is(what, f"{then}; and {more} more of yours" if more else then)


def table_of(steps: Sequence[Step], title: str) -> Table:
    """What, now, then; what stays as it is, dim."""
    table = Table(title=title, title_justify="left")
    for heading in ("what", "now", "then"):
        table.add_column(heading, overflow="fold")
    for step in steps:
        style = "red" if step.refused else "" if step.make else "dim"
        then = step.then if step.make or step.refused else "as it is"
        table.add_row(*map(Text, (step.what, step.now, then)), style=style)
    return table


def carry_out(steps: Sequence[Step], tell: Callable[[str], object]) -> None:
    """Do all that is to be done, in order, and tell each.

    Raises:
        ClientError: AWS refused one; those before it are done, and need not be done again.
    """
    for step in steps:
        if step.make:
            _patiently(step.make)
            tell(f"done: {step.what}: {step.then}")


def _patiently(make: Callable[[], object]) -> None:
    for _ in range(TRIES - 1):
        try:
            make()
        except ClientError as error:
            if code_of(error) not in NOT_YET:
                raise
            time.sleep(SECONDS_BETWEEN_TRIES)
        else:
            return
    make()
