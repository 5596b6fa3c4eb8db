"""Lock files match the requirements and contain no host names, so that they work with any package index."""

import json
import re
import tomllib
from importlib.metadata import requires
from typing import Any

import pytest
from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from stacks import ROOT

PIPFILE: dict[str, Any] = tomllib.loads((ROOT / "Pipfile").read_text(encoding="utf-8"))
PIPFILE_LOCK: dict[str, Any] = json.loads((ROOT / "Pipfile.lock").read_text(encoding="utf-8"))
CATEGORIES = {"packages": "default", "dev-packages": "develop", "checkov": "checkov"}
# Debian 12's, and the first of each later one.
PYTHONS = ("3.11.2", "3.12.0", "3.13.0")


@pytest.mark.parametrize(("category", "locked"), CATEGORIES.items())
def test_every_package_is_locked_at_its_required_version(category: str, locked: str):
    for name, requirement in PIPFILE[category].items():
        version = requirement if isinstance(requirement, str) else requirement["version"]
        assert name in PIPFILE_LOCK[locked], "run make lock"
        if version.startswith("=="):
            assert PIPFILE_LOCK[locked][name]["version"] == version
        assert PIPFILE_LOCK[locked][name]["hashes"]


def test_the_cdktf_cli_has_the_version_of_cdktf():
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    assert package["devDependencies"]["cdktf-cli"] == PIPFILE["packages"]["cdktf"].removeprefix("==")
    assert lock["packages"][""]["devDependencies"] == package["devDependencies"]


def test_lock_files_contain_no_host_names():
    assert PIPFILE_LOCK["_meta"]["sources"] == []
    assert "://" not in json.dumps(PIPFILE_LOCK)
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text(encoding="utf-8")
    assert not re.search(r"^\[\[source\]\]", (ROOT / "Pipfile").read_text(encoding="utf-8"), flags=re.MULTILINE)


def environment(python: str) -> dict[str, str]:
    """What markers are evaluated with, on a version of Python."""
    return {
        **{name: str(value) for name, value in default_environment().items()},
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "extra": "",
    }


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("locked", CATEGORIES.values())
def test_every_locked_package_is_installed_on_each_python(locked: str, python: str):
    markers = {name: package.get("markers") for name, package in PIPFILE_LOCK[locked].items()}
    assert not [
        f"{name}: {marker}"
        for name, marker in markers.items()
        if marker and not Marker(marker).evaluate(environment(python))
    ], "run make lock"


@pytest.mark.parametrize("python", PYTHONS)
def test_what_locked_packages_require_on_each_python_is_locked(python: str):
    locked = PIPFILE_LOCK["default"] | PIPFILE_LOCK["develop"]
    required = {
        canonicalize_name(requirement.name): name
        for name in locked
        for requirement in map(Requirement, requires(name) or [])
        if not requirement.marker or requirement.marker.evaluate(environment(python))
    }
    assert {name: by for name, by in required.items() if name not in locked} == {}, "run make lock"
