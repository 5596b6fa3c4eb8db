"""Metric filters count exactly the lines in `tests/logs/` that name them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from local_aws.filter_patterns import Combination, Condition, FilterPattern, parse
from synthesized.platform import Platform
from tests.failures import expect_none
from tests.log_lines import Line, log_lines

OTHERS = "aws_cloudwatch_log_subscription_filter", "aws_cloudwatch_contributor_insight_rule"
"""Types with patterns that these tests would have to run, too."""


@pytest.fixture(scope="module")
def filters(prod: Platform) -> dict[str, tuple[FilterPattern, list[Line]]]:
    """Patterns by name of the filter, with the lines of their log groups."""
    groups = {f"${{{group.address}.name}}": group.body["name"] for group in prod.of_type("aws_cloudwatch_log_group")}
    return {
        each.body["name"].removeprefix("acme-prod-"): (
            parse(each.body["pattern"]),
            log_lines().get(groups[each.body["log_group_name"]], []),
        )
        for each in prod.of_type("aws_cloudwatch_log_metric_filter")
    }


def without_one(whole: Combination) -> Iterator[tuple[str, Combination]]:
    """A pattern's conditions without each of them."""
    for index, part in enumerate(whole.parts):
        before, after = whole.parts[:index], whole.parts[index + 1 :]
        if isinstance(part, Condition):
            yield part.text, replace(whole, parts=(*before, *after))
            continue
        for text, smaller in without_one(part):
            yield text, replace(whole, parts=(*before, *([smaller] if smaller.parts else []), *after))


def test_each_filter_counts_its_lines_and_no_others(filters: dict[str, tuple[FilterPattern, list[Line]]]):
    expect_none(
        f"{name}: pattern: {'misses' if name in line.filters else 'counts'} {line.message!r}"
        for name, (pattern, lines) in filters.items()
        for line in lines
        if pattern.matches(line.message) != (name in line.filters)
    )


def test_each_filter_has_lines_and_every_line_names_existing_filters(
    filters: dict[str, tuple[FilterPattern, list[Line]]],
):
    named = {name for lines in log_lines().values() for line in lines for name in line.filters}
    assert named == filters.keys(), "tests/logs has a line for each filter"


def test_each_condition_of_a_filter_makes_a_difference(filters: dict[str, tuple[FilterPattern, list[Line]]]):
    expect_none(
        f"{name}: pattern: no line in tests/logs needs {text}"
        for name, (pattern, lines) in filters.items()
        for text, smaller in without_one(pattern.condition)
        if all(replace(pattern, condition=smaller).matches(line.message) == (name in line.filters) for line in lines)
    )


def test_every_pattern_is_accepted(everywhere: list[Platform]):
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html
    filters = [each for platform in everywhere for each in platform.of_type("aws_cloudwatch_log_metric_filter")]
    assert all(parse(each.body["pattern"]) for each in filters)
    expect_none(
        f"{each.address}: pattern: {len(each.body['pattern'])} characters, of at most 1024"
        for each in filters
        if len(each.body["pattern"]) > 1024
    )


def test_no_other_pattern_is_left_untested(prod: Platform):
    assert [each.address for type_ in OTHERS for each in prod.of_type(type_)] == []
