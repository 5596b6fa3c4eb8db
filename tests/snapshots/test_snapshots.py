"""What each stack of each environment synthesizes, one file a stack, for a reviewer to read the difference.

After a change that is meant: `make snapshots`.
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
"""The part of an asset's path that follows from its content; compression differs from one machine to the next."""


def readable(document: Body) -> Body:
    """Without what follows from something else: construct paths, versions of cdktf and of the provider.

    JSON within a string is shown as what it says, line by line.
    """
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
