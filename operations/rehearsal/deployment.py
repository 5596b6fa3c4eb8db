"""One environment, synthesized and deployed from a folder of the rehearsal's own, as a user would do it."""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from operations.platform import Platform, Stack
from operations.rehearsal.processes import ProgramError, run
from operations.terraform import ROOT, environment, terraform

CDKTF = ROOT / "node_modules" / ".bin" / "cdktf"
DONE = re.compile(r"^(\S+) .*: (?:Creation|Destruction) complete after ")
"""What cdktf says, with the stack's name before it, when Terraform has made or destroyed a resource."""


@dataclass
class Deployment:
    """An environment's stacks in a folder, and the AWS that they are deployed to."""

    name: str
    """The environment's."""
    folder: Path
    """Where stacks, plans and logs go."""
    variables: Mapping[str, str]
    """What the environment of each program says beside what is there: which AWS is asked, which package deployed."""
    done: Counter[str] = field(default_factory=Counter)
    """Resources made or destroyed by the command that runs, by stack."""

    @property
    def log(self) -> Path:
        """What the programs say."""
        return self.folder / "deploy.log"

    def synthesize(self) -> Platform:
        """Write the stacks, as `make synth` does it.

        Raises:
            ProgramError: they cannot be synthesized.
        """
        self._run(str(ROOT / ".venv" / "bin" / "python"), str(ROOT / "main.py"))
        return Platform.read(self.folder / "cdktf.out", self.name)

    def deploy(self, *stacks: str, heard: Callable[[], None] = lambda: None, started: Any = lambda _: None) -> None:
        """Deploy all stacks, or some whose dependencies are deployed.

        Args:
            stacks: names; none is all.
            heard: called when `done` has changed.
            started: hears of the process.

        Raises:
            ProgramError: the cdktf CLI ended with an error.
        """
        self._cdktf("deploy", stacks, heard, started)

    def destroy(self, heard: Callable[[], None] = lambda: None) -> None:
        """Destroy all stacks.

        Raises:
            ProgramError: the cdktf CLI ended with an error.
        """
        self._cdktf("destroy", (), heard, lambda _: None)

    def plan(self, stack: Stack) -> dict[str, Any]:
        """What Terraform would change now, as `terraform show -json` tells a plan.

        Raises:
            TerraformError: it cannot be planned.
        """
        file = f"{stack.tier}.plan"
        self.terraform(stack, "plan", "-input=false", "-no-color", f"-out={file}")
        return json.loads(self.terraform(stack, "show", "-json", file))

    def terraform(self, stack: Stack, *arguments: str) -> str:
        """Run Terraform on a stack that the cdktf CLI has initialized."""
        return terraform(*arguments, cwd=stack.folder, variables=self.variables)

    def _cdktf(
        self,
        command: str,
        stacks: tuple[str, ...],
        heard: Callable[[], None],
        started: Callable[[subprocess.Popen[str]], None],
    ) -> None:
        self.done.clear()

        def line(text: str) -> None:
            if found := DONE.match(text):
                self.done[found[1]] += 1
                heard()

        self._run(
            *(str(CDKTF), command, *(stacks or (f"{self.name}-*",)), "--auto-approve", "--no-color"),
            *("--skip-provider-lock",) if command == "deploy" else (),
            *("--ignore-missing-stack-dependencies", f"--output={self.folder / 'cdktf.out'}"),
            line=line,
            started=started,
        )

    def _run(self, *command: str, **heard: Any) -> None:
        variables = {
            **environment(),
            **self.variables,
            "ENV": self.name,
            "CDKTF_OUTDIR": str(self.folder / "cdktf.out"),
            # The CLI's own folder and Terraform's plugins stay with the project.
            "CDKTF_HOME": str(self.folder / "cdktf"),
            "CI": "1",
        }
        run(command, cwd=ROOT, variables=variables, log=self.log, **heard)


def changes(plan: Mapping[str, Any]) -> list[str]:
    """What a plan would change: resources with their actions, and outputs."""
    resources = [
        f"{change['address']}: {'/'.join(change['change']['actions'])}"
        for change in plan.get("resource_changes", [])
        if change["mode"] == "managed" and change["change"]["actions"] != ["no-op"]
    ]
    outputs = [
        f"output {name}: {'/'.join(change['actions'])}"
        for name, change in plan.get("output_changes", {}).items()
        if change["actions"] != ["no-op"]
    ]
    return resources + outputs


__all__ = ["Deployment", "ProgramError", "changes"]
