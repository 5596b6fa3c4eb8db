"""Resource types that an ARN may belong to, and ARNs that need no Terraform state."""

import re
from dataclasses import dataclass

from synthesized.catalogue.arns import resource_of
from synthesized.catalogue.row import Idempotent, Tagged
from synthesized.catalogue.table import ALL_ROWS, TAGGED, UNMANAGED_ARNS

IGNORED = [
    *UNMANAGED_ARNS,
    *(row.recovery.arn for row in ALL_ROWS.values() if isinstance(row.recovery, Idempotent) and row.recovery.arn),
]


@dataclass(frozen=True)
class Match:
    """An ARN read as a resource of one type."""

    type: str
    tagged: Tagged
    arn: str
    groups: tuple[str, ...]

    @property
    def import_id(self) -> str:
        """ID for `terraform import`."""
        return self.tagged.import_id.format(self.arn, *self.groups)

    @property
    def deletion_command(self) -> str:
        """The command that deletes the resource; empty if the next apply adopts it."""
        if not self.tagged.deletion.startswith("AWS::"):
            return self.tagged.deletion.format(self.arn, *self.groups)
        identifier = self.tagged.identifier.format(self.arn, *self.groups)
        return f"aws cloudcontrol delete-resource --type-name {self.tagged.deletion} --identifier '{identifier}'"


def matches_of(arn: str) -> list[Match]:
    """A match for each type whose ARN pattern fits."""
    return [
        Match(type_, tagged, arn, match.groups())
        for type_, tagged in TAGGED.items()
        if (match := re.fullmatch(tagged.arn, resource_of(arn)))
    ]


def is_ignored(arn: str) -> bool:
    """Whether a tagged ARN needs no state: Terraform does not manage it, or the next apply creates it again."""
    return any(re.fullmatch(expression, resource_of(arn)) for expression in IGNORED)
