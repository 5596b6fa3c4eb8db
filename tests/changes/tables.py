"""All tables of changes, and what the stacks set that they must speak of."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from local_aws.extensions import EXTENSIONS
from synthesized.platform import Platform
from tests import changes
from tests.changes import Change

META_ARGUMENTS = {"depends_on", "lifecycle", "provider", "timeouts"}
"""What Terraform itself takes."""
EXTENDED_TYPES = sorted({type_ for extension in EXTENSIONS for type_ in extension.gaps})
"""Types of resources of which the local AWS was taught something."""


def _tables() -> Iterator[ModuleType]:
    here = {module.name for module in iter_modules(changes.__path__)}
    for service in sorted(here & {extension.service for extension in EXTENSIONS}):
        yield import_module(f"{changes.__name__}.{service}")


# The provider's own tags are all that some resources have; Terraform tells them as `tags_all`.
CHANGES: dict[tuple[str, str], Change] = {
    (type_, "tags" if argument == "tags_all" else argument): change
    for table in _tables()
    for (type_, argument), change in table.CHANGES.items()
}
UNREAD: dict[tuple[str, str], str] = {
    key: reason for table in _tables() for key, reason in getattr(table, "UNREAD", {}).items()
}
COMMON: dict[tuple[str, str], str] = {
    key: reason for table in _tables() for key, reason in getattr(table, "COMMON", {}).items()
}
"""Arguments that all resources of a type have alike, so that a change of one is a change of all; with the reason."""


def arguments_of(platform: Platform) -> set[tuple[str, str]]:
    """Type and argument of all that an environment's stacks set on what is served."""
    return {
        (resource.type, argument)
        for resource in platform.of_type(*EXTENDED_TYPES)
        for argument, value in resource.body.items()
        if value is not None and argument not in META_ARGUMENTS
    }
