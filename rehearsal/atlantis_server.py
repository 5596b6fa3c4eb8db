"""Plays an Atlantis server on one pull request: what `repos.yaml` and `atlantis.yaml` say, as they are written.

It does what Atlantis's documentation and source say it does with a checkout: hooks, which projects a change selects,
order groups, steps with their variables, policies, requirements, dependencies. There is no web server, no comment, no
lock of a project. https://www.runatlantis.io/docs
"""

import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, Self

import yaml

from operations.plans import INIT_LOCK, PARALLEL_RUNS
from rehearsal.processes import ProgramError, run

Body = dict[str, Any]
ProjectStatus = Literal["planned", "no changes", "applied", "errored"]

RESTRICTED_KEYS = {
    *("apply_requirements", "custom_policy_check", "delete_source_branch_on_merge", "import_requirements"),
    *("plan_requirements", "repo_locking", "repo_locks", "workflow"),
}
"""Keys of a project that the server must allow.
https://www.runatlantis.io/docs/server-side-repo-config#repo"""
DEFAULT_STEPS: Mapping[str, list[Any]] = {"plan": ["init", "plan"], "policy_check": ["show"], "apply": ["apply"]}
NO_CHANGES = "No changes. Your infrastructure matches the configuration."
LOCK_FILE = ".terraform.lock.hcl"


class AtlantisError(Exception):
    """The server does not do what it was asked, for a reason that it tells."""


@dataclass(frozen=True)
class Outcome:
    """What came of one project."""

    project: str
    comment: str
    """What stands in the comment."""
    error: str = ""
    """Why it did not come to its end."""
    failed_policies: tuple[str, ...] = ()
    """What the policies said that have not passed."""


@dataclass
class AtlantisServer:
    """An Atlantis server with one checkout of one pull request."""

    checkout: Path
    repo: Body
    """What the server says of the repository."""
    workflows: Mapping[str, Body]
    variables: Mapping[str, str]
    """Its process's environment."""
    logs: Path
    met_requirements: frozenset[str] = frozenset({"approved", "mergeable", "undiverged"})
    """Requirements that the pull request meets."""
    statuses: dict[str, ProjectStatus] = field(default_factory=dict)
    unapproved: set[str] = field(default_factory=set)
    """Projects whose policies have not passed, and nobody has let pass."""

    @classmethod
    def from_file(cls, file: Path, checkout: Path, variables: Mapping[str, str], logs: Path) -> Self:
        """A server that was started with a file of its own: the last of its repositories."""
        told = yaml.safe_load(file.read_text(encoding="utf-8"))
        logs.mkdir(parents=True, exist_ok=True)
        return cls(checkout, told["repos"][-1], told["workflows"], variables, logs)

    def read_configuration(self) -> Body:
        """The checkout's `atlantis.yaml`.

        Raises:
            AtlantisError: it says what is the server's to say.
        """
        told = yaml.safe_load((self.checkout / "atlantis.yaml").read_text(encoding="utf-8"))
        if "workflows" in told and not self.repo.get("allow_custom_workflows"):
            raise AtlantisError("atlantis.yaml: workflows are the server's to define")
        for project in told["projects"]:
            refused = sorted((RESTRICTED_KEYS & project.keys()) - set(self.repo.get("allowed_overrides", [])))
            if refused:
                raise AtlantisError(f"atlantis.yaml: {project['name']}: {', '.join(refused)}: the server's to say")
            if project.get("workflow") not in {None, *self.repo.get("allowed_workflows", self.workflows)}:
                raise AtlantisError(f"atlantis.yaml: {project['name']}: workflow {project['workflow']} is not allowed")
        return told

    def plan(self, changed: Collection[str] = (), only: str = "") -> list[Outcome]:
        """Plan what a change selects, or the projects that an expression names, and ask the policies of each plan.

        Raises:
            AtlantisError: a hook failed, or what was asked for is not allowed.
        """
        self._hooks("plan")
        told = self.read_configuration()
        chosen = self._named(told, only) if only else select_projects(told["projects"], changed, self.checkout)
        return self._in_groups(told, chosen, self._plan)

    def apply(self, only: str = "") -> list[Outcome]:
        """Apply what is planned, or the projects among it that an expression names.

        Raises:
            AtlantisError: what was asked for is not allowed.
        """
        self._hooks("apply")
        told = self.read_configuration()
        chosen = self._named(told, only) if only else told["projects"]
        # What is applied by this command counts for the next one: https://github.com/runatlantis/atlantis/issues/5791
        before = dict(self.statuses)
        planned = [project for project in chosen if self._plan_file(project).is_file()]
        return self._in_groups(told, planned, lambda project: self._apply(project, before))

    def approve_policies(self) -> None:
        """Let pass what the policies have not, as an owner of them does."""
        self.unapproved.clear()

    def _hooks(self, command: str) -> None:
        for hook in self.repo.get("pre_workflow_hooks", []):
            if command not in hook.get("commands", command):
                continue
            variables = {**self._of_pull_request(), "DIR": str(self.checkout), "COMMAND_NAME": command}
            try:
                self._run(["sh", "-c", hook["run"]], self.checkout, variables, self.logs / "hooks.log")
            except ProgramError as error:
                last = next((line for line in reversed(error.output) if line.strip()), str(error))
                raise AtlantisError(f"pre-workflow hook: {hook['description']}: {last.strip()}") from error

    def _named(self, told: Body, expression: str) -> list[Body]:
        allowed = told.get("allowed_regexp_prefixes", [])
        if expression in {project["name"] for project in told["projects"]}:
            expression = re.escape(expression)
        elif not expression.startswith(tuple(allowed)):
            raise AtlantisError(f"{expression}: allowed: what begins with {' or '.join(allowed)}")
        return [project for project in told["projects"] if re.fullmatch(expression, project["name"])]

    def _in_groups(self, told: Body, projects: Iterable[Body], do: Callable[[Body], Outcome]) -> list[Outcome]:
        """One group after the other; after one in which a project has failed, none, where the file says so."""
        outcomes: list[Outcome] = []
        ordered = sorted(projects, key=_order)
        for _, group in groupby(ordered, key=_order):
            with ThreadPoolExecutor(PARALLEL_RUNS) as pool:
                of_group = list(pool.map(do, group))
            outcomes += of_group
            if told.get("abort_on_execution_order_fail") and any(outcome.error for outcome in of_group):
                break
        return outcomes

    def _plan(self, project: Body) -> Outcome:
        name = project["name"]
        said, error = self._steps(project, "plan")
        text = "\n".join(said)
        if error:
            self.statuses[name] = "errored"
            self._plan_file(project).unlink(missing_ok=True)
            return Outcome(name, text, error)
        self.statuses[name] = "no changes" if NO_CHANGES in text else "planned"
        if not self.repo.get("policy_check"):
            return Outcome(name, text)
        answers, error = self._steps(project, "policy_check")
        # https://www.runatlantis.io/docs/custom-policy-checks
        failed = tuple(answer for answer in answers if "fail" in answer.lower())
        (self.unapproved.add if failed or error else self.unapproved.discard)(name)
        return Outcome(name, "\n".join([text, *answers]), error, failed)

    def _apply(self, project: Body, before: Mapping[str, ProjectStatus]) -> Outcome:
        name = project["name"]
        refusal = next(self._refusals(project, before), "")
        if refusal:
            return Outcome(name, "", refusal)
        said, error = self._steps(project, "apply")
        self.statuses[name] = "errored" if error else "applied"
        if not error:
            self._plan_file(project).unlink()
        return Outcome(name, "\n".join(said), error)

    def _refusals(self, project: Body, before: Mapping[str, ProjectStatus]) -> Iterator[str]:
        """In Atlantis's words.
        https://github.com/runatlantis/atlantis/blob/main/server/events/command_requirement_handler.go"""
        for requirement in self.repo.get("apply_requirements", []):
            if requirement not in self.met_requirements:
                yield f"Pull request must be {requirement} before running apply."
        if project["name"] in self.unapproved:
            yield "All policies must pass for project before running apply."
        for name in project.get("depends_on", []):
            if before.get(name, "applied") not in {"applied", "no changes"}:
                yield f"Can't apply your project unless you apply its dependencies: [{name}]"

    def _steps(self, project: Body, stage: str) -> tuple[list[str], str]:
        """What the steps of a stage say, and why they did not come to their end."""
        workflow = self.workflows.get(project.get("workflow", self.repo.get("workflow", "")), {})
        told: list[str] = []
        set_by_steps: dict[str, str] = {}
        for step in workflow.get(stage, {"steps": DEFAULT_STEPS[stage]})["steps"]:
            named: Body = step if isinstance(step, dict) else {step: None}
            kind, argument = next(iter(named.items()))
            try:
                printed = self._step(project, kind, argument, set_by_steps)
            except ProgramError as error:
                return told, "\n".join(error.output) or str(error)
            if kind == "env":
                set_by_steps[argument["name"]] = "".join(printed).strip()
            elif printed and kind in {"run", "plan", "apply"}:
                told.append("\n".join(printed))
        return told, ""

    def _step(self, project: Body, kind: str, argument: Any, set_by_steps: Mapping[str, str]) -> list[str]:
        """What a step prints; for `env`, the variable's value."""
        folder = self.checkout / project["dir"]
        log = self.logs / f"{project['name']}.log"
        plan_file, show_file = self._plan_file(project), self._plan_file(project).with_suffix(".json")
        environment = {
            **self._of_pull_request(),
            "DIR": str(folder),
            "PLANFILE": str(plan_file),
            "POLICYCHECKFILE": str(folder / f"{plan_file.stem}-policyout.json"),
            "PROJECT_NAME": project["name"],
            "REPO_REL_DIR": project["dir"],
            "SHOWFILE": str(show_file),
            "WORKSPACE": project["workspace"],
            **set_by_steps,
        }

        def printed_by(*command: str) -> list[str]:
            return self._run(command, folder, environment, log)

        if kind == "env":
            return [argument["value"]] if argument.get("value") else printed_by("sh", "-c", argument["command"])
        if kind == "run":
            return printed_by("sh", "-c", argument)
        if kind == "init":
            # As Atlantis does where git does not know the file.
            # https://github.com/runatlantis/atlantis/blob/main/server/core/runtime/init_step_runner.go
            (folder / LOCK_FILE).unlink(missing_ok=True)
            with INIT_LOCK:
                return printed_by("terraform", "init", "-input=false", "-upgrade", "-no-color")
        if kind == "plan":
            return printed_by("terraform", "plan", "-input=false", "-refresh", "-no-color", "-out", str(plan_file))
        if kind == "show":
            printed = printed_by("terraform", "show", "-json", str(plan_file))
            show_file.write_text("\n".join(printed), encoding="utf-8")
            return printed
        if kind == "apply":
            return printed_by("terraform", "apply", "-input=false", "-no-color", str(plan_file))
        raise AtlantisError(f"{project['name']}: a step {kind}, which is not played here")

    def _run(self, command: Sequence[str], folder: Path, variables: Mapping[str, str], log: Path) -> list[str]:
        return run(command, cwd=folder, variables={**self.variables, **variables}, log=log)

    def _plan_file(self, project: Body) -> Path:
        return self.checkout / project["dir"] / f"{project['name']}-{project['workspace']}.tfplan"

    def _of_pull_request(self) -> dict[str, str]:
        """https://www.runatlantis.io/docs/custom-workflows#native-environment-variables."""
        *_, owner, name = self.repo["id"].split("/")
        return {
            "ATLANTIS_PR_APPROVED": str("approved" in self.met_requirements).lower(),
            "ATLANTIS_PR_MERGEABLE": str("mergeable" in self.met_requirements).lower(),
            "BASE_BRANCH_NAME": "main",
            "BASE_REPO_NAME": name,
            "BASE_REPO_OWNER": owner,
            "COMMENT_ARGS": "",
            "HEAD_BRANCH_NAME": "change",
            "HEAD_COMMIT": "0" * 40,
            "HEAD_REPO_NAME": name,
            "HEAD_REPO_OWNER": owner,
            "PULL_AUTHOR": "engineer",
            "PULL_NUM": "1",
            "PULL_URL": f"https://{self.repo['id']}/pull/1",
            "USER_NAME": "engineer",
        }


def select_projects(projects: Iterable[Body], changed: Collection[str], checkout: Path | None = None) -> list[Body]:
    """Projects that are planned for changed files, and whose folder is there.
    https://github.com/runatlantis/atlantis/blob/main/server/events/project_finder.go"""
    return [
        project
        for project in projects
        if project["autoplan"]["enabled"]
        and any(
            _expression(posixpath.normpath(f"{project['dir']}/{pattern}")).fullmatch(file)
            for pattern in project["autoplan"]["when_modified"]
            for file in changed
        )
        and (checkout is None or (checkout / project["dir"]).is_dir())
    ]


WILDCARDS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _expression(pattern: str) -> re.Pattern[str]:
    """A pattern as `.dockerignore` has them; what matches a folder matches what is in it."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.compile("".join(WILDCARDS.get(part) or re.escape(part) for part in parts) + "(?:/.*)?")


def _order(project: Body) -> int:
    return project.get("execution_order_group", 0)
