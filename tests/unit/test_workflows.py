"""GitHub workflows run the same checks as people, with minimal permissions."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from operations.__main__ import COMMANDS
from operations.snapshots import SNAPSHOTS
from operations.terraform import MIN_VERSION
from stacks import ROOT

Job = dict[str, Any]
Step = dict[str, Any]

FOLDER = ROOT / ".github"
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

FILES = sorted(file for file in FOLDER.rglob("*") if file.is_file())
READ: dict[str, dict[Any, Any]] = {
    file.relative_to(FOLDER).as_posix(): yaml.safe_load(file.read_text(encoding="utf-8")) for file in FILES
}
WORKFLOWS = {name: content for name, content in READ.items() if name.startswith("workflows/")}
JOBS: dict[tuple[str, str], Job] = {
    (name, job): definition for name, workflow in WORKFLOWS.items() for job, definition in workflow["jobs"].items()
}
NIGHT = JOBS["workflows/nightly.yml", "make"]
CHECKS, DIFFERENCE, PLAN = (JOBS["workflows/pull-request.yml", name] for name in ("make", "snapshots", "plan"))

# Permissions of the job's token.
# https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#permissions
READS = {"contents": "read"}
MAY = {
    ("workflows/nightly.yml", "make"): READS,
    ("workflows/pull-request.yml", "make"): READS,
    ("workflows/pull-request.yml", "snapshots"): READS,
    ("workflows/pull-request.yml", "plan"): {**READS, "id-token": "write"},
}
PUBLISHERS = {"actions", "aws-actions", "hashicorp"}
PINNED = re.compile(r"([\w-]+)/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def steps() -> Iterator[Step]:
    """Steps of all jobs and actions."""
    for job in JOBS.values():
        yield from job["steps"]
    for name, content in READ.items():
        if name not in WORKFLOWS:
            yield from content["runs"]["steps"]


def scripts() -> list[str]:
    return [step["run"] for step in steps() if "run" in step]


def used(name: str, within: list[Step]) -> list[Step]:
    """Steps that use an action."""
    return [step for step in within if step.get("uses", "").partition("@")[0] == name]


def test_every_file_is_a_workflow_or_an_action():
    assert READ.keys() == {"workflows/nightly.yml", "workflows/pull-request.yml", "actions/setup/action.yml"}


def test_every_action_is_pinned_to_a_commit_with_its_version_in_a_comment():
    lines = [line.partition("uses: ")[2] for file in FILES for line in file.read_text().splitlines() if "uses:" in line]
    # Fails if a line is written in another form.
    assert sorted(line.partition(" ")[0] for line in lines) == sorted(
        step["uses"] for step in steps() if "uses" in step
    )
    for line in lines:
        if line.startswith("./"):
            assert (ROOT / line / "action.yml").is_file(), line
        else:
            pinned = PINNED.fullmatch(line)
            assert pinned, line
            assert pinned[1] in PUBLISHERS, line


def test_an_action_has_the_same_version_everywhere():
    actions = {step["uses"] for step in steps() if "uses" in step}
    assert len({action.partition("@")[0] for action in actions}) == len(actions)


def test_workflows_run_only_for_pull_requests_and_at_night():
    # In YAML 1.1, `on` is true. `pull_request_target` would run unreviewed code with the base branch's permissions.
    assert WORKFLOWS["workflows/pull-request.yml"][True] == "pull_request"
    assert WORKFLOWS["workflows/nightly.yml"][True].keys() == {"schedule", "workflow_dispatch"}


def test_jobs_have_minimal_permissions():
    assert {job: definition["permissions"] for job, definition in JOBS.items()} == MAY
    for workflow in WORKFLOWS.values():
        # Default for jobs without permissions.
        assert workflow["permissions"] == {}


def test_no_token_is_persisted_and_no_secret_is_read():
    for job in JOBS.values():
        assert [step["with"]["persist-credentials"] for step in used("actions/checkout", job["steps"])] == [False]
    for file in FILES:
        assert not re.search(r"\bsecrets\b|github\.token|GITHUB_TOKEN", file.read_text(encoding="utf-8"))


def test_scripts_contain_no_expressions():
    assert scripts()
    assert not [script for script in scripts() if "${{" in script]


def test_no_untrusted_context_is_used():
    texts = "".join(file.read_text(encoding="utf-8") for file in FILES)
    assert set(re.findall(r"github\.(\w[\w.]*)", re.sub(r"docs\.github\.com", "", texts))) == {
        "event.pull_request.head.repo.full_name",  # only compared
        "ref",
        "repository",
        "workflow",
    }


def test_jobs_have_a_timeout_and_are_cancelled_by_newer_commits():
    for name, job in JOBS.items():
        assert 0 < job["timeout-minutes"] <= (60 if job is not NIGHT else 180), name
        assert not job["runs-on"].endswith("latest"), name
    for workflow in WORKFLOWS.values():
        assert workflow["concurrency"]["cancel-in-progress"] is True
        assert workflow["concurrency"]["group"].endswith("-${{ github.ref }}")


def test_a_script_fails_with_any_of_its_commands():
    # GitHub's default shell has no pipefail.
    for workflow in WORKFLOWS.values():
        assert workflow["defaults"]["run"]["shell"] == "bash"
    assert not [step for step in steps() if "shell" in step or "continue-on-error" in step]
    assert not [job for job in JOBS.values() if "defaults" in job or "continue-on-error" in job]


def targets(line: str) -> set[str]:
    """Targets that a line of `make` runs: the target itself, or the targets that it runs two at a time."""
    target, *variables = line.split()
    rule = re.search(rf"^{target}:.*\n\t@(?:\$\(MAKE\) \$\(TWO_AT_A_TIME\) (.*))?", MAKEFILE, flags=re.MULTILINE)
    assert rule, f"make {target}: no such target"
    parts = (rule[1] or "").replace("$(SUITES)", "unit").split()
    if parts in ([], [target]):
        return {line}
    return set[str]().union(*(targets(" ".join([part, *variables])) for part in parts))


def test_the_checks_are_exactly_those_of_the_makefile():
    commands = re.findall(r"^make ([\w=. -]+?) *(?:[>&|]|$)", (ROOT / ".ci" / "run").read_text(), flags=re.MULTILINE)
    assert "test" in commands
    expected = set[str]().union(*map(targets, commands))
    assert expected >= {"lint", "unit", "policy", "validate"}
    listed: list[str] = CHECKS["strategy"]["matrix"]["target"]
    assert set(listed) == expected
    assert len(set(listed)) == len(listed)
    assert CHECKS["strategy"]["fail-fast"] is False


@pytest.mark.parametrize("job", [CHECKS, NIGHT], ids=["pull request", "night"])
def test_each_check_runs_a_make_target(job: Job):
    (step,) = [step for step in job["steps"] if "run" in step]
    assert step["run"] == "make $TARGET"
    assert step["env"] == {"TARGET": "${{ matrix.target }}"}
    # Targets with the same variables in one run, because each reads the Makefile several times.
    by_variables: dict[str, list[str]] = {}
    for target in job["strategy"]["matrix"]["target"]:
        name, _, variables = target.partition(" ")
        by_variables.setdefault(variables, []).append(name)
    for variables, names in by_variables.items():
        run = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", step["run"].replace("make", "make --dry-run")],
            cwd=ROOT,
            env={**os.environ, "TARGET": " ".join([*names, variables])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr


def test_every_long_target_runs_at_night():
    long = set(re.findall(r"^(fork|examples|rehearse-\w+): ", MAKEFILE, flags=re.MULTILINE))
    assert {target.split()[0] for target in NIGHT["strategy"]["matrix"]["target"]} == {*long, "rehearse"}


def test_every_target_and_command_exists():
    text = "\n".join(scripts())
    targets_of_make = re.findall(r"\bmake ([\w-]+)", text)
    assert targets_of_make == ["synth"]
    assert all(re.search(rf"^{target}:", MAKEFILE, flags=re.MULTILINE) for target in targets_of_make)
    commands = re.findall(r"-m operations ([\w-]+)", text)
    assert commands == ["snapshots", "plan-all", "review"]
    assert {*commands} <= {*COMMANDS}


def test_checks_run_on_the_newest_versions_and_unit_tests_on_the_oldest_too():
    action = READ["actions/setup/action.yml"]
    newest = {name: given["default"] for name, given in action["inputs"].items()}
    matrix = CHECKS["strategy"]["matrix"]
    assert {name: [version] for name, version in newest.items()} == {name: matrix[name] for name in newest}
    (included,) = matrix["include"]
    assert included["target"] == "unit"
    oldest = {name: included[name] for name in newest}
    assert len(included) == 1 + len(oldest)
    assert f"Python {oldest['python']} to {newest['python']} " in README
    assert f"Node {oldest['node']} to {newest['node']} " in README
    # A number would lose trailing zeros.
    assert all(isinstance(version, str) for version in (*oldest.values(), *newest.values()))
    (setup,) = used("./.github/actions/setup", CHECKS["steps"])
    assert setup["with"] == {name: f"${{{{ matrix.{name} }}}}" for name in newest}


def test_programs_have_the_given_versions_and_terraform_the_oldest():
    inputs: dict[str, Any] = {}
    for step in READ["actions/setup/action.yml"]["runs"]["steps"]:
        inputs |= step["with"]
    assert inputs["python-version"] == "${{ inputs.python }}"
    assert inputs["node-version"] == "${{ inputs.node }}"
    assert isinstance(inputs["terraform_version"], str)
    terraform = inputs["terraform_version"].rpartition(".")[0]
    assert f"Terraform {terraform} or later" in README
    assert terraform == ".".join(map(str, MIN_VERSION))
    # The wrapper adds its own output to Terraform's.
    assert inputs["terraform_wrapper"] is False
    assert len(inputs) == 4


@pytest.mark.parametrize("job", [CHECKS, NIGHT, PLAN])
def test_setup_runs_before_make(job: Job):
    names = [step.get("uses", "run").partition("@")[0] for step in job["steps"]]
    assert names[:3] == ["actions/checkout", "./.github/actions/setup", "run"]


def test_plans_run_only_if_enabled_and_not_for_forks():
    assert PLAN["if"].split(" && ") == [
        "vars.PLAN_ROLES",
        "github.event.pull_request.head.repo.full_name == github.repository",
    ]
    # With a GitHub environment, the token's subject would be another.
    assert "environment" not in PLAN
    (credentials,) = used("aws-actions/configure-aws-credentials", PLAN["steps"])
    assert credentials["with"] == {"role-to-assume": "${{ matrix.role }}", "aws-region": "${{ matrix.region }}"}
    assert PLAN["env"] == {"ENV": "${{ matrix.environment }}"}
    # The variable's entries have exactly these keys: docs/ci.md.
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- begin plan-roles -->\n```json\n(.*?)```", page, flags=re.DOTALL)
    assert block
    assert all(each.keys() == {"environment", "role", "region"} for each in json.loads(block[1]))


@pytest.fixture
def merged(tmp_path: Path) -> Path:
    """A clone like GitHub's of a pull request: the merge commit and its parents only."""
    origin = tmp_path / "origin"

    def git(*arguments: str) -> None:
        name = ("-c", "user.name=test", "-c", "user.email=test@acme.example")
        subprocess.run(["git", *name, *arguments], cwd=origin, check=True)

    def commit(file: str, text: str) -> None:
        (origin / file).write_text(text, encoding="utf-8")
        git("add", "--all")
        git("commit", "--quiet", f"--message={file}")

    (origin / SNAPSHOTS).mkdir(parents=True)
    for package in ("imports", "lambda_rotation", "operations", "stacks", "synthesized"):
        shutil.copytree(ROOT / package, origin / package, ignore=shutil.ignore_patterns("__pycache__"))
    git("init", "--quiet", "--initial-branch=main")
    snapshot = f"{SNAPSHOTS}/test_stack[dev-{{}}].json"
    commit(snapshot.format("network"), '{"output": {"id": {"value": "a"}}}')
    git("switch", "--quiet", "--create", "change")
    commit(snapshot.format("network"), '{"output": {"id": {"value": "b"}}}')
    commit("README.md", "another commit")
    git("switch", "--quiet", "main")
    commit(snapshot.format("cache"), '{"output": {"id": {"value": "of somebody else"}}}')
    git("merge", "--quiet", "--no-ff", "--message=merge", "change")
    (checkout,) = used("actions/checkout", DIFFERENCE["steps"])
    depth = f"--depth={checkout['with']['fetch-depth']}"
    git("clone", "--quiet", depth, origin.as_uri(), str(tmp_path / "clone"))
    return tmp_path / "clone"


def test_changes_to_the_stacks_are_in_the_job_summary(merged: Path, tmp_path: Path):
    install, step = [step for step in DIFFERENCE["steps"] if "run" in step]
    assert install["run"] == "make .venv/installed"
    (merged / ".venv").symlink_to(sys.prefix)
    run = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=merged,
        env={"PATH": os.environ["PATH"], "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    text = (tmp_path / "summary").read_text(encoding="utf-8")
    assert text.startswith("### 1 of 2 stacks changes\n")
    assert '-  "value": "a"\n+  "value": "b"\n' in text
    assert "somebody else" not in text
