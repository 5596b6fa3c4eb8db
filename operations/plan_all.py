"""`python -m operations plan-all ENV FOLDER`: what a deployment would change, in all tiers, for `review` to read."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from operations.account import EnvironmentName, reach
from operations.errors import RefusedError, ends_in_a_line
from operations.plans import AT_ONCE, plan
from operations.terminal import side_by_side
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
    with ends_in_a_line():
        reach(environment)
        stacks = Platform.synthesized(environment).stacks.values()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tried = side_by_side("plan-all", [partial(_planned, folder, stack) for stack in stacks], AT_ONCE)
        if failed := [why for why in tried if why]:
            raise RefusedError("\n".join(failed))


def _planned(folder: Path, stack: Stack) -> str | None:
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
