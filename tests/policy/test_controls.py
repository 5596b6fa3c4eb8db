"""Every control holds, and each of its mutations fails that control and no other."""

import json
import marshal
from collections.abc import Callable
from contextlib import suppress

import pytest

from synthesized.controls import CONTROLS, NOT_MET_BY_CODE
from synthesized.controls.control import Control, Every, Mutation
from synthesized.controls.document import Document
from synthesized.platform import Platform
from tests.failures import expect_none
from tests.measurement import unmeasured

# Requirements of PCI DSS v4.0.1 that apply to the code, written by hand so that the table cannot lose one.
REQUIREMENTS = {
    *("1.2.1", "1.2.5", "1.2.7", "1.3.1", "1.3.2", "1.4.1", "1.4.2", "1.4.4", "1.4.5"),
    *("2.2.1", "2.2.2", "2.2.4", "2.2.6", "2.2.7"),
    *("3.2.1", "3.5.1", "3.5.1.2", "3.6.1", "3.7.1", "3.7.4", "3.7.5", "3.7.7"),
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
    """Only the project's tiers: mutations test the controls, and a defect of an own tier fails its control itself."""
    return Document.of(prod)


@pytest.fixture(scope="module")
def copy(document: Document) -> Callable[[], Document]:
    """Makes deep copies of the document, one for each mutation: marshal is several times faster than JSON."""
    content = marshal.dumps(json.loads(json.dumps(document.bodies)))
    return lambda: Document(marshal.loads(content))  # noqa: S302 - dumped above


def problems(control: Control, document: Document) -> list[str]:
    """Problems of a control, or its error if it cannot read the document."""
    try:
        return control.problems(document)
    except (LookupError, TypeError, ValueError) as error:
        return [repr(error)]


@unmeasured
def problems_of_others(control: Control, document: Document) -> dict[str, list[str]]:
    """Problems of the other controls, which their own mutations measure."""
    return {other.name: problems(other, document) for other in CONTROLS if other is not control}


@pytest.fixture(scope="module")
def before(document: Document) -> dict[str, list[str]]:
    """Problems of each control without a mutation, by name: `test_control_holds` fails if there are any."""
    return {control.name: problems(control, document) for control in CONTROLS}


@pytest.mark.parametrize("control", CONTROLS, ids=[control.name for control in CONTROLS])
def test_control_holds(prod_with_own_tiers: Platform, control: Control):
    expect_none(problems(control, Document.of(prod_with_own_tiers)))


def is_there(mutation: Mutation, mutated: Document, document: Document, problems: list[str]) -> bool:
    """Whether a control already fails with the defect that a mutation makes."""
    addresses = mutated.bodies.keys() | document.bodies.keys()
    changed = {each for each in addresses if mutated.bodies.get(each) != document.bodies.get(each)}
    places = changed or {mutation.selector.partition(".")[0]}
    return any(place in problem for problem in problems for place in places)


@pytest.mark.parametrize(("control", "mutation"), MUTATIONS, ids=[f"{c.name}: {m.description}" for c, m in MUTATIONS])
def test_mutation_fails_its_control_and_no_other(
    copy: Callable[[], Document],
    document: Document,
    before: dict[str, list[str]],
    control: Control,
    mutation: Mutation,
):
    mutated = copy()
    with suppress(LookupError):  # its target is missing, which the control must report
        mutation(mutated)
    found = {control.name: problems(control, mutated), **problems_of_others(control, mutated)}
    added = {name: set(each) - set(before[name]) for name, each in found.items()}
    failing = {name: found for name, found in added.items() if found}
    assert failing.keys() == {control.name} or (
        not failing and is_there(mutation, mutated, document, before[control.name])
    ), failing


@pytest.mark.parametrize("control", CONTROLS, ids=[control.name for control in CONTROLS])
def test_every_expected_value_of_a_control_has_a_mutation(copy: Callable[[], Document], control: Control):
    mutated = [copy() for _ in control.mutations]
    for mutation, changed in zip(control.mutations, mutated, strict=True):
        with suppress(LookupError):
            mutation(changed)
    checks = [part for check in control.checks for part in (check.split() if isinstance(check, Every) else [check])]
    assert not [check.description for check in checks if not any(list(check(each)) for each in mutated)]


def test_controls_cover_every_requirement():
    assert {number for control in CONTROLS for number in control.requirements} == REQUIREMENTS
    assert list(NOT_MET_BY_CODE) == ["6.4.3", "8.3", "8.4", "9", "11.4", "11.6.1", "12"]


def test_control_names_are_unique():
    assert len({control.name for control in CONTROLS}) == len(CONTROLS)
