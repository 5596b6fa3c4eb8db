"""Pull requests against an environment on a local AWS, as Atlantis runs them.

They run in a copy of the project that has only the rehearsed environment: the accounts of the others do not exist.
"""

import os
import re
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
from rehearsal.prerequisites import allow
from rehearsal.processes import PROCESS_VARIABLES, run, without_variables
from stacks import ROOT
from stacks.settings import Environment
from stacks.settings.files import environment_files
from synthesized.platform import Stack

SHARED_FOLDERS = (".cache", ".venv")
"""Folders of `make setup` that a copy of the project links to."""
LONG_AGO = 946_684_800.0  # 2000-01-01, in seconds
SERVER_ROLE = "atlantis"
"""Name of the server's own role."""
KEY_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
"""Credentials of the rehearsal's user. The server uses profiles instead."""
MISSING_OUTPUT = "This object does not have an attribute named"
"""Terraform's error for an output that another stack does not have."""


@dataclass(frozen=True)
class SettingsEdit:
    """A line to insert into a source file, after another."""

    file: str
    after: str
    line: str

    def apply(self, checkout: Path) -> None:
        """Insert the line.

        Raises:
            RehearsalError: the file does not contain `after` exactly once.
        """
        text = (checkout / self.file).read_text(encoding="utf-8")
        if text.count(self.after) != 1:
            raise RehearsalError(f"{self.file}: {self.after.strip()!r} occurs {text.count(self.after)} times, not once")
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
    """A sequence of pull requests, planned and applied by a simulated Atlantis server."""

    rehearsal: Rehearsal
    server: AtlantisServer

    @classmethod
    def of(cls, rehearsal: Rehearsal) -> Self:
        """A server with a new checkout. The rehearsal must be bootstrapped."""
        folder = rehearsal.deployment.folder
        checkout = create_checkout(folder / "checkout", rehearsal.settings, folder / "checkout.log")
        variables = server_variables(rehearsal.aws, rehearsal.settings, folder)
        return cls(rehearsal, AtlantisServer.from_file(REPOS, checkout, variables, folder / "logs"))

    def run(self) -> Iterator[tuple[str, str]]:
        """Run all steps; yields the name and the result of each.

        Raises:
            RehearsalError: a step did not have the expected result.
            AtlantisError: the server refused a command, or a hook failed.
            ProgramError, TerraformError: a program failed.
        """
        yield "first deployment, group by group", self.deploy()
        yield "plan of all projects", self.plan_all()
        yield "new cross-stack output in one step", self.use_output_at_once()
        yield "new cross-stack output in two steps", self.use_output_in_two_steps()
        yield "plan of all projects", self.plan_all()

    def deploy(self) -> str:
        """Plan and apply one execution order group after the other."""
        stacks = list(self.rehearsal.platform.stacks.values())
        # They make the roles as which the server plans.
        for stack in stacks:
            if stack.tier in MANUAL_TIERS:
                self._apply_manually(stack)
        groups = order_groups(stacks)
        summaries: list[str] = []
        for number in sorted(set(groups.values())):
            group = [stack for stack in self.rehearsal.platform.stacks.values() if groups[stack.name] == number]
            summaries += map(_review_summary, _check_plans(self.server.plan(only=self._expression(group))))
            for stack in group:
                if stack.tier in MANUAL_TIERS:
                    self._check_refusal(stack)
            if by_server := [stack for stack in group if stack.tier not in MANUAL_TIERS]:
                _check_success(self.server.apply(only=self._expression(by_server)))
        return "\n".join(summaries)

    def plan_all(self) -> str:
        """Plan every project; no plan may have changes."""
        outcomes = _check_plans(self.server.plan(only=self._expression(self.rehearsal.platform.stacks.values())))
        changed = [each.project for each in outcomes if self.server.statuses[each.project] != "no changes"]
        if changed:
            raise RehearsalError(f"{', '.join(changed)}: the plan has unexpected changes")
        return f"  {len(outcomes)} projects, no changes"

    def use_output_at_once(self) -> str:
        """Use an output that another tier does not have: that plan must fail, and later groups must not be planned."""
        before = (self.server.checkout / USE_OUTPUT.file).read_text(encoding="utf-8")
        USE_OUTPUT.apply(self.server.checkout)
        outcomes = self.server.plan(changed=[USE_OUTPUT.file])
        (self.server.checkout / USE_OUTPUT.file).write_text(before, encoding="utf-8")
        name = self._stack("audit").name
        if [each.project for each in outcomes] != [name] or MISSING_OUTPUT not in outcomes[0].error:
            raise RehearsalError(f"only {name} should have failed: {[(each.project, each.error) for each in outcomes]}")
        return f"  {name}: {' '.join(outcomes[0].error[outcomes[0].error.index(MISSING_OUTPUT) :].split())}"

    def use_output_in_two_steps(self) -> str:
        """Add and apply the output first, and then use it."""
        summaries: list[str] = []
        for edit, tier in ((ADD_OUTPUT, "foundation"), (USE_OUTPUT, "audit")):
            edit.apply(self.server.checkout)
            outcomes = _check_plans(self.server.plan(changed=[edit.file]))
            name = self._stack(tier).name
            changed = [each.project for each in outcomes if self.server.statuses[each.project] == "planned"]
            if changed != [name]:
                raise RehearsalError(
                    f"only {name} should change, but the plans change {', '.join(changed) or 'nothing'}"
                )
            _check_success(self.server.apply(only=name))
            summaries.append(f"  {edit.file}: {len(outcomes)} planned, {name} changed and applied")
        return "\n".join(summaries)

    def _apply_manually(self, stack: Stack) -> None:
        """Apply a stack with an administrator's credentials."""
        folder = self.server.checkout / OUT / "stacks" / stack.name
        for command in (("init", "-input=false"), ("apply", "-input=false", "-auto-approve")):
            terraform(*command, "-no-color", cwd=folder)

    def _check_refusal(self, stack: Stack) -> None:
        """Check that the server refuses to apply a stack."""
        (outcome,) = self.server.apply(only=stack.name)
        if not outcome.error:
            raise RehearsalError(f"{stack.name}: the server applied it, but must refuse")
        (plan_file,) = (self.server.checkout / OUT / "stacks" / stack.name).glob("*.tfplan")
        plan_file.unlink()

    def _expression(self, stacks: Iterable[Stack]) -> str:
        """Regular expression that selects projects in a comment."""
        return f"{self.rehearsal.settings.name}-({'|'.join(stack.tier for stack in stacks)})"

    def _stack(self, tier: str) -> Stack:
        return self.rehearsal.platform.stacks[tier]


def server_variables(aws: LocalAws, settings: Environment, folder: Path) -> Mapping[str, str]:
    """Environment variables of a server that assumes the deployer roles through profiles, written to a folder.

    The server itself has a role, which it makes, and which may do nothing else.
    """
    config, iam, names = folder / "aws.ini", aws.client("iam"), settings.names
    trust = allow(Action="sts:AssumeRole", Principal={"AWS": settings.account})
    role = iam.create_role(RoleName=SERVER_ROLE, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    deployers = [names.deployer_role_arn(each) for each in ("plan", "apply")]
    policy = allow(Action="sts:AssumeRole", Resource=deployers)
    iam.put_role_policy(RoleName=SERVER_ROLE, PolicyName="deployers", PolicyDocument=policy)
    own = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="server")["Credentials"]
    own = (
        f"[profile server]\naws_access_key_id = {own['AccessKeyId']}\n"
        f"aws_secret_access_key = {own['SecretAccessKey']}\naws_session_token = {own['SessionToken']}\n\n"
    )
    config.write_text(own + profiles([settings], "source_profile = server"), encoding="utf-8")
    return {
        **without_variables({**environment(), **aws.environment}, *KEY_VARIABLES, *PROCESS_VARIABLES),
        "AWS_CONFIG_FILE": str(config),
        # Terraform ignores AWS_ENDPOINT_URL when it assumes a profile's role.
        "AWS_ENDPOINT_URL_STS": aws.endpoint,
    }


def let_server_in(file: Path, account: str) -> None:
    """Name the server's role in the file of an environment's settings."""
    line = f'atlantis_role = "arn:aws:iam::{account}:role/{SERVER_ROLE}"\n'
    text = re.sub(r"(?m)^atlantis_role = .*\n", "", file.read_text(encoding="utf-8"))
    head = "[access]\n"
    text = text.replace(head, head + line) if head in text else f"{text}\n{head}{line}"
    file.write_text(text, encoding="utf-8")


def create_checkout(checkout: Path, settings: Environment, log: Path) -> Path:
    """Copy the project with a single environment, whose roles the server may assume, and synthesize it.

    Args:
        checkout: folder to create.
        settings: settings of the environment.
        log: file to append the output of programs to.

    Raises:
        RehearsalError: the project is not set up.
        ProgramError: the environment cannot be synthesized.
    """
    checkout.mkdir()
    # The cdktf CLI is not used. In a linked folder, `npm ci` would delete the project's own modules.
    (checkout / "node_modules").mkdir()
    (checkout / "node_modules" / "installed").touch()
    copy_project(checkout, *SHARED_FOLDERS)
    for other in environment_files(checkout / "environments"):
        if other.stem == settings.name:
            let_server_in(other, settings.account)
        else:
            other.unlink()
    write_atlantis_yaml(checkout, log)
    return checkout


def copy_project(checkout: Path, *shared: str) -> None:
    """Copy the project's files, and link to installed folders.

    Args:
        checkout: destination, created if it does not exist.
        shared: folders of `make setup` to link to.

    Raises:
        RehearsalError: the project is not set up.
    """
    for file in project_files():
        target = checkout / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, target)
        # Older than the installed folders, so that `make setup` has nothing to do.
        os.utime(target, (LONG_AGO, LONG_AGO))
    for folder in shared:
        (checkout / folder).symlink_to((ROOT / folder).resolve())
    _refuse_to_install(checkout)


def write_atlantis_yaml(checkout: Path, log: Path) -> None:
    """Synthesize a checkout and write its `atlantis.yaml`, as the author of a pull request does.

    Raises:
        ProgramError: the checkout cannot be synthesized, or `atlantis.yaml` cannot be written.
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
    """Fail if `make setup` in the copy would change the linked folders."""
    dry_run = subprocess.run(
        ["make", "--dry-run", "setup"],  # noqa: S607 - the user's own make
        cwd=checkout,
        env=without_variables(os.environ, *PROCESS_VARIABLES),
        capture_output=True,
        text=True,
        check=False,
    )
    if dry_run.returncode or any(not line.startswith("make") for line in dry_run.stdout.splitlines()):
        raise RehearsalError("the project is not set up: run make setup")


def project_files() -> list[str]:
    """The project's files: those that git tracks, and new ones that it does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - the user's own git
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    return [file for file in listed if (ROOT / file).is_file()]


def _check_success(outcomes: Iterable[Outcome]) -> None:
    for each in outcomes:
        if each.error:
            raise RehearsalError(f"{each.project}: {each.error}")


def _check_plans(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    _check_success(outcomes)
    for each in outcomes:
        if each.failed_policies:
            raise RehearsalError(f"{each.project}: {' '.join(each.failed_policies)}")
    return outcomes


def _review_summary(outcome: Outcome) -> str:
    """Heading of the review in a plan's comment."""
    headings = (line for line in outcome.comment.splitlines() if line.startswith("### "))
    line = next(headings, "No changes")
    return f"  {outcome.project:<20} {line.removeprefix('### ')}"
