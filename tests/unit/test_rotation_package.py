"""The deployment package of the rotation: the one for Lambda, or the one in ROTATION_PACKAGE."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from stacks.rotation import function_package
from stacks.settings import SettingsError
from synthesized.platform import Platform
from tests.conftest import Synthesize
from tests.synthesized import only

pytestmark = pytest.mark.tiers("rotation")

MODULE = "psycopg2/_psycopg.cpython-311-{}-linux-gnu.so"


def zipped(folder: Path, *names: str) -> Path:
    path = folder / "another.zip"
    with ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return path


@pytest.mark.parametrize(("processor", "architecture"), [("x86_64", "x86_64"), ("aarch64", "arm64")])
def test_the_architecture_follows_from_the_compiled_modules(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, processor: str, architecture: str
):
    path = zipped(tmp_path, MODULE.format(processor), "lambda_rotation/handler.py")
    monkeypatch.setenv("ROTATION_PACKAGE", str(path))
    assert function_package.rotation_package() == (path, architecture)


def test_the_selected_package_is_deployed_with_its_architecture_and_nothing_else_differs(
    synthesize: Synthesize, prod: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    own = only(prod, "aws_lambda_function")
    (built_for,) = own["architectures"]
    processor, architecture = ("aarch64", "arm64") if built_for == "x86_64" else ("x86_64", "x86_64")
    path = zipped(tmp_path, MODULE.format(processor))
    monkeypatch.setenv("ROTATION_PACKAGE", str(path))
    platform = synthesize("prod")
    function = only(platform, "aws_lambda_function")
    assert function["architectures"] == [architecture]
    assert (platform.stacks["rotation"].folder / function["filename"]).read_bytes() == path.read_bytes()
    assert {key for key in function if function[key] != own[key]} == {"architectures", "filename", "source_code_hash"}


def test_a_missing_package_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("ROTATION_PACKAGE", raising=False)
    monkeypatch.setattr(function_package, "DEFAULT_PACKAGE", tmp_path / "rotation.zip")
    with pytest.raises(SettingsError, match=r"rotation\.zip: no such rotation package; run make setup$"):
        function_package.rotation_package()


def test_a_missing_selected_package_is_reported_with_its_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("ROTATION_PACKAGE", str(tmp_path / "nowhere.zip"))
    with pytest.raises(
        SettingsError, match=r"^ROTATION_PACKAGE = .*nowhere\.zip: no such rotation package; .*package wrote$"
    ):
        function_package.rotation_package()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["lambda_rotation/handler.py"], "for no architecture of Lambda"),
        (["psycopg2/_psycopg.cpython-311-darwin.so"], "for no architecture of Lambda"),
        ([MODULE.format("x86_64"), MODULE.format("aarch64")], "for aarch64 and x86_64"),
    ],
)
def test_a_package_without_a_unique_architecture_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, names: list[str], message: str
):
    monkeypatch.setenv("ROTATION_PACKAGE", str(zipped(tmp_path, *names)))
    with pytest.raises(
        SettingsError, match=rf"^ROTATION_PACKAGE = .*another\.zip: contains compiled modules {message}; .*$"
    ):
        function_package.rotation_package()


def test_a_file_that_is_not_a_zip_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "another.zip").write_text("no zip")
    monkeypatch.setenv("ROTATION_PACKAGE", str(tmp_path / "another.zip"))
    with pytest.raises(SettingsError, match=r"^ROTATION_PACKAGE = .*: not a rotation package: .*not a zip file$"):
        function_package.rotation_package()
