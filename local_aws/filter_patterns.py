"""CloudWatch Logs' filter patterns, evaluated as documented.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html

A selector that a JSON event lacks matches nothing but `NOT EXISTS`: not even `!=`, as measured in
https://github.com/DataBiosphere/azul/issues/5884.
"""

import json
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

SELECTOR = r"\$(?:\.[\w-]+|\.\*|\.\['[^']*'\]|\[\d+\]|\[\*\])+"
VALUE = r'"(?:\\.|[^"\\])*"|%[^%]*%|[\w.*+-]+'
TERM = re.compile(r"\s*([?-]?)(\"(?:\\.|[^\"\\])*\"|%[^%]*%|\w+)(?=\s|$)", re.ASCII)
TOKEN = re.compile(
    rf"\s*(?:(?P<mark>&&|\|\||[()])|(?P<name>{SELECTOR}|(?<![=<>])\b[A-Za-z_]\w*)"
    rf"\s*(?:(?P<operator>!=|<=|>=|=|<|>)\s*(?P<value>{VALUE})|(?P<state>IS\s+(?:NULL|TRUE|FALSE)|NOT\s+EXISTS)\b))",
    re.ASCII,
)
SEPARATOR = re.compile(r',(?=(?:[^"%]|"(?:\\.|[^"\\])*"|%[^%]*%)*$)')
"""A comma outside quotes and regular expressions."""
WORD = re.compile(r'"(?P<quoted>[^"]*)"|\[(?P<bracketed>[^\]]*)\]|(?P<plain>\S+)')
REGEX = re.compile(r"[A-Za-z0-9 :_#=@/;,^$?\[\]{}|\\*+.-]+")
"""Characters that a regular expression may contain."""
REGEXES, WILDCARDS = 2, 3
"""Maximum number of regular expressions, and of selectors with a wildcard, in a pattern that is not of terms."""
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
STATES: dict[str, Callable[[Sequence[Any]], bool]] = {
    "NOT EXISTS": lambda found: not found,
    "IS NULL": lambda found: any(value is None for value in found),
    "IS TRUE": lambda found: any(value is True for value in found),
    "IS FALSE": lambda found: any(value is False for value in found),
}


class PatternError(ValueError):
    """CloudWatch Logs would refuse the pattern."""


@dataclass(frozen=True)
class Condition:
    """A term or a comparison."""

    text: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Combination:
    """Conditions, of which all or any must hold."""

    parts: "tuple[Condition | Combination, ...]"
    needed: Callable[[Iterator[bool]], bool] = all

    def holds(self, event: Any) -> bool:
        """Whether enough of the conditions hold."""
        return self.needed(part.holds(event) for part in self.parts)


@dataclass(frozen=True)
class FilterPattern:
    """A parsed pattern."""

    condition: Combination
    read: Callable[[str], Any]
    """An event's message as the conditions read it. None: it has another format."""
    select: Callable[[Any, str], Sequence[Any]] = lambda _event, _name: ()

    def matches(self, message: str) -> bool:
        """Whether an event matches."""
        event = self.read(message)
        return event is not None and self.condition.holds(event)

    def value(self, expression: str, message: str) -> str | None:
        """A metric's value or dimension: a constant, a JSON selector, or `$name` of a space-delimited field."""
        if not expression.startswith("$"):
            return expression
        event = self.read(message)
        found = self.select(event, expression) if event is not None else ()
        return str(found[0]) if found else None


def parse(pattern: str) -> FilterPattern:
    """Parse a pattern of terms, of JSON selectors or of space-delimited fields.

    Raises:
        PatternError: CloudWatch Logs would refuse it.
    """
    text = pattern.strip()
    if text[:1] in {"{", "["} and len(re.findall(r"%[^%]*%", text)) > REGEXES:
        raise PatternError(f"{text}: more than {REGEXES} regular expressions")
    if text.startswith("{") and text.endswith("}"):
        return FilterPattern(_conditions(text[1:-1], _json_condition), _json_object, _select)
    if text.startswith("[") and text.endswith("]"):
        return _delimited(text[1:-1])
    return FilterPattern(_terms(text), str)


def _terms(text: str) -> Combination:
    """Every term, none with `-`, and any of those with `?`."""
    if text.strip('" ') == "":
        return Combination(())
    found = list(TERM.finditer(text))
    if "".join(match[0] for match in found) != text:
        raise PatternError(f"{text}: terms with other than alphanumeric characters must be quoted")
    # Beside others, terms with `?` are ignored.
    others = [match for match in found if match[1] != "?"]
    return Combination(tuple(map(_term, others or found)), all if others else any)


def _term(match: re.Match[str]) -> Condition:
    sign, literal = match.groups()
    contains = _regex(literal) if literal.startswith("%") else _containing(_unquote(literal))
    return Condition(match[0].strip(), (lambda message: not contains(message)) if sign == "-" else contains)


def _containing(text: str) -> Callable[[str], bool]:
    return lambda message: text in message


def _conditions(text: str, make: Callable[[re.Match[str]], Condition]) -> Combination:
    """Conditions with `&&`, which binds tighter, `||` and parentheses."""
    tokens, position = list[re.Match[str]](), 0
    while text[position:].strip():
        token = TOKEN.match(text, position)
        if not token:
            raise PatternError(f"{text}: cannot be read from here: {text[position:].strip()}")
        tokens.append(token)
        position = token.end()
    selectors = [token["name"] for token in tokens if token["name"]]
    wildcards = [selector.count(".*") + selector.count("[*]") for selector in selectors]
    if max(wildcards, default=0) > 1 or sum(wildcards) > WILDCARDS:
        raise PatternError(f"{text}: more than {WILDCARDS} selectors with a wildcard, or one with two")

    def alternatives() -> Combination:
        return Combination(tuple(_separated("||", lambda: Combination(tuple(_separated("&&", unit))))), any)

    def _separated(mark: str, part: Callable[[], Condition | Combination]) -> Iterator[Condition | Combination]:
        yield part()
        while tokens and tokens[0]["mark"] == mark:
            tokens.pop(0)
            yield part()

    def unit() -> Condition | Combination:
        token = tokens.pop(0) if tokens else None
        if token and token["mark"] == "(":
            inner = alternatives()
            if tokens and tokens.pop(0)["mark"] == ")":
                return inner
        elif token and not token["mark"]:
            return make(token)
        raise PatternError(f"{text}: a condition or a parenthesis is missing")

    result = alternatives()
    if tokens:
        raise PatternError(f"{text}: && or || is missing before {tokens[0][0].strip()}")
    return result


def _json_object(message: str) -> dict[str, Any] | None:
    try:
        event = json.loads(message)
    except ValueError:
        return None
    return cast(dict[str, Any], event) if isinstance(event, dict) else None


def _json_condition(token: re.Match[str]) -> Condition:
    selector, state = token["name"], " ".join((token["state"] or "").split())
    if not selector.startswith("$"):
        raise PatternError(f"{selector}: a selector begins with $")
    if state:
        return Condition(token[0].strip(), lambda event: STATES[state](_select(event, selector)))
    holds = _comparison(token["operator"], token["value"])
    # Arrays, objects, null and booleans are no values to compare.
    return Condition(
        token[0].strip(),
        lambda event: any(
            holds(value)
            for value in _select(event, selector)
            if isinstance(value, str | int | float) and not isinstance(value, bool)
        ),
    )


def _select(event: Any, selector: str) -> list[Any]:
    """Values at a selector, of which `*` has any number."""
    found = [event]
    for name, quoted, index in re.findall(r"\.([\w*-]+)|\.\['([^']*)'\]|\[([\d*]+)\]", selector):
        found = [inner for value in found for inner in _members(value, name or quoted, index)]
    return found


def _members(value: Any, name: str, index: str) -> list[Any]:
    if index and isinstance(value, list):
        items = cast(list[Any], value)
        return items if index == "*" else items[int(index) :][:1]
    if name and isinstance(value, dict):
        members = cast(dict[str, Any], value)
        return list(members.values()) if name == "*" else [members[name]] if name in members else []
    return []


def _delimited(text: str) -> FilterPattern:
    """Fields by position. `...` takes any number of words, and a last field without a condition all that remain."""
    fields = [field.strip() for field in SEPARATOR.split(text)]
    if fields.count("...") > 1:
        raise PatternError(f"{text}: more than one ...")
    names = [re.split(r"[\s=!<>]", field)[0] for field in fields]
    conditions = [
        _conditions(field, _field_condition(name)) for field, name in zip(fields, names, strict=True) if field != name
    ]

    def read(message: str) -> dict[str, str] | None:
        words = [match[match.lastgroup or 0] for match in WORD.finditer(message)]
        extra = len(words) - len(fields)
        at = fields.index("...") if "..." in fields else len(fields) - 1
        if extra >= -1 and fields[at] == names[at] and (extra > 0 or fields[at] == "..."):
            words[at : at + extra + 1] = [" ".join(words[at : at + extra + 1])]
        if len(words) != len(fields):
            return None
        return {name or str(at): word for at, (name, word) in enumerate(zip(names, words, strict=True), 1)}

    return FilterPattern(
        Combination(tuple(conditions)), read, lambda event, name: [event[name[1:]]] if name[1:] in event else []
    )


def _field_condition(field: str) -> Callable[[re.Match[str]], Condition]:
    def make(token: re.Match[str]) -> Condition:
        if token["name"].lower() != field.lower() or token["state"]:
            raise PatternError(f"{token[0]}: not a condition on {field}")
        holds = _comparison(token["operator"], token["value"])
        return Condition(token[0].strip(), lambda event: holds(event[field]))

    return make


def _equal_to(text: str) -> Callable[[str], bool]:
    """Equality with a text, which may have a wildcard at either end."""
    start, end = "*" * text.startswith("*"), "*" * text.endswith("*")
    inner = re.escape(text[len(start) : len(text) - len(end) or None]) if text != "*" else ""
    expression = re.compile(f"{'.*' if start else ''}{inner}{'.*' if end else ''}", re.DOTALL)
    return lambda value: bool(expression.fullmatch(value))


def _comparison(by: str, literal: str) -> Callable[[str | float], bool]:
    """Compare numbers as numbers. Otherwise, only `=` and `!=`, with `*` as wildcard at either end."""
    compare, text = COMPARISONS[by], _unquote(literal)
    equals = _regex(literal) if literal.startswith("%") else _equal_to(text)
    number = _number(text) if literal == text else None
    if number is None and by not in {"=", "!="}:
        raise PatternError(f"{by} {literal}: not a number")

    def holds(value: str | float) -> bool:
        actual = _number(str(value))
        if number is not None and actual is not None:
            return compare(actual, number)
        return by in {"=", "!="} and equals(str(value)) == (by == "=")

    return holds


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", text, re.IGNORECASE) else None


def _regex(literal: str) -> Callable[[str], bool]:
    inner = literal[1:-1]
    if not REGEX.fullmatch(inner):
        raise PatternError(f"{literal}: a character that regular expressions do not support")
    try:
        expression = re.compile(inner)
    except re.error as error:
        raise PatternError(f"{literal}: {error}") from error
    return lambda value: bool(expression.search(value))


def _unquote(literal: str) -> str:
    return re.sub(r"\\(.)", r"\1", literal[1:-1]) if literal.startswith('"') else literal
