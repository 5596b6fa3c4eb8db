"""What GitHub runs of a pull request: what people run, with no more rights than it needs."""

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
WORKFLOWS = {name: told for name, told in READ.items() if name.startswith("workflows/")}
JOBS: dict[tuple[str, str], Job] = {
    (name, job): told for name, workflow in WORKFLOWS.items() for job, told in workflow["jobs"].items()
}
CHECKS, DIFFERENCE, PLAN = (JOBS["workflows/pull-request.yml", name] for name in ("make", "snapshots", "plan"))

# Of the job's token. https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#permissions
READS = {"contents": "read"}
MAY = {
    ("workflows/pull-request.yml", "make"): READS,
    ("workflows/pull-request.yml", "snapshots"): READS,
    ("workflows/pull-request.yml", "plan"): {**READS, "id-token": "write"},
}
PUBLISHERS = {"actions", "aws-actions", "hashicorp"}
PINNED = re.compile(r"([\w-]+)/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def steps() -> Iterator[Step]:
    """Of all jobs and actions."""
    for job in JOBS.values():
        yield from job["steps"]
    for name, told in READ.items():
        if name not in WORKFLOWS:
            yield from told["runs"]["steps"]


def scripts() -> list[str]:
    return [step["run"] for step in steps() if "run" in step]


def used(name: str, within: list[Step]) -> list[Step]:
    """Steps that use an action."""
    return [step for step in within if step.get("uses", "").startswith(f"{name}@")]


def test_every_file_is_a_workflow_or_an_action():
    assert READ.keys() == {"workflows/pull-request.yml", "actions/setup/action.yml"}


def test_every_action_is_pinned_by_its_commit_with_its_version_beside_it():
    lines = [line.partition("uses: ")[2] for file in FILES for line in file.read_text().splitlines() if "uses:" in line]
    # All of them, in whatever way they are written.
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


def test_an_action_is_the_same_everywhere():
    actions = {step["uses"] for step in steps() if "uses" in step}
    assert len({action.partition("@")[0] for action in actions}) == len(actions)


def test_they_run_for_pull_requests_and_for_nothing_else():
    for workflow in WORKFLOWS.values():
        # YAML 1.1, which is read here, takes `on` for true. What `pull_request_target` starts would have the rights of
        # the branch, for code that nobody has approved.
        assert workflow[True] == "pull_request"


def test_no_job_may_do_more_than_it_needs():
    assert {job: told["permissions"] for job, told in JOBS.items()} == MAY
    for workflow in WORKFLOWS.values():
        # What a job without a say of its own would have.
        assert workflow["permissions"] == {}


def test_no_token_is_left_behind_and_no_secret_is_read():
    for job in JOBS.values():
        assert [step["with"]["persist-credentials"] for step in used("actions/checkout", job["steps"])] == [False]
    for file in FILES:
        assert not re.search(r"\bsecrets\b|github\.token|GITHUB_TOKEN", file.read_text(encoding="utf-8"))


def test_nothing_that_somebody_else_chooses_is_part_of_a_script():
    assert scripts()
    assert not [script for script in scripts() if "${{" in script]


def test_what_a_job_is_told_is_not_an_authors():
    texts = "".join(file.read_text(encoding="utf-8") for file in FILES)
    assert set(re.findall(r"github\.(\w[\w.]*)", re.sub(r"docs\.github\.com", "", texts))) == {
        "event.pull_request.head.repo.full_name",  # only compared
        "ref",
        "repository",
        "workflow",
    }


def test_every_job_ends_and_stops_where_a_newer_commit_is_there():
    for name, job in JOBS.items():
        assert 0 < job["timeout-minutes"] <= 60, name
        assert not job["runs-on"].endswith("latest"), name
    for workflow in WORKFLOWS.values():
        assert workflow["concurrency"]["cancel-in-progress"] is True
        assert workflow["concurrency"]["group"].endswith("-${{ github.ref }}")


def test_a_script_fails_with_any_of_its_commands():
    # Without a shell that is named, GitHub's has no pipefail.
    for workflow in WORKFLOWS.values():
        assert workflow["defaults"]["run"]["shell"] == "bash"
    assert not [step for step in steps() if "shell" in step or "continue-on-error" in step]
    assert not [job for job in JOBS.values() if "defaults" in job or "continue-on-error" in job]


def targets(line: str) -> set[str]:
    """What a target runs: itself, or the targets that it is made of and nothing else."""
    target, *variables = line.split()
    rule = re.search(rf"^{target}:(.*?)(?: ##.*)?\n(\t?)", MAKEFILE, flags=re.MULTILINE)
    assert rule, f"make {target}: no such target"
    if rule[2]:
        return {line}
    return set[str]().union(*(targets(" ".join([part, *variables])) for part in rule[1].split()))


def test_what_people_run_is_run_and_nothing_else():
    commands = re.findall(r"^make ([\w=. -]+?) *(?:[>&|]|$)", (ROOT / ".ci" / "run").read_text(), flags=re.MULTILINE)
    assert "test" in commands
    wanted = set[str]().union(*map(targets, commands))
    assert wanted >= {"lint", "unit", "policy", "validate"}
    listed: list[str] = CHECKS["strategy"]["matrix"]["target"]
    assert set(listed) == wanted
    assert len(set(listed)) == len(listed)
    assert CHECKS["strategy"]["fail-fast"] is False


def test_each_check_is_made_by_make():
    (step,) = [step for step in CHECKS["steps"] if "run" in step]
    assert step["run"] == "make $TARGET"
    assert step["env"] == {"TARGET": "${{ matrix.target }}"}
    for target in CHECKS["strategy"]["matrix"]["target"]:
        run = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", step["run"].replace("make", "make --dry-run")],
            cwd=ROOT,
            env={**os.environ, "TARGET": target},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr


def test_every_target_and_every_command_is_there():
    text = "\n".join(scripts())
    named = re.findall(r"\bmake ([\w-]+)", text)
    assert named == ["synth"]
    assert all(re.search(rf"^{target}:", MAKEFILE, flags=re.MULTILINE) for target in named)
    asked = re.findall(r"-m operations ([\w-]+)", text)
    assert asked == ["snapshots", "plan-all", "review"]
    assert {*asked} <= {*COMMANDS}


def test_the_programs_are_the_oldest_that_the_readme_allows():
    asked: dict[str, Any] = {}
    for step in READ["actions/setup/action.yml"]["runs"]["steps"]:
        asked |= step["with"]
    # A number would lose a zero at its end.
    assert all(isinstance(asked[name], str) for name in ("python-version", "node-version", "terraform_version"))
    assert f"Python {asked['python-version']} " in README
    assert f"Node {asked['node-version']} " in README
    terraform = asked["terraform_version"].rpartition(".")[0]
    assert f"Terraform {terraform} or later" in README
    assert terraform == ".".join(map(str, MIN_VERSION))
    # It would print what it ran between what Terraform prints.
    assert asked["terraform_wrapper"] is False
    assert len(asked) == 4


@pytest.mark.parametrize("job", [CHECKS, PLAN])
def test_what_make_needs_is_set_up_before_it(job: Job):
    names = [step.get("uses", "run").partition("@")[0] for step in job["steps"]]
    assert names[:3] == ["actions/checkout", "./.github/actions/setup", "run"]


def test_plans_are_made_where_somebody_asks_for_them_and_for_no_fork():
    assert PLAN["if"].split(" && ") == [
        "vars.PLAN_ROLES",
        "github.event.pull_request.head.repo.full_name == github.repository",
    ]
    # With an environment of GitHub's, the token would be for another role.
    assert "environment" not in PLAN
    (credentials,) = used("aws-actions/configure-aws-credentials", PLAN["steps"])
    assert credentials["with"] == {"role-to-assume": "${{ matrix.role }}", "aws-region": "${{ matrix.region }}"}
    assert PLAN["env"] == {"ENV": "${{ matrix.environment }}"}
    # What is told in the variable has these, and nothing else: docs/ci.md.
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- begin plan-roles -->\n```json\n(.*?)```", page, flags=re.DOTALL)
    assert block
    assert all(each.keys() == {"environment", "role", "region"} for each in json.loads(block[1]))


@pytest.fixture
def merged(tmp_path: Path) -> Path:
    """A clone as GitHub makes it of a pull request: its merge and that one's parents, and no more."""
    origin = tmp_path / "origin"

    def git(*arguments: str) -> None:
        name = ("-c", "user.name=test", "-c", "user.email=test@globecart.example")
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


def test_what_changes_in_the_stacks_is_told_in_the_summary(merged: Path, tmp_path: Path):
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
    told = (tmp_path / "summary").read_text(encoding="utf-8")
    assert told.startswith("### 1 of 2 stacks changes\n")
    assert '-  "value": "a"\n+  "value": "b"\n' in told
    assert "somebody else" not in told
