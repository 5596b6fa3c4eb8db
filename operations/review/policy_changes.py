"""Whether a policy allows more than the one before it, statement by statement.

It errs to one side. Each part of what is allowed (a principal, an action, a resource) must have been allowed by one
earlier statement, with the same conditions or fewer; what was denied must still be denied by one. All else is told as
a grant, even where a person could show that two statements together, or a condition in other words, come to the same.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from synthesized.policy_statements import Statement, as_list

EVERYONE = "AWS: *"
ELEMENTS = ("Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource")
PARTS = ("Principal", "Action", "Resource")
# A condition of these holds for fewer requests where it names fewer values.
NARROWING_OPERATORS = re.compile(
    r"(StringEquals|StringEqualsIgnoreCase|StringLike|ArnEquals|ArnLike|IpAddress|Bool|NumericEquals|DateEquals)"
)


def grants(before: Any, after: Any) -> list[str]:
    """What a policy document newly allows, or denies no more, a line each; `before` is None where there was none."""
    allowed = [f"allows {_format_statement(statement)}" for statement in newly_allowed(before, after)]
    return allowed + [
        f"denies no more {_format_statement(statement)}" for statement in _missing_statements(after, before, "deny")
    ]


def newly_allowed(before: Any, after: Any) -> list[Statement]:
    """Of the statements that allow, what no earlier statement allowed."""
    return _missing_statements(before, after, "allow")


def public_statements(after: Any) -> list[str]:
    """Statements that allow something to everybody, with no condition; a line each."""
    return [
        f"allows {_format_statement(statement)}"
        for statement in statements(after)
        if _effect(statement) == "allow"
        and not statement.get("Condition")
        and ("NotPrincipal" in statement or EVERYONE in _principals(statement.get("Principal")))
    ]


def unlimited_statements(after: Any) -> list[str]:
    """Statements that allow every action on everything; a line each."""
    return [
        f"allows {_format_statement(statement)}"
        for statement in statements(after)
        if _effect(statement) == "allow"
        and ("NotAction" in statement or "*" in _strings(statement.get("Action")))
        and "Principal" not in statement
        and "*" in _strings(statement.get("Resource"))
    ]


def statements(document: Any) -> Iterator[Statement]:
    """Those of a document; what is none is one that nothing covers."""
    found = document.get("Statement") if isinstance(document, dict) else None
    for statement in found if isinstance(found, list) else [found] if found else []:
        yield statement if isinstance(statement, dict) else {"Effect": "Allow", "Unreadable": statement}


def _effect(statement: Statement) -> str:
    """What is no denial counts as allowed."""
    return "deny" if statement.get("Effect") == "Deny" else "allow"


def _missing_statements(in_: Any, of: Any, effect: str) -> list[Statement]:
    """Of one document's statements of an effect, each with that of it which no statement of another document says."""
    there = [statement for statement in statements(in_) if _effect(statement) == effect]
    lacking = (_subtract(there, statement) for statement in statements(of) if _effect(statement) == effect)
    return [statement for statement in lacking if statement]


def _subtract(others: list[Statement], one: Statement) -> Statement | None:
    """A statement without what others say, each part of it by one of them; None where nothing is left."""
    if one.keys() - {"Sid", "Effect", "Condition", *ELEMENTS}:
        return None if one in others else one
    parts = [part for part in _parts(one) if not any(_covers(other, part) for other in others)]
    left = {element: list(dict.fromkeys(part[element] for part in parts)) for element in PARTS if element in one}
    return {**one, **left} if parts else None


def _parts(statement: Statement) -> Iterator[Statement]:
    """A statement for each principal, action and resource; negations stay whole."""
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
    """Whether one of some patterns matches; what is not named at all is not named on either side."""
    if wanted is None:
        return not patterns
    return any(_matches(pattern, wanted, ignoring_case=ignoring_case) for pattern in patterns)


def _has_principal(principals: list[str], wanted: str | None) -> bool:
    """Principals have no patterns, but for everybody."""
    return (
        _matches_any([], wanted)
        if not principals
        else wanted in principals or (wanted is not None and EVERYONE in principals)
    )


def _matches(pattern: str, text: str, *, ignoring_case: bool) -> bool:
    """Whether a pattern matches all that a text does, which may be a pattern itself.

    A `*` of the text must fall to a `*` of the pattern, so that whatever it stands for falls to it as well.
    """
    letters = "".join({"*": ".*", "?": "[^*]"}.get(letter) or re.escape(letter) for letter in pattern)
    return bool(re.fullmatch(letters, text, re.DOTALL | (re.IGNORECASE if ignoring_case else re.NOFLAG)))


def _is_as_narrow(part: Any, other: Any) -> bool:
    """Whether each condition of another statement also limits this one."""
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
    """Each with its type, but for everybody."""
    if isinstance(principal, dict):
        return [f"{kind}: {who}" for kind, whom in principal.items() for who in _strings(whom)]
    return [EVERYONE if who == "*" else who for who in _strings(principal)]


def _canonical(value: Any) -> str:
    return json.dumps(sorted(_strings(value)))


def _strings(value: Any) -> list[str]:
    return [entry if isinstance(entry, str) else json.dumps(entry) for entry in as_list(value)]


def _format_statement(statement: Statement) -> str:
    """In a line: what, on what, to whom, and whether there are conditions."""
    if "Unreadable" in statement:
        return "what cannot be read"
    who = [*_principals(statement.get("Principal")), *_format_exception(statement, "NotPrincipal")]
    what = [*_strings(statement.get("Action")), *_format_exception(statement, "NotAction")]
    on = [*_strings(statement.get("Resource")), *_format_exception(statement, "NotResource")]
    line = _format_first(what)
    line += f" on {_format_first(on)}" if on else ""
    line += f" to {_format_first(who)}" if who else ""
    return (
        f"{line} (conditions: {_format_first(_condition_keys(statement['Condition']))})"
        if statement.get("Condition")
        else line
    )


def _format_exception(statement: Statement, element: str) -> list[str]:
    return [f"all but {_format_first(_principals(statement[element]))}"] if element in statement else []


def _condition_keys(condition: Any) -> list[str]:
    if not isinstance(condition, dict):
        return [json.dumps(condition)]
    return [
        f"{operator} {key}" for operator, keys in condition.items() for key in (keys if isinstance(keys, dict) else [])
    ]


def _format_first(texts: list[str]) -> str:
    """The first few; the whole list is in the plan."""
    return ", ".join(texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")
