"""The zip: the same bytes wherever and whenever it is built, only what the function needs, and it rotates."""

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
"""In an ELF header: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html, e_machine."""


@pytest.fixture(scope="session")
def for_lambda(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("arm64") / "rotation.zip"
    build(file)
    return file


@pytest.fixture(scope="session")
def for_here(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("local")
    main([str(folder / "local.zip"), "--local"])
    # The authorities of RDS are not those of the tests' server.
    replace_certificates(server.certificates, folder / "local.zip", file := folder / "rotation.zip")
    return file


def test_it_is_the_same_wherever_and_whenever_it_is_built(for_lambda: Path, tmp_path: Path):
    other = tmp_path / "another folder" / "again.zip"
    # Zip's times have a resolution of two seconds.
    time.sleep(max(0, 2.1 - (time.time() - for_lambda.stat().st_mtime)))
    build(other)
    assert other.read_bytes() == for_lambda.read_bytes()


def test_it_fits_and_holds_what_it_needs_and_nothing_else(for_lambda: Path):
    assert for_lambda.stat().st_size < 8_000_000
    with ZipFile(for_lambda) as archive:
        names = archive.namelist()
        modes = {entry.external_attr >> 16 for entry in archive.infolist()}
    own = {name for name in names if name.startswith("lambda_rotation/")}
    modules = ("__init__", "credential", "database", "deployment", "errors", "handler", "secret")
    assert own == {*(f"lambda_rotation/{module}.py" for module in modules), "lambda_rotation/certificates/rds.pem"}
    assert {name.split("/")[0].split("-")[0] for name in names} == {
        "lambda_rotation",
        "psycopg2",
        "psycopg2_binary.libs",
        "psycopg2_binary",
    }
    assert not [name for name in names if name.endswith(".pyc")]
    # Lambda's user is another than the one who built it.
    assert modes == {0o644}


def test_all_that_is_compiled_is_for_graviton_and_the_runtime(for_lambda: Path):
    with ZipFile(for_lambda) as archive:
        binaries = {name: archive.read(name) for name in archive.namelist() if ".so" in name}
    assert len(binaries) > 5
    for name, content in binaries.items():
        assert content[:4] == b"\x7fELF", name
        assert int.from_bytes(content[18:20], "little") == AARCH64, name
    assert any("cpython-313-aarch64" in name for name in binaries)


def test_it_has_the_psycopg2_that_the_tests_have():
    required = (ROOT / "lambda_rotation" / "requirements.txt").read_text(encoding="utf-8")
    locked = json.loads((ROOT / "Pipfile.lock").read_text(encoding="utf-8"))["default"]["psycopg2-binary"]
    assert f"psycopg2-binary{locked['version']} " in required
    assert set(re.findall(r"--hash=(\S+)", required)) == set(locked["hashes"])


@pytest.mark.parametrize("path", sorted((ROOT / "lambda_rotation").glob("*.py")), ids=lambda path: path.name)
def test_the_code_is_python_of_both_versions(path: Path):
    source = path.read_text(encoding="utf-8")
    for version in ((3, 11), (3, 13)):
        ast.parse(source, feature_version=version)


def test_what_cannot_be_had_is_told_and_leaves_the_file_that_is_there(
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


def test_pip_that_says_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(PackageError, match="pip ended with 1"):
        build(tmp_path / "rotation.zip")


def test_another_authority_is_all_that_differs(for_here: Path, server: Server):
    with ZipFile(for_here) as here, ZipFile(for_here.with_name("local.zip")) as local:
        assert here.namelist() == local.namelist()
        differ = [name for name in here.namelist() if here.read(name) != local.read(name)]
        assert differ == ["lambda_rotation/certificates/rds.pem"]
        assert here.read(differ[0]) == server.certificates.read_bytes()


RUN = """
import json, os, sys
from lambda_rotation.handler import handle
import lambda_rotation, psycopg2
assert lambda_rotation.__file__.startswith(os.getcwd()), lambda_rotation.__file__
assert psycopg2.__file__.startswith(os.getcwd()), psycopg2.__file__
for step in json.loads(sys.argv[1]):
    handle({"Step": step, "SecretId": os.environ["SECRET_ARN"], "ClientRequestToken": sys.argv[2]})
"""


def boto3_alone(folder: Path) -> Path:
    """What Lambda's runtime has beside the standard library: boto3, and what that needs."""
    site = Path(boto3.__file__).parents[1]
    for name in ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3"):
        (folder / name).symlink_to(site / name)
    (folder / "six.py").symlink_to(site / "six.py")
    return folder


def test_unpacked_it_rotates_with_boto3_alone_beside_it(for_here: Path, rotation: RotationFixture, tmp_path: Path):
    unpacked, runtime = tmp_path / "task", tmp_path / "runtime"
    runtime.mkdir()
    boto3_alone(runtime)
    with ZipFile(for_here) as archive:
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
        ended = subprocess.run(
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
    assert ended.returncode == 0, ended.stderr
    assert rotation.can_log_in()


def test_the_certificates_are_those_of_rds_and_last():
    bundle: Any = (ROOT / "lambda_rotation" / "certificates" / "rds.pem").read_text(encoding="ascii")
    names = re.findall(r"^# (.+), until (\d{4})-", bundle, flags=re.MULTILINE)
    assert len(names) == bundle.count("BEGIN CERTIFICATE") > 60
    assert all(name.startswith("Amazon RDS ") for name, _ in names)
    assert {"Amazon RDS us-west-1 Root CA RSA2048 G1", "Amazon RDS us-west-2 Root CA RSA2048 G1"} <= {
        name for name, _ in names
    }
    assert all(int(year) >= 2040 for _, year in names)
