"""Fixtures: a PostgreSQL server, Secrets Manager, and a database with a secret for each test."""

from collections.abc import Callable, Generator
from functools import partial

import pytest
from moto.secretsmanager.models import SecretsManagerBackend

from tests.rotation.fixtures import RotationFixture, local_aws, make_rotation
from tests.rotation.server import Server, running


@pytest.fixture(scope="session")
def server() -> Generator[Server]:
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def aws() -> Generator[SecretsManagerBackend]:
    with local_aws() as backend:
        yield backend


@pytest.fixture
def new_rotation(
    server: Server, aws: SecretsManagerBackend, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., RotationFixture]:
    """Creates rotations. The function is configured for the latest one."""
    return partial(make_rotation, server, aws, monkeypatch)


@pytest.fixture
def rotation(new_rotation: Callable[..., RotationFixture]) -> RotationFixture:
    return new_rotation()
