"""An environment, deployed once for all tests of changes."""

from collections.abc import Generator

import pytest
from rich.console import Console

from rehearsal.one_environment import Rehearsal, open_rehearsal
from tests.changes.edits import DEPLOYED


@pytest.fixture(scope="session")
def rehearsed() -> Generator[Rehearsal]:
    with open_rehearsal(DEPLOYED.name, Console()) as rehearsal:
        rehearsal.bootstrap()
        rehearsal.deploy()
        yield rehearsal
