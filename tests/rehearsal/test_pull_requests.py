"""What is proposed to Atlantis in a rehearsal: what must come of it, and what is told where something else does."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from operations.terraform import TerraformError
from rehearsal import pull_requests as module
from rehearsal.atlantis_server import Outcome
from rehearsal.one_environment import RehearsalError
from rehearsal.pull_requests import ADD_OUTPUT, USE_OUTPUT, PullRequests, SettingsEdit, create_checkout, project_files
from stacks import ROOT
from synthesized.platform import Stack

TIERS = {
    "access": (),
    "foundation": (),
    "network": ("dev-foundation",),
    "audit": ("dev-foundation",),
    "observability": ("dev-audit",),
}


class Scripted:
    """A server that answers as it is told: everything goes well, but for the projects that are named."""

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
                "Plan: 1 to add\n### Nothing of weight",
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


def test_a_group_is_applied_before_the_next_is_planned(requests: PullRequests, server: Scripted):
    told = requests.deploy()
    assert server.done == [
        "plan access foundation",
        "apply access",
        "dev-access: terraform apply -input=false -no-color dev-access-default.tfplan",
        "apply foundation",
        "plan network audit",
        "apply network audit",
        "plan observability",
        "apply observability",
    ]
    assert told.splitlines()[0].split() == ["dev-access", "Nothing", "of", "weight"]
    assert len(told.splitlines()) == len(TIERS)


def test_a_group_that_is_applied_by_hand_alone_leaves_the_server_nothing(requests: PullRequests, server: Scripted):
    for tier in TIERS.keys() - {"access"}:
        del cast(Any, requests.rehearsal.platform.stacks)[tier]
    requests.deploy()
    assert server.done[1:] == [
        "apply access",
        "dev-access: terraform apply -input=false -no-color dev-access-default.tfplan",
    ]


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_project_that_fails_is_named(requests: PullRequests, server: Scripted, command: str):
    server.errors[f"{command} dev-network"] = "Error: no"
    with pytest.raises(RehearsalError, match="dev-network: Error: no"):
        requests.deploy()
    assert not any(done.endswith("observability") for done in server.done)


def test_a_policy_that_does_not_pass_is_told(requests: PullRequests, server: Scripted):
    server.policies = ("checkov: fail",)
    with pytest.raises(RehearsalError, match="dev-access: checkov: fail"):
        requests.deploy()


def test_the_server_must_not_apply_what_is_applied_by_hand(requests: PullRequests, server: Scripted):
    server.errors.clear()
    with pytest.raises(RehearsalError, match="dev-access: was applied by the server"):
        requests.deploy()


def test_no_plan_may_have_changes(requests: PullRequests, server: Scripted):
    server.changes.clear()
    assert requests.plan_all() == "  5 projects, no changes"
    server.changes = {"network"}
    with pytest.raises(RehearsalError, match="dev-network: would change, and nobody has changed anything"):
        requests.plan_all()


UNKNOWN = 'Error: Unsupported attribute\n\nThis object does not have an attribute named\n"cross-stack-output".'


def test_a_new_use_at_once_must_fail(requests: PullRequests, server: Scripted):
    before = (server.checkout / USE_OUTPUT.file).read_text(encoding="utf-8")
    server.errors["plan dev-audit"] = UNKNOWN
    told = requests.use_output_at_once()
    assert told == '  dev-audit: This object does not have an attribute named "cross-stack-output".'
    assert (server.checkout / USE_OUTPUT.file).read_text(encoding="utf-8") == before


@pytest.mark.parametrize(("error", "planned"), [("", ("audit",)), ("Error: other", ("audit",)), (UNKNOWN, TIERS)])
def test_else_it_is_told_what_came_of_it(
    requests: PullRequests, server: Scripted, error: str, planned: tuple[str, ...]
):
    server.errors["plan dev-audit"] = error
    server.planned["stacks/audit/stack.py"] = planned
    with pytest.raises(RehearsalError, match="dev-audit alone should have failed"):
        requests.use_output_at_once()


class InTurn(Scripted):
    """Only what a step is for changes."""

    def plan(self, changed: list[str] | None = None, only: str = "") -> list[Outcome]:
        self.changes = {Path(changed[0]).parent.name} if changed else set()
        return super().plan(changed, only)


def test_in_two_steps_it_is_offered_and_then_used(requests: PullRequests, server: Scripted):
    server.__class__ = InTurn
    assert requests.use_output_in_two_steps().splitlines() == [
        "  stacks/foundation/stack.py: 4 planned; dev-foundation changes and is applied",
        "  stacks/audit/stack.py: 1 planned; dev-audit changes and is applied",
    ]
    assert ADD_OUTPUT.line in (server.checkout / ADD_OUTPUT.file).read_text(encoding="utf-8")
    assert USE_OUTPUT.line in (server.checkout / USE_OUTPUT.file).read_text(encoding="utf-8")


@pytest.mark.parametrize(("changes", "told"), [(set[str](), "none"), ({"foundation", "network"}, "dev-network")])
def test_a_step_that_changes_something_else_is_told(
    requests: PullRequests, server: Scripted, changes: set[str], told: str
):
    server.changes = changes
    with pytest.raises(RehearsalError, match=f"dev-foundation alone should change, and .*{told} would"):
        requests.use_output_in_two_steps()


def test_all_of_it_is_done_in_order(requests: PullRequests, monkeypatch: pytest.MonkeyPatch):
    for step in ("deploy", "plan_all", "use_output_at_once", "use_output_in_two_steps"):
        monkeypatch.setattr(PullRequests, step, lambda _, step=step: step)
    assert [outcome for _, outcome in requests.run()] == [
        *("deploy", "plan_all", "use_output_at_once", "use_output_in_two_steps", "plan_all")
    ]


@pytest.mark.parametrize("edit", [ADD_OUTPUT, USE_OUTPUT])
def test_the_program_has_the_lines_that_are_added_to(edit: SettingsEdit, tmp_path: Path):
    (tmp_path / edit.file).parent.mkdir(parents=True)
    (tmp_path / edit.file).write_text((ROOT / edit.file).read_text(encoding="utf-8"), encoding="utf-8")
    edit.apply(tmp_path)
    assert edit.after + edit.line in (tmp_path / edit.file).read_text(encoding="utf-8")


def test_a_line_that_is_not_there_once_is_told(tmp_path: Path):
    (tmp_path / "a.py").write_text("x\nx\n", encoding="utf-8")
    with pytest.raises(RehearsalError, match=r"a\.py: 'x' stands there 2 times"):
        SettingsEdit("a.py", "x\n", "y\n").apply(tmp_path)


def test_the_projects_files_are_those_of_git():
    files = project_files()
    assert {"main.py", "atlantis.yaml", "docs/repos.yaml", "rehearsal/pull_requests.py"} <= set(files)
    assert not [file for file in files if file.startswith((".venv/", ".cache/", "node_modules/", "cdktf.out/"))]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two environments, of which git knows all."""
    root = tmp_path / "project"
    for name, text in {
        "Makefile": "setup: .venv/installed\n.venv/installed: Pipfile\n\t@touch $@\n",
        "Pipfile": "",
        "main.py": "import os\nfrom pathlib import Path\n"
        "Path(os.environ['CDKTF_OUTDIR']).mkdir()\nassert 'ENV' not in os.environ\nprint(os.environ['CDKTF_OUTDIR'])\n",
        "operations/__main__.py": "import sys\nfrom pathlib import Path\n"
        "Path('told').write_text(' '.join([*sys.argv[1:], *sorted(p.stem for p in Path('environments').iterdir())]))\n",
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


def test_a_checkout_has_one_environment_and_what_is_installed(project: Path, tmp_path: Path):
    checkout = create_checkout(tmp_path / "checkout", "dev", tmp_path / "log")
    assert [file.stem for file in (checkout / "environments").iterdir()] == ["dev"]
    assert (checkout / "ci-cdktf.out").is_dir()
    assert (checkout / "told").read_text(encoding="utf-8") == "atlantis dev"
    assert (checkout / ".venv").resolve() == project / ".venv"
    assert (checkout / ".cache" / "x").exists()


def test_what_is_not_installed_is_not_installed_through_it(project: Path, tmp_path: Path):
    (project / ".venv" / "installed").unlink()
    with pytest.raises(RehearsalError, match="what the project needs is not installed: run make setup"):
        create_checkout(tmp_path / "checkout", "dev", tmp_path / "log")
    assert not (project / ".venv" / "installed").exists()


def test_the_projects_own_age_installs_nothing(project: Path, tmp_path: Path):
    later = (project / ".venv" / "installed").stat().st_mtime + 60
    os.utime(project / "Pipfile", (later, later))
    create_checkout(tmp_path / "checkout", "dev", tmp_path / "log")
    assert (tmp_path / "checkout" / "Pipfile").stat().st_mtime < later


def test_a_server_has_roles_and_no_credentials_of_its_own(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setattr(module, "environment", lambda: dict(os.environ))
    given: dict[str, Any] = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "rehearsal"}
    settings = SimpleNamespace(name="dev", account="777788889999", region="us-west-1", second_region=None)
    rehearsal = SimpleNamespace(
        settings=settings,
        deployment=SimpleNamespace(folder=tmp_path),
        aws=SimpleNamespace(environment=given, endpoint="http://127.0.0.1:1"),
    )
    requests = PullRequests.of(cast(Any, rehearsal))
    assert "AWS_ACCESS_KEY_ID" not in requests.server.variables
    config = Path(requests.server.variables["AWS_CONFIG_FILE"]).read_text(encoding="utf-8")
    assert "[profile server]\naws_access_key_id = AKIA\n" in config
    assert "[profile globecart-dev-apply]\nrole_arn = arn:aws:iam::777788889999:role/globecart-access/dev/" in config
    assert "source_profile = server" in config
    assert requests.server.checkout == tmp_path / "checkout"
    assert requests.server.repo["allowed_overrides"] == ["workflow"]
    del project


def test_terraforms_own_words_are_passed_on(requests: PullRequests, monkeypatch: pytest.MonkeyPatch):
    def terraform(*_: str, cwd: Path) -> str:
        raise TerraformError(f"{cwd.name}: no")

    monkeypatch.setattr(module, "terraform", cast(Callable[..., str], terraform))
    with pytest.raises(TerraformError, match="dev-access: no"):
        requests.deploy()
