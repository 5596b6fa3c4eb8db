"""The integration tests, run within this process: what has failed, and with which words."""

import os
from collections.abc import Callable, Sequence

import pytest

from local_aws.server import LocalAws

SUITE = "tests/integration"
# What is imported already cannot be rewritten, and these tests say themselves what is wrong.
OPTIONS = (SUITE, "--quiet", "--no-cov", "--assert=plain", "-p", "no:cacheprovider")


class _Notes:
    """What pytest says of each test."""

    def __init__(self) -> None:
        self.collected: list[str] = []
        self.failed: dict[str, str] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.collected = [item.nodeid for item in session.items]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed[report.nodeid] = report.longreprtext


def collected() -> list[str]:
    """Ids of all integration tests. Imports all that they import."""
    notes, code = _pytest("--collect-only")
    if code:
        raise RuntimeError(f"The integration tests cannot be collected: {code!r}")
    return notes.collected


def failures(environment: str) -> Callable[[LocalAws], dict[str, str]]:
    """A task for a copy: the tests that fail there, with what they say."""

    def task(_: LocalAws) -> dict[str, str]:
        os.environ["ENV"] = environment
        notes, code = _pytest()
        if code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
            raise RuntimeError(f"The integration tests did not run: {code!r}")
        return notes.failed

    return task


def _pytest(*options: str) -> tuple[_Notes, int | pytest.ExitCode]:
    notes = _Notes()
    arguments: Sequence[str] = [*OPTIONS, *options]
    return notes, pytest.main(list(arguments), plugins=[notes])
