"""Lines of every log, and which metric filters and queries are for them: the tables in `tests/logs/`."""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "logs"
KEYS = {"message", "name", "filters", "queries", "like", "set", "unset", "events"}


@dataclass(frozen=True)
class Line:
    """A log event's message, and who must count or return it. Nobody else may."""

    message: str
    filters: frozenset[str] = frozenset()
    queries: frozenset[str] = frozenset()


@cache
def log_lines() -> dict[str, list[Line]]:
    """Lines by log group. Each ends with those that may be in any log."""
    tables = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.toml"))}
    common = list(_lines(tables.pop("any")["lines"]))
    return {table["log_group"]: [*_lines(table["lines"]), *common] for table in tables.values()}


def _lines(entries: list[dict[str, Any]]) -> Iterator[Line]:
    named: dict[str, str] = {}
    for entry in entries:
        assert entry.keys() <= KEYS, entry
        owners = frozenset(entry.get("filters", ())), frozenset(entry.get("queries", ()))
        if "like" not in entry:
            named[entry.get("name", "")] = entry["message"]
            yield Line(entry["message"], *owners)
            continue
        record = json.loads(named[entry["like"]])
        for path, value in entry.get("set", {}).items():
            *parents, name = path.split(".")
            _inner(record, parents)[name] = value
        for path in entry.get("unset", ()):
            *parents, name = path.split(".")
            del _inner(record, parents)[name]
        for changed in [{"eventName": event} for event in entry.get("events", ())] or [{}]:
            yield Line(json.dumps(record | changed, ensure_ascii=False), *owners)


def _inner(record: dict[str, Any], path: list[str]) -> dict[str, Any]:
    for name in path:
        record = record[name]
    return record
