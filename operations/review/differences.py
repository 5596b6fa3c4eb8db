"""Differences between the two sides of a change, path by path, with sensitive and unknown values marked.

Elements of a list are compared with the same or the most similar element of the other side, so that an inserted one
does not change those behind it. The order counts in lists, but not in sets, nor where the schema is not known.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from operations.review.plan import Change, ResourceChange
from operations.review.set_arguments import is_set

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
        value = self.content
        index = _indices(value).get(key) if isinstance(value, list) else key
        if index is None:
            return Side(None, self.unknown is True, self.sensitive is True)
        return self._child(index)

    def _child(self, index: str | int) -> "Side":
        return Side(_child(self.content, index), _mark(self.unknown, index), _mark(self.sensitive, index))

    @property
    def content(self) -> Any:
        """The value, or the JSON document that it contains."""
        return self.value if isinstance(self.value, dict | list) else _document(self.value)

    @property
    def nested(self) -> dict[str, "Side"]:
        """The elements of a list."""
        parsed = Side(self.content, self.unknown, self.sensitive)
        return {key: parsed._child(index) for key, index in _indices(parsed.value).items()}

    @property
    def keys(self) -> list[str]:
        """Keys of its nested values."""
        value = self.content
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


@dataclass(frozen=True)
class Place:
    """Where a value is in a resource."""

    type: str
    path: str = ""
    parent: str = ""
    argument: str = ""

    def at(self, key: str) -> "Place":
        """The place of a nested argument."""
        return Place(self.type, self._path(key), self.argument, key)

    def element(self, key: str) -> "Place":
        """The place of an element of a list."""
        return Place(self.type, self._path(key), self.parent, self.argument)

    def _path(self, key: str) -> str:
        return f"{self.path}/{key.replace('/', '~1')}" if self.path else key

    def is_ordered(self, *, if_unknown: bool) -> bool:
        """Whether the order of a list at this place counts."""
        found = is_set(self.type, self.parent, self.argument)
        return if_unknown if found is None else not found

    def normalize(self, value: Any, *, ordered_if_unknown: bool = False) -> Any:
        """A value without unset parts and without the order of sets. An empty block in a list counts as set."""
        if isinstance(value, dict):
            entries = {
                key: self.at(key).normalize(each, ordered_if_unknown=ordered_if_unknown) for key, each in value.items()
            }
            value = {key: entry for key, entry in entries.items() if entry is not None}
        elif isinstance(value, list):
            value = [
                {} if normalized is None and isinstance(entry, dict) else normalized
                for entry in value
                for normalized in [self.normalize(entry, ordered_if_unknown=ordered_if_unknown)]
            ]
            value = value if self.is_ordered(if_unknown=ordered_if_unknown) else sorted(value, key=_serialize)
        return None if value in UNSET else value


def differences(change: ResourceChange) -> Iterator[Difference]:
    """All differences, of values and of their nested values.

    JSON documents in strings are compared too, except for policies, which `policy_changes` compares.
    """
    before, after = sides(change.change)
    resource = Place(change.type)
    for key in _keys(before, after):
        if key in TAGS:
            continue
        if change.change.before is None and after.at(key).value is None and not after.at(key).is_unknown:
            # For rules about new resources that lack an argument.
            yield Difference(key, Side(), after.at(key))
        yield from _nested_differences(resource.at(key), before.at(key), after.at(key))


def changed_arguments(change: ResourceChange) -> list[str]:
    """Names of the top-level arguments that differ, if only in their order too where the schema is not known."""
    before, after = sides(change.change)
    resource = Place(change.type)
    return sorted(
        key
        for key in _keys(before, after)
        if _is_different(resource.at(key), before.at(key), after.at(key), ordered_if_unknown=True)
    )


def ignores_order(change: ResourceChange) -> bool:
    """Whether the order of a list in a changed argument is ignored, because the schema of its type is not known."""
    before, after = sides(change.change)
    return is_set(change.type) is None and any(
        _has_several(side.at(key).value) for key in changed_arguments(change) for side in (before, after)
    )


def _has_several(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_several, value.values()))
    return isinstance(value, list) and (len(value) > 1 or any(map(_has_several, value)))


def as_policy(value: Any) -> Any:
    """The policy document in a value, or None."""
    document = _document(value) if isinstance(value, str) else value
    return document if isinstance(document, dict) and "Statement" in document else None


def format_value(value: Any) -> str:
    """A value as text."""
    if value is None:
        return "not set"
    return value or '""' if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _nested_differences(place: Place, before: Side, after: Side) -> Iterator[Difference]:
    if not _is_different(place, before, after):
        return
    yield Difference(place.path, before, after)
    if as_policy(before.value) is None and as_policy(after.value) is None:
        for nested, old, new in _nested_sides(place, before, after):
            yield from _nested_differences(nested, old, new)


def _is_different(place: Place, before: Side, after: Side, *, ordered_if_unknown: bool = False) -> bool:
    normalized = (place.normalize(side.value, ordered_if_unknown=ordered_if_unknown) for side in (before, after))
    return after.is_unknown or next(normalized) != next(normalized)


def _nested_sides(place: Place, before: Side, after: Side) -> Iterator[tuple[Place, Side, Side]]:
    lists = [isinstance(side.content, list) for side in (before, after)]
    if all(lists) and all(key.isdigit() for key in _keys(before, after)):
        yield from _paired_elements(place, before.nested, after.nested)
        return
    for key in _keys(before, after):
        yield place.element(key) if any(lists) else place.at(key), before.at(key), after.at(key)


MAX_PAIRS = 10_000
"""Limit for the number of pairs that are ranked by similarity."""


def _paired_elements(place: Place, old: dict[str, Side], new: dict[str, Side]) -> Iterator[tuple[Place, Side, Side]]:
    """Elements that differ: pairs, the most similar first, and then what was removed or added."""
    same: dict[str, list[str]] = {}
    for key, side in new.items():
        if not side.is_unknown:
            same.setdefault(_serialize(place.normalize(side.value)), []).append(key)
    for key, side in list(old.items()):
        if keys := same.get(_serialize(place.normalize(side.value))):
            del old[key], new[keys.pop(0)]
    pairs: Iterable[tuple[str, str]] = zip(list(old), list(new), strict=False)
    if len(old) * len(new) <= MAX_PAIRS:
        pairs = sorted(product(old, new), key=lambda keys: -_similarity(old[keys[0]].value, new[keys[1]].value))
    for one, other in pairs:
        if one in old and other in new:
            yield place.element(other), old.pop(one), new.pop(other)
    for key, side in old.items():
        yield place.element(key), side, Side()
    for key, side in new.items():
        yield place.element(key), Side(), side


def _similarity(one: Any, other: Any) -> int:
    """Number of arguments with the same value."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return 0
    return sum(value == other.get(key) for key, value in one.items() if value not in UNSET)


def _serialize(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


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
