"""One local AWS for all tests: each names what it makes for itself."""

from collections.abc import Generator
from pathlib import Path

import pytest

from operations.rehearsal.local_aws.server import LocalAws

ACCOUNT, REGION = "123456789012", "us-west-1"


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Generator[LocalAws]:
    folder: Path = tmp_path_factory.mktemp("local-aws")
    with LocalAws(ACCOUNT, REGION, folder) as local:
        yield local
