"""Arguments of the AWS provider that are sets: Terraform writes sets as lists into plans.

`set_arguments.txt` has a line for each type with a list of several elements, of the provider's version that the project
pins: the type, and its sets. A set is written `block/argument` if another argument with its name is a list.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("set_arguments.txt")


def is_set(type_: str, parent: str = "", argument: str = "") -> bool | None:
    """Whether an argument is a set. None if the schema of the type is not known.

    Args:
        parent: the block that contains the argument, or empty.
    """
    sets = _sets().get(type_)
    return None if sets is None else not sets.isdisjoint((argument, f"{parent}/{argument}"))


@cache
def _sets() -> Mapping[str, frozenset[str]]:
    rows = (line.split() for line in FILE.read_text(encoding="utf-8").splitlines())
    return {type_: frozenset(sets) for type_, *sets in rows}
