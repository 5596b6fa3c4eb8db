"""A bad day: the deployment of an environment is cut short again and again, and comes to its end all the same.

One deployment goes through all of it, so that each fault meets what the one before has left.
"""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from rich.console import Console

from operations import drift
from operations.account import Account
from operations.inventory import is_expected_without_state
from operations.lock import Locks
from operations.orphans import find_orphans, write_blocks
from operations.states import read_state
from rehearsal.deployment import planned_changes
from rehearsal.one_environment import Rehearsal, RehearsalError
from rehearsal.processes import ProgramError, kill_processes, process_tree
from rehearsal.progress import Progress, count_resources

FAULT_SHARE = 0.1
"""Of all calls: throttled, or answered with an error of AWS's own."""


@dataclass(frozen=True)
class Interruption:
    """Where a deployment is cut short: by a signal, when so many resources of a tier are done."""

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
    """What happens to one deployment, and what it came to."""

    rehearsal: Rehearsal
    tiers: tuple[str, ...]
    """Those that are deployed, in their order."""

    def run(self) -> Iterator[tuple[str, str]]:
        """All of it, one after the other: each fault's name, and how it was survived.

        Raises:
            RehearsalError: it was not.
        """
        for cut in INTERRUPTIONS:
            if cut.tier in self.tiers:
                yield f"{cut.sent_signal.name} in {cut.tier}", self.interrupt(cut)
        yield f"{FAULT_SHARE:.0%} of calls fail", self.fail_calls()
        yield "nothing lost or doubled", self.verify_states()
        yield "a change behind Terraform's back", self.correct_drift()
        if "rotation" in self.tiers:
            yield "the database is down", self.rotate_without_database()
        if unknown := self.rehearsal.aws.gateway.unsupported:
            raise RehearsalError(f"the local AWS does not know {', '.join(sorted(unknown))}")

    def interrupt(self, cut: Interruption) -> str:
        """Deploy, and send the signal in the middle of it; what is left behind is set right by the commands for it."""
        processes: list[subprocess.Popen[str]] = []

        def line(text: str) -> None:
            progress.read_line(text)
            if processes and progress.tiers[cut.tier].done >= cut.after_resources:
                send_signal(processes.pop(), cut.sent_signal)

        progress = Progress(Console(quiet=True), self.rehearsal.platform.stacks)
        try:
            self._deploy(line, processes.append)
        except ProgramError as error:
            if processes:
                raise RehearsalError(f"{cut}: the deployment failed before that: {error}") from error
        else:
            raise RehearsalError(f"{cut}: the deployment came to its end before that")
        stale = self.release_locks()
        if cut.sent_signal == signal.SIGKILL and not stale:
            raise RehearsalError(f"{cut}: no lock was left behind, so that nothing was cut short")
        spared = self.untaint_protected()
        lost = self.import_orphans()
        return (
            f"after {progress.done} resources: {len(stale)} stale locks released ({', '.join(stale) or 'none'}), "
            f"{lost} resources that were in no state imported, {spared} protected ones untainted"
        )

    def release_locks(self) -> list[str]:
        """Release the locks that nobody holds any more, and let the states forget what is gone; which stacks."""
        locks = Locks(self._account)
        stale = list(locks.held())
        for lock in stale:
            locks.release(lock)
            stack = self.rehearsal.platform.stacks[lock.stack.rpartition("-")[2]]
            # Terraform refuses to refresh nothing.
            if read_state(self._account, stack.backend):
                self.rehearsal.deployment.terraform(stack, "apply", "-refresh-only", "-auto-approve", "-input=false")
        return [lock.stack for lock in stale]

    def untaint_protected(self) -> int:
        """Untaint what is protected, which Terraform refuses to replace: the next apply completes it. How many."""
        protected = {
            (resource.tier, resource.address_in_stack)
            for resource in self.rehearsal.platform.resources
            if resource.body.get("lifecycle", {}).get("prevent_destroy")
        }
        spared = 0
        for tier in self.tiers:
            stack = self.rehearsal.platform.stacks[tier]
            tainted = self.rehearsal.deployment.tainted(stack) if read_state(self._account, stack.backend) else []
            for address in tainted:
                if (tier, address) in protected:
                    self.rehearsal.deployment.terraform(stack, "untaint", address)
                    spared += 1
        return spared

    def import_orphans(self) -> int:
        """Import what is in no state; how many."""
        lost = find_orphans(self._account, self.rehearsal.platform)
        for orphan in lost:
            if orphan.address is None:
                raise RehearsalError(f"{orphan.identifier} could be several resources of {orphan.tier}")
        for file in write_blocks(lost, self.rehearsal.platform):
            stack = next(stack for stack in self.rehearsal.platform.stacks.values() if stack.folder == file.parent)
            # Those alone: the rest is for the deployments that follow.
            targets = [f"-target={orphan.address}" for orphan in lost if orphan.tier == stack.tier]
            self.rehearsal.deployment.terraform(stack, "apply", "-auto-approve", "-input=false", *targets)
            file.unlink()
        return len(lost)

    def fail_calls(self) -> str:
        """Deploy to the end, while calls fail."""
        faults = self.rehearsal.aws.gateway.faults
        faults.rate = FAULT_SHARE
        try:
            self._deploy(lambda _: None, lambda _: None)
        finally:
            faults.rate = 0.0
        return ", ".join(f"{count} {code}" for code, count in sorted(faults.injected.items()))

    def verify_states(self) -> str:
        """Whether every resource is there once, in the one state that it belongs to."""
        if lost := find_orphans(self._account, self.rehearsal.platform):
            raise RehearsalError(f"in no state: {', '.join(orphan.identifier for orphan in lost)}")
        resources = 0
        for tier in self.tiers:
            stack = self.rehearsal.platform.stacks[tier]
            listed = self.rehearsal.deployment.terraform(stack, "state", "list").split()
            held = [address for address in listed if not address.startswith("data.")]
            if len(held) != (wanted := count_resources(stack)):
                raise RehearsalError(f"{stack.name}: {len(held)} of {wanted} resources are in its state")
            if changed := planned_changes(self.rehearsal.deployment.plan(stack)):
                raise RehearsalError(f"{stack.name}: a second plan would change {', '.join(changed)}")
            state = self.rehearsal.deployment.terraform(stack, "state", "pull")
            for arn in self.rehearsal.tagged(tier):
                # As a text, so that this asks in another way than `orphans` does.
                if re.split("[:/]", arn.removesuffix(":*"))[-1] not in state and not is_expected_without_state(
                    self._account, arn
                ):
                    raise RehearsalError(f"{arn} is not in the state of {stack.name}")
            resources += len(held)
        return f"{resources} resources, each in its state; second plans are empty"

    def correct_drift(self) -> str:
        """Let a bucket be public, as people do in a hurry: plan and drift say so, and a deployment sets it right."""
        stack = self.rehearsal.platform.stacks["foundation"]
        bucket = self.rehearsal.tagged("foundation", "s3")[0].rpartition(":")[2]
        self.rehearsal.aws.client("s3").put_public_access_block(
            Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True, "BlockPublicPolicy": False}
        )
        found = planned_changes(self.rehearsal.deployment.plan(stack))
        if len(found) != 1 or not found[0].startswith("aws_s3_bucket_public_access_block."):
            raise RehearsalError(f"{bucket} may be public, and a plan would change {', '.join(found) or 'nothing'}")
        drifted = drift.detect_drift([stack], self.rehearsal.deployment.terraform)
        if [f"{change.address}: update" for change in drifted.changes] != found or drifted.unknown:
            raise RehearsalError(f"{bucket} may be public, and what has drifted is {drifted}")
        self.rehearsal.deployment.deploy(stack.name)
        if left := planned_changes(self.rehearsal.deployment.plan(stack)):
            raise RehearsalError(f"{stack.name}: deployed again, a plan would change {', '.join(left)}")
        return f"{found[0]}; set right"

    def rotate_without_database(self) -> str:
        """Rotate while the database is down: it fails clearly, the credential stays, and the next one succeeds."""
        secret = self.rehearsal.secret()
        before = self.rehearsal.credential(secret)
        (cluster,) = self.rehearsal.aws.backend("rds").clusters.values()
        with self.rehearsal.early_rotation(secret):
            cluster.pair.pause()
            try:
                self.rehearsal.rotate(secret)
            except RehearsalError as error:
                problem = str(error)
            else:
                raise RehearsalError("a rotation without a database went well")
            finally:
                cluster.pair.resume()
            if self.rehearsal.credential(secret) != before:
                raise RehearsalError("a rotation that failed has changed the credential")
            self.rehearsal.log_in(before).close()
            self.rehearsal.rotate(secret)
        self.rehearsal.log_in(self.rehearsal.credential(secret)).close()
        return f"{problem}; the credential stayed, and the next rotation went well"

    @cached_property
    def _account(self) -> Account:
        return Account.of(self.rehearsal.settings)

    def _deploy(self, line: Callable[[str], None], started: Callable[[subprocess.Popen[str]], None]) -> None:
        stacks = [self.rehearsal.platform.stacks[tier].name for tier in self.tiers]
        self.rehearsal.deployment.deploy(*stacks, line=line, started=started)


def send_signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """What a person's Ctrl-C, an orderly stop, or the loss of the machine does to a program."""
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    elif number == signal.SIGTERM:
        process.terminate()
    else:
        kill_processes(process_tree(process))
