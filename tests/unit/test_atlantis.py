"""Configuration of Atlantis: projects, order, files that trigger a plan, workflows."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import main
from operations import atlantis as module
from operations.__main__ import app
from operations.atlantis import (
    FILE,
    MANUAL_TIERS,
    MANUAL_WORKFLOW,
    OUT,
    WORKFLOW,
    configuration,
    order_groups,
    profiles,
    sources_of,
)
from operations.errors import RefusedError
from rehearsal.atlantis_server import select_projects
from stacks import ROOT
from stacks.settings import load_environments
from synthesized.platform import Platform, Stack
from tests.conftest import REFERENCE, SHIPPED
from tests.synthesized import TIERS

REPOS: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "repos.yaml").read_text(encoding="utf-8"))
# https://www.runatlantis.io/docs/repo-level-atlantis-yaml#reference
KEYS = {
    *("abort_on_execution_order_fail", "allowed_regexp_prefixes", "autodiscover", "automerge", "parallel_apply"),
    *("parallel_plan", "projects", "version"),
}
KEYS_OF_A_PROJECT = {
    *("autoplan", "depends_on", "dir", "execution_order_group", "name", "workflow", "workspace"),
}


@pytest.fixture(scope="session")
def all_stacks(shipped: dict[str, Platform]) -> list[Stack]:
    return [stack for platform in shipped.values() for stack in platform.stacks.values()]


@pytest.fixture(scope="session")
def atlantis_config(all_stacks: list[Stack]) -> dict[str, Any]:
    return yaml.safe_load(configuration(all_stacks, ROOT, SHIPPED))


@pytest.fixture(scope="session")
def projects(atlantis_config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {project["name"]: project for project in atlantis_config["projects"]}


def test_the_file_is_current(all_stacks: list[Stack]):
    assert FILE.read_text(encoding="utf-8") == configuration(all_stacks, ROOT, SHIPPED), "run make generated"


def test_the_file_has_only_keys_that_atlantis_supports(atlantis_config: dict[str, Any]):
    assert atlantis_config["version"] == 3
    assert atlantis_config.keys() == KEYS
    assert {key for project in atlantis_config["projects"] for key in project} == KEYS_OF_A_PROJECT


def test_a_failure_stops_the_later_execution_order_groups(atlantis_config: dict[str, Any]):
    # Atlantis stops only if both are set: server/events/project_command_pool_executor.go
    assert atlantis_config["parallel_plan"]
    assert atlantis_config["parallel_apply"]
    assert atlantis_config["abort_on_execution_order_fail"]


def test_every_stack_is_a_project_in_its_output_folder(projects: dict[str, dict[str, Any]], all_stacks: list[Stack]):
    assert projects.keys() == {stack.name for stack in all_stacks}
    for name, project in projects.items():
        assert project["dir"] == f"{OUT}/stacks/{name}"
        assert project["workspace"] == "default"


def test_dependencies_of_projects_are_those_of_the_manifest(
    projects: dict[str, dict[str, Any]], all_stacks: list[Stack]
):
    for stack in all_stacks:
        manifest = json.loads((stack.folder.parents[1] / "manifest.json").read_text(encoding="utf-8"))
        assert projects[stack.name].get("depends_on", []) == sorted(manifest["stacks"][stack.name]["dependencies"])


def test_a_project_follows_its_last_dependency_immediately(projects: dict[str, dict[str, Any]]):
    for project in projects.values():
        needed = [projects[name]["execution_order_group"] for name in project.get("depends_on", [])]
        assert project["execution_order_group"] == max(needed, default=-1) + 1


def test_no_project_depends_on_another_in_its_group(all_stacks: list[Stack]):
    groups = order_groups(all_stacks)
    assert all(groups[name] < groups[stack.name] for stack in all_stacks for name in stack.depends_on)


def selected(projects: dict[str, dict[str, Any]], *changed: str) -> set[str]:
    """Projects of the project's tiers that are planned after a change."""
    names = {project["name"] for project in select_projects(projects.values(), changed)}
    return names & of(*TIERS)


def of(*tiers: str, environments: list[str] = SHIPPED) -> set[str]:
    return {f"{name}-{tier}" for name in environments for tier in tiers}


@pytest.mark.parametrize(
    ("changed", "tiers"),
    [
        ("main.py", TIERS),
        ("Pipfile.lock", TIERS),
        ("cdktf.json", TIERS),
        ("imports/__init__.py", TIERS),
        ("imports/lazy_bindings.cjs", TIERS),
        ("stacks/tier.py", TIERS),
        ("stacks/settings/cache.py", TIERS),
        ("stacks/settings/of_a_new_tier.py", TIERS),
        ("stacks/names.py", TIERS),
        ("stacks/service/waf.py", ("service", "observability")),  # uses the service's metrics
        ("stacks/observability/dashboard_rows.py", ("observability",)),
        ("stacks/audit/stack.py", ("audit", "observability")),  # uses its alarms without importing it
        ("stacks/recovery/stack.py", ("recovery", "observability")),
        ("lambda_rotation/handler.py", ("rotation",)),
        ("lambda_rotation/certificates/global-bundle.pem", ("rotation",)),
        ("docs/atlantis.md", ()),
        ("README.md", ()),
        ("tests/unit/test_audit.py", ()),
        ("operations/drift.py", ()),
        ("stacks/parts/of_a_new_tier.py", ("service", "observability")),  # use all parts
        ("other/main.py", ()),
        ("main.pyc", ()),
    ],
)
def test_a_change_plans_the_tiers_that_use_the_file(
    projects: dict[str, dict[str, Any]], changed: str, tiers: tuple[str, ...]
):
    assert selected(projects, changed) == of(*tiers)


def test_a_settings_file_plans_its_environment(projects: dict[str, dict[str, Any]]):
    for name in SHIPPED:
        assert selected(projects, f"environments/{name}.toml") == of(*TIERS, environments=[name])


def test_several_changed_files_plan_the_tiers_of_each(projects: dict[str, dict[str, Any]]):
    assert selected(
        projects, "README.md", "lambda_rotation/handler.py", "stacks/observability/dashboard_rows.py"
    ) == of("rotation", "observability")


def loaded() -> dict[str, Path]:
    """Loaded modules of the project, and their files."""
    found = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    files = {name: Path(file) for name, file in found.items() if file}
    here = Path(main.__file__).parent  # may contain symbolic links, like the modules' files
    return {
        name: file.relative_to(here)
        for name, file in files.items()
        if file.is_relative_to(here) and not file.is_relative_to(here / ".venv")
    }


@pytest.mark.parametrize("tier", ["foundation", "service", "observability"])
def test_the_sources_of_a_tier_are_the_modules_that_python_loads(monkeypatch: pytest.MonkeyPatch, tier: str):
    for name in loaded():  # as in a new process
        monkeypatch.delitem(sys.modules, name)
    import_module(f"stacks.{tier}.stack")
    found = {file.relative_to(ROOT) for pattern in sources_of([tier], ROOT) for file in ROOT.glob(pattern)}
    assert {file for file in found if file.suffix == ".py"} == set(loaded().values())


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program with one tier and every kind of import."""
    files = {
        "stacks/__init__.py": "import shared.names",
        "stacks/edge/__init__.py": "",
        "stacks/edge/stack.py": "import os\nimport shared.data as data\nfrom . import near\nfrom .near import further\n"
        "def late():\n    from shared import late\nNOT_THERE = 'table.csv'",
        "stacks/edge/near.py": "",
        "stacks/edge/other.py": "",
        "shared/__init__.py": "",
        "shared/names.py": "",
        "shared/late.py": "from shared import *",
        "shared/data.py": "TABLE = 'table.csv'; SENTENCE = 'A sentence. Of two.'",
        "shared/table.csv": "",
        "shared/other.csv": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_sources_include_all_kinds_of_imports_and_named_files(program: Path):
    assert sources_of(["edge"], program) == [
        *("shared/*.py", "shared/table.csv", "stacks/__init__.py"),
        *("stacks/edge/__init__.py", "stacks/edge/near.py", "stacks/edge/stack.py"),
    ]


def test_an_own_tier_has_the_sources_of_its_imports_and_those_who_use_it_its_file_alone(program: Path):
    for name, text in {"own/shop/stack.py": "from shared import late", "network/stack.py": ""}.items():
        (program / "stacks" / name).parent.mkdir(parents=True)
        (program / "stacks" / name).write_text(text, encoding="utf-8")
    assert sources_of(["network"], program) == ["stacks/network/stack.py", "stacks/own/shop/stack.py"]
    assert "shared/late.py" in sources_of(["shop", "network"], program)


def test_a_tier_that_was_removed_after_synthesis_is_refused(program: Path):
    with pytest.raises(RefusedError, match=r"^stacks/gone/stack.py: is gone, but was synthesized; run make synth"):
        configuration([stack("dev-gone", program)], program, ["dev"])


def stack(name: str, folder: Path, *depends_on: str) -> Stack:
    return Stack(name, name.rpartition("-")[2], folder, {}, depends_on)


def test_a_manually_applied_tier_has_its_own_workflow(program: Path):
    (tier,) = MANUAL_TIERS
    (program / "stacks" / tier).mkdir()
    (program / "stacks" / tier / "stack.py").write_text("", encoding="utf-8")
    text = configuration([stack(f"dev-{tier}", program), stack("dev-edge", program)], program, ["dev"])
    assert {project["name"]: project["workflow"] for project in yaml.safe_load(text)["projects"]} == {
        f"dev-{tier}": MANUAL_WORKFLOW,
        "dev-edge": WORKFLOW,
    }


def test_an_unknown_asset_is_refused(program: Path):
    (program / "assets" / "picture").mkdir(parents=True)
    with pytest.raises(RefusedError, match="dev-edge: the sources of asset picture are unknown"):
        configuration([stack("dev-edge", program)], program, ["dev"])


def test_assets_of_an_own_tier_are_in_its_folder(program: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "ROOT", program)
    (program / "stacks" / "own" / "edge").mkdir(parents=True)
    for asset in ("picture", "code"):
        (program / "assets" / asset).mkdir(parents=True)
    ((project,),) = [yaml.safe_load(configuration([stack("dev-edge", program)], program, ["dev"]))["projects"]]
    assert project["autoplan"]["when_modified"][-1].endswith("/stacks/own/edge/**")


def test_an_environment_that_was_not_synthesized_is_refused(all_stacks: list[Stack]):
    with pytest.raises(RefusedError, match=r"moon: not synthesized; run make synth without ENV"):
        configuration(all_stacks, ROOT, [*SHIPPED, "moon"])


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, all_stacks: list[Stack]) -> Path:
    """Replaces the project's atlantis.yaml."""
    monkeypatch.setattr(module, "FILE", tmp_path / "atlantis.yaml")
    monkeypatch.setenv("CDKTF_OUTDIR", str(all_stacks[0].folder.parents[1]))
    return tmp_path / "atlantis.yaml"


def test_check_succeeds_once_the_file_is_written(file: Path):
    stale = "atlantis.yaml is out of date: run make generated\n"
    run = CliRunner().invoke(app, ["atlantis", "--check"])
    assert (run.exit_code, run.stderr) == (1, stale)
    assert not file.exists()
    assert CliRunner().invoke(app, ["atlantis"]).exit_code == 0
    assert file.read_text(encoding="utf-8") == FILE.read_text(encoding="utf-8")
    assert CliRunner().invoke(app, ["atlantis", "--check"]).exit_code == 0
    file.write_text("version: 3\n", encoding="utf-8")
    run = CliRunner().invoke(app, ["atlantis", "--check"])
    assert (run.exit_code, run.stderr) == (1, stale)


def test_missing_stacks_are_reported_with_the_remedy(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CDKTF_OUTDIR", str(file.parent / "nowhere"))
    run = CliRunner().invoke(app, ["atlantis"])
    assert run.exit_code == 1
    assert "run make synth" in run.stderr


def test_git_does_not_ignore_the_output_folder_of_atlantis():
    ignored = [
        subprocess.run(["git", "check-ignore", "--quiet", folder], cwd=ROOT, check=False).returncode == 0
        for folder in (f"{OUT}/manifest.json", "cdktf.out/manifest.json")
    ]
    assert ignored == [False, True]


def test_a_pull_request_may_only_choose_between_the_servers_workflows(projects: dict[str, dict[str, Any]]):
    (repo,) = REPOS["repos"]
    assert repo["allowed_overrides"] == ["workflow"]
    assert repo["allow_custom_workflows"] is False
    assert set(repo["allowed_workflows"]) == REPOS["workflows"].keys() == {WORKFLOW, MANUAL_WORKFLOW}
    assert {project["workflow"] for project in projects.values()} <= {WORKFLOW, MANUAL_WORKFLOW}
    for command in ("apply", "import"):
        assert set(repo[f"{command}_requirements"]) == {"approved", "mergeable", "undiverged"}


def test_the_manual_workflow_plans_like_the_other_but_does_not_apply():
    ours, by_hand = REPOS["workflows"][WORKFLOW], REPOS["workflows"][MANUAL_WORKFLOW]
    assert by_hand["plan"] == ours["plan"]
    assert by_hand["policy_check"] == ours["policy_check"]
    assert "apply" not in by_hand["apply"]["steps"]


def test_plan_and_apply_use_different_roles():
    (environment,) = load_environments(REFERENCE, only="prod")
    aws_config = profiles([environment], "credential_source = EcsContainer")
    assert (
        "[profile prod-plan]\n"
        "role_arn = arn:aws:iam::111122223333:role/acme-access/prod/acme-prod-plan\n"
        "role_session_name = atlantis\ncredential_source = EcsContainer\n" in aws_config
    )
    for stage in ("plan", "apply"):
        first = REPOS["workflows"][WORKFLOW][stage]["steps"][0]["env"]
        run = subprocess.run(
            ["sh", "-c", first["command"]],
            env={"PROJECT_NAME": "prod-network"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"[profile {run.stdout.strip()}]" in aws_config
        assert run.stdout.strip().endswith(f"-{stage}")


def test_an_environments_name_may_have_a_hyphen(program: Path):
    assert stack("eu-prod-edge", program).environment == "eu-prod"
