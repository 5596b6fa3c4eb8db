"""Reviews of Terraform's real plans for changes to settings and stacks."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from local_aws.server import LocalAws
from operations.__main__ import app
from rehearsal.one_environment import Rehearsal
from synthesized.platform import Stack
from tests.changes.copies import Task, in_copies
from tests.changes.edits import DEPLOYED, EDITS, Edit, plan, synthesized
from tests.commands.test_review import shape

Reviewed = dict[str, Path]


@pytest.fixture(scope="module")
def plans(rehearsed: Rehearsal, tmp_path_factory: pytest.TempPathFactory) -> Reviewed:
    """Plan files by change."""
    return planned(rehearsed, EDITS, tmp_path_factory.mktemp("edits"), tmp_path_factory.mktemp("copies"))


def planned(rehearsed: Rehearsal, edits: Mapping[str, Edit], folder: Path, logs: Path) -> Reviewed:
    """Plan each change in a copy; returns the plan files."""
    stack_of = _stacks(rehearsed, folder)
    files = {name: folder / f"{number}.json" for number, name in enumerate(edits)}
    tasks = {name: _task(rehearsed, edit, stack_of(name, edit), files[name]) for name, edit in edits.items()}
    assert len(list(in_copies(rehearsed.aws, tasks, logs))) == len(edits)
    return files


def _stacks(rehearsed: Rehearsal, folder: Path) -> Callable[[str, Edit], Stack]:
    """A function that synthesizes a change's stack into its own folder."""
    platforms: dict[str, Any] = {}

    def stack(name: str, edit: Edit) -> Stack:
        key = json.dumps(edit.settings, sort_keys=True)
        if key not in platforms:
            platforms[key] = synthesized(rehearsed.settings.name, edit.settings, folder / f"settings-{len(platforms)}")
        found: Stack = platforms[key].stacks[edit.tier]
        own = folder / name.replace(" ", "-")
        shutil.copytree(found.folder, own)
        document = json.loads((own / "cdk.tf.json").read_text(encoding="utf-8"))
        edit.stack(document)
        (own / "cdk.tf.json").write_text(json.dumps(document), encoding="utf-8")
        return replace(found, folder=own)

    return stack


def _task(rehearsed: Rehearsal, edit: Edit, stack: Stack, file: Path) -> Task:
    deployed = rehearsed.platform.stacks[edit.tier]

    def task(aws: LocalAws) -> None:
        options = edit.options
        if edit.outside:
            edit.outside(aws, rehearsed.deployment.state(deployed))
        else:
            # The state is up to date, and a refresh takes long.
            options = ("-refresh=false", *options)
        file.write_text(plan(stack, deployed.folder, options), encoding="utf-8")

    return task


def review_output(plans: Reviewed, name: str, *options: str) -> str:
    result = CliRunner().invoke(app, ["review", str(plans[name]), *options])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("name", EDITS)
def test_change_has_the_expected_verdict_and_rows(plans: Reviewed, name: str):
    edit, review = EDITS[name], json.loads(review_output(plans, name, "--json"))
    rows = {(finding["level"], finding["address"], finding["argument"]) for finding in review["findings"]}
    assert edit.rows <= rows if edit.and_more else rows == edit.rows
    assert review["verdict"] == edit.verdict
    assert review["stacks"][0]["stack"] == f"{DEPLOYED.name}-{edit.tier}"


@pytest.mark.parametrize("name", EDITS)
def test_comment_shows_every_row_as_valid_markdown(plans: Reviewed, name: str):
    comment = review_output(plans, name)
    shape(comment)
    for _, address, argument in EDITS[name].rows:
        assert any(
            f"`{address}`" in line and (not argument or f"`{argument}`" in line) for line in comment.splitlines()
        )


def test_several_plans_have_one_comment(plans: Reviewed):
    files = [str(file) for file in plans.values()]
    result = CliRunner().invoke(app, ["review", *files, "--fail-on", "data-loss"])
    assert result.exit_code == 3
    assert result.stdout.startswith("### Data is at stake: ")


def test_reverted_drift_is_listed_separately(plans: Reviewed):
    (stack,) = json.loads(review_output(plans, "drift is reverted", "--json"))["stacks"]
    drift = {(entry["address"], entry["action"]) for entry in stack["drift"]}
    assert {("aws_ecr_repository.images", "delete"), (PUBLIC_ACCESS, "delete")} <= drift


PUBLIC_ACCESS = "aws_s3_bucket_public_access_block.audit-public-access"
