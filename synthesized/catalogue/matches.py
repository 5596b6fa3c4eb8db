"""Which types an ARN may be of, and which need no state."""

import re
from dataclasses import dataclass

from synthesized.catalogue.arns import resource_of
from synthesized.catalogue.row import Idempotent, Tagged
from synthesized.catalogue.table import CATALOGUE, TAGGED, UNMANAGED_ARNS

IGNORED = [
    *UNMANAGED_ARNS,
    *(row.recovery.arn for row in CATALOGUE.values() if isinstance(row.recovery, Idempotent) and row.recovery.arn),
]


@dataclass(frozen=True)
class Match:
    """An ARN as one of a type."""

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
        """The command that deletes it; empty where it stays."""
        if not self.tagged.deletion.startswith("AWS::"):
            return self.tagged.deletion.format(self.arn, *self.groups)
        identifier = self.tagged.identifier.format(self.arn, *self.groups)
        return f"aws cloudcontrol delete-resource --type-name {self.tagged.deletion} --identifier '{identifier}'"


def matches_of(arn: str) -> list[Match]:
    """An ARN as one of each type that it may be of."""
    return [
        Match(type_, tagged, arn, match.groups())
        for type_, tagged in TAGGED.items()
        if (match := re.fullmatch(tagged.arn, resource_of(arn)))
    ]


def is_ignored(arn: str) -> bool:
    """Whether what carries a tier's tags needs no state: no resource, or made again by the next apply."""
    return any(re.fullmatch(expression, resource_of(arn)) for expression in IGNORED)
