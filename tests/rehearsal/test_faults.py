"""Fault injection: the recovery from each fault, and errors if it fails."""

import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPConnection
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from rich.console import Console

from local_aws.server import LocalAws
from operations import drift
from operations.orphans import IMPORT_FILE
from rehearsal import faults
from rehearsal.deployment import Deployment, OnLine, OnStart
from rehearsal.faults import FAULT_SHARE, FaultInjection, Interruption
from rehearsal.one_environment import Rehearsal, RehearsalError
from rehearsal.processes import ProgramError, run
from rehearsal.report import Report
from stacks.names import Names
from stacks.settings import load_environments
from synthesized.platform import Body, Stack
from tests.conftest import changed_settings, to_toml
from tests.rehearsal.fake_project import SCHEMA, synthesize
from tests.states import state

NUMBERS = count(1)
TIERS = ("foundation", "network")
BUCKET, BLOCK = "aws_s3_bucket.files", "aws_s3_bucket_public_access_block.files"
ORDERS, RETURNS = "aws_sns_topic.orders", "aws_sns_topic.returns"

# A cdktf CLI in the middle of a deployment; it exits after 20 seconds unless it is interrupted.
DEPLOYING = """
import sys, time
for name in ("orders", "returns"):
    print(f"{sys.argv[1]}-network  aws_sns_topic.{name} ({name}): Creation complete after 0s [id={name}]", flush=True)
time.sleep(20)
"""
# Contents of Terraform's lock file.
LOCK = {"ID": "1", "Operation": "apply", "Who": "me@here", "Created": "2026-01-01T00:00:00Z", "Version": "1.11.4"}

Behavior = Callable[..., None]
client = cache(LocalAws.client)
"""Cached: creating a client takes longer than the calls."""


@dataclass
class SimulatedDeployment(Deployment):
    """A deployment without Terraform: tests set the states and plans."""

    aws: LocalAws
    bucket: str = ""
    states: dict[str, dict[str, Body]] = field(default_factory=dict)
    plans: list[Body] = field(default_factory=list)
    """Next plans; later ones are empty."""
    behaviors: list[Behavior] = field(default_factory=list)
    """Behavior of the next deployments; later ones succeed."""
    deployed: list[tuple[str, ...]] = field(default_factory=list)
    terraform_calls: list[tuple[str, ...]] = field(default_factory=list)
    """Tier and arguments of each call."""
    tainted_addresses: set[str] = field(default_factory=set)

    def deploy(
        self,
        *stacks: str,
        on_line: OnLine = lambda _: None,
        on_start: OnStart = lambda _: None,
    ) -> None:
        self.deployed.append(stacks)
        if self.behaviors:
            self.behaviors.pop(0)(on_line, on_start)

    def terraform(self, stack: Stack, *arguments: str) -> str:
        self.terraform_calls.append((stack.tier, *arguments))
        match arguments:
            case ("state", "list"):
                return "".join(f"{address}\n" for address in (*self.states[stack.tier], "data.aws_region.here"))
            case ("state", "pull"):
                return json.dumps(self._state(stack.tier))
            case ("apply", "-auto-approve", *_):
                for block in json.loads((stack.folder / IMPORT_FILE).read_text())["import"]:
                    self.add_to_state(stack.tier, block["to"], block["id"])
            case ("providers", *_):
                return SCHEMA
            case ("show", *_):
                return json.dumps(self.plans.pop(0) if self.plans else {})
            case _:
                pass
        return ""

    def add_to_state(self, tier: str, address: str, id: str) -> None:
        """Add a resource to a state."""
        self.states.setdefault(tier, {})[address] = {"id": id, "arn": id}
        self._put(f"{self.name}/{tier}.tfstate", self._state(tier))

    def lock(self, tier: str) -> None:
        """Create a lock file, as a killed Terraform leaves it."""
        self._put(f"{self.name}/{tier}.tfstate.tflock", LOCK)

    def _state(self, tier: str) -> Body:
        return state(self.states.get(tier, {}), tainted=self.tainted_addresses)

    def _put(self, key: str, content: Body) -> None:
        client(self.aws, "s3").put_object(Bucket=self.bucket, Key=key, Body=json.dumps(content))


@dataclass
class Scene:
    """A deployed platform, with every resource in its state."""

    rehearsal: Rehearsal
    deployment: SimulatedDeployment
    names: Names

    @property
    def injection(self) -> FaultInjection:
        return FaultInjection(self.rehearsal, TIERS)

    @property
    def aws(self) -> LocalAws:
        return self.rehearsal.aws

    @property
    def name(self) -> str:
        return self.rehearsal.settings.name

    def tags(self, tier: str) -> list[dict[str, str]]:
        tags = {"Environment": self.name, "ManagedBy": "cdktf", "Tier": tier}
        return [{"Key": key, "Value": value} for key, value in tags.items()]

    def topic(self, name: str, **tags: str) -> str:
        """ARN of a new topic of the network tier."""
        wanted = [*self.tags("network"), *({"Key": key, "Value": value} for key, value in tags.items())]
        return client(self.aws, "sns").create_topic(Name=self.names.resource_name(name), Tags=wanted)["TopicArn"]

    def stack(self, tier: str) -> str:
        return f"{self.name}-{tier}"

    @property
    def locks(self) -> list[str]:
        listed = client(self.aws, "s3").list_objects_v2(Bucket=self.names.state_bucket).get("Contents", [])
        return [entry["Key"] for entry in listed if entry["Key"].endswith(".tflock")]


@pytest.fixture
def scene(aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_sessions: None) -> Scene:
    del quick_sessions
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    name = f"bad{next(NUMBERS)}"
    (tmp_path / f"{name}.toml").write_text(to_toml(changed_settings("dev", {"account": aws.account})))
    (settings,) = load_environments(tmp_path, only=name)
    names = settings.names
    s3 = client(aws, "s3")
    for bucket in (names.state_bucket, names.bucket_name("files")):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_bucket_versioning(Bucket=names.state_bucket, VersioningConfiguration={"Status": "Enabled"})
    monkeypatch.setattr(drift, "CACHE", tmp_path / "cache")
    deployment = SimulatedDeployment(name, tmp_path, aws, names.state_bucket)
    platform = synthesize(deployment.stacks, settings)
    rehearsal = Rehearsal(settings, aws, deployment, platform, Console(file=StringIO()), Report(name))
    scene = Scene(rehearsal, deployment, names)
    s3.put_bucket_tagging(Bucket=names.bucket_name("files"), Tagging={"TagSet": scene.tags("foundation")})
    for address in (BUCKET, BLOCK):
        deployment.add_to_state("foundation", address, names.bucket_name("files"))
    for address in (ORDERS, RETURNS):
        deployment.add_to_state("network", address, scene.topic(address.rpartition(".")[2]))
    return scene


def begun(scene: Scene, *also: Callable[[], object]) -> Behavior:
    """A deployment that runs until it is interrupted, after the given actions."""

    def behave(on_line: OnLine, on_start: OnStart) -> None:
        for action in also:
            action()
        log = scene.deployment.folder / "deploy.log"
        command = [sys.executable, "-I", "-S", "-c", DEPLOYING, scene.name]
        run(command, cwd=log.parent, variables={}, log=log, on_line=on_line, on_start=on_start)

    return behave


def fails(error: Exception) -> Behavior:
    def behave(*_: object) -> None:
        raise error

    return behave


def planned(address: str, *actions: str) -> Body:
    return {"resource_changes": [{"address": address, "mode": "managed", "change": {"actions": list(actions)}}]}


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_deployment_is_cleaned_up(scene: Scene, by: signal.Signals):
    del scene.deployment.states["network"][RETURNS]
    scene.deployment.add_to_state("network", ORDERS, scene.topic("orders"))
    scene.deployment.behaviors = [begun(scene, lambda: scene.deployment.lock("network"))]
    outcome = scene.injection.interrupt(Interruption(by, "network", 2))
    assert outcome == (
        f"after 2 resources; stale locks released: {scene.stack('network')}; "
        "orphans imported: 1; protected resources untainted: 0"
    )
    assert scene.deployment.deployed == [(scene.stack("foundation"), scene.stack("network"))]
    assert scene.locks == []
    # Deleted resources are removed from the state before orphans are imported.
    assert [call for call in scene.deployment.terraform_calls if "pull" not in call] == [
        ("network", "apply", "-refresh-only", "-auto-approve", "-input=false"),
        ("network", "apply", "-auto-approve", "-input=false", f"-target={RETURNS}"),
    ]
    # No import blocks are left for later deployments.
    assert not list(scene.deployment.stacks.rglob(IMPORT_FILE))
    assert scene.injection.verify_states().startswith("4 resources")


def test_stack_without_a_state_is_not_refreshed(scene: Scene):
    key = f"{scene.name}/network.tfstate"
    client(scene.aws, "s3").delete_object(Bucket=scene.names.state_bucket, Key=key)
    scene.deployment.lock("network")
    assert scene.injection.release_locks() == [scene.stack("network")]
    assert scene.locks == []
    assert scene.deployment.terraform_calls == []


def test_tainted_protected_resources_are_untainted(scene: Scene):
    scene.deployment.tainted_addresses = {BUCKET, ORDERS}
    assert scene.injection.untaint_protected() == 1
    # The next apply replaces the topic, which is not protected.
    assert [call for call in scene.deployment.terraform_calls if "pull" not in call] == [
        ("foundation", "untaint", BUCKET)
    ]


def test_stack_without_a_state_is_not_untainted(scene: Scene):
    for tier in TIERS:
        client(scene.aws, "s3").delete_object(Bucket=scene.names.state_bucket, Key=f"{scene.name}/{tier}.tfstate")
    assert scene.injection.untaint_protected() == 0
    assert scene.deployment.terraform_calls == []


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_program_exits_by_the_signal(scene: Scene, by: signal.Signals):
    programs: list[subprocess.Popen[str]] = []

    def behave(on_line: OnLine, on_start: OnStart) -> None:
        def record(process: subprocess.Popen[str]) -> None:
            programs.append(process)
            on_start(process)

        begun(scene)(on_line, record)

    scene.deployment.behaviors = [behave]
    expected = "stale locks released: none; orphans imported: 0"
    assert expected in scene.injection.interrupt(Interruption(by, "network", 1))
    assert programs[0].returncode == -by


def test_killed_program_must_leave_a_lock(scene: Scene):
    scene.deployment.behaviors = [begun(scene)]
    with pytest.raises(RehearsalError, match=r"SIGKILL.*: no lock was left behind: nothing was interrupted$"):
        scene.injection.interrupt(Interruption(signal.SIGKILL, "network", 1))


def test_deployment_that_finishes_before_the_interruption_is_an_error(scene: Scene):
    with pytest.raises(RehearsalError, match=r"SIGINT.*: the deployment finished before that$"):
        scene.injection.interrupt(Interruption(signal.SIGINT, "network", 50))


def test_deployment_that_fails_before_the_interruption_is_an_error(scene: Scene):
    def behave(on_line: OnLine, on_start: OnStart) -> None:
        log = scene.deployment.folder / "deploy.log"
        command = [sys.executable, "-I", "-S", "-c", "raise SystemExit('Error: it is refused')"]
        run(command, cwd=log.parent, variables={}, log=log, on_line=on_line, on_start=on_start)

    scene.deployment.behaviors = [behave]
    with pytest.raises(RehearsalError, match=r"the deployment failed before that: .* Error: it is refused"):
        scene.injection.interrupt(Interruption(signal.SIGKILL, "network", 1))


def test_ambiguous_orphan_is_not_imported(scene: Scene):
    for name in ("orders", "returns"):
        client(scene.aws, "sns").delete_topic(TopicArn=scene.topic(name))
    scene.deployment.states["network"].clear()
    scene.deployment.add_to_state("network", "aws_sns_topic.other", "other")
    lost = scene.topic("unknown")
    with pytest.raises(RehearsalError, match=f"^{lost} could be several resources of network$"):
        scene.injection.import_orphans()
    assert scene.deployment.terraform_calls == []
    assert not list(scene.deployment.stacks.rglob(IMPORT_FILE))


def test_calls_fail_during_the_deployment_only(scene: Scene, monkeypatch: pytest.MonkeyPatch):
    faults = scene.aws.gateway.faults
    monkeypatch.setattr(faults, "random", random.Random(7))  # noqa: S311 - no secret; each run alike
    shares: list[float] = []

    def behave(*_: object) -> None:
        shares.append(faults.rate)
        faults.rate = 1.0
        address = urlsplit(scene.aws.endpoint).netloc
        for _number in range(6):
            with closing(HTTPConnection(address)) as connection:
                connection.request("GET", "/")
                assert connection.getresponse().status in {400, 500}

    scene.deployment.behaviors = [behave]
    outcome = scene.injection.fail_calls()
    assert shares == [FAULT_SHARE]
    assert faults.rate == 0.0
    counted = {code: int(number) for number, code in (each.split() for each in outcome.split(", "))}
    assert counted == faults.injected
    assert counted.keys() == {"InternalFailure", "ThrottlingException"}
    assert sum(counted.values()) == 6
    assert scene.deployment.deployed == [(scene.stack("foundation"), scene.stack("network"))]


def test_calls_succeed_again_after_a_failed_deployment(scene: Scene):
    scene.deployment.behaviors = [fails(ProgramError("cdktf exited with 1"))]
    with pytest.raises(ProgramError):
        scene.injection.fail_calls()
    assert scene.aws.gateway.faults.rate == 0.0


def test_states_with_every_resource_once_are_valid(scene: Scene):
    assert scene.injection.verify_states() == "4 resources, each in its state; second plans are empty"


def test_resource_in_no_state_is_an_error(scene: Scene):
    lost = scene.topic("duplicate")
    with pytest.raises(RehearsalError, match=f"^in no state: {lost}$"):
        scene.injection.verify_states()


def test_resource_missing_from_a_state_is_found_independently_of_orphans(scene: Scene, monkeypatch: pytest.MonkeyPatch):
    duplicate = scene.topic("duplicate")
    monkeypatch.setattr(faults, "find_orphans", lambda *_: [])
    with pytest.raises(RehearsalError, match=f"^{duplicate} is not in the state of {scene.stack('network')}$"):
        scene.injection.verify_states()


@pytest.mark.parametrize(("change", "count"), [("lost", 1), ("duplicate", 3)])
def test_wrong_number_of_resources_in_a_state_is_an_error(scene: Scene, change: str, count: int):
    if change == "lost":
        client(scene.aws, "sns").delete_topic(TopicArn=scene.topic("returns"))
        del scene.deployment.states["network"][RETURNS]
    else:
        scene.deployment.add_to_state("network", "aws_sns_topic.again", scene.topic("again"))
    with pytest.raises(
        RehearsalError, match=f"^{scene.stack('network')}: its state has {count} resources, expected 2$"
    ):
        scene.injection.verify_states()


def test_nonempty_second_plan_is_an_error(scene: Scene):
    scene.deployment.plans = [{}, planned(ORDERS, "update")]
    with pytest.raises(RehearsalError) as raised:
        scene.injection.verify_states()
    assert str(raised.value) == f"{scene.stack('network')}: a second plan would change {ORDERS}: update"


def test_tiers_that_are_not_deployed_are_not_verified(scene: Scene):
    assert FaultInjection(scene.rehearsal, ("foundation",)).verify_states().startswith("2 resources")


DRIFTED: Body = {
    "resource_drift": [
        {
            "address": BLOCK,
            "mode": "managed",
            "type": "aws_s3_bucket_public_access_block",
            "name": "files",
            "change": {"before": {"block_public_policy": True}, "after": {"block_public_policy": False}},
        }
    ]
}
"""A refresh-only plan after public policies were allowed on a bucket."""


def test_drift_is_found_and_corrected(scene: Scene):
    scene.deployment.plans = [planned(BLOCK, "update"), DRIFTED]
    assert scene.injection.correct_drift() == f"{BLOCK}: update; corrected"
    changed = client(scene.aws, "s3").get_public_access_block(Bucket=scene.names.bucket_name("files"))
    assert changed["PublicAccessBlockConfiguration"]["BlockPublicPolicy"] is False
    assert scene.deployment.deployed == [(scene.stack("foundation"),)]


@pytest.mark.parametrize(
    ("plan", "changes"),
    [
        ({}, "nothing"),
        (planned(BUCKET, "update"), f"{BUCKET}: update"),
        (
            {
                "resource_changes": [*planned(BLOCK, "update")["resource_changes"]],
                "output_changes": {"a": {"actions": ["update"]}},
            },
            f"{BLOCK}: update, output a: update",
        ),
    ],
)
def test_plan_without_exactly_the_drift_is_an_error(scene: Scene, plan: Body, changes: str):
    scene.deployment.plans = [plan]
    with pytest.raises(RehearsalError, match=f" allows public policies, but a plan would change {changes}$"):
        scene.injection.correct_drift()
    assert scene.deployment.deployed == []


def test_missing_drift_is_an_error(scene: Scene):
    scene.deployment.plans = [planned(BLOCK, "update"), {}]
    with pytest.raises(RehearsalError, match=r" allows public policies, but the drift is Drift\(changes=\[\], "):
        scene.injection.correct_drift()
    assert scene.deployment.deployed == []


def test_uncorrected_drift_is_an_error(scene: Scene):
    scene.deployment.plans = [planned(BLOCK, "update"), DRIFTED, planned(BLOCK, "update")]
    with pytest.raises(RehearsalError, match=f": after another deployment, a plan would change {BLOCK}: update$"):
        scene.injection.correct_drift()


@pytest.fixture
def injected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Injected faults, each replaced by a function that returns its name and arguments."""
    calls: list[str] = []

    def fault(name: str) -> Callable[..., str]:
        def record(_: FaultInjection, *arguments: Any) -> str:
            calls.append(" ".join([name, *map(describe, arguments)]))
            return calls[-1]

        return record

    for name in ("interrupt", "fail_calls", "verify_states", "correct_drift", "rotate_without_database"):
        monkeypatch.setattr(FaultInjection, name, fault(name))
    return calls


def describe(interruption: Interruption) -> str:
    return f"{interruption.sent_signal.name} {interruption.tier} {interruption.after_resources}"


def inject(scene: Scene, *tiers: str) -> Iterator[tuple[str, str]]:
    return FaultInjection(scene.rehearsal, tiers).run()


def test_all_faults_are_injected_in_order(scene: Scene, injected: list[str]):
    names = [name for name, _ in inject(scene, "foundation", "network", "database", "rotation", "service")]
    assert names == [
        "SIGINT in foundation",
        "SIGTERM in network",
        "SIGKILL in network",
        "SIGKILL in service",
        "10% of calls fail",
        "no lost or duplicate resources",
        "a change behind Terraform's back",
        "the database is down",
    ]
    assert injected == [
        *(f"interrupt {describe(interruption)}" for interruption in faults.INTERRUPTIONS),
        "fail_calls",
        "verify_states",
        "correct_drift",
        "rotate_without_database",
    ]


@pytest.mark.usefixtures("injected")
def test_unsupported_call_is_reported_at_the_end(scene: Scene):
    scene.aws.gateway.unsupported["quicksight:ListUsers"] += 1
    try:
        with pytest.raises(RehearsalError, match=r"^the local AWS does not support quicksight:ListUsers \(1 calls\)$"):
            list(inject(scene, "foundation"))
    finally:
        del scene.aws.gateway.unsupported["quicksight:ListUsers"]


def test_short_form_has_faults_without_database(scene: Scene, injected: list[str]):
    outcomes = dict(inject(scene, "foundation", "network"))
    assert "SIGKILL in service" not in outcomes
    assert "the database is down" not in outcomes
    assert list(outcomes.values()) == injected


def test_next_fault_is_injected_after_the_previous_was_reported(scene: Scene, injected: list[str]):
    faults_to_inject = inject(scene, *TIERS)
    next(faults_to_inject)
    assert len(injected) == 1
