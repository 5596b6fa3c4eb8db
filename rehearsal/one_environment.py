"""The rehearsal of one environment: its local AWS, and its steps."""

import fcntl
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import psycopg2
from rich.console import Console

from lambda_rotation import package
from lambda_rotation.credential import Credential
from local_aws.server import LocalAws
from operations.account import Account
from operations.drift import changes_in, computed_arguments
from operations.inventory import is_expected_without_state, tagged_resources
from operations.plans import PARALLEL_RUNS
from operations.scan.checkov import scan_plan
from operations.scan.joined_plan import joined_plan
from operations.scan.waivers import find_problems, waivers
from rehearsal.deployment import Deployment, planned_changes
from rehearsal.logins import logging_in
from rehearsal.prerequisites import create_prerequisites
from rehearsal.processes import ProgramError, run
from rehearsal.progress import Progress, count_resources
from rehearsal.report import Report
from rehearsal.state_machines import WAIT_FACTOR, executions, find_problem, start_scheduled
from stacks import ROOT
from stacks.settings import Environment, load_environments
from synthesized.catalogue.arns import resource_of
from synthesized.platform import Platform

FOLDER = ROOT / ".cache" / "rehearsal"
PACKAGE = ROOT / ".cache" / "rotation-local.zip"
"""The rotation function's package for this machine, built by `make setup`."""
ROTATIONS = 3
CACHE_SECONDS = (0.0, 0.0, 1.0, 1.5)
"""Seconds for which each client caches the credential."""
ROTATION_INTERVAL = 2.0
"""Seconds between rotations: longer than any client caches the credential, as in production."""
RETAINED = "ecs:task-definition/.+"
"""ARNs that destroy leaves: task definition revisions, which a rollback may need."""
ROTATION_TIMEOUT = 120.0
"""Maximum duration of a rotation, in seconds."""


class RehearsalError(Exception):
    """A step of the rehearsal failed."""


@dataclass(frozen=True)
class Rehearsal:
    """An environment on a local AWS, and the steps of its rehearsal."""

    settings: Environment
    aws: LocalAws
    deployment: Deployment
    platform: Platform
    console: Console
    report: Report

    def bootstrap(self) -> None:
        """Create what the first deployment needs, with the `bootstrap` command."""
        create_prerequisites(self.aws, self.settings)
        self.run_program("bootstrap.log", "-m", "operations", "bootstrap", self.settings.name, "--yes")

    def preflight(self) -> None:
        """Check the account with the `preflight` command."""
        self.run_program("preflight.log", "-m", "operations", "preflight", self.settings.name)

    def deploy(self, *tiers: str) -> None:
        """Deploy tiers, by default all."""
        with self._progress(*tiers) as progress:
            try:
                stacks = [self.platform.stacks[tier].name for tier in tiers]
                self.deployment.deploy(*stacks, on_line=progress.read_line)
            finally:
                self.report.resources += progress.done
                self.report.seconds |= {name: tier.seconds for name, tier in progress.tiers.items()}

    def rotate_under_load(self, times: int = ROTATIONS) -> None:
        """Rotate the application's credential while clients log in with it, and check the state machines."""
        secret = self.secret()
        with (
            self.checked_state_machines(),
            self.early_rotation(secret),
            logging_in(lambda: self.credential(secret), self.log_in, CACHE_SECONDS) as clients,
        ):
            for _ in range(times):
                time.sleep(ROTATION_INTERVAL)
                self.rotate(secret)
                self.report.rotations += 1
            time.sleep(ROTATION_INTERVAL)
        self.report.logins = sum(client.logins for client in clients)
        self.report.failed_logins = sum(len(client.failures) for client in clients)

    @contextmanager
    def checked_state_machines(self) -> Generator[None]:
        """Count the redeployments that rotations in the context start, and run what schedules start once.

        Each must succeed and publish nothing, and ECS must have started a deployment.
        """
        machines, deployments = self.tagged(kind="states:stateMachine"), self._ecs_deployments()
        before = executions(self.aws, machines)
        yield
        redeployments = executions(self.aws, machines) - before
        scheduled = start_scheduled(self.aws)
        problems = {each: find_problem(self.aws, each) for each in (*sorted(redeployments), *scheduled)}
        self.report.redeployments = sum(problems[each] is None for each in redeployments)
        self.report.scheduled_executions = sum(problems[each] is None for each in scheduled)
        self.report.failed_executions = [problem for problem in problems.values() if problem]
        if self._ecs_deployments() == deployments:
            self.report.failed_executions.append("ECS has started no deployment after the rotations")

    def _ecs_deployments(self) -> set[str]:
        """IDs of the deployments of the service tier."""
        client = self.aws.client("ecs")
        return {
            deployment["id"]
            for arn in self.tagged("service", "ecs:service")
            for service in client.describe_services(cluster=arn.split("/")[1], services=[arn])["services"]
            for deployment in service["deployments"]
        }

    def secret(self) -> str:
        """ARN of the application's secret, found by its tags."""
        found = self.tagged("rotation", "secretsmanager:secret")
        if len(found) != 1:
            raise RehearsalError(f"the rotation tier has {len(found)} secrets, not one")
        return found[0]

    def credential(self, secret: str) -> Credential:
        """The current credential of a secret."""
        value = self.aws.client("secretsmanager").get_secret_value(SecretId=secret)
        return Credential.parse(value["SecretString"])

    def log_in(self, credential: Credential) -> psycopg2.extensions.connection:
        """Log in to the database as the application does, with its certificate verified."""
        return psycopg2.connect(
            host=credential.host,
            port=credential.port,
            dbname=credential.dbname,
            user=credential.username,
            password=credential.password,
            sslmode="verify-full",
            sslrootcert=str(self.aws.certificates),
        )

    def rotate(self, secret: str) -> None:
        """Rotate a secret and wait until that finishes. Resumes a rotation that failed before.

        Raises:
            RehearsalError: the rotation could not be started, failed, or did not finish in time.
        """
        client, service = self.aws.client("secretsmanager"), self.aws.backend("secretsmanager")
        try:
            client.rotate_secret(SecretId=secret)
        except client.exceptions.InvalidRequestException as error:
            if "will be reattempted" not in str(error):  # the failed rotation is retried
                raise RehearsalError(str(error)) from error
        deadline = time.monotonic() + ROTATION_TIMEOUT
        while service.is_rotating(secret):
            if time.monotonic() > deadline:
                raise RehearsalError(f"a rotation did not finish within {ROTATION_TIMEOUT:.0f} s")
            time.sleep(0.1)
        rotation = service.rotations[-1]
        if rotation.problem:
            raise RehearsalError(f"rotation failed {rotation.attempts} times: {rotation.problem}")

    @contextmanager
    def early_rotation(self, secret: str) -> Generator[None]:
        """Allow rotations before the minimum age, within the context: docs/rotation.md, "A secret is compromised"."""
        client = self.aws.client("secretsmanager")
        until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        client.tag_resource(SecretId=secret, Tags=[{"Key": "RotateEarlyUntil", "Value": until}])
        try:
            yield
        finally:
            client.untag_resource(SecretId=secret, TagKeys=["RotateEarlyUntil"])

    def run_integration_tests(self) -> None:
        """Run the integration tests.

        Raises:
            RehearsalError: pytest wrote no results.
        """
        results = self.deployment.folder / "integration.xml"
        command = ("-m", "pytest", "tests/integration", "--no-cov", "--quiet", f"--junit-xml={results}")
        try:
            self.run_program("integration.log", *command)
        except ProgramError as error:
            if not results.exists():
                raise RehearsalError(str(error)) from error
        self.report.integration_passed, self.report.integration_failed = parse_results(results)

    def plan_again(self) -> None:
        """Plan every tier a second time, and record changes and drift: there must be none."""
        stacks = self.platform.stacks
        with ThreadPoolExecutor(PARALLEL_RUNS) as pool:
            plans = dict(zip(stacks, pool.map(self.deployment.plan, stacks.values()), strict=True))
        found = {tier: planned_changes(plan) for tier, plan in plans.items()}
        self.report.second_plan_changes = {tier: changed for tier, changed in found.items() if changed}
        self.report.drift = [
            f"{tier}: {change.address} was {change.action}: {', '.join(change.arguments)}"
            for tier, plan in plans.items()
            for change in changes_in(stacks[tier], plan, computed_arguments(stacks[tier], self.deployment.terraform))
        ]
        self._joined_plan.write_text(json.dumps(joined_plan(self.platform, plans)), encoding="utf-8")

    def run_checkov(self) -> None:
        """Run checkov on the second plan, in which every value is known.

        Raises:
            ScanError: checkov failed.
        """
        plan = json.loads(self._joined_plan.read_text(encoding="utf-8"))
        scan = scan_plan(plan, self.platform, production=self.settings.production)
        self.report.rules_held = scan.passed
        self.report.rules_broken = find_problems([scan], waivers(), datetime.now(UTC).date())

    def destroy(self, *tiers: str) -> None:
        """Destroy tiers, by default all, and record resources with their tags that still exist."""
        with self._progress(*tiers) as progress:
            stacks = [self.platform.stacks[tier].name for tier in tiers]
            self.deployment.destroy(*stacks, on_line=progress.read_line)
        account = Account.of(self.settings)
        self.report.left_behind = [
            arn
            for arn in self.tagged()
            if not re.fullmatch(RETAINED, resource_of(arn)) and not is_expected_without_state(account, arn)
        ]

    def tagged(self, tier: str | None = None, kind: str | None = None) -> list[str]:
        """ARNs of this environment's resources, found by their tags; by default of all tiers and resource types."""
        found = tagged_resources(self.aws.client, self.settings.names, tier, kind)
        return sorted(mapping["ResourceARN"] for mapping in found)

    def run_program(self, log: str, *arguments: str) -> str:
        """Run Python on the rehearsal's stacks.

        Args:
            log: file name in the rehearsal's folder, to append the output to.
            arguments: arguments of Python.

        Returns:
            The output.

        Raises:
            ProgramError: the exit code is not 0.
        """
        printed = run(
            [sys.executable, *arguments],
            cwd=ROOT,
            variables={**os.environ, "ENV": self.settings.name, "CDKTF_OUTDIR": str(self.deployment.stacks)},
            log=self.deployment.folder / log,
        )
        return "\n".join(printed)

    @property
    def _joined_plan(self) -> Path:
        return self.deployment.folder / "plan.json"

    @contextmanager
    def _progress(self, *tiers: str) -> Generator[Progress]:
        """Show the progress of a deployment within the context.

        Raises:
            RehearsalError: the deployment failed; the message has Terraform's own errors.
        """
        stacks = self.platform.stacks
        with Progress(self.console, {tier: stacks[tier] for tier in tiers or stacks}) as progress:
            try:
                yield progress
            except ProgramError as error:
                raise RehearsalError("\n".join(progress.errors) or str(error)) from error


def parse_results(file: Path) -> tuple[int, list[str]]:
    """Number of passed tests, and names of all others, from pytest's JUnit XML. Skipped tests have not passed."""
    passed, failed = 0, list[str]()
    for case in ET.parse(file).getroot().iter("testcase"):  # noqa: S314 - pytest's own
        if {outcome.tag for outcome in case} & {"failure", "error", "skipped"}:
            failed.append(f"{case.get('classname')}.{case.get('name')}")
        else:
            passed += 1
    return passed, failed


@contextmanager
def open_rehearsal(name: str, console: Console, subfolder: str = "") -> Generator[Rehearsal]:
    """Synthesize an environment, and run a local AWS for it within the context.

    Args:
        name: name of the environment.
        console: console for progress.
        subfolder: a folder of its own, so that different rehearsals of one environment can run at the same time.

    Raises:
        RehearsalError: another process is rehearsing the environment, or the project is not set up.
        SettingsError: there is no such environment, or its settings are invalid.
        ProgramError: the environment cannot be synthesized.
    """
    (settings,) = load_environments(ROOT / "environments", only=name)
    folder = FOLDER / subfolder / name
    if not PACKAGE.is_file():
        raise RehearsalError(f"{PACKAGE} is missing; run make setup")
    with ExitStack() as stack:
        stack.enter_context(_exclusive(folder))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        aws = stack.enter_context(LocalAws(settings.account, settings.region, folder, wait_factor=WAIT_FACTOR))
        zipped = folder / "rotation.zip"
        package.replace_certificates(aws.certificates, PACKAGE, zipped)
        stack.enter_context(_environment({**aws.environment, "ROTATION_PACKAGE": str(zipped)}))
        deployment = Deployment(name, folder)
        platform = deployment.synthesize()
        synthesized = sum(map(count_resources, platform.stacks.values()))
        report = Report(name, synthesized=synthesized)
        yield Rehearsal(settings, aws, deployment, platform, console, report)


@contextmanager
def _exclusive(folder: Path) -> Generator[None]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RehearsalError(f"another process is already rehearsing {folder.name}") from error
        yield


@contextmanager
def _environment(variables: Mapping[str, str]) -> Generator[None]:
    """Set environment variables within the context, without the user's own AWS configuration."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("AWS_"):
            del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
