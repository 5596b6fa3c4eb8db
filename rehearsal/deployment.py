"""One environment, synthesized and deployed from a folder of the rehearsal's own, as a user would do it.

Which AWS is asked, and which package is deployed, this process's environment says, as it does for a user.
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
"""Terraform's. Of its usual ten, nine would be keys, which wait for thirteen seconds while all else is held up."""
OnLine = Callable[[str], None]
OnStart = Callable[[subprocess.Popen[str]], None]


@dataclass
class Deployment:
    """An environment's stacks in a folder."""

    name: str
    """The environment's."""
    folder: Path
    """Where stacks, plans and logs go."""

    @property
    def stacks(self) -> Path:
        """Where cdktf writes."""
        return self.folder / "cdktf.out"

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
        return Platform.read(self.stacks, self.name)

    def deploy(self, *stacks: str, line: OnLine = lambda _: None, started: OnStart = lambda _: None) -> None:
        """Deploy all stacks, or some.

        Args:
            stacks: names, with all that they depend on; none is all.
            line: hears each line of the cdktf CLI's.
            started: hears of its process.

        Raises:
            ProgramError: it ended with an error.
        """
        self._cdktf("deploy", "--skip-provider-lock", *(stacks or (f"{self.name}-*",)), line=line, started=started)

    def destroy(self, *stacks: str, line: OnLine = lambda _: None) -> None:
        """Destroy all stacks, or some with all that depends on them; `line` hears each line of the cdktf CLI's.

        Raises:
            ProgramError: it ended with an error.
        """
        self._cdktf("destroy", *(stacks or (f"{self.name}-*",)), line=line)

    def plan(self, stack: Stack, *options: str) -> dict[str, Any]:
        """What Terraform would change now, as `terraform show -json` tells a plan.

        Args:
            stack: one that is deployed.
            options: of `terraform plan`.

        Raises:
            TerraformError: it cannot be planned.
        """
        return plans.plan(stack, *options, run=self.terraform)

    def state(self, stack: Stack) -> dict[str, dict[str, Any]]:
        """Attributes of each resource in a stack's state, by address.

        Raises:
            TerraformError: it cannot be read.
        """
        return attributes_in(self.terraform(stack, "state", "pull"))

    def tainted(self, stack: Stack) -> list[str]:
        """Addresses of the resources that are tainted in a stack's state.

        Raises:
            TerraformError: it cannot be read.
        """
        return tainted_in(self.terraform(stack, "state", "pull"))

    def terraform(self, stack: Stack, *arguments: str) -> str:
        """Run Terraform on a stack that the cdktf CLI has initialized."""
        return terraform(*arguments, cwd=stack.folder)

    def _cdktf(self, *command: str, **heard: Any) -> None:
        flags = ("--auto-approve", "--no-color", f"--terraform-parallelism={PARALLELISM}", f"--output={self.stacks}")
        self._run(str(CDKTF), *command, *flags, **heard)

    def _run(self, *command: str, **heard: Any) -> None:
        variables = {
            **without_variables(environment(), *PROCESS_VARIABLES),
            **cli_variables(self.folder),
            "ENV": self.name,
            "CDKTF_OUTDIR": str(self.stacks),
        }
        run(command, cwd=ROOT, variables=variables, log=self.log, **heard)


def cli_variables(folder: Path) -> dict[str, str]:
    """The cdktf CLI's own variables, by which it writes nothing to the user's home, but to a folder."""
    return {"CDKTF_HOME": str(folder / "cdktf"), "CDKTF_DISABLE_PLUGIN_CACHE_ENV": "1"}


def planned_changes(plan: Mapping[str, Any]) -> list[str]:
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
