"""Runbooks: whoever is woken is one click away from what to do."""

import json
import re

from main import ROOT
from operations.platform import Platform
from tests.synthesized import RUNBOOKS

FOLDER = ROOT / "docs" / "runbooks"
# Of what Terraform tells, and no alarm.
OTHERS = {"state-locks"}


def headings(page: str) -> set[str]:
    return set(re.findall(r"^## (\S+)$", (FOLDER / f"{page}.md").read_text(encoding="utf-8"), flags=re.MULTILINE))


def linked(platform: Platform) -> dict[str, set[str]]:
    """The headings that alarms, events and messages of a platform end with, by page."""
    found: dict[str, set[str]] = {}
    for tier, stack in platform.stacks.items():
        for page, heading in re.findall(rf"Runbook: {RUNBOOKS}/([\w-]+)\.md#([\w-]+)", json.dumps(stack.document)):
            assert page == tier
            found.setdefault(page, set()).add(heading)
    return found


def test_every_runbook_that_is_linked_is_there_and_none_beside(prod: Platform):
    # RDS words its messages itself, and links no runbook.
    there = linked(prod)
    there["observability"].add("database-events")
    assert there == {page.stem: headings(page.stem) for page in FOLDER.glob("*.md") if page.stem not in OTHERS}
