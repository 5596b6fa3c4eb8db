"""Plans of stacks, as Terraform tells them in JSON, each made in the stack's own folder."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

from operations.terraform import TerraformError, terraform
from synthesized.platform import Stack

PARALLEL_RUNS = 2
"""Runs of Terraform, each with a provider of its own: about a gigabyte of memory."""

TerraformRunner = Callable[..., str]
"""Runs Terraform on a stack: the stack, then arguments."""

INIT_LOCK = Lock()
"""Of providers, one folder at a time. https://developer.hashicorp.com/terraform/cli/config/config-file#provider-plugin-cache"""


def run_in_folder(stack: Stack, *arguments: str) -> str:
    """Run Terraform on a stack; its folder is initialized, where Terraform asks for that.

    Raises:
        TerraformError: with what it says.
    """
    try:
        return terraform(*arguments, cwd=stack.folder)
    except TerraformError as error:
        if "terraform init" not in str(error):
            raise
    with INIT_LOCK:
        terraform("init", "-reconfigure", "-input=false", "-no-color", cwd=stack.folder)
    return terraform(*arguments, cwd=stack.folder)


def plan(stack: Stack, *options: str, run: TerraformRunner = run_in_folder) -> dict[str, Any]:
    """What Terraform would change, as `terraform show -json` tells a plan.

    Args:
        stack: one whose upstream stacks are deployed.
        options: of `terraform plan`.
        run: who runs Terraform.

    Raises:
        TerraformError: it cannot be planned.
    """
    # In a folder that goes at once: a plan's file holds what the state holds, in clear.
    with TemporaryDirectory() as folder:
        file = str(Path(folder) / f"{stack.tier}.plan")
        run(stack, "plan", *options, "-input=false", "-no-color", f"-out={file}")
        return json.loads(run(stack, "show", "-json", file))
