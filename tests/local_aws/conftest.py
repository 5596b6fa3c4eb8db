"""One local AWS for all tests. Each test creates resources with its own names."""

import json
import signal
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.loaders import Loader

from local_aws.server import LocalAws

ACCOUNT, REGION = "123456789012", "us-west-1"
LOADER = Loader()


def error_code(call: Callable[..., object], **arguments: Any) -> str:
    """Error code of a call that fails."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"]


def create_role(aws: LocalAws, name: str, service: str, *actions: str) -> str:
    """ARN of a new role that a service may use for some actions, by default all."""
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}
    allowed = {"Effect": "Allow", "Action": actions or "*", "Resource": "*"}
    iam = aws.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(allowed))
    return role["Arn"]


def document(*statements: Mapping[str, Any]) -> str:
    """A policy as JSON."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@pytest.fixture(scope="session", autouse=True)
def signals() -> None:
    """Handle Ctrl-C as in the foreground: a shell starts background processes with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="package")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Generator[LocalAws]:
    folder: Path = tmp_path_factory.mktemp("local-aws")
    with LocalAws(ACCOUNT, REGION, folder) as local:
        yield local


@contextmanager
def reset_afterwards(aws: LocalAws) -> Generator[None]:
    """Reset the shared local AWS after the test has started its own: a process has one at a time."""
    try:
        yield
    finally:
        aws.reset()


@pytest.fixture
def aws_reset_afterwards(aws: LocalAws) -> Generator[None]:
    """Allows a test to start its own local AWS."""
    with reset_afterwards(aws):
        yield


@pytest.fixture
def quick_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load botocore's service models once: each command creates its own session."""
    monkeypatch.setattr("botocore.session.create_loader", lambda *_: LOADER)


@pytest.fixture
def unsupported(aws: LocalAws) -> Generator[dict[str, int]]:
    """Unsupported calls by the test, hidden from other tests."""
    before = aws.gateway.unsupported.copy()
    aws.gateway.unsupported.clear()
    yield aws.gateway.unsupported
    aws.gateway.unsupported.clear()
    aws.gateway.unsupported.update(before)
