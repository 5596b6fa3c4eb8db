"""Report of a rehearsal: a table for people, and JSON."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

NOT_PROVEN = (
    "Not proven by a rehearsal: what tasks may do and reach, because none runs; that quotas suffice, engine versions "
    "exist, failover and restores succeed; and whatever else AWS itself checks."
)


@dataclass
class Report:
    """Results of one rehearsal. Steps that have not run leave theirs empty."""

    environment: str
    synthesized: int = 0
    """Number of resources in the stacks."""
    resources: int = 0
    """Number of deployed resources."""
    rotations: int = 0
    logins: int = 0
    failed_logins: int = 0
    redeployments: int = 0
    """Executions that rotations started and that succeeded."""
    scheduled_executions: int = 0
    """Executions of state machines as their schedules start them, that succeeded."""
    failed_executions: list[str] = field(default_factory=list)
    """Executions that failed or published a message, and what they have not done."""
    integration_passed: int = 0
    integration_failed: list[str] = field(default_factory=list)
    second_plan_changes: dict[str, list[str]] = field(default_factory=dict)
    """Changes in a second plan, by tier."""
    rules_held: int = 0
    """Number of checkov checks that passed for the second plan."""
    rules_broken: list[str] = field(default_factory=list)
    """Failed checkov checks without a waiver, and problems with waivers."""
    denied_calls: list[str] = field(default_factory=list)
    """Actions that a role was denied, with the resource and the reason."""
    idle_actions: list[str] = field(default_factory=list)
    """Actions that a deployer role allows without use and without a stated reason."""
    idle_statements: list[str] = field(default_factory=list)
    """Statements of roles without which nothing would have been denied, and without a stated reason."""
    drift: list[str] = field(default_factory=list)
    """Drift reported although nothing was changed outside Terraform."""
    review: str = ""
    """Summary of the review of a change."""
    changes_found: int = 0
    """Number of changes outside Terraform that `drift` found."""
    left_behind: list[str] = field(default_factory=list)
    """ARNs of resources that still exist after destroy."""
    failed_calls: list[str] = field(default_factory=list)
    """Calls that AWS does not take, or that the local AWS does not support."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Duration by tier and by step."""

    @property
    def problems(self) -> list[str]:
        """One line for each problem; empty if the rehearsal passed."""
        lines = [
            (self.resources != self.synthesized, f"{self.resources} of {self.synthesized} resources were deployed"),
            (bool(self.failed_logins), f"{self.failed_logins} of {self.logins} logins failed"),
            (not self.rotations or not self.logins, f"{self.rotations} rotations, {self.logins} concurrent logins"),
            (
                self.redeployments != self.rotations,
                f"{self.redeployments} of {self.rotations} rotations led to a redeployment",
            ),
            (not self.scheduled_executions, "no scheduled state machine succeeded"),
            (not self.integration_passed, "no integration test passed"),
            (not self.rules_held, "no checkov check passed"),
            (not self.review, "no change was reviewed"),
            (not self.changes_found, "no change behind Terraform's back was found"),
        ]
        return [
            *(line for is_problem, line in lines if is_problem),
            *(f"state machine: {failed}" for failed in self.failed_executions),
            *(f"integration test failed: {test}" for test in self.integration_failed),
            *(
                f"{tier}: a second plan has a change: {change}"
                for tier, found in self.second_plan_changes.items()
                for change in found
            ),
            *(f"checkov: {broken}" for broken in self.rules_broken),
            *(f"denied to {denied}" for denied in self.denied_calls),
            *(f"action not needed by the deployer role: {action}" for action in self.idle_actions),
            *(f"statement not needed by {statement}" for statement in self.idle_statements),
            *(f"drift without a change: {change}" for change in self.drift),
            *(f"not destroyed: {arn}" for arn in self.left_behind),
            *self.failed_calls,
        ]

    def write(self, file: Path) -> None:
        """Write the report as JSON."""
        file.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    def show(self, console: Console) -> None:
        """Print the report as a table, followed by the problems."""
        table = Table(title=f"Rehearsal of {self.environment}", title_justify="left", show_header=False)
        changes = sum(map(len, self.second_plan_changes.values()))
        for name, value in (
            ("resources", f"{self.resources} of {self.synthesized}"),
            ("rotations", f"{self.rotations}, redeployments: {self.redeployments}"),
            ("scheduled state machines", f"{self.scheduled_executions} succeeded"),
            ("concurrent logins", f"{self.logins}, failed: {self.failed_logins}"),
            ("integration tests", f"{self.integration_passed} passed, {len(self.integration_failed)} failed"),
            ("second plan", f"{changes} changes"),
            ("checkov", f"{self.rules_held} checks passed, {len(self.rules_broken)} failed without a waiver"),
            ("review of a change", self.review),
            ("changes behind Terraform's back", f"{self.changes_found} found"),
            (
                "roles",
                f"{len(self.denied_calls)} actions denied, {len(self.idle_actions + self.idle_statements)} not needed",
            ),
            ("calls not taken", str(len(self.failed_calls))),
            ("seconds", ", ".join(f"{name} {seconds:.0f}" for name, seconds in self.seconds.items())),
        ):
            table.add_row(name, value)
        console.print(table)
        for problem in self.problems:
            console.print(problem, style="red", markup=False, soft_wrap=True)
        console.print(NOT_PROVEN, style="dim")
