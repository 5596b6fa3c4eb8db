"""Building blocks of controls: checks of the synthesized stacks, and mutations that must fail them."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from synthesized.controls.document import Document, set_value, values


class ControlCheck(Protocol):
    """Finds problems in a document."""

    @property
    def description(self) -> str:
        """What the check requires, for `docs/controls.md`."""
        ...

    def __call__(self, document: Document) -> Iterable[str]:
        """One line for each problem."""
        ...


class Mutation(Protocol):
    """Changes a document so that its control fails."""

    @property
    def description(self) -> str:
        """What the mutation changes, for `docs/controls.md`."""
        ...

    @property
    def selector(self) -> str:
        """Type or address of the changed resource."""
        ...

    def __call__(self, document: Document) -> None:
        """Change the document."""
        ...


@dataclass(frozen=True, kw_only=True)
class Control:
    """How the code meets requirements of PCI DSS, and how that is checked."""

    name: str
    requirements: Sequence[str]
    """Requirement numbers of PCI DSS v4.0.1."""
    summary: str
    """What the code does, in a sentence."""
    checks: Sequence[ControlCheck]
    mutations: Sequence[Mutation]
    """Each fails this control, and no other."""

    @property
    def resources(self) -> list[str]:
        """Resource types that the mutations change."""
        return sorted({mutation.selector.partition(".")[0] for mutation in self.mutations})

    def problems(self, document: Document) -> list[str]:
        """Problems that the checks find in a document."""
        return [problem for check in self.checks for problem in check(document)]


@dataclass(frozen=True)
class Value:
    """A condition on a value, other than equality."""

    description: str
    accepts: Callable[[Any], bool]


def at_least(least: int) -> Value:
    """A number with a lower bound."""
    return Value(f"{least} or more", lambda value: value is not None and int(value) >= least)


def at_most(most: int) -> Value:
    """A number with an upper bound."""
    return Value(f"{most} or less", lambda value: value is not None and int(value) <= most)


def one_of(*allowed: Any) -> Value:
    """One of the given values."""
    return Value(" or ".join(map(_format_value, allowed)), lambda value: value in allowed)


def none_of(*refused: Any) -> Value:
    """A value other than the given ones."""
    return Value(f"set, and not {_format_values(refused)}", lambda value: value is not None and value not in refused)


def containing(*wanted: str) -> Value:
    """A list or string that contains all of the given values."""
    return Value(
        f"with {_format_values(wanted)}", lambda value: value is not None and all(part in value for part in wanted)
    )


def referring_to(type_: str) -> Value:
    """A reference to a resource of the stacks."""
    return Value(f"an `{type_}` of the stacks", lambda value: str(value).startswith(f"${{{type_}."))


IS_SET = Value("set", bool)
IS_ABSENT = Value("absent", lambda value: not value)
IS_STATED_EMPTY = Value("`[]`", lambda value: value == [])
"""For arguments that accept any value if they are left out."""


@dataclass(frozen=True)
class Every:
    """At least one resource matches the selector, and each has the expected values."""

    selector: str
    expected: Mapping[str, Any]
    where: Mapping[str, Any] = field(default_factory=dict)
    """Restricts the check to resources that have these values."""

    @property
    def description(self) -> str:
        """As in `Check`."""
        condition = f" with {_format_pairs(self.where)}" if self.where else ""
        return f"every `{self.selector}`{condition}: {_format_pairs(self.expected)}"

    def __call__(self, document: Document) -> Iterable[str]:
        """As in `Check`."""
        found = {
            address: body
            for address, body in document.of_type(self.selector).items()
            if all(_matches(body, path, wanted) for path, wanted in self.where.items())
        }
        if not found:
            yield f"{self.selector}: there is none"
        for address, body in found.items():
            for path, wanted in self.expected.items():
                if not _matches(body, path, wanted):
                    yield f"{address}: {path} = {values(body, path)}, not {_format_value(wanted)}"

    def split(self) -> list["Every"]:
        """One check for each expected value."""
        return [replace(self, expected={path: wanted}) for path, wanted in self.expected.items()]


@dataclass(frozen=True)
class Relation:
    """A check of relations between resources."""

    description: str
    find: Callable[[Document], Iterable[str]]

    def __call__(self, document: Document) -> Iterable[str]:
        """As in `Check`."""
        return self.find(document)


@dataclass(frozen=True)
class Replacement:
    """Sets an argument of the first resource that matches the selector."""

    selector: str
    path: str
    value: Any
    """None removes the argument."""

    @property
    def description(self) -> str:
        """As in `Mutation`."""
        return f"`{self.path}` of `{self.selector}` " + (
            "is missing" if self.value is None else f"is {_format_value(self.value)}"
        )

    def __call__(self, document: Document) -> None:
        """As in `Mutation`."""
        set_value(_first(document, self.selector), self.path, self.value)


@dataclass(frozen=True)
class Removal:
    """Removes all resources that match the selector."""

    selector: str
    description: str

    def __call__(self, document: Document) -> None:
        """As in `Mutation`."""
        for address in document.of_type(self.selector):
            del document.bodies[address]


@dataclass(frozen=True)
class Addition:
    """Adds a resource."""

    selector: str
    body: Mapping[str, Any]
    description: str

    def __call__(self, document: Document) -> None:
        """As in `Mutation`."""
        document.bodies[f"{self.selector}.planted"] = dict(self.body)


def _first(document: Document, selector: str) -> dict[str, Any]:
    found = document.of_type(selector)
    if not found:
        raise LookupError(selector)
    return next(iter(found.values()))


def _matches(body: Any, path: str, wanted: Any) -> bool:
    found = values(body, path)
    return all(wanted.accepts(value) if isinstance(wanted, Value) else value == wanted for value in found)


def _format_pairs(pairs: Mapping[str, Any]) -> str:
    return ", ".join(f"`{path}` {_format_value(wanted)}" for path, wanted in pairs.items())


def _format_values(values: Iterable[Any]) -> str:
    return ", ".join(map(_format_value, values))


def _format_value(value: Any) -> str:
    if isinstance(value, Value):
        return value.description
    if value in ("", [], {}):
        return "empty"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"
