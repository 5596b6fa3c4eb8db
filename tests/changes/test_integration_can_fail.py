"""Every integration test can fail: a change behind Terraform's back fails it, and no unrelated test."""

import traceback
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from rehearsal.one_environment import Rehearsal
from tests.changes.copies import Task, in_copies
from tests.changes.integration_suite import SUITE, collected, failures
from tests.changes.mutations import (
    Mutation,
    access,
    audit,
    cache,
    database,
    foundation,
    network,
    observability,
    recovery,
    rotation,
    service,
    states,
    storage,
    tiers,
)

MODULES = (
    access,
    audit,
    cache,
    database,
    foundation,
    network,
    observability,
    recovery,
    rotation,
    service,
    states,
    storage,
    tiers,
)
MUTATIONS: dict[str, Mutation] = {
    f"{SUITE}/test_{module.__name__.rpartition('.')[2]}.py::{test}": mutation
    for module in MODULES
    for test, mutation in module.MUTATIONS.items()
}
RELATED: dict[str, set[str]] = {
    f"{SUITE}/test_{module.__name__.rpartition('.')[2]}.py::{test}": {f"{SUITE}/{other}" for other in reasons}
    for module in MODULES
    for test, reasons in module.RELATED.items()
}
UNCHANGED = "unchanged"
Failed = dict[str, dict[str, str]]
"""Failed tests with their messages, by the test that the change is for."""


@pytest.fixture(scope="session")
def tests() -> list[str]:
    return collected()


@pytest.fixture(scope="session")
def failed(rehearsed: Rehearsal, tests: list[str], tmp_path_factory: pytest.TempPathFactory) -> Failed:
    """Failures in an unchanged copy, and in a copy for each change."""
    assert tests  # imports the tests before the copies are forked
    return run_all(rehearsed.aws, rehearsed.settings.name, MUTATIONS, tmp_path_factory.mktemp("copies"))


def run_all(aws: LocalAws, environment: str, mutations: dict[str, Mutation], logs: Path) -> Failed:
    suite = failures(environment)

    def changed(mutation: Mutation) -> Task:
        def task(copy: LocalAws) -> dict[str, str]:
            try:
                mutation(copy)
            except Exception:  # reported for this change only
                return {"the change itself": traceback.format_exc()}
            return suite(copy)

        return task

    tasks: dict[str, Task] = {UNCHANGED: suite, **{test: changed(mutation) for test, mutation in mutations.items()}}
    return dict(in_copies(aws, tasks, logs))


def test_every_integration_test_has_a_change(tests: list[str]):
    assert sorted(MUTATIONS) == sorted(tests)


def test_all_pass_without_a_change(failed: Failed):
    assert failed[UNCHANGED] == {}


@pytest.mark.parametrize("test", MUTATIONS)
def test_change_fails_its_test_and_related_ones_only(failed: Failed, test: str):
    assert set(failed[test]) == {test} | RELATED.get(test, set()), failed[test]
