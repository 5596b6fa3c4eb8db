"""Filter patterns match as in the examples of CloudWatch Logs' documentation."""

import json

import pytest

from local_aws.filter_patterns import PatternError, parse

REQUESTS = {
    400: "[ERROR 400] BAD REQUEST",
    401: "[ERROR 401] UNAUTHORIZED REQUEST",
    419: "[ERROR 419] MISSING ARGUMENTS",
    420: "[ERROR 420] INVALID ARGUMENTS",
    500: "[ERROR 500] INTERNAL SERVER ERROR",
    200: "[SUCCESS 200] AUTHORIZED REQUEST",
}
TRAIL = json.dumps(
    {
        "eventType": "UpdateTrail",
        "sourceIPAddress": "111.111.111.111",
        "arrayKey": ["value", "another value"],
        "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
        "SomeObject": None,
        "cluster.name": "c",
        "ThisFlag": True,
        "users": [1, 2, 3],
        "bandwidth": 80,
        "number": [1e-3],
    }
)
USERS = json.dumps(
    {
        "user": {"id": 1, "email": "John.Stiles@example.com"},
        "users": [{"id": 2, "email": "John.Doe@example.com"}, {"id": 3, "email": "Jane.Doe@example.com"}],
        "actions": ["GET", "PUT", "DELETE"],
        "coordinates": [[0, 1, 2], [4, 5, 6], [7, 8, 9]],
    }
)
REQUEST = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("ERROR", {400, 401, 419, 420, 500}),
        ("ERROR ARGUMENTS", {419, 420}),
        ("?ERROR ?ARGUMENTS", {400, 401, 419, 420, 500}),
        ('"INTERNAL SERVER ERROR"', {500}),
        ("ERROR -ARGUMENTS", {400, 401, 500}),
        ("?ERROR ?ARGUMENTS REQUEST", {400, 401, 200}),  # beside other terms, those with ? are ignored
        ('-"BAD REQUEST"', {401, 419, 420, 500, 200}),
        ('" "', {*REQUESTS}),
        ("", {*REQUESTS}),
        ("%AUTHORIZED%", {401, 200}),
        ("error", set[int]()),
    ],
)
def test_terms(pattern: str, matching: set[int]):
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/matching-terms-unstructured-log-events.html."""
    assert {code for code, message in REQUESTS.items() if parse(pattern).matches(message)} == matching


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("%^[hc]at%", "hat", True),
        ("%^[hc]at%", "a hat", False),
        ("%[hc]at$%", "the cat", True),
        ("%colou?r%", "color", True),
        ("%^starting|^initializing|^shutting down%", "shutting down", True),
        ("%^starting|^initializing|^shutting down%", "skipping initializing", False),
        (r"%\x28\D\s\[.\]%", "(a [7]", True),
        (r"%\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}%", "from 10.0.12.3", True),
        ("%[Ee]rror|[Ff]ail%", "failed", True),
    ],
)
def test_regular_expressions(pattern: str, text: str, matches: bool):
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/regex-expressions.html."""
    assert parse(pattern).matches(text) == matches


@pytest.mark.parametrize(
    ("pattern", "event", "matches"),
    [
        ('{ $.eventType = "UpdateTrail" }', TRAIL, True),
        ('{ $.eventType = "*" && $.sourceIPAddress != 123.123.* }', TRAIL, True),
        ("{ $.sourceIPAddress != 111.111.* }", TRAIL, False),
        ('{ $.arrayKey[0] = "value" }', TRAIL, True),
        ('{ $.eventType[0] = "value" }', TRAIL, False),
        ("{ $.objectList[1].id = 2 }", TRAIL, True),
        ("{ $.objectList[1].number = 2 }", TRAIL, False),
        ("{ $.eventType = %Trail% }", TRAIL, True),
        ("{ $.arrayKey[*] = %val.{2}% }", TRAIL, True),
        (r"{ $.* = %111\.111\.111\.1[0-9]{1,2}% }", TRAIL, True),
        ("{ $.['cluster.name'] = \"c\" }", TRAIL, True),
        ("{ $.SomeObject IS NULL }", TRAIL, True),
        ("{ $.eventType IS NULL }", TRAIL, False),
        ("{ $.SomeOtherObject NOT EXISTS }", TRAIL, True),
        ("{ $.SomeObject NOT EXISTS }", TRAIL, False),
        ("{ $.ThisFlag IS TRUE }", TRAIL, True),
        ("{ $.ThisFlag IS FALSE }", TRAIL, False),
        ("{ $.users = 1 }", TRAIL, False),  # an array
        ("{ $.users != 1 }", TRAIL, False),
        ("{ $.bandwidth > 75 }", TRAIL, True),
        ("{ $.bandwidth <= +80.0 }", TRAIL, True),
        ("{ $.bandwidth != 8e1 }", TRAIL, False),
        ("{ $.number[0] = 1e-3 }", TRAIL, True),
        ("{ $.eventType > 75 }", TRAIL, False),
        ('{ $.eventType = "Up*Trail" }', TRAIL, False),  # a wildcard only at either end
        ('{ $.eventType = "*date*" }', TRAIL, True),
        ('{ $.missing != "x" }', TRAIL, False),  # DataBiosphere/azul#5884
        ('{ $.eventType = "UpdateTrail" }', "not JSON", False),
        ("{ $.missing NOT EXISTS }", '"a JSON string"', False),
        ('{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }', USERS, True),
        (
            '{ $.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = "x" && $.actions[2] = "x" }',
            USERS,
            True,
        ),
        (
            '{ ($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = x) && $.actions[2] = x }',
            USERS,
            False,
        ),
        ('{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }', USERS, False),
    ],
)
def test_json(pattern: str, event: str, matches: bool):
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/matching-terms-json-log-events.html."""
    assert parse(pattern).matches(event) == matches


@pytest.mark.parametrize(
    ("pattern", "message", "matches"),
    [
        ("[ip, user, username, timestamp, request =*.html*, status_code = 4*, bytes]", REQUEST, True),
        ("[..., request =*.html*, status_code = 4*, bytes]", REQUEST, True),
        ("[..., request=*.html*, status_code=4*,]", REQUEST, True),
        ("[ip, user, ...]", REQUEST, True),
        ("[ip, user, ..., status_code = 404 || status_code = 410, bytes]", REQUEST, True),
        ("[ip, user, username, timestamp, request, status_code, bytes > 1000]", REQUEST, True),
        ("[ip, user, username, timestamp, request, status_code = 4* && status_code != 404, bytes]", REQUEST, False),
        (r"[ip=%127\.0\.0\.[1-9]%, user, username, timestamp, request, status_code, bytes]", REQUEST, True),
        ("[ip, user = Prod]", REQUEST, False),
        ("[ip, user, a, b, c, d, e, f, ...]", REQUEST, False),
        ("[a, b, c, d, e, f, g, ...]", REQUEST, True),
        ("[w1=ERROR, w2]", "ERROR 09/25/2014 12:00:02 Failed to process request", True),
        ("[w1=ERROR, w2]", "WARNING 09/25/2014 12:00:02 Invalid user request", False),
        ("[w1=ERROR, w2]", "ERROR", False),
        ("[w1=ERROR || W1=WARNING, w2]", "WARNING 09/25/2014 12:00:02 Invalid user request", True),
        ("[w1!=ERROR && w1!=WARNING, w2]", "WARNING 09/25/2014 12:00:02 Invalid user request", False),
        ("[w1!=ERROR && w1!=WARNING, w2]", "INFO 09/25/2014 12:00:00 GET /service/resource/67 1200", True),
        (
            "[logLevel, date, time, method, url=%/service/resource/[0-9]+$%, response_time]",
            "INFO 09/25/2014 12:00:00 GET /service/resource/67 1200",
            True,
        ),
        (
            "[logLevel, date, time, method, url=%/service/resource/[0-9]+$%, response_time]",
            "INFO 09/25/2014 12:00:01 POST /service/resource/67/part/111 1310",
            False,
        ),
    ],
)
def test_space_delimited_fields(pattern: str, message: str, matches: bool):
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/matching-terms-space-delimited-log-events.html."""
    assert parse(pattern).matches(message) == matches


@pytest.mark.parametrize(
    ("pattern", "expression", "message", "value"),
    [
        ("{ $.latency = * }", "$.latency", '{"latency": 50, "requestType": "GET"}', "50"),
        ("{ $.latency = * }", "$.missing", '{"latency": 50}', None),
        ("[ip, server, ..., status_code, bytes > 1000]", "$bytes", REQUEST, "1534"),
        ("[ip, server, ..., status_code, bytes > 1000]", "$server", REQUEST, "Prod"),
        ("[ip, server, ..., status_code, bytes]", "$missing", REQUEST, None),
        ("[ip, server, ..., status_code, bytes]", "$ip", "127.0.0.1", None),
        ("ERROR", "1", "ERROR", "1"),
        ("ERROR", "$.latency", "ERROR", None),
    ],
)
def test_values(pattern: str, expression: str, message: str, value: str | None):
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html."""
    assert parse(pattern).value(expression, message) == value


@pytest.mark.parametrize(
    "pattern",
    [
        "ERROR: failed",  # not quoted
        '"ERROR',
        "%something!%",
        "%(a|b)%",
        "%é%",
        "%[%",
        "{ $.a = %x% && $.b = %y% && $.c = %z% }",
        "{ $.a[*].b[*] = 1 }",
        "{ $.a[*] = 1 && $.b[*] = 1 && $.c[*] = 1 && $.d[*] = 1 }",
        "{ $.a IS NOT NULL }",
        "{ $.a EXISTS }",
        "{ a = 1 }",
        "{ $.a = é }",
        "{ $.a > b }",
        '{ $.a > "1" }',
        "{ $.a = 1 & $.b = 2 }",
        "{ $.a = 1 $.b = 2 }",
        "{ ($.a = 1 }",
        "{ $.a = 1) }",
        "{ && $.a = 1 }",
        "{ }",
        "[..., a, ...]",
        "[a, b=1 && c=2]",
        "[a NOT EXISTS]",
    ],
)
def test_refused_patterns(pattern: str):
    with pytest.raises(PatternError):
        parse(pattern)
