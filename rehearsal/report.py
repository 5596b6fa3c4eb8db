"""What a rehearsal came to: a summary for people, the same as JSON, and what it does not prove."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

NOT_PROVEN = (
    "Not proven by a rehearsal: that IAM, KMS and the network enforce what they are told, quotas, failover, engine "
    "versions, that a backup can be restored, and whatever else AWS itself checks."
)


@dataclass
class Report:
    """Figures of one rehearsal; what has not been done yet is nothing."""

    environment: str
    synthesized: int = 0
    """Resources in the stacks."""
    resources: int = 0
    """Those that were deployed."""
    rotations: int = 0
    logins: int = 0
    failed_logins: int = 0
    redeployments: int = 0
    """Events of a new credential that started the state machine which starts the tasks anew."""
    integration_passed: int = 0
    integration_failed: list[str] = field(default_factory=list)
    second_plan_changes: dict[str, list[str]] = field(default_factory=dict)
    """What a second plan would change, by tier."""
    rules_held: int = 0
    """Of checkov's, in the second plan."""
    rules_broken: list[str] = field(default_factory=list)
    """Those that no waiver is for, and what is wrong with waivers."""
    denied_calls: list[str] = field(default_factory=list)
    """Calls of Terraform's that the role which is to make them may not make."""
    idle_actions: list[str] = field(default_factory=list)
    """What such a role may do, where nothing asked for it and nobody says why it may."""
    drift: list[str] = field(default_factory=list)
    """What would be taken for somebody's change behind Terraform's back, where nobody has changed anything."""
    review: str = ""
    """The verdict on a change that was proposed."""
    changes_found: int = 0
    """Of those made behind Terraform's back, when there were some."""
    left_behind: list[str] = field(default_factory=list)
    """ARNs that are there still when all has been destroyed."""
    unsupported_calls: dict[str, int] = field(default_factory=dict)
    """Service and action of what the local AWS does not know."""
    seconds: dict[str, float] = field(default_factory=dict)
    """By tier, and by step."""

    @property
    def problems(self) -> list[str]:
        """What must not be, a line each."""
        lines = [
            (self.resources != self.synthesized, f"{self.resources} of {self.synthesized} resources were deployed"),
            (bool(self.failed_logins), f"{self.failed_logins} of {self.logins} logins failed"),
            (not self.rotations or not self.logins, f"{self.rotations} rotations, {self.logins} logins meanwhile"),
            (self.redeployments != self.rotations, f"{self.redeployments} of {self.rotations} rotations were heard of"),
            (not self.integration_passed, "no integration test passed"),
            (not self.rules_held, "checkov looked at nothing"),
            (not self.review, "no change was reviewed"),
            (not self.changes_found, "no change behind Terraform's back was found"),
        ]
        return [
            *(line for wrong, line in lines if wrong),
            *(f"integration test failed: {test}" for test in self.integration_failed),
            *(
                f"{tier}: a second plan would {change}"
                for tier, found in self.second_plan_changes.items()
                for change in found
            ),
            *(f"checkov: {broken}" for broken in self.rules_broken),
            *(f"who deploys may not make this call: {call}" for call in self.denied_calls),
            *(f"who deploys has no need of this action: {action}" for action in self.idle_actions),
            *(f"no drift, and told as such: {change}" for change in self.drift),
            *(f"left behind: {arn}" for arn in self.left_behind),
            *(f"the local AWS does not know {call} ({count} calls)" for call, count in self.unsupported_calls.items()),
        ]

    def write(self, file: Path) -> None:
        """As JSON."""
        file.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    def show(self, console: Console) -> None:
        """As a table, with what is wrong beneath it."""
        table = Table(title=f"Rehearsal of {self.environment}", title_justify="left", show_header=False)
        changes = sum(map(len, self.second_plan_changes.values()))
        for name, value in (
            ("resources", f"{self.resources} of {self.synthesized}"),
            ("rotations", f"{self.rotations}, of which new tasks were asked for: {self.redeployments}"),
            ("logins meanwhile", f"{self.logins}, of which failed: {self.failed_logins}"),
            ("integration tests", f"{self.integration_passed} passed, {len(self.integration_failed)} failed"),
            ("second plan", f"{changes} changes"),
            ("checkov", f"{self.rules_held} rules hold, {len(self.rules_broken)} do not and should"),
            ("review of a change", self.review),
            ("changes behind Terraform's back", f"{self.changes_found} found"),
            ("roles that deploy", f"{len(self.denied_calls)} calls denied, {len(self.idle_actions)} actions idle"),
            ("calls that are not supported", str(sum(self.unsupported_calls.values()))),
            ("seconds", ", ".join(f"{name} {seconds:.0f}" for name, seconds in self.seconds.items())),
        ):
            table.add_row(name, value)
        console.print(table)
        for problem in self.problems:
            console.print(problem, style="red", markup=False, soft_wrap=True)
        console.print(NOT_PROVEN, style="dim")
