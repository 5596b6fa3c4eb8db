"""Checks the permissions of the deployer roles against the API calls that Terraform makes in a rehearsal."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rehearsal.one_environment import Rehearsal
from stacks.names import ACCESS
from synthesized.permissions import denied_calls, unused_actions


@dataclass
class Deployers:
    """Steps of a rehearsal during which Terraform's API calls are recorded.

    The access tier is deployed and destroyed by an administrator, all other tiers by the deployer roles.
    """

    rehearsal: Rehearsal
    calls: dict[str, set[str]] = field(default_factory=dict)
    """Terraform's API calls, by step."""

    def deploy_access(self) -> None:
        """Deploy the access tier, as an administrator."""
        self.rehearsal.deploy(ACCESS)

    def deploy(self) -> None:
        """Deploy all other tiers."""
        with self._recording("apply"):
            self.rehearsal.deploy(*self._other_tiers)

    def plan_again(self) -> None:
        """Plan every tier a second time."""
        with self._recording("plan"):
            self.rehearsal.plan_again()

    def check_permissions(self) -> None:
        """Report calls that the roles do not allow, and actions that they allow without need."""
        rehearsal, calls = self.rehearsal, self.calls["apply"] | self.calls["plan"]
        for role in ("apply", "plan"):
            self._report_denied(role, self.calls[role])
            # Smaller environments do not use every action.
            if rehearsal.settings.production:
                unused = unused_actions(calls, role, rehearsal.platform)
                rehearsal.report.idle_actions += [f"{role}: {action}" for action in unused]

    def destroy(self) -> None:
        """Destroy all other tiers, and then the access tier, as an administrator."""
        with self._recording("destroy"):
            self.rehearsal.destroy(*self._other_tiers)
        self._report_denied("apply", self.calls["destroy"])
        self.rehearsal.destroy(ACCESS)

    @property
    def _other_tiers(self) -> list[str]:
        return [tier for tier in self.rehearsal.platform.stacks if tier != ACCESS]

    @contextmanager
    def _recording(self, step: str) -> Generator[None]:
        """Record the API calls that Terraform makes in the context."""
        gateway = self.rehearsal.aws.gateway
        before = gateway.terraform_calls.copy()
        yield
        self.calls[step] = set(gateway.terraform_calls - before)

    def _report_denied(self, role: str, calls: set[str]) -> None:
        denied = [f"{role}: {call}" for call in denied_calls(calls, role, self.rehearsal.platform)]
        self.rehearsal.report.denied_calls += denied
