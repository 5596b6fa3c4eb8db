"""Policy documents as AWS takes and returns them: built from statements, and compared by what they say."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

Statement = dict[str, Any]
Document = dict[str, Any]

Conditions = dict[str, dict[str, str | list[str]]]


def allow(
    sid: str, actions: Sequence[str], resources: Sequence[str], *, to: Any = None, when: Conditions | None = None
) -> Statement:
    """A statement that allows; `to` belongs in the policy of a resource, which also speaks of whom."""
    return _statement("Allow", sid, actions, resources, to, when)


def deny(
    sid: str, actions: Sequence[str], resources: Sequence[str], *, to: Any = None, when: Conditions | None = None
) -> Statement:
    """A statement that denies, whatever else allows."""
    return _statement("Deny", sid, actions, resources, to, when)


def document(*statements: Statement) -> Document:
    """The statements as a document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def lacking(wanted: Document, found: Document) -> list[Statement]:
    """The statements of one document that another does not have."""
    there = set(map(_meaning, _statements(found)))
    return [statement for statement in _statements(wanted) if _meaning(statement) not in there]


def _statement(
    effect: str, sid: str, actions: Sequence[str], resources: Sequence[str], to: Any, when: Conditions | None
) -> Statement:
    statement: Statement = {"Sid": sid, "Effect": effect, "Action": list(actions)}
    if to is not None:
        statement["Principal"] = to
    if resources:  # a trust policy speaks of none
        statement["Resource"] = list(resources)
    return statement | ({"Condition": when} if when else {})


def _statements(found: Document) -> list[Statement]:
    statements = found.get("Statement", [])
    return [statements] if isinstance(statements, dict) else statements


def _meaning(statement: Statement) -> str:
    """The statement without its name, in an order of its own: AWS returns a list of one as a text, and sorts others."""
    told = {key: value for key, value in statement.items() if key != "Sid"}
    if "Principal" in told and not isinstance(told["Principal"], dict):
        told["Principal"] = {"AWS": told["Principal"]}
    return json.dumps({key: _ordered(value) for key, value in told.items()}, sort_keys=True)


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ordered(entry) for key, entry in value.items()}
    return sorted(_texts(value))


def _texts(value: Any) -> Iterator[str]:
    for entry in value if isinstance(value, list) else [value]:
        yield str(entry).lower() if isinstance(entry, bool) else str(entry)
