"""The `snapshots` command: differences by resource, computed with git, within GitHub's size limit."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from operations import snapshots as module
from operations.__main__ import app
from operations.snapshots import (
    LIMIT,
    SNAPSHOTS,
    SnapshotDifference,
    SnapshotsError,
    committed,
    differences,
    present,
    summary,
)
from stacks import ROOT
from tests.conftest import SHIPPED

Stacks = dict[str, dict[str, Any]]
Compare = Callable[[Stacks, Stacks], list[SnapshotDifference]]

TOPIC = {"resource": {"aws_sns_topic": {"alarms": {"name": "alarms", "tags": {"Owner": "us"}}}}}
STATEMENTS = [
    {"actions": [f"s3:{name}" for name in ("GetObject", "PutObject")], "sid": sid} for sid in ("One", "Two", "Three")
]


class Project:
    """A git repository with snapshots."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / SNAPSHOTS).mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        name = ("-c", "user.name=test", "-c", "user.email=test@acme.example")
        run = subprocess.run(["git", *name, *arguments], cwd=self.folder, capture_output=True, text=True, check=True)
        return run.stdout

    def file(self, stack: str) -> Path:
        return self.folder / SNAPSHOTS / f"test_stack[{stack}].json"

    def write(self, stacks: Stacks) -> None:
        for file in (self.folder / SNAPSHOTS).glob("*"):
            file.unlink()
        for name, document in stacks.items():
            self.file(name).write_text(json.dumps(document), encoding="utf-8")

    def commit(self, stacks: Stacks) -> None:
        self.write(stacks)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=a change")

    def compare(self, base: str = "main") -> list[SnapshotDifference]:
        return differences(committed(self.folder, base), present(self.folder))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def compare(project: Project) -> Compare:
    """Commits `before`, writes `after` to the working tree, and compares them."""

    def compare_stacks(before: Stacks, after: Stacks) -> list[SnapshotDifference]:
        project.commit(before)
        project.write(after)
        return project.compare()

    return compare_stacks


def stack_with(statements: list[dict[str, Any]]) -> Stacks:
    return {"dev-network": {"data": {"aws_iam_policy_document": {"access": {"statement": statements}}}}}


def test_equal_snapshots_have_no_differences(compare: Compare):
    assert compare({"dev-network": TOPIC}, {"dev-network": TOPIC}) == []


def test_the_order_of_keys_does_not_matter(compare: Compare):
    reordered = {"resource": {"aws_sns_topic": {"alarms": {"tags": {"Owner": "us"}, "name": "alarms"}}}}
    assert compare({"dev-network": TOPIC}, {"dev-network": reordered}) == []


def test_a_change_is_shown_under_its_resource_and_key_path(compare: Compare):
    changed = {"resource": {"aws_sns_topic": {"alarms": {"name": "alarms", "tags": {"Owner": "them"}}}}}
    assert compare({"dev-network": TOPIC, "dev-cache": TOPIC}, {"dev-network": changed, "dev-cache": TOPIC}) == [
        SnapshotDifference(
            "dev-network",
            added=0,
            changed=1,
            removed=0,
            lines=(
                "@@ aws_sns_topic.alarms tags @@",
                " {",
                '   "name": "alarms",',
                '   "tags": {',
                '-    "Owner": "us"',
                '+    "Owner": "them"',
                "   }",
                " }",
            ),
        )
    ]


def test_each_change_is_shown_with_three_lines_of_context(compare: Compare):
    after = [{**STATEMENTS[0], "sid": "First"}, STATEMENTS[1], {**STATEMENTS[2], "actions": ["s3:GetObject"]}]
    (found,) = compare(stack_with(STATEMENTS), stack_with(after))
    assert found.changed == 1
    headers = [line for line in found.lines if line.startswith("@@")]
    assert headers == [
        "@@ data.aws_iam_policy_document.access statement @@",
        "@@ data.aws_iam_policy_document.access statement actions @@",
    ]
    assert len(found.lines) == 2 + (3 + 2 + 3) + (3 + 3 + 3)


def test_an_addition_is_shown_under_its_key_path(compare: Compare):
    (found,) = compare(stack_with(STATEMENTS[:1]), stack_with(STATEMENTS[:2]))
    assert found.lines[0] == "@@ data.aws_iam_policy_document.access statement @@"
    assert not [line for line in found.lines if line.startswith("-")]


def test_added_and_removed_resources_are_shown_completely(compare: Compare):
    queue = {"resource": {"aws_sqs_queue": {"orders": {"name": "orders"}}}}
    (found,) = compare({"dev-network": TOPIC}, {"dev-network": queue})
    assert (found.added, found.changed, found.removed) == (1, 0, 1)
    assert found.lines == (
        *(
            "@@ aws_sns_topic.alarms @@",
            "-{",
            '-  "name": "alarms",',
            '-  "tags": {',
            '-    "Owner": "us"',
            "-  }",
            "-}",
        ),
        *("@@ aws_sqs_queue.orders @@", "+{", '+  "name": "orders"', "+}"),
    )


def test_added_and_removed_stacks_are_shown(compare: Compare):
    assert [(each.stack, each.added, each.removed) for each in compare({"dev-one": TOPIC}, {"dev-two": TOPIC})] == [
        ("dev-one", 0, 1),
        ("dev-two", 1, 0),
    ]


def test_outputs_providers_and_backends_are_shown_by_address(compare: Compare):
    def document(value: str) -> Stacks:
        sections = {"output": {"id": {"value": value}}, "provider": {"aws": [{"region": value}]}}
        return {"dev-network": {**sections, "terraform": {"backend": {"s3": {"key": value}}}}}

    (found,) = compare(document("a"), document("b"))
    headers = [line for line in found.lines if line.startswith("@@")]
    assert headers == ["@@ output.id @@", "@@ provider.aws @@", "@@ terraform.backend s3 @@"]


def test_non_ascii_and_control_characters_are_escaped(compare: Compare):
    # U+202E reverses the direction of the text after it.
    after = {"resource": {"aws_sns_topic": {"a\nl\u202e": {"name": "\u0430larms`\u202e", "tags\n\u202e": {"a": "b"}}}}}
    (found,) = compare({"dev-network": TOPIC}, {"dev-network": after})
    assert "".join(found.lines).isascii()
    assert "".join(found.lines).isprintable()
    assert r"@@ aws_sns_topic.a\nl\u202e @@" in found.lines


def test_special_characters_in_keys_are_escaped(compare: Compare):
    def document(value: str) -> Stacks:
        return {"dev-network": {"resource": {"aws_x": {"y": {'a": "b': {"c": value}}}}}}

    (found,) = compare(document("1"), document("2"))
    assert found.lines[0] == r"@@ aws_x.y a\": \"b @@"


def test_later_commits_on_the_base_are_ignored(project: Project):
    other = {"resource": {"aws_sqs_queue": {"orders": {}}}}
    project.commit({"dev-network": TOPIC})
    project.git("switch", "--quiet", "--create", "change")
    project.commit({"dev-network": TOPIC, "dev-cache": TOPIC})
    project.git("switch", "--quiet", "main")
    project.commit({"dev-network": other})
    project.git("switch", "--quiet", "change")
    assert [each.stack for each in project.compare()] == ["dev-cache"]


def test_only_snapshots_of_stacks_are_read(project: Project):
    project.commit({"dev-network": TOPIC, "<b>": TOPIC})
    (project.folder / SNAPSHOTS / "notes.json").write_text("not JSON")
    assert committed(project.folder, "main").keys() == present(project.folder).keys() == {"dev-network"}


@pytest.mark.parametrize("text", ["", "<<<<<<< HEAD", "[]", '{"resource": []}', '{"resource": {"aws_x": []}}'])
def test_an_invalid_snapshot_is_reported(project: Project, text: str):
    project.file("dev-network").write_text(text)
    with pytest.raises(SnapshotsError, match=r"test_stack\[dev-network\]\.json: not a snapshot of a stack"):
        present(project.folder)


def test_an_unknown_base_is_an_error(project: Project):
    project.commit({})
    for base in ("nowhere", "--all", ""):
        with pytest.raises(SnapshotsError, match=r"git rev-parse .* fatal: "):
            committed(project.folder, base)


def test_unrelated_histories_are_an_error(project: Project):
    project.commit({})
    project.git("switch", "--quiet", "--orphan", "other")
    project.commit({"dev-network": TOPIC})
    with pytest.raises(SnapshotsError, match=r"git merge-base .*: no merge base"):
        committed(project.folder, "main")


def difference(stack: str, *lines: str) -> SnapshotDifference:
    return SnapshotDifference(stack, added=1, changed=2, removed=3, lines=lines)


def test_the_summary_is_a_table_and_a_collapsed_section_for_each_stack():
    assert summary([difference("dev-network", "@@ a.b @@", "+{}")], stacks=33, base="main") == (
        "### 1 of 33 stacks changes\n\n"
        "| stack | added | changed | removed |\n|---|--:|--:|--:|\n| `dev-network` | 1 | 2 | 3 |\n\n"
        "<details><summary>dev-network</summary>\n\n```diff\n@@ a.b @@\n+{}\n```\n\n</details>\n"
    )
    two = summary([difference("dev-cache", "+{}"), difference("dev-network", "+{}")], stacks=33, base="main")
    assert two.startswith("### 2 of 33 stacks change\n")
    assert summary([], stacks=33, base="main") == "### None of 33 stacks changes\n"


@pytest.mark.parametrize("number", range(1, 9))
def test_backticks_do_not_end_the_code_block(compare: Compare, number: int):
    ticks = "`" * number
    after = {"resource": {f"aws_{ticks}": {ticks: {ticks: [{ticks: ticks}, ticks]}}}}
    found = compare({"dev-network": {}}, {"dev-network": after})
    lines = summary(found, stacks=1, base="main").splitlines()
    assert [line for line in lines if "```" in line] == ["```diff", "```"]
    body = "".join(line[1:] for line in found[0].lines[found[0].lines.index("+{") :])
    assert json.loads(body) == after["resource"][f"aws_{ticks}"][ticks]


def blocks(text: str) -> dict[str, int]:
    """Number of shown lines, by stack."""
    shown = re.findall(r"<summary>([\w-]+)</summary>\n\n```diff\n(.*?)\n?```\n", text, flags=re.DOTALL)
    return {stack: len(lines.splitlines()) for stack, lines in shown}


def test_the_project_may_be_a_subfolder_of_the_repository(project: Project):
    project.folder /= "platform"
    (project.folder / SNAPSHOTS).mkdir(parents=True)
    project.commit({"dev-foundation": TOPIC})
    assert committed(project.folder, "main") == present(project.folder) != {}


def test_omitted_lines_are_reported():
    lines = [f'+  "name": "{number:04}"' for number in range(1000)]
    text = summary([difference("dev-network", *lines)], stacks=1, base="main", limit=5000)
    shown = blocks(text)["dev-network"]
    assert 240 < shown < 270  # of 18 bytes each
    omission = f"Lines omitted because of GitHub's size limit: {1000 - shown}. To see all:\n"
    assert f"{omission}`git diff --merge-base main -- 'tests/snapshots/" in text
    assert "test_stack[dev-network].json'`" in text
    assert 4980 < len(text.encode()) <= 5000


def test_a_small_difference_is_shown_completely_next_to_large_ones():
    large = [f'+  "name": "{number:04}"' for number in range(1000)]
    found = [difference("dev-a", *large), difference("dev-b", *large[:10]), difference("dev-c", *large[:300])]
    shown = blocks(summary(found, stacks=3, base="main", limit=20_000))
    assert list(shown) == ["dev-a", "dev-b", "dev-c"]
    assert shown["dev-b"] == 10
    assert shown["dev-c"] == 300
    assert 700 < shown["dev-a"] < 800  # of 18 bytes each, minus what the others need


def test_the_summary_fits_githubs_limit():
    # The stacks of three environments, as if they were new.
    one = {name: stack for name, stack in present(ROOT).items() if name.startswith(f"{SHIPPED[0]}-")}
    stacks = {f"{prefix}-{name}": stack for name, stack in one.items() for prefix in "abc"}
    text = summary(differences({}, stacks), stacks=len(stacks), base="ä" * 250)
    assert 0.98 * LIMIT < len(text.encode()) <= LIMIT
    assert min(blocks(text).values()) > 60  # some lines of each stack
    one = difference("dev-network", "+" + "a" * LIMIT)
    assert len(summary([one], stacks=1, base="main").encode()) < 1000


def test_the_command_prints_changes_since_the_merge_base(project: Project, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "ROOT", project.folder)
    project.commit({"dev-network": TOPIC, "dev-cache": TOPIC})
    project.write({"dev-network": TOPIC})
    result = CliRunner().invoke(app, ["snapshots", "main"])
    assert result.exit_code == 0
    assert result.stdout.startswith("### 1 of 2 stacks changes\n")
    assert "| `dev-cache` | 0 | 0 | 1 |" in result.stdout


def test_an_unknown_base_is_reported_in_one_line(project: Project, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "ROOT", project.folder)
    result = CliRunner().invoke(app, ["snapshots", "nowhere"])
    assert result.exit_code == 1
    assert re.match(r"git rev-parse .*nowhere", result.stderr)
    assert result.stderr.count("\n") == 1


def test_a_binary_snapshot_is_reported_in_one_line(project: Project, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "ROOT", project.folder)
    project.commit({"dev-network": TOPIC})
    (project.folder / SNAPSHOTS / "test_stack[dev-network].json").write_bytes(b"\xff\xfe\xff")
    result = CliRunner().invoke(app, ["snapshots", "main"])
    assert result.exit_code == 1
    assert result.stderr.startswith("test_stack[dev-network].json: not a snapshot of a stack: ")
    assert result.stderr.count("\n") == 1


def test_missing_git_is_reported(project: Project, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "ROOT", project.folder)
    monkeypatch.setenv("PATH", str(project.folder))
    result = CliRunner().invoke(app, ["snapshots", "main"])
    assert (result.exit_code, result.stderr) == (1, "git: No such file or directory\n")
