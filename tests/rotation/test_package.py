"""The function's package: reproducible, minimal, and able to rotate."""

import ast
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import boto3
import pytest
from moto.server import ThreadedMotoServer

from lambda_rotation import package
from lambda_rotation.package import PackageError, build, main, replace_certificates
from stacks import ROOT
from tests.rotation.fixtures import STEPS, RotationFixture
from tests.rotation.server import Server

AARCH64 = 183
"""Value of `e_machine` in an ELF header: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html"""


@pytest.fixture(scope="session")
def lambda_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("arm64") / "rotation.zip"
    build(file)
    return file


@pytest.fixture(scope="session")
def local_package(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("local")
    main([str(folder / "local.zip"), "--local"])
    # The test server's certificate is not issued by RDS.
    replace_certificates(server.certificates, folder / "local.zip", file := folder / "rotation.zip")
    return file


def test_builds_are_reproducible(lambda_package: Path, tmp_path: Path):
    other = tmp_path / "another folder" / "again.zip"
    # Times in zip files have a resolution of two seconds.
    time.sleep(max(0, 2.1 - (time.time() - lambda_package.stat().st_mtime)))
    build(other)
    assert other.read_bytes() == lambda_package.read_bytes()


def test_it_is_small_and_contains_only_what_the_function_needs(lambda_package: Path):
    assert lambda_package.stat().st_size < 8_000_000
    with ZipFile(lambda_package) as archive:
        names = archive.namelist()
        modes = {entry.external_attr >> 16 for entry in archive.infolist()}
    own = {name for name in names if name.startswith("lambda_rotation/")}
    modules = ("__init__", "adoption", "configuration", "credential", "database", "errors", "handler", "secret")
    assert own == {*(f"lambda_rotation/{module}.py" for module in modules), "lambda_rotation/certificates/rds.pem"}
    assert {name.split("/")[0].split("-")[0] for name in names} == {
        "lambda_rotation",
        "psycopg2",
        "psycopg2_binary.libs",
        "psycopg2_binary",
    }
    assert not [name for name in names if name.endswith(".pyc")]
    # Lambda runs the function as another user.
    assert modes == {0o644}


def test_binaries_are_for_graviton_and_the_runtimes_python(lambda_package: Path):
    with ZipFile(lambda_package) as archive:
        binaries = {name: archive.read(name) for name in archive.namelist() if ".so" in name}
    assert len(binaries) > 5
    for name, content in binaries.items():
        assert content[:4] == b"\x7fELF", name
        assert int.from_bytes(content[18:20], "little") == AARCH64, name
    assert any("cpython-313-aarch64" in name for name in binaries)


def test_it_has_the_version_of_psycopg2_that_is_tested():
    required = (ROOT / "lambda_rotation" / "requirements.txt").read_text(encoding="utf-8")
    locked = json.loads((ROOT / "Pipfile.lock").read_text(encoding="utf-8"))["default"]["psycopg2-binary"]
    assert f"psycopg2-binary{locked['version']} " in required
    assert set(re.findall(r"--hash=(\S+)", required)) == set(locked["hashes"])


@pytest.mark.parametrize("path", sorted((ROOT / "lambda_rotation").glob("*.py")), ids=lambda path: path.name)
def test_the_code_is_valid_in_both_python_versions(path: Path):
    source = path.read_text(encoding="utf-8")
    for version in ((3, 11), (3, 13)):
        ast.parse(source, feature_version=version)


def test_a_failed_build_is_reported_and_keeps_the_existing_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "rotation.zip"
    file.write_text("earlier")
    monkeypatch.setattr(package, "PLATFORMS", ("no_such_platform",))
    with pytest.raises(SystemExit) as exited:
        main([str(file)])
    assert str(exited.value).startswith(f"{file}: cannot be built: ")
    assert "psycopg2-binary" in str(exited.value)
    assert file.read_text() == "earlier"
    assert not capsys.readouterr().out


def test_a_failure_of_pip_without_output_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(PackageError, match="pip exited with 1"):
        build(tmp_path / "rotation.zip")


def test_only_the_certificate_authority_is_replaced(local_package: Path, server: Server):
    with ZipFile(local_package) as replaced, ZipFile(local_package.with_name("local.zip")) as local:
        assert replaced.namelist() == local.namelist()
        differ = [name for name in replaced.namelist() if replaced.read(name) != local.read(name)]
        assert differ == ["lambda_rotation/certificates/rds.pem"]
        assert replaced.read(differ[0]) == server.certificates.read_bytes()


RUN = """
import json, os, sys
from lambda_rotation.handler import handle
import lambda_rotation, psycopg2
assert lambda_rotation.__file__.startswith(os.getcwd()), lambda_rotation.__file__
assert psycopg2.__file__.startswith(os.getcwd()), psycopg2.__file__
for step in json.loads(sys.argv[1]):
    handle({"Step": step, "SecretId": os.environ["SECRET_ARN"], "ClientRequestToken": sys.argv[2]})
"""


def link_boto3(folder: Path) -> Path:
    """Link boto3 and its dependencies, which Lambda's runtime provides, into a folder."""
    site = Path(boto3.__file__).parents[1]
    for name in ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3"):
        (folder / name).symlink_to(site / name)
    (folder / "six.py").symlink_to(site / "six.py")
    return folder


def test_the_unpacked_package_rotates_with_only_boto3_installed(
    local_package: Path, rotation: RotationFixture, tmp_path: Path
):
    unpacked, runtime = tmp_path / "task", tmp_path / "runtime"
    runtime.mkdir()
    link_boto3(runtime)
    with ZipFile(local_package) as archive:
        archive.extractall(unpacked)
    token = rotation.begin_rotation()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        environment = {
            **rotation.environment,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_DEFAULT_REGION": "us-west-1",
            "PYTHONPATH": f"{unpacked}{os.pathsep}{runtime}",
        }
        result = subprocess.run(
            [sys.executable, "-B", "-S", "-c", RUN, json.dumps(STEPS), token],
            cwd=unpacked,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        server.stop()
    assert result.returncode == 0, result.stderr
    assert rotation.can_log_in()


def test_the_certificate_authorities_are_those_of_rds_and_do_not_expire_soon():
    bundle: Any = (ROOT / "lambda_rotation" / "certificates" / "rds.pem").read_text(encoding="ascii")
    names = re.findall(r"^# (.+), until (\d{4})-", bundle, flags=re.MULTILINE)
    assert len(names) == bundle.count("BEGIN CERTIFICATE") > 60
    assert all(name.startswith("Amazon RDS ") for name, _ in names)
    assert {"Amazon RDS us-west-1 Root CA RSA2048 G1", "Amazon RDS us-west-2 Root CA RSA2048 G1"} <= {
        name for name, _ in names
    }
    assert all(int(year) >= 2040 for _, year in names)
