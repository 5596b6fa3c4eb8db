"""Plans made by hand, as `terraform show -json` writes them."""

import json
from pathlib import Path
from typing import Any

CREATE, UPDATE, DELETE = ["create"], ["update"], ["delete"]
REPLACE, SUCCESSOR_FIRST = ["delete", "create"], ["create", "delete"]


def change(type_: str, actions: list[str], before: Any = None, after: Any = None, **more: Any) -> dict[str, Any]:
    """A change of a resource; `more` is of the change, or of what tells it."""
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
"""What makes a plan one of a stack that is there already."""


def plan(*changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A plan of a stack that is there already."""
    return {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "resource_changes": [STANDING, *changes],
        "complete": True,
        "errored": False,
        **more,
    }


def write(folder: Path, document: Any, name: str = "network.json") -> Path:
    """A file of it."""
    file = folder / name
    file.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return file


def nested(path: str, value: Any) -> Any:
    """What has a value at a path: `0` stands for a list of one, `=name` for one whose element has the name."""
    first, _, rest = path.partition("/")
    if not first:
        return value
    inner = nested(rest, value)
    if first.startswith("="):
        return [{"name": first[1:], **inner}]
    return [inner] if first.isdigit() else {first: inner}
