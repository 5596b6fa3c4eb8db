"""Ways in which a value can be worse than the one before it; a rule names one of them.

Each takes what an argument was and what it becomes, None where it is not set.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

Comparison = Callable[[Any, Any], bool]

OFF = {"", "0", "disable", "disabled", "false", "no", "none", "off", "suspended"}


def off(before: Any, after: Any) -> bool:
    """It was on, and is not any more."""
    return _is_on(before) and not _is_on(after)


def on(before: Any, after: Any) -> bool:
    """It was off, or not set, and is on."""
    return not _is_on(before) and _is_on(after)


def lower(before: Any, after: Any) -> bool:
    """A number becomes less, or is not set any more."""
    was, is_ = _number(before), _number(after)
    return was is not None and (is_ is None or is_ < was)


def higher(before: Any, after: Any) -> bool:
    """A number becomes more."""
    was, is_ = _number(before), _number(after)
    return was is not None and is_ is not None and is_ > was


def sooner(before: Any, after: Any) -> bool:
    """A time until something is deleted becomes shorter; 0 and not set are never."""
    was, is_ = _number(before) or float("inf"), _number(after) or float("inf")
    return is_ < was


def later(before: Any, after: Any) -> bool:
    """A time until something is deleted becomes longer; 0 and not set are never."""
    return sooner(after, before)


def changed(before: Any, after: Any) -> bool:
    """It is another."""
    return before != after


def scalar_changed(before: Any, after: Any) -> bool:
    """It is another, where it is one value and there was one."""
    return not isinstance(before, list | dict) and is_set(before) and is_set(after) and before != after


def changed_if_set(before: Any, after: Any) -> bool:
    """It is another, and there was one."""
    return is_set(before) and before != after


def unset(before: Any, after: Any) -> bool:
    """There was one, and there is none any more."""
    return is_set(before) and not is_set(after)


def loses(before: Any, after: Any) -> bool:
    """A list lacks something that it had."""
    return bool(missing_items(before, after))


def gains(before: Any, after: Any) -> bool:
    """A list has something that it had not."""
    return bool(missing_items(after, before))


def becomes(*values: Any) -> Comparison:
    """It becomes one of these, and was none of them."""
    return lambda before, after: after in values and before not in values


def leaves(*values: Any) -> Comparison:
    """It was one of these, and is none of them any more."""
    return lambda before, after: before in values and after not in values


def weaker_tls(before: Any, after: Any) -> bool:
    """The oldest version of TLS that a policy takes is older, or as old in a policy of another name."""
    return is_set(before) and before != after and _min_tls(after) <= _min_tls(before)


def is_set(value: Any) -> bool:
    """Whether there is a value: null, an empty text and an empty list are none."""
    return value not in (None, "", [], {})


def missing_items(of: Any, in_: Any) -> list[Any]:
    """What one list has and another has not; a text is a list of one, an object the list of its keys, and what has a
    name is known by it.
    """
    there = list(_items(in_))
    return [item for item in _items(of) if item not in there]


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, list) and all(isinstance(entry, dict) and entry.get("name") for entry in value):
        return [entry["name"] for entry in value]
    if isinstance(value, list | dict):
        return value
    return [value] if is_set(value) else []


def _is_on(value: Any) -> bool:
    return value.lower() not in OFF if isinstance(value, str) else bool(value)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _min_tls(policy: Any) -> int:
    """Minor version of TLS 1 in a name such as ELBSecurityPolicy-TLS13-1-2-2021-06 or TLSv1.2_2021; 0 without any."""
    named = re.search(r"TLS(?:13|v)?[-_]?1[-._](\d)", policy if isinstance(policy, str) else "")
    return int(named[1]) if named else 0
