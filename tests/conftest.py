"""Fixtures for the synthesized platform: shipped environments, reference environments and variants, once per run.

If all tests of a run have the marker `tiers`, only these tiers and their dependencies are synthesized.
"""

import os
import sys
import tomllib
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

# Before cdktf, as in main.py.
import main
from main import build
from stacks import ROOT
from stacks.own_tier import OwnTier
from stacks.own_tiers import own_tiers, own_tiers_of
from stacks.settings import Environment, load_environments
from stacks.settings.files import SHARED, environment_files, merged
from synthesized.platform import Platform
from tests.failures import (
    pytest_assertrepr_compare,
    pytest_collection_modifyitems,
    pytest_runtest_makereport,
    pytest_runtest_setup,
    pytest_terminal_summary,
    recording,
)
from tests.measurement import unmeasured
from tests.synthesized import DEPENDENCIES, TIER_CLASSES, TIERS

# isort: split
from cdktf import App
from jsii._kernel.providers.process import _NodeProcess  # pyright: ignore[reportPrivateUsage]

__all__ = [
    "pytest_assertrepr_compare",
    "pytest_collection_modifyitems",
    "pytest_runtest_makereport",
    "pytest_runtest_setup",
    "pytest_terminal_summary",
]

# They call nothing of this project, thousands of times.
tomllib.loads = unmeasured(tomllib.loads)
_NodeProcess.send = unmeasured(_NodeProcess.send)

REFERENCE = Path(__file__).parent / "environments"
"""Settings files of the tests, because users change those of the project."""
ENVIRONMENTS = ("dev", "prod", "staging")
SHIPPED = [file.stem for file in environment_files(ROOT / "environments")]
THREE_ZONES: dict[str, Any] = {
    "region": "us-west-2",
    "network": {"zones": ["us-west-2a", "us-west-2b", "us-west-2c"]},
    "database": {"readers": 2},
    "cache": {"replicas_per_shard": 2},
}
VARIANTS: dict[str, dict[str, Any]] = {
    "prod": {
        "foundation": {
            # The maximum length.
            "runbooks": "https://" + "a" * 247,
            "alarm_subscriptions": [
                {"protocol": "email", "endpoint": "before@acme.example"},
                {"protocol": "email", "endpoint": "oncall@acme.example"},
            ],
        },
        "network": {
            "zones": ["eu-west-3c", "eu-west-3b", "eu-west-3a"],
            "egress": [
                {"cidr": "203.0.113.0/24", "port": 443, "reason": "interface of the payment provider"},
                {"cidr": "198.51.100.7/32", "port": 465, "reason": "mail to customers, by submission"},
                {"cidr": "198.51.100.8/32", "port": 8443, "reason": "stock system of the warehouse"},
            ],
        },
        "database": {"engine_version": "16.6", "readers": 2},
        "cache": {"replicas_per_shard": 2},
        "rotation": {
            "owner": "shop",
            "adopted": "old_shop",
            "connection_limit": 10,
            "minimum_age_hours": 2,
            "reserved_concurrency": 2,
            "days": 31,
            "schedule": "cron(0 3 1 * ? *)",
        },
        "service": {
            "cpu": 4096,
            "memory": 8192,
            "architecture": "X86_64",
            "requests_per_client": 300,
            "requests_per_task": 500,
            "large_bodies": ["/uploads/", "/imports/"],
        },
        "recovery": {"vault_lock": "compliance"},
        "audit": {"config": False},
        "access": {
            "oidc_provider": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com",
            "atlantis_role": "arn:aws:iam::999900001111:role/atlantis/server",
        },
    },
    "dev": {
        "owner": "shop@acme.example",
        "region": "us-west-2",
        "network": {"zones": ["us-west-2a", "us-west-2b", "us-west-2c"]},
        "windows": {"backup": "23:30-00:45", "maintenance": "sat:03:00-sat:04:30"},
        "database": {
            "name": "orders",
            "engine_version": "17.6",
            "readers": 2,
            "maximum_readers": 2,
            "os_metrics_log": False,
        },
        "cache": {"node_type": "cache.t4g.micro", "replicas_per_shard": 0},
        "service": {"large_bodies": ["/uploads/"]},
        "audit": {"inspector": True},
        "access": {"repository": "acme/shop"},
    },
}
"""Reference environments in which every setting has another value; synthesized once a run."""

Synthesize = Callable[..., Platform]


def reference(name: str) -> dict[str, Any]:
    """Settings of a reference environment, with those that it shares."""
    shared, own = (tomllib.loads((REFERENCE / f"{each}.toml").read_text(encoding="utf-8")) for each in (SHARED, name))
    return merged(shared, own)


def changed_settings(name: str, change: dict[str, Any]) -> dict[str, Any]:
    """Content of a reference environment's file with changes."""
    return merged(reference(name), change)


def load_settings(name: str, folder: Path, change: dict[str, Any] | None = None) -> Environment:
    """Settings of a reference environment with changes, loaded from a file, beside the one that it replaces."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = changed_settings(name, change or {})
    (folder / f"{name}.toml").write_text(to_toml(changed), encoding="utf-8")
    if replaced := changed.get("replaces"):
        (folder / f"{replaced}.toml").touch()
    (environment,) = load_environments(folder, only=name)
    return environment


def environment_without(*names: str) -> dict[str, str]:
    """Environment variables for a subprocess: those of this process except the named ones."""
    return {name: value for name, value in os.environ.items() if name not in names}


def to_toml(table: dict[str, Any], path: str = "") -> str:
    """TOML of a table; nested tables come last, as TOML requires."""
    lines = [f"{key} = {_toml_value(value)}" for key, value in table.items() if not isinstance(value, dict)]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += [f"[{path}{key}]", to_toml(value, f"{path}{key}.")]
    return "\n".join(lines)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "derived: the test is of a result of the stacks and runs after the tests of the stacks themselves"
    )
    config.addinivalue_line(
        "markers", "tiers(*names): the tiers that a test needs; they are synthesized with their dependencies"
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Unregister Hypothesis's plugin if no test uses it: it would import the package at the end, for half a second."""
    plugins = session.config.pluginmanager
    if "hypothesis" not in sys.modules and plugins.has_plugin("hypothesispytest"):
        plugins.unregister(name="hypothesispytest")


def with_dependencies(wanted: Collection[str]) -> set[str]:
    """Tiers and their dependencies."""
    result = set(wanted)
    for tier in reversed(TIERS):
        if tier in result:
            result |= set(DEPENDENCIES[tier])
    return result


def restrict(platform: Platform, wanted: Collection[str]) -> Platform:
    """Only these tiers and their dependencies, so that a test does not see later tiers."""
    tiers = with_dependencies(wanted)
    return replace(
        platform,
        stacks={tier: stack for tier, stack in platform.stacks.items() if tier in tiers},
        resources=tuple(resource for resource in platform.resources if resource.tier in tiers),
        data=tuple(source for source in platform.data if source.tier in tiers),
    )


@contextmanager
def only_tiers(wanted: Collection[str]) -> Generator[None]:
    """Build only these tiers and their dependencies. Using any other tier fails, because jsii rejects the mock."""
    built = with_dependencies(wanted)
    with pytest.MonkeyPatch.context() as patch:
        for name, class_ in TIER_CLASSES.items():
            if class_.tier not in built:
                patch.setattr(main, name, Mock())
        if built != {*TIERS}:
            patch.setattr(main, "own_tiers_of", lambda _: ())  # they may depend on any tier
        yield


def tiers_of(node: pytest.Item | pytest.Collector) -> frozenset[str]:
    """Tiers that a test needs; all tiers if it has no marker."""
    mark = node.get_closest_marker("tiers")
    return frozenset(mark.args if mark else TIERS)


def synthesize_variation(
    folder: Path, name: str, change: dict[str, Any] | None = None, own: Sequence[type[OwnTier]] = ()
) -> Platform:
    """A reference environment with changes, synthesized."""
    folder.mkdir(exist_ok=True)
    app = App(outdir=str(folder / "out"))
    build(app, load_settings(name, folder / "environments", change), own)
    app.synth()
    return recording(Platform.read(folder / "out", name))


@pytest.fixture(scope="session")
def requested_tiers(request: pytest.FixtureRequest) -> frozenset[str]:
    """Tiers that the tests of this run need."""
    return frozenset[str]().union(*map(tiers_of, request.session.items))


@pytest.fixture(scope="module")
def synthesize(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    """A function that synthesizes a reference environment with changes."""
    wanted = tiers_of(request.node)

    def synthesize(name: str, change: dict[str, Any] | None = None) -> Platform:
        with only_tiers(wanted):
            return synthesize_variation(tmp_path_factory.mktemp(name), name, change)

    return synthesize


def synthesize_all(environments: Path, out: Path, *, own: bool = False) -> dict[str, Platform]:
    """All environments of a folder, synthesized in one run, with the user's own tiers or without."""
    app = App(outdir=str(out))
    loaded = load_environments(environments)
    for environment in loaded:
        build(app, environment, own_tiers_of(environment.name) if own else ())
    app.synth()
    return {environment.name: recording(Platform.read(out, environment.name)) for environment in loaded}


@pytest.fixture(scope="session")
def shipped(requested_tiers: frozenset[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Platform]:
    """The project's environments, synthesized like `make synth` does."""
    out = tmp_path_factory.mktemp("shipped")
    with only_tiers(requested_tiers), pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDKTF_OUTDIR", str(out))
        patch.delenv("ENV", raising=False)
        main.main()
    return {name: recording(Platform.read(out, name)) for name in SHIPPED}


class Platforms(Mapping[str, Platform]):
    """Platforms by environment, each synthesized on first access."""

    def __init__(self, names: Collection[str], synthesize: Callable[[str], Platform]) -> None:
        self._names = names
        self._synthesize = cache(synthesize)

    def __getitem__(self, name: str) -> Platform:
        if name not in self._names:
            raise KeyError(name)
        return self._synthesize(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@pytest.fixture(scope="session")
def reference_platforms(requested_tiers: frozenset[str], tmp_path_factory: pytest.TempPathFactory) -> Platforms:
    """Reference environments, synthesized once per run."""

    def synthesize(name: str) -> Platform:
        with only_tiers(requested_tiers):
            return synthesize_variation(tmp_path_factory.mktemp("reference"), name)

    return Platforms(ENVIRONMENTS, synthesize)


@pytest.fixture(scope="module")
def platforms(request: pytest.FixtureRequest, reference_platforms: Platforms) -> Platforms:
    """Reference environments, with the tiers that the tests need."""
    return Platforms(ENVIRONMENTS, lambda name: restrict(reference_platforms[name], tiers_of(request.node)))


@pytest.fixture(scope="module")
def prod(platforms: Platforms) -> Platform:
    return platforms["prod"]


@pytest.fixture(scope="session")
def prod_with_own_tiers(
    requested_tiers: frozenset[str], reference_platforms: Platforms, tmp_path_factory: pytest.TempPathFactory
) -> Platform:
    """Production with the user's own tiers, for the rules that all tiers keep."""
    if not own_tiers():
        return reference_platforms["prod"]
    assert requested_tiers == {*TIERS}, "own tiers may depend on any tier"
    return synthesize_variation(tmp_path_factory.mktemp("own"), "prod", own=own_tiers())


@pytest.fixture(scope="module")
def dev(platforms: Platforms) -> Platform:
    return platforms["dev"]


@pytest.fixture(scope="session")
def all_variants(requested_tiers: frozenset[str], tmp_path_factory: pytest.TempPathFactory) -> Platforms:
    """Variants of the reference environments, synthesized once per run."""

    def synthesize(name: str) -> Platform:
        with only_tiers(requested_tiers):
            return synthesize_variation(tmp_path_factory.mktemp("variant"), name, VARIANTS[name])

    return Platforms(VARIANTS, synthesize)


@pytest.fixture(scope="module")
def variants(request: pytest.FixtureRequest, all_variants: Platforms) -> Platforms:
    """Variants of the reference environments, with the tiers that the tests need: see `VARIANTS`."""
    return Platforms(VARIANTS, lambda name: restrict(all_variants[name], tiers_of(request.node)))


@pytest.fixture(scope="session")
def three_zones(requested_tiers: frozenset[str], tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Production in a Region with three zones."""
    with only_tiers(requested_tiers):
        return synthesize_variation(tmp_path_factory.mktemp("three-zones"), "prod", THREE_ZONES)


@pytest.fixture(scope="session")
def everywhere(shipped: dict[str, Platform], three_zones: Platform) -> list[Platform]:
    """Each of the project's environments, and production in three zones: for a test that a defect fails once."""
    return [*shipped.values(), three_zones]


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml_value(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
