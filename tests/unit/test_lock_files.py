"""Lock files match the requirements and contain no host names, so that they work with any package index."""

import json
import re
import tomllib
from typing import Any

import pytest

from stacks import ROOT

PIPFILE: dict[str, Any] = tomllib.loads((ROOT / "Pipfile").read_text(encoding="utf-8"))
PIPFILE_LOCK: dict[str, Any] = json.loads((ROOT / "Pipfile.lock").read_text(encoding="utf-8"))
CATEGORIES = {"packages": "default", "dev-packages": "develop", "checkov": "checkov"}


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
