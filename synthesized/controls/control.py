"""What a row of the table of controls is made of: demands on resources, and changes that break them."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from synthesized.controls.document import Document, set_value, values


class ControlCheck(Protocol):
    """Finds what is wrong in a document."""

    @property
    def description(self) -> str:
        """What it demands, for the documentation."""
        ...

    def __call__(self, document: Document) -> Iterable[str]:
        """What is wrong, a sentence each."""
        ...


class Mutation(Protocol):
    """Changes a document so that its control no longer holds."""

    @property
    def description(self) -> str:
        """What it changes, for the documentation."""
        ...

    @property
    def selector(self) -> str:
        """Type or address of what it changes."""
        ...

    def __call__(self, document: Document) -> None:
        """Change the document."""
        ...


@dataclass(frozen=True, kw_only=True)
class Control:
    """One row: which requirement is met by what, how that is checked, and what must be noticed."""

    name: str
    requirements: Sequence[str]
    """Numbers of PCI DSS v4.0.1."""
    summary: str
    """What the code does about it, in a sentence."""
    checks: Sequence[ControlCheck]
    mutations: Sequence[Mutation]
    """Each breaks this control, and no other."""

    @property
    def resources(self) -> list[str]:
        """Types of what it looks at, as far as a mutation shows it."""
        return sorted({mutation.selector.partition(".")[0] for mutation in self.mutations})

    def problems(self, document: Document) -> list[str]:
        """What is wrong with it in a document."""
        return [problem for check in self.checks for problem in check(document)]


@dataclass(frozen=True)
class Value:
    """A demand on a value that is no plain equality."""

    description: str
    accepts: Callable[[Any], bool]


def at_least(least: int) -> Value:
    """A number."""
    return Value(f"{least} or more", lambda value: value is not None and int(value) >= least)


def at_most(most: int) -> Value:
    """A number."""
    return Value(f"{most} or less", lambda value: value is not None and int(value) <= most)


def one_of(*allowed: Any) -> Value:
    """One of some values."""
    return Value(" or ".join(map(_shown, allowed)), lambda value: value in allowed)


def none_of(*refused: Any) -> Value:
    """A value, and none of these."""
    return Value(f"set, and not {_listed(refused)}", lambda value: value is not None and value not in refused)


def containing(*wanted: str) -> Value:
    """A list, or a text, that holds all of these."""
    return Value(f"with {_listed(wanted)}", lambda value: value is not None and all(part in value for part in wanted))


def referring_to(type_: str) -> Value:
    """A reference to a resource of a type."""
    return Value(f"an `{type_}` of ours", lambda value: str(value).startswith(f"${{{type_}."))


IS_SET = Value("set", bool)
IS_ABSENT = Value("absent", lambda value: not value)


@dataclass(frozen=True)
class Every:
    """Every resource of a kind has these values at these paths, and there is one."""

    selector: str
    expected: Mapping[str, Any]
    where: Mapping[str, Any] = field(default_factory=dict)
    """Of those alone that have these values."""

    @property
    def description(self) -> str:
        """As in `Check`."""
        of = f" with {_pairs(self.where)}" if self.where else ""
        return f"every `{self.selector}`{of}: {_pairs(self.expected)}"

    def __call__(self, document: Document) -> Iterable[str]:
        """As in `Check`."""
        found = {
            address: body
            for address, body in document.of_type(self.selector).items()
            if all(_holds(body, path, wanted) for path, wanted in self.where.items())
        }
        if not found:
            yield f"{self.selector}: there is none"
        for address, body in found.items():
            for path, wanted in self.expected.items():
                if not _holds(body, path, wanted):
                    yield f"{address}: {path} = {values(body, path)}, not {_shown(wanted)}"

    def split(self) -> list["Every"]:
        """Each of its demands by itself."""
        return [replace(self, expected={path: wanted}) for path, wanted in self.expected.items()]


@dataclass(frozen=True)
class Relation:
    """A check that needs more than one resource at a time."""

    description: str
    find: Callable[[Document], Iterable[str]]

    def __call__(self, document: Document) -> Iterable[str]:
        """As in `Check`."""
        return self.find(document)


@dataclass(frozen=True)
class Replacement:
    """The first resource of a selection has another value at a path."""

    selector: str
    path: str
    value: Any
    """None takes it away."""

    @property
    def description(self) -> str:
        """As in `Mutation`."""
        return f"`{self.path}` of `{self.selector}` " + (
            "is missing" if self.value is None else f"is {_shown(self.value)}"
        )

    def __call__(self, document: Document) -> None:
        """As in `Mutation`."""
        set_value(_first(document, self.selector), self.path, self.value)


@dataclass(frozen=True)
class Removal:
    """All resources of a selection are gone."""

    selector: str
    description: str

    def __call__(self, document: Document) -> None:
        """As in `Mutation`."""
        for address in document.of_type(self.selector):
            del document.bodies[address]


@dataclass(frozen=True)
class Addition:
    """A resource more."""

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


def _holds(body: Any, path: str, wanted: Any) -> bool:
    found = values(body, path)
    return all(wanted.accepts(value) if isinstance(wanted, Value) else value == wanted for value in found)


def _pairs(pairs: Mapping[str, Any]) -> str:
    return ", ".join(f"`{path}` {_shown(wanted)}" for path, wanted in pairs.items())


def _listed(entries: Iterable[Any]) -> str:
    return ", ".join(map(_shown, entries))


def _shown(value: Any) -> str:
    if isinstance(value, Value):
        return value.description
    if value in ("", [], {}):
        return "empty"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"
