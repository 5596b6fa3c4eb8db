"""Parsing of IAM policy documents."""

from collections.abc import Mapping
from typing import Any

Statement = dict[str, Any]


def as_list(value: Any) -> list[Any]:
    """A value as a list: IAM allows a single value in place of a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def statements(document: Mapping[str, Any]) -> list[Statement]:
    """The statements of a document."""
    return as_list(document.get("Statement"))


def service_principals(statement: Statement) -> list[str]:
    """AWS service principals of a statement."""
    principal = statement.get("Principal")
    return as_list(principal.get("Service")) if isinstance(principal, dict) else []
