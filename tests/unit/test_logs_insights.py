"""The evaluator of Logs Insights' query language gives the results of the examples in CloudWatch Logs' documentation.

The comments name pages under https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs
"""

import json
from itertools import pairwise
from typing import Any

import pytest

from tests.logs_insights import QueryError, Value, discover, parse, sort_key

EVENTS = [
    {"range": 4000, "accountId": 123456789012, "logGroup": "example_group", "f1": "An Exception", "statusCode": "204"},
    {"range": 2000, "accountId": 123456789012, "logGroup": "other", "f1": "an exception", "statusCode": "404"},
    {"range": 5000, "accountId": 1, "f1": "Exception", "server": "a"},
    {"f1": "user=Mary, method:GET, latency := 25", "server": "a"},
    {"f1": "user=John, method:GET, latency := 35", "server": "b", "severity": "ERROR"},
]
MESSAGES = [json.dumps(event) for event in EVENTS]


def results(query: str, messages: list[str] = MESSAGES) -> list[list[Value]]:
    return [list(row.fields.values()) for row in parse(query).run(messages)]


def events(query: str) -> list[int]:
    """Numbers of the events that a query returns, in its order."""
    return [number for row in parse(query).run(MESSAGES) for number in row.events]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # /CWL_QuerySyntax-Filter.html
        ("fields @timestamp, @message | filter (range>3000) | sort @timestamp desc | limit 20", [2, 0]),
        ("fields @message | filter (range>3000 and accountId=123456789012) | sort @timestamp desc | limit 20", [0]),
        ('fields @timestamp | filter logGroup in ["example_group"]', [0]),
        ('filter logGroup not in ["example_group"]', [1, 2, 3, 4]),
        ("fields f1, f2 | filter f1 like /Exception/", [0, 2]),
        ("filter f1 =~ /Exception/", [0, 2]),
        ('filter f1 like "Exception"', [0, 2]),
        ("filter f1 like /(?i)Exception/", [0, 1, 2]),
        ("filter f1 =~ /(?i)^Exception$/", [2]),
        ("filter f1 not like /Exception/", [1, 3, 4]),
        (r"fields f1 | filter statusCode like /2\d\d/", [0]),
        ("filter statusCode >= 200 and statusCode < 300", [0]),
        # /CWL_QuerySyntax-operations-functions.html
        ("filter ispresent(severity)", [4]),
        ("filter not ispresent(range) or range / 1000 = 2", [1, 3, 4]),
        ("filter 2 ^ 3 = 8 and 10 % 3 = 1 and range + 1 - 1 = 4000", [0]),
        # /CWL_QuerySyntax-Dedup.html: one event for each value, and every event without one.
        ("sort @timestamp desc | dedup server", [4, 3, 1, 0]),
        ("filter ispresent(server) | sort @timestamp desc | dedup server", [4, 3]),
        # https://github.com/DataBiosphere/azul/issues/5884
        ('filter severity != "INFO"', [0, 1, 2, 3, 4]),
        ('filter severity = "INFO" or missing < 1', []),
    ],
)
def test_events_are_filtered_as_in_the_documentation(query: str, expected: list[int]):
    assert events(query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # /CWL_QuerySyntax-Parse.html
        (
            'filter f1 like "user=" | parse f1 "user=*, method:*, latency := *" as @user, @method, @latency '
            "| stats avg(@latency) by @method",
            [["GET", 30]],
        ),
        (
            "filter ispresent(severity) | parse @message /user=(?<user>[A-Za-z]+), method:(?<method>\\w+)/ "
            "| display user, method",
            [["John", "GET"]],
        ),
        (
            'parse "latency := *" as latency | filter ispresent(latency) | fields latency',
            [['25", "server": "a"}'], ['35", "server": "b", "severity": "ERROR"}']],
        ),
        # /CWL_QuerySyntax-Stats.html
        ("stats count(*) as total, count(range), sum(range) as all", [[5, 3, 11000]]),
        (
            "stats min(range) as low, max(range) as high by accountId | sort high",
            [[None, None, None], [123456789012, 2000, 4000], [1, 5000, 5000]],
        ),
        ("filter ispresent(range) | stats latest(f1) as last, earliest(f1) as first", [["Exception", "An Exception"]]),
        ("stats count(*) by bin(3s) as time", [[0, 3], [3, 2]]),
        ("stats count_distinct(server) as servers", [[2]]),
        ("stats avg(missing) as nothing", [[None]]),
        ("fields range * 2 as double, `f1` | filter double > 9000", [[10000, "Exception"]]),
        ("fields f1 | display range | limit 1", [[4000]]),
    ],
)
def test_results_are_as_in_the_documentation(query: str, expected: list[list[Value]]):
    assert results(query) == expected


def test_a_query_without_columns_returns_time_and_message():
    assert results("limit 1") == [[0, MESSAGES[0]]]


def test_values_are_sorted_as_in_the_documentation():
    # /CWL_QuerySyntax-Sort.html
    ascending = [
        "!:",
        "#",
        "*%04",
        "0#",
        "5A",
        "111A",
        "2345_",
        "@",
        "@_",
        "A",
        "A9876fghj",
        "a12345hfh",
        "0",
        "01",
        "2",
    ]
    assert all(sort_key(first) < sort_key(second) for first, second in pairwise(ascending))
    assert sorted(["10", "9", None, "x"], key=sort_key) == [None, "x", "9", "10"]


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        # /CWL_AnalyzeLogData-discoverable-fields.html
        (
            '{"userIdentity": {"type": "IAMUser"}, "requestParameters": {"items": [{"instanceId": "i-1"}]}}',
            {"userIdentity.type": "IAMUser", "requestParameters.items.0.instanceId": "i-1"},
        ),
        ('{"@example.com": "x", "none": null}', {"@@example.com": "x"}),
        # https://github.com/aws-powertools/powertools-lambda-dotnet/issues/667
        ('{"true": true, "false": false}', {"true": 1, "false": 0}),
        (
            "2 123456789010 eni-1235b8ca 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK",
            {"version": "2", "srcAddr": "172.31.16.139", "dstPort": "22", "action": "ACCEPT", "logStatus": "OK"},
        ),
        ("[1]", {}),
        ("plain", {}),
    ],
)
def test_fields_are_discovered_as_in_the_documentation(message: str, fields: dict[str, Value]):
    found = discover(message)
    assert found.items() >= fields.items()
    assert "none" not in found
    assert found["@message"] == message


def test_only_the_first_200_fields_are_discovered():
    event: dict[str, Any] = {f"field{number}": number for number in range(300)}
    assert [f"field{number}" in discover(json.dumps(event)) for number in (199, 200)] == [True, False]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "pattern @message",
        "fields @timestamp | where a = 1",
        "filter a",
        "filter a == 1",
        "filter a not = 1",
        "filter (a = 1",
        "filter a = 1 b = 2",
        "filter isIpv4InSubnet(a, 'x')",
        "stats median(a)",
        "limit many",
        'parse @message "* and *" as one',
        "sort a b",
        "filter a like 1",
    ],
)
def test_what_is_not_evaluated_is_refused(query: str):
    with pytest.raises(QueryError):
        parse(query)
