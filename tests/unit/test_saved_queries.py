"""Saved queries, and those of the pages, return exactly the lines in `tests/logs/` that name them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import pytest

from stacks import ROOT
from synthesized.platform import Platform
from tests.failures import expect_none
from tests.log_lines import Line, log_lines
from tests.logs_insights import Query, parse

COMMAND = re.compile(r"^## (.+)$|^ *ask \"([^\"]+)\"\s*(?:\\\n\s*)?'([^']*)'", re.MULTILINE)
"""A heading, or a query of the function in docs/runbooks/README.md."""
ANY = {"$COMPANY": "acme", "$ENV": "prod", "<call>": "CreateUser", "<part of the ARN>": "user/anaya"}
"""What the tests write for variables and placeholders."""
PAGES = sorted((ROOT / "docs").rglob("*.md"))


@dataclass(frozen=True)
class Text:
    """A query as it is saved or written, and its log group."""

    name: str
    log_group: str
    text: str

    @property
    def lines(self) -> list[Line]:
        return log_lines()[self.log_group]

    def returned(self, text: str | None = None, *, without: int | None = None) -> set[int]:
        """Numbers of the lines that the query, or a change of it, returns or counts."""
        unlimited = re.sub(r"\|\s*limit \d+", "", text or self.text)
        rows = parse(unlimited, without=without).run([line.message for line in self.lines])
        return {number for row in rows for number in row.events}

    @property
    def expected(self) -> set[int]:
        """Numbers of the lines that name the query. One without a condition returns every line."""
        every = "filter " not in self.text
        return {number for number, line in enumerate(self.lines) if every or self.name in line.queries}


def in_pages() -> Iterator[Text]:
    """Queries of the pages, named after page and heading, and numbered from the second on."""
    for page in PAGES:
        heading, found = "", list[tuple[str, str, str]]()
        for match in COMMAND.finditer(page.read_text(encoding="utf-8")):
            if match[1]:
                heading = match[1]
                continue
            group, text = match[2], match[3]
            for variable, value in ANY.items():
                group, text = group.replace(variable, value), text.replace(variable, value)
            found.append((f"{page.stem} {heading}".strip(), group, text))
        for name, same in groupby(found, key=lambda each: each[0]):
            for number, (_, group, text) in enumerate(same, 1):
                yield Text(f"{name} {number}" if number > 1 else name, group, text)


@pytest.fixture(scope="module")
def queries(prod: Platform) -> list[Text]:
    saved = [
        Text(each.body["name"].removeprefix("acme/prod/"), group, each.body["query_string"])
        for each in prod.of_type("aws_cloudwatch_query_definition")
        for group in each.body["log_group_names"]
    ]
    return [*saved, *in_pages()]


def smaller(query: Text) -> Iterator[tuple[str, set[int]]]:
    """What a query returns without each condition, value of a list, and alternative of a regular expression."""
    for number in range(parse(query.text).conditions):
        yield f"condition {number + 1}", query.returned(without=number)
    for regex in re.findall(r"like /(.+?)/", query.text):
        for alternative in re.finditer(r"[^(|)]+(?=\|)|(?<=\|)[^(|)]+", regex):
            # None of the lines has it.
            changed = f"{regex[: alternative.start()]}\x01{regex[alternative.end() :]}"
            yield alternative[0], query.returned(query.text.replace(regex, changed))
    for values in re.findall(r"in \[(.+?)\]", query.text):
        for value in values.split(", "):
            yield value, query.returned(query.text.replace(value, '""'))


def test_every_query_of_the_pages_is_found():
    written = sum(len(re.findall(r"^ *ask ", page.read_text(encoding="utf-8"), re.MULTILINE)) for page in PAGES)
    assert len(list(in_pages())) == written > 20


def test_each_query_returns_its_lines_and_no_others(queries: list[Text]):
    expect_none(
        f"{query.name}: query: {'misses' if number in query.expected else 'returns'} {query.lines[number].message!r}"
        for query in queries
        for number in sorted(query.returned() ^ query.expected)
    )


def test_each_query_has_lines_and_every_line_names_existing_queries(queries: list[Text]):
    assert {query.name for query in queries if not query.expected} == set(), "tests/logs has a line for each query"
    named = {(group, name) for group, lines in log_lines().items() for line in lines for name in line.queries}
    assert named <= {(query.log_group, query.name) for query in queries}


def test_each_condition_of_a_query_makes_a_difference(queries: list[Text]):
    expect_none(
        f"{query.name}: query: no line in tests/logs needs {part}"
        for query in queries
        for part, returned in smaller(query)
        if returned == query.expected
    )


def test_every_column_has_values(queries: list[Text]):
    """A field that no event has is misspelled."""
    expect_none(
        f"{query.name}: query: no value of {column}"
        for query in queries
        for parsed in [parse(query.text)]
        for column in {*parsed.columns, *parsed.read}
        if not has_values(query, parsed, column)
    )


def has_values(query: Text, parsed: Query, column: str) -> bool:
    rows = parsed.run([line.message for line in query.lines])
    if column in parsed.columns:
        return any(row.fields[column] is not None for row in rows)
    events = parse(f"fields {column}").run([line.message for line in query.lines])
    return any(row.fields[column] is not None for row in events)


def test_a_query_of_an_alarm_returns_what_its_metric_filter_counts(queries: list[Text]):
    filters = {name for lines in log_lines().values() for line in lines for name in line.filters}
    expect_none(
        f"{query.name}: query: misses {line.message[:300]!r}, which the metric filter counts"
        for query in queries
        if (name := query.name.split()[-1]) in filters
        for number, line in enumerate(query.lines)
        if name in line.filters and number not in query.returned()
    )


def test_slow_statements_are_sorted_by_their_duration(queries: list[Text]):
    (query,) = (each for each in queries if each.name == "slow-statements")
    rows = parse(query.text).run([line.message for line in query.lines])
    assert [row.fields["milliseconds"] for row in rows][:3] == ["11849.535", "10217.342", "1502.132"]


def test_requests_are_counted_by_rule_address_and_path(queries: list[Text]):
    (query,) = (each for each in queries if each.name == "blocked-requests")
    (row,) = parse(query.text).run([line.message for line in query.lines])
    assert list(row.fields.values()) == ["RateBasedRule", "52.46.82.45", "/cart", 1]
