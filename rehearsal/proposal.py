"""`python -m rehearsal.proposal ENV CIDR FOLDER`: an environment as a pull request would have it.

The change is one that every shop makes: a way out, to a payment provider.
"""

import sys
from pathlib import Path

# Before cdktf, as in main.py.
from main import build
from stacks import ROOT
from stacks.settings import load_environments
from stacks.settings.network import EgressRule

# isort: split
from cdktf import App


def propose(environment: str, cidr: str, folder: Path) -> None:
    """Synthesize an environment with one more way out.

    Args:
        environment: its name.
        cidr: what may be reached.
        folder: where its stacks go.

    Raises:
        SettingsError: there is no such environment, or its file is wrong.
    """
    (settings,) = load_environments(ROOT / "environments", only=environment)
    provider = EgressRule.model_validate({"cidr": cidr, "reason": "a payment provider that is proposed"})
    network = settings.network.model_copy(update={"egress": (*settings.network.egress, provider)})
    app = App(outdir=str(folder))
    build(app, settings.model_copy(update={"network": network}))
    app.synth()


if __name__ == "__main__":
    propose(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
