"""An environment with an example change: egress to another payment provider."""

from pathlib import Path

from pydantic import ValidationError

# Before cdktf, as in main.py.
from main import build
from operations.account import settings_of
from operations.errors import RefusedError
from stacks.own_tiers import own_tiers_of
from stacks.settings.network import EgressRule

# isort: split
from cdktf import App


def synthesize(environment: str, cidr: str, folder: Path) -> None:
    """Synthesize an environment with one more egress range.

    Args:
        environment: name of the environment.
        cidr: range that tasks may connect to.
        folder: output folder for the stacks.

    Raises:
        typer.BadParameter: there is no such environment.
        SettingsError: the environment's settings are invalid.
        RefusedError: the settings do not allow the range.
        OSError: the folder cannot be written.
    """
    settings = settings_of(environment)
    try:
        provider = EgressRule.model_validate({"cidr": cidr, "reason": "proposed payment provider"})
    except ValidationError as error:
        raise RefusedError(f"CIDR = {cidr}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error
    network = settings.network.model_copy(update={"egress": (*settings.network.egress, provider)})
    (folder / "stacks").mkdir(parents=True, exist_ok=True)  # otherwise cdktf fails with a Node traceback
    app = App(outdir=str(folder))
    build(app, settings.model_copy(update={"network": network}), own_tiers_of(environment))
    app.synth()
