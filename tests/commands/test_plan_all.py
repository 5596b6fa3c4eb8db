"""plan-all: writes the plans of all tiers, and reports those that cannot be planned."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands.conftest import Scene

TIERS = ("foundation", "network", "service")
# A Terraform that returns the plan in the stack's folder.
TERRAFORM = """#!/bin/sh
if [ -e unpublished ]; then echo "Error: Unable to find remote state" >&2; exit 1; fi
case "$1" in
    plan) echo "$@" >planned ;;
    show) cat plan.json ;;
esac
"""


class Synthesized:
    """An environment of three tiers, and a Terraform that returns what a test provides."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self.scene, self.out, self.plans = scene, folder / "out", folder / "within" / "plans"
        manifest: dict[str, Any] = {}
        for tier in TIERS:
            path = f"stacks/{scene.name}-{tier}"
            (self.out / path).mkdir(parents=True)
            (self.out / path / "stack.json").write_text("{}")
            (self.out / path / "plan.json").write_text(json.dumps({"format_version": "1.2", "planned": tier}))
            stack = {"workingDirectory": path, "synthesizedStackPath": f"{path}/stack.json", "dependencies": []}
            manifest[f"{scene.name}-{tier}"] = stack
        (self.out / "manifest.json").write_text(json.dumps({"stacks": manifest}))
        (folder / "programs").mkdir()
        (program := folder / "programs" / "terraform").write_text(TERRAFORM)
        program.chmod(0o755)

    def folder(self, tier: str) -> Path:
        return self.out / "stacks" / f"{self.scene.name}-{tier}"

    def written(self) -> dict[str, Any]:
        return {file.name: json.loads(file.read_text())["planned"] for file in self.plans.iterdir()}


@pytest.fixture
def synthesized(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Synthesized:
    monkeypatch.setenv("PATH", f"{tmp_path / 'programs'}:/usr/bin:/bin")
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path / "out"))
    monkeypatch.setenv("TF_PLUGIN_CACHE_DIR", str(tmp_path / "plugins"))
    return Synthesized(scene, tmp_path)


def test_every_tier_is_planned_without_a_lock_to_a_file_with_its_stacks_name(synthesized: Synthesized):
    result = synthesized.scene.run("plan-all", str(synthesized.plans))
    assert (result.exit_code, result.output) == (0, "")
    assert synthesized.written() == {f"{synthesized.scene.name}-{tier}.json": tier for tier in TIERS}
    for tier in TIERS:
        arguments = (synthesized.folder(tier) / "planned").read_text().split()
        assert arguments[:2] == ["plan", "-lock=false"]
        assert not Path(arguments[-1].removeprefix("-out=")).parent.exists()


def test_only_the_owner_can_read_the_plans(synthesized: Synthesized):
    synthesized.scene.run("plan-all", str(synthesized.plans))
    assert synthesized.plans.stat().st_mode & 0o777 == 0o700


def test_a_tier_that_cannot_be_planned_is_reported_and_its_earlier_plan_removed(synthesized: Synthesized):
    synthesized.scene.run("plan-all", str(synthesized.plans))
    (synthesized.folder("network") / "unpublished").touch()
    (synthesized.folder("foundation") / "plan.json").write_text('{"planned": "anew"}')
    result = synthesized.scene.run("plan-all", str(synthesized.plans))
    name = synthesized.scene.name
    assert result.exit_code == 1
    assert result.stderr == f"{name}-network: terraform plan: Error: Unable to find remote state\n"
    assert synthesized.written() == {f"{name}-foundation.json": "anew", f"{name}-service.json": "service"}


def test_an_earlier_failure_is_not_remembered(synthesized: Synthesized):
    (synthesized.folder("network") / "unpublished").touch()
    assert synthesized.scene.run("plan-all", str(synthesized.plans)).exit_code == 1
    (synthesized.folder("network") / "unpublished").unlink()
    assert synthesized.scene.run("plan-all", str(synthesized.plans)).exit_code == 0


def test_without_synthesized_stacks_the_message_says_to_run_make_synth(
    synthesized: Synthesized, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CDKTF_OUTDIR", str(synthesized.plans))
    result = synthesized.scene.run("plan-all", str(synthesized.plans))
    assert result.exit_code == 1
    assert "run make synth" in result.stderr


def test_a_file_in_place_of_the_folder_is_refused(synthesized: Synthesized):
    assert synthesized.scene.run("plan-all", str(synthesized.out / "manifest.json")).exit_code == 2
