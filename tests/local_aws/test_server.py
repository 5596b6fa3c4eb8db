"""The local AWS within a process: endpoint, environment, clients, and cleanup."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from local_aws import session
from local_aws.server import MOTO_SETTINGS, LocalAws
from tests.local_aws.conftest import ACCOUNT, REGION

# A process has one local AWS at a time, so this runs in a separate process.
TWO = """
import os, pathlib, sys
from local_aws.server import LocalAws

folder = pathlib.Path(sys.argv[1])
for _ in range(2):
    with LocalAws("210987654321", "eu-central-1", folder) as aws:
        s3 = aws.client("s3")
        print([bucket["Name"] for bucket in s3.list_buckets()["Buckets"]])
        s3.create_bucket(Bucket="one-at-a-time", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        aws.session.cleanup.callback(lambda: print("buckets", len(s3.list_buckets()["Buckets"])))
        print("MOTO_IAM_LOAD_MANAGED_POLICIES" in os.environ, aws.endpoint)
    print("MOTO_IAM_LOAD_MANAGED_POLICIES" in os.environ)
"""


@pytest.fixture
def ambient(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the environment variables of the local AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)


def test_it_listens_only_on_its_loopback_address(aws: LocalAws):
    host, _, port = aws.endpoint.removeprefix("http://").partition(":")
    assert host == "127.0.0.1"
    with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.2", int(port)), timeout=1):
        pass


@pytest.mark.usefixtures("ambient")
def test_its_environment_is_sufficient_for_clients():
    assert boto3.client("sts").get_caller_identity()["Account"] == ACCOUNT
    assert boto3.client("sts").meta.region_name == REGION


@pytest.mark.usefixtures("ambient")
def test_the_users_configuration_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\nregion = eu-west-1\nendpoint_url = http://example.invalid\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert boto3.Session().available_profiles == []
    assert boto3.client("sts").get_caller_identity()["Account"] == ACCOUNT


def test_its_clients_do_not_retry(aws: LocalAws):
    client = aws.client("iam")
    assert client.meta.endpoint_url == aws.endpoint
    with pytest.raises(ClientError) as error:
        client.get_role(RoleName="missing")
    metadata: Any = error.value.response["ResponseMetadata"]
    assert metadata["RetryAttempts"] == 0


@pytest.mark.parametrize(("service", "place"), [("iam", "aws"), ("s3", "aws"), ("rds", REGION), ("kms", REGION)])
def test_backends_of_services_can_be_accessed(aws: LocalAws, service: str, place: str):
    backend = aws.backend(service)
    assert (backend.account_id, backend.region_name) == (ACCOUNT, place)


def test_aws_managed_policies_exist(aws: LocalAws):
    arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
    assert aws.client("iam").get_policy(PolicyArn=arn)["Policy"]["Arn"] == arn


def test_the_certificate_authority_is_a_file(aws: LocalAws):
    assert aws.certificates.read_bytes() == aws.session.authority.pem
    assert session.current() is aws.session


@pytest.mark.usefixtures("aws")
def test_a_forked_copy_listens_on_a_new_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in MOTO_SETTINGS:
        # The copy removes them when it exits.
        monkeypatch.setenv(name, os.environ[name])
    copy = LocalAws(ACCOUNT, REGION, tmp_path)
    before = copy.endpoint
    copy.restart_after_fork()
    try:
        assert copy.endpoint != before
        assert copy.session.environment["AWS_ENDPOINT_URL"] == copy.endpoint
        assert copy.client("sts").get_caller_identity()["Account"] == ACCOUNT
    finally:
        copy.__exit__(None, None, None)
    for endpoint in (before, copy.endpoint):
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", int(endpoint.rpartition(":")[2])), timeout=1)


def test_each_starts_empty_and_stops_its_clients_first(tmp_path: Path):
    lines = subprocess.run(
        [sys.executable, "-c", TWO, str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert lines[0::4] == ["[]", "[]"]
    for up, client_ran, down in (lines[1:4], lines[5:8]):
        was_running, endpoint = up.split()
        assert (was_running, client_ran, down) == ("True", "buckets 1", "False")
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", int(endpoint.rpartition(":")[2])), timeout=1)


def request(*, body: bytes = b"", **headers: str) -> bytes:
    """The head of a request, and its body."""
    signed = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-west-1/sts/aws4_request"
    lines = {
        "Host": "localhost",
        "Authorization": signed,
        "Content-Type": "application/x-www-form-urlencoded",
        **headers,
    }
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return f"POST / HTTP/1.1\r\n{head}\r\n".encode() + body


CALL = b"Action=GetCallerIdentity&Version=2011-06-15"


def test_a_response_is_sent_as_a_whole(aws: LocalAws):
    address = urlsplit(aws.endpoint)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(request(body=CALL, Content_Length=str(len(CALL))))
        first = connection.recv(65536)
    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert first.endswith(b"</GetCallerIdentityResponse>")


def test_a_client_that_waits_with_its_body_is_told_to_continue(aws: LocalAws):
    address = urlsplit(aws.endpoint)
    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        connection.sendall(request(Content_Length=str(len(CALL)), Expect="100-continue"))
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 Continue\r\n")
        connection.sendall(CALL)
        assert b"200 OK" in connection.recv(65536)
