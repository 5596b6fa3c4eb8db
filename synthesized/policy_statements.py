"""IAM policy documents: access to statements, and comparison by meaning."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Statement = dict[str, Any]
PolicyDocument = dict[str, Any]


def missing_statements(wanted: PolicyDocument, found: PolicyDocument) -> list[Statement]:
    """Statements of `wanted` that `found` does not have."""
    existing = set(map(_canonical, statements_of(found)))
    return [statement for statement in statements_of(wanted) if _canonical(statement) not in existing]


def statements_of(document: Mapping[str, Any]) -> list[Statement]:
    """Statements of a policy document."""
    return as_list(document.get("Statement"))


def service_principals(statement: Statement) -> list[str]:
    """Service principals of a statement in a resource or trust policy."""
    principal = statement.get("Principal")
    return as_list(principal.get("Service")) if isinstance(principal, dict) else []


def as_list(value: Any) -> list[Any]:
    """IAM's lists may be written as a single value."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _canonical(statement: Statement) -> str:
    """The statement without its Sid, with sorted lists: AWS returns a list of one as a string, and reorders others."""
    elements = {key: value for key, value in statement.items() if key != "Sid"}
    if "Principal" in elements and not isinstance(elements["Principal"], dict):
        elements["Principal"] = {"AWS": elements["Principal"]}
    return json.dumps({key: _sorted(value) for key, value in elements.items()}, sort_keys=True)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(entry) for key, entry in value.items()}
    return sorted(_strings(value))


def _strings(value: Any) -> Iterator[str]:
    for entry in value if isinstance(value, list) else [value]:
        yield str(entry).lower() if isinstance(entry, bool) else str(entry)
