"""Every integration test can fail: a mutation of the deployed resources fails it, and no unrelated test."""

import traceback
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

from local_aws.server import LocalAws
from rehearsal.one_environment import Rehearsal
from tests.changes import mutations
from tests.changes.copies import Task, in_copies
from tests.changes.integration_suite import SUITE, collected, failures
from tests.changes.mutations import Mutation, Related

BY_MODULE: dict[str, tuple[dict[str, Mutation], Related]] = {
    f"{SUITE}/test_{name}.py": (module.MUTATIONS, module.RELATED)
    for _, name, _ in iter_modules(mutations.__path__)
    if hasattr(module := import_module(f"{mutations.__name__}.{name}"), "MUTATIONS")  # shared modules have none
}
MUTATIONS: dict[str, Mutation] = {
    f"{file}::{test}": mutation for file, (own, _) in BY_MODULE.items() for test, mutation in own.items()
}
RELATED: dict[str, set[str]] = {
    f"{file}::{test}": {f"{SUITE}/{other}" for other in reasons}
    for file, (_, related) in BY_MODULE.items()
    for test, reasons in related.items()
}
UNCHANGED = "unchanged"
Failed = dict[str, dict[str, str]]
"""For each mutation, by the name of its test: the tests that failed, with their messages."""


@pytest.fixture(scope="session")
def tests() -> list[str]:
    return collected()


@pytest.fixture(scope="session")
def failed(rehearsed: Rehearsal, tests: list[str], tmp_path_factory: pytest.TempPathFactory) -> Failed:
    """Failures in an unchanged copy, and in a copy for each mutation."""
    assert tests  # the fixture has imported them, before the copies are forked
    return run_all(rehearsed.aws, rehearsed.settings.name, MUTATIONS, tmp_path_factory.mktemp("copies"))


def run_all(aws: LocalAws, environment: str, by_test: dict[str, Mutation], logs: Path) -> Failed:
    suite = failures(environment)

    def task_with(mutation: Mutation) -> Task:
        def task(copy: LocalAws) -> dict[str, str]:
            try:
                mutation(copy)
            except Exception:  # reported for this mutation only
                return {"the mutation itself": traceback.format_exc()}
            return suite(copy)

        return task

    tasks: dict[str, Task] = {UNCHANGED: suite, **{test: task_with(mutation) for test, mutation in by_test.items()}}
    return dict(in_copies(aws, tasks, logs))


def test_every_integration_test_has_a_mutation(tests: list[str]):
    assert sorted(MUTATIONS) == sorted(tests)


def test_all_pass_without_a_mutation(failed: Failed):
    assert failed[UNCHANGED] == {}


@pytest.mark.parametrize("test", MUTATIONS)
def test_a_mutation_fails_its_test_and_related_ones_only(failed: Failed, test: str):
    assert set(failed[test]) == {test} | RELATED.get(test, set()), failed[test]
