"""Fault injection: a deployment that is interrupted repeatedly, and must still be completed.

All faults hit the same deployment, so that each starts from the state that the previous one left.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from rich.console import Console

from operations import drift
from operations.account import Account
from operations.inventory import is_expected_without_state
from operations.lock import Locks
from operations.orphans import find_orphans, write_blocks
from operations.states import read_state
from rehearsal.deployment import OnLine, OnStart, planned_changes
from rehearsal.one_environment import Rehearsal, RehearsalError
from rehearsal.processes import ProgramError, kill_processes, process_tree
from rehearsal.progress import Progress, count_resources

FAULT_SHARE = 0.1
"""Share of API calls that are throttled or fail with a server error."""


@dataclass(frozen=True)
class Interruption:
    """A signal sent to a deployment when a number of a tier's resources are complete."""

    sent_signal: signal.Signals
    tier: str
    after_resources: int


INTERRUPTIONS = (
    Interruption(signal.SIGINT, "foundation", 15),
    Interruption(signal.SIGTERM, "network", 20),
    Interruption(signal.SIGKILL, "network", 10),
    Interruption(signal.SIGKILL, "service", 10),
)


@dataclass
class FaultInjection:
    """Injects faults into one deployment, and recovers from each."""

    rehearsal: Rehearsal
    tiers: tuple[str, ...]
    """Deployed tiers, in dependency order."""

    def run(self) -> Iterator[tuple[str, str]]:
        """Inject all faults; yields the name of each, and what the recovery did.

        Raises:
            RehearsalError: a deployment was not interrupted, a recovery failed, or a call is not supported.
            ProgramError, TerraformError: a program failed.
        """
        for interruption in INTERRUPTIONS:
            if interruption.tier in self.tiers:
                yield f"{interruption.sent_signal.name} in {interruption.tier}", self.interrupt(interruption)
        yield f"{FAULT_SHARE:.0%} of calls fail", self.fail_calls()
        yield "no lost or duplicate resources", self.verify_states()
        yield "a change behind Terraform's back", self.correct_drift()
        if "rotation" in self.tiers:
            yield "the database is down", self.rotate_without_database()
        if problems := self.rehearsal.aws.gateway.problems:
            raise RehearsalError("\n".join(problems))

    def interrupt(self, interruption: Interruption) -> str:
        """Interrupt a deployment, and clean up: release locks, untaint protected resources, import orphans."""
        processes: list[subprocess.Popen[str]] = []

        def on_line(text: str) -> None:
            progress.read_line(text)
            if processes and progress.tiers[interruption.tier].done >= interruption.after_resources:
                send_signal(processes.pop(), interruption.sent_signal)

        progress = Progress(Console(quiet=True), self.rehearsal.platform.stacks)
        try:
            self._deploy(on_line, processes.append)
        except ProgramError as error:
            if processes:
                raise RehearsalError(f"{interruption}: the deployment failed before that: {error}") from error
        else:
            raise RehearsalError(f"{interruption}: the deployment finished before that")
        stale = self.release_locks()
        if interruption.sent_signal == signal.SIGKILL and not stale:
            raise RehearsalError(f"{interruption}: no lock was left behind: nothing was interrupted")
        untainted = self.untaint_protected()
        imported = self.import_orphans()
        return (
            f"after {progress.done} resources; stale locks released: {', '.join(stale) or 'none'}; "
            f"orphans imported: {imported}; protected resources untainted: {untainted}"
        )

    def release_locks(self) -> list[str]:
        """Release stale locks, and refresh the states that were locked. Returns the names of their stacks."""
        locks = Locks(self._account)
        stale = list(locks.held())
        for lock in stale:
            locks.release(lock)
            stack = self.rehearsal.platform.stacks[lock.stack.rpartition("-")[2]]
            # Terraform cannot refresh an empty state.
            if read_state(self._account, stack.backend):
                self.rehearsal.deployment.terraform(stack, "apply", "-refresh-only", "-auto-approve", "-input=false")
        return [lock.stack for lock in stale]

    def untaint_protected(self) -> int:
        """Untaint resources with `prevent_destroy`, which Terraform cannot replace. Returns how many.

        The next apply completes them.
        """
        protected = {
            (resource.tier, resource.address_in_stack)
            for resource in self.rehearsal.platform.resources
            if resource.body.get("lifecycle", {}).get("prevent_destroy")
        }
        count = 0
        for tier in self.tiers:
            stack = self.rehearsal.platform.stacks[tier]
            tainted = self.rehearsal.deployment.tainted(stack) if read_state(self._account, stack.backend) else []
            for address in tainted:
                if (tier, address) in protected:
                    self.rehearsal.deployment.terraform(stack, "untaint", address)
                    count += 1
        return count

    def import_orphans(self) -> int:
        """Import resources that are in no state. Returns how many."""
        orphans = find_orphans(self._account, self.rehearsal.platform)
        for orphan in orphans:
            if orphan.address is None:
                raise RehearsalError(f"{orphan.identifier} could be several resources of {orphan.tier}")
        for file in write_blocks(orphans, self.rehearsal.platform):
            stack = next(stack for stack in self.rehearsal.platform.stacks.values() if stack.folder == file.parent)
            # Import only: later deployments create the rest.
            targets = [f"-target={orphan.address}" for orphan in orphans if orphan.tier == stack.tier]
            self.rehearsal.deployment.terraform(stack, "apply", "-auto-approve", "-input=false", *targets)
            file.unlink()
        return len(orphans)

    def fail_calls(self) -> str:
        """Deploy completely while API calls fail."""
        faults = self.rehearsal.aws.gateway.faults
        faults.rate = FAULT_SHARE
        try:
            self._deploy(lambda _: None, lambda _: None)
        finally:
            faults.rate = 0.0
        return ", ".join(f"{count} {code}" for code, count in sorted(faults.injected.items()))

    def verify_states(self) -> str:
        """Verify that every resource exists once, in the state of its stack, and that plans are empty."""
        if orphans := find_orphans(self._account, self.rehearsal.platform):
            raise RehearsalError(f"in no state: {', '.join(orphan.identifier for orphan in orphans)}")
        resources = 0
        for tier in self.tiers:
            stack = self.rehearsal.platform.stacks[tier]
            listed = self.rehearsal.deployment.terraform(stack, "state", "list").split()
            managed = [address for address in listed if not address.startswith("data.")]
            if len(managed) != (expected := count_resources(stack)):
                raise RehearsalError(f"{stack.name}: its state has {len(managed)} resources, expected {expected}")
            if changed := planned_changes(self.rehearsal.deployment.plan(stack)):
                raise RehearsalError(f"{stack.name}: a second plan would change {', '.join(changed)}")
            state = self.rehearsal.deployment.terraform(stack, "state", "pull")
            for arn in self.rehearsal.tagged(tier):
                # A text search, independent of the comparison in `orphans`.
                if re.split("[:/]", arn.removesuffix(":*"))[-1] not in state and not is_expected_without_state(
                    self._account, arn
                ):
                    raise RehearsalError(f"{arn} is not in the state of {stack.name}")
            resources += len(managed)
        return f"{resources} resources, each in its state; second plans are empty"

    def correct_drift(self) -> str:
        """Allow public policies on a bucket: plan and drift must report it, and a deployment must correct it."""
        stack = self.rehearsal.platform.stacks["foundation"]
        bucket = self.rehearsal.tagged("foundation", "s3")[0].rpartition(":")[2]
        self.rehearsal.aws.client("s3").put_public_access_block(
            Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True, "BlockPublicPolicy": False}
        )
        found = planned_changes(self.rehearsal.deployment.plan(stack))
        if len(found) != 1 or not found[0].startswith("aws_s3_bucket_public_access_block."):
            changes = ", ".join(found) or "nothing"
            raise RehearsalError(f"{bucket} allows public policies, but a plan would change {changes}")
        drifted = drift.detect_drift([stack], self.rehearsal.deployment.terraform)
        if [f"{change.address}: update" for change in drifted.changes] != found or drifted.unknown:
            raise RehearsalError(f"{bucket} allows public policies, but the drift is {drifted}")
        self.rehearsal.deployment.deploy(stack.name)
        if left := planned_changes(self.rehearsal.deployment.plan(stack)):
            raise RehearsalError(f"{stack.name}: after another deployment, a plan would change {', '.join(left)}")
        return f"{found[0]}; corrected"

    def rotate_without_database(self) -> str:
        """Rotate while the database is down: that must fail and keep the credential; the next rotation must succeed."""
        secret = self.rehearsal.secret()
        before = self.rehearsal.credential(secret)
        (cluster,) = self.rehearsal.aws.backend("rds").clusters.values()
        with self.rehearsal.early_rotation(secret):
            cluster.servers.pause()
            try:
                self.rehearsal.rotate(secret)
            except RehearsalError as error:
                problem = str(error)
            else:
                raise RehearsalError("a rotation succeeded although the database was down")
            finally:
                cluster.servers.resume()
            if self.rehearsal.credential(secret) != before:
                raise RehearsalError("a failed rotation changed the credential")
            self.rehearsal.log_in(before).close()
            self.rehearsal.rotate(secret)
        self.rehearsal.log_in(self.rehearsal.credential(secret)).close()
        return f"{problem}; the credential did not change, and the next rotation succeeded"

    @cached_property
    def _account(self) -> Account:
        return Account.of(self.rehearsal.settings)

    def _deploy(self, on_line: OnLine, on_start: OnStart) -> None:
        stacks = [self.rehearsal.platform.stacks[tier].name for tier in self.tiers]
        self.rehearsal.deployment.deploy(*stacks, on_line=on_line, on_start=on_start)


def send_signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send SIGINT to the process group, as Ctrl-C does; SIGTERM to the process; SIGKILL to all its descendants."""
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    elif number == signal.SIGTERM:
        process.terminate()
    else:
        kill_processes(process_tree(process))
