"""Differences between the two sides of a change, path by path, with sensitive and unknown values marked."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from operations.review.plan import Change

TAGS = ("tags", "tags_all", "labels", "effective_labels", "terraform_labels")
"""Top-level arguments with user-defined keys."""
UNSET: tuple[Any, ...] = (None, "", [], {})
"""Values that providers return for an unset argument."""
SENSITIVE = "(sensitive)"
UNKNOWN = "(known after apply)"


@dataclass(frozen=True)
class Side:
    """A value before or after a change."""

    value: Any = None
    unknown: Any = False
    """True, or the value's structure with true for what is known only after apply."""
    sensitive: Any = False
    """True, or the value's structure with true for what is sensitive."""

    @property
    def is_unknown(self) -> bool:
        """Whether any of it is known only after apply."""
        return _is_any_marked(self.unknown)

    @property
    def is_sensitive(self) -> bool:
        """Whether any of it is sensitive."""
        return _is_any_marked(self.sensitive)

    @property
    def text(self) -> str:
        """The value as text, without sensitive data."""
        if self.is_sensitive:
            return SENSITIVE
        if self.is_unknown and not isinstance(self.value, dict | list):
            return UNKNOWN
        return format_value(self.value)

    def at(self, key: str) -> "Side":
        """The side of a nested value: by key, or by name or index in a list."""
        value = self.value
        if not isinstance(value, dict | list):
            value = _document(value)
        index = _indices(value).get(key) if isinstance(value, list) else key
        if index is None:
            return Side(None, self.unknown is True, self.sensitive is True)
        return Side(_child(value, index), _mark(self.unknown, index), _mark(self.sensitive, index))

    @property
    def keys(self) -> list[str]:
        """Keys of its nested values."""
        value = self.value if isinstance(self.value, dict | list) else _document(self.value)
        if isinstance(value, list):
            return list(_indices(value))
        keys = list(value or {})
        # Unknown values are missing from the value.
        return keys + [key for key in self.unknown if key not in keys] if isinstance(self.unknown, dict) else keys


@dataclass(frozen=True)
class Difference:
    """A changed value at a path such as `access_logs/0/enabled`."""

    path: str
    before: Side
    after: Side

    @property
    def is_sensitive(self) -> bool:
        """Whether either side is sensitive."""
        return self.before.is_sensitive or self.after.is_sensitive


def sides(change: Change) -> tuple[Side, Side]:
    """The two sides of a change."""
    return (
        Side(change.before, False, change.before_sensitive),
        Side(change.after, change.after_unknown, change.after_sensitive),
    )


def differences(change: Change) -> Iterator[Difference]:
    """All differences, of values and of their nested values.

    JSON documents in strings are compared too, except for policies, which `policy_changes` compares.
    """
    before, after = sides(change)
    for key in _keys(before, after):
        if key in TAGS:
            continue
        if change.before is None and after.at(key).value is None and not after.at(key).is_unknown:
            # For rules about new resources that lack an argument.
            yield Difference(key, Side(), after.at(key))
        yield from _nested_differences(key, before.at(key), after.at(key))


def changed_arguments(change: Change) -> list[str]:
    """Names of the top-level arguments that differ."""
    before, after = sides(change)
    return sorted(key for key in _keys(before, after) if _is_different(before.at(key), after.at(key)))


def as_policy(value: Any) -> Any:
    """The policy document in a value, or None."""
    document = _document(value) if isinstance(value, str) else value
    return document if isinstance(document, dict) and "Statement" in document else None


def format_value(value: Any) -> str:
    """A value as text."""
    if value is None:
        return "not set"
    return value or '""' if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _nested_differences(path: str, before: Side, after: Side) -> Iterator[Difference]:
    if not _is_different(before, after):
        return
    yield Difference(path, before, after)
    if as_policy(before.value) is None and as_policy(after.value) is None:
        for key in _keys(before, after):
            yield from _nested_differences(f"{path}/{key.replace('/', '~1')}", before.at(key), after.at(key))


def _is_different(before: Side, after: Side) -> bool:
    return _normalize(before.value) != _normalize(after.value) or after.is_unknown


def _normalize(value: Any) -> Any:
    """A value without unset parts. An empty block in a list counts as set."""
    if isinstance(value, dict):
        value = {key: plain for key, entry in value.items() if (plain := _normalize(entry)) is not None}
    elif isinstance(value, list):
        value = [
            {} if entry == {} else _normalize(entry) or ({} if isinstance(entry, dict) else None) for entry in value
        ]
    return None if value in UNSET else value


def _keys(before: Side, after: Side) -> list[str]:
    return list(dict.fromkeys([*before.keys, *after.keys]))


def _indices(values: list[Any]) -> Mapping[str, int]:
    """Keys of a list: unique names if each element has one, because sets have no order; else indices."""
    names = [value.get("name") if isinstance(value, dict) else None for value in values]
    if values and all(isinstance(name, str) and name for name in names) and len(set(names)) == len(names):
        return {str(name): index for index, name in enumerate(names)}
    return {str(index): index for index in range(len(values))}


def _child(value: Any, key: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(key)
    return value[key] if isinstance(value, list) and isinstance(key, int) and key < len(value) else None


def _mark(marks: Any, key: str | int) -> Any:
    return True if marks is True else _child(marks, key) or False


def _is_any_marked(marks: Any) -> bool:
    if isinstance(marks, dict):
        return any(map(_is_any_marked, marks.values()))
    return any(map(_is_any_marked, marks)) if isinstance(marks, list) else marks is True


def _document(value: Any) -> Any:
    """The JSON document in a string, or None."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return None
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict | list) else None
