"""`python -m operations plan-all ENV FOLDER`: what a deployment would change, in all tiers, for `review` to read."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from operations.account import EnvironmentName, connect
from operations.errors import RefusedError, one_line_errors
from operations.plans import PARALLEL_RUNS, plan
from operations.terminal import run_in_parallel
from operations.terraform import TerraformError
from synthesized.platform import Platform, Stack


def plan_all(
    environment: EnvironmentName,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", file_okay=False, help="Where each plan is written, as STACK.json.")
    ],
) -> None:
    """Plan all tiers of an environment, each as `terraform show -json` tells it.

    What a deployment of what `make synth` wrote would change, two tiers at a time. A tier that cannot be planned, as
    one that reads of another which was never deployed, is told, and the others are planned. Changes nothing, and takes
    no lock, because none of these plans is applied. A plan holds what the state holds, in clear: FOLDER is made for
    nobody else to read.

    When: where no Atlantis plans a change, for `review`.

    Example: `python -m operations plan-all prod .cache/plans`

    Then: `python -m operations review .cache/plans/prod-*.json`

    Exit codes: 0 all are planned; 1 a tier cannot be, or it refused or failed; 2 usage.
    """
    with one_line_errors():
        connect(environment)
        stacks = Platform.synthesized(environment).stacks.values()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tried = run_in_parallel("plan-all", [partial(_plan_to_file, folder, stack) for stack in stacks], PARALLEL_RUNS)
        if failed := [why for why in tried if why]:
            raise RefusedError("\n".join(failed))


def _plan_to_file(folder: Path, stack: Stack) -> str | None:
    """Why a stack cannot be planned; None where it was."""
    file = folder / f"{stack.name}.json"
    # What is left of an earlier time is no plan of this change.
    file.unlink(missing_ok=True)
    try:
        planned = plan(stack, "-lock=false")
    except TerraformError as error:
        return f"{stack.name}: {' '.join(str(error).split())}"
    file.write_text(json.dumps(planned), encoding="utf-8")
    return None
