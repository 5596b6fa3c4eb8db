"""What each stack of each environment synthesizes, one file a stack, for a reviewer to read the difference.

After a change that is meant: `make snapshots`.
"""

from copy import deepcopy

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension
from syrupy.location import PyTestLocation
from syrupy.types import SnapshotIndex
from typing_extensions import override

from operations.platform import Body, Platform
from tests.conftest import ENVIRONMENTS

TIERS = ("foundation", "network", "database")


class StackSnapshot(JSONSnapshotExtension):
    """A file that is named as its stack."""

    @classmethod
    @override
    def get_file_basename(cls, *, test_location: PyTestLocation, index: SnapshotIndex) -> str:
        return str(index)


def readable(document: Body) -> Body:
    """Without what follows from something else: construct paths, versions of cdktf and of the provider."""
    document = deepcopy(document)
    del document["//"]
    del document["terraform"]["required_providers"]["aws"]["version"]
    for section in ("resource", "data"):
        for named in document.get(section, {}).values():
            for body in named.values():
                body.pop("//", None)
    return document


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_stack_synthesizes_what_was_reviewed(
    platforms: dict[str, Platform], snapshot: SnapshotAssertion, environment: str, tier: str
):
    stack = platforms[environment].stacks[tier]
    assert readable(stack.document) == snapshot(name=stack.name, extension_class=StackSnapshot)


def test_every_stack_has_a_snapshot(platforms: dict[str, Platform]):
    stacks = {stack.name for platform in platforms.values() for stack in platform.stacks.values()}
    assert stacks == {f"{environment}-{tier}" for environment in ENVIRONMENTS for tier in TIERS}
