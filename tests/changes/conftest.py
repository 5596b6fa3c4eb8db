"""Production, deployed once for all that is changed behind Terraform's back."""

from collections.abc import Generator

import pytest
from rich.console import Console

from rehearsal.run import Rehearsal, staged


@pytest.fixture(scope="session")
def rehearsed() -> Generator[Rehearsal]:
    with staged("prod", Console()) as rehearsal:
        rehearsal.bootstrap()
        rehearsal.deploy()
        yield rehearsal
