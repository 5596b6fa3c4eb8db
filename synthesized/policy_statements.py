"""Policy documents as AWS takes and returns them: read, and compared by what they say."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Statement = dict[str, Any]
PolicyDocument = dict[str, Any]


def missing_statements(wanted: PolicyDocument, found: PolicyDocument) -> list[Statement]:
    """The statements of one document that another does not have."""
    there = set(map(_meaning, statements_of(found)))
    return [statement for statement in statements_of(wanted) if _meaning(statement) not in there]


def statements_of(found: Mapping[str, Any]) -> list[Statement]:
    """Those of a document."""
    return as_list(found.get("Statement"))


def service_principals(statement: Statement) -> list[str]:
    """The AWS services that a statement of a resource's policy, or of a trust, is about."""
    principal = statement.get("Principal")
    return as_list(principal.get("Service")) if isinstance(principal, dict) else []


def as_list(value: Any) -> list[Any]:
    """IAM writes a list of one as the one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


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
