"""Policy documents as they are sent to AWS."""

from collections.abc import Mapping
from typing import Any

Statement = dict[str, Any]


def as_list(value: Any) -> list[Any]:
    """IAM writes a list of one as the one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def statements(document: Mapping[str, Any]) -> list[Statement]:
    """The statements of a document."""
    return as_list(document.get("Statement"))


def service_principals(statement: Statement) -> list[str]:
    """The AWS services that are the statement's principals."""
    principal = statement.get("Principal")
    return as_list(principal.get("Service")) if isinstance(principal, dict) else []
