"""A bad day: what each fault leaves is found and set right, and what was not survived is told."""

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
from rehearsal.deployment import Deployment
from rehearsal.faults import FAULT_SHARE, FaultInjection, Interruption
from rehearsal.one_environment import Rehearsal, RehearsalError
from rehearsal.processes import ProgramError, run
from rehearsal.report import Report
from stacks.names import Names
from stacks.settings import load_environments
from synthesized.platform import Body, Stack
from tests.conftest import changed_settings, to_toml
from tests.rehearsal.fake_project import SCHEMA, account_settings, synthesize
from tests.states import state

NUMBERS = count(1)
TIERS = ("foundation", "network")
BUCKET, BLOCK = "aws_s3_bucket.files", "aws_s3_bucket_public_access_block.files"
ORDERS, RETURNS = "aws_sns_topic.orders", "aws_sns_topic.returns"

# The cdktf CLI in the middle of a deployment; it ends itself where nobody ends it.
DEPLOYING = """
import sys, time
for name in ("orders", "returns"):
    print(f"{sys.argv[1]}-network  aws_sns_topic.{name} ({name}): Creation complete after 0s [id={name}]", flush=True)
time.sleep(20)
"""
# What Terraform writes into a lock.
LOCK = {"ID": "1", "Operation": "apply", "Who": "me@here", "Created": "2026-01-01T00:00:00Z", "Version": "1.11.4"}

Act = Callable[..., None]
ask = cache(LocalAws.client)
"""A client costs more than what it is asked here."""


@dataclass
class SimulatedDeployment(Deployment):
    """Deploys nothing: what Terraform would have in its states and plans is what a test says."""

    aws: LocalAws
    bucket: str = ""
    states: dict[str, dict[str, Body]] = field(default_factory=dict)
    plans: list[Body] = field(default_factory=list)
    """Of those to come: all after them are empty."""
    acts: list[Act] = field(default_factory=list)
    """Of deployments to come: all after them go well."""
    deployed: list[tuple[str, ...]] = field(default_factory=list)
    terraform_calls: list[tuple[str, ...]] = field(default_factory=list)
    """Of Terraform: tier and arguments."""
    tainted_addresses: set[str] = field(default_factory=set)
    """Addresses."""

    def deploy(
        self,
        *stacks: str,
        line: Callable[[str], None] = lambda _: None,
        started: Callable[[subprocess.Popen[str]], None] = lambda _: None,
    ) -> None:
        self.deployed.append(stacks)
        if self.acts:
            self.acts.pop(0)(line, started)

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
        """Put a resource into a state."""
        self.states.setdefault(tier, {})[address] = {"id": id, "arn": id}
        self._put(f"{self.name}/{tier}.tfstate", self._state(tier))

    def lock(self, tier: str) -> None:
        """Let a lock be there, as of a Terraform that was killed."""
        self._put(f"{self.name}/{tier}.tfstate.tflock", LOCK)

    def _state(self, tier: str) -> Body:
        return state(self.states.get(tier, {}), tainted=self.tainted_addresses)

    def _put(self, key: str, content: Body) -> None:
        ask(self.aws, "s3").put_object(Bucket=self.bucket, Key=key, Body=json.dumps(content))


@dataclass
class Scene:
    """A platform that is deployed as a whole, each resource in its state."""

    rehearsal: Rehearsal
    deployment: SimulatedDeployment
    names: Names

    @property
    def day(self) -> FaultInjection:
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
        """One of the network's."""
        wanted = [*self.tags("network"), *({"Key": key, "Value": value} for key, value in tags.items())]
        return ask(self.aws, "sns").create_topic(Name=self.names.resource_name(name), Tags=wanted)["TopicArn"]

    def stack(self, tier: str) -> str:
        return f"{self.name}-{tier}"

    @property
    def locks(self) -> list[str]:
        listed = ask(self.aws, "s3").list_objects_v2(Bucket=self.names.state_bucket).get("Contents", [])
        return [entry["Key"] for entry in listed if entry["Key"].endswith(".tflock")]


@pytest.fixture
def scene(aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_sessions: None) -> Scene:
    del quick_sessions
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    name = f"bad{next(NUMBERS)}"
    (tmp_path / f"{name}.toml").write_text(to_toml(changed_settings("dev", {**account_settings(aws.account, name)})))
    (settings,) = load_environments(tmp_path, only=name)
    names = Names.from_settings(settings)
    s3 = ask(aws, "s3")
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


def begun(scene: Scene, *also: Callable[[], object]) -> Act:
    """A deployment that runs until it is ended, and leaves something behind."""

    def act(line: Callable[[str], None], started: Callable[[subprocess.Popen[str]], None]) -> None:
        for leave in also:
            leave()
        log = scene.deployment.folder / "deploy.log"
        command = [sys.executable, "-I", "-S", "-c", DEPLOYING, scene.name]
        run(command, cwd=log.parent, variables={}, log=log, line=line, started=started)

    return act


def fails(error: Exception) -> Act:
    def act(*_: object) -> None:
        raise error

    return act


def planned(address: str, *actions: str) -> Body:
    return {"resource_changes": [{"address": address, "mode": "managed", "change": {"actions": list(actions)}}]}


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_deployment_that_was_cut_short_is_set_right(scene: Scene, by: signal.Signals):
    del scene.deployment.states["network"][RETURNS]
    scene.deployment.add_to_state("network", ORDERS, scene.topic("orders"))
    scene.deployment.acts = [begun(scene, lambda: scene.deployment.lock("network"))]
    outcome = scene.day.interrupt(Interruption(by, "network", 2))
    assert outcome == (
        f"after 2 resources: 1 stale locks released ({scene.stack('network')}), "
        "1 resources that were in no state imported, 0 protected ones untainted"
    )
    assert scene.deployment.deployed == [(scene.stack("foundation"), scene.stack("network"))]
    assert scene.locks == []
    # First the state forgets what is gone, then it learns what is there.
    assert [asked for asked in scene.deployment.terraform_calls if "pull" not in asked] == [
        ("network", "apply", "-refresh-only", "-auto-approve", "-input=false"),
        ("network", "apply", "-auto-approve", "-input=false", f"-target={RETURNS}"),
    ]
    # What follows deploys all of it.
    assert not list(scene.deployment.stacks.rglob(IMPORT_FILE))
    assert scene.day.verify_states().startswith("4 resources")


def test_a_stack_without_a_state_has_nothing_to_forget(scene: Scene):
    key = f"{scene.name}/network.tfstate"
    ask(scene.aws, "s3").delete_object(Bucket=scene.names.state_bucket, Key=key)
    scene.deployment.lock("network")
    assert scene.day.release_locks() == [scene.stack("network")]
    assert scene.locks == []
    assert scene.deployment.terraform_calls == []


def test_what_is_half_done_and_protected_is_untainted(scene: Scene):
    scene.deployment.tainted_addresses = {BUCKET, ORDERS}
    assert scene.day.untaint_protected() == 1
    # The topic is not protected: the next apply replaces it.
    assert [asked for asked in scene.deployment.terraform_calls if "pull" not in asked] == [
        ("foundation", "untaint", BUCKET)
    ]


def test_what_has_no_state_has_nothing_half_done(scene: Scene):
    for tier in TIERS:
        ask(scene.aws, "s3").delete_object(Bucket=scene.names.state_bucket, Key=f"{scene.name}/{tier}.tfstate")
    assert scene.day.untaint_protected() == 0
    assert scene.deployment.terraform_calls == []


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_the_program_ends_by_the_signal(scene: Scene, by: signal.Signals):
    programs: list[subprocess.Popen[str]] = []

    def act(line: Callable[[str], None], started: Callable[[subprocess.Popen[str]], None]) -> None:
        def both(process: subprocess.Popen[str]) -> None:
            programs.append(process)
            started(process)

        begun(scene)(line, both)

    scene.deployment.acts = [act]
    assert "0 stale locks released (none), 0 resources" in scene.day.interrupt(Interruption(by, "network", 1))
    assert programs[0].returncode == -by


def test_a_program_that_is_killed_leaves_its_lock_or_nothing_was_cut_short(scene: Scene):
    scene.deployment.acts = [begun(scene)]
    with pytest.raises(RehearsalError, match=r"SIGKILL.*: no lock was left behind, so that nothing was cut short$"):
        scene.day.interrupt(Interruption(signal.SIGKILL, "network", 1))


def test_a_deployment_that_comes_to_its_end_was_not_cut_short(scene: Scene):
    with pytest.raises(RehearsalError, match=r"SIGINT.*: the deployment came to its end before that$"):
        scene.day.interrupt(Interruption(signal.SIGINT, "network", 50))


def test_a_deployment_that_fails_by_itself_was_not_cut_short(scene: Scene):
    def act(line: Callable[[str], None], started: Callable[[subprocess.Popen[str]], None]) -> None:
        log = scene.deployment.folder / "deploy.log"
        command = [sys.executable, "-I", "-S", "-c", "raise SystemExit('Error: it is refused')"]
        run(command, cwd=log.parent, variables={}, log=log, line=line, started=started)

    scene.deployment.acts = [act]
    with pytest.raises(RehearsalError, match=r"the deployment failed before that: .* Error: it is refused"):
        scene.day.interrupt(Interruption(signal.SIGKILL, "network", 1))


def test_what_could_be_several_resources_is_not_imported(scene: Scene):
    for name in ("orders", "returns"):
        ask(scene.aws, "sns").delete_topic(TopicArn=scene.topic(name))
    scene.deployment.states["network"].clear()
    scene.deployment.add_to_state("network", "aws_sns_topic.other", "other")
    lost = scene.topic("nobody")
    with pytest.raises(RehearsalError, match=f"^{lost} could be several resources of network$"):
        scene.day.import_orphans()
    assert scene.deployment.terraform_calls == []
    assert not list(scene.deployment.stacks.rglob(IMPORT_FILE))


def test_calls_fail_while_a_deployment_goes_on_and_no_longer(scene: Scene, monkeypatch: pytest.MonkeyPatch):
    faults = scene.aws.gateway.faults
    monkeypatch.setattr(faults, "random", random.Random(7))  # noqa: S311 - no secret; each run alike
    shares: list[float] = []

    def act(*_: object) -> None:
        shares.append(faults.rate)
        faults.rate = 1.0
        address = urlsplit(scene.aws.endpoint).netloc
        for _number in range(6):
            with closing(HTTPConnection(address)) as connection:
                connection.request("GET", "/")
                assert connection.getresponse().status in {400, 500}

    scene.deployment.acts = [act]
    outcome = scene.day.fail_calls()
    assert shares == [FAULT_SHARE]
    assert faults.rate == 0.0
    counted = {code: int(number) for number, code in (each.split() for each in outcome.split(", "))}
    assert counted == faults.injected
    assert counted.keys() == {"InternalFailure", "ThrottlingException"}
    assert sum(counted.values()) == 6
    assert scene.deployment.deployed == [(scene.stack("foundation"), scene.stack("network"))]


def test_after_a_deployment_that_failed_calls_no_longer_fail(scene: Scene):
    scene.deployment.acts = [fails(ProgramError("cdktf ended with 1"))]
    with pytest.raises(ProgramError):
        scene.day.fail_calls()
    assert scene.aws.gateway.faults.rate == 0.0


def test_every_resource_once_in_its_state_is_well(scene: Scene):
    assert scene.day.verify_states() == "4 resources, each in its state; second plans are empty"


def test_what_is_in_no_state_is_lost(scene: Scene):
    lost = scene.topic("doubled")
    with pytest.raises(RehearsalError, match=f"^in no state: {lost}$"):
        scene.day.verify_states()


def test_what_a_state_does_not_name_is_told_even_where_orphans_are_not_found(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
):
    doubled = scene.topic("doubled")
    monkeypatch.setattr(faults, "find_orphans", lambda *_: [])
    with pytest.raises(RehearsalError, match=f"^{doubled} is not in the state of {scene.stack('network')}$"):
        scene.day.verify_states()


@pytest.mark.parametrize(("change", "held"), [("lost", 1), ("doubled", 3)])
def test_a_state_that_holds_more_or_fewer_is_told(scene: Scene, change: str, held: int):
    if change == "lost":
        ask(scene.aws, "sns").delete_topic(TopicArn=scene.topic("returns"))
        del scene.deployment.states["network"][RETURNS]
    else:
        scene.deployment.add_to_state("network", "aws_sns_topic.again", scene.topic("again"))
    with pytest.raises(RehearsalError, match=f"^{scene.stack('network')}: {held} of 2 resources are in its state$"):
        scene.day.verify_states()


def test_a_plan_that_is_not_empty_is_told(scene: Scene):
    scene.deployment.plans = [{}, planned(ORDERS, "update")]
    with pytest.raises(RehearsalError) as told:
        scene.day.verify_states()
    assert str(told.value) == f"{scene.stack('network')}: a second plan would change {ORDERS}: update"


def test_tiers_that_are_not_deployed_are_not_counted(scene: Scene):
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
"""What a refresh-only plan tells of a bucket that may be public."""


def test_a_change_of_somebodys_is_found_and_set_right(scene: Scene):
    scene.deployment.plans = [planned(BLOCK, "update"), DRIFTED]
    assert scene.day.correct_drift() == f"{BLOCK}: update; set right"
    changed = ask(scene.aws, "s3").get_public_access_block(Bucket=scene.names.bucket_name("files"))
    assert changed["PublicAccessBlockConfiguration"]["BlockPublicPolicy"] is False
    assert scene.deployment.deployed == [(scene.stack("foundation"),)]


@pytest.mark.parametrize(
    ("plan", "told"),
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
def test_a_plan_that_does_not_tell_of_it_alone_is_told(scene: Scene, plan: Body, told: str):
    scene.deployment.plans = [plan]
    with pytest.raises(RehearsalError, match=f" may be public, and a plan would change {told}$"):
        scene.day.correct_drift()
    assert scene.deployment.deployed == []


def test_a_change_that_is_told_as_no_drift_is_told(scene: Scene):
    scene.deployment.plans = [planned(BLOCK, "update"), {}]
    with pytest.raises(RehearsalError, match=r" may be public, and what has drifted is Drift\(changes=\[\], "):
        scene.day.correct_drift()
    assert scene.deployment.deployed == []


def test_a_change_that_stays_is_told(scene: Scene):
    scene.deployment.plans = [planned(BLOCK, "update"), DRIFTED, planned(BLOCK, "update")]
    with pytest.raises(RehearsalError, match=f": deployed again, a plan would change {BLOCK}: update$"):
        scene.day.correct_drift()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The faults that came; each is survived by its name."""
    came: list[str] = []

    def fault(name: str) -> Callable[..., str]:
        def happens(_: FaultInjection, *given: Any) -> str:
            came.append(" ".join([name, *(f"{cut.sent_signal.name} {cut.tier} {cut.after_resources}" for cut in given)]))
            return came[-1]

        return happens

    for name in ("interrupt", "fail_calls", "verify_states", "correct_drift", "rotate_without_database"):
        monkeypatch.setattr(FaultInjection, name, fault(name))
    return came


def day(scene: Scene, *tiers: str) -> Iterator[tuple[str, str]]:
    return FaultInjection(scene.rehearsal, tiers).run()


def test_all_faults_come_one_after_the_other(scene: Scene, told: list[str]):
    named = [name for name, _ in day(scene, "foundation", "network", "database", "rotation", "service")]
    assert named == [
        "SIGINT in foundation",
        "SIGTERM in network",
        "SIGKILL in network",
        "SIGKILL in service",
        "10% of calls fail",
        "nothing lost or doubled",
        "a change behind Terraform's back",
        "the database is down",
    ]
    assert told == [
        *(f"interrupt {cut.sent_signal.name} {cut.tier} {cut.after_resources}" for cut in faults.INTERRUPTIONS),
        "fail_calls",
        "verify_states",
        "correct_drift",
        "rotate_without_database",
    ]


@pytest.mark.usefixtures("told")
def test_a_call_that_the_local_aws_does_not_know_is_told_at_the_end(scene: Scene):
    scene.aws.gateway.unsupported["quicksight:ListUsers"] += 1
    try:
        with pytest.raises(RehearsalError, match=r"^the local AWS does not know quicksight:ListUsers$"):
            list(day(scene, "foundation"))
    finally:
        del scene.aws.gateway.unsupported["quicksight:ListUsers"]


def test_the_short_form_has_those_faults_that_need_no_database(scene: Scene, told: list[str]):
    outcomes = dict(day(scene, "foundation", "network"))
    assert "SIGKILL in service" not in outcomes
    assert "the database is down" not in outcomes
    assert list(outcomes.values()) == told


def test_the_next_fault_comes_when_the_one_before_was_told(scene: Scene, told: list[str]):
    happening = day(scene, *TIERS)
    next(happening)
    assert len(told) == 1
