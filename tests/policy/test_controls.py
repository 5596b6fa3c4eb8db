"""Every control holds, and each of its mutations fails that control and no other."""

import pytest

from synthesized.controls import CONTROLS, NOT_MET_BY_CODE
from synthesized.controls.control import Control, Every, Mutation
from synthesized.controls.document import Document
from synthesized.platform import Platform

# Requirements of PCI DSS v4.0.1 that apply to the code, written by hand so that the table cannot lose one.
REQUIREMENTS = {
    *("1.2.1", "1.2.5", "1.2.7", "1.3.1", "1.3.2", "1.4.1", "1.4.2", "1.4.4", "1.4.5"),
    *("2.2.1", "2.2.2", "2.2.4", "2.2.6", "2.2.7"),
    *("3.5.1", "3.5.1.2", "3.6.1", "3.7.1", "3.7.4", "3.7.5", "3.7.7"),
    *("4.2.1", "4.2.1.1"),
    *("6.2.4", "6.3.1", "6.3.3", "6.4.1", "6.4.2", "6.5.3", "6.5.4", "6.5.5"),
    *("7.2.1", "7.2.2", "7.2.5", "7.3.1", "7.3.3"),
    *("8.3.1", "8.3.2", "8.3.9", "8.4.2", "8.6.2", "8.6.3"),
    *("10.2.1", "10.3.1", "10.3.2", "10.3.3", "10.3.4", "10.4.1.1", "10.4.2", "10.5.1", "10.7.2", "10.7.3"),
    *("11.3.1", "11.5.1", "11.5.2", "12.3.4", "12.10.1", "12.10.5"),
}
MUTATIONS = [(control, mutation) for control in CONTROLS for mutation in control.mutations]


@pytest.fixture(scope="module")
def document(prod: Platform) -> Document:
    return Document.of(prod)


@pytest.mark.parametrize("control", CONTROLS, ids=[control.name for control in CONTROLS])
def test_control_holds(document: Document, control: Control):
    assert not control.problems(document)


@pytest.mark.parametrize(("control", "mutation"), MUTATIONS, ids=[f"{c.name}: {m.description}" for c, m in MUTATIONS])
def test_mutation_fails_its_control_and_no_other(document: Document, control: Control, mutation: Mutation):
    mutated = document.copy()
    mutation(mutated)
    assert mutated != document
    failing = {other.name: problems for other in CONTROLS if (problems := other.problems(mutated))}
    assert set(failing) == {control.name}, failing


@pytest.mark.parametrize("control", CONTROLS, ids=[control.name for control in CONTROLS])
def test_every_expected_value_of_a_control_has_a_mutation(document: Document, control: Control):
    mutated = [document.copy() for _ in control.mutations]
    for mutation, copy in zip(control.mutations, mutated, strict=True):
        mutation(copy)
    checks = [part for check in control.checks for part in (check.split() if isinstance(check, Every) else [check])]
    assert not [check.description for check in checks if not any(list(check(copy)) for copy in mutated)]


def test_controls_cover_every_requirement():
    assert {number for control in CONTROLS for number in control.requirements} == REQUIREMENTS
    assert list(NOT_MET_BY_CODE) == ["6.4.3", "8.4", "9", "11.4", "11.6.1", "12"]


def test_control_names_are_unique():
    assert len({control.name for control in CONTROLS}) == len(CONTROLS)
