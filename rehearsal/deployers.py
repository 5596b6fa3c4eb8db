"""A rehearsal by the roles that deploy: which calls Terraform makes, and whether these were theirs to make."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rehearsal.one_environment import Rehearsal
from stacks.names import ACCESS
from synthesized.permissions import denied_calls, unused_actions


@dataclass
class Deployers:
    """An administrator, who says who deploys; and those."""

    rehearsal: Rehearsal
    calls: dict[str, set[str]] = field(default_factory=dict)
    """Terraform's own, by what it was doing."""

    def deploy_access(self) -> None:
        """Deploy, as an administrator, the tier that says who deploys the others."""
        self.rehearsal.deploy(ACCESS)

    def deploy(self) -> None:
        """Deploy all other tiers."""
        with self._noting("apply"):
            self.rehearsal.deploy(*self._others)

    def plan_again(self) -> None:
        """Plan every tier a second time."""
        with self._noting("plan"):
            self.rehearsal.plan_again()

    def check_permissions(self) -> None:
        """Hold the roles against the calls that Terraform made: each was theirs to make, and nothing else is theirs."""
        rehearsal, calls = self.rehearsal, self.calls["apply"] | self.calls["plan"]
        for role in ("apply", "plan"):
            self._tell_denied(role, self.calls[role])
            # What the settings leave out is not called.
            if rehearsal.settings.production:
                idle = unused_actions(calls, role, rehearsal.platform)
                rehearsal.report.idle_actions += [f"{role}: {action}" for action in idle]

    def destroy(self) -> None:
        """Destroy all other tiers, and what says who deploys them, as an administrator, in the end."""
        with self._noting("destroy"):
            self.rehearsal.destroy(*self._others)
        self._tell_denied("apply", self.calls["destroy"])
        self.rehearsal.destroy(ACCESS)

    @property
    def _others(self) -> list[str]:
        return [tier for tier in self.rehearsal.platform.stacks if tier != ACCESS]

    @contextmanager
    def _noting(self, what: str) -> Generator[None]:
        """Note which calls Terraform makes meanwhile."""
        gateway = self.rehearsal.aws.gateway
        before = gateway.terraform_calls.copy()
        yield
        self.calls[what] = set(gateway.terraform_calls - before)

    def _tell_denied(self, role: str, calls: set[str]) -> None:
        told = [f"{role}: {call}" for call in denied_calls(calls, role, self.rehearsal.platform)]
        self.rehearsal.report.denied_calls += told
