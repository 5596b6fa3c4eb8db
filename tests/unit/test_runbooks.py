"""Runbooks: every alarm and event links to one, all sections are complete, and the commands are valid."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from operations.document import runbooks
from stacks import ROOT
from synthesized.platform import Platform, PlatformError
from tests.aws_commands import Command, find_commands
from tests.synthesized import RUNBOOKS

FOLDER = ROOT / "docs" / "runbooks"
# The overview, and pages on Terraform's lock errors and on a lost cluster.
OTHERS = {"README", "lost-cluster", "state-locks"}
PAGES = sorted(FOLDER.glob("*.md"))
EVERY_PAGE = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PARTS = ("Customers.", "Look first.", "Do.", "False alarm.")

each_page = pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])


def sections(page: Path) -> dict[str, str]:
    """Text under each heading of a page."""
    _, *parts = re.split(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def fenced(text: str) -> list[str]:
    """Shell blocks, without the indentation of list items."""
    blocks = re.findall(r"^( *)```sh\n(.*?)^ *```$", text, flags=re.MULTILINE | re.DOTALL)
    return ["\n".join(line.removeprefix(indent) for line in block.splitlines()) for indent, block in blocks]


def linked(platform: Platform) -> dict[str, set[str]]:
    """Headings that alarms, events and messages link to, by page."""
    found: dict[str, set[str]] = {}
    for tier, stack in platform.stacks.items():
        for page, heading in re.findall(rf"Runbook: {RUNBOOKS}/([\w-]+)\.md#([\w-]+)", json.dumps(stack.document)):
            assert page == tier
            found.setdefault(page, set()).add(heading)
    return found


def test_every_linked_runbook_exists_and_every_runbook_is_linked(prod_with_own_tiers: Platform):
    # RDS's own messages contain no link.
    expected = linked(prod_with_own_tiers)
    expected["observability"].add("database-events")
    assert expected == {page.stem: set(sections(page)) for page in PAGES if page.stem not in OTHERS}


def test_every_notification_links_to_a_runbook(prod_with_own_tiers: Platform):
    expected = {(page, heading) for page, headings in linked(prod_with_own_tiers).items() for heading in headings}
    assert {trigger.runbook for trigger in runbooks.triggers(prod_with_own_tiers)} == {
        *expected,
        runbooks.DATABASE_EVENTS,
    }


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem not in OTHERS], ids=lambda page: page.stem)
def test_every_section_has_the_same_parts_in_order(page: Path):
    for heading, text in sections(page).items():
        begin, _, written = text.strip().partition(f"<!-- end {heading} -->")
        assert begin.startswith(f"<!-- begin {heading} -->\n|"), heading
        leads = re.findall(r"^\*\*(.+?)\*\*", written, flags=re.MULTILINE)
        assert tuple(leads) == PARTS, heading
        assert all(part.strip() for part in re.split(r"^\*\*.+?\*\*", written, flags=re.MULTILINE)[1:]), heading


def test_the_overview_lists_every_runbook(shipped: dict[str, Platform]):
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[([\w-]+)\]\((\w+)\.md#([\w-]+)\) \| (\w+) ", page, flags=re.MULTILINE)
    assert all(name == heading and page == tier for name, page, heading, tier in listed)
    assert {(page, heading) for _, page, heading, _ in listed} == {
        trigger.runbook for platform in shipped.values() for trigger in runbooks.triggers(platform)
    }


@pytest.fixture(scope="module")
def facts(prod: Platform, dev: Platform) -> Mapping[tuple[str, str], str]:
    return runbooks.facts([dev, prod])


def test_a_table_describes_an_alarm(facts: Mapping[tuple[str, str], str]):
    assert facts["service", "errors"].splitlines() == [
        "| alarm | `<company>/<environment>/service-errors` |",
        "|---|---|",
        "| condition | HTTPCode_Target_5XX_Count at least 2 percent of RequestCount for 3 of 6 min |",
        "| reason | the application returns errors to customers |",
        "| metric | `IF(whole >= 20, 100 * FILL(part, 0) / whole)` of `part`, the Sum of"
        " `HTTPCode_Target_5XX_Count` in `AWS/ApplicationELB` by LoadBalancer and `whole`, the Sum of `RequestCount` in"
        " `AWS/ApplicationELB` by LoadBalancer, 3 of 6 times 60 seconds |",
        "| missing data | not in alarm |",
    ]


def test_differing_facts_are_listed_per_environment(facts: Mapping[tuple[str, str], str]):
    assert "| condition | dev: RunningTaskCount at most 0 tasks" in facts["service", "tasks"]
    assert "<br>prod: RunningTaskCount at most 3 tasks" in facts["service", "tasks"]
    assert "| not in | dev |" in facts["storage", "replica-behind"]
    assert "| not in |" not in facts["storage", "io-limit"]


def test_a_table_describes_each_kind_of_trigger(facts: Mapping[tuple[str, str], str]):
    assert "| reason | tasks in each zone cannot connect" in facts["network", "nat-ports"]
    assert (
        r"counted by `{ $.errorCode = \"*UnauthorizedOperation\" \|\|".replace(r"\"", '"')
        in facts["audit", "denied-calls"]
    )
    assert "`SELECT MAX(Evictions) FROM" in facts["cache", "evictions"]
    assert "`aws.acm`: ACM Certificate Approaching Expiration" in facts["observability", "certificate-expiry"]
    assert "for 31 days.`; `<environment>: the age" in facts["rotation", "credential-age"]
    assert "db-cluster: failover, failure" in facts["observability", "database-events"]


def test_names_are_generalized(facts: Mapping[tuple[str, str], str]):
    for table in facts.values():
        assert not re.search(r"acme-(dev|prod)|\$\{|eu-west-3", table)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ("Errors at least 1 for 5 min: the step failed.", "has no link to a runbook"),
        (f"Errors. Runbook: {RUNBOOKS}/cache.md#cpu", ": the description lacks a condition and a reason"),
    ],
)
def test_an_incomplete_alarm_description_is_an_error(prod: Platform, description: str, message: str):
    (alarm,) = (each for each in prod.resources if each.body.get("alarm_name") == "acme/prod/cache-cpu")
    incomplete = replace(prod, resources=(replace(alarm, body={**alarm.body, "alarm_description": description}),))
    with pytest.raises(PlatformError, match=message):
        list(runbooks.triggers(incomplete))


def written_commands() -> Iterator[tuple[str, Command, bool]]:
    """All AWS CLI commands in the documentation, and whether they are in a code block: those must be complete."""
    for page in EVERY_PAGE:
        text = page.read_text(encoding="utf-8")
        name = str(page.relative_to(ROOT))
        for block in fenced(text):
            yield from ((name, command, True) for command in find_commands(block))
        rest = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
        for quoted in re.findall(r"`(aws [^`]+)`", rest):
            yield from ((name, command, False) for command in find_commands(" ".join(quoted.split())))


def test_every_aws_command_is_valid():
    found = [(page, command) for page, command, _ in written_commands()]
    assert len(found) > 100
    assert not [(page, command, command.problem) for page, command in found if command.problem]


def test_every_aws_command_in_a_block_has_its_required_options():
    commands = [
        (page, command, command.missing_options) for page, command, is_in_block in written_commands() if is_in_block
    ]
    assert not [f"{page}: {command}: {missing}" for page, command, missing in commands if missing]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("aws ecs list-task", "ecs has no list-task"),
        ("aws elasticcache describe-events", "unknown service elasticcache"),
        ("aws ecs list-tasks --clusters x", "--clusters is unknown"),
        ("aws logs tail x --sinse 1h", "--sinse is unknown"),
        ('aws ecs list-tasks --cluster "$(aws ecs list-cluster)"', "ecs has no list-cluster"),
        ("aws ecs describe-tasks --cluster x", "tasks"),
    ],
)
def test_an_invalid_aws_command_is_found(text: str, problem: str):
    assert problem in [each for command in find_commands(text) for each in (command.problem, *command.missing_options)]


@each_page
def test_blocks_are_valid_shell(page: Path):
    for block in fenced(page.read_text(encoding="utf-8")):
        # bash would read <placeholder> as a redirection.
        filled = re.sub(r"<[\w' ,]+>", "filled-in", block)
        result = subprocess.run(["bash", "-n"], input=filled, text=True, capture_output=True, check=False)
        assert not result.stderr, block


@each_page
def test_names_in_runbooks_exist(page: Path, prod: Platform):
    text = page.read_text(encoding="utf-8")
    for placeholder, value in (
        ("<company>", "acme"),
        ("$COMPANY", "acme"),
        ("<environment>", "prod"),
        ("$ENV", "prod"),
        ("<account>", "111122223333"),
        ("$ACCOUNT", "111122223333"),
        ("<region>", "eu-west-3"),
        ("$AWS_REGION", "eu-west-3"),
    ):
        text = text.replace(placeholder, value)
    document = json.dumps(prod.document)
    names = set(re.findall(r"(?<![\w-])acme-prod-[\w-]*\w", text))
    # Created manually during a restore.
    names -= {"acme-prod-before", "acme-prod-before-1", "acme-prod-old"}
    logs = set(re.findall(r"(?<=[\"`])/(?:aws|acme)/[\w/-]+", text))
    missing = {name for name in names if not re.search(rf"(?<![\w-]){name}(?![\w-])", document)}
    assert not missing | {log for log in logs if f'"{log}"' not in document}
