"""One environment, synthesized to a folder of the rehearsal and deployed from there, with a user's own programs.

Environment variables select the AWS endpoint and the rotation function's package, as they do for a user.
"""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operations import plans
from operations.states import attributes_in, tainted_in
from operations.terraform import environment, terraform
from rehearsal.processes import PROCESS_VARIABLES, run, without_variables
from stacks import ROOT
from synthesized.platform import Platform, Stack

CDKTF = ROOT / "node_modules" / ".bin" / "cdktf"
PARALLELISM = 20
"""Parallelism of Terraform. With the default of ten, nine keys, each created in 13 seconds, would block all else."""
OnLine = Callable[[str], None]
OnStart = Callable[[subprocess.Popen[str]], None]


@dataclass
class Deployment:
    """An environment's stacks in a folder."""

    name: str
    """Name of the environment."""
    folder: Path
    """Folder for stacks, plans and logs."""

    @property
    def stacks(self) -> Path:
        """Output folder of cdktf."""
        return self.folder / "cdktf.out"

    @property
    def log(self) -> Path:
        """Output of synthesis and of the cdktf CLI."""
        return self.folder / "deploy.log"

    def synthesize(self) -> Platform:
        """Synthesize the stacks, as `make synth` does.

        Raises:
            ProgramError: the stacks cannot be synthesized.
        """
        self._run(str(ROOT / ".venv" / "bin" / "python"), str(ROOT / "main.py"))
        return Platform.read(self.stacks, self.name)

    def deploy(self, *stacks: str, on_line: OnLine = lambda _: None, on_start: OnStart = lambda _: None) -> None:
        """Deploy stacks by name, by default all.

        Args:
            stacks: names, including those of stacks that they depend on.
            on_line: called with each line that the cdktf CLI prints.
            on_start: called with the process of the cdktf CLI.

        Raises:
            ProgramError: the cdktf CLI failed.
        """
        names = stacks or (f"{self.name}-*",)
        self._cdktf("deploy", "--skip-provider-lock", *names, on_line=on_line, on_start=on_start)

    def destroy(self, *stacks: str, on_line: OnLine = lambda _: None) -> None:
        """Destroy stacks by name, including those that depend on them, by default all.

        Raises:
            ProgramError: the cdktf CLI failed.
        """
        self._cdktf("destroy", *(stacks or (f"{self.name}-*",)), on_line=on_line)

    def plan(self, stack: Stack, *options: str) -> dict[str, Any]:
        """A plan for a deployed stack, as `terraform show -json` prints it.

        Args:
            stack: a stack that the cdktf CLI has initialized.
            options: options of `terraform plan`.

        Raises:
            TerraformError: the stack cannot be planned.
        """
        return plans.plan(stack, *options, run=self.terraform)

    def state(self, stack: Stack) -> dict[str, dict[str, Any]]:
        """Attributes of each resource in a stack's state, by address.

        Raises:
            TerraformError: the state cannot be read.
        """
        return attributes_in(self.terraform(stack, "state", "pull"))

    def tainted(self, stack: Stack) -> list[str]:
        """Addresses of tainted resources in a stack's state.

        Raises:
            TerraformError: the state cannot be read.
        """
        return tainted_in(self.terraform(stack, "state", "pull"))

    def terraform(self, stack: Stack, *arguments: str) -> str:
        """Run Terraform on a stack that the cdktf CLI has initialized."""
        return terraform(*arguments, cwd=stack.folder)

    def _cdktf(self, *command: str, **callbacks: Any) -> None:
        flags = ("--auto-approve", "--no-color", f"--terraform-parallelism={PARALLELISM}", f"--output={self.stacks}")
        self._run(str(CDKTF), *command, *flags, **callbacks)

    def _run(self, *command: str, **callbacks: Any) -> None:
        variables = {
            **without_variables(environment(), *PROCESS_VARIABLES),
            **cli_variables(self.folder),
            "ENV": self.name,
            "CDKTF_OUTDIR": str(self.stacks),
        }
        run(command, cwd=ROOT, variables=variables, log=self.log, **callbacks)


def cli_variables(folder: Path) -> dict[str, str]:
    """Variables that make the cdktf CLI write to a folder instead of the user's home."""
    return {"CDKTF_HOME": str(folder / "cdktf"), "CDKTF_DISABLE_PLUGIN_CACHE_ENV": "1"}


def planned_changes(plan: Mapping[str, Any]) -> list[str]:
    """Resources and outputs that a plan would change, with the actions."""
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
