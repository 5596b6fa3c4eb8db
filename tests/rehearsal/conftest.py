"""The fixtures of `tests/local_aws/`: this package has its own local AWS, in the Region of the tests' environments."""

from collections.abc import Generator

import pytest

from local_aws.server import LocalAws
from tests.local_aws.conftest import ACCOUNT, aws_reset_afterwards, quick_sessions, signals, unsupported

__all__ = ["aws", "aws_reset_afterwards", "quick_sessions", "signals", "unsupported"]

REGION = "eu-west-3"


@pytest.fixture(scope="package")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Generator[LocalAws]:
    with LocalAws(ACCOUNT, REGION, tmp_path_factory.mktemp("local-aws")) as local:
        yield local
