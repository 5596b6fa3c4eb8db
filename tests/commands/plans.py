"""Handwritten plans in the format of `terraform show -json`."""

import json
from pathlib import Path
from typing import Any

CREATE, UPDATE, DELETE = ["create"], ["update"], ["delete"]
REPLACE, SUCCESSOR_FIRST = ["delete", "create"], ["create", "delete"]


def change(type_: str, actions: list[str], before: Any = None, after: Any = None, **more: Any) -> dict[str, Any]:
    """A resource change. `more` sets further fields of it or of its `change`."""
    outer = {"address", "mode", "previous_address", "deposed", "action_reason"}
    return {
        "address": f"{type_}.it",
        "mode": "managed",
        "type": type_,
        "name": "it",
        "change": {
            "actions": actions,
            "before": before,
            "after": after,
            "after_unknown": {},
            "before_sensitive": {},
            "after_sensitive": {},
            **{key: value for key, value in more.items() if key not in outer},
        },
        **{key: value for key, value in more.items() if key in outer},
    }


STANDING = change("aws_vpc", ["no-op"], {"id": "vpc-1"}, {"id": "vpc-1"})
"""An unchanged resource, which makes a plan that of a deployed stack."""


def plan(*changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A plan of a deployed stack."""
    return {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "resource_changes": [STANDING, *changes],
        "complete": True,
        "errored": False,
        **more,
    }


def write(folder: Path, document: Any, name: str = "network.json") -> Path:
    """Write a plan to a file."""
    file = folder / name
    file.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return file


def nested(path: str, value: Any) -> Any:
    """Nest a value at a path. `0` is a list of one element, `=name` a list of one element with that name."""
    first, _, rest = path.partition("/")
    if not first:
        return value
    inner = nested(rest, value)
    if first.startswith("="):
        return [{"name": first[1:], **inner}]
    return [inner] if first.isdigit() else {first: inner}
