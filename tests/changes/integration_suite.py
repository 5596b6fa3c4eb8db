"""Runs the integration tests in this process, and returns the failures with their messages."""

import os
from collections.abc import Callable, Sequence

import pytest

from local_aws.server import LocalAws

SUITE = "tests/integration"
# Plain asserts: modules that are already imported cannot be rewritten.
OPTIONS = (SUITE, "--quiet", "--no-cov", "--assert=plain", "-p", "no:cacheprovider")


class _Recorder:
    """Pytest plugin that records collected and failed tests."""

    def __init__(self) -> None:
        self.collected: list[str] = []
        self.failed: dict[str, str] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.collected = [item.nodeid for item in session.items]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed[report.nodeid] = report.longreprtext


def collected() -> list[str]:
    """IDs of all integration tests. Imports the tests' modules."""
    recorder, code = _pytest("--collect-only")
    if code:
        raise RuntimeError(f"The integration tests cannot be collected: {code!r}")
    return recorder.collected


def failures(environment: str) -> Callable[[LocalAws], dict[str, str]]:
    """A task for a copy that returns failed tests with their messages."""

    def task(_: LocalAws) -> dict[str, str]:
        os.environ["ENV"] = environment
        recorder, code = _pytest()
        if code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
            raise RuntimeError(f"The integration tests did not run: {code!r}")
        return recorder.failed

    return task


def _pytest(*options: str) -> tuple[_Recorder, int | pytest.ExitCode]:
    recorder = _Recorder()
    arguments: Sequence[str] = [*OPTIONS, *options]
    return recorder, pytest.main(list(arguments), plugins=[recorder])
