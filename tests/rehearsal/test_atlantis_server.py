"""The simulated Atlantis server: configuration, order of projects, steps, and requirements."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.atlantis_server import AtlantisError, AtlantisServer, Outcome, select_projects

Body = dict[str, Any]

# A plan is a copy of the file `changes` in a stack's folder.
PLAN = {
    "steps": [
        {"env": {"name": "ROLE", "command": "echo ${PROJECT_NAME%-*}-plan"}},
        {"env": {"name": "GIVEN", "value": "as it is"}},
        {"run": 'echo "$PROJECT_NAME planned by $ROLE, $GIVEN"; test ! -e refuse-plan && cp changes "$PLANFILE"'},
        {"run": 'cat "$PLANFILE"'},
    ]
}
CHECK = {"steps": [{"run": "cat policy 2>/dev/null || echo passes"}]}
APPLY = {"steps": [{"run": 'echo "$PROJECT_NAME" >>"$DIR/../../../applied"; test ! -e refuse-apply'}]}
REPOS: Body = {
    "repos": [
        {"id": "/.*/", "apply_requirements": []},
        {
            "id": "github.com/acme/platform",
            "apply_requirements": ["approved", "mergeable"],
            "allowed_overrides": ["workflow"],
            "allowed_workflows": ["standard", "by-hand"],
            "policy_check": True,
            "pre_workflow_hooks": [
                {"run": 'echo "$COMMAND_NAME $DIR" >>hooked', "description": "record the command", "commands": "plan"},
            ],
        },
    ],
    "workflows": {
        "standard": {"plan": PLAN, "policy_check": CHECK, "apply": APPLY},
        "by-hand": {"plan": PLAN, "apply": {"steps": [{"run": "echo by hand; exit 1"}]}},
        "other": {"plan": PLAN},
    },
}


def project(name: str, group: int, *depends_on: str, **more: Any) -> Body:
    return {
        "name": name,
        "dir": f"out/stacks/{name}",
        "workspace": "default",
        "workflow": "standard",
        "execution_order_group": group,
        **({"depends_on": [*depends_on]} if depends_on else {}),
        "autoplan": {"enabled": True, "when_modified": ["../../../main.py", f"../../../{name}/**/*.py", "*.tf?json"]},
        **more,
    }


PROJECTS = [
    project("dev-service", 2, "dev-network", "dev-keys"),
    project("dev-network", 1, "dev-keys"),
    project("dev-files", 1, "dev-keys"),
    project("dev-keys", 0),
]
Configure = Callable[..., AtlantisServer]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """A server with the given configuration, and the checkout of a pull request."""

    def configure(projects: list[Body] | None = None, repo: Body | None = None, **more: Any) -> AtlantisServer:
        repos = {**REPOS, "repos": [*REPOS["repos"][:-1], {**REPOS["repos"][-1], **(repo or {})}]}
        (tmp_path / "repos.yaml").write_text(yaml.safe_dump(repos), encoding="utf-8")
        checkout = tmp_path / "checkout"
        checkout.mkdir()
        base = {"version": 3, "abort_on_execution_order_fail": True, "allowed_regexp_prefixes": ["dev-"]}
        listed = projects or PROJECTS
        (checkout / "atlantis.yaml").write_text(yaml.safe_dump({**base, "projects": listed, **more}), encoding="utf-8")
        for each in listed:
            (checkout / each["dir"]).mkdir(parents=True)
            (checkout / each["dir"] / "changes").write_text("Plan: 1 to add", encoding="utf-8")
        return AtlantisServer.from_file(
            tmp_path / "repos.yaml", checkout, {"PATH": os.environ["PATH"]}, tmp_path / "logs"
        )

    return configure


def put(server: AtlantisServer, name: str, file: str, text: str = "") -> None:
    (server.checkout / "out" / "stacks" / name / file).write_text(text, encoding="utf-8")


def names(outcomes: list[Outcome]) -> list[str]:
    return [outcome.project for outcome in outcomes]


def errors(outcomes: list[Outcome]) -> dict[str, str]:
    return {outcome.project: outcome.error for outcome in outcomes if outcome.error}


def applied(server: AtlantisServer) -> list[str]:
    file = server.checkout / "applied"
    return file.read_text(encoding="utf-8").split() if file.exists() else []


def test_changed_files_select_projects_in_order(configure: Configure):
    server = configure()
    outcomes = server.plan(changed=["main.py"])
    assert names(outcomes)[0] == "dev-keys"
    assert set(names(outcomes)[1:3]) == {"dev-network", "dev-files"}
    assert names(outcomes)[3] == "dev-service"
    assert names(server.plan(changed=["dev-files/deep/er/x.py", "README.md"])) == ["dev-files"]
    assert server.plan(changed=["docs/x.md"]) == []


def test_steps_get_atlantis_variables_and_those_of_earlier_steps(configure: Configure):
    (outcome,) = configure().plan(only="dev-keys")
    assert outcome.comment.splitlines() == ["dev-keys planned by dev-plan, as it is", "Plan: 1 to add", "passes"]


def test_hook_runs_before_its_commands(configure: Configure):
    server = configure()
    server.plan(only="dev-keys")
    server.apply(only="dev-keys")
    assert (server.checkout / "hooked").read_text(encoding="utf-8") == f"plan {server.checkout}\n"


def test_failed_hook_stops_the_command(configure: Configure):
    hook = {"run": "echo atlantis.yaml is out of date; exit 1", "description": "synthesizes"}
    server = configure(repo={"pre_workflow_hooks": [hook]})
    with pytest.raises(AtlantisError, match=r"pre-workflow hook: synthesizes: atlantis\.yaml is out of date"):
        server.plan(changed=["main.py"])
    assert server.statuses == {}


def test_groups_after_a_failed_one_are_not_planned(configure: Configure):
    server = configure()
    put(server, "dev-network", "refuse-plan")
    outcomes = server.plan(changed=["main.py"])
    assert set(names(outcomes)) == {"dev-keys", "dev-network", "dev-files"}
    assert errors(outcomes) == {"dev-network": "dev-network planned by dev-plan, as it is"}
    assert server.statuses["dev-network"] == "errored"


def test_later_groups_run_if_abort_is_disabled(configure: Configure):
    server = configure(abort_on_execution_order_fail=False)
    put(server, "dev-keys", "refuse-plan")
    assert len(server.plan(changed=["main.py"])) == 4


def test_failed_step_without_output_is_reported_by_its_exit_code(configure: Configure):
    server = configure()
    put(server, "dev-keys", "changes")
    server.plan(only="dev-keys")
    put(server, "dev-keys", "refuse-apply")
    assert "sh exited with 1" in errors(server.apply())["dev-keys"]
    assert server.statuses["dev-keys"] == "errored"


def test_dependencies_must_be_applied_by_an_earlier_command(configure: Configure):
    server = configure()
    server.plan(changed=["main.py"])
    refused = [errors(server.apply()) for _ in range(3)]
    waits = "Can't apply your project unless you apply its dependencies: [dev-keys]"
    assert refused == [
        {"dev-network": waits, "dev-files": waits},
        {"dev-service": "Can't apply your project unless you apply its dependencies: [dev-network]"},
        {},
    ]
    assert applied(server)[0] == "dev-keys"
    assert applied(server)[-1] == "dev-service"
    assert set(server.statuses.values()) == {"applied"}


def test_dependency_without_changes_is_satisfied(configure: Configure):
    server = configure()
    put(server, "dev-keys", "changes", "No changes. Your infrastructure matches the configuration.")
    server.plan(only="dev-(keys|network)")
    assert server.statuses["dev-keys"] == "no changes"
    assert errors(server.apply(only="dev-network")) == {}


def test_plan_is_applied_once(configure: Configure):
    server = configure()
    server.plan(only="dev-keys")
    assert names(server.apply()) == ["dev-keys"]
    assert server.apply() == []


@pytest.mark.parametrize("missing", ["approved", "mergeable"])
def test_unmet_requirement_prevents_apply(configure: Configure, missing: str):
    server = configure()
    server.met_requirements -= {missing}
    server.plan(only="dev-keys")
    assert errors(server.apply()) == {"dev-keys": f"Pull request must be {missing} before running apply."}
    assert applied(server) == []


def test_failed_policy_needs_approval_by_an_owner(configure: Configure):
    server = configure()
    put(server, "dev-keys", "policy", "review: FAIL: data is at stake\n")
    (outcome,) = server.plan(only="dev-keys")
    assert outcome.failed_policies == ("review: FAIL: data is at stake",)
    assert not outcome.error
    assert errors(server.apply()) == {"dev-keys": "All policies must pass for project before running apply."}
    server.approve_policies()
    assert errors(server.apply()) == {}


def test_new_plan_runs_the_policy_checks_again(configure: Configure):
    server = configure()
    put(server, "dev-keys", "policy", "fail")
    server.plan(only="dev-keys")
    put(server, "dev-keys", "policy", "passes")
    server.plan(only="dev-keys")
    assert errors(server.apply()) == {}


def test_policy_checks_can_be_disabled(configure: Configure):
    server = configure(repo={"policy_check": False})
    put(server, "dev-keys", "policy", "fail")
    (outcome,) = server.plan(only="dev-keys")
    assert outcome.comment.endswith("Plan: 1 to add")


def test_manual_tier_is_refused_in_one_line(configure: Configure):
    server = configure([project("dev-keys", 0, workflow="by-hand")], repo={"policy_check": False})
    assert errors(server.plan(changed=["main.py"])) == {}
    assert errors(server.apply()) == {"dev-keys": "by hand"}


def test_pull_request_cannot_set_restricted_keys(configure: Configure):
    server = configure([project("dev-keys", 0, apply_requirements=[])])
    with pytest.raises(AtlantisError, match="dev-keys: only the server may set apply_requirements"):
        server.plan(changed=["main.py"])


def test_pull_request_cannot_define_workflows(configure: Configure):
    with pytest.raises(AtlantisError, match="only the server may define workflows"):
        configure(workflows={"standard": {}}).plan(changed=["main.py"])


def test_workflow_that_is_not_allowed_is_refused(configure: Configure):
    with pytest.raises(AtlantisError, match="dev-keys: workflow other is not allowed"):
        configure([project("dev-keys", 0, workflow="other")]).plan(changed=["main.py"])


def test_expressions_need_an_allowed_prefix(configure: Configure):
    server = configure()
    assert names(server.plan(only="dev-n.*")) == ["dev-network"]
    with pytest.raises(AtlantisError, match=r"\.\*: allowed: names that begin with dev-"):
        server.plan(only=".*")


def test_step_that_is_not_simulated_is_an_error(configure: Configure):
    server = configure()
    server.workflows = {"standard": {"plan": {"steps": ["import"]}}}
    with pytest.raises(AtlantisError, match="dev-keys: step import is not simulated"):
        server.plan(only="dev-keys")


def test_default_workflow_runs_terraform(configure: Configure, tmp_path: Path):
    server = configure([project("dev-keys", 0)])
    server.workflows = {}
    (programs := tmp_path / "bin").mkdir()
    (programs / "terraform").write_text(
        '#!/bin/sh\necho "terraform $*"\nfor last; do :; done\ncase "$1" in plan) touch "$last";; esac\n',
        encoding="utf-8",
    )
    (programs / "terraform").chmod(0o755)
    server.variables = {"PATH": f"{programs}:{os.environ['PATH']}"}
    folder = server.checkout / "out" / "stacks" / "dev-keys"
    plan_file = folder / "dev-keys-default.tfplan"
    put(server, "dev-keys", ".terraform.lock.hcl")
    (planned,) = server.plan(changed=["main.py"])
    assert not (folder / ".terraform.lock.hcl").exists()
    assert planned.comment == f"terraform plan -input=false -refresh -no-color -out {plan_file}"
    assert (folder / "dev-keys-default.json").read_text(encoding="utf-8") == f"terraform show -json {plan_file}"
    (outcome,) = server.apply()
    assert outcome.comment == f"terraform apply -input=false -no-color {plan_file}"
    assert "terraform init -input=false -upgrade" in (tmp_path / "logs" / "dev-keys.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("pattern", "file", "matches"),
    [
        ("../../../main.py", "main.py", True),
        ("../../../stacks/*.py", "stacks/tier.py", True),
        ("../../../stacks/*.py", "stacks/parts/logs.py", False),
        ("../../../stacks/**/*.py", "stacks/parts/logs.py", True),
        ("../../../stacks/**/*.py", "stacks/tier.py", True),
        ("../../../lambda_rotation/**", "lambda_rotation/certificates/rds.pem", True),
        ("../../../lambda_rotation", "lambda_rotation/certificates/rds.pem", True),
        ("../../../main.p?", "main.pyc", False),
        ("*.tf", "out/stacks/dev-keys/x.tf", True),
    ],
)
def test_patterns_have_dockerignore_syntax(pattern: str, file: str, *, matches: bool):
    keys = project("dev-keys", 0, autoplan={"enabled": True, "when_modified": [pattern]})
    assert bool(select_projects([keys], [file])) is matches


def test_disabled_and_missing_projects_are_not_selected(tmp_path: Path):
    keys = project("dev-keys", 0)
    assert select_projects([keys], ["main.py"], tmp_path) == []
    keys["autoplan"]["enabled"] = False
    assert select_projects([keys], ["main.py"]) == []
