"""Compares two versions of a policy, statement by statement, and reports what the new one grants.

The comparison is conservative. Each combination of principal, action and resource must have been allowed by a single
old statement with the same conditions or fewer, and each denial must remain in a single statement. Anything else is
reported as a grant, even if several statements, or an equivalent condition, already had the same effect.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from synthesized.policy_statements import Statement, as_list

EVERYONE = "AWS: *"
ELEMENTS = ("Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource")
PARTS = ("Principal", "Action", "Resource")
ALL_ACTIONS = re.compile(r"\*+|[\w*-]+:\*+")
"""All actions, or all of a service."""
ALL_RESOURCES = re.compile(r"\*+|arn(:[\w*-]*){0,4}:\*+")
# Operators whose conditions match fewer requests if they have fewer values.
NARROWING_OPERATORS = re.compile(
    r"(StringEquals|StringEqualsIgnoreCase|StringLike|ArnEquals|ArnLike|IpAddress|Bool|NumericEquals|DateEquals)"
)


def grants(before: Any, after: Any) -> list[str]:
    """What a policy newly allows or no longer denies, one line each. `before` is None for a new policy."""
    allowed = [f"allows {_format_statement(statement)}" for statement in newly_allowed(before, after)]
    return allowed + [
        f"no longer denies {_format_statement(statement)}" for statement in _missing_statements(after, before, "deny")
    ]


def newly_allowed(before: Any, after: Any) -> list[Statement]:
    """The parts of allowing statements that no old statement allowed."""
    return _missing_statements(before, after, "allow")


def public_statements(after: Any) -> list[str]:
    """Statements that allow something to everyone without a condition, one line each."""
    return [
        f"allows {_format_statement(statement)}"
        for statement in statements(after)
        if _effect(statement) == "allow"
        and not statement.get("Condition")
        and ("NotPrincipal" in statement or EVERYONE in _principals(statement.get("Principal")))
    ]


def unlimited_statements(after: Any) -> list[str]:
    """Statements that allow all actions, or all of a service, on all resources, one line each."""
    return [
        f"allows {_format_statement(statement)}"
        for statement in statements(after)
        if _effect(statement) == "allow"
        and ("NotAction" in statement or any(map(ALL_ACTIONS.fullmatch, _strings(statement.get("Action")))))
        and "Principal" not in statement
        and ("NotResource" in statement or any(map(ALL_RESOURCES.fullmatch, _strings(statement.get("Resource")))))
    ]


def statements(document: Any) -> Iterator[Statement]:
    """Statements of a policy. An invalid one becomes a statement that no other covers."""
    found = document.get("Statement") if isinstance(document, dict) else None
    for statement in found if isinstance(found, list) else [found] if found else []:
        yield statement if isinstance(statement, dict) else {"Effect": "Allow", "Unreadable": statement}


def _effect(statement: Statement) -> str:
    """The effect of a statement. Anything but a denial counts as allowed."""
    return "deny" if statement.get("Effect") == "Deny" else "allow"


def _missing_statements(in_: Any, of: Any, effect: str) -> list[Statement]:
    """Statements of `of` with an effect, reduced to the parts that no statement of `in_` covers."""
    existing = [statement for statement in statements(in_) if _effect(statement) == effect]
    missing = (_subtract(existing, statement) for statement in statements(of) if _effect(statement) == effect)
    return [statement for statement in missing if statement]


def _subtract(others: list[Statement], one: Statement) -> Statement | None:
    """A statement without the parts that another covers, or None if nothing is left."""
    if one.keys() - {"Sid", "Effect", "Condition", *ELEMENTS}:
        return None if one in others else one
    parts = [part for part in _parts(one) if not any(_covers(other, part) for other in others)]
    left = {element: list(dict.fromkeys(part[element] for part in parts)) for element in PARTS if element in one}
    return {**one, **left} if parts else None


def _parts(statement: Statement) -> Iterator[Statement]:
    """One statement per principal, action and resource. Negated elements are not split."""
    for who in _principals(statement.get("Principal")) or [None]:
        for action in _strings(statement.get("Action")) or [None]:
            for resource in _strings(statement.get("Resource")) or [None]:
                yield {**statement, "Principal": who, "Action": action, "Resource": resource}


def _covers(other: Statement, part: Statement) -> bool:
    return (
        all(_canonical(other.get(element)) == _canonical(part.get(element)) for element in ELEMENTS if "Not" in element)
        and _has_principal(_principals(other.get("Principal")), part["Principal"])
        and _matches_any(_strings(other.get("Action")), part["Action"], ignoring_case=True)
        and _matches_any(_strings(other.get("Resource")), part["Resource"])
        and _is_as_narrow(part.get("Condition"), other.get("Condition"))
    )


def _matches_any(patterns: list[str], wanted: str | None, *, ignoring_case: bool = False) -> bool:
    """Whether any pattern matches. A missing element only matches a missing element."""
    if wanted is None:
        return not patterns
    return any(_matches(pattern, wanted, ignoring_case=ignoring_case) for pattern in patterns)


def _has_principal(principals: list[str], wanted: str | None) -> bool:
    """Principals have no patterns except for everyone."""
    return (
        _matches_any([], wanted)
        if not principals
        else wanted in principals or (wanted is not None and EVERYONE in principals)
    )


def _matches(pattern: str, text: str, *, ignoring_case: bool) -> bool:
    """Whether a pattern matches everything that another pattern does.

    A `*` in the text must be matched by a `*` in the pattern, which then matches whatever the text's `*` does.
    """
    letters = "".join({"*": ".*", "?": "[^*]"}.get(letter) or re.escape(letter) for letter in pattern)
    return bool(re.fullmatch(letters, text, re.DOTALL | (re.IGNORECASE if ignoring_case else re.NOFLAG)))


def _is_as_narrow(part: Any, other: Any) -> bool:
    """Whether each condition of `other` also limits `part`."""
    if not other:
        return True
    if not isinstance(other, dict) or not isinstance(part, dict):
        return part == other
    return all(
        _limits(operator, part.get(operator, {}).get(key) if isinstance(part.get(operator), dict) else None, values)
        for operator, keys in other.items()
        for key, values in (keys.items() if isinstance(keys, dict) else [("", keys)])
    )


def _limits(operator: str, values: Any, allowed: Any) -> bool:
    if values is None:
        return False
    if NARROWING_OPERATORS.fullmatch(operator):
        return set(_strings(values)) <= set(_strings(allowed))
    return _canonical(values) == _canonical(allowed)


def _principals(principal: Any) -> list[str]:
    """Principals as `type: name`, and everyone as `EVERYONE`."""
    if isinstance(principal, dict):
        return [f"{kind}: {who}" for kind, whom in principal.items() for who in _strings(whom)]
    return [EVERYONE if who == "*" else who for who in _strings(principal)]


def _canonical(value: Any) -> str:
    return json.dumps(sorted(_strings(value)))


def _strings(value: Any) -> list[str]:
    return [entry if isinstance(entry, str) else json.dumps(entry) for entry in as_list(value)]


def _format_statement(statement: Statement) -> str:
    """A statement in one line: actions, resources, principals, conditions."""
    if "Unreadable" in statement:
        return "an invalid statement"
    principals = [*_principals(statement.get("Principal")), *_format_exception(statement, "NotPrincipal")]
    actions = [*_strings(statement.get("Action")), *_format_exception(statement, "NotAction")]
    resources = [*_strings(statement.get("Resource")), *_format_exception(statement, "NotResource")]
    line = _format_first(actions)
    line += f" on {_format_first(resources)}" if resources else ""
    line += f" to {_format_first(principals)}" if principals else ""
    return (
        f"{line} (conditions: {_format_first(_condition_keys(statement['Condition']))})"
        if statement.get("Condition")
        else line
    )


def _format_exception(statement: Statement, element: str) -> list[str]:
    return [f"all except {_format_first(_principals(statement[element]))}"] if element in statement else []


def _condition_keys(condition: Any) -> list[str]:
    if not isinstance(condition, dict):
        return [json.dumps(condition)]
    return [
        f"{operator} {key}" for operator, keys in condition.items() for key in (keys if isinstance(keys, dict) else [])
    ]


def _format_first(texts: list[str]) -> str:
    """The first three elements. The plan has the full list."""
    return ", ".join(texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")
