"""The pull requests of a rehearsal: expected results, and errors for others."""

import os
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from local_aws.server import LocalAws
from operations.terraform import TerraformError
from rehearsal import pull_requests as module
from rehearsal.atlantis_server import Outcome
from rehearsal.one_environment import RehearsalError
from rehearsal.pull_requests import (
    ADD_OUTPUT,
    USE_OUTPUT,
    PullRequests,
    SettingsEdit,
    create_checkout,
    let_server_in,
    project_files,
)
from stacks import ROOT
from stacks.settings import load_environments
from synthesized.platform import Stack
from tests.conftest import REFERENCE

(DEV,) = load_environments(REFERENCE, only="dev")
TIERS = {
    "access": (),
    "foundation": (),
    "network": ("dev-foundation",),
    "audit": ("dev-foundation",),
    "observability": ("dev-audit",),
}


class Scripted:
    """A server whose results tests set: all commands succeed, except for the given projects."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self.done: list[str] = []
        self.errors: dict[str, str] = {"apply dev-access": "by hand"}
        self.policies: tuple[str, ...] = ()
        self.statuses: dict[str, str] = {}
        self.planned: dict[str, tuple[str, ...]] = {
            "stacks/audit/stack.py": ("audit",),
            "stacks/foundation/stack.py": ("foundation", "network", "audit", "observability"),
        }
        self.changes: set[str] = set(TIERS)

    def _outcomes(self, command: str, tiers: list[str]) -> list[Outcome]:
        self.done += [f"{command} {' '.join(tiers)}"]
        return [
            Outcome(
                f"dev-{tier}",
                "Plan: 1 to add\n### Nothing significant",
                self.errors.get(f"{command} dev-{tier}", ""),
                self.policies if command == "plan" else (),
            )
            for tier in tiers
        ]

    def plan(self, changed: list[str] | None = None, only: str = "") -> list[Outcome]:
        tiers = list(self.planned[changed[0]]) if changed else _tiers(only)
        for tier in tiers:
            self.statuses[f"dev-{tier}"] = "planned" if tier in self.changes else "no changes"
            folder = self.checkout / "ci-cdktf.out" / "stacks" / f"dev-{tier}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"dev-{tier}-default.tfplan").touch()
        return self._outcomes("plan", tiers)

    def apply(self, only: str) -> list[Outcome]:
        return self._outcomes("apply", _tiers(only))


def _tiers(expression: str) -> list[str]:
    return expression.removeprefix("dev-").strip("()").split("|")


@pytest.fixture
def server(tmp_path: Path) -> Scripted:
    for edit in (ADD_OUTPUT, USE_OUTPUT):
        (tmp_path / edit.file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / edit.file).write_text((ROOT / edit.file).read_text(encoding="utf-8"), encoding="utf-8")
    return Scripted(tmp_path)


@pytest.fixture
def requests(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> PullRequests:
    def terraform(*arguments: str, cwd: Path) -> str:
        server.done.append(f"{cwd.name}: terraform {' '.join(arguments)}")
        return ""

    monkeypatch.setattr(module, "terraform", terraform)
    stacks = {tier: Stack(f"dev-{tier}", tier, server.checkout, {}, needs) for tier, needs in TIERS.items()}
    rehearsal = SimpleNamespace(settings=SimpleNamespace(name="dev"), platform=SimpleNamespace(stacks=stacks))
    return PullRequests(cast(Any, rehearsal), cast(Any, server))


def test_group_is_applied_before_the_next_is_planned(requests: PullRequests, server: Scripted):
    summaries = requests.deploy()
    assert server.done == [
        "dev-access: terraform init -input=false -no-color",
        "dev-access: terraform apply -input=false -auto-approve -no-color",
        "plan access foundation",
        "apply access",
        "apply foundation",
        "plan network audit",
        "apply network audit",
        "plan observability",
        "apply observability",
    ]
    assert summaries.splitlines()[0].split() == ["dev-access", "Nothing", "significant"]
    assert len(summaries.splitlines()) == len(TIERS)


def test_server_applies_nothing_in_a_group_of_manual_tiers(requests: PullRequests, server: Scripted):
    for tier in TIERS.keys() - {"access"}:
        del cast(Any, requests.rehearsal.platform.stacks)[tier]
    requests.deploy()
    assert server.done[2:] == ["plan access", "apply access"]


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_failed_project_is_reported_by_name(requests: PullRequests, server: Scripted, command: str):
    server.errors[f"{command} dev-network"] = "Error: no"
    with pytest.raises(RehearsalError, match="dev-network: Error: no"):
        requests.deploy()
    assert not any(done.endswith("observability") for done in server.done)


def test_failed_policy_is_an_error(requests: PullRequests, server: Scripted):
    server.policies = ("checkov: fail",)
    with pytest.raises(RehearsalError, match="dev-access: checkov: fail"):
        requests.deploy()


def test_server_that_applies_a_manual_tier_is_an_error(requests: PullRequests, server: Scripted):
    server.errors.clear()
    with pytest.raises(RehearsalError, match="dev-access: the server applied it, but must refuse"):
        requests.deploy()


def test_plan_with_changes_is_an_error(requests: PullRequests, server: Scripted):
    server.changes.clear()
    assert requests.plan_all() == "  5 projects, no changes"
    server.changes = {"network"}
    with pytest.raises(RehearsalError, match="dev-network: the plan has unexpected changes"):
        requests.plan_all()


UNKNOWN = 'Error: Unsupported attribute\n\nThis object does not have an attribute named\n"cross-stack-output".'


def test_new_output_in_one_step_must_fail(requests: PullRequests, server: Scripted):
    before = (server.checkout / USE_OUTPUT.file).read_text(encoding="utf-8")
    server.errors["plan dev-audit"] = UNKNOWN
    result = requests.use_output_at_once()
    assert result == '  dev-audit: This object does not have an attribute named "cross-stack-output".'
    assert (server.checkout / USE_OUTPUT.file).read_text(encoding="utf-8") == before


@pytest.mark.parametrize(("error", "planned"), [("", ("audit",)), ("Error: other", ("audit",)), (UNKNOWN, TIERS)])
def test_any_other_result_of_one_step_is_an_error(
    requests: PullRequests, server: Scripted, error: str, planned: tuple[str, ...]
):
    server.errors["plan dev-audit"] = error
    server.planned["stacks/audit/stack.py"] = planned
    with pytest.raises(RehearsalError, match="only dev-audit should have failed"):
        requests.use_output_at_once()


class InTurn(Scripted):
    """Plans changes in the edited tier only."""

    def plan(self, changed: list[str] | None = None, only: str = "") -> list[Outcome]:
        self.changes = {Path(changed[0]).parent.name} if changed else set()
        return super().plan(changed, only)


def test_new_output_in_two_steps_succeeds(requests: PullRequests, server: Scripted):
    server.__class__ = InTurn
    assert requests.use_output_in_two_steps().splitlines() == [
        "  stacks/foundation/stack.py: 4 planned, dev-foundation changed and applied",
        "  stacks/audit/stack.py: 1 planned, dev-audit changed and applied",
    ]
    assert ADD_OUTPUT.line in (server.checkout / ADD_OUTPUT.file).read_text(encoding="utf-8")
    assert USE_OUTPUT.line in (server.checkout / USE_OUTPUT.file).read_text(encoding="utf-8")


@pytest.mark.parametrize(("changes", "changed"), [(set[str](), "nothing"), ({"foundation", "network"}, "dev-network")])
def test_step_that_changes_other_stacks_is_an_error(
    requests: PullRequests, server: Scripted, changes: set[str], changed: str
):
    server.changes = changes
    with pytest.raises(RehearsalError, match=f"only dev-foundation should change, but the plans change .*{changed}"):
        requests.use_output_in_two_steps()


def test_all_pull_requests_run_in_order(requests: PullRequests, monkeypatch: pytest.MonkeyPatch):
    for step in ("deploy", "plan_all", "use_output_at_once", "use_output_in_two_steps"):
        monkeypatch.setattr(PullRequests, step, lambda _, step=step: step)
    assert [outcome for _, outcome in requests.run()] == [
        *("deploy", "plan_all", "use_output_at_once", "use_output_in_two_steps", "plan_all")
    ]


@pytest.mark.parametrize("edit", [ADD_OUTPUT, USE_OUTPUT])
def test_edits_apply_to_the_project(edit: SettingsEdit, tmp_path: Path):
    (tmp_path / edit.file).parent.mkdir(parents=True)
    (tmp_path / edit.file).write_text((ROOT / edit.file).read_text(encoding="utf-8"), encoding="utf-8")
    edit.apply(tmp_path)
    assert edit.after + edit.line in (tmp_path / edit.file).read_text(encoding="utf-8")


def test_line_that_does_not_occur_exactly_once_is_an_error(tmp_path: Path):
    (tmp_path / "a.py").write_text("x\nx\n", encoding="utf-8")
    with pytest.raises(RehearsalError, match=r"a\.py: 'x' occurs 2 times, not once"):
        SettingsEdit("a.py", "x\n", "y\n").apply(tmp_path)


def test_project_files_are_those_of_git():
    files = project_files()
    assert {"main.py", "atlantis.yaml", "docs/repos.yaml", "rehearsal/pull_requests.py"} <= set(files)
    assert not [file for file in files if file.startswith((".venv/", ".cache/", "node_modules/", "cdktf.out/"))]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two environments, in a git repository."""
    root = tmp_path / "project"
    for name, text in {
        "Makefile": "setup: .venv/installed\n.venv/installed: Pipfile\n\t@touch $@\n",
        "Pipfile": "",
        "main.py": "import os\nfrom pathlib import Path\n"
        "Path(os.environ['CDKTF_OUTDIR']).mkdir()\nassert 'ENV' not in os.environ\nprint(os.environ['CDKTF_OUTDIR'])\n",
        "operations/__main__.py": "import sys\nfrom pathlib import Path\n"
        "Path('args').write_text(' '.join([*sys.argv[1:], *sorted(p.stem for p in Path('environments').iterdir())]))\n",
        "environments/dev.toml": "",
        "environments/prod.toml": "",
        ".gitignore": "/.venv/\n/.cache/\n",
        ".venv/installed": "",
        ".cache/x": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    monkeypatch.setattr(module, "ROOT", root)
    monkeypatch.setenv("ENV", "prod")
    return root


def test_checkout_has_one_environment_and_links_to_installed_folders(project: Path, tmp_path: Path):
    checkout = create_checkout(tmp_path / "checkout", DEV, tmp_path / "log")
    assert [file.stem for file in (checkout / "environments").iterdir()] == ["dev"]
    role = 'atlantis_role = "arn:aws:iam::{}:role/atlantis"'
    assert tomllib.loads((checkout / "environments" / "dev.toml").read_text())["access"] == tomllib.loads(
        role.format(DEV.account)
    )
    assert (checkout / "ci-cdktf.out").is_dir()
    assert (checkout / "args").read_text(encoding="utf-8") == "atlantis dev"
    assert (checkout / ".venv").resolve() == project / ".venv"
    assert (checkout / ".cache" / "x").exists()


def test_the_servers_role_replaces_another(tmp_path: Path):
    file = tmp_path / "dev.toml"
    file.write_text('[access]\natlantis_role = "other"\nrepository = "one"\n')
    let_server_in(file, "1")
    expected = {"atlantis_role": "arn:aws:iam::1:role/atlantis", "repository": "one"}
    assert tomllib.loads(file.read_text())["access"] == expected


def test_copy_does_not_install_into_linked_folders(project: Path, tmp_path: Path):
    (project / ".venv" / "installed").unlink()
    with pytest.raises(RehearsalError, match="the project is not set up: run make setup"):
        create_checkout(tmp_path / "checkout", DEV, tmp_path / "log")
    assert not (project / ".venv" / "installed").exists()


def test_newer_project_files_do_not_trigger_setup(project: Path, tmp_path: Path):
    later = (project / ".venv" / "installed").stat().st_mtime + 60
    os.utime(project / "Pipfile", (later, later))
    create_checkout(tmp_path / "checkout", DEV, tmp_path / "log")
    assert (tmp_path / "checkout" / "Pipfile").stat().st_mtime < later


def test_server_uses_profiles_instead_of_the_users_credentials(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aws: LocalAws
):
    aws.reset()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setattr(module, "environment", lambda: dict(os.environ))
    rehearsal = SimpleNamespace(
        settings=DEV.model_copy(update={"account": aws.account}), deployment=SimpleNamespace(folder=tmp_path), aws=aws
    )
    requests = PullRequests.of(cast(Any, rehearsal))
    assert "AWS_ACCESS_KEY_ID" not in requests.server.variables
    config = Path(requests.server.variables["AWS_CONFIG_FILE"]).read_text(encoding="utf-8")
    role = aws.backend("sts").assumed_roles[-1]
    assert f"[profile server]\naws_access_key_id = {role.access_key_id}\n" in config
    assert role.role_arn.endswith(":role/atlantis")
    assert f"[profile dev-apply]\nrole_arn = arn:aws:iam::{aws.account}:role/acme-access/dev/" in config
    assert "source_profile = server" in config
    assert requests.server.checkout == tmp_path / "checkout"
    assert requests.server.repo["allowed_overrides"] == ["workflow"]
    del project


def test_terraform_errors_are_passed_on(requests: PullRequests, monkeypatch: pytest.MonkeyPatch):
    def terraform(*_: str, cwd: Path) -> str:
        raise TerraformError(f"{cwd.name}: no")

    monkeypatch.setattr(module, "terraform", cast(Callable[..., str], terraform))
    with pytest.raises(TerraformError, match="dev-access: no"):
        requests.deploy()
