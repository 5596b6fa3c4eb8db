"""Comparisons for review rules: whether a value became worse.

Each takes the old and the new value of an argument, None if it is unset.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

Comparison = Callable[[Any, Any], bool]

OFF = {"", "0", "disable", "disabled", "false", "inherited", "no", "none", "off", "suspended", "unspecified"}
ON = {"enable", "enabled", "on", "true", "yes"}


def off(before: Any, after: Any) -> bool:
    """It was on and is not on any longer."""
    return _is_on(before) and not _is_on(after)


def on(before: Any, after: Any) -> bool:
    """It was off or unset and is on."""
    return not _is_on(before) and _is_on(after)


def switched_on(before: Any, after: Any) -> bool:
    """A switch is on and was not. Other values, such as a public key, are no switches."""
    return not _is_switched_on(before) and _is_switched_on(after)


def enabled(before: Any, after: Any) -> bool:
    """It existed, was disabled and is enabled."""
    return is_set(before) and on(before, after)


def lower(before: Any, after: Any) -> bool:
    """A number decreased or was unset."""
    was, is_ = _number(before), _number(after)
    return was is not None and (is_ is None or is_ < was)


def older(before: Any, after: Any) -> bool:
    """A version such as `17.9` decreased."""
    versions = [[int(part) for part in str(each).split(".")] for each in (before, after) if _is_version(each)]
    return len(versions) == 2 and versions[1] < versions[0]


def _is_version(value: Any) -> bool:
    return re.fullmatch(r"\d+(\.\d+)*", str(value)) is not None


def higher(before: Any, after: Any) -> bool:
    """A number increased."""
    was, is_ = _number(before), _number(after)
    return was is not None and is_ is not None and is_ > was


def sooner(before: Any, after: Any) -> bool:
    """A time until deletion became shorter, or a date of deletion is another. 0 and unset mean never."""
    if is_set(after) and _number(after) is None:
        return before != after
    was, is_ = _number(before) or float("inf"), _number(after) or float("inf")
    return is_ < was


def later(before: Any, after: Any) -> bool:
    """A time until deletion became longer. 0 and unset mean never."""
    return sooner(after, before)


def changed(before: Any, after: Any) -> bool:
    """The value changed."""
    return before != after


def scalar_changed(before: Any, after: Any) -> bool:
    """A scalar changed from one set value to another."""
    return not isinstance(before, list | dict) and is_set(before) and is_set(after) and before != after


def changed_if_set(before: Any, after: Any) -> bool:
    """A value that was set changed or was unset."""
    return is_set(before) and before != after


def unset(before: Any, after: Any) -> bool:
    """A value that was set was unset."""
    return is_set(before) and not is_set(after)


def loses(before: Any, after: Any) -> bool:
    """A list lost an element."""
    return bool(missing_items(before, after))


def gains(before: Any, after: Any) -> bool:
    """A list gained an element."""
    return bool(missing_items(after, before))


def becomes(*values: Any) -> Comparison:
    """The value changed to one of these."""
    return lambda before, after: after in values and before not in values


def leaves(*values: Any) -> Comparison:
    """The value changed from one of these to something else."""
    return lambda before, after: before in values and after not in values


def weaker_tls(before: Any, after: Any) -> bool:
    """A policy changed, and its minimum TLS version is not higher."""
    return is_set(before) and before != after and _min_tls(after) <= _min_tls(before)


def is_set(value: Any) -> bool:
    """Whether a value is set: not null, an empty string, list or object."""
    return value not in (None, "", [], {})


def missing_items(of: Any, in_: Any) -> list[Any]:
    """Elements of `of` that are missing in `in_`.

    A string is a list of one element, an object a list of its keys. Elements with a name are compared by name.
    """
    existing = list(_items(in_))
    return [item for item in _items(of) if item not in existing]


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, list) and all(isinstance(entry, dict) and entry.get("name") for entry in value):
        return [entry["name"] for entry in value]
    if isinstance(value, list):
        return [_without_unset(entry) if isinstance(entry, dict) else entry for entry in value]
    if isinstance(value, dict):
        return value
    return [value] if is_set(value) else []


def _without_unset(block: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in block.items() if is_set(value)}


def _is_on(value: Any) -> bool:
    return value.lower() not in OFF if isinstance(value, str) else bool(value)


def _is_switched_on(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() in ON)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _min_tls(policy: Any) -> int:
    """Minor version of TLS 1 in a name such as ELBSecurityPolicy-TLS13-1-2-2021-06 or TLSv1.2_2021; else 0."""
    named = re.search(r"TLS(?:13|v)?[-_]?1[-._](\d)", policy if isinstance(policy, str) else "")
    return int(named[1]) if named else 0
