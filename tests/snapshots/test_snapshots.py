"""Snapshots of all synthesized stacks, one file per stack, so that reviewers see what a change does.

Run `make snapshots` after an intended change.
"""

import json
import re

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from synthesized.platform import Body, Platform
from tests.conftest import SHIPPED
from tests.synthesized import TIERS

STACKS = [f"{environment}-{tier}" for environment in SHIPPED for tier in TIERS]


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


@pytest.mark.parametrize("name", STACKS)
def test_stack(shipped: dict[str, Platform], snapshot: SnapshotAssertion, name: str):
    environment, _, tier = name.rpartition("-")
    stack = shipped[environment].stacks[tier]
    assert readable(stack.document) == snapshot(extension_class=JSONSnapshotExtension)


def test_every_stack_has_a_snapshot(shipped: dict[str, Platform]):
    assert {stack.name for platform in shipped.values() for stack in platform.stacks.values()} == set(STACKS)
