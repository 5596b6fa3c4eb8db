"""The server that is played: what it takes from its two files, and in which order it does what."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.atlantis_server import AtlantisError, AtlantisServer, Outcome, select_projects

Body = dict[str, Any]

# A plan is a file that says so; `told` beside the stacks is what each step has done.
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
            "id": "github.com/globecart/platform",
            "apply_requirements": ["approved", "mergeable"],
            "allowed_overrides": ["workflow"],
            "allowed_workflows": ["ours", "by-hand"],
            "policy_check": True,
            "pre_workflow_hooks": [
                {"run": 'echo "$COMMAND_NAME $DIR" >>hooked', "description": "notes it", "commands": "plan"},
            ],
        },
    ],
    "workflows": {
        "ours": {"plan": PLAN, "policy_check": CHECK, "apply": APPLY},
        "by-hand": {"plan": PLAN, "apply": {"steps": [{"run": "echo by hand; exit 1"}]}},
        "other": {"plan": PLAN},
    },
}


def project(name: str, group: int, *depends_on: str, **more: Any) -> Body:
    return {
        "name": name,
        "dir": f"out/stacks/{name}",
        "workspace": "default",
        "workflow": "ours",
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
    """A server whose files are as they are given, and the checkout of a pull request."""

    def configure(projects: list[Body] | None = None, repo: Body | None = None, **more: Any) -> AtlantisServer:
        told = {**REPOS, "repos": [*REPOS["repos"][:-1], {**REPOS["repos"][-1], **(repo or {})}]}
        (tmp_path / "repos.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")
        checkout = tmp_path / "checkout"
        checkout.mkdir()
        whole = {"version": 3, "abort_on_execution_order_fail": True, "allowed_regexp_prefixes": ["dev-"]}
        listed = projects or PROJECTS
        (checkout / "atlantis.yaml").write_text(yaml.safe_dump({**whole, "projects": listed, **more}), encoding="utf-8")
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


def test_a_change_plans_what_it_selects_in_order(configure: Configure):
    server = configure()
    outcomes = server.plan(changed=["main.py"])
    assert names(outcomes)[0] == "dev-keys"
    assert set(names(outcomes)[1:3]) == {"dev-network", "dev-files"}
    assert names(outcomes)[3] == "dev-service"
    assert names(server.plan(changed=["dev-files/deep/er/x.py", "README.md"])) == ["dev-files"]
    assert server.plan(changed=["docs/x.md"]) == []


def test_steps_have_atlantiss_variables_and_those_of_the_steps_before(configure: Configure):
    (outcome,) = configure().plan(only="dev-keys")
    assert outcome.comment.splitlines() == ["dev-keys planned by dev-plan, as it is", "Plan: 1 to add", "passes"]


def test_a_hook_runs_before_the_commands_that_it_names(configure: Configure):
    server = configure()
    server.plan(only="dev-keys")
    server.apply(only="dev-keys")
    assert (server.checkout / "hooked").read_text(encoding="utf-8") == f"plan {server.checkout}\n"


def test_a_hook_that_fails_stops_the_command(configure: Configure):
    hook = {"run": "echo atlantis.yaml is out of date; exit 1", "description": "synthesizes"}
    server = configure(repo={"pre_workflow_hooks": [hook]})
    with pytest.raises(AtlantisError, match=r"pre-workflow hook: synthesizes: atlantis\.yaml is out of date"):
        server.plan(changed=["main.py"])
    assert server.statuses == {}


def test_after_a_group_that_has_failed_none_is_planned(configure: Configure):
    server = configure()
    put(server, "dev-network", "refuse-plan")
    outcomes = server.plan(changed=["main.py"])
    assert set(names(outcomes)) == {"dev-keys", "dev-network", "dev-files"}
    assert errors(outcomes) == {"dev-network": "dev-network planned by dev-plan, as it is"}
    assert server.statuses["dev-network"] == "errored"


def test_without_the_switch_the_others_go_on(configure: Configure):
    server = configure(abort_on_execution_order_fail=False)
    put(server, "dev-keys", "refuse-plan")
    assert len(server.plan(changed=["main.py"])) == 4


def test_a_step_that_says_nothing_is_told_by_its_code(configure: Configure):
    server = configure()
    put(server, "dev-keys", "changes")
    server.plan(only="dev-keys")
    put(server, "dev-keys", "refuse-apply")
    assert "sh ended with 1" in errors(server.apply())["dev-keys"]
    assert server.statuses["dev-keys"] == "errored"


def test_what_depends_waits_for_another_command(configure: Configure):
    server = configure()
    server.plan(changed=["main.py"])
    told = [errors(server.apply()) for _ in range(3)]
    waits = "Can't apply your project unless you apply its dependencies: [dev-keys]"
    assert told == [
        {"dev-network": waits, "dev-files": waits},
        {"dev-service": "Can't apply your project unless you apply its dependencies: [dev-network]"},
        {},
    ]
    assert applied(server)[0] == "dev-keys"
    assert applied(server)[-1] == "dev-service"
    assert set(server.statuses.values()) == {"applied"}


def test_nobody_waits_for_what_does_not_change(configure: Configure):
    server = configure()
    put(server, "dev-keys", "changes", "No changes. Your infrastructure matches the configuration.")
    server.plan(only="dev-(keys|network)")
    assert server.statuses["dev-keys"] == "no changes"
    assert errors(server.apply(only="dev-network")) == {}


def test_what_is_applied_is_applied_once(configure: Configure):
    server = configure()
    server.plan(only="dev-keys")
    assert names(server.apply()) == ["dev-keys"]
    assert server.apply() == []


@pytest.mark.parametrize("missing", ["approved", "mergeable"])
def test_a_requirement_that_is_not_met_refuses(configure: Configure, missing: str):
    server = configure()
    server.met_requirements -= {missing}
    server.plan(only="dev-keys")
    assert errors(server.apply()) == {"dev-keys": f"Pull request must be {missing} before running apply."}
    assert applied(server) == []


def test_a_policy_that_has_not_passed_waits_for_its_owners(configure: Configure):
    server = configure()
    put(server, "dev-keys", "policy", "review: FAIL: data is at stake\n")
    (outcome,) = server.plan(only="dev-keys")
    assert outcome.failed_policies == ("review: FAIL: data is at stake",)
    assert not outcome.error
    assert errors(server.apply()) == {"dev-keys": "All policies must pass for project before running apply."}
    server.approve_policies()
    assert errors(server.apply()) == {}


def test_a_new_plan_asks_the_policies_anew(configure: Configure):
    server = configure()
    put(server, "dev-keys", "policy", "fail")
    server.plan(only="dev-keys")
    put(server, "dev-keys", "policy", "passes")
    server.plan(only="dev-keys")
    assert errors(server.apply()) == {}


def test_where_the_server_asks_no_policies_none_are_asked(configure: Configure):
    server = configure(repo={"policy_check": False})
    put(server, "dev-keys", "policy", "fail")
    (outcome,) = server.plan(only="dev-keys")
    assert outcome.comment.endswith("Plan: 1 to add")


def test_what_is_applied_by_hand_is_refused_in_a_line(configure: Configure):
    server = configure([project("dev-keys", 0, workflow="by-hand")], repo={"policy_check": False})
    assert errors(server.plan(changed=["main.py"])) == {}
    assert errors(server.apply()) == {"dev-keys": "by hand"}


def test_a_pull_request_may_not_say_what_is_the_servers_to_say(configure: Configure):
    server = configure([project("dev-keys", 0, apply_requirements=[])])
    with pytest.raises(AtlantisError, match="dev-keys: apply_requirements: the server's to say"):
        server.plan(changed=["main.py"])


def test_a_pull_request_may_not_bring_workflows(configure: Configure):
    with pytest.raises(AtlantisError, match="workflows are the server's to define"):
        configure(workflows={"ours": {}}).plan(changed=["main.py"])


def test_a_workflow_that_the_repository_may_not_use_is_refused(configure: Configure):
    with pytest.raises(AtlantisError, match="dev-keys: workflow other is not allowed"):
        configure([project("dev-keys", 0, workflow="other")]).plan(changed=["main.py"])


def test_projects_are_named_by_what_begins_as_it_must(configure: Configure):
    server = configure()
    assert names(server.plan(only="dev-n.*")) == ["dev-network"]
    with pytest.raises(AtlantisError, match=r"\.\*: allowed: what begins with dev-"):
        server.plan(only=".*")


def test_a_step_that_is_not_played_is_named(configure: Configure):
    server = configure()
    server.workflows = {"ours": {"plan": {"steps": ["import"]}}}
    with pytest.raises(AtlantisError, match="dev-keys: a step import, which is not played here"):
        server.plan(only="dev-keys")


def test_without_a_workflow_terraform_is_run_as_atlantis_runs_it(configure: Configure, tmp_path: Path):
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
def test_patterns_are_those_of_dockerignore(pattern: str, file: str, *, matches: bool):
    told = project("dev-keys", 0, autoplan={"enabled": True, "when_modified": [pattern]})
    assert bool(select_projects([told], [file])) is matches


def test_what_is_not_to_be_planned_by_itself_or_is_not_there_is_not(tmp_path: Path):
    told = project("dev-keys", 0)
    assert select_projects([told], ["main.py"], tmp_path) == []
    told["autoplan"]["enabled"] = False
    assert select_projects([told], ["main.py"]) == []
