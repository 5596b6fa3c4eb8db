"""A rehearsal deploys the stacks that are deployed to AWS, except for the rotation package: it is for this machine."""

from collections.abc import Iterator
from pathlib import Path
from platform import machine
from typing import Any

import pytest

from lambda_rotation import package
from rehearsal.one_environment import PACKAGE
from stacks import ROOT
from synthesized.platform import Platform
from tests.conftest import SHIPPED, synthesize_all

# On arm64 machines, the architecture is the same as in Lambda.
MACHINE_DEPENDENT_ARGUMENTS = set() if machine() == "aarch64" else {"architectures"}
DIFFERING_ARGUMENTS = {"filename", "source_code_hash"} | MACHINE_DEPENDENT_ARGUMENTS


@pytest.fixture(scope="module")
def zipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as a rehearsal modifies it, with another certificate authority."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "authority.pem").write_text("an authority")
    package.replace_certificates(folder / "authority.pem", PACKAGE, folder / "rotation.zip")
    return folder / "rotation.zip"


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory, zipped: Path) -> dict[str, Platform]:
    """The project's environments as a rehearsal synthesizes them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROTATION_PACKAGE", str(zipped))
        return synthesize_all(ROOT / "environments", tmp_path_factory.mktemp("rehearsed"), own=True)


def differences(one: Any, other: Any, *path: str) -> Iterator[tuple[str, ...]]:
    """Paths at which two documents differ, at most as deep as a resource's arguments."""
    if one == other:
        return
    if len(path) < len(("resource", "type", "name", "argument")) and isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from differences(one.get(key), other.get(key), *path, key)
    else:
        yield path


@pytest.mark.parametrize("name", SHIPPED)
def test_stacks_differ_in_the_rotation_package_only(
    shipped: dict[str, Platform], rehearsed: dict[str, Platform], name: str
):
    before, after = shipped[name].stacks, rehearsed[name].stacks
    assert list(before) == list(after)
    found = {(tier, *path) for tier in before for path in differences(before[tier].document, after[tier].document)}
    assert found == {
        ("rotation", "resource", "aws_lambda_function", "function", argument) for argument in DIFFERING_ARGUMENTS
    }


@pytest.mark.parametrize("name", SHIPPED)
def test_assets_differ_in_the_rotation_package_only(
    shipped: dict[str, Platform], rehearsed: dict[str, Platform], zipped: Path, name: str
):
    def assets(platform: Platform) -> dict[tuple[str, str], bytes]:
        return {
            (tier, path.name): path.read_bytes()
            for tier, stack in platform.stacks.items()
            for path in stack.folder.rglob("assets/**/*")
            if path.is_file()
        }

    before, after = assets(shipped[name]), assets(rehearsed[name])
    assert before.keys() == after.keys()
    assert {asset for asset in before if before[asset] != after[asset]} == {("rotation", "rotation.zip")}
    assert after["rotation", "rotation.zip"] == zipped.read_bytes()
