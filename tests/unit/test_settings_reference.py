"""The settings reference is complete: every key with its purpose, unit, range and default."""

from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Le, MaxLen, MultipleOf
from pydantic import Field, field_validator

from operations.document.settings_reference import nested_sections_of, reference, rows
from stacks.settings import Environment, load_environments
from stacks.settings.section import InProduction, Matching, NotBelow, Section, Unit
from tests.conftest import REFERENCE

NUMBERS = ("number", "whole number")
SECTIONS = {"": Environment, **{f"{name}.": section for name, section in nested_sections_of(Environment).items()}}
ALL = [row for path, section in SECTIONS.items() for row in rows(section, path)]


@pytest.mark.parametrize("row", ALL, ids=[key for key, *_ in ALL])
def test_every_key_has_a_purpose_and_every_number_a_unit(row: tuple[str, ...]):
    _, type_, _, default, purpose, _ = row
    assert len(purpose.split()) > 3
    assert default
    name, _, unit = type_.partition(", ")
    assert bool(unit) == (name in NUMBERS)


def test_every_section_has_a_description():
    assert all((each.__doc__ or "").strip() for each in nested_sections_of(Environment).values())


def test_every_key_of_the_shipped_files_is_listed():
    (prod,) = load_environments(REFERENCE, only="prod")
    listed = {key.strip("`") for key, *_ in ALL}
    for name, value in prod:
        keys = {f"{name}.{key}" for key, _ in value} if isinstance(value, Section) else {name}
        assert keys - {"name"} <= listed
    for key in listed:
        assert f"| `{key}` |" in reference()


class Entry(Section):
    """An entry of a list."""

    port: Annotated[int, Unit("TCP port")] = 443
    """Where to."""


class Example(Section):
    """One field of each kind."""

    size: Literal[1, 2] = 1
    """How large."""
    ratio: Annotated[float, Unit("parts"), Ge(0), Le(4), MultipleOf(0.5), InProduction("it is", at_least=1)] = 2
    """How much."""
    least: Annotated[int, Unit("days"), Ge(3)]
    """How long."""
    most: Annotated[int, Unit("days"), Le(3)] | None = None
    """How short."""
    largest: Annotated[int, Unit("days"), Ge(3), NotBelow("least")] = 9
    """How long at most."""
    words: Annotated[tuple[Annotated[str, Matching("a", "the <letter>")], ...], Field(max_length=2)] = ()
    """Which."""
    entries: Annotated[tuple[Entry, ...], MaxLen(3)] = ()
    """To what."""
    on: bool = True
    """Whether."""

    @field_validator("least")
    @classmethod
    def _is_not_more(cls, least: int) -> int:
        return least


def test_a_row_lists_all_rules_of_the_field():
    assert list(rows(Example, "x.")) == [
        ("`x.size`", "whole number", "`1`, `2`", "`1`", "How large.", ""),
        ("`x.ratio`", "number, parts", "0 to 4, in steps of 0.5", "`2`", "How much.", "at least 1, because it is"),
        ("`x.least`", "whole number, days", "3 or more; is not more", "required", "How long.", ""),
        ("`x.most`", "whole number, days", "3 or less", "none", "How short.", ""),
        ("`x.largest`", "whole number, days", "3 or more; `least` or more", "`9`", "How long at most.", ""),
        ("`x.words`", "list of strings", r"the \<letter>; 2 entries at most", "none", "Which.", ""),
        ("`x.entries`", "list of sections", "3 entries at most", "none", "To what.", ""),
        ("`x.entries[].port`", "whole number, TCP port", "", "`443`", "Where to.", ""),
        ("`x.on`", "true or false", "", "`true`", "Whether.", ""),
    ]
