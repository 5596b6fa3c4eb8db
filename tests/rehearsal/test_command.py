"""The commands `rehearse` and others: steps, output, and exit codes."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ProfileNotFound
from rich.console import Console
from typer.testing import CliRunner, Result

import rehearsal
from lambda_rotation.credential import Credential
from local_aws.server import LocalAws
from operations.__main__ import app
from operations.errors import RefusedError
from operations.scan.checkov import ScanError
from operations.terraform import TerraformError
from rehearsal import one_environment, scenarios
from rehearsal.atlantis_server import AtlantisError
from rehearsal.deployers import Deployers
from rehearsal.deployment import Deployment
from rehearsal.faults import FaultInjection
from rehearsal.one_environment import Rehearsal, RehearsalError
from rehearsal.processes import ProgramError
from rehearsal.pull_requests import PullRequests
from rehearsal.report import Report
from stacks import ROOT
from stacks.settings import SettingsError, load_environments
from synthesized.platform import PlatformError
from tests.conftest import changed_settings, to_toml
from tests.rehearsal.fake_project import synthesize

SECRET = "arn:aws:secretsmanager:us-west-1:123456789012:secret:credential"
CREDENTIAL = Credential(
    username="shop_a",
    password="never shown",
    engine="postgres",
    host="127.0.7.1",
    port=5432,
    dbname="shop",
    reader_host="127.0.7.2",
)

Step = Callable[[], None]


@dataclass
class Script:
    """Replaces the steps of a rehearsal: all succeed, except those that a test sets."""

    folder: Path
    aws: LocalAws
    steps: dict[str, Step] = field(default_factory=dict)
    steps_taken: list[str] = field(default_factory=list)
    change: dict[str, Any] = field(default_factory=dict)
    """Changes to the settings."""
    ended: bool = False
    subfolder: str = ""

    @contextmanager
    def staged(self, name: str, console: Console, subfolder: str = "") -> Generator[Rehearsal]:
        """Replacement for `open_rehearsal`, with the shared local AWS."""
        self.subfolder = subfolder
        table = changed_settings("dev", {"account": self.aws.account, **self.change})
        (self.folder / f"{name}.toml").write_text(to_toml(table))
        (settings,) = load_environments(self.folder, only=name)
        deployment = Deployment(name, self.folder)
        platform = synthesize(deployment.stacks, settings)
        report = Report(name, synthesized=4, resources=4, integration_passed=7)
        rehearsal = ScriptedRehearsal(settings, self.aws, deployment, platform, console, report)
        vars(rehearsal)["script"] = self
        try:
            yield rehearsal
        finally:
            self.ended = True

    def take(self, step: str) -> None:
        self.steps_taken.append(step)
        self.steps.get(step, lambda: None)()

    @property
    def report(self) -> dict[str, Any]:
        """Content of the report file."""
        return json.loads((self.folder / "report.json").read_text())


class ScriptedRehearsal(Rehearsal):
    """A rehearsal with scripted steps."""

    @property
    def _script(self) -> Script:
        return vars(self)["script"]

    def bootstrap(self) -> None:
        self._script.take("bootstrap")

    def preflight(self) -> None:
        self._script.take("preflight")

    def deploy(self, *tiers: str) -> None:
        self._script.take("deploy" if tiers != ("access",) else "deploy access")

    def rotate_under_load(self, times: int = one_environment.ROTATIONS) -> None:
        self._script.take("rotate")
        self.report.rotations = self.report.redeployments = times
        self.report.scheduled_executions = 1
        self.report.logins = 200 * times

    def run_integration_tests(self) -> None:
        self._script.take("integration tests")

    def plan_again(self) -> None:
        self._script.take("plan again")

    def run_checkov(self) -> None:
        self._script.take("run checkov")
        self.report.rules_held = 500

    def destroy(self, *tiers: str) -> None:
        if tiers != ("access",):
            self._script.take("destroy")

    def secret(self) -> str:
        return SECRET

    def credential(self, secret: str) -> Credential:
        assert secret == SECRET
        return CREDENTIAL


ALL = [
    *(
        "bootstrap",
        "preflight",
        "deploy access",
        "deploy",
        "rotate",
        "integration tests",
        "plan again",
        "check permissions",
    ),
    *("run checkov", "review", "drift", "destroy"),
]


def scripted_review(rehearsal: ScriptedRehearsal) -> None:
    vars(rehearsal)["script"].take("review")
    rehearsal.report.review = "exposure: 1 finding"


def scripted_drift(rehearsal: ScriptedRehearsal) -> None:
    vars(rehearsal)["script"].take("drift")
    rehearsal.report.changes_found = 2


@pytest.fixture(autouse=True)
def handlers() -> Generator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def script(aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Script]:
    script = Script(tmp_path, aws)
    unknown = aws.gateway.unsupported.copy()
    aws.gateway.unsupported.clear()
    monkeypatch.setattr(scenarios, "open_rehearsal", script.staged)
    monkeypatch.setattr(scenarios, "review_change", scripted_review)
    monkeypatch.setattr(scenarios, "detect_change", scripted_drift)
    monkeypatch.setattr(scenarios, "FOLDER", Path("/rehearsals"))
    monkeypatch.setattr(Deployers, "check_permissions", lambda _: script.take("check permissions"))
    monkeypatch.setattr(Deployers, "acting_as", lambda *_: nullcontext())
    yield script
    aws.gateway.unsupported.clear()
    aws.gateway.unsupported.update(unknown)


def rehearse(*arguments: str, faults: bool = False) -> Result:
    return CliRunner().invoke(app, ["rehearse-faults" if faults else "rehearse", *arguments])


def fails(error: BaseException) -> Step:
    def fail() -> None:
        raise error

    return fail


def in_order(text: str, *parts: str) -> bool:
    places = [text.find(part) for part in parts]
    return -1 not in places and places == sorted(places)


def test_all_steps_run_in_order(script: Script):
    result = rehearse("dev")
    assert result.exit_code == 0, result.output
    assert script.steps_taken == ALL
    assert in_order(
        result.output,
        *("bootstrap", "preflight", "access", "deploy", "rotate", "integration tests", "second plan", "permissions"),
        *("checkov", "review", "drift", "destroy"),
    )
    assert "Rehearsal of dev" in result.output
    assert "4 of 4" in result.output
    assert "Not proven by a rehearsal: " in result.output
    assert script.report["environment"] == "dev"
    assert script.report["rotations"] == one_environment.ROTATIONS
    assert script.report["failed_calls"] == []
    assert list(script.report["seconds"]) == [
        "bootstrap",
        "preflight",
        "access",
        "deploy",
        "rotate",
        "integration tests",
        "second plan",
        "permissions",
        "checkov",
        "review",
        "drift",
        "destroy",
    ]
    assert script.ended


def test_default_environment_is_dev(script: Script):
    assert rehearse().exit_code == 0
    assert script.report["environment"] == "dev"


def test_protected_environment_is_not_destroyed(script: Script):
    script.change = {"deletion_protection": True}
    assert rehearse("dev").exit_code == 0
    assert script.steps_taken == ALL[:-1]


def test_problem_in_the_report_exits_with_1_after_all_steps(script: Script):
    script.aws.gateway.unsupported["quicksight:ListUsers"] = 2
    result = rehearse("dev")
    assert result.exit_code == 1
    assert script.steps_taken == ALL
    assert "the local AWS does not support quicksight:ListUsers (2 calls)" in result.stdout
    assert result.stderr == "the rehearsal failed\nLogs: /rehearsals/dev\n"
    assert script.report["failed_calls"] == ["the local AWS does not support quicksight:ListUsers (2 calls)"]


@pytest.mark.parametrize(
    "error",
    [
        RehearsalError("network: Error: creating EC2 VPC"),
        RefusedError("these credentials belong to account 1"),
        ProgramError("cdktf exited with 1"),
        PlatformError("a reference leads nowhere"),
        TerraformError("terraform plan: Error"),
        ScanError("checkov is missing"),
    ],
)
@pytest.mark.parametrize("step", ["bootstrap", "deploy", "plan again", "run checkov", "review", "drift"])
def test_failed_step_is_the_last_and_reported_in_one_line_with_the_logs(script: Script, step: str, error: Exception):
    script.steps[step] = fails(error)
    result = rehearse("dev")
    assert result.exit_code == 1
    assert script.steps_taken == ALL[: ALL.index(step) + 1]
    assert result.stderr == f"{error}\nLogs: /rehearsals/dev\n"
    # The results of the steps before are still reported.
    assert "Rehearsal of dev" in result.stdout
    assert len(script.report["seconds"]) == ALL.index(step)
    assert script.ended


def test_unexpected_error_is_not_hidden(script: Script):
    script.steps["deploy"] = fails(ZeroDivisionError())
    result = rehearse("dev")
    assert isinstance(result.exception, ZeroDivisionError)
    assert script.report["environment"] == "dev"


@pytest.mark.parametrize(
    "interruption",
    [fails(KeyboardInterrupt()), lambda: signal.raise_signal(signal.SIGTERM)],
    ids=["Ctrl-C", "SIGTERM"],
)
@pytest.mark.parametrize("step", ["deploy", "rotate"])
def test_interruption_is_reported_in_one_line_and_writes_the_report(script: Script, step: str, interruption: Step):
    script.steps[step] = interruption
    result = rehearse("dev")
    assert result.exit_code == 1
    assert result.stderr == "Stopped; nothing is left running. Logs: /rehearsals/dev\n"
    assert script.steps_taken[-1] == step
    assert script.report["environment"] == "dev"
    assert script.ended


@pytest.mark.usefixtures("aws_reset_afterwards", "quick_sessions")
def test_unknown_environment_is_a_usage_error():
    result = rehearse("production")
    assert result.exit_code == 2
    assert "production" in result.stderr
    assert "Logs" not in result.stderr


def test_settings_error_in_a_step_is_reported(script: Script):
    script.steps["bootstrap"] = fails(SettingsError("network.cidr = 1: allowed: a network"))
    assert rehearse("dev").stderr == "network.cidr = 1: allowed: a network\n"


@pytest.mark.parametrize("arguments", [["dev", "--forever"], ["dev", "prod"], ["dev", "--short"]])
@pytest.mark.usefixtures("script")
def test_usage_error_exits_with_2(arguments: list[str]):
    assert rehearse(*arguments).exit_code == 2


@pytest.fixture
def until_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Press Ctrl-C in the third second."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(scenarios, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))
    return slept


def test_keep_runs_until_ctrl_c_and_prints_how_to_connect(script: Script, until_ctrl_c: list[float]):
    result = rehearse("dev", "--keep")
    assert result.exit_code == 0, result.output
    assert until_ctrl_c == [1, 1, 1]
    assert script.steps_taken == ALL[:-1]
    for name, value in script.aws.environment.items():
        assert f"export {name}={value}" in result.stdout
    assert f"export CDKTF_OUTDIR='{script.folder / 'cdktf.out'}'" in result.stdout
    assert f"terraform -chdir='{script.folder / 'cdktf.out' / 'stacks' / 'dev-network'}' plan" in result.stdout
    assert 'psql "host=127.0.7.1 port=5432 dbname=shop user=shop_a sslmode=verify-full ' in result.stdout
    assert f"sslrootcert='{script.aws.certificates}'\"" in result.stdout
    assert f"get-secret-value --secret-id {SECRET}" in result.stdout
    assert CREDENTIAL.password not in result.output
    assert result.stdout.endswith("Stopping\n")
    assert result.stderr == ""


@pytest.mark.usefixtures("until_ctrl_c")
def test_keep_waits_after_problems_and_exits_with_1(script: Script):
    script.aws.gateway.unsupported["quicksight:ListUsers"] = 1
    result = rehearse("dev", "--keep")
    assert result.exit_code == 1
    assert in_order(result.stdout, "does not support quicksight", "Running until Ctrl-C", "Stopping")
    assert result.stderr.startswith("the rehearsal failed\n")


@pytest.mark.usefixtures("until_ctrl_c")
def test_keep_ends_after_a_failed_step(script: Script):
    script.steps["deploy"] = fails(RehearsalError("network: Error"))
    result = rehearse("dev", "--keep")
    assert result.exit_code == 1
    assert "Running until Ctrl-C" not in result.stdout


@pytest.fixture
def injected_tiers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Tiers of each fault injection, which is replaced by two faults."""
    tiers: list[tuple[str, ...]] = []

    def happen(injection: FaultInjection) -> Generator[tuple[str, str]]:
        tiers.append(injection.tiers)
        yield "SIGKILL in network", "1 stale locks released ([network])"
        yield "10% of calls fail", "3 ThrottlingException"

    monkeypatch.setattr(FaultInjection, "run", happen)
    return tiers


@pytest.mark.parametrize(("arguments", "tiers"), [([], ("foundation", "network")), (["--short"], ("foundation",))])
def test_each_fault_is_printed_with_its_recovery(
    script: Script,
    injected_tiers: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    tiers: tuple[str, ...],
):
    monkeypatch.setattr(scenarios, "SHORT_TIERS", ("foundation",))
    result = rehearse("dev", *arguments, faults=True)
    assert result.exit_code == 0, result.output
    assert script.steps_taken == ["bootstrap"]
    assert injected_tiers == [tiers]
    assert in_order(
        result.stdout,
        "SIGKILL in network (0 s)\n  1 stale locks released ([network])\n",
        "10% of calls fail (0 s)\n  3 ThrottlingException\n",
    )


def test_failed_recovery_exits_with_1(script: Script, monkeypatch: pytest.MonkeyPatch):
    def happen(_: FaultInjection) -> Generator[tuple[str, str]]:
        yield "SIGKILL in network", "survived"
        raise RehearsalError("in no state: arn:aws:sns:us-west-1:123456789012:orders")

    monkeypatch.setattr(FaultInjection, "run", happen)
    result = rehearse("dev", faults=True)
    assert result.exit_code == 1
    assert "SIGKILL in network" in result.stdout
    assert result.stderr == "in no state: arn:aws:sns:us-west-1:123456789012:orders\nLogs: /rehearsals/dev\n"
    assert script.ended


@pytest.mark.parametrize("error", [None, AtlantisError("pre-workflow hook: atlantis.yaml is out of date")])
def test_each_pull_request_is_printed_with_its_result(
    script: Script, monkeypatch: pytest.MonkeyPatch, error: Exception | None
):
    def play(_: PullRequests) -> Generator[tuple[str, str]]:
        yield "first deployment", "  dev-foundation  New"
        if error:
            raise error
        yield "plan of all", "  10 projects, no changes"

    def of(rehearsal: Rehearsal) -> PullRequests:
        return PullRequests(rehearsal, cast(Any, None))

    monkeypatch.setattr(PullRequests, "of", of)
    monkeypatch.setattr(PullRequests, "run", play)
    result = CliRunner().invoke(app, ["rehearse-atlantis"])
    assert script.steps_taken == ["bootstrap"]
    assert script.subfolder == "atlantis"
    assert "first deployment (0 s)\n  dev-foundation  New\n" in result.stdout
    if error:
        assert (result.exit_code, result.stderr) == (1, f"{error}\nLogs: /rehearsals/atlantis/dev\n")
    else:
        assert result.exit_code == 0, result.output
        assert "plan of all (0 s)\n  10 projects, no changes\n" in result.stdout


def test_short_form_has_no_database():
    assert "database" not in scenarios.SHORT_TIERS


@pytest.mark.parametrize("name", ["rehearse", "rehearse-atlantis", "rehearse-faults", "rehearse-guide"])
def test_help_lists_exit_codes(name: str):
    help_ = CliRunner().invoke(app, [name, "--help"])
    assert help_.exit_code == 0
    assert "Exit codes: 0 all " in " ".join(help_.output.split())


class Unloadable(MetaPathFinder):
    """Import hook that fails as moto does if the AWS profile does not exist."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        del path, target
        if fullname == scenarios.__name__:
            raise ProfileNotFound(profile="nowhere")


def test_missing_profile_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, scenarios.__name__)
    monkeypatch.delattr(rehearsal, "scenarios")
    monkeypatch.setattr(sys, "meta_path", [Unloadable(), *sys.meta_path])
    result = rehearse("dev")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "the AWS credentials are incomplete: The config profile (nowhere) could not be found\n"


def test_other_commands_do_not_import_moto():
    program = "import sys, operations.__main__; sys.exit('moto' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
