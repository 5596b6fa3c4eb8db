"""One local AWS for all tests: each names what it makes for itself."""

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.loaders import Loader

from local_aws.server import LocalAws

ACCOUNT, REGION = "123456789012", "us-west-1"
LOADER = Loader()


def error_code(ask: Callable[..., object], **asked: Any) -> str:
    """The error code by which a call is refused."""
    with pytest.raises(ClientError) as error:
        ask(**asked)
    return error.value.response["Error"]["Code"]


@pytest.fixture(scope="session", autouse=True)
def signals() -> None:
    """As in the foreground: what a shell runs in the background begins with Ctrl-C ignored, and hands that on."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="package")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Generator[LocalAws]:
    folder: Path = tmp_path_factory.mktemp("local-aws")
    with LocalAws(ACCOUNT, REGION, folder) as local:
        yield local


@contextmanager
def reset_afterwards(aws: LocalAws) -> Generator[None]:
    """For tests that start one themselves: one at a time in a process, so the one for all begins anew after it."""
    try:
        yield
    finally:
        aws.reset()


@pytest.fixture
def another(aws: LocalAws) -> Generator[None]:
    """The test starts a local AWS itself."""
    with reset_afterwards(aws):
        yield


@pytest.fixture
def quick_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command has a session of its own; what botocore knows of the services is read once."""
    monkeypatch.setattr("botocore.session.create_loader", lambda *_: LOADER)


@pytest.fixture
def unsupported(aws: LocalAws) -> Generator[dict[str, int]]:
    """What was counted as unsupported within the test, and is no other test's business."""
    before = aws.gateway.unsupported.copy()
    aws.gateway.unsupported.clear()
    yield aws.gateway.unsupported
    aws.gateway.unsupported.clear()
    aws.gateway.unsupported.update(before)
