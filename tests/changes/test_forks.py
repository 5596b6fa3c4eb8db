"""A fork that edits `environments/` alone passes lint, all tests of stacks, and validation.

After `make generated`. `make fork` makes all of FORKS; the variable FORK selects one.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stacks.settings.files import merged
from tests.changes.test_examples import GENERATE
from tests.checkouts import copy_project, run, run_suites
from tests.conftest import ENVIRONMENTS, REFERENCE, THREE_ZONES, VARIANTS, to_toml

FORKS: Mapping[str, Mapping[str, Mapping[str, Any] | None]] = {
    "names": {"prod": {"company": "a"}, "staging": {"company": "i"}, "dev": {"company": "wholesale-9"}},
    "region": {
        "prod": {
            **THREE_ZONES,
            "region": "eu-central-1",
            "second_region": "eu-west-1",
            "network": {"zones": ["eu-central-1a", "eu-central-1b", "eu-central-1c"]},
        }
    },
    "four-environments": {
        "dev-eu": {
            "region": "eu-west-1",
            "network": {"cidr": "10.9.0.0/18", "zones": ["eu-west-1a", "eu-west-1b"]},
            "service": {"domain": "shop.dev-eu.dev.acme.example"},
            "access": {"oidc_provider": "arn:aws:iam::777788889999:oidc-provider/token.actions.githubusercontent.com"},
        }
    },
    "dev-alone": {"staging": None, "prod": None},
    "every-setting": VARIANTS,
}
"""By name, how a fork's environments differ from those of the tests. None: deleted. An unknown one begins as `dev`."""


def write_environments(folder: Path, fork: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Replace the environments of a copy by those of a fork."""
    for file in folder.glob("*.toml"):
        file.unlink()
    for name in {"shared", *ENVIRONMENTS, *fork}:
        base = REFERENCE / f"{name if name in {'shared', *ENVIRONMENTS} else 'dev'}.toml"
        change = fork.get(name, {})
        if change is not None:
            table = merged(tomllib.loads(base.read_text(encoding="utf-8")), change)
            (folder / f"{name}.toml").write_text(to_toml(table), encoding="utf-8")


@pytest.mark.parametrize("name", [os.environ["FORK"]] if "FORK" in os.environ else FORKS)
def test_a_fork_passes(tmp_path: Path, name: str):
    copy = copy_project(tmp_path / "project")
    write_environments(copy / "environments", FORKS[name])
    run(copy, GENERATE)
    run(copy, ".venv/bin/ruff check && .venv/bin/ruff format --check && .venv/bin/basedpyright")
    run_suites(copy, "tests/unit tests/snapshots", "tests/policy")
    run(copy, ".venv/bin/python -m operations validate")
