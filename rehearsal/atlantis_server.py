"""Simulates an Atlantis server for one pull request, with the real `repos.yaml` and `atlantis.yaml`.

It processes a checkout as Atlantis's documentation and source describe: hooks, selection of projects, execution order
groups, steps with their variables, policy checks, requirements and dependencies. It has no web server, posts no
comments and locks no projects. https://www.runatlantis.io/docs
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
"""Keys of a project that only the server's `allowed_overrides` permit.
https://www.runatlantis.io/docs/server-side-repo-config#repo"""
DEFAULT_STEPS: Mapping[str, list[Any]] = {"plan": ["init", "plan"], "policy_check": ["show"], "apply": ["apply"]}
NO_CHANGES = "No changes. Your infrastructure matches the configuration."
LOCK_FILE = ".terraform.lock.hcl"


class AtlantisError(Exception):
    """The server refuses a command, or a hook failed."""


@dataclass(frozen=True)
class Outcome:
    """Result of a command for one project."""

    project: str
    comment: str
    """Text of the comment on the pull request."""
    error: str = ""
    """Why the command failed; empty if it succeeded."""
    failed_policies: tuple[str, ...] = ()
    """Output of the policy checks that failed."""


@dataclass
class AtlantisServer:
    """An Atlantis server with one checkout of one pull request."""

    checkout: Path
    repo: Body
    """The server-side configuration of the repository."""
    workflows: Mapping[str, Body]
    variables: Mapping[str, str]
    """Environment variables of the server process."""
    logs: Path
    met_requirements: frozenset[str] = frozenset({"approved", "mergeable", "undiverged"})
    """Requirements that the pull request meets."""
    statuses: dict[str, ProjectStatus] = field(default_factory=dict)
    unapproved: set[str] = field(default_factory=set)
    """Projects with failed policies that no owner has approved."""

    @classmethod
    def from_file(cls, file: Path, checkout: Path, variables: Mapping[str, str], logs: Path) -> Self:
        """A server for the last repository of a server-side configuration file."""
        configuration = yaml.safe_load(file.read_text(encoding="utf-8"))
        logs.mkdir(parents=True, exist_ok=True)
        return cls(checkout, configuration["repos"][-1], configuration["workflows"], variables, logs)

    def read_configuration(self) -> Body:
        """The checkout's `atlantis.yaml`.

        Raises:
            AtlantisError: the file sets keys that only the server may set, or a workflow that is not allowed.
        """
        configuration = yaml.safe_load((self.checkout / "atlantis.yaml").read_text(encoding="utf-8"))
        if "workflows" in configuration and not self.repo.get("allow_custom_workflows"):
            raise AtlantisError("atlantis.yaml: only the server may define workflows")
        for project in configuration["projects"]:
            refused = sorted((RESTRICTED_KEYS & project.keys()) - set(self.repo.get("allowed_overrides", [])))
            if refused:
                raise AtlantisError(f"atlantis.yaml: {project['name']}: only the server may set {', '.join(refused)}")
            if project.get("workflow") not in {None, *self.repo.get("allowed_workflows", self.workflows)}:
                raise AtlantisError(f"atlantis.yaml: {project['name']}: workflow {project['workflow']} is not allowed")
        return configuration

    def plan(self, changed: Collection[str] = (), only: str = "") -> list[Outcome]:
        """Plan the projects that changed files select, or those that match `only`, and run the policy checks.

        Raises:
            AtlantisError: a hook failed, or the server does not allow `atlantis.yaml` or `only`.
        """
        self._run_hooks("plan")
        configuration = self.read_configuration()
        if only:
            projects = self._match_projects(configuration, only)
        else:
            projects = select_projects(configuration["projects"], changed, self.checkout)
        return self._run_groups(configuration, projects, self._plan)

    def apply(self, only: str = "") -> list[Outcome]:
        """Apply all planned projects, or those that match `only`.

        Raises:
            AtlantisError: a hook failed, or the server does not allow `atlantis.yaml` or `only`.
        """
        self._run_hooks("apply")
        configuration = self.read_configuration()
        projects = self._match_projects(configuration, only) if only else configuration["projects"]
        # Applied projects satisfy dependencies in the next command only:
        # https://github.com/runatlantis/atlantis/issues/5791
        before = dict(self.statuses)
        planned = [project for project in projects if self._plan_file(project).is_file()]
        return self._run_groups(configuration, planned, lambda project: self._apply(project, before))

    def approve_policies(self) -> None:
        """Approve all failed policies, as a policy owner does."""
        self.unapproved.clear()

    def _run_hooks(self, command: str) -> None:
        for hook in self.repo.get("pre_workflow_hooks", []):
            if command not in hook.get("commands", command):
                continue
            variables = {**self._pull_request_variables(), "DIR": str(self.checkout), "COMMAND_NAME": command}
            try:
                self._run(["sh", "-c", hook["run"]], self.checkout, variables, self.logs / "hooks.log")
            except ProgramError as error:
                last = next((line for line in reversed(error.output) if line.strip()), str(error))
                raise AtlantisError(f"pre-workflow hook: {hook['description']}: {last.strip()}") from error

    def _match_projects(self, configuration: Body, expression: str) -> list[Body]:
        allowed = configuration.get("allowed_regexp_prefixes", [])
        if expression in {project["name"] for project in configuration["projects"]}:
            expression = re.escape(expression)
        elif not expression.startswith(tuple(allowed)):
            raise AtlantisError(f"{expression}: allowed: names that begin with {' or '.join(allowed)}")
        return [project for project in configuration["projects"] if re.fullmatch(expression, project["name"])]

    def _run_groups(
        self, configuration: Body, projects: Iterable[Body], run_project: Callable[[Body], Outcome]
    ) -> list[Outcome]:
        """Run one execution order group after the other; stop after a failed group if the configuration says so."""
        outcomes: list[Outcome] = []
        ordered = sorted(projects, key=_order)
        for _, group in groupby(ordered, key=_order):
            with ThreadPoolExecutor(PARALLEL_RUNS) as pool:
                group_outcomes = list(pool.map(run_project, group))
            outcomes += group_outcomes
            if configuration.get("abort_on_execution_order_fail") and any(outcome.error for outcome in group_outcomes):
                break
        return outcomes

    def _plan(self, project: Body) -> Outcome:
        name = project["name"]
        outputs, error = self._run_steps(project, "plan")
        text = "\n".join(outputs)
        if error:
            self.statuses[name] = "errored"
            self._plan_file(project).unlink(missing_ok=True)
            return Outcome(name, text, error)
        self.statuses[name] = "no changes" if NO_CHANGES in text else "planned"
        if not self.repo.get("policy_check"):
            return Outcome(name, text)
        results, error = self._run_steps(project, "policy_check")
        # https://www.runatlantis.io/docs/custom-policy-checks
        failed = tuple(result for result in results if "fail" in result.lower())
        (self.unapproved.add if failed or error else self.unapproved.discard)(name)
        return Outcome(name, "\n".join([text, *results]), error, failed)

    def _apply(self, project: Body, before: Mapping[str, ProjectStatus]) -> Outcome:
        name = project["name"]
        refusal = next(self._refusals(project, before), "")
        if refusal:
            return Outcome(name, "", refusal)
        outputs, error = self._run_steps(project, "apply")
        self.statuses[name] = "errored" if error else "applied"
        if not error:
            self._plan_file(project).unlink()
        return Outcome(name, "\n".join(outputs), error)

    def _refusals(self, project: Body, before: Mapping[str, ProjectStatus]) -> Iterator[str]:
        """Atlantis's own messages.
        https://github.com/runatlantis/atlantis/blob/main/server/events/command_requirement_handler.go"""
        for requirement in self.repo.get("apply_requirements", []):
            if requirement not in self.met_requirements:
                yield f"Pull request must be {requirement} before running apply."
        if project["name"] in self.unapproved:
            yield "All policies must pass for project before running apply."
        for name in project.get("depends_on", []):
            if before.get(name, "applied") not in {"applied", "no changes"}:
                yield f"Can't apply your project unless you apply its dependencies: [{name}]"

    def _run_steps(self, project: Body, stage: str) -> tuple[list[str], str]:
        """Output of each step of a stage, and the error of the step that failed."""
        workflow = self.workflows.get(project.get("workflow", self.repo.get("workflow", "")), {})
        outputs: list[str] = []
        set_by_steps: dict[str, str] = {}
        for step in workflow.get(stage, {"steps": DEFAULT_STEPS[stage]})["steps"]:
            mapping: Body = step if isinstance(step, dict) else {step: None}
            kind, argument = next(iter(mapping.items()))
            try:
                printed = self._run_step(project, kind, argument, set_by_steps)
            except ProgramError as error:
                return outputs, "\n".join(error.output) or str(error)
            if kind == "env":
                set_by_steps[argument["name"]] = "".join(printed).strip()
            elif printed and kind in {"run", "plan", "apply"}:
                outputs.append("\n".join(printed))
        return outputs, ""

    def _run_step(self, project: Body, kind: str, argument: Any, set_by_steps: Mapping[str, str]) -> list[str]:
        """Output of a step; for `env`, the variable's value."""
        folder = self.checkout / project["dir"]
        log = self.logs / f"{project['name']}.log"
        plan_file, show_file = self._plan_file(project), self._plan_file(project).with_suffix(".json")
        environment = {
            **self._pull_request_variables(),
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
            # Atlantis deletes a lock file that git does not track.
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
        raise AtlantisError(f"{project['name']}: step {kind} is not simulated")

    def _run(self, command: Sequence[str], folder: Path, variables: Mapping[str, str], log: Path) -> list[str]:
        return run(command, cwd=folder, variables={**self.variables, **variables}, log=log)

    def _plan_file(self, project: Body) -> Path:
        return self.checkout / project["dir"] / f"{project['name']}-{project['workspace']}.tfplan"

    def _pull_request_variables(self) -> dict[str, str]:
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
    """Projects that Atlantis plans for the changed files, if their folder exists.
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
    """Regular expression for a pattern in `.dockerignore` syntax; a folder's pattern also matches its contents."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.compile("".join(WILDCARDS.get(part) or re.escape(part) for part in parts) + "(?:/.*)?")


def _order(project: Body) -> int:
    return project.get("execution_order_group", 0)
