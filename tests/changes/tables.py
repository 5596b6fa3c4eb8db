"""All tables of changes, and the arguments that they must cover."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from local_aws.extensions import EXTENSIONS
from synthesized.platform import Platform
from tests import changes
from tests.changes import Change

META_ARGUMENTS = {"depends_on", "lifecycle", "provider", "timeouts"}
"""Terraform's meta-arguments."""
EXTENDED_TYPES = sorted({type_ for extension in EXTENSIONS for type_ in extension.gaps})
"""Resource types of the local AWS's extensions."""


def _tables() -> Iterator[ModuleType]:
    here = {module.name for module in iter_modules(changes.__path__)}
    for service in sorted(here & {extension.service for extension in EXTENSIONS}):
        yield import_module(f"{changes.__name__}.{service}")


# Resources with default tags only have no `tags`: Terraform shows changes as `tags_all`.
CHANGES: dict[tuple[str, str], Change] = {
    (type_, "tags" if argument == "tags_all" else argument): change
    for table in _tables()
    for (type_, argument), change in table.CHANGES.items()
}
UNREAD: dict[tuple[str, str], str] = {
    key: reason for table in _tables() for key, reason in getattr(table, "UNREAD", {}).items()
}
"""Arguments without a change: identifiers, and arguments that the provider does not read; with the reason."""
COMMON: dict[tuple[str, str], str] = {
    key: reason for table in _tables() for key, reason in getattr(table, "COMMON", {}).items()
}
"""Arguments whose change affects all resources of a type, because they share it; with the reason."""


def arguments_of(platform: Platform) -> set[tuple[str, str]]:
    """Type and argument of everything that the stacks set on resources of these types."""
    return {
        (resource.type, argument)
        for resource in platform.of_type(*EXTENDED_TYPES)
        for argument, value in resource.body.items()
        if value is not None and argument not in META_ARGUMENTS
    }
