"""Pull requests to an environment on a local AWS, as Atlantis takes them: its first deployment, and one that uses more.

They are taken in a copy of the project. Its only environment is the one that is rehearsed: the others are of accounts
that are not there.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from local_aws.server import LocalAws
from operations.atlantis import MANUAL_TIERS, OUT, REPOS, order_groups, profiles
from operations.terraform import environment, terraform
from rehearsal.atlantis_server import AtlantisServer, Outcome
from rehearsal.one_environment import Rehearsal, RehearsalError
from rehearsal.processes import PROCESS_VARIABLES, run, without_variables
from stacks import ROOT
from stacks.settings import Environment
from synthesized.platform import Stack

SHARED_FOLDERS = (".cache", ".venv")
"""What `make setup` has installed, and the copy uses."""
LONG_AGO = 946_684_800.0  # 2000-01-01, in seconds
KEY_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
"""Of whoever runs the rehearsal, who is not the server: that has profiles."""
MISSING_OUTPUT = "This object does not have an attribute named"
"""Terraform's words where an output of another stack is not there."""


@dataclass(frozen=True)
class SettingsEdit:
    """A line that is added to a file of the program, after another."""

    file: str
    after: str
    line: str

    def apply(self, checkout: Path) -> None:
        """Add it.

        Raises:
            RehearsalError: the file does not have the line that it follows, or has it more than once.
        """
        text = (checkout / self.file).read_text(encoding="utf-8")
        if text.count(self.after) != 1:
            raise RehearsalError(f"{self.file}: {self.after.strip()!r} stands there {text.count(self.after)} times")
        (checkout / self.file).write_text(text.replace(self.after, self.after + self.line), encoding="utf-8")


ADD_OUTPUT = SettingsEdit(
    "stacks/foundation/stack.py",
    "        self.alarm_topic = alarm_topic(self, self.keys.alarms)\n",
    '        self.export(self.alarm_topic, "owner")\n',
)
USE_OUTPUT = SettingsEdit(
    "stacks/audit/stack.py",
    "            enable_log_file_validation=True,\n",
    '            tags={"AlarmsBelongTo": foundation.alarm_topic.owner},\n',
)


@dataclass(frozen=True)
class PullRequests:
    """What is proposed, planned and applied, one after the other."""

    rehearsal: Rehearsal
    server: AtlantisServer

    @classmethod
    def of(cls, rehearsal: Rehearsal) -> Self:
        """A server with a checkout, for a rehearsal that is bootstrapped."""
        folder = rehearsal.deployment.folder
        checkout = create_checkout(folder / "checkout", rehearsal.settings.name, folder / "checkout.log")
        variables = server_variables(rehearsal.aws, rehearsal.settings, folder)
        return cls(rehearsal, AtlantisServer.from_file(REPOS, checkout, variables, folder / "logs"))

    def run(self) -> Iterator[tuple[str, str]]:
        """What was done, and what came of it.

        Raises:
            RehearsalError: something else than what must come of it.
            AtlantisError: the server refused it.
            ProgramError, TerraformError: a program of the project's own failed.
        """
        yield "first deployment, a group after the other", self.deploy()
        yield "plan of all", self.plan_all()
        yield "a new use across stacks at once", self.use_output_at_once()
        yield "the same in two steps", self.use_output_in_two_steps()
        yield "plan of all", self.plan_all()

    def deploy(self) -> str:
        """Plan and apply each group: what depends on nothing that is not there."""
        groups = order_groups(list(self.rehearsal.platform.stacks.values()))
        told: list[str] = []
        for number in sorted(set(groups.values())):
            of_group = [stack for stack in self.rehearsal.platform.stacks.values() if groups[stack.name] == number]
            told += map(_verdict, self._planned(self.server.plan(only=self._named(of_group))))
            for stack in of_group:
                if stack.tier in MANUAL_TIERS:
                    self._apply_by_hand(stack)
            if by_server := [stack for stack in of_group if stack.tier not in MANUAL_TIERS]:
                _succeeded(self.server.apply(only=self._named(by_server)))
        return "\n".join(told)

    def plan_all(self) -> str:
        """Plan every project: nothing may change."""
        outcomes = self._planned(self.server.plan(only=self._named(self.rehearsal.platform.stacks.values())))
        changed = [each.project for each in outcomes if self.server.statuses[each.project] != "no changes"]
        if changed:
            raise RehearsalError(f"{', '.join(changed)}: would change, and nobody has changed anything")
        return f"  {len(outcomes)} projects, no changes"

    def use_output_at_once(self) -> str:
        """Let a tier use what another does not offer: its plan must fail, and nothing after it be planned."""
        before = (self.server.checkout / USE_OUTPUT.file).read_text(encoding="utf-8")
        USE_OUTPUT.apply(self.server.checkout)
        outcomes = self.server.plan(changed=[USE_OUTPUT.file])
        (self.server.checkout / USE_OUTPUT.file).write_text(before, encoding="utf-8")
        name = self._stack("audit").name
        if [each.project for each in outcomes] != [name] or MISSING_OUTPUT not in outcomes[0].error:
            raise RehearsalError(
                f"{name} alone should have failed: {[(each.project, each.error) for each in outcomes]}"
            )
        return f"  {name}: {' '.join(outcomes[0].error[outcomes[0].error.index(MISSING_OUTPUT) :].split())}"

    def use_output_in_two_steps(self) -> str:
        """Offer it first, and use it once that is applied."""
        told: list[str] = []
        for edit, tier in ((ADD_OUTPUT, "foundation"), (USE_OUTPUT, "audit")):
            edit.apply(self.server.checkout)
            outcomes = self._planned(self.server.plan(changed=[edit.file]))
            name = self._stack(tier).name
            changed = [each.project for each in outcomes if self.server.statuses[each.project] == "planned"]
            if changed != [name]:
                raise RehearsalError(f"{name} alone should change, and {', '.join(changed) or 'none'} would")
            _succeeded(self.server.apply(only=name))
            told.append(f"  {edit.file}: {len(outcomes)} planned; {name} changes and is applied")
        return "\n".join(told)

    def _apply_by_hand(self, stack: Stack) -> None:
        """What the server must refuse to apply, an administrator does, with credentials of their own."""
        (outcome,) = self.server.apply(only=stack.name)
        if not outcome.error:
            raise RehearsalError(f"{stack.name}: was applied by the server")
        folder = self.server.checkout / OUT / "stacks" / stack.name
        (plan_file,) = folder.glob("*.tfplan")
        terraform("apply", "-input=false", "-no-color", plan_file.name, cwd=folder)
        plan_file.unlink()

    def _planned(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        _succeeded(outcomes)
        for each in outcomes:
            if each.failed_policies:
                raise RehearsalError(f"{each.project}: {' '.join(each.failed_policies)}")
        return outcomes

    def _named(self, stacks: Iterable[Stack]) -> str:
        """The expression that names projects in a comment."""
        return f"{self.rehearsal.settings.name}-({'|'.join(stack.tier for stack in stacks)})"

    def _stack(self, tier: str) -> Stack:
        return self.rehearsal.platform.stacks[tier]


def server_variables(aws: LocalAws, settings: Environment, folder: Path) -> Mapping[str, str]:
    """The environment of a server that has credentials of its own, and roles by profiles, which go into a folder."""
    config = folder / "aws.ini"
    key, secret = (aws.environment[name] for name in KEY_VARIABLES)
    own = f"[profile server]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n\n"
    config.write_text(own + profiles([settings], "source_profile = server"), encoding="utf-8")
    return {
        **without_variables({**environment(), **aws.environment}, *KEY_VARIABLES, *PROCESS_VARIABLES),
        "AWS_CONFIG_FILE": str(config),
        # Where a profile's role is assumed, Terraform does not look at AWS_ENDPOINT_URL.
        "AWS_ENDPOINT_URL_STS": aws.endpoint,
    }


def create_checkout(checkout: Path, name: str, log: Path) -> Path:
    """A copy of the project as it stands, as if one environment were its only one.

    Args:
        checkout: folder that is made for it.
        name: the environment's.
        log: file that what programs say is added to.

    Raises:
        RehearsalError: the project is not set up.
        ProgramError: it cannot be synthesized.
    """
    checkout.mkdir()
    # The cdktf CLI has no part in it. Were its folder shared, `npm ci` would empty the project's own.
    (checkout / "node_modules").mkdir()
    (checkout / "node_modules" / "installed").touch()
    copy_project(checkout, *SHARED_FOLDERS)
    for other in (checkout / "environments").glob("*.toml"):
        if other.stem != name:
            other.unlink()
    write_atlantis_yaml(checkout, log)
    return checkout


def copy_project(checkout: Path, *shared: str) -> None:
    """Copy the project as it stands.

    Args:
        checkout: folder that is made for it, if it is not there.
        shared: folders of what `make setup` has installed, which the copy uses.

    Raises:
        RehearsalError: the project is not set up.
    """
    for file in project_files():
        target = checkout / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, target)
        # Older than what is installed: `make setup` has nothing to do.
        os.utime(target, (LONG_AGO, LONG_AGO))
    for folder in shared:
        (checkout / folder).symlink_to((ROOT / folder).resolve())
    _refuse_to_install(checkout)


def write_atlantis_yaml(checkout: Path, log: Path) -> None:
    """Write a checkout's `atlantis.yaml`, as whoever proposes something does it.

    Raises:
        ProgramError: it cannot be synthesized.
    """
    variables = without_variables(os.environ, *PROCESS_VARIABLES, "ENV")
    for program in (["main.py"], ["-m", "operations", "atlantis"]):
        run(
            [sys.executable, *program],
            cwd=checkout,
            variables={**variables, "CDKTF_OUTDIR": str(checkout / OUT)},
            log=log,
        )


def _refuse_to_install(checkout: Path) -> None:
    """What the copy shares must not be changed through it."""
    would = subprocess.run(
        ["make", "--dry-run", "setup"],  # noqa: S607 - the user's own make
        cwd=checkout,
        env=without_variables(os.environ, *PROCESS_VARIABLES),
        capture_output=True,
        text=True,
        check=False,
    )
    if would.returncode or any(not line.startswith("make") for line in would.stdout.splitlines()):
        raise RehearsalError("what the project needs is not installed: run make setup")


def project_files() -> list[str]:
    """The project's files, as git knows them or would."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - the user's own git
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    return [file for file in listed if (ROOT / file).is_file()]


def _succeeded(outcomes: Iterable[Outcome]) -> None:
    for each in outcomes:
        if each.error:
            raise RehearsalError(f"{each.project}: {each.error}")


def _verdict(outcome: Outcome) -> str:
    """The first line of its review."""
    line = next(line for line in outcome.comment.splitlines() if line.startswith("### "))
    return f"  {outcome.project:<20} {line.removeprefix('### ')}"
