"""`python -m operations plan-all ENV FOLDER`: plans all tiers of an environment for `review`."""

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
        Path, typer.Argument(metavar="FOLDER", file_okay=False, help="Folder for the plans, STACK.json each.")
    ],
) -> None:
    """Plan all tiers of an environment and write each plan as JSON (`terraform show -json`).

    Plans the output of `make synth`, two tiers at a time. If a tier cannot be planned, for example because its upstream
    tier was never deployed, the others still are. Changes nothing and takes no lock, because these plans are never
    applied. A plan contains the state's values in plaintext: only you can read FOLDER.

    When: before `review`, if no Atlantis plans the change.

    Example: `python -m operations plan-all prod .cache/plans`

    Then: `python -m operations review .cache/plans/prod-*.json`

    Exit codes: 0 all tiers are planned; 1 a tier cannot be planned, or refused or failed; 2 usage.
    """
    with one_line_errors():
        connect(environment)
        stacks = Platform.synthesized(environment).stacks.values()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        errors = run_in_parallel("plan-all", [partial(_plan_to_file, folder, stack) for stack in stacks], PARALLEL_RUNS)
        if failed := [error for error in errors if error]:
            raise RefusedError("\n".join(failed))


def _plan_to_file(folder: Path, stack: Stack) -> str | None:
    """Plan a stack; the error if that fails, else None."""
    file = folder / f"{stack.name}.json"
    # An earlier plan must not be mistaken for this one.
    file.unlink(missing_ok=True)
    try:
        planned = plan(stack, "-lock=false")
    except TerraformError as error:
        return f"{stack.name}: {' '.join(str(error).split())}"
    file.write_text(json.dumps(planned), encoding="utf-8")
    return None
