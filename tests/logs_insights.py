"""CloudWatch Logs Insights' query language, evaluated as documented, for the commands that the queries use.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
Discovered fields: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html

What the documentation leaves open:

- Booleans of JSON events are 1 and 0: https://github.com/aws-powertools/powertools-lambda-dotnet/issues/667
- `!=` holds for a field that an event lacks: https://github.com/DataBiosphere/azul/issues/5884
- Events without the field are first in ascending order.
"""

import json
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, cast

from local_aws.filter_patterns import COMPARISONS

Value = float | str | None
Fields = dict[str, Value]
Expression = Callable[[Fields], Value]

MAX_FIELDS = 200
"""Fields that are discovered in a JSON event."""
FLOW_LOG = re.compile(
    r"(?P<version>2) (?P<accountId>\S+) (?P<interfaceId>\S+) (?P<srcAddr>\S+) (?P<dstAddr>\S+) (?P<srcPort>\S+) "
    r"(?P<dstPort>\S+) (?P<protocol>\S+) (?P<packets>\S+) (?P<bytes>\S+) (?P<startTime>\S+) (?P<endTime>\S+) "
    r"(?P<action>\S+) (?P<logStatus>\S+)"
)
TOKEN = re.compile(
    r"\s*(?P<token>(?P<string>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')|(?P<number>\d+(?:\.\d+)?)(?![\w])|(?P<period>\d+[smhd])\b"
    r"|(?P<name>@?[A-Za-z_][\w@]*(?:\.\w+)*|`[^`]+`)|(?P<mark>!=|<=|>=|=~|[=<>(),\[\]*/+%^|-]))"
)
REGEX = re.compile(r"\s*/((?:\\.|[^/\\])+)/")
ARITHMETIC: Sequence[dict[str, Callable[[float, float], float]]] = (
    {"+": operator.add, "-": operator.sub},
    {"*": operator.mul, "/": operator.truediv, "%": operator.mod},
    {"^": operator.pow},
)
"""By precedence."""
AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "avg": lambda values: sum(values) / len(values),
    "max": max,
    "min": min,
    "sum": sum,
}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class QueryError(ValueError):
    """The query is not of Logs Insights' language, or uses what no query here uses."""


@dataclass(frozen=True)
class Row:
    """A row of results and the events that it is from."""

    fields: Fields
    events: frozenset[int]


Command = Callable[[list[Row]], list[Row]]


@dataclass(frozen=True)
class Query:
    """A parsed query."""

    commands: tuple[Command, ...]
    columns: tuple[str, ...]
    read: frozenset[str]
    """All fields that the query reads."""
    conditions: int
    """Number of conditions in its filters."""

    def run(self, messages: Sequence[str]) -> list[Row]:
        """Results on the messages of a log group, oldest first, a second apart."""
        rows = [
            Row(discover(message) | {"@timestamp": float(at)}, frozenset({at})) for at, message in enumerate(messages)
        ]
        for command in self.commands:
            rows = command(rows)
        return [replace(row, fields={name: row.fields.get(name) for name in self.columns}) for row in rows]


def discover(message: str) -> Fields:
    """Fields of an event: those of a JSON object, of a VPC flow log in the default format, or only its message."""
    try:
        event = json.loads(message)
    except ValueError:
        event = None
    found: Fields = {"@message": message}
    if isinstance(event, dict):
        return found | dict(islice(_flatten("", event), MAX_FIELDS))
    if flow := FLOW_LOG.fullmatch(message):
        return found | flow.groupdict()
    return found


def _flatten(path: str, value: Any) -> Iterator[tuple[str, Value]]:
    if isinstance(value, dict | list):
        items = cast(dict[str, Any], value).items() if isinstance(value, dict) else enumerate(cast(list[Any], value))
        for name, inner in items:
            # A field whose name begins with @ gets another one.
            yield from _flatten(f"{path}.{name}" if path else re.sub("^@", "@@", str(name)), inner)
    elif value is not None:
        yield path, value if isinstance(value, str) else float(value)


def parse(text: str, *, without: int | None = None) -> Query:
    """Parse a query.

    Args:
        text: the query.
        without: number of a condition of its filters that is to hold for every event.

    Raises:
        QueryError: the text is not of the language, or uses a command or function that is not evaluated here.
    """
    return _Parser(text, without).query()


@dataclass
class _Parser:
    text: str
    without: int | None
    position: int = 0
    columns: list[str] = field(default_factory=list)
    created: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    conditions: int = 0

    def query(self) -> Query:
        commands: list[Command] = []
        while True:
            name = self._name()
            if name not in {"dedup", "display", "fields", "filter", "limit", "parse", "sort", "stats"}:
                raise self._error(f"command {name}")
            commands.append(getattr(self, f"_{name}")())
            if not self._skip("|"):
                break
        if self.text[self.position :].strip():
            raise self._error("the end of a command is expected")
        columns = tuple(self.columns or ["@timestamp", "@message"])
        return Query(tuple(commands), columns, frozenset(self.read), self.conditions)

    def _fields(self) -> Command:
        named = self._list(self._aliased)
        self.columns += [name for name, _ in named]
        return lambda rows: [
            replace(row, fields=row.fields | {name: value(row.fields) for name, value in named}) for row in rows
        ]

    def _display(self) -> Command:
        self.columns = self._list(self._field)
        return lambda rows: rows

    def _filter(self) -> Command:
        condition = self._either()
        return lambda rows: [row for row in rows if condition(row.fields)]

    def _limit(self) -> Command:
        count = int(self._take("number"))
        return lambda rows: rows[:count]

    def _dedup(self) -> Command:
        names = self._list(self._field)

        def first(rows: list[Row]) -> list[Row]:
            seen = set[tuple[Value, ...]]()
            kept: list[Row] = []
            for row in rows:
                values = tuple(row.fields.get(name) for name in names)
                if None in values or values not in seen:
                    kept.append(row)
                seen.add(values)
            return kept

        return first

    def _sort(self) -> Command:
        def key() -> tuple[str, bool]:
            name = self._field()
            descending = self._skip("desc")
            return name, descending or (self._skip("asc") and False)

        keys = self._list(key)

        def ordered(rows: list[Row]) -> list[Row]:
            for name, descending in reversed(keys):
                rows = sorted(rows, key=lambda row: sort_key(row.fields.get(name)), reverse=descending)
            return rows

        return ordered

    def _parse(self) -> Command:
        source = "@message" if self._peek("string") or self._at_regex() else self._field()
        if regex := self._at_regex():
            expression = self._regex(regex)
            names = list(expression.groupindex)
        else:
            glob = [re.escape(part) for part in self._string().split("*")]
            self._expect("as")
            names = self._list(self._name)
            # The last wildcard takes the rest of the line, every other as little as possible.
            expression = re.compile("(.*?)".join(glob[:-1]) + ("(.*)" if glob[-1] == "" else "(.*?)") + glob[-1])
            if expression.groups != len(names):
                raise self._error(f"{expression.groups} wildcards and {len(names)} names")
        self.created |= set(names)

        def extract(row: Row) -> Row:
            found = expression.search(str(row.fields.get(source) or ""))
            return replace(row, fields=row.fields | dict(zip(names, found.groups(), strict=True))) if found else row

        return lambda rows: list(map(extract, rows))

    def _stats(self) -> Command:
        aggregates = self._list(self._aggregate)
        groups = self._list(self._aliased) if self._skip("by") else []
        self.columns = [*(name for name, _ in groups), *(name for name, _ in aggregates)]
        self.created |= set(self.columns)

        def aggregated(rows: list[Row]) -> list[Row]:
            by_group: dict[tuple[Value, ...], list[Row]] = {}
            for row in rows:
                by_group.setdefault(tuple(value(row.fields) for _, value in groups), []).append(row)
            return [
                Row(
                    {name: value for (name, _), value in zip(groups, group, strict=True)}
                    | {name: aggregate(members) for name, aggregate in aggregates},
                    frozenset[int]().union(*(row.events for row in members)),
                )
                for group, members in by_group.items()
            ]

        return aggregated

    def _aggregate(self) -> tuple[str, Callable[[list[Row]], Value]]:
        start = self.position
        function = self._name()
        self._expect("(")
        if function == "count" and self._skip("*"):
            value: Expression = _one
        else:
            value = self._sum()
        self._expect(")")
        text = self.text[start : self.position].strip()

        def aggregate(rows: list[Row]) -> Value:
            ordered = sorted(rows, key=lambda row: row.fields["@timestamp"] or 0)
            values = [found for row in ordered if (found := value(row.fields)) is not None]
            numbers = [number for found in values if (number := _number(found)) is not None]
            match function:
                case "count":
                    return len(values)
                case "count_distinct":
                    return len({*values})
                case "earliest" | "latest":
                    return values[-1 if function == "latest" else 0] if values else None
                case _:
                    return AGGREGATES[function](numbers) if numbers else None

        if function not in {"count", "count_distinct", "earliest", "latest", *AGGREGATES}:
            raise self._error(f"function {function}")
        return self._name() if self._skip("as") else text, aggregate

    def _aliased(self) -> tuple[str, Expression]:
        start = self.position
        value = self._sum()
        text = self.text[start : self.position].strip()
        alias = self._name() if self._skip("as") else text
        self.created.add(alias)
        return alias, value

    def _either(self) -> Callable[[Fields], bool]:
        parts = [self._both()]
        while self._skip("or"):
            parts.append(self._both())
        return lambda fields: any(part(fields) for part in parts)

    def _both(self) -> Callable[[Fields], bool]:
        parts = [self._condition()]
        while self._skip("and"):
            parts.append(self._condition())
        return lambda fields: all(part(fields) for part in parts)

    def _condition(self) -> Callable[[Fields], bool]:
        if self._skip("not"):
            negated = self._condition()
            return lambda fields: not negated(fields)
        if self._skip("("):
            inner = self._either()
            self._expect(")")
            return inner
        number, self.conditions = self.conditions, self.conditions + 1
        holds = self._ispresent() if self._skip("ispresent") else self._comparison()
        return holds if number != self.without else lambda _fields: True

    def _ispresent(self) -> Callable[[Fields], bool]:
        self._expect("(")
        name = self._field()
        self._expect(")")
        return lambda fields: fields.get(name) is not None

    def _comparison(self) -> Callable[[Fields], bool]:
        left = self._sum()
        negated = self._skip("not")
        if self._skip("in"):
            self._expect("[")
            values = self._list(self._sum)
            self._expect("]")
            holds = _is_one_of(left, values)
        elif self._skip("like") or self._skip("=~"):
            regex = self._at_regex()
            expression = self._regex(regex) if regex else re.compile(re.escape(self._string()))
            holds = _contains(left, expression)
        else:
            sign = self._take("mark")
            if negated or sign not in COMPARISONS:
                raise self._error("a comparison is expected")
            right = self._sum()
            return lambda fields: _compare(sign, left(fields), right(fields))
        return (lambda fields: not holds(fields)) if negated else holds

    def _sum(self, level: int = 0) -> Expression:
        if level == len(ARITHMETIC):
            return self._operand()
        result = self._sum(level + 1)
        while sign := next((sign for sign in ARITHMETIC[level] if self._skip(sign)), None):
            result = _calculation(ARITHMETIC[level][sign], result, self._sum(level + 1))
        return result

    def _operand(self) -> Expression:
        if self._peek("string"):
            text = self._string()
            return lambda _fields: text
        if self._peek("number"):
            number = float(self._take("number"))
            return lambda _fields: number
        name = self._field()
        if self._skip("("):
            self.read.discard(name)
            if name != "bin":
                raise self._error(f"function {name}")
            period = self._take("period")
            self._expect(")")
            seconds = int(period[:-1]) * SECONDS[period[-1]]
            return lambda fields: float(fields["@timestamp"] or 0) // seconds * seconds
        return lambda fields: fields.get(name)

    def _field(self) -> str:
        name = self._name()
        if name not in self.created:
            self.read.add(name)
        return name

    def _name(self) -> str:
        return self._take("name").strip("`")

    def _string(self) -> str:
        return re.sub(r"\\(.)", r"\1", self._take("string")[1:-1])

    def _at_regex(self) -> re.Match[str] | None:
        return REGEX.match(self.text, self.position)

    def _regex(self, match: re.Match[str]) -> re.Pattern[str]:
        self.position = match.end()
        return re.compile(re.sub(r"\(\?<(?=[A-Za-z])", "(?P<", match[1]).replace(r"\/", "/"))

    def _list(self, item: Callable[[], Any]) -> list[Any]:
        items = [item()]
        while self._skip(","):
            items.append(item())
        return items

    def _peek(self, kind: str) -> str | None:
        token = TOKEN.match(self.text, self.position)
        return token[kind] if token else None

    def _skip(self, expected: str) -> bool:
        token = TOKEN.match(self.text, self.position)
        if token and token["token"] == expected:
            self.position = token.end()
            return True
        return False

    def _expect(self, expected: str) -> None:
        if not self._skip(expected):
            raise self._error(f"{expected} is expected")

    def _take(self, kind: str) -> str:
        token = TOKEN.match(self.text, self.position)
        if not token or token[kind] is None:
            raise self._error(f"a {kind} is expected")
        self.position = token.end()
        return token[kind]

    def _error(self, what: str) -> QueryError:
        return QueryError(f"{what}: {self.text[: self.position]} >>> {self.text[self.position :]}")


def sort_key(value: Value) -> tuple[int, float, list[tuple[str, int, str]]]:
    """Numbers after all other values, which are compared by groups of digits and of other characters.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Sort.html
    """
    number = _number(value)
    if value is None or number is not None:
        return 2 * (value is not None), number or 0, []
    chunks = re.findall(r"\d+|\D+", str(value))
    return 1, 0, [("0", len(chunk), chunk) if chunk.isdigit() else (chunk, 0, "") for chunk in chunks]


def _number(value: Value) -> float | None:
    return float(value) if value is not None and re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", str(value)) else None


def _text(value: Value) -> str | None:
    return f"{value:g}" if isinstance(value, float) else value if value is None else str(value)


def _equal(left: Value, right: Value) -> bool:
    return left is not None and _compare("=", left, right)


def _compare(sign: str, left: Value, right: Value) -> bool:
    """Compare numbers as numbers and otherwise texts. Nothing equals a missing field."""
    if left is None or right is None:
        return sign == "!="
    numbers = _number(left), _number(right)
    return COMPARISONS[sign](*(numbers if None not in numbers else (_text(left), _text(right))))


def _calculation(operate: Callable[[float, float], float], left: Expression, right: Expression) -> Expression:
    def value(fields: Fields) -> Value:
        first, second = _number(left(fields)), _number(right(fields))
        return None if first is None or second is None else operate(first, second)

    return value


def _one(_fields: Fields) -> Value:
    return 1


def _is_one_of(left: Expression, values: Sequence[Expression]) -> Callable[[Fields], bool]:
    return lambda fields: any(_equal(left(fields), each(fields)) for each in values)


def _contains(left: Expression, expression: re.Pattern[str]) -> Callable[[Fields], bool]:
    return lambda fields: bool(expression.search(_text(left(fields)) or ""))
