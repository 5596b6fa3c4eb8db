"""What most tests look at: the project's environments, the tests' own, and variations, synthesized once a run."""

import os
import tomllib
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

# Before cdktf, as in main.py.
from main import ROOT, build
from operations.platform import Platform
from stacks.settings import Environment, load_environments

# isort: split
from cdktf import App

REFERENCE = Path(__file__).parent / "environments"
"""Environments of the tests' own; those of the project are a user's to change."""
ENVIRONMENTS = ("dev", "prod", "staging")
SHIPPED = sorted(file.stem for file in (ROOT / "environments").glob("*.toml"))
THREE_ZONES: dict[str, Any] = {
    "region": "us-west-2",
    "network": {"zones": ["us-west-2a", "us-west-2b", "us-west-2c"]},
    "database": {"readers": 2},
    "cache": {"replicas_per_shard": 2},
}

Synthesize = Callable[..., Platform]


def reference(name: str) -> dict[str, Any]:
    """A reference environment's file as it is written."""
    return tomllib.loads((REFERENCE / f"{name}.toml").read_text(encoding="utf-8"))


def changed(name: str, change: dict[str, Any]) -> dict[str, Any]:
    """A reference environment's file with some keys changed."""
    return merged(reference(name), change)


def settings(name: str, folder: Path, change: dict[str, Any] | None = None) -> Environment:
    """A reference environment with some keys changed, read as any file is."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.toml").write_text(as_toml(changed(name, change or {})), encoding="utf-8")
    (environment,) = load_environments(folder)
    return environment


def environment_without(*names: str) -> dict[str, str]:
    """This process's environment but for some variables, for a process of its own."""
    return {name: value for name, value in os.environ.items() if name not in names}


def as_toml(table: dict[str, Any], path: str = "") -> str:
    """TOML of a table whose values are plain; tables last, as TOML asks."""
    lines = [f"{key} = {_toml_value(value)}" for key, value in table.items() if not isinstance(value, dict)]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += [f"[{path}{key}]", as_toml(value, f"{path}{key}.")]
    return "\n".join(lines)


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    """Synthesizes a reference environment with some keys changed."""

    def synthesize(name: str, change: dict[str, Any] | None = None) -> Platform:
        folder = tmp_path_factory.mktemp(name)
        app = App(outdir=str(folder / "out"))
        build(app, settings(name, folder / "environments", change))
        app.synth()
        return Platform.read(folder / "out", name)

    return synthesize


def all_of(environments: Path, out: Path) -> dict[str, Platform]:
    """Every environment of a folder, from one run as `make synth` does it."""
    app = App(outdir=str(out))
    loaded = load_environments(environments)
    for environment in loaded:
        build(app, environment)
    app.synth()
    return {environment.name: Platform.read(out, environment.name) for environment in loaded}


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Platform]:
    """The project's own environments."""
    return all_of(ROOT / "environments", tmp_path_factory.mktemp("shipped"))


@pytest.fixture(scope="session")
def platforms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Platform]:
    """The reference environments."""
    return all_of(REFERENCE, tmp_path_factory.mktemp("reference"))


@pytest.fixture(scope="session")
def prod(platforms: dict[str, Platform]) -> Platform:
    return platforms["prod"]


@pytest.fixture(scope="session")
def dev(platforms: dict[str, Platform]) -> Platform:
    return platforms["dev"]


@pytest.fixture(scope="session")
def three_zones(synthesize: Synthesize) -> Platform:
    """Production in a Region of three zones, with a reader in each of the other two."""
    return synthesize("prod", THREE_ZONES)


@pytest.fixture(params=[*SHIPPED, "three zones"])
def platform(request: pytest.FixtureRequest, shipped: dict[str, Platform], three_zones: Platform) -> Platform:
    """Each of the project's environments, and production in three zones."""
    return shipped.get(request.param, three_zones)


def merged(table: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """A table with some keys changed."""
    whole = deepcopy(table)
    for key, value in change.items():
        whole[key] = merged(whole.get(key, {}), value) if isinstance(value, dict) else value
    return whole


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml_value(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
