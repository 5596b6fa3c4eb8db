"""Snapshots of all synthesized stacks, one file per stack, so that reviewers see what a change does.

Run `make generated` after an intended change.
"""

import json
import re
from collections.abc import Iterator

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from operations.snapshots import SNAPSHOTS
from stacks import ROOT
from synthesized.platform import Body, Platform
from tests.conftest import SHIPPED
from tests.failures import differences, expect_none
from tests.synthesized import tiers_with_own

STACKS = [f"{environment}-{tier}" for environment in SHIPPED for tier in tiers_with_own(environment)]


JSON_ARGUMENTS = ("container_definitions", "dashboard_body", "definition", "event_pattern")
ASSET = re.compile(r"(?<=/)[0-9A-F]{32}(?=/)")
"""Hash in an asset's path. It depends on the compression, which differs between machines."""


def readable(document: Body) -> Body:
    """The document without construct paths and versions, and with JSON strings expanded."""
    document = json.loads(ASSET.sub("HASH", json.dumps(document)))
    del document["//"]
    del document["terraform"]["required_providers"]["aws"]["version"]
    for section in ("resource", "data"):
        for named in document.get(section, {}).values():
            for body in named.values():
                body.pop("//", None)
                body |= {argument: json.loads(body[argument]) for argument in JSON_ARGUMENTS if argument in body}
    return document


def changes(before: Body, after: Body) -> Iterator[str]:
    """Differences between two versions of a stack, resources first."""
    for section in sorted({*before, *after}, key=lambda section: (section != "resource", section)):
        old, new = _addressed(section, before.get(section, {})), _addressed(section, after.get(section, {}))
        for address in dict.fromkeys((*new, *old)):
            if address in old and address in new:
                yield from differences(new[address], old[address], address)
            else:
                arguments = new.get(address) or old[address]
                shown = ", ".join(f"{name} = {value!s:.60}" for name, value in arguments.items())
                yield f"{address}: {'added' if address in new else 'removed'}: {shown}"


def _addressed(section: str, blocks: Body) -> Body:
    if section not in {"resource", "data"}:
        return {f"{section} {name}": {"value": block} for name, block in blocks.items()}
    prefix = "data." if section == "data" else ""
    return {f"{prefix}{type_}.{name}": body for type_, named in blocks.items() for name, body in named.items()}


@pytest.mark.parametrize("name", STACKS)
def test_stack(shipped: dict[str, Platform], snapshot: SnapshotAssertion, name: str):
    environment, _, tier = name.rpartition("-")
    found = readable(shipped[environment].stacks[tier].document)
    if found != snapshot(extension_class=JSONSnapshotExtension):
        file = ROOT / SNAPSHOTS / f"test_stack[{name}].json"
        assert file.exists(), f"{name}: has no snapshot: make generated"
        expect_none([*changes(json.loads(file.read_text(encoding="utf-8")), found), "If intended: make generated"])


def test_changes_to_a_stack_are_named():
    before: Body = {
        "resource": {"aws_a": {"x": {"size": 1, "block": [{"sid": "A", "to": ["b"]}]}}, "aws_b": {"y": {"n": 1}}}
    }
    after: Body = {
        "resource": {"aws_a": {"x": {"size": 2, "block": [{"sid": "A", "to": ["c"]}]}, "z": {"n": 2}}},
        "output": {"o": {"value": "v"}},
    }
    assert list(changes(before, after)) == [
        "aws_a.x size: 2, expected: 1",
        "aws_a.x block A to 0: 'c', expected: 'b'",
        "aws_a.z: added: n = 2",
        "aws_b.y: removed: n = 1",
        "output o: added: value = {'value': 'v'}",
    ]


def test_every_stack_has_a_snapshot(shipped: dict[str, Platform]):
    assert {stack.name for platform in shipped.values() for stack in platform.stacks.values()} == set(STACKS)
