"""What a rehearsal deploys is what is deployed on AWS, but for the rotation's package, which is for this machine."""

import platform as machine
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambda_rotation import package
from rehearsal.one_environment import PACKAGE
from stacks import ROOT
from synthesized.platform import Platform
from tests.conftest import SHIPPED, synthesize_all

# On a machine with Lambda's own processor, the package is for the same.
OF_THIS_MACHINE = set() if machine.machine() == "aarch64" else {"architectures"}
OTHERS = {"filename", "source_code_hash"} | OF_THIS_MACHINE


@pytest.fixture(scope="module")
def zipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as a rehearsal makes it, which trusts another authority than RDS's."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "authority.pem").write_text("an authority")
    package.replace_certificates(folder / "authority.pem", PACKAGE, folder / "rotation.zip")
    return folder / "rotation.zip"


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory, zipped: Path) -> dict[str, Platform]:
    """The project's own environments as a rehearsal synthesizes them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROTATION_PACKAGE", str(zipped))
        return synthesize_all(ROOT / "environments", tmp_path_factory.mktemp("rehearsed"))


def differences(one: Any, other: Any, *path: str) -> Iterator[tuple[str, ...]]:
    """Where two documents differ, no deeper than a resource's arguments."""
    if one == other:
        return
    if len(path) < len(("resource", "type", "name", "argument")) and isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from differences(one.get(key), other.get(key), *path, key)
    else:
        yield path


@pytest.mark.parametrize("name", SHIPPED)
def test_nothing_but_the_package_differs(shipped: dict[str, Platform], rehearsed: dict[str, Platform], name: str):
    own, ours = shipped[name].stacks, rehearsed[name].stacks
    assert list(own) == list(ours)
    found = {(tier, *path) for tier in own for path in differences(own[tier].document, ours[tier].document)}
    assert found == {("rotation", "resource", "aws_lambda_function", "function", argument) for argument in OTHERS}


@pytest.mark.parametrize("name", SHIPPED)
def test_no_other_file_is_deployed(
    shipped: dict[str, Platform], rehearsed: dict[str, Platform], zipped: Path, name: str
):
    def assets(platform: Platform) -> dict[tuple[str, str], bytes]:
        return {
            (tier, path.name): path.read_bytes()
            for tier, stack in platform.stacks.items()
            for path in stack.folder.rglob("assets/**/*")
            if path.is_file()
        }

    own, ours = assets(shipped[name]), assets(rehearsed[name])
    assert own.keys() == ours.keys()
    assert {asset for asset in own if own[asset] != ours[asset]} == {("rotation", "rotation.zip")}
    assert ours["rotation", "rotation.zip"] == zipped.read_bytes()
