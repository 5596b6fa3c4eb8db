"""Policy documents as they are sent to AWS."""

from collections.abc import Mapping
from typing import Any

Statement = dict[str, Any]


def listed(value: Any) -> list[Any]:
    """IAM writes a list of one as the one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def statements(document: Mapping[str, Any]) -> list[Statement]:
    """The statements of a document."""
    return listed(document.get("Statement"))


def services_of(statement: Statement) -> list[str]:
    """The AWS services that are the statement's principals."""
    principal = statement.get("Principal")
    return listed(principal.get("Service")) if isinstance(principal, dict) else []
