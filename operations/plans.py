"""Terraform plans of stacks as JSON, each made in the stack's folder."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

from operations.terraform import TerraformError, terraform
from synthesized.platform import Stack

PARALLEL_RUNS = 2
"""Concurrent Terraform runs. Each starts a provider, which takes about a gigabyte of memory."""

TerraformRunner = Callable[..., str]
"""Runs Terraform on a stack: takes the stack and the arguments, returns the output."""

INIT_LOCK = Lock()
"""The plugin cache does not support concurrent `terraform init`.

https://developer.hashicorp.com/terraform/cli/config/config-file#provider-plugin-cache
"""


def run_in_folder(stack: Stack, *arguments: str) -> str:
    """Run Terraform in a stack's folder, which is initialized if needed.

    Raises:
        TerraformError: Terraform failed.
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
    """Plan a stack; the plan in the format of `terraform show -json`.

    Args:
        stack: its upstream stacks must be deployed.
        options: options of `terraform plan`.
        run: runs Terraform.

    Raises:
        TerraformError: it cannot be planned.
    """
    # In a temporary folder: a plan file contains the state's values in plaintext.
    with TemporaryDirectory() as folder:
        file = str(Path(folder) / f"{stack.tier}.plan")
        run(stack, "plan", *options, "-input=false", "-no-color", f"-out={file}")
        return json.loads(run(stack, "show", "-json", file))
